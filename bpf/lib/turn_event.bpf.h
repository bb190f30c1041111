/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* Room to build turn events with their payload, and to gather it. */
#ifndef SONDE_TURN_EVENT_BPF_H
#define SONDE_TURN_EVENT_BPF_H

#include "lib/call.bpf.h"
#include "lib/conn.bpf.h"

/* Where lib/stream.bpf.h is in the call it sends. Kept in the map: what the verifier reads from there is unknown to it,
 * so that it does not follow each length apart. */
struct stream_progress {
	__u32 at;	  /* bytes of the call that are dealt with */
	__u32 parts;	  /* events sent */
	__u32 elements;	  /* of the call's vector, loaded */
	__u32 value_left; /* bytes of a value that the next call goes on with */
	__u32 walk_at;	  /* in the captured bytes */
	__u32 walk_number;
	__u32 walk_word; /* of the line, from 0 */
	__u32 may_begin; /* a message begins with the call, if it looks like it */
	__u32 fold_at;
	__u32 fold_length; /* 0: nothing to fold */
	__u32 row_type;
	__u32 rows; /* bytes of rows not sent yet, up to `at` */
	__u32 mode; /* enum conn_mode */
	struct conn_frames frames;
};

#define TURN_EVENT_BYTES (sizeof(struct event_turn) + sizeof(struct turn_figures))

struct turn_scratch {
	struct event_turn event;
	struct turn_figures use;
	struct call_scratch call; /* directly behind the two: the payload starts here */
	struct stream_progress stream;
	struct call_use before;
	__u32 before_flag; /* TURN_HAS_BEFORE when `before` is to be told. Here, as what is in `stream` */
	__u32 is_told;		 /* an event has `use` */
	const struct sock *sock; /* for functions that take only numbers */
};

/* Only sys_exit uses it, and sys_exit cannot interrupt itself on a CPU. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct turn_scratch);
} turn_scratch SEC(".maps");

static __always_inline struct turn_scratch *turn_scratch_get(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&turn_scratch, &zero);
}

/* Copy the scratch's event, whose payload is complete, into a ring. */
static __always_inline void turn_emit_event(struct turn_scratch *scratch, __u32 ring)
{
	struct event_turn *event = &scratch->event;
	__u32 bytes = event->captured;

	if (event->turn_flags & TURN_HAS_BEFORE) {
		bytes = (bytes + 7) & ~7u;
		barrier_var(bytes);
		if (bytes > PREFIX_MAX)
			return;
		*(struct call_use *)(scratch->call.bytes + bytes) = scratch->before;
		bytes += sizeof(struct call_use);
	}
	barrier_var(bytes);
	if (bytes > PREFIX_MAX + sizeof(struct call_use))
		return;
	event->header.size = (__u16)(TURN_EVENT_BYTES + bytes);
	emit_copy(ring, &event->header, TURN_EVENT_BYTES + bytes);
}

static __always_inline struct call_scratch *call_scratch_get(void)
{
	struct turn_scratch *scratch = turn_scratch_get();

	return scratch ? &scratch->call : NULL;
}

/* Make the entry of a socket from within a system call: the value is built in the scratch, as 5.10 allows 512 bytes of stack in
 * all. Of global linkage, see lib/call.bpf.h. Returns 0 or -1 (table full, counted). */
__noinline int scratch_insert_conn(__u32 tgid, __u32 role_flags_state)
{
	struct turn_scratch *scratch = turn_scratch_get();
	struct conn_state *conn;

	if (!scratch)
		return -1;
	conn = (void *)scratch->call.bytes;
	__builtin_memset(conn, 0, sizeof(*conn));
	return conn_insert_by(conn, scratch->sock, tgid, role_flags_state);
}

static __always_inline int scratch_open_conn(const struct sock *sk, __u32 tgid, __u8 role,
					     __u8 flags, __u8 tcp_state)
{
	struct turn_scratch *scratch = turn_scratch_get();

	if (!scratch)
		return -1;
	scratch->sock = sk;
	return scratch_insert_conn(tgid, role | (__u32)flags << 8 | (__u32)tcp_state << 16);
}

#endif
