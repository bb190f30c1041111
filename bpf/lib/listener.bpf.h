/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* Listening sockets, so that drops and queue lengths have an owner. */
#ifndef SONDE_LISTENER_BPF_H
#define SONDE_LISTENER_BPF_H

#include "lib/emit.bpf.h"

/* Key: address of struct sock. Inserted at listen or by the walk over open sockets; removed when the socket
 * leaves LISTEN. Full: the listener is not tracked, counted as LISTENER_TABLE_FULL. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __u64);
	__type(value, struct listener_state);
} listener_by_sock SEC(".maps");

static __always_inline struct listener_state *listener_find(const struct sock *sk)
{
	__u64 key = (__u64)sk;

	return bpf_map_lookup_elem(&listener_by_sock, &key);
}

static __always_inline void listener_read(struct listener_state *listener, const struct sock *sk)
{
	listener->drops = (__u32)BPF_CORE_READ(sk, sk_drops.counter);
	listener->backlog = BPF_CORE_READ(sk, sk_ack_backlog);
	listener->backlog_max = BPF_CORE_READ(sk, sk_max_ack_backlog);
	listener->port = BPF_CORE_READ(sk, __sk_common.skc_num);
}

static __always_inline void listener_insert(const struct sock *sk, __u32 tgid)
{
	struct listener_state listener = { .tgid = tgid };
	__u64 key = (__u64)sk;

	listener_read(&listener, sk);
	listener.first_drops = listener.drops;
	listener.family = BPF_CORE_READ(sk, __sk_common.skc_family);
	if (listener.family == AF_INET)
		BPF_CORE_READ_INTO((__be32 *)listener.addr, sk, __sk_common.skc_rcv_saddr);
	else
		BPF_CORE_READ_INTO((struct in6_addr *)listener.addr, sk,
				   __sk_common.skc_v6_rcv_saddr);
	if (bpf_map_update_elem(&listener_by_sock, &key, &listener, BPF_ANY))
		kernel_count(COUNTER_LISTENER_TABLE_FULL);
}

#endif
