// SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only)
/* What user space asks of the kernel side. The program is never attached: user space runs it with
 * BPF_PROG_TEST_RUN (raw tracepoints: since 5.10), because writing a map value from user space would replace the
 * whole value and lose what hooks added meanwhile. */
#include "lib/settings.bpf.h"

#include "lib/conn.bpf.h"
#include "lib/listener.bpf.h"
#include "lib/process.bpf.h"
#include "lib/thread_place.bpf.h"
#include "lib/thread_waits.bpf.h"
#include "lib/unix.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

static __always_inline int set_conn_mode(const struct sock *sk, __u64 conn_id, __u64 mode)
{
	struct conn_state *conn = conn_find(sk);

	if (!conn || conn->conn_id != conn_id || mode >= MODE_COUNT)
		return -1; /* closed, and its address used again */
	conn->mode = (__u8)mode;
	return 0;
}

/* What was said meanwhile is unknown: another identity, which no turn of before can be taken for part of. */
static __always_inline int renew_conn(const struct sock *sk, __u64 conn_id)
{
	struct conn_state *conn, *old = conn_find(sk);
	struct process_state *process;
	struct tcp_stats stats = {};

	if (!old || old->conn_id != conn_id)
		return -1;
	if (conn_is_unix(old)) /* its next call makes one that says its path */
		return unix_close(sk);
	process = process_get(old->tgid);
	if (process)
		conn_settle(old, process);
	if (conn_open(sk, old->tgid, old->role, old->flags | CONN_PREEXISTING, old->tcp_state))
		return -1;
	conn = conn_find(sk);
	if (!conn)
		return -1;
	conn_read_stats(&stats, sk);
	conn->bytes_sent = stats.bytes_sent;
	conn->bytes_received = stats.bytes_received;
	return 0;
}

static __always_inline int set_process_flags(__u32 tgid, __u64 flags)
{
	struct process_state *process;

	if (!process_find(tgid) && process_insert(tgid))
		return -1; /* full; tgid 0 stands for all that found no room and is not to be marked */
	process = process_find(tgid);
	if (!process)
		return -1;
	process_set_flags(process, tgid, (__u32)flags);
	return 0;
}

static __always_inline int read_listener(const struct sock *sk)
{
	struct listener_state *listener = listener_find(sk);

	if (!listener)
		return -1;
	listener_read(listener, sk);
	return 0;
}

static __always_inline int check_unix(const struct sock *sk, __u64 conn_id)
{
	struct conn_state *conn = conn_find(sk);

	if (!conn || conn->conn_id != conn_id || !conn_is_unix(conn))
		return -1;
	return unix_is_same(conn, sk, false) ? 0 : unix_close(sk);
}

/* Returns 0, or -1 when the key is not there. */
SEC("raw_tp/control")
int BPF_PROG(control, __u64 op, __u64 key, __u64 id, __u64 value)
{
	switch (op) {
	case CONTROL_CONN_MODE:
		return set_conn_mode((const struct sock *)key, id, value);
	case CONTROL_PROCESS_FLAGS:
		return set_process_flags((__u32)key, value);
	case CONTROL_LISTENER_READ:
		return read_listener((const struct sock *)key);
	case CONTROL_CONN_RENEW:
		return renew_conn((const struct sock *)key, id);
	case CONTROL_UNIX_CHECK:
		return check_unix((const struct sock *)key, id);
	case CONTROL_THREAD_PLACE:
		return thread_place_set((__u32)key, (__s64)id, value);
	}
	return -1;
}
