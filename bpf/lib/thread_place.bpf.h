/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* Which processes publish their threads' contexts, and where. */
#ifndef SONDE_THREAD_PLACE_BPF_H
#define SONDE_THREAD_PLACE_BPF_H

#include "lib/process.bpf.h"

/* Key: tgid. Inserted by user space, which has looked for the variable; removed by it, by exec and by exit. Full: user space is
 * told, and counts. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, __u32);
	__type(value, struct thread_place);
} thread_places SEC(".maps");

/* Whether it is worth a look: the slot is that of several processes. */
static __always_inline bool thread_place_may_be(__u32 tgid)
{
	const struct ignored_slot *slot = ignored_slot(tgid);

	return slot && slot->publishers;
}

static __always_inline void thread_place_remove(__u32 tgid)
{
	struct ignored_slot *slot = ignored_slot(tgid);

	if (slot && slot->publishers && !bpf_map_delete_elem(&thread_places, &tgid))
		__sync_fetch_and_add(&slot->publishers, -1);
}

/* module_kind: of the ABI's CONTROL_THREAD_PLACE. Returns 0 or -1: no room. */
static __always_inline int thread_place_set(__u32 tgid, __s64 offset, __u64 module_kind)
{
	struct thread_place place = { .offset = offset,
				      .module = (__u32)(module_kind >> 32),
				      .kind = (__u32)module_kind };
	struct ignored_slot *slot = ignored_slot(tgid);

	if (!slot)
		return -1;
	if (!place.kind) {
		thread_place_remove(tgid);
		return 0;
	}
	if (!bpf_map_update_elem(&thread_places, &tgid, &place, BPF_NOEXIST)) {
		__sync_fetch_and_add(&slot->publishers, 1);
		return 0;
	}
	return bpf_map_update_elem(&thread_places, &tgid, &place, BPF_EXIST) ? -1 : 0;
}

/* What is there is the process's own: a fault is counted. */
static __always_inline bool thread_word(__u64 at, __u64 *ret_word)
{
	if (!bpf_probe_read_user(ret_word, sizeof(*ret_word), (const void *)at))
		return true;
	kernel_count(COUNTER_THREAD_CONTEXT_FAULT);
	return false;
}

#endif
