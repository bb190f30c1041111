// SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only)
/* Walks over what the kernel holds. Over the open sockets of every process, in every network namespace, once at start:
 * listeners, and connections that are older than sonde; two passes, because a connection's role may follow from the
 * listeners. Over all threads, and over the connections in our table, whenever somebody wants to know what waits in them. */
#include "lib/settings.bpf.h"

#include "walk_abi.h"

#include "lib/compat.bpf.h"
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

/* A task that ends gives what it waited to its process (taskstats_exit), if that had several: from then on it must not
 * be told for itself. Between its first mark and that it is told nowhere, for microseconds. */
static __always_inline void thread_delays(struct walked_thread *thread,
					  const struct task_struct *task)
{
	const struct signal_struct *process = task->signal;
	const struct taskstats *ended = NULL;

	if (bpf_core_field_exists(task->sched_info.run_delay) && !(task->flags & PF_EXITING))
		thread->run_delay_ns = task->sched_info.run_delay;
	if (!bpf_core_field_exists(process->stats) ||
	    !bpf_core_field_exists(ended->cpu_delay_total))
		return;
	thread->flags |= WALKED_ENDED_KEPT;
	ended = BPF_CORE_READ(process, stats);
	if (ended && thread->flags & WALKED_FIRST)
		thread->ended_delay_ns = BPF_CORE_READ(ended, cpu_delay_total);
}

static __always_inline __u64 thread_cgroup(const struct task_struct *task)
{
	const struct cgroup *cgroup = BPF_CORE_READ(task, cgroups, dfl_cgrp);

	return BPF_CORE_READ(cgroup, level) ? BPF_CORE_READ(cgroup, kn, id) : 0;
}

/* Where there is but one CPU, kernels without CONFIG_SMP do not note who has it: the walk itself does. */
static __always_inline bool thread_is_waiting(const struct task_struct *task)
{
	if (!compat_is_runnable(task) || task->flags & PF_EXITING)
		return false;
	return bpf_core_field_exists(task->on_cpu) ? !task->on_cpu :
						     task != (void *)bpf_get_current_task();
}

SEC("iter/task")
int walk_threads(struct bpf_iter__task *ctx)
{
	const struct task_struct *task = ctx->task;
	struct walked_thread thread = { 0 };

	if (!task || task->flags & PF_KTHREAD)
		return 0;
	thread.tgid = (__u32)task->tgid;
	if (task->pid == task->tgid) {
		thread.flags = WALKED_FIRST;
		thread.start_ns = task->start_boottime;
		thread.cgroup_id = thread_cgroup(task);
	}
	if (thread_is_waiting(task))
		thread.flags |= WALKED_WAITS;
	thread_delays(&thread, task);
	bpf_seq_write(ctx->meta->seq, &thread, sizeof(thread)); /* no room: the kernel asks again */
	return 0;
}

/* As tcp_receive_window() and __sk_stream_is_writeable() have it. A window of less than a segment is not used any more. */
static __always_inline __u32 queues_full(const struct sock *sk)
{
	const struct tcp_sock *tcp = (const struct tcp_sock *)sk;
	const struct inet_connection_sock *icsk = (const struct inet_connection_sock *)sk;
	__s32 window = (__s32)(BPF_CORE_READ(tcp, rcv_wup) + BPF_CORE_READ(tcp, rcv_wnd) -
			       BPF_CORE_READ(tcp, rcv_nxt));
	__s32 queued = BPF_CORE_READ(sk, sk_wmem_queued);
	__u32 flags = 0;

	if (window < (__s32)BPF_CORE_READ(icsk, icsk_ack.rcv_mss))
		flags |= WALKED_RECEIVED_FULL;
	if (BPF_CORE_READ(sk, sk_sndbuf) - queued < queued >> 1)
		flags |= WALKED_SENT_FULL;
	return flags;
}

/* Those of which nothing waits are left out: nearly all. */
SEC("iter/bpf_map_elem")
int walk_queues(struct bpf_iter__bpf_map_elem *ctx)
{
	const __u64 *key = ctx->key;
	const struct conn_state *conn = ctx->value;
	struct walked_queues queues = { 0 };
	const struct tcp_sock *tcp;

	if (!key || !conn || !conn->tgid || conn->tuple.family == AF_UNIX ||
	    (conn->tcp_state != TCP_ESTABLISHED && conn->tcp_state != TCP_CLOSE_WAIT))
		return 0;
	tcp = (const struct tcp_sock *)*key;
	queues.received_bytes = BPF_CORE_READ(tcp, rcv_nxt) - BPF_CORE_READ(tcp, copied_seq);
	queues.sent_bytes = BPF_CORE_READ(tcp, write_seq) - BPF_CORE_READ(tcp, snd_una);
	/* The two are read one after the other, and the reader may have gone past. */
	if ((__s32)queues.received_bytes < 0)
		queues.received_bytes = 0;
	if ((__s32)queues.sent_bytes < 0)
		queues.sent_bytes = 0;
	if (!queues.received_bytes && !queues.sent_bytes)
		return 0;
	queues.tgid = conn->tgid;
	queues.flags = queues_full((const struct sock *)tcp);
	bpf_seq_write(ctx->meta->seq, &queues, sizeof(queues));
	return 0;
}
