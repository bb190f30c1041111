/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* The only place that reserves ring space, submits, and counts what was delivered or lost. */
#ifndef SONDE_EMIT_BPF_H
#define SONDE_EMIT_BPF_H

#include "lib/settings.bpf.h"

struct ring {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
};

/* Key: RING_PROCESS or a connection shard + 1. Value: ring buffer, made by user space before anything is
 * attached. A hole counts as LOSS_NO_RING. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, RING_MAX);
	__type(key, __u32);
	__array(values, struct ring);
} rings SEC(".maps");

/* Key: enum event_kind. Only grows; user space adds up the CPUs. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, EVENT_KIND_COUNT);
	__type(key, __u32);
	__type(value, struct event_count);
} event_counts SEC(".maps");

/* Key: enum kernel_counter. Only grows. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, KERNEL_COUNTER_COUNT);
	__type(key, __u32);
	__type(value, __u64);
} kernel_counts SEC(".maps");

/* Per-CPU values, but softirq programs interrupt process-context ones on the same CPU: hence atomic adds. */

static __always_inline void kernel_count_more(__u32 counter, __u64 more)
{
	__u64 *count = bpf_map_lookup_elem(&kernel_counts, &counter);

	if (count)
		__sync_fetch_and_add(count, more);
}

static __always_inline void kernel_count(__u32 counter)
{
	kernel_count_more(counter, 1);
}

static __always_inline void emit_count_lost(__u32 kind, __u32 reason)
{
	struct event_count *count = bpf_map_lookup_elem(&event_counts, &kind);

	if (count && reason < LOSS_REASON_COUNT)
		__sync_fetch_and_add(&count->lost[reason], 1);
}

/* Turns are told by sys_exit alone, which does not interrupt itself: they need no atomic add. */
static __always_inline void emit_count_delivered(struct event_count *count, __u32 kind)
{
	if (kind == EVENT_TURN)
		count->delivered++;
	else
		__sync_fetch_and_add(&count->delivered, 1);
}

/* Asking a ring how full it is costs a tenth of an event: small events ask every so often. */
#define WAKE_ASK_EVERY 8 /* events of a kind on a CPU; power of two */
#define WAKE_ASK_BYTES 512

/* Nobody is woken for an event: the reader has a timer. The exception is a ring that is filling up, and then
 * only around the mark, so that a reader already at work is not interrupted for each event. */
static __always_inline __u64 emit_wake_flags(void *ring, __u32 size, __u64 delivered)
{
	__u64 filled;

	if (size < WAKE_ASK_BYTES && delivered % WAKE_ASK_EVERY)
		return BPF_RB_NO_WAKEUP;
	filled = bpf_ringbuf_query(ring, BPF_RB_AVAIL_DATA);
	if (filled + size >= settings.wake_bytes &&
	    filled < settings.wake_bytes + 4ul * WAKE_ASK_EVERY * WAKE_ASK_BYTES)
		return BPF_RB_FORCE_WAKEUP;
	return BPF_RB_NO_WAKEUP;
}

/* An event under way that is built where it will be read. */
struct emission {
	void *ring;
	struct event_count *count;
	__u32 kind;
};

/* Room for an event of a kind, `size` bytes that the compiler knows; the event may fill less of it. NULL: there is none,
 * which is not counted: emit_copy may still find some, or counts. */
static __always_inline void *emit_reserve(struct emission *emission, __u32 ring_index, __u32 kind,
					  const __u64 size)
{
	emission->kind = kind;
	emission->count = bpf_map_lookup_elem(&event_counts, &kind);
	emission->ring = bpf_map_lookup_elem(&rings, &ring_index);
	if (!emission->count || !emission->ring)
		return NULL;
	return bpf_ringbuf_reserve(emission->ring, size, 0);
}

static __always_inline void emit_submit(struct emission *emission, void *event, __u32 size)
{
	struct event_count *count = emission->count;

	bpf_ringbuf_submit(event, emit_wake_flags(emission->ring, size, count->delivered));
	emit_count_delivered(count, emission->kind);
}

static __always_inline void emit_discard(void *event)
{
	bpf_ringbuf_discard(event, BPF_RB_NO_WAKEUP);
}

/* Copy a finished event of any length into a ring. */
static __always_inline void emit_copy(__u32 ring_index, struct event_header *header, __u32 size)
{
	__u32 kind = header->kind;
	struct event_count *count = bpf_map_lookup_elem(&event_counts, &kind);
	void *ring = bpf_map_lookup_elem(&rings, &ring_index);

	if (!count)
		return; /* no such kind */
	if (!ring)
		__sync_fetch_and_add(&count->lost[LOSS_NO_RING], 1);
	else if (bpf_ringbuf_output(ring, header, size,
				    emit_wake_flags(ring, size, count->delivered)))
		__sync_fetch_and_add(&count->lost[LOSS_RING_FULL], 1);
	else
		emit_count_delivered(count, kind);
}

static __always_inline void emit_fill_header(struct event_header *header, __u32 tgid, __u16 kind,
					     __u16 size)
{
	header->ktime_ns = bpf_ktime_get_ns();
	header->tgid = tgid;
	header->kind = kind;
	header->size = size;
}

#endif
