/* SPDX-License-Identifier: Apache-2.0 */
#include "correlate/thread_errors.h"

#include "decode/call_name.h"

/* A slot counts on from thread to thread, so that what lies between is never more than this thread's. */
static uint32_t count_between(const struct thread_usage *from, const struct thread_usage *to)
{
	uint32_t since = to->errors - from->errors, own = to->errors - to->errors_before;

	return since < own ? since : own;
}

void thread_errors_read(const struct thread_usage *from, const struct thread_usage *to,
			struct request_errors *ret_errors)
{
	*ret_errors = (struct request_errors){ .count = count_between(from, to) };
	if (!ret_errors->count)
		return;
	ret_errors->call = syscall_name(to->error_nr);
	ret_errors->name = errno_name(to->error);
}
