// SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only)
/* A walk over the open sockets of every process, in every network namespace, once at start: listeners, and
 * connections that are older than sonde. Two passes, because a connection's role may follow from the listeners. */
#include "lib/settings.bpf.h"

#include "lib/conn.bpf.h"
#include "lib/fd.bpf.h"
#include "lib/listener.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* The TCP socket this step of the walk is at, or NULL. */
static __always_inline struct sock *walk_sock(struct bpf_iter__task_file *ctx, __u32 *ret_tgid)
{
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	struct sock *sk;

	if (!task || !file)
		return NULL;
	*ret_tgid = (__u32)BPF_CORE_READ(task, tgid);
	sk = file_sock(file);
	if (!sk || !sock_is_tcp(sk))
		return NULL;
	return sk;
}

SEC("iter/task_file")
int walk_listeners(struct bpf_iter__task_file *ctx)
{
	__u32 tgid;
	struct sock *sk = walk_sock(ctx, &tgid);

	if (!sk || BPF_CORE_READ(sk, __sk_common.skc_state) != TCP_LISTEN)
		return 0;
	if (!listener_find(sk))
		listener_insert(sk, tgid);
	return 0;
}

/* How many of its numbers a socket has had confirmed that were no payload: SYN, which only who connects has counted in
 * bytes_acked (a listener's child begins behind its own: tcp_create_openreq_child), and FIN. */
static __always_inline __u64 bare_numbers(const struct sock *sk)
{
	const struct tcp_sock *tcp = (const struct tcp_sock *)sk;
	__u64 sent = BPF_CORE_READ(tcp, bytes_sent) - BPF_CORE_READ(tcp, bytes_retrans);
	__u32 in_flight = BPF_CORE_READ(tcp, snd_nxt) - BPF_CORE_READ(tcp, snd_una);

	return BPF_CORE_READ(tcp, bytes_acked) + in_flight - sent;
}

/* The role of a connection that was there before us. A listener's child has its parent's backlog, which no other socket
 * ever gets (sk_clone copies it). What neither proves is left open: the first message will tell. */
static __always_inline __u8 role_of(const struct sock *sk, __u8 state)
{
	bool has_fin = state != TCP_ESTABLISHED && state != TCP_CLOSE_WAIT;

	if (BPF_CORE_READ(sk, sk_max_ack_backlog) || listener_tgid(sk))
		return ROLE_SERVER;
	return bare_numbers(sk) == (has_fin ? 2 : 1) ? ROLE_CLIENT : ROLE_UNKNOWN;
}

SEC("iter/task_file")
int walk_connections(struct bpf_iter__task_file *ctx)
{
	struct conn_state *conn;
	__u32 tgid;
	struct sock *sk = walk_sock(ctx, &tgid);
	__u8 state;

	if (!sk)
		return 0;
	state = BPF_CORE_READ(sk, __sk_common.skc_state);
	if (state != TCP_ESTABLISHED && state != TCP_CLOSE_WAIT && state != TCP_FIN_WAIT1 &&
	    state != TCP_FIN_WAIT2)
		return 0;
	conn = conn_find(sk);
	if (conn)
		return 0;
	conn_open(sk, tgid, role_of(sk, state), CONN_PREEXISTING, state);
	return 0;
}
