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

/* Key: where somebody listens, and a slot for each socket that does. Value: whose it is. Inserted and removed with the
 * listener. All slots taken, or full: counted as LISTEN_PORT_FULL; connections that nobody has accepted yet then belong
 * to another of the port's sockets, or to tgid 0. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, struct listen_port_key);
	__type(value, struct listen_port_owner);
} listener_by_port SEC(".maps");

static __always_inline struct listen_port_key listen_port_key(const struct sock *sk)
{
	struct listen_port_key key = {};

	key.netns = BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum);
	key.port = BPF_CORE_READ(sk, __sk_common.skc_num);
	return key;
}

static __always_inline void listen_fill_addr(__u8 addr[16], __u16 family, const struct sock *sk)
{
	if (family == AF_INET)
		BPF_CORE_READ_INTO((__be32 *)addr, sk, __sk_common.skc_rcv_saddr);
	else
		BPF_CORE_READ_INTO((struct in6_addr *)addr, sk, __sk_common.skc_v6_rcv_saddr);
}

/* How well a listening socket fits a local address: 0 not at all, 1 it takes any, 2 it has that one. */
static __always_inline __u32 listen_fit(const struct listen_port_owner *owner, __u16 family,
					const __u64 addr[2])
{
	const __u64 *bound = (const __u64 *)owner->addr;

	if (owner->family != family)
		return 0;
	if (bound[0] == addr[0] && bound[1] == addr[1])
		return 2;
	return !bound[0] && !bound[1];
}

/* Who listens where a connection has its local end; 0: nobody known. Of sockets that share one address any may be the
 * connection's, until accept tells. */
static __always_inline __u32 listener_tgid(const struct sock *sk)
{
	struct listen_port_key key = listen_port_key(sk);
	__u16 family = BPF_CORE_READ(sk, __sk_common.skc_family);
	__u32 tgid = 0, best = 0;
	__u64 addr[2] = {};

	listen_fill_addr((__u8 *)addr, family, sk);
	for (__u16 slot = 0; slot < LISTEN_SLOTS; slot++) {
		const struct listen_port_owner *owner;
		__u32 fit;

		key.slot = slot;
		owner = bpf_map_lookup_elem(&listener_by_port, &key);
		fit = owner ? listen_fit(owner, family, addr) : 0;
		if (fit <= best)
			continue;
		best = fit;
		tgid = owner->tgid;
		if (fit == 2)
			break;
	}
	return tgid;
}

static __always_inline void listen_port_insert(const struct sock *sk,
					       const struct listener_state *listener)
{
	struct listen_port_key key = listen_port_key(sk);
	struct listen_port_owner owner = { .sock = (__u64)sk,
					   .tgid = listener->tgid,
					   .family = listener->family };

	__builtin_memcpy(owner.addr, listener->addr, sizeof(owner.addr));
	for (__u16 slot = 0; slot < LISTEN_SLOTS; slot++) {
		key.slot = slot;
		if (!bpf_map_update_elem(&listener_by_port, &key, &owner, BPF_NOEXIST))
			return;
	}
	kernel_count(COUNTER_LISTEN_PORT_FULL);
}

static __always_inline void listen_port_remove(const struct sock *sk)
{
	struct listen_port_key key = listen_port_key(sk);

	for (__u16 slot = 0; slot < LISTEN_SLOTS; slot++) {
		const struct listen_port_owner *owner;

		key.slot = slot;
		owner = bpf_map_lookup_elem(&listener_by_port, &key);
		if (owner && owner->sock == (__u64)sk)
			bpf_map_delete_elem(&listener_by_port, &key);
	}
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
	struct listener_state listener = { .tgid = tgid };
	__u64 key = (__u64)sk;

	listener_read(&listener, sk);
	listener.first_drops = listener.drops;
	listener.family = BPF_CORE_READ(sk, __sk_common.skc_family);
	listen_fill_addr(listener.addr, listener.family, sk);
	listen_port_insert(sk, &listener);
	if (bpf_map_update_elem(&listener_by_sock, &key, &listener, BPF_ANY))
		kernel_count(COUNTER_LISTENER_TABLE_FULL);
}

static __always_inline void listener_remove(const struct sock *sk)
{
	__u64 key = (__u64)sk;

	bpf_map_delete_elem(&listener_by_sock, &key);
	listen_port_remove(sk);
}

#endif
