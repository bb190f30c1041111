/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* What the walks of bpf/walk.bpf.c write to the agent that reads them: never kept, never sent on, so without a version. */
#ifndef SONDE_WALK_ABI_H
#define SONDE_WALK_ABI_H

/* vmlinux.h has the same types; the two headers cannot be included together. */
#ifndef __VMLINUX_H__
#include <linux/types.h>
#endif

/* Bits of walked_thread.flags. */
enum walked_flags {
	WALKED_FIRST = 1 << 0,	    /* the thread that its process began with */
	WALKED_WAITS = 1 << 1,	    /* it could run, but is on no CPU */
	WALKED_ENDED_KEPT = 1 << 2, /* this kernel fills ended_delay_ns */
};

/* A thread that is there; kernel threads are left out. */
struct walked_thread {
	__u64 run_delay_ns; /* it has waited for a CPU; 0: it is ending, and its process keeps that */
	__u64 ended_delay_ns; /* the same of its process's threads that have ended; WALKED_FIRST only */
	__u64 start_ns;	      /* CLOCK_BOOTTIME, of its process */
	__u64 cgroup_id;      /* of version 2; 0: the root */
	__u32 tgid;
	__u32 flags; /* enum walked_flags */
};
_Static_assert(sizeof(struct walked_thread) == 40, "walked_thread is shared");

/* Bits of walked_queues.flags. */
enum walked_queue_flags {
	WALKED_RECEIVED_FULL = 1 << 0, /* the window that the peer may fill is used up */
	WALKED_SENT_FULL = 1 << 1,     /* poll() would wait for room */
};

/* A connection in whose socket bytes wait. */
struct walked_queues {
	__u32 tgid;
	__u32 flags;	      /* enum walked_queue_flags */
	__u32 received_bytes; /* not read yet */
	__u32 sent_bytes;     /* not confirmed by the peer yet */
};
_Static_assert(sizeof(struct walked_queues) == 16, "walked_queues is shared");

#endif
