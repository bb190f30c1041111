/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* Calls on a connection become turns: one event when the direction changes, with the first bytes; further calls only
 * move the figures in the connection's entry. In MODE_STREAM every call is sent. */
#ifndef SONDE_TURN_BPF_H
#define SONDE_TURN_BPF_H

#include "lib/conn.bpf.h"
#include "lib/fd.bpf.h"
#include "lib/stream.bpf.h"
#include "lib/turn_event.bpf.h"

#define CRLFCRLF 0x0a0d0a0du
#define HTTP_WORD 0x50545448u /* "HTTP" as a little-endian word */

/* Seen from a write that has moved its bytes into the socket but not returned: the other side may answer, and another
 * thread read that answer, before we see the write. write_seq knows. */
static __always_inline __u32 turn_pending_write(const struct conn_state *conn,
						const struct sock *sk, const bool is_direct)
{
	__u32 pending = sock_write_seq(sk, is_direct) - conn->write_seq;

	return pending < (1u << 30) ? pending :
				      0; /* beyond: bytes we count but write_seq had already */
}

static __always_inline void turn_count_exchange(const struct conn_state *conn, __u8 dir, __u32 tgid)
{
	__u32 role = conn->role;

	if (role == ROLE_CLIENT ? dir != DIR_READ :
	    role == ROLE_SERVER ? dir != DIR_WRITE :
				  conn->turn_no & 1)
		return;
	barrier_var(role);
	if (role < ROLE_COUNT)
		process_add(tgid, exchanges[role], 1);
}

/* Begin the turn that this call opens. */
static __always_inline void turn_begin(struct conn_state *conn, __u8 dir, __u64 now)
{
	conn->turn.start_ns = now;
	conn->turn.tail = 0;
	conn->turn.calls = 0;
	conn->turn.dir = dir;
	conn->turn.last_ns = now;
	conn->turn.bytes = 0;
	conn->captured = 0;
}

/* How many bytes of this call to copy: what is missing of the turn's prefix. */
static __always_inline __u32 turn_want(const struct conn_state *conn, const struct call *call)
{
	__u32 room;

	if (conn->captured >= settings.prefix_bytes)
		return 0;
	room = settings.prefix_bytes - conn->captured;
	return call->bytes < room ? (__u32)call->bytes : room;
}

/* Whether a write is the one that was overtaken. It is not when its bytes come on top of all that is explained already:
 * then the return of the overtaken one was never seen (a run that the kernel skipped), and nobody waits for it any more. */
static __always_inline bool turn_is_late(const struct conn_state *conn, const struct sock *sk,
					 const struct call *call, const bool is_direct)
{
	return turn_pending_write(conn, sk, is_direct) < (__u32)call->bytes;
}

/* Send the call as a part of a stream. */
static __always_inline void turn_stream(struct turn_scratch *scratch, struct conn_state *conn,
					const struct sock *sk, const struct call *call, __u64 id,
					__u32 turn_no, __u32 value_left)
{
	struct event_turn *event = &scratch->event;

	turn_fill(event, conn, sk, id, turn_no);
	event->offset += value_left;
	event->call_bytes = 0; /* of the parts sent */
	scratch->call.call = *call;
	value_left = stream_send(scratch, conn->ring, value_left);
	if (!(event->turn_flags & TURN_LATE))
		conn->value_left = value_left;
}

/* A write that returned after the read that followed it. */
static __always_inline void turn_late(struct turn_scratch *scratch, struct conn_state *conn,
				      const struct sock *sk, const struct call *call, __u64 id,
				      __u64 now)
{
	struct event_turn *event = &scratch->event;
	__u32 captured, bytes = (__u32)call->bytes;
	__u64 tail = 0; /* nobody asks */

	if (bytes > conn->late_bytes) /* it moved more after the last read that saw it under way */
		conn->write_seq += bytes - conn->late_bytes;
	conn->late_bytes -= bytes < conn->late_bytes ? bytes : conn->late_bytes;
	if (conn->mode == MODE_LENGTHS)
		return;
	event->header.ktime_ns = now;
	__builtin_memset(&event->prev, 0, sizeof(event->prev));
	event->turn = (struct turn_summary){
		.bytes = call->bytes, .start_ns = now, .last_ns = now, .calls = 1, .dir = DIR_WRITE
	};
	event->offset = 0;
	event->turn_flags = TURN_LATE;
	if (conn->mode == MODE_STREAM) {
		turn_stream(scratch, conn, sk, call, id, conn->late_turn_no, 0);
		return;
	}
	captured =
		call_capture(&scratch->call, call,
			     bytes < settings.prefix_bytes ? bytes : settings.prefix_bytes, &tail);
	event->call_bytes = call->bytes;
	event->turn_flags = (__u16)(TURN_LATE | (captured ? 0 : TURN_NO_BYTES));
	turn_emit(scratch, conn, sk, id, conn->late_turn_no, captured);
}

/* A header that ends with this call is all that parsing needs of the turn. */
static __always_inline bool turn_header_ends(const struct turn_scratch *scratch, __u32 captured)
{
	__u32 at = captured - 4;

	if (captured < 4)
		return false;
	barrier_var(at);
	at &= PREFIX_MAX - 1;
	if (*(__u32 *)&scratch->call.bytes[at] != CRLFCRLF)
		return false;
	/* The header of an interim answer (HTTP/1.1 103 …): the final one follows in the same turn. */
	return *(__u32 *)scratch->call.bytes != HTTP_WORD || scratch->call.bytes[9] != '1';
}

/* A read that overtook a write: that write's bytes count as explained, and when no call of it was seen yet it gets the
 * turn before this one. Returns turn flags. */
static __always_inline __u32 turn_notice_overtaken(struct conn_state *conn, __u32 pending)
{
	bool is_known = conn->late_bytes; /* a long write moves its bytes bit by bit */

	conn->write_seq += pending;
	conn->late_bytes += pending;
	if (is_known)
		return 0;
	if (conn->turn_no && conn->turn.dir == DIR_WRITE) {
		conn->late_turn_no = conn->turn_no;
		return 0;
	}
	conn->late_turn_no = ++conn->turn_no;
	return TURN_AWAITS_WRITE;
}

/* The direction changes: keep the finished turn's figures for the event, begin anew. */
static __always_inline void turn_change(struct turn_scratch *scratch, struct conn_state *conn,
					__u8 dir, __u32 flags, __u32 tgid, __u64 now)
{
	bool is_two = flags & TURN_AWAITS_WRITE && conn->role == ROLE_SERVER;

	scratch->event.prev = conn->turn;
	conn->turn_no++;
	if (conn->turn_no > 1) /* an overtaken answer was an exchange too */
		turn_count_exchange(conn, is_two ? DIR_WRITE : dir, tgid);
	turn_begin(conn, dir, now);
}

/* Bring the turn's figures up to date with a call. last_ns before bytes: user space reads them the other way round. */
static __always_inline void turn_add(struct conn_state *conn, const struct call *call, __u64 now)
{
	conn->turn.calls++;
	conn->turn.last_ns = now;
	barrier();
	conn->turn.bytes += call->bytes;
}

/* Copy what is wanted of the call's bytes and note the direction's tail. Returns how many were copied. */
static __always_inline __u32 turn_capture(struct turn_scratch *scratch, struct conn_state *conn,
					  const struct call *call, __u32 want)
{
	__u32 captured = call_capture(&scratch->call, call, want, &conn->turn.tail);

	conn->captured += captured;
	/* Bytes after a hole are of no use, and neither are bytes after the header. */
	if (captured < call->bytes || turn_header_ends(scratch, captured))
		conn->captured = settings.prefix_bytes;
	if (want && !captured && (call->kind & SHAPE_MASK) < SHAPE_NO_BUFFER)
		kernel_count(COUNTER_PAYLOAD_FAULT);
	return captured;
}

/* What PostgreSQL's start-up packets have for a version, as they are in memory: 3.0, and the codes that ask for encryption. */
#define PG_VERSION_3 0x00000300
#define PG_ASK_SSL 0x2f16d204
#define PG_ASK_GSS 0x3016d204

static __always_inline bool turn_begins_postgresql(const struct turn_scratch *scratch)
{
	__u32 code = *(__u32 *)&scratch->call.bytes[4];

	return !scratch->call.bytes[0] && !scratch->call.bytes[1] &&
	       (code == PG_VERSION_3 || code == PG_ASK_SSL || code == PG_ASK_GSS);
}

/* Go ahead of user space where its word would come too late: Redis and memcached have pipelines longer than anybody else's, in
 * their first turn too, and a PostgreSQL client has its first answer before user space has read the start-up packet.
 * Global linkage: see lib/call.bpf.h. */
__noinline int turn_first_bytes_stream(__u32 captured)
{
	const struct turn_scratch *scratch = turn_scratch_get();

	if (!scratch || !captured)
		return 0;
	return scratch->call.bytes[0] == '*' || memcached_begins(scratch, captured) ||
	       (captured >= 8 && turn_begins_postgresql(scratch));
}

static __always_inline bool turn_begins_stream(const struct conn_state *conn, __u32 captured)
{
	return conn->mode == MODE_SNIFF && conn->turn.calls == 1 &&
	       turn_first_bytes_stream(captured);
}

static __always_inline void turn_move_stream(struct turn_scratch *scratch, struct conn_state *conn,
					     const struct sock *sk, const struct call *call,
					     __u64 id)
{
	__u32 value_left = 0;

	conn->turn.tail = 0;
	scratch->event.turn = conn->turn;
	if (scratch->event.turn_flags == TURN_CONTINUED)
		value_left = conn->value_left;
	if (value_left > call->bytes)
		conn->value_left -= (__u32)call->bytes;
	else
		turn_stream(scratch, conn, sk, call, id, conn->turn_no, value_left);
}

/* The call is counted in its turn: send what is wanted of it. */
static __always_inline void turn_show(struct turn_scratch *scratch, struct conn_state *conn,
				      const struct sock *sk, const struct call *call, __u64 id,
				      __u32 flags)
{
	__u32 want, captured = 0;

	if (conn->mode != MODE_STREAM) {
		want = turn_want(conn, call);
		captured = turn_capture(scratch, conn, call, want);
		if (!want || (!captured && flags == TURN_CONTINUED))
			return;
		if (turn_begins_stream(conn, captured))
			conn->mode = MODE_STREAM;
		else if (!captured)
			flags |= TURN_NO_BYTES;
	}
	scratch->event.turn_flags = (__u16)flags;
	if (conn->mode == MODE_STREAM) {
		turn_move_stream(scratch, conn, sk, call, id);
		return;
	}
	scratch->event.turn = conn->turn;
	scratch->event.call_bytes = call->bytes;
	turn_emit(scratch, conn, sk, id, conn->turn_no, captured);
}

static __always_inline void turn_move(struct conn_state *conn, struct sock *sk,
				      const struct call *call, __u8 dir, __u64 id,
				      const bool is_direct)
{
	__u32 flags = 0, pending;
	struct turn_scratch *scratch = turn_scratch_get();
	__u64 now = bpf_ktime_get_ns();

	if (!scratch)
		return;
	if (dir == DIR_WRITE) {
		if (conn->late_bytes && conn->turn.dir == DIR_READ) {
			if (turn_is_late(conn, sk, call, is_direct)) {
				turn_late(scratch, conn, sk, call, id, now);
				return;
			}
			conn->late_bytes = 0;
		}
		conn->write_seq += (__u32)call->bytes;
	} else {
		pending = turn_pending_write(conn, sk, is_direct);
		if (pending)
			flags = turn_notice_overtaken(conn, pending);
	}
	if (flags || !conn->turn_no || conn->turn.dir != dir) {
		turn_change(scratch, conn, dir, flags, (__u32)(id >> 32), now);
	} else {
		__builtin_memset(&scratch->event.prev, 0, sizeof(scratch->event.prev));
		flags = TURN_CONTINUED;
	}
	scratch->event.header.ktime_ns = now;
	scratch->event.offset = (__u32)conn->turn.bytes;
	turn_add(conn, call, now);
	if (conn->mode != MODE_LENGTHS)
		turn_show(scratch, conn, sk, call, id, flags);
}

static __always_inline void conn_sample(struct conn_state *conn, const struct sock *sk, __u32 tgid)
{
	struct event_tcp_sample event = {};

	conn->sampled_ns = conn->turn.last_ns;
	conn_read_stats(&event.stats, sk);
	conn_account(conn, &event.stats);
	emit_fill_header(&event.header, tgid, EVENT_TCP_SAMPLE, sizeof(event));
	conn_fill_ref(&event.conn, conn, sk);
	emit_copy(conn->ring, &event.header, sizeof(event));
}

/* The entry of a socket; made now when the connection is older than sonde. NULL: not TCP, or the table is full. */
static __always_inline struct conn_state *conn_find_or_adopt(const struct sock *sk, __u32 tgid,
							     __u8 dir, __u64 bytes)
{
	struct conn_state *conn = conn_find(sk);

	if (conn || !sock_is_tcp(sk) ||
	    conn_open(sk, tgid, ROLE_UNKNOWN, CONN_PREEXISTING,
		      BPF_CORE_READ(sk, __sk_common.skc_state)))
		return conn;
	conn = conn_find(sk);
	if (conn && dir == DIR_WRITE)
		conn->write_seq -= (__u32)bytes; /* this call's bytes are in it already */
	return conn;
}

static __always_inline int on_transfer(struct call *call, __u64 id, const bool is_direct)
{
	__u8 dir = call->kind & CALL_IS_WRITE ? DIR_WRITE : DIR_READ;
	__u32 tgid = (__u32)(id >> 32);
	struct sock *sk = fd_sock((__u32)call->args[0], is_direct);
	struct conn_state *conn;

	if (!sk && (call->kind & SHAPE_MASK) == SHAPE_SPLICE) {
		sk = fd_sock((__u32)call->args[2], is_direct);
		dir = DIR_WRITE;
	}
	if (!sk || call_is_peek(call))
		return 0;
	if ((call->kind & SHAPE_MASK) == SHAPE_MESSAGES)
		call->bytes = call_sum_messages(call);
	conn = conn_find_or_adopt(sk, tgid, dir, call->bytes);
	if (!conn || !call->bytes)
		return 0;
	conn->tgid = tgid;
	turn_move(conn, sk, call, dir, id, is_direct);
	if (conn->turn.last_ns - conn->sampled_ns >= settings.sample_interval_ns)
		conn_sample(conn, sk, tgid);
	return 0;
}

#endif
