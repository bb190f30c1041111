/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* Failed system calls of each thread, for the requests that it handles. */
#ifndef SONDE_THREAD_ERRORS_BPF_H
#define SONDE_THREAD_ERRORS_BPF_H

#include <asm/unistd.h>

#include "lib/emit.bpf.h"

/* Key: tid modulo the slots. Written by each failure; nothing is removed. Two threads that share a slot take it from each other, counted
 * as THREAD_ERRORS_TAKEN: then less is told of them. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, THREAD_ERROR_SLOTS);
	__type(key, __u32);
	__type(value, struct thread_errors);
} thread_errors SEC(".maps");

/* Not failures but answers: time is up, and what a file is not. */
static __always_inline bool thread_error_is_answer(__u32 nr, __u32 error)
{
	return (nr == __NR_futex && error == 110 /* ETIMEDOUT */) ||
	       (nr == __NR_ioctl && error == 25 /* ENOTTY */) ||
	       (nr == __NR_lseek && error == 29 /* ESPIPE */);
}

static __always_inline void thread_error_note(__u32 tid, __u16 nr, __u16 error)
{
	__u32 slot = tid & (THREAD_ERROR_SLOTS - 1);
	struct thread_errors *errors = bpf_map_lookup_elem(&thread_errors, &slot);

	if (!errors || thread_error_is_answer(nr, error))
		return;
	if (errors->tid != tid) {
		if (errors->tid)
			kernel_count(COUNTER_THREAD_ERRORS_TAKEN);
		errors->before = errors->count;
		errors->tid = tid;
	}
	errors->nr = nr;
	errors->error = error;
	errors->count++;
}

/* Of another thread's slot only how far it has counted. */
static __always_inline void thread_errors_read(struct thread_usage *usage, __u32 tid)
{
	__u32 slot = tid & (THREAD_ERROR_SLOTS - 1);
	const struct thread_errors *errors = bpf_map_lookup_elem(&thread_errors, &slot);

	if (!errors)
		return;
	usage->errors = errors->count;
	usage->errors_before = errors->tid == tid ? errors->before : errors->count;
	usage->error_nr = errors->nr;
	usage->error = errors->error;
}

#endif
