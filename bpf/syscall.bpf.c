// SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only)
/* The one sys_exit program: every system call of the machine passes here, so what most calls need comes first.
 * Failed calls are counted; calls that move bytes of a TCP or Unix-domain stream socket become turns (lib/turn.bpf.h). */
#include "lib/settings.bpf.h"

#include <asm/unistd.h>

#include "lib/call.bpf.h"
#include "lib/conn.bpf.h"
#include "lib/fd.bpf.h"
#include "lib/process.bpf.h"
#include "lib/thread_errors.bpf.h"
#include "lib/turn.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define ERRNO_MAX 4095
#define SYSCALL_NR_MAX 512 /* power of two, above every number of x86-64 and arm64 */
/* No call's: rt_sigreturn leaves it, and the interrupted call's result, which is no failure of its own. */
#define SYSCALL_NR_NONE 0xffffffffu

/* What to do with a call that worked; 0 is every other call. */
static const __u8 call_kinds[SYSCALL_NR_MAX] = {
	[__NR_read] = SHAPE_BUFFER,
	[__NR_recvfrom] = SHAPE_BUFFER | CALL_FLAGS_IN_ARG3 | CALL_PEER_IN_ARG4,
	[__NR_readv] = SHAPE_VECTOR,
	[__NR_recvmsg] = SHAPE_MESSAGE | CALL_FLAGS_IN_ARG2,
	[__NR_recvmmsg] = SHAPE_MESSAGES | CALL_FLAGS_IN_ARG3,
	[__NR_write] = SHAPE_BUFFER | CALL_IS_WRITE,
	[__NR_sendto] = SHAPE_BUFFER | CALL_IS_WRITE | CALL_PEER_IN_ARG4,
	[__NR_writev] = SHAPE_VECTOR | CALL_IS_WRITE,
	[__NR_sendmsg] = SHAPE_MESSAGE | CALL_IS_WRITE,
	[__NR_sendmmsg] = SHAPE_MESSAGES | CALL_IS_WRITE,
	[__NR_sendfile] = SHAPE_NO_BUFFER | CALL_IS_WRITE,
	[__NR_splice] = SHAPE_SPLICE,
	[__NR_accept] = SHAPE_ACCEPT,
	[__NR_accept4] = SHAPE_ACCEPT,
	[__NR_connect] = SHAPE_CONNECT,
};

/* Key: who failed at what and how. Inserted here, removed by user space after the process is gone and the count
 * was read. Full: counted as ERROR_TABLE_FULL, so that the total stays exact. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, struct syscall_error_key);
	__type(value, __u64);
} syscall_errors SEC(".maps");

static __always_inline bool error_is_expected(__u32 error)
{
#define X(number, name) error == number ||
	return EXPECTED_ERRNOS(X) false;
#undef X
}

static __always_inline void error_count(const struct syscall_error_key *key)
{
	__u64 *count = bpf_map_lookup_elem(&syscall_errors, key), one = 1;

	if (!count) {
		if (!bpf_map_update_elem(&syscall_errors, key, &one, BPF_NOEXIST))
			return;
		count = bpf_map_lookup_elem(&syscall_errors,
					    key); /* another CPU was first, or full */
	}
	if (count)
		__sync_fetch_and_add(count, 1);
	else
		kernel_count(COUNTER_ERROR_TABLE_FULL);
}

/* At most error_events_per_second of a process go to the ring; the counts above miss none. */
static __always_inline bool error_may_emit(struct process_state *process)
{
	__u64 now = bpf_ktime_get_ns();

	if (now - process->limit_start_ns >= 1000000000ul) {
		process->limit_start_ns = now;
		process->limit_count = 0;
	}
	if (process->limit_count >= settings.error_events_per_second)
		return false;
	process->limit_count++; /* threads may race and send a few more; what is held back is counted exactly */
	return true;
}

static __always_inline void error_emit(const struct syscall_error_key *key, __u64 arg0)
{
	struct process_state *process = process_get(key->tgid);
	struct event_syscall_error event = {};

	if (!process || !settings.error_events_per_second)
		return;
	if (!error_may_emit(process)) {
		emit_count_lost(EVENT_SYSCALL_ERROR, LOSS_RATE_LIMITED);
		return;
	}
	emit_fill_header(&event.header, key->tgid, EVENT_SYSCALL_ERROR, sizeof(event));
	event.arg0 = arg0;
	event.tid = (__u32)bpf_get_current_pid_tgid();
	event.nr = key->nr;
	event.error = key->error;
	emit_copy(1 + (key->tgid & settings.shard_mask), &event.header, sizeof(event));
}

/* A connect that failed before a SYN could be sent leaves no trace in the socket's state. */
static __always_inline void on_connect_error(__u32 tgid, __u32 fd, __u32 error)
{
	struct event_tcp_connect event = {};
	struct conn_state *conn;
	struct sock *sk;
	__u64 key;

	if (error != 101 /* ENETUNREACH */ && error != 113 /* EHOSTUNREACH */ &&
	    error != 13 /* EACCES */ && error != 1 /* EPERM */ && error != 99 /* EADDRNOTAVAIL */)
		return;
	sk = fd_sock(compat_task(), fd, false);
	if (!sk || !sock_is_tcp(sk))
		return;
	key = (__u64)sk;
	conn = conn_find(sk);
	if (conn) { /* the state hook has told it; a second try on this socket starts afresh */
		if (conn->tcp_state == TCP_CLOSE)
			bpf_map_delete_elem(&conn_by_sock, &key);
		return;
	}
	event.outcome = error == 101 || error == 113 ? CONNECT_UNREACHABLE : CONNECT_OTHER;
	process_add(tgid, connects[event.outcome & 7], 1);
	emit_fill_header(&event.header, tgid, EVENT_TCP_CONNECT, sizeof(event));
	event.conn.sock = key;
	event.conn.role = ROLE_CLIENT;
	conn_fill_tuple(&event.conn.tuple, sk);
	event.error = (__s32)error;
	emit_copy(1 + (tgid & settings.shard_mask), &event.header, sizeof(event));
}

/* The number to count a failure under. */
static __always_inline __u16 error_nr(__u32 nr)
{
	__u32 number = nr & ~SYSCALL_X32_MARK;

	if (number >= SYSCALL_NR_BEYOND)
		return SYSCALL_NR_BEYOND;
	return (__u16)(number | (nr & SYSCALL_X32_MARK ? SYSCALL_X32_BIT : 0));
}

/* Of global linkage, see lib/call.bpf.h: its events also take no room on the stack of those who call more. */
__noinline int on_error(__u32 nr, __u32 error, __u64 arg0)
{
	__u32 tgid = (__u32)(bpf_get_current_pid_tgid() >> 32);
	struct syscall_error_key key = { .tgid = tgid, .nr = error_nr(nr), .error = (__u16)error };

	if (nr == SYSCALL_NR_NONE || process_is_ignored(tgid))
		return 0;
	if (key.nr & SYSCALL_X32_BIT) {
		process_add(tgid, compat_calls, 1);
	} else if (compat_is_32bit_call(compat_task())) {
		key.nr |= SYSCALL_COMPAT_BIT;
		process_add(tgid, compat_calls, 1);
	} else if (nr == __NR_connect) {
		on_connect_error(tgid, (__u32)arg0, error);
	}
	if (error_is_expected(error)) {
		if (settings.count_expected_errors)
			error_count(&key);
		return 0;
	}
	error_count(&key);
	thread_error_note((__u32)bpf_get_current_pid_tgid(), key.nr, key.error);
	error_emit(&key, arg0);
	return 0;
}

/* The descriptor that accept returned leads to a connection that the state hook has seen arrive. */
static __always_inline int on_accept(const struct task_struct *task, __u32 tgid, __u32 fd,
				     const bool is_direct)
{
	struct sock *sk = fd_sock(task, fd, is_direct);
	struct event_tcp_accept event = {};
	struct conn_state *conn;

	if (!sk)
		return 0;
	conn = conn_find(sk);
	if (!conn || conn_is_unix(conn)) {
		if (sock_family(sk, is_direct) == AF_UNIX)
			return on_unix_opened(sk, tgid, ROLE_SERVER);
		if (!sock_is_tcp(sk) ||
		    scratch_open_conn(sk, tgid, ROLE_SERVER, CONN_PREEXISTING, TCP_ESTABLISHED))
			return 0;
		conn = conn_find(sk);
		if (!conn)
			return 0;
	}
	conn->tgid = tgid;
	process_add(tgid, accepts, 1);
	emit_fill_header(&event.header, tgid, EVENT_TCP_ACCEPT, sizeof(event));
	conn_fill_ref(&event.conn, conn, sk);
	event.established_ns = conn->opened_ns;
	emit_copy(conn->ring, &event.header, sizeof(event));
	return 0;
}

/* The descriptor of a call that returned 0: a connect that worked, or a read that found the end. Only of Unix-domain sockets
 * nobody else tells. */
static __always_inline int on_zero(const struct call *call, const struct task_struct *task,
				   __u32 tgid, const bool is_direct)
{
	struct turn_scratch *scratch = turn_scratch_get();
	const struct sock *sk;

	if (call->kind & CALL_IS_WRITE)
		return 0;
	sk = fd_sock(task, (__u32)call->args[0], is_direct);
	if (!sk || !scratch || sock_family(sk, is_direct) != AF_UNIX)
		return 0;
	if (call->kind == SHAPE_CONNECT)
		return on_unix_opened(sk, tgid, ROLE_CLIENT);
	scratch->sock = sk;
	return unix_ended();
}

static __always_inline int on_success(__u32 nr, long ret, const struct pt_regs *regs,
				      const bool is_direct)
{
	const struct task_struct *task;
	__u32 tgid;
	__u64 id;
	struct call call = { .bytes = (__u64)ret };

	call.kind = call_kinds[nr & (SYSCALL_NR_MAX - 1)];
	if (!call.kind)
		return 0;
	task = compat_task();
	id = compat_task_id(task);
	tgid = (__u32)(id >> 32);
	if (process_is_ignored(tgid))
		return 0;
	if (compat_is_32bit_call(task)) { /* other registers, other structs: counted apart */
		process_add(tgid, compat_calls, 1);
		return 0;
	}
	if (call.kind == SHAPE_ACCEPT)
		return on_accept(task, tgid, (__u32)ret, is_direct);
	call.args[0] = REGS_READ(regs, REGS_ARG0, is_direct);
	if (!ret)
		return on_zero(&call, task, tgid, is_direct);
	call.args[1] = REGS_READ(regs, REGS_ARG1, is_direct);
	call.args[2] = REGS_READ(regs, REGS_ARG2, is_direct);
	call.args[3] = REGS_READ(regs, REGS_ARG3, is_direct);
	return on_transfer(&call, task, id, regs, is_direct);
}

static __always_inline int on_exit(__u64 nr, long ret, const struct pt_regs *regs,
				   const bool is_direct)
{
	if (ret < 0) {
		if (ret < -ERRNO_MAX)
			return 0;
		if (ret == -EPIPE || ret == -ECONNRESET)
			(void)unix_failed((__u32)REGS_READ(regs, REGS_ARG0, is_direct),
					  (__u32)-ret);
		if (ret == -ECONNREFUSED && nr != __NR_connect)
			(void)datagram_refused((__u32)REGS_READ(regs, REGS_ARG0, is_direct),
					       (__u32)(bpf_get_current_pid_tgid() >> 32));
		return on_error((__u32)nr, (__u32)-ret, REGS_READ(regs, REGS_ARG0, is_direct));
	}
	if (nr >= SYSCALL_NR_MAX)
		return 0;
	return on_success((__u32)nr, ret, regs, is_direct);
}

SEC("tp_btf/sys_exit")
int BPF_PROG(exit__tp_btf, struct pt_regs *regs, long ret)
{
	return on_exit((__u64)regs->REGS_SYSCALL_NR, ret, regs, true);
}

/* A perf tracepoint: dearer, but run with preemption off on every kernel (probe.bpf.c). */
SEC("tp/raw_syscalls/sys_exit")
int exit__tp(struct trace_event_raw_sys_exit *ctx)
{
	const struct pt_regs *regs = (const void *)bpf_task_pt_regs(bpf_get_current_task_btf());

	return on_exit((__u64)ctx->id, ctx->ret, regs, true);
}

SEC("raw_tp/sys_exit")
int BPF_PROG(exit__raw_tp, struct pt_regs *regs, long ret)
{
	return on_exit((__u64)BPF_CORE_READ(regs, REGS_SYSCALL_NR), ret, regs, false);
}
