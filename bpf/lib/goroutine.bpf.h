/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* The goroutine that a thread of a Go program runs, read in its own system call, and who waits for what it does.
 * Source: Go's src/runtime/runtime2.go and chan.go, the same in 1.21, 1.22, 1.24 and 1.26 but where it is said. */
#ifndef SONDE_GOROUTINE_BPF_H
#define SONDE_GOROUTINE_BPF_H

#include "lib/compat.bpf.h"
#include "lib/thread_place.bpf.h"
#include "lib/turn_event.bpf.h"

/* Go's heap is in one piece, but for those of more than half a terabyte. */
#define GO_HEAP_BYTES (1ull << 39)

#define GO_CALLS_MAX 32 /* between a goroutine's first function and the system call */
#define GO_WRAPPER_BYTES 32
#define GO_FRAME_LINK_BYTES 16 /* the caller's frame pointer, and the address to return to */
#define GO_FRAME_WORDS 64      /* of the first function's frame, from its lower end */

struct go_goroutine {
	__u64 stack[2]; /* lowest and highest address */
	__u64 _other[4];
	__u64 machine; /* the thread that runs it */
};

struct go_channel {
	__u64 filled;
	__u64 room;
	__u64 buffer;
	__u16 element_bytes;
};
#define GO_CHANNEL_RECEIVER 64 /* the first one since 1.23, the last one before */

struct go_waiter {
	__u64 goroutine;
	__u64 next;
	__u64 previous;
	__u64 _other[7];
	__u64 channel[2]; /* the first up to 1.24, the second since */
};

static __always_inline bool go_is_on_heap(__u64 at, __u64 goroutine)
{
	return at - goroutine + GO_HEAP_BYTES < 2 * GO_HEAP_BYTES && at && !(at & 7);
}

/* No two in 32 GiB have the same. */
static __always_inline __u32 goroutine_number(__u64 at)
{
	return GOROUTINE_BIT | (__u32)(at >> 4);
}

static __always_inline __u64 go_word(__u64 at)
{
	__u64 word;

	return bpf_probe_read_user(&word, sizeof(word), (const void *)at) ? 0 : word;
}

/* In the scratch's bytes: 5.10 allows 512 bytes of stack in all; and what the verifier reads from there is unknown to it, so that it
 * does not follow each turn of a loop apart. */
struct goroutine_scratch {
	struct event_goroutine event;
	__u64 at;
	struct go_goroutine goroutine;
	struct go_channel channel;
	struct go_waiter waiter;
	__u32 words;  /* of the frame */
	__u32 same;   /* that name awaited_by */
	__u32 others; /* that name somebody else */
	__u64 frame[GO_FRAME_WORDS];
};
_Static_assert(sizeof(struct goroutine_scratch) <= PREFIX_MAX, "it fits into the call's bytes");

static __always_inline struct goroutine_scratch *goroutine_scratch_get(void)
{
	struct turn_scratch *scratch = turn_scratch_get();

	return scratch ? (void *)scratch->call.bytes : NULL;
}

/* Not the goroutine that a thread has for the runtime's own work, and for C: a thread's first member is that one. */
static __always_inline bool goroutine_read(struct goroutine_scratch *scratch, __u64 variable)
{
	struct go_goroutine *goroutine = &scratch->goroutine;
	__u64 of_thread;

	if (!thread_word(variable, &scratch->at) || !scratch->at ||
	    bpf_probe_read_user(goroutine, sizeof(*goroutine), (const void *)scratch->at))
		return false;
	of_thread = go_word(goroutine->machine);
	return of_thread && of_thread != scratch->at;
}

/* Read the frame of the function that the goroutine was started with. The frame pointers lead there: its caller has none. A method is
 * called through a wrapper, whose frame holds next to nothing. */
static __always_inline bool goroutine_read_frame(struct goroutine_scratch *scratch, __u64 at)
{
	__u64 first = 0, second = 0, third = 0; /* from the stack's beginning */
	__u64 bytes;

	for (__u32 i = 0; i < GO_CALLS_MAX && at; i++) {
		if (at < scratch->goroutine.stack[0] || at >= scratch->goroutine.stack[1] ||
		    at <= first)
			return false;
		third = second;
		second = first;
		first = at;
		at = go_word(at);
	}
	if (at || !third)
		return false;
	if (first - second <= GO_WRAPPER_BYTES) {
		first = second;
		second = third;
	}
	if (first - second <= GO_FRAME_LINK_BYTES)
		return false;
	bytes = first - second - GO_FRAME_LINK_BYTES;
	barrier_var(bytes);
	if (bytes > sizeof(scratch->frame))
		bytes = sizeof(scratch->frame);
	scratch->words = (__u32)(bytes / sizeof(scratch->frame[0]));
	return !bpf_probe_read_user(scratch->frame, bytes,
				    (const void *)(second + GO_FRAME_LINK_BYTES));
}

/* If a word of the frame is a channel for one result, of an interface (`make(chan error, 1)`), note who waits for that to come. Of
 * global linkage, see lib/call.bpf.h. */
__noinline int goroutine_note_receiver(__u32 index)
{
	struct goroutine_scratch *scratch = goroutine_scratch_get();
	struct go_channel *channel;
	struct go_waiter *waiter;
	__u64 at, waiter_at;

	if (!scratch || index >= GO_FRAME_WORDS)
		return 0;
	channel = &scratch->channel;
	waiter = &scratch->waiter;
	at = scratch->frame[index];
	if (bpf_probe_read_user(channel, sizeof(*channel), (const void *)at) ||
	    channel->room != 1 || channel->filled || channel->element_bytes != 16)
		return 0;
	waiter_at = go_word(at + GO_CHANNEL_RECEIVER);
	if (!go_is_on_heap(waiter_at, scratch->at) ||
	    bpf_probe_read_user(waiter, sizeof(*waiter), (const void *)waiter_at) || waiter->next ||
	    waiter->previous || (waiter->channel[0] != at && waiter->channel[1] != at))
		return 0;
	if (!scratch->same)
		scratch->event.awaited_by = goroutine_number(waiter->goroutine);
	if (scratch->event.awaited_by == goroutine_number(waiter->goroutine))
		scratch->same++;
	else
		scratch->others++;
	return 0;
}

/* Who waits for the result of what the goroutine was handed: what came through a channel is in its first function's frame twice, as
 * it was received and as the variable. A single word may be what is left of what came before. */
static __always_inline void goroutine_find_receiver(struct goroutine_scratch *scratch)
{
	if (!goroutine_read_frame(scratch, compat_frame_pointer(compat_task())))
		return;
	scratch->same = scratch->others = 0;
	for (__u32 i = 0; i < GO_FRAME_WORDS && i < scratch->words; i++)
		if (go_is_on_heap(scratch->frame[i], scratch->at))
			goroutine_note_receiver(i);
	if (scratch->same < 2 || scratch->others)
		scratch->event.awaited_by = 0;
}

/* Send which goroutine moves bytes, and, where it asks somebody else for something, who waits for it. Of global linkage, see
 * lib/call.bpf.h; the event is built where the payload will be. */
__noinline int goroutine_emit(__u64 variable, __u32 ring, __u64 conn_id, __u64 now, __u32 asks)
{
	struct goroutine_scratch *scratch = goroutine_scratch_get();
	__u64 id = bpf_get_current_pid_tgid();

	if (!scratch || !goroutine_read(scratch, variable))
		return 0;
	scratch->event = (struct event_goroutine){ .header = { .ktime_ns = now,
							       .tgid = (__u32)(id >> 32),
							       .kind = EVENT_GOROUTINE,
							       .size = sizeof(scratch->event) },
						   .conn_id = conn_id,
						   .tid = (__u32)id,
						   .goroutine = goroutine_number(scratch->at) };
	if (asks)
		goroutine_find_receiver(scratch);
	emit_copy(ring, &scratch->event.header, sizeof(scratch->event));
	return 0;
}

#endif
