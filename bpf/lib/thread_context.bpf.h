/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* The context that a thread has published, read in its own system call: it cannot change meanwhile.
 * Source: OpenTelemetry enhancement proposal 4947. */
#ifndef SONDE_THREAD_CONTEXT_BPF_H
#define SONDE_THREAD_CONTEXT_BPF_H

#include "lib/compat.bpf.h"
#include "lib/goroutine.bpf.h"
#include "lib/thread_place.bpf.h"
#include "lib/turn_event.bpf.h"

#define THREAD_RECORD_HEAD 28 /* trace, span, valid, flags, length of the attributes */
#define THREAD_RECORD_VALID 1
/* Where the thread pointer leads to the vector of blocks: x86-64's second word, arm64's first. */
#ifdef __TARGET_ARCH_arm64
#define THREAD_VECTOR_AT 0
#else
#define THREAD_VECTOR_AT 8
#endif
#define DTV_UNALLOCATED (~0ull) /* glibc: TLS_DTV_UNALLOCATED */

/* Where the variable is; 0: the thread has none yet. glibc says in front of the vector how many elements it has, musl in its first
 * word. Source: glibc elf/dl-tls.c, musl ldso/dynlink.c */
static __always_inline __u64 thread_variable(const struct thread_place *place, __u64 thread_pointer)
{
	bool is_glibc = place->kind == THREAD_PLACE_GLIBC;
	__u64 vector, length, block;

	if (place->kind == THREAD_PLACE_STATIC || place->kind == THREAD_PLACE_GOROUTINE)
		return thread_pointer + (__u64)place->offset;
	if (!thread_word(thread_pointer + THREAD_VECTOR_AT, &vector) || !vector ||
	    !thread_word(is_glibc ? vector - 16 : vector, &length) || place->module > length ||
	    !thread_word(vector + (__u64)place->module * (is_glibc ? 16 : 8), &block))
		return 0;
	return block && block != DTV_UNALLOCATED ? block + (__u64)place->offset : 0;
}

static __always_inline bool thread_has_context(const struct event_thread_context *event)
{
	const __u64 *words = (const __u64 *)event->trace_id;

	return event->valid == THREAD_RECORD_VALID && (words[0] || words[1]);
}

/* Send the current thread's context, if it has one and writes, or the goroutine that it runs. Of global linkage, see
 * lib/call.bpf.h; the event is built where the payload will be. dir_role: enum turn_dir, enum conn_role << 1 */
__noinline int thread_context_emit(__u32 tgid, __u32 ring, __u64 conn_id, __u64 now, __u32 dir_role)
{
	const struct thread_place *place = bpf_map_lookup_elem(&thread_places, &tgid);
	struct turn_scratch *scratch = turn_scratch_get();
	struct event_thread_context *event;
	__u64 variable, record;

	if (!place || !scratch)
		return 0;
	variable = thread_variable(place, compat_thread_pointer(compat_task()));
	/* Who reads an answer says nothing of who works on what: net/http has a goroutine of its own for that, too. */
	if (place->kind == THREAD_PLACE_GOROUTINE)
		return dir_role == (DIR_READ | ROLE_CLIENT << 1) ?
			       0 :
			       goroutine_emit(variable, ring, conn_id, now,
					      dir_role & 1 && dir_role >> 1 != ROLE_SERVER);
	if (!(dir_role & 1) || !variable || !thread_word(variable, &record) || !record)
		return 0;
	event = (void *)scratch->call.bytes;
	if (bpf_probe_read_user(event->trace_id, THREAD_RECORD_HEAD, (const void *)record)) {
		kernel_count(COUNTER_THREAD_CONTEXT_FAULT);
		return 0;
	}
	if (!thread_has_context(event))
		return 0;
	event->header.ktime_ns = now;
	event->header.tgid = tgid;
	event->header.kind = EVENT_THREAD_CONTEXT;
	event->header.size = sizeof(*event);
	event->conn_id = conn_id;
	event->_pad = 0;
	event->tid = (__u32)bpf_get_current_pid_tgid();
	emit_copy(ring, &event->header, sizeof(*event));
	return 0;
}

#endif
