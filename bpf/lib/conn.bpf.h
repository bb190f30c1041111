/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* The table of connections, TCP's and those of Unix-domain stream sockets (lib/unix.bpf.h), and the bodies that make, describe and end its entries. */
#ifndef SONDE_CONN_BPF_H
#define SONDE_CONN_BPF_H

#include "lib/compat.bpf.h"
#include "lib/emit.bpf.h"
#include "lib/process.bpf.h"

/* Key: address of struct sock. TCP: inserted at SYN_SENT, at ESTABLISHED out of a listener, by the walk over open
 * sockets, or at the first call on a socket nobody knows. Removed when the kernel destroys the socket
 * (tcp_destroy_sock). Full: the connection is not tracked, counted as CONN_TABLE_FULL. Unix: lib/unix.bpf.h. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, __u64);
	__type(value, struct conn_state);
} conn_by_sock SEC(".maps");

static __always_inline struct conn_state *conn_find(const struct sock *sk)
{
	__u64 key = (__u64)sk;

	return bpf_map_lookup_elem(&conn_by_sock, &key);
}

static __always_inline __u16 sock_family(const struct sock *sk, const bool is_direct)
{
	if (COMPAT_HAS_CAST && is_direct)
		return sk->__sk_common.skc_family;
	return BPF_CORE_READ(sk, __sk_common.skc_family);
}

/* IPPROTO_TCP …; 0: no socket of IPv4 or IPv6. */
static __always_inline __u32 sock_ip_protocol(const struct sock *sk, __u16 family)
{
	return family == AF_INET || family == AF_INET6 ? BPF_CORE_READ(sk, sk_protocol) : 0;
}

static __always_inline bool sock_is_tcp(const struct sock *sk)
{
	return sock_ip_protocol(sk, BPF_CORE_READ(sk, __sk_common.skc_family)) == IPPROTO_TCP;
}

/* An IPv4 connection of an IPv6 socket has its addresses in IPv4-mapped form in the IPv6 fields. */
static __always_inline void conn_fill_tuple(struct conn_tuple *tuple, const struct sock *sk)
{
	__u16 family = BPF_CORE_READ(sk, __sk_common.skc_family);
	__be16 dport = BPF_CORE_READ(sk, __sk_common.skc_dport);

	tuple->family = family;
	if (family == AF_UNIX)
		return;
	tuple->local_port = BPF_CORE_READ(sk, __sk_common.skc_num);
	tuple->remote_port = (__u16)(dport << 8 | dport >> 8);
	if (family == AF_INET) {
		BPF_CORE_READ_INTO((__be32 *)tuple->local_addr, sk, __sk_common.skc_rcv_saddr);
		BPF_CORE_READ_INTO((__be32 *)tuple->remote_addr, sk, __sk_common.skc_daddr);
	} else {
		BPF_CORE_READ_INTO((struct in6_addr *)tuple->local_addr, sk,
				   __sk_common.skc_v6_rcv_saddr);
		BPF_CORE_READ_INTO((struct in6_addr *)tuple->remote_addr, sk,
				   __sk_common.skc_v6_daddr);
	}
}

static __always_inline __u32 sock_write_seq(const struct sock *sk, const bool is_direct)
{
	if (COMPAT_HAS_CAST && is_direct)
		return COMPAT_CAST(sk, struct tcp_sock)->write_seq;
	return BPF_CORE_READ((const struct tcp_sock *)sk, write_seq);
}

/* Of a socket's file; 0: the socket is dead. What was freed may be anything by now, but for the number. */
static __always_inline __u32 sock_inode(const struct sock *sk, const bool is_direct)
{
	const struct socket_alloc *around;

	if (COMPAT_HAS_CAST && is_direct)
		return (__u32)COMPAT_CAST(sk->sk_socket, struct socket_alloc)->vfs_inode.i_ino;
	around = (const void *)BPF_CORE_READ(sk, sk_socket);
	return (__u32)BPF_CORE_READ(around, vfs_inode.i_ino);
}

/* Make the entry of a socket, or make it anew, in `conn`, which is zeroed.
 * Returns 0 or -1 (table full, counted). */
static __always_inline int conn_insert_by(struct conn_state *conn, const struct sock *sk,
					  __u32 tgid, __u32 role_flags_state)
{
	__u64 key = (__u64)sk, now = bpf_ktime_get_ns();

	/* No two sockets are opened on one CPU in one nanosecond. */
	conn->conn_id = now << 8 | (bpf_get_smp_processor_id() & 0xff);
	conn->sampled_ns = now;
	conn->tgid = tgid;
	conn->role = (__u8)role_flags_state;
	conn->flags = (__u8)(role_flags_state >> 8);
	conn->tcp_state = (__u8)(role_flags_state >> 16);
	if (conn->tcp_state == TCP_SYN_SENT)
		conn->connect_tid = (__u32)bpf_get_current_pid_tgid();
	conn->opened_ns = conn->flags & CONN_PREEXISTING ? 0 : now;
	/* Any choice will do as long as it stays; not the address: the verifier forbids its arithmetic. */
	conn->ring = (__u16)(1 + ((__u32)(now >> 10) & settings.shard_mask));
	conn_fill_tuple(&conn->tuple, sk);
	if (conn->tuple.family == AF_UNIX)
		conn->inode = sock_inode(sk, false);
	else
		conn->write_seq = sock_write_seq(sk, false);
	if (bpf_map_update_elem(&conn_by_sock, &key, conn, BPF_ANY)) {
		kernel_count(COUNTER_CONN_TABLE_FULL);
		return -1;
	}
	return 0;
}

/* Not inlined: the value is 184 bytes of stack. */
static __noinline int conn_insert(const struct sock *sk, __u32 tgid, __u32 role_flags_state)
{
	struct conn_state conn = {};

	return conn_insert_by(&conn, sk, tgid, role_flags_state);
}

static __always_inline int conn_open(const struct sock *sk, __u32 tgid, __u8 role, __u8 flags,
				     __u8 tcp_state)
{
	return conn_insert(sk, tgid, role | (__u32)flags << 8 | (__u32)tcp_state << 16);
}

/* By words: the struct's own alignment of 2 makes clang copy it in twenty steps. */
static __always_inline void conn_copy_tuple(struct conn_tuple *to, const struct conn_tuple *from)
{
	struct words {
		__u64 word[sizeof(struct conn_tuple) / 8];
	} __attribute__((may_alias));

	*(struct words *)to = *(const struct words *)from;
}

/* Role and flags in one word, which zeroes what is behind them. */
static __always_inline void conn_copy_role(struct conn_ref *ref, const struct conn_state *conn)
{
	typedef __u32 __attribute__((may_alias)) word;
	_Static_assert(__builtin_offsetof(struct conn_ref, flags) ==
				       __builtin_offsetof(struct conn_ref, role) + 1 &&
			       __builtin_offsetof(struct conn_ref, _pad) ==
				       __builtin_offsetof(struct conn_ref, role) + 2 &&
			       __builtin_offsetof(struct conn_state, flags) ==
				       __builtin_offsetof(struct conn_state, role) + 1,
		       "one word each");

	*(word *)&ref->role = *(const word *)&conn->role & 0xffff;
}

static __always_inline void conn_fill_ref(struct conn_ref *ref, const struct conn_state *conn,
					  const struct sock *sk)
{
	ref->conn_id = conn->conn_id;
	ref->sock = (__u64)sk;
	conn_copy_tuple(&ref->tuple, &conn->tuple);
	conn_copy_role(ref, conn);
	ref->turn_no = conn->turn_no;
}

/* Of the newest call; tid 0: an event had it. */
static __always_inline void conn_fill_newest(struct call_use *newest, const struct conn_state *conn)
{
	*newest = conn->untold;
	if (!conn->has_untold)
		newest->thread.tid = 0;
}

/* What stands behind the struct of a close. */
struct conn_close_parts {
	struct close_positions positions;
	struct call_use newest;
};

static __always_inline void conn_fill_close(struct conn_close_parts *parts,
					    const struct conn_state *conn)
{
	parts->positions.position[DIR_READ] = conn->position[DIR_READ];
	parts->positions.position[DIR_WRITE] = conn->position[DIR_WRITE];
	conn_fill_newest(&parts->newest, conn);
}

static __always_inline void conn_read_stats(struct tcp_stats *stats, const struct sock *sk)
{
	const struct tcp_sock *tcp = (const struct tcp_sock *)sk;
	__u64 received = BPF_CORE_READ(tcp, bytes_received);

	/* The kernel counts the peer's FIN as a byte. */
	if (received && BPF_CORE_READ(sk, __sk_common.skc_flags) & (1 << SOCK_DONE))
		received--;
	stats->bytes_received = received;
	stats->bytes_sent = BPF_CORE_READ(tcp, bytes_sent) - BPF_CORE_READ(tcp, bytes_retrans);
	stats->srtt_us = BPF_CORE_READ(tcp, srtt_us) >> 3;
	stats->min_rtt_us = BPF_CORE_READ(tcp, rtt_min.s[0].v);
	if (stats->min_rtt_us == ~0u)
		stats->min_rtt_us = 0;
	stats->retransmits = BPF_CORE_READ(tcp, total_retrans);
	stats->_pad = 0;
}

/* Add to the owner's total the exchanges that the connection has kept back, in this order: user space reads processes, then
 * connections, and may miss some for a moment but counts none twice. */
static __always_inline void conn_settle(struct conn_state *conn, struct process_state *process)
{
	__u64 exchanges = conn->exchanges;
	__u32 role = conn->role;

	barrier_var(role);
	if (!exchanges || role >= ROLE_COUNT)
		return;
	__sync_fetch_and_add(&process->exchanges[role], exchanges);
	__sync_fetch_and_add(&conn->exchanges, -exchanges);
}

/* Add to the owner's totals what moved since the last time. */
static __always_inline void conn_account(struct conn_state *conn, const struct tcp_stats *stats)
{
	struct process_state *process = process_get(conn->tgid);

	if (!process)
		return;
	if (stats->bytes_sent > conn->bytes_sent)
		__sync_fetch_and_add(&process->bytes_sent, stats->bytes_sent - conn->bytes_sent);
	if (stats->bytes_received > conn->bytes_received)
		__sync_fetch_and_add(&process->bytes_received,
				     stats->bytes_received - conn->bytes_received);
	conn_settle(conn, process);
	conn->bytes_sent = stats->bytes_sent;
	conn->bytes_received = stats->bytes_received;
}

#endif
