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

/* Key: where somebody listens. Value: tgid of who does. Inserted with the listener, removed with it; of several
 * sockets on one port the last one counts. Full: connections that nobody accepted belong to tgid 0. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, struct listen_port_key);
	__type(value, __u32);
} listener_by_port SEC(".maps");

static __always_inline struct listen_port_key listen_port_key(const struct sock *sk)
{
	struct listen_port_key key = {};

	key.netns = BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum);
	key.port = BPF_CORE_READ(sk, __sk_common.skc_num);
	return key;
}

/* Who listens on the local port of a connection; 0: nobody known. */
static __always_inline __u32 listener_tgid(const struct sock *sk)
{
	struct listen_port_key key = listen_port_key(sk);
	__u32 *tgid = bpf_map_lookup_elem(&listener_by_port, &key);

	return tgid ? *tgid : 0;
}

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
	struct listen_port_key port = listen_port_key(sk);
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
	bpf_map_update_elem(&listener_by_port, &port, &tgid, BPF_ANY);
	if (bpf_map_update_elem(&listener_by_sock, &key, &listener, BPF_ANY))
		kernel_count(COUNTER_LISTENER_TABLE_FULL);
}

static __always_inline void listener_remove(const struct sock *sk)
{
	struct listen_port_key port = listen_port_key(sk);
	__u64 key = (__u64)sk;

	bpf_map_delete_elem(&listener_by_sock, &key);
	bpf_map_delete_elem(&listener_by_port, &port);
}

#endif
