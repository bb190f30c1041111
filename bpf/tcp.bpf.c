// SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only)
/* Life of TCP sockets: connect latency and outcome, connections out of listeners, close, retransmits, resets,
 * listening sockets. */
#include "lib/settings.bpf.h"

#include "lib/compat.bpf.h"
#include "lib/conn.bpf.h"
#include "lib/listener.bpf.h"
#include "lib/unix.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

static __always_inline __u32 current_tgid(void)
{
	return (__u32)(bpf_get_current_pid_tgid() >> 32);
}

static __always_inline __u32 connect_outcome_of(int error, bool was_retried)
{
	switch (error) {
	case 111: /* ECONNREFUSED */
		return CONNECT_REFUSED;
	case 110: /* ETIMEDOUT */
		return CONNECT_TIMEOUT;
	case 101: /* ENETUNREACH */
	case 113: /* EHOSTUNREACH */
		return CONNECT_UNREACHABLE;
	case 104: /* ECONNRESET */
		return CONNECT_RESET;
	case 0: /* the process closed the socket */
		return was_retried ? CONNECT_TIMEOUT : CONNECT_OTHER;
	}
	return CONNECT_OTHER;
}

static __always_inline void on_connect_end(struct conn_state *conn, const struct sock *sk,
					   __u32 outcome, int error)
{
	struct {
		struct event_tcp_connect event;
		struct connect_caller caller;
	} told = {};

	process_add(conn->tgid, connects[outcome], 1);
	if (process_is_ignored(conn->tgid))
		return;
	emit_fill_header(&told.event.header, conn->tgid, EVENT_TCP_CONNECT, sizeof(told));
	conn_fill_tuple(&conn->tuple, sk); /* the local port was chosen after SYN_SENT */
	conn_fill_ref(&told.event.conn, conn, sk);
	told.event.start_ns = conn->opened_ns;
	told.event.error = error;
	told.event.outcome = outcome;
	told.caller.tid = conn->connect_tid;
	emit_copy(conn->ring, &told.event.header, sizeof(told));
}

static __always_inline void on_connected(struct conn_state *conn, const struct sock *sk)
{
	on_connect_end(conn, sk, CONNECT_ESTABLISHED, 0);
	conn->opened_ns = bpf_ktime_get_ns();
	conn->write_seq = sock_write_seq(sk, false);
}

static __always_inline void on_connect_failed(struct conn_state *conn, const struct sock *sk)
{
	const struct inet_connection_sock *icsk = (const struct inet_connection_sock *)sk;
	/* A bit-field's neighbour on no supported kernel: a plain byte since 2.6. */
	bool was_retried = BPF_CORE_READ(icsk, icsk_retransmits) > 0;
	int error = BPF_CORE_READ(sk, sk_err);

	/* What ICMP said while the process was inside connect; it may have closed the socket since. */
	if (!error)
		error = BPF_CORE_READ(sk, sk_err_soft);

	on_connect_end(conn, sk, connect_outcome_of(error, was_retried), error);
	conn->flags |= CONN_CLOSED;
}

/* Built in the ring: with what its callers have on the stack it is too long for 5.10. */
static __always_inline void tell_close(const struct conn_state *conn, const struct sock *sk,
				       const struct tcp_stats *stats)
{
	const __u32 size = sizeof(struct event_tcp_close) + sizeof(struct conn_close_parts);
	struct event_tcp_close *event;
	struct emission emission;

	event = emit_reserve(&emission, conn->ring, EVENT_TCP_CLOSE, size);
	if (!event) {
		emit_count_lost(EVENT_TCP_CLOSE, LOSS_RING_FULL);
		return;
	}
	emit_fill_header(&event->header, conn->tgid, EVENT_TCP_CLOSE, size);
	conn_fill_ref(&event->conn, conn, sk);
	event->turn = conn->turn;
	event->stats = *stats;
	event->opened_ns = conn->opened_ns;
	conn_fill_close((struct conn_close_parts *)(event + 1), conn);
	emit_submit(&emission, event, size);
}

/* The conversation is over: say so once, and later when a reset of ours is about to be sent. Not inlined: three callers in
 * one program. */
static __noinline int conn_close(const struct sock *sk, bool awaits_reset)
{
	struct conn_state *conn = conn_find(sk);
	struct tcp_stats stats;
	__u32 role;

	if (!conn)
		return 0;
	role = conn->role;
	conn_read_stats(&stats, sk);
	conn_account(conn, &stats);
	if (conn->flags & CONN_CLOSED || awaits_reset)
		return 0;
	conn->flags |= CONN_CLOSED;
	if (conn->flags & CONN_RESET_SENT &&
	    BPF_CORE_READ(sk, __sk_common.skc_flags) & (1 << SOCK_DONE))
		conn->flags |= CONN_PEER_ENDED;
	barrier_var(role); /* else clang reads the byte again after the check */
	if (role < ROLE_COUNT)
		process_add(conn->tgid, closes[role], 1);
	if (!process_is_ignored(conn->tgid))
		tell_close(conn, sk, &stats);
	return 0;
}

/* shutdown(SHUT_WR): the process will write no more but may read on. */
static __always_inline void on_half_close(struct conn_state *conn, const struct sock *sk)
{
	const __u32 size = sizeof(struct event_turn_progress) + sizeof(struct call_use);
	struct event_turn_progress *event;
	struct emission emission;

	conn->write_seq++; /* the FIN takes a number, right after this hook */
	if (!conn->turn_no || conn->mode == MODE_LENGTHS || process_is_ignored(conn->tgid))
		return;
	event = emit_reserve(&emission, conn->ring, EVENT_TURN_PROGRESS, size);
	if (!event) {
		emit_count_lost(EVENT_TURN_PROGRESS, LOSS_RING_FULL);
		return;
	}
	emit_fill_header(&event->header, conn->tgid, EVENT_TURN_PROGRESS, size);
	conn_fill_ref(&event->conn, conn, sk);
	event->turn = conn->turn;
	conn_fill_newest((struct call_use *)(event + 1), conn);
	emit_submit(&emission, event, size);
}

/* A process gives a connection up: closed with SO_LINGER 0 or with bytes unread, its listener closed, connect(AF_UNSPEC).
 * tcp_disconnect and __tcp_close set the state first and then send the reset. Other ways from here to TCP_CLOSE (the
 * peer's reset, time-outs, `ss -K`) set sk_err before; those that fail to send (no memory) are told when the socket dies. */
static __always_inline bool is_reset_next(const struct sock *sk, int from)
{
	return (from == TCP_ESTABLISHED || from == TCP_CLOSE_WAIT) && !BPF_CORE_READ(sk, sk_err);
}

static __always_inline int on_state_change(struct sock *sk, int from, int to)
{
	struct conn_state *conn;

	if (!sock_is_tcp(sk))
		return 0;
	if (to == TCP_SYN_SENT || (to == TCP_ESTABLISHED && from == TCP_SYN_RECV))
		(void)unix_close(sk); /* whose memory it was: that it died nobody may have heard */
	if (to == TCP_SYN_SENT)
		return conn_open(sk, current_tgid(), ROLE_CLIENT, 0, TCP_SYN_SENT);
	if (to == TCP_ESTABLISHED && from == TCP_SYN_RECV)
		return conn_open(sk, listener_tgid(sk), ROLE_SERVER, 0, TCP_ESTABLISHED);
	if (to == TCP_LISTEN) {
		listener_insert(sk, current_tgid());
		return 0;
	}
	if (from == TCP_LISTEN) {
		if (to == TCP_CLOSE) /* to SYN_RECV: a connection, cloned from its listener */
			listener_remove(sk);
		return 0;
	}
	conn = conn_find(sk);
	if (!conn)
		return 0;
	conn->tcp_state = (__u8)to;
	if (from == TCP_SYN_SENT) {
		if (to == TCP_ESTABLISHED)
			on_connected(conn, sk);
		else if (to == TCP_CLOSE)
			on_connect_failed(conn, sk);
		return 0;
	}
	if (to == TCP_CLOSE)
		return conn_close(sk, is_reset_next(sk, from));
	if (to == TCP_FIN_WAIT1 || to == TCP_LAST_ACK) {
		if (BPF_CORE_READ(sk, sk_shutdown) == SHUTDOWN_MASK)
			return conn_close(sk, false);
		on_half_close(conn, sk);
	}
	return 0;
}

/* The entry outlives TCP_CLOSE: the process may still hold the descriptor, and connect may still return. */
static __always_inline int on_destroy(struct sock *sk)
{
	__u64 key = (__u64)sk;

	if (!conn_find(sk))
		return 0;
	conn_close(sk, false);
	bpf_map_delete_elem(&conn_by_sock, &key);
	return 0;
}

static __always_inline __u32 owner_of(const struct sock *sk)
{
	struct listener_state *listener;
	struct conn_state *conn;

	if (!sk)
		return 0;
	conn = conn_find(sk);
	if (conn)
		return conn->tgid;
	listener = listener_find(sk);
	return listener ? listener->tgid : 0;
}

static __always_inline int on_retransmit(const struct sock *sk)
{
	process_add(owner_of(sk), retransmits, 1);
	return 0;
}

static __always_inline int on_reset_sent(const struct sock *sk)
{
	struct conn_state *conn = sk ? conn_find(sk) : NULL;

	process_add(owner_of(sk), resets_sent, 1);
	if (!conn)
		return 0;
	conn->flags |= CONN_RESET_SENT;
	if (conn->tcp_state == TCP_CLOSE)
		conn_close(sk, false);
	return 0;
}

static __always_inline int on_reset_received(const struct sock *sk)
{
	struct conn_state *conn = conn_find(sk);

	if (conn)
		conn->flags |= CONN_RESET_RECEIVED;
	process_add(owner_of(sk), resets_received, 1);
	return 0;
}

/* Two programs share the tracepoint, because the kernel (since 6.2) skips a program that interrupts itself: what the peer
 * brings about comes in softirqs, which interrupt what the process does. The one that has nothing to do is back at once. */
static __always_inline bool is_softirq(int to)
{
	return compat_has_preempt_count() ? compat_is_softirq() :
					    to == TCP_ESTABLISHED || to == TCP_CLOSE;
}

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(state__tp_btf, struct sock *sk, int from, int to)
{
	return is_softirq(to) ? 0 : on_state_change(sk, from, to);
}

SEC("raw_tp/inet_sock_set_state")
int BPF_PROG(state__raw_tp, struct sock *sk, int from, int to)
{
	return is_softirq(to) ? 0 : on_state_change(sk, from, to);
}

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(peer__tp_btf, struct sock *sk, int from, int to)
{
	return is_softirq(to) ? on_state_change(sk, from, to) : 0;
}

SEC("raw_tp/inet_sock_set_state")
int BPF_PROG(peer__raw_tp, struct sock *sk, int from, int to)
{
	return is_softirq(to) ? on_state_change(sk, from, to) : 0;
}

SEC("tp_btf/tcp_destroy_sock")
int BPF_PROG(destroy__tp_btf, struct sock *sk)
{
	return on_destroy(sk);
}

SEC("raw_tp/tcp_destroy_sock")
int BPF_PROG(destroy__raw_tp, struct sock *sk)
{
	return on_destroy(sk);
}

SEC("tp_btf/tcp_retransmit_skb")
int BPF_PROG(retrans__tp_btf, const struct sock *sk)
{
	return on_retransmit(sk);
}

SEC("raw_tp/tcp_retransmit_skb")
int BPF_PROG(retrans__raw_tp, const struct sock *sk)
{
	return on_retransmit(sk);
}

SEC("tp_btf/tcp_send_reset")
int BPF_PROG(rst_tx__tp_btf, const struct sock *sk)
{
	return on_reset_sent(sk);
}

SEC("raw_tp/tcp_send_reset")
int BPF_PROG(rst_tx__raw_tp, const struct sock *sk)
{
	return on_reset_sent(sk);
}

SEC("tp_btf/tcp_receive_reset")
int BPF_PROG(rst_rx__tp_btf, struct sock *sk)
{
	return on_reset_received(sk);
}

SEC("raw_tp/tcp_receive_reset")
int BPF_PROG(rst_rx__raw_tp, struct sock *sk)
{
	return on_reset_received(sk);
}

/* A perf tracepoint, for kernels that preempt the programs above (probe.bpf.c). Only what processes do has one: softirqs
 * are not preempted, and the kernel skips a perf tracepoint's program that interrupts any other. */
SEC("tp/sock/inet_sock_set_state")
int state__tp(struct trace_event_raw_inet_sock_set_state *ctx)
{
	if (is_softirq(ctx->newstate))
		return 0;
	return on_state_change((struct sock *)ctx->skaddr, ctx->oldstate, ctx->newstate);
}
