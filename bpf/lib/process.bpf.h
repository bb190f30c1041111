/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* Exact counters per process, and whether a process is looked at. */
#ifndef SONDE_PROCESS_BPF_H
#define SONDE_PROCESS_BPF_H

#include "lib/emit.bpf.h"

/* Key: tgid. Inserted by whatever counts first, or by user space to mark a process; removed by user space after the
 * process is gone and its counts were read. Full: counts go to tgid 0, which user space inserts at start.
 * Shared and atomic instead of per CPU: 128 CPUs would cost 128 times the memory. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8192);
	__type(key, __u32);
	__type(value, struct process_state);
} process_by_tgid SEC(".maps");

static __always_inline struct process_state *process_find(__u32 tgid)
{
	return bpf_map_lookup_elem(&process_by_tgid, &tgid);
}

/* In read-only data: 176 bytes are too many for a stack of 512 that callers share. volatile, or clang copies them there. */
static const volatile struct process_state process_fresh = {};

static __always_inline int process_insert(__u32 tgid)
{
	if (bpf_map_update_elem(&process_by_tgid, &tgid, (const void *)&process_fresh,
				BPF_NOEXIST) == -7 /* E2BIG */) {
		kernel_count(COUNTER_PROCESS_TABLE_FULL);
		return -1;
	}
	return 0;
}

static __always_inline struct process_state *process_get(__u32 tgid)
{
	struct process_state *process = process_find(tgid);

	if (process)
		return process;
	if (process_insert(tgid))
		tgid = 0;
	return process_find(tgid);
}

#define process_add(tgid, field, n)                                 \
	({                                                          \
		struct process_state *_process = process_get(tgid); \
		if (_process)                                       \
			__sync_fetch_and_add(&_process->field, n);  \
	})

#define IGNORED_SLOTS 4096 /* power of two */

struct ignored_slot {
	__u32 tgid;	  /* an ignored process whose remainder this is, or 0 */
	__u32 crowded;	  /* others were ignored beside it: only the process's flags tell */
	__u32 publishers; /* processes of this remainder in thread_places */
};

/* Key: tgid modulo the slots. Says with one look-up, which costs next to nothing, that a process is ignored, or that it is
 * not, and the same of publishing. Set and cleared with the process's flags. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, IGNORED_SLOTS);
	__type(key, __u32);
	__type(value, struct ignored_slot);
} ignored_tgids SEC(".maps");

static __always_inline struct ignored_slot *ignored_slot(__u32 tgid)
{
	__u32 index = tgid & (IGNORED_SLOTS - 1);

	return bpf_map_lookup_elem(&ignored_tgids, &index);
}

/* A process ends, or one begins that may have the number of another that ended. */
static __always_inline void process_forget_ignored(__u32 tgid)
{
	struct ignored_slot *slot = ignored_slot(tgid);

	if (slot && slot->tgid == tgid)
		slot->tgid = 0;
}

static __always_inline void process_set_flags(struct process_state *process, __u32 tgid,
					      __u32 flags)
{
	struct ignored_slot *slot = ignored_slot(tgid);

	process->flags = flags;
	if (!(flags & PROCESS_IGNORED)) {
		process_forget_ignored(tgid);
	} else if (slot) {
		if (slot->tgid && slot->tgid != tgid)
			slot->crowded = 1;
		slot->tgid = tgid;
	}
}

static __always_inline bool process_is_ignored(__u32 tgid)
{
	const struct ignored_slot *slot;
	struct process_state *process;

	if (tgid == settings.agent_tgid)
		return true;
	slot = ignored_slot(tgid);
	if (!slot || slot->tgid == tgid)
		return slot;
	if (!slot->crowded)
		return false;
	process = process_find(tgid);
	return process && (process->flags & PROCESS_IGNORED);
}

#endif
