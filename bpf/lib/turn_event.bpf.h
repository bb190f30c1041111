/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* Room to build a turn event with its payload, and the way it is sent. */
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
};

struct turn_scratch {
	struct event_turn event;
	struct call_scratch call; /* directly behind the event: the payload starts here */
	struct stream_progress stream;
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

static __always_inline struct call_scratch *call_scratch_get(void)
{
	struct turn_scratch *scratch = turn_scratch_get();

	return scratch ? &scratch->call : NULL;
}

/* What all events of a call have in common. */
static __always_inline void turn_fill(struct event_turn *event, const struct conn_state *conn,
				      const struct sock *sk, __u64 id, __u32 turn_no)
{
	conn_fill_ref(&event->conn, conn, sk);
	event->conn.turn_no = turn_no;
	event->tid = (__u32)id;
	event->_pad = 0;
	event->header.tgid = (__u32)(id >> 32);
	event->header.kind = EVENT_TURN;
}

static __always_inline void turn_send(struct turn_scratch *scratch, __u32 ring, __u32 captured)
{
	struct event_turn *event = &scratch->event;
	__u32 size = sizeof(*event) + captured;

	event->captured = (__u16)captured;
	event->header.size = (__u16)size;
	barrier_var(size);
	if (size > sizeof(*event) + PREFIX_MAX)
		return;
	emit_copy(ring, &event->header, size);
}

static __always_inline void turn_emit(struct turn_scratch *scratch, const struct conn_state *conn,
				      const struct sock *sk, __u64 id, __u32 turn_no,
				      __u32 captured)
{
	turn_fill(&scratch->event, conn, sk, id, turn_no);
	turn_send(scratch, conn->ring, captured);
}

#endif
