/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* Calls on a connection become turns: one event when the direction changes, with the first bytes; further calls only
 * move the figures in the connection's entry. In MODE_STREAM every call is sent. */
#ifndef SONDE_TURN_BPF_H
#define SONDE_TURN_BPF_H

#include "lib/call.bpf.h"
#include "lib/conn.bpf.h"
#include "lib/datagram.bpf.h"
#include "lib/fd.bpf.h"
#include "lib/stream.bpf.h"
#include "lib/tcp_use.bpf.h"
#include "lib/thread_context.bpf.h"
#include "lib/turn_event.bpf.h"
#include "lib/unix_call.bpf.h"
#include "lib/usage.bpf.h"

#define CRLFCRLF 0x0a0d0a0du
#define HTTP_WORD 0x50545448u	  /* "HTTP" as a little-endian word */
#define HTTP_101_WORD 0x31303120u /* " 101", what follows "HTTP/1.1" */

/* Seen from a write that has moved its bytes into the socket but not returned: the other side may answer, and another
 * thread read that answer, before we see the write. write_seq knows. */
static __always_inline __u32 turn_pending_write(const struct conn_state *conn,
						const struct sock *sk, const bool is_direct)
{
	__u32 pending = sock_write_seq(sk, is_direct) - conn->write_seq;

	return pending < (1u << 30) ? pending :
				      0; /* beyond: bytes we count but write_seq had already */
}

/* Exchanges of a connection that its owner's table entry, made now if need be, counts at once. Later ones are kept in the
 * connection: a look-up is a sixth of an event. */
#define EXCHANGES_AT_ONCE 1

__noinline int process_count_exchanges(__u32 tgid, __u32 role, __u64 count)
{
	if (role < ROLE_COUNT)
		process_add(tgid, exchanges[role], count);
	return 0;
}

/* Another process goes on with the connection. */
static __always_inline void turn_change_owner(struct conn_state *conn, __u32 tgid)
{
	__u64 exchanges = conn->exchanges;

	if (exchanges) {
		process_count_exchanges(conn->tgid, conn->role, exchanges);
		__sync_fetch_and_add(&conn->exchanges, -exchanges);
	}
	process_count_exchanges(tgid, conn->role, 0);
	conn->tgid = tgid;
}

static __always_inline void turn_count_exchange(struct conn_state *conn, __u8 dir, __u32 tgid)
{
	__u32 role = conn->role;

	_Static_assert(ROLE_CLIENT == DIR_READ + 1 && ROLE_SERVER == DIR_WRITE + 1,
		       "a client reads what ends an exchange, a server writes it");
	if (role ? role != dir + 1u : conn->turn_no & 1)
		return;
	if (conn->turn_no <= 2 * EXCHANGES_AT_ONCE + 1)
		process_count_exchanges(tgid, role, 1);
	else
		__sync_fetch_and_add(&conn->exchanges, 1);
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

/* What is known of a call that moves bytes of a connection. */
struct turn_move {
	struct conn_state *conn;
	const struct sock *sk;
	const struct call *call;
	struct turn_scratch *scratch;
	__u64 id; /* tgid and tid */
	__u64 now;
	__u32 want;	/* bytes to copy */
	__u32 flags;	/* enum turn_flags */
	__u32 turn_no;	/* what the event says */
	__u32 position; /* the same */
	__u8 dir;
};

/* All but the figures of the turns. */
static __always_inline void turn_fill(struct event_turn *event, const struct turn_move *move,
				      __u32 captured)
{
	event->header.ktime_ns = move->now;
	event->header.tgid = (__u32)(move->id >> 32);
	event->header.kind = EVENT_TURN;
	event->header.size = (__u16)(TURN_EVENT_BYTES + captured);
	conn_fill_ref(&event->conn, move->conn, move->sk);
	event->conn.turn_no = move->turn_no;
	event->call_bytes = move->call->bytes;
	event->tid = (__u32)move->id;
	event->captured = (__u16)captured;
	event->turn_flags = (__u16)(move->flags | TURN_HAS_USE | move->scratch->before_flag);
	event->position = move->position;
	move->scratch->is_told = true;
	event->turn.dir =
		move->dir; /* another thread's call may have begun another turn meanwhile */
}

static __always_inline void turn_emit_scratch(struct turn_scratch *scratch,
					      const struct turn_move *move, __u32 captured)
{
	turn_fill(&scratch->event, move, captured);
	turn_emit_event(scratch, move->conn->ring);
}

/* Send what the scratch's event and the move say, from byte `at` of the call on, as a stream. Returns how much of a value
 * follows in the next call. */
static __always_inline __u32 turn_send_stream(struct turn_scratch *scratch,
					      const struct turn_move *move, __u32 at)
{
	__u32 mode = move->conn->mode;

	if (mode == MODE_FRAMES && move->flags & TURN_LATE)
		mode = MODE_STREAM;
	turn_fill(&scratch->event, move, 0);
	return stream_send(scratch, move->conn->ring, at, mode, &move->conn->frames[move->dir & 1]);
}

/* Whether a write is the one that was overtaken. It is not when its bytes come on top of all that is explained already:
 * then the return of the overtaken one was never seen (a run that the kernel skipped), and nobody waits for it any more. */
static __always_inline bool turn_is_late(const struct conn_state *conn, const struct sock *sk,
					 const struct call *call, const bool is_direct)
{
	return turn_pending_write(conn, sk, is_direct) < (__u32)call->bytes;
}

/* Send a call of a stream, the event being filled but for the payload. One that only goes on with a value is not told, unless it
 * is the first of its turn. */
static __always_inline void turn_stream_call(struct turn_scratch *scratch,
					     const struct turn_move *move)
{
	__u32 *value_left = &move->conn->value_left[move->dir & 1], unwanted = *value_left;
	__u32 rest = 0;

	if (unwanted > move->call->bytes) {
		rest = unwanted - (__u32)move->call->bytes;
		unwanted = (__u32)move->call->bytes;
	}
	scratch->call.call = *move->call;
	if (!rest || move->flags != TURN_CONTINUED)
		rest += turn_send_stream(scratch, move, unwanted);
	*value_left = rest;
}

/* What the thread has published that writes, and the goroutine that reads or writes, come before the event of that. It takes a while:
 * before the turn is touched, as another thread's call on the connection waits for nobody. */
static __always_inline void turn_tell_context(const struct turn_move *move)
{
	const struct conn_state *conn = move->conn;
	__u32 tgid = (__u32)(move->id >> 32);

	if (conn->mode == MODE_LENGTHS || !thread_place_may_be(tgid))
		return;
	if (conn->turn.dir != move->dir || !conn->turn_no || conn->captured < settings.prefix_bytes)
		thread_context_emit(tgid, conn->ring, conn->conn_id, move->now,
				    (move->dir & 1) | (__u32)conn->role << 1);
}

/* Read what the current thread, and the connection of its call, have come to. */
static __always_inline void use_read(struct turn_figures *use, const struct task_struct *task,
				     __u32 tid, const struct sock *tcp_sk, const bool is_read)
{
	usage_read(&use->now.thread, task, tid);
	use->tick_us = settings.tick_us;
	if (!tcp_sk) {
		__builtin_memset(&use->now.tcp, 0, sizeof(use->now.tcp));
		use->waited_ticks = 0;
		return;
	}
	tcp_use_read(&use->now.tcp, tcp_sk);
	use->waited_ticks = is_read ? tcp_waited_ticks(tcp_sk) : 0;
}

/* The same into the scratch, of its socket. Of global linkage, see lib/call.bpf.h. */
__noinline int scratch_read_use(__u32 tid, __u32 is_tcp, __u32 is_read)
{
	struct turn_scratch *scratch = turn_scratch_get();

	if (scratch)
		use_read(&scratch->use, compat_task(), tid, is_tcp ? scratch->sock : NULL, is_read);
	return 0;
}

/* A write that returned after the read that followed it. */
static __always_inline void turn_late(struct turn_move *move)
{
	struct turn_scratch *scratch = move->scratch;
	const struct call *call = move->call;
	struct conn_state *conn = move->conn;
	__u32 captured, bytes = (__u32)call->bytes;
	__u64 tail = 0; /* nobody asks */

	if (bytes > conn->late_bytes) /* it moved more after the last read that saw it under way */
		conn->write_seq += bytes - conn->late_bytes;
	conn->late_bytes -= bytes < conn->late_bytes ? bytes : conn->late_bytes;
	if (conn->mode == MODE_LENGTHS)
		return;
	__builtin_memset(&scratch->event.prev, 0, sizeof(scratch->event.prev));
	scratch->event.turn = (struct turn_summary){ .bytes = call->bytes,
						     .start_ns = move->now,
						     .last_ns = move->now,
						     .calls = 1,
						     .dir = DIR_WRITE };
	scratch->event.offset = 0;
	move->flags = TURN_LATE;
	move->turn_no = conn->late_turn_no;
	if (conn->mode >= MODE_HTTP2) {
		turn_stream_call(scratch, move);
		return;
	}
	conn->frames[DIR_WRITE].is_in_step = false;
	if (conn->mode >= MODE_STREAM) {
		scratch->call.call = *call;
		turn_send_stream(scratch, move, 0);
		return;
	}
	captured =
		call_capture(&scratch->call, call,
			     bytes < settings.prefix_bytes ? bytes : settings.prefix_bytes, &tail);
	if (!captured)
		move->flags |= TURN_NO_BYTES;
	turn_emit_scratch(scratch, move, captured);
}

/* A read that overtook a write: that write's bytes count as explained, and when no call of it was seen yet it gets the
 * turn before this one. Returns turn flags. */
static __always_inline __u32 turn_notice_overtaken(struct conn_state *conn, __u32 pending)
{
	bool is_known = conn->late_bytes; /* a long write moves its bytes bit by bit */
	__u32 flags = 0;

	conn->write_seq += pending;
	if (!is_known && conn->turn_no && conn->turn.dir == DIR_WRITE) {
		conn->late_turn_no = conn->turn_no;
	} else if (!is_known) {
		conn->late_turn_no = ++conn->turn_no;
		flags = TURN_AWAITS_WRITE;
	}
	barrier(); /* that write may return now, on another CPU, and then takes the number */
	conn->late_bytes += pending;
	return flags;
}

/* The direction changes. An overtaken answer was an exchange too. */
static __always_inline void turn_change(const struct turn_move *move)
{
	struct conn_state *conn = move->conn;
	bool is_two = move->flags & TURN_AWAITS_WRITE && conn->role == ROLE_SERVER;

	conn->turn_no++;
	if (conn->turn_no > 1)
		turn_count_exchange(conn, is_two ? DIR_WRITE : move->dir, (__u32)(move->id >> 32));
}

/* Put into the scratch what the event says of thread and connection as the call returned. Before the turn is looked at: another
 * thread's call may be at the connection's other direction, and what takes time between two looks at it makes that likely. Returns
 * whether there is a scratch. */
static __always_inline bool turn_note_use(struct turn_move *move, const struct task_struct *task,
					  const bool is_direct)
{
	struct turn_scratch *scratch = turn_scratch_get();
	bool is_tcp = !conn_is_unix(move->conn), is_read = move->dir == DIR_READ;

	if (!scratch)
		return false;
	move->scratch = scratch;
	scratch->before_flag = 0;
	if (move->conn->mode == MODE_LENGTHS)
		return true;
	scratch->sock = move->sk;
	if (COMPAT_HAS_CAST && is_direct) /* plain loads, which the verifier may well follow here */
		use_read(&scratch->use, task, (__u32)move->id, is_tcp ? move->sk : NULL, is_read);
	else
		scratch_read_use((__u32)move->id, is_tcp, is_read);
	return true;
}

/* Figures that no event has told yet go with this call's event. */
static __always_inline void turn_take_untold(struct turn_move *move)
{
	struct turn_scratch *scratch = move->scratch;
	struct conn_state *conn = move->conn;

	if (conn->has_untold && move->flags != TURN_CONTINUED) {
		scratch->before = conn->untold;
		scratch->before_flag = TURN_HAS_BEFORE;
	}
	conn->has_untold = false;
	scratch->is_told = false;
}

/* This call's wait for the next event, if none has told them. */
static __always_inline void turn_keep_untold(const struct turn_move *move)
{
	if (move->scratch->is_told)
		return;
	move->conn->untold = move->scratch->use.now;
	move->conn->has_untold = true;
}

/* Bring the turn's figures up to date with a call; those of a finished turn go to the event, if there is to be one.
 * last_ns before bytes: user space reads them the other way round. */
static __always_inline void turn_advance(struct turn_move *move, struct event_turn *event)
{
	struct conn_state *conn = move->conn;

	if (move->flags == TURN_CONTINUED) {
		if (event)
			__builtin_memset(&event->prev, 0, sizeof(event->prev));
	} else {
		if (event)
			event->prev = conn->turn;
		turn_begin(conn, move->dir, move->now);
	}
	if (event)
		event->offset = (__u32)conn->turn.bytes;
	conn->turn.calls++;
	conn->turn.last_ns = move->now;
	barrier();
	conn->turn.bytes += move->call->bytes;
}

/* A header that ends with this call is all that parsing needs of the turn; not the header of an interim answer
 * (HTTP/1.1 103 …): the final one follows in the same turn. */
static __always_inline bool turn_header_ends(const __u8 *payload, __u32 captured, __u64 tail)
{
	return captured >= 4 && tail >> 32 == CRLFCRLF &&
	       (*(const __u32 *)payload != HTTP_WORD || payload[9] != '1');
}

/* While nobody knows what a connection speaks: headers of others, as FastCGI's answers hold, end in the middle of what is needed. */
static __always_inline bool turn_may_be_http(const struct turn_move *move, const __u8 *payload)
{
	return move->conn->mode != MODE_SNIFF || *(const __u32 *)payload == HTTP_WORD ||
	       (move->flags != TURN_CONTINUED && (__u8)(*payload - 'A') < 26);
}

/* What PostgreSQL's start-up packets have for a version, as they are in memory: 3.0, and the codes that ask for encryption. */
#define PG_VERSION_3 0x00000300
#define PG_ASK_SSL 0x2f16d204
#define PG_ASK_GSS 0x3016d204

/* How FastCGI's requests begin: version 1, BEGIN_REQUEST, a number, content of eight bytes. */
#define FASTCGI_BEGIN 0x0101
#define FASTCGI_BEGIN_LENGTH 0x00000800u
#define FASTCGI_PADDING 0x00ff0000u

/* How Kafka's connections begin: how long the request is, less than 64 KiB, then ApiVersions in one of its first 16 versions. */
#define KAFKA_API_VERSIONS 0x00001200u
#define KAFKA_VERSION 0x0f000000u

/* Go ahead of user space where its word would come too late: Redis and memcached have pipelines longer than anybody else's, in
 * their first turn too, FastCGI connections are for one request, a PostgreSQL client has its first answer before user space
 * has read the start-up packet, of HTTP/2 every header adds to what later ones mean, and Kafka's and AMQP's clients begin with
 * a burst of their own.
 *
 * Global linkage, so that the verifier looks at it once: see lib/call.bpf.h. word, next: of the call's first bytes, zeros where
 * there are less. */
__noinline int turn_first_mode(__u32 word, __u32 next)
{
	if (settings.streams_http &&
	    (word == WORD4('G', 'E', 'T', ' ') || word == WORD4('P', 'O', 'S', 'T') ||
	     word == WORD4('P', 'U', 'T', ' ')))
		return MODE_STREAM;
	if (word == HTTP2_PREFACE_WORD)
		return MODE_HTTP2;
	if ((__u16)word == FASTCGI_BEGIN && (next & ~FASTCGI_PADDING) == FASTCGI_BEGIN_LENGTH)
		return MODE_STREAM;
	if ((__u8)word == '*' || ((__u8)word >= 'a' && memcached_begins(word, next)))
		return MODE_VALUES;
	if (word == AMQP_WORD)
		return MODE_AMQP;
	if (word & 0xffff)
		return MODE_SNIFF;
	if ((next & ~KAFKA_VERSION) == KAFKA_API_VERSIONS)
		return MODE_STREAM;
	if (word >> 24 == HTTP2_SETTINGS && !next) /* no flags, stream 0 */
		return MODE_HTTP2;
	return next == PG_VERSION_3 || next == PG_ASK_SSL || next == PG_ASK_GSS ? MODE_FRAMES :
										  MODE_SNIFF;
}

/* The other side may send what it switched to before user space has read the answer that said so. */
static __always_inline bool turn_switches(const __u8 *payload, __u32 captured)
{
	return captured >= 12 && *(const __u32 *)payload == HTTP_WORD &&
	       *(const __u32 *)(payload + 8) == HTTP_101_WORD;
}

/* Note what was copied of a call. Bytes after a hole are of no use, and neither are bytes after the header.
 * Returns whether there is something to tell. */
static __always_inline bool turn_captured(struct turn_move *move, const __u8 *payload,
					  __u32 captured, __u64 tail)
{
	struct conn_state *conn = move->conn;

	conn->turn.tail = tail;
	if (turn_switches(payload, captured) && conn->mode <= MODE_MESSAGES)
		conn->mode = MODE_STREAM;
	if (captured < move->call->bytes ||
	    (turn_may_be_http(move, payload) && turn_header_ends(payload, captured, tail)))
		conn->captured = settings.prefix_bytes;
	else
		conn->captured += captured;
	if (captured)
		return true;
	if (move->want && (move->call->kind & SHAPE_MASK) < SHAPE_NO_BUFFER)
		kernel_count(COUNTER_PAYLOAD_FAULT);
	if (!move->want || move->flags == TURN_CONTINUED)
		return false;
	move->flags |= TURN_NO_BYTES;
	return true;
}

/* Payload room of events that are built in their ring, and how much of it may come from a second piece. Small: most
 * requests of programs, over the stack. Medium and wide: most answers' headers. Large: the default of --prefix-bytes. Each
 * record is at most half as long again as the one before, on average it wastes a sixth of its length. */
#define TURN_ROOM_SMALL 72
#define TURN_ROOM_MEDIUM 168
#define TURN_ROOM_MEDIUM_SECOND 16
#define TURN_ROOM_WIDE 360
#define TURN_ROOM_WIDE_SECOND 64
#define TURN_ROOM_LARGE 1024
#define TURN_ROOM_LARGE_SECOND 512

/* Put figures and payload behind an event whose payload is in one piece and short. Where copies to user memory are checked
 * (CONFIG_HARDENED_USERCOPY), the stack passes sooner than a ring: eighty instructions, of which the way over the stack costs three a
 * word. Returns how many bytes were copied; zeros follow. */
static __always_inline __u32 turn_fill_via_stack(struct turn_figures *figures,
						 const struct turn_move *move,
						 const struct call_pieces *pieces)
{
	__u64 words[TURN_ROOM_SMALL / 8] = {}, length = pieces->first_bytes;
	__u64 *to = (void *)(figures + 1);
	long error;

	BOUND(length, TURN_ROOM_SMALL);
	error = bpf_probe_read_user(words, (__u32)length, (const void *)pieces->first);
	/* In between: a word that was written bit by bit takes its time until it can be read. */
	*figures = move->scratch->use;
	barrier();
	if (error)
		return 0;
	for (__u32 i = 0; i < TURN_ROOM_SMALL / 8; i++)
		to[i] = words[i];
	return (__u32)length;
}

/* The same with a payload of any kind. Returns how many bytes of it were copied. */
static __always_inline __u32 turn_fill_room(struct turn_figures *figures,
					    const struct turn_move *move,
					    const struct call_pieces *pieces, const __u32 room,
					    const __u32 second_room)
{
	if (room == TURN_ROOM_SMALL)
		return turn_fill_via_stack(figures, move, pieces);
	*figures = move->scratch->use;
	return call_copy_pieces((__u8 *)(figures + 1), pieces, room, second_room);
}

/* Build the event where user space reads it. Returns false, with nothing done, when the ring has no such room. */
static __always_inline bool turn_in_ring(struct turn_move *move, const struct call_pieces *pieces,
					 const __u32 room, const __u32 second_room)
{
	struct event_turn *event;
	struct emission emission;
	__u8 *payload;
	__u32 captured;
	__u64 tail;

	event = emit_reserve(&emission, move->conn->ring, EVENT_TURN, TURN_EVENT_BYTES + room);
	if (!event)
		return false;
	turn_advance(move, event);
	captured = turn_fill_room((void *)(event + 1), move, pieces, room, second_room);
	payload = (__u8 *)event + TURN_EVENT_BYTES;
	tail = call_tail_pieces(move->call, pieces, payload, captured, room, move->conn->turn.tail);
	if (!turn_captured(move, payload, captured, tail)) {
		emit_discard(event);
		return true;
	}
	event->turn = move->conn->turn;
	turn_fill(event, move, captured);
	emit_submit(&emission, event, TURN_EVENT_BYTES + room);
	return true;
}

/* Whether the pieces find room; call_copy_pieces says why a second piece has its own. */
static __always_inline bool turn_fits(const struct call_pieces *pieces, __u32 want,
				      const __u32 room, const __u32 second_room)
{
	if (!pieces->second_bytes)
		return want <= room;
	return pieces->first_bytes <= room - second_room && pieces->second_bytes <= second_room;
}

static __always_inline bool turn_try_ring(struct turn_move *move)
{
	struct call_pieces pieces;

	if (!move->want || move->scratch->before_flag ||
	    !call_find_pieces(move->call, move->want, &pieces))
		return false;
	if (!pieces.second_bytes && move->want <= TURN_ROOM_SMALL)
		return turn_in_ring(move, &pieces, TURN_ROOM_SMALL, 0);
	if (turn_fits(&pieces, move->want, TURN_ROOM_MEDIUM, TURN_ROOM_MEDIUM_SECOND))
		return turn_in_ring(move, &pieces, TURN_ROOM_MEDIUM, TURN_ROOM_MEDIUM_SECOND);
	if (turn_fits(&pieces, move->want, TURN_ROOM_WIDE, TURN_ROOM_WIDE_SECOND))
		return turn_in_ring(move, &pieces, TURN_ROOM_WIDE, TURN_ROOM_WIDE_SECOND);
	if (turn_fits(&pieces, move->want, TURN_ROOM_LARGE, TURN_ROOM_LARGE_SECOND))
		return turn_in_ring(move, &pieces, TURN_ROOM_LARGE, TURN_ROOM_LARGE_SECOND);
	return false;
}

/* For bytes that are spread widely, for events with more than the payload behind them, and for calls that only move the figures. */
static __always_inline void turn_in_scratch(struct turn_move *move)
{
	struct turn_scratch *scratch = move->scratch;
	struct conn_state *conn = move->conn;
	__u32 captured;
	__u64 tail;

	scratch->stream.at = move->want; /* the verifier forgets: see struct stream_progress */
	barrier();
	move->want = scratch->stream.at;
	turn_advance(move, &scratch->event);
	tail = conn->turn.tail;
	captured = call_capture(&scratch->call, move->call, move->want, &tail);
	if (!turn_captured(move, scratch->call.bytes, captured, tail))
		return;
	scratch->event.turn = conn->turn;
	turn_emit_scratch(scratch, move, captured);
}

static __always_inline void turn_in_stream(struct turn_move *move)
{
	struct turn_scratch *scratch = move->scratch;
	struct conn_state *conn = move->conn;

	turn_advance(move, &scratch->event);
	conn->turn.tail = 0;
	scratch->event.turn = conn->turn;
	turn_stream_call(scratch, move);
}

/* Short calls, which are not looked through, are the rule between turns. */
static __always_inline void turn_leave_step(struct conn_state *conn, __u8 dir)
{
	struct conn_frames *frames = &conn->frames[dir & 1];

	if (!frames->left && !frames->have && conn->mode < MODE_HTTP2)
		frames->is_in_step = false;
}

/* In a short one there is nothing to leave out. The sum keeps the verifier from concluding from the comparison what
 * `bytes` is: 5.10 goes on where the conclusions contradict each other ("R1 invalid mem access 'inv'"). */
static __always_inline bool turn_is_short(const struct turn_move *move)
{
	const struct conn_state *conn = move->conn;
	__u64 bytes = move->call->bytes;

	if (conn->mode >= MODE_HTTP2)
		return false;
	asm volatile("%0 += 0" : "+r"(bytes));
	return bytes < VALUE_LEFT_OUT_MIN && !conn->value_left[move->dir & 1] &&
	       !conn->frames[move->dir & 1].is_in_step;
}

/* Writes and reads that overtake each other. Returns whether the call is a turn's like any other. On Unix-domain sockets nothing
 * tells of a write under way: a read by another thread that overtakes it comes before it. */
static __always_inline bool turn_order(struct turn_move *move, const bool is_direct)
{
	struct conn_state *conn = move->conn;
	__u32 pending;

	if (conn_is_unix(conn))
		return true;
	if (move->dir == DIR_WRITE) {
		if (conn->late_bytes && conn->turn.dir == DIR_READ) {
			if (turn_is_late(conn, move->sk, move->call, is_direct))
				return false;
			conn->late_bytes = 0;
		}
		conn->write_seq += (__u32)move->call->bytes;
	} else {
		pending = turn_pending_write(conn, move->sk, is_direct);
		if (pending)
			move->flags = turn_notice_overtaken(conn, pending);
	}
	return true;
}

/* Bytes of a long call that are looked through for the end of a request that another one follows, and how many at a time. */
#define PIPELINE_LOOK_MAX 1024
#define PIPELINE_LOOK_STEP 64

/* Whether a header ends in the next step's bytes, of which there are those before `end`. Global linkage, see lib/call.bpf.h. */
__noinline int turn_header_ends_from(__u32 at, __u32 end)
{
	struct turn_scratch *scratch = turn_scratch_get();

	for (__u32 i = 0; scratch && i < PIPELINE_LOOK_STEP; i++, at++) {
		if (at + sizeof(__u32) > end)
			return false;
		barrier_var(at);
		at &= PREFIX_MAX - 1;
		if (*(const __u32 *)(scratch->call.bytes + at) == CRLFCRLF)
			return true;
	}
	return false;
}

/* Whether in the first piece of a call, which is longer than what is captured, a header ends; of requests without a body. */
static __always_inline bool turn_is_pipeline(__u64 kind, __u64 where)
{
	struct turn_scratch *scratch = turn_scratch_get();
	struct user_iovec first;

	if (!scratch || !call_first_piece(kind, where, &first))
		return false;
	if ((kind & SHAPE_MASK) == SHAPE_BUFFER || first.length > settings.prefix_bytes)
		first.length = settings.prefix_bytes;
	if (first.length > PIPELINE_LOOK_MAX)
		first.length = PIPELINE_LOOK_MAX;
	if (!call_copy(&scratch->call, 0, (__u32)first.length, first.base))
		return false;
	for (__u32 at = 0; at < PIPELINE_LOOK_MAX; at += PIPELINE_LOOK_STEP) {
		if (turn_header_ends_from(at, (__u32)first.length))
			return true;
	}
	return false;
}

/* A turn's first call says how it begins; where that is four bytes, as of those who read a length first, the second one does. Of
 * one that is longer than what is captured it must be known before. `left`: those four bytes; 0: it is a first call. Returns the
 * mode, and in the upper half what is left for the next call. Global linkage, here and below: see lib/call.bpf.h. */
__noinline __u64 turn_look_at_start(__u64 kind, __u64 where, __u64 bytes, __u32 left)
{
	__u64 first = call_first_bytes(kind, where);
	__u32 word = (__u32)first;

	if (bytes < sizeof(first))
		first &= (1ull << (8 * (bytes & 7))) - 1;
	if (left)
		return (__u32)turn_first_mode(left, (__u32)first);
	if (bytes > settings.prefix_bytes &&
	    (word == WORD4('G', 'E', 'T', ' ') || word == WORD4('H', 'E', 'A', 'D')) &&
	    turn_is_pipeline(kind, where))
		return MODE_STREAM;
	return (__u32)turn_first_mode((__u32)first, (__u32)(first >> 32)) |
	       (bytes == sizeof(word) ? first << 32 : 0);
}

/* Whether a message of HTTP may begin with a call: letters of a method, or "HTTP". Where there are less than four bytes, the
 * first one must do. */
__noinline int turn_may_begin(__u64 kind, __u64 where, __u64 bytes)
{
	__u32 word = (__u32)call_first_bytes(kind, where);

	if (bytes < sizeof(word) || word < 0x100)
		return (word & 0xe0) == 0x40;
	return (word & 0xe0e0e0) == 0x404040 && ((word >> 24 & 0xe0) == 0x40 || word >> 24 == ' ');
}

/* How many bytes of the call to copy: what is missing of the turn's prefix. */
static __always_inline void turn_set_want(struct turn_move *move, bool is_new)
{
	struct conn_state *conn = move->conn;
	const struct call *call = move->call;
	__u32 room = settings.prefix_bytes;

	if (!is_new)
		room = conn->captured < room ? room - conn->captured : 0;
	move->want = (__u32)call->bytes;
	if (call->bytes <= room)
		return;
	move->want = room;
}

/* A call that goes on with a turn and begins like a message has a prefix of its own: in a pipeline it is the next one. In a body
 * it costs an event. Returns whether it is one. */
static __always_inline bool turn_begins_anew(struct turn_move *move)
{
	struct conn_state *conn = move->conn;
	const struct call *call = move->call;

	if (move->want >= call->bytes || move->flags != TURN_CONTINUED ||
	    conn->mode > MODE_MESSAGES || !turn_may_begin(call->kind, call->args[1], call->bytes))
		return false;
	conn->captured = 0;
	move->want = settings.prefix_bytes;
	if (move->want > call->bytes)
		move->want = (__u32)call->bytes;
	return true;
}

/* In one of three ways, or not at all. */
static __always_inline void turn_tell(struct turn_move *move)
{
	if (move->conn->mode > MODE_LENGTHS) {
		if (!turn_is_short(move)) {
			turn_in_stream(move);
			return;
		}
		move->want = (__u32)move->call->bytes;
	}
	if (turn_begins_anew(move) || !turn_try_ring(move))
		turn_in_scratch(move);
}

static __always_inline void turn_move(struct turn_move *move, const struct task_struct *task,
				      const bool is_direct)
{
	struct conn_state *conn = move->conn;
	struct conn_frames *frames;
	bool is_new;

	if (!turn_note_use(move, task, is_direct))
		return;
	turn_tell_context(move);
	/* Of the direction's own: two threads may be at this at once, one reading, one writing. */
	move->position = conn->position[move->dir & 1];
	conn->position[move->dir & 1] += (__u32)move->call->bytes;
	if (!turn_order(move, is_direct)) {
		turn_late(move);
		return;
	}
	is_new = move->flags || !conn->turn_no || conn->turn.dir != move->dir;
	if (is_new) {
		turn_change(move);
		turn_leave_step(conn, move->dir);
	} else
		move->flags = TURN_CONTINUED;
	move->turn_no = conn->turn_no;
	frames = &conn->frames[move->dir & 1];
	if (conn->mode == MODE_SNIFF && (is_new || frames->left)) {
		__u64 verdict = turn_look_at_start(move->call->kind, move->call->args[1],
						   move->call->bytes, is_new ? 0 : frames->left);

		conn->mode = (__u8)verdict;
		frames->left = (__u32)(verdict >> 32);
	}
	turn_set_want(move, is_new);
	if (conn->mode == MODE_LENGTHS) {
		conn->has_untold = false;
		turn_advance(move, NULL);
		return;
	}
	turn_take_untold(move);
	turn_tell(move);
	turn_keep_untold(move);
}

/* Of global linkage, see lib/call.bpf.h, and so rare that it may look everything up anew. */
__noinline int conn_sample(__u32 tgid)
{
	struct turn_scratch *scratch = turn_scratch_get();
	struct event_tcp_sample event = {};
	struct conn_state *conn;
	const struct sock *sk;

	if (!scratch)
		return 0;
	sk = scratch->sock;
	conn = conn_find(sk);
	if (!conn)
		return 0;
	conn->sampled_ns = conn->turn.last_ns;
	if (conn_is_unix(conn))
		return 0;
	conn_read_stats(&event.stats, sk);
	conn_account(conn, &event.stats);
	emit_fill_header(&event.header, tgid, EVENT_TCP_SAMPLE, sizeof(event));
	conn_fill_ref(&event.conn, conn, sk);
	emit_copy(conn->ring, &event.header, sizeof(event));
	return 0;
}

static __always_inline void turn_sample(const struct sock *sk, __u32 tgid)
{
	struct turn_scratch *scratch = turn_scratch_get();

	if (scratch) {
		scratch->sock = sk;
		conn_sample(tgid);
	}
}

/* Make the entry of a Unix-domain socket that was not seen to be opened. NULL: datagrams, or no room. */
static __always_inline struct conn_state *unix_adopt(const struct sock *sk, __u32 tgid)
{
	struct turn_scratch *scratch = turn_scratch_get();

	if (!scratch || !unix_is_stream(sk))
		return NULL;
	scratch->sock = sk;
	return unix_open(tgid, ROLE_COUNT) ? NULL : conn_find(sk);
}

/* Make the entry of a TCP socket whose connection is older than sonde. NULL: the table is full. */
static __always_inline struct conn_state *conn_adopt(const struct sock *sk, __u32 tgid, __u8 dir,
						     __u64 bytes)
{
	struct conn_state *conn;

	if (scratch_open_conn(sk, tgid, ROLE_UNKNOWN, CONN_PREEXISTING,
			      BPF_CORE_READ(sk, __sk_common.skc_state)))
		return NULL;
	conn = conn_find(sk);
	if (conn && dir == DIR_WRITE)
		conn->write_seq -= (__u32)bytes; /* this call's bytes are in it already */
	return conn;
}

static __always_inline int on_transfer(struct call *call, const struct task_struct *task, __u64 id,
				       const struct pt_regs *regs, const bool is_direct)
{
	__u8 dir = call->kind & CALL_IS_WRITE ? DIR_WRITE : DIR_READ;
	__u32 tgid = (__u32)(id >> 32);
	struct sock *sk = fd_sock(task, (__u32)call->args[0], is_direct);
	__u64 returned = call->bytes;
	struct conn_state *conn;

	if (!sk && (call->kind & SHAPE_MASK) == SHAPE_SPLICE) {
		sk = fd_sock(task, (__u32)call->args[2], is_direct);
		dir = DIR_WRITE;
	}
	if (!sk || (call->kind & (CALL_FLAGS_IN_ARG2 | CALL_FLAGS_IN_ARG3) && call_is_peek(call)))
		return 0;
	if ((call->kind & SHAPE_MASK) == SHAPE_MESSAGES) {
		call->bytes = call_sum_messages(call->args[1], call->bytes);
		if (!call->bytes)
			return 0;
	}
	conn = conn_find(sk);
	if (!conn || (conn_is_unix(conn) && !unix_is_same(conn, sk, is_direct))) {
		__u16 family = sock_family(sk, is_direct);
		__u32 protocol = sock_ip_protocol(sk, family);

		if (protocol == IPPROTO_UDP)
			return on_datagrams(call, returned, sk, tgid,
					    REGS_READ(regs, REGS_ARG4, is_direct));
		if (family == AF_UNIX)
			conn = unix_adopt(sk, tgid);
		else
			conn = protocol == IPPROTO_TCP ? conn_adopt(sk, tgid, dir, call->bytes) :
							 NULL;
		if (!conn)
			return 0;
	}
	if (conn->tgid != tgid)
		turn_change_owner(conn, tgid);
	turn_move(&(struct turn_move){ .conn = conn,
				       .sk = sk,
				       .call = call,
				       .id = id,
				       .now = bpf_ktime_get_ns(),
				       .dir = dir },
		  task, is_direct);
	if (conn->turn.last_ns - conn->sampled_ns >= settings.sample_interval_ns)
		turn_sample(sk, tgid);
	return 0;
}

#endif
