/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* What each thread that handles requests was blocked on, between the hook that counts it and the calls that tell it. */
#ifndef SONDE_THREAD_WAITS_BPF_H
#define SONDE_THREAD_WAITS_BPF_H

#include "lib/emit.bpf.h"

#define WAIT_UNIT_SHIFT 10 /* event_abi.h: units of 1024 ns */

/* Key: tid modulo the slots. A thread takes its slot when a call of it moves bytes of a connection; nothing is removed. Of two threads
 * that share one nothing is told of the one that comes while the other is there, nor of the other once it has lost the slot: both are
 * counted as THREAD_WAITS_TAKEN. One entry where nobody asks for it. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, THREAD_WAIT_SLOTS);
	__type(key, __u32);
	__type(value, struct thread_waits);
} thread_waits SEC(".maps");

static __always_inline struct thread_waits *thread_waits_slot(__u32 tid)
{
	__u32 slot = tid & (THREAD_WAIT_SLOTS - 1);

	return bpf_map_lookup_elem(&thread_waits, &slot);
}

/* Add a wait that is over. run_queue_ns: sched_info.run_delay, in which the time from there to a CPU is known by now. */
static __always_inline void thread_waits_settle(struct thread_waits *waits, __u64 run_queue_ns)
{
	__u64 took_ns = waits->in_ns - waits->out_ns;
	__u64 queued_ns = run_queue_ns - waits->run_queue_ns;

	if (!waits->in_ns)
		return;
	if (queued_ns < took_ns)
		waits->waited_ns[waits->kind & (WAIT_COUNT - 1)] += took_ns - queued_ns;
	waits->in_ns = 0;
	waits->out_ns = 0;
}

/* Whether the slot is the current thread's, or is so from now on. */
static __always_inline bool thread_waits_take(struct thread_waits *waits, __u32 tid, __u32 ticks)
{
	__u64 unused_us = (__u64)(ticks - waits->called_ticks) * settings.tick_us;

	if (waits->tid == tid)
		return true;
	if (waits->tid) {
		kernel_count(COUNTER_THREAD_WAITS_TAKEN);
		if (unused_us < THREAD_WAIT_KEPT_US)
			return false;
	}
	waits->tid = tid;
	waits->out_ns = 0;
	waits->in_ns = 0;
	waits->owner++;
	return true;
}

/* Of the current thread. */
static __always_inline void thread_waits_read(struct thread_usage *usage, __u32 tid)
{
	struct thread_waits *waits = thread_waits_slot(tid);
	__u32 ticks = (__u32)bpf_jiffies64();

	usage->waits_owner = 0;
	if (!waits || !thread_waits_take(waits, tid, ticks))
		return;
	waits->called_ticks = ticks;
	thread_waits_settle(waits, usage->run_queue_ns);
	usage->waits_owner = waits->owner;
	for (__u32 i = 0; i < WAIT_COUNT; i++)
		usage->waited[i] = (__u32)(waits->waited_ns[i] >> WAIT_UNIT_SHIFT);
}

#endif
