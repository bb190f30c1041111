/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* Every way an event can be lost between the hook that produced it and the code that understands it.
 * X(number, NAME, label, what happened): the label is the value of `reason` in
 * sonde_events_lost_total. Numbers are append-only. */
#ifndef SONDE_LOSS_REASON_H
#define SONDE_LOSS_REASON_H

#define LOSS_REASONS(X)                                                                  \
	X(0, RING_FULL, "ring_full", "kernel: no room in the ring buffer")               \
	X(1, NO_RING, "no_ring", "kernel: the shard has no ring buffer")                 \
	X(2, RATE_LIMITED, "rate_limited", "kernel: held back by the per-process limit") \
	X(3, MALFORMED, "malformed", "user: size or field out of bounds")                \
	X(4, UNKNOWN_KIND, "unknown_kind", "user: a kind this version does not know")    \
	X(5, NO_MEMORY, "no_memory", "user: allocation failed or a table was full")

enum loss_reason {
#define X(number, NAME, label, text) LOSS_##NAME = number,
	LOSS_REASONS(X)
#undef X
		LOSS_REASON_COUNT = 6, /* one more than the highest number */
};

#endif
