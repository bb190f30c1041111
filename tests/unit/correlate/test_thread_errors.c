/* SPDX-License-Identifier: Apache-2.0 */
/* Failed system calls between two calls of a thread, as counted in a slot that threads may share. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>

#include <cmocka.h>

#include "correlate/thread_errors.h"

static struct request_errors told;

/* As far as the slot had counted, and how much of that was not the thread's. */
static uint32_t count(uint32_t first, uint32_t last, uint32_t before)
{
	struct thread_usage from = { .errors = first };
	struct thread_usage to = { .errors = last,
				   .errors_before = before,
				   .error_nr = SYS_connect,
				   .error = ECONNREFUSED };

	thread_errors_read(&from, &to, &told);
	return told.count;
}

static void counts_what_lies_between(void **state)
{
	(void)state;
	assert_int_equal(count(5, 8, 0), 3);
	assert_string_equal(told.call, "connect");
	assert_string_equal(told.name, "ECONNREFUSED");
	assert_int_equal(count(UINT32_MAX, 2, UINT32_MAX - 7), 3);
}

static void none_has_no_name(void **state)
{
	(void)state;
	assert_int_equal(count(8, 8, 0), 0);
	assert_null(told.call);
	assert_null(told.name);
}

static void those_of_others_do_not_count(void **state)
{
	(void)state;
	assert_int_equal(count(5, 9, 7), 2); /* another thread's until then */
	assert_int_equal(count(5, 9, 9), 0); /* another thread has it now */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts_what_lies_between),
		cmocka_unit_test(none_has_no_name),
		cmocka_unit_test(those_of_others_do_not_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
