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

static __always_inline bool process_is_ignored(__u32 tgid)
{
	struct process_state *process;

	if (tgid == settings.agent_tgid)
		return true;
	if (!settings.has_selection)
		return false;
	process = process_find(tgid);
	return process && (process->flags & PROCESS_IGNORED);
}

#endif
