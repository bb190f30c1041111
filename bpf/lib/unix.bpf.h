/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* Unix-domain stream sockets as connections. No hook tells when they die: the peer's read that finds the end does, or the next
 * socket at the address, or user space asks (CONTROL_UNIX_CHECK). */
#ifndef SONDE_UNIX_BPF_H
#define SONDE_UNIX_BPF_H

#include "lib/conn.bpf.h"

#define EPIPE 32
#define ECONNRESET 104

/* Key: 0. Value: how many entries of conn_by_sock are Unix-domain sockets'. At settings.unix_connections no further one is
 * tracked, counted as UNIX_FULL: those of a desktop must not crowd out TCP. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} unix_count SEC(".maps");

static __always_inline __u64 *unix_count_get(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&unix_count, &zero);
}

static __always_inline bool conn_is_unix(const struct conn_state *conn)
{
	return conn->tuple.family == AF_UNIX;
}

/* An address may have become another socket's; inode numbers come round after 2^32. */
static __always_inline bool unix_is_same(const struct conn_state *conn, const struct sock *sk,
					 const bool is_direct)
{
	return conn->inode == sock_inode(sk, is_direct);
}

static __always_inline bool unix_is_stream(const struct sock *sk)
{
	__u16 type = BPF_CORE_READ(sk, sk_type);

	return type == SOCK_STREAM || type == SOCK_SEQPACKET;
}

/* Built in the ring: the stack of those who call is long. */
static __always_inline void unix_tell_close(const struct conn_state *conn, const struct sock *sk)
{
	const __u32 size = sizeof(struct event_unix_close) + sizeof(struct conn_close_parts);
	struct event_unix_close *event;
	struct emission emission;

	event = emit_reserve(&emission, conn->ring, EVENT_UNIX_CLOSE, size);
	if (!event) {
		emit_count_lost(EVENT_UNIX_CLOSE, LOSS_RING_FULL);
		return;
	}
	emit_fill_header(&event->header, conn->tgid, EVENT_UNIX_CLOSE, size);
	conn_fill_ref(&event->conn, conn, sk);
	event->turn = conn->turn;
	event->opened_ns = conn->opened_ns;
	conn_fill_close((struct conn_close_parts *)(event + 1), conn);
	emit_submit(&emission, event, size);
}

/* End the entry that a socket's address has, if it is a Unix-domain socket's, and tell. */
static __noinline int unix_close(const struct sock *sk)
{
	struct conn_state *conn = conn_find(sk);
	struct process_state *process;
	__u64 key = (__u64)sk, *count;

	if (!conn || !conn_is_unix(conn) || conn->flags & CONN_CLOSED)
		return 0;
	conn->flags |= CONN_CLOSED;
	process = process_get(conn->tgid);
	if (process)
		conn_settle(conn, process);
	if (!process_is_ignored(conn->tgid))
		unix_tell_close(conn, sk);
	count = unix_count_get();
	if (!bpf_map_delete_elem(&conn_by_sock, &key) && count)
		__sync_fetch_and_add(count, -1ul);
	return 0;
}

#endif
