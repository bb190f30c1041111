/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* What system calls tell of Unix-domain stream sockets: that one is opened or used, and that its conversation is over. The
 * socket waits in the scratch, see lib/call.bpf.h for why. */
#ifndef SONDE_UNIX_CALL_BPF_H
#define SONDE_UNIX_CALL_BPF_H

#include "lib/fd.bpf.h"
#include "lib/turn_event.bpf.h"
#include "lib/unix.bpf.h"

/* The name that a socket is bound to; NULL: it is not. */
static __always_inline const struct unix_address *unix_address(const struct sock *sk)
{
	return sk ? BPF_CORE_READ((const struct unix_sock *)sk, addr) : NULL;
}

static __always_inline const struct sock *unix_peer(const struct sock *sk)
{
	return BPF_CORE_READ((const struct unix_sock *)sk, peer);
}

/* What accept returns has its listener's name (unix_stream_connect), who connects has none as a rule. */
static __always_inline __u8 unix_role(const struct sock *sk)
{
	bool is_named = unix_address(sk), is_peer_named = unix_address(unix_peer(sk));

	if (is_named == is_peer_named)
		return ROLE_UNKNOWN;
	return is_named ? ROLE_SERVER : ROLE_CLIENT;
}

static __always_inline void unix_tell_open(struct turn_scratch *scratch,
					   const struct conn_state *conn, const struct sock *sk)
{
	struct event_unix_open *event = (void *)scratch->call.bytes;
	const struct sock *serving = conn->role == ROLE_CLIENT ? unix_peer(sk) : sk;
	const struct unix_address *address = unix_address(serving);
	__u32 bytes = 0;

	if (address)
		bytes = (__u32)BPF_CORE_READ(address, len) - sizeof(__u16);
	if (bytes > UNIX_PATH_MAX)
		bytes = 0;
	barrier_var(bytes);
	bytes &= 127;
	if (bytes > UNIX_PATH_MAX ||
	    bpf_probe_read_kernel(event + 1, bytes, &address->name[0].sun_path))
		bytes = 0;
	emit_fill_header(&event->header, conn->tgid, EVENT_UNIX_OPEN,
			 (__u16)(sizeof(*event) + bytes));
	conn_fill_ref(&event->conn, conn, sk);
	event->path_bytes = (__u16)bytes;
	__builtin_memset(event->_pad, 0, sizeof(event->_pad));
	emit_copy(conn->ring, &event->header, sizeof(*event) + bytes);
}

/* Make the entry of the scratch's socket. role: ROLE_COUNT when neither connect nor accept was seen.
 * Returns 0 or -1 (no room, counted). */
__noinline int unix_open(__u32 tgid, __u32 role)
{
	struct turn_scratch *scratch = turn_scratch_get();
	__u64 *count = unix_count_get();
	struct conn_state *conn;
	const struct sock *sk;
	__u32 flags = 0;

	if (!scratch || !count)
		return -1;
	sk = scratch->sock;
	(void)unix_close(sk); /* what had the address before */
	if (*count >= settings.unix_connections) {
		kernel_count(COUNTER_UNIX_FULL);
		return -1;
	}
	if (role >= ROLE_COUNT) {
		role = unix_role(sk);
		flags = CONN_PREEXISTING;
	}
	if (scratch_insert_conn(tgid, role | flags << 8))
		return -1;
	__sync_fetch_and_add(count, 1);
	conn = conn_find(sk);
	if (conn)
		unix_tell_open(scratch, conn, sk);
	return 0;
}

/* connect or accept has returned this socket. */
static __always_inline int on_unix_opened(const struct sock *sk, __u32 tgid, __u32 role)
{
	struct turn_scratch *scratch = turn_scratch_get();

	if (!scratch || !unix_is_stream(sk))
		return 0;
	scratch->sock = sk;
	(void)unix_open(tgid, role);
	return 0;
}

/* A socket has told its process that there is an end: a read returned nothing (error 0), or failed, or a write did. Both
 * sides' entries end, unless the peer has only said that it will not ask more: the rest of its answer is still to come, and a
 * write that finds nobody leaves an answer to be read. */
static __always_inline int unix_end(const struct sock *sk, __u32 error)
{
	const struct sock *peer;
	struct conn_state *conn;
	bool is_dead;

	if (!error && !(BPF_CORE_READ(sk, sk_shutdown) & RCV_SHUTDOWN))
		return 0; /* asked for nothing */
	peer = unix_peer(sk);
	is_dead = !peer || BPF_CORE_READ(peer, __sk_common.skc_flags) & (1 << SOCK_DEAD);
	conn = conn_find(sk);
	if (!is_dead && (error == EPIPE || !conn || conn->role != ROLE_CLIENT))
		return 0;
	if (conn && error == ECONNRESET)
		conn->flags |= CONN_RESET_RECEIVED;
	if (peer)
		(void)unix_close(peer); /* the memory is not freed while its peer lives */
	if (error != EPIPE)
		(void)unix_close(sk);
	return 0;
}

/* The scratch's socket: a read found the end. */
__noinline int unix_ended(void)
{
	struct turn_scratch *scratch = turn_scratch_get();

	return scratch ? unix_end(scratch->sock, 0) : 0;
}

/* A call on a descriptor: a write that found nobody, a read that found the peer gone with bytes unread. */
__noinline int unix_failed(__u32 fd, __u32 error)
{
	const struct sock *sk = fd_sock(compat_task(), fd, false);

	if (!sk || sock_family(sk, false) != AF_UNIX ||
	    process_is_ignored((__u32)(bpf_get_current_pid_tgid() >> 32)))
		return 0;
	return unix_end(sk, error);
}

#endif
