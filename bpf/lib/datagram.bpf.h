/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* Calls on UDP sockets: each datagram that looks like DNS becomes an event. UDP has no turns and no connections, and every
 * other user of it (QUIC, statsd, video) shall hardly notice: what decides are the first eight bytes of a datagram, read at
 * once, in which DNS has more zeros than others. Ports play no part: resolvers listen on others than 53 too, and the port
 * of a datagram on a socket that is not connected would cost more reads than those bytes. */
#ifndef SONDE_DATAGRAM_BPF_H
#define SONDE_DATAGRAM_BPF_H

#include "lib/call.bpf.h"
#include "lib/conn.bpf.h"
#include "lib/fd.bpf.h"
#include "lib/process.bpf.h"
#include "lib/turn_event.bpf.h"

/* Datagrams of one recvmmsg or sendmmsg that are looked at; the rest counts as DATAGRAMS_BEYOND when one of them was DNS.
 * NSD, which asks for the most, asks for 100 (NUM_RECV_PER_SELECT). */
#define DATAGRAMS_LOOK_MAX 128

#define ECONNREFUSED 111

#define DNS_HEADER 12
#define DNS_MESSAGE_MIN 17 /* with a question for the root */

/* Identifier, flags, QDCOUNT and ANCOUNT of a DNS header (RFC 1035, section 4.1.1) as a little-endian word: an ordinary query
 * for one name, or an answer to one; errors may leave out the question. */
static __always_inline bool dns_begins(__u64 word, __u64 bytes)
{
	__u32 flags = (__u32)(word >> 16) & 0xffff, counts = (__u32)(word >> 32);

	if (bytes < DNS_HEADER || flags & 0x4078) /* Z, opcode */
		return false;
	if (!(flags & 0x0080)) /* QR; a query has no AA, TC, RA, RCODE nor answers */
		return !(flags & 0x8f06) && counts == 0x0100 && bytes >= DNS_MESSAGE_MIN;
	if ((counts & 0xffff) == 0x0100)
		return bytes >= DNS_MESSAGE_MIN;
	return !counts && flags & 0x0f00;
}

/* The other end as the caller names it, or was told it; `name` is an address in its memory. */
static __always_inline void datagram_read_peer(struct conn_tuple *tuple, __u64 name)
{
	struct user_sockaddr peer;

	if (!name || bpf_probe_read_user(&peer, sizeof(peer), (const void *)name))
		return;
	if (peer.family == AF_INET6) {
		if (bpf_probe_read_user(tuple->remote_addr, sizeof(tuple->remote_addr),
					(const void *)(name + sizeof(peer))))
			return;
	} else if (peer.family != AF_INET) {
		return;
	} else if (tuple->family == AF_INET) {
		__builtin_memcpy(tuple->remote_addr, peer.addr, sizeof(peer.addr));
	} else { /* IPv4-mapped, RFC 4291 */
		tuple->remote_addr[10] = 0xff;
		tuple->remote_addr[11] = 0xff;
		__builtin_memcpy(tuple->remote_addr + 12, peer.addr, sizeof(peer.addr));
	}
	tuple->remote_port = (__u16)(peer.port << 8 | peer.port >> 8);
}

/* The payload lies behind the scratch's event, which has room for a larger one than this. */
static __always_inline struct event_datagram *datagram_event(struct turn_scratch *scratch)
{
	_Static_assert(sizeof(struct event_datagram) <= sizeof(struct event_turn) &&
			       __builtin_offsetof(struct turn_scratch, call.bytes) ==
				       TURN_EVENT_BYTES,
		       "directly before the payload");
	return (struct event_datagram *)&scratch->call - 1;
}

static __always_inline __u32 datagram_capture(struct turn_scratch *scratch, __u32 want)
{
	if ((scratch->call.call.kind & SHAPE_MASK) == SHAPE_BUFFER)
		return call_copy(&scratch->call, 0, want, scratch->call.call.args[1]);
	return (__u32)call_capture_vector((__u32)call_load_vector(), want, 0);
}

/* Send the datagram in the scratch's call; peer: see datagram_read_peer. Of global linkage, like those below: see
 * lib/call.bpf.h. */
__noinline int datagram_send(__u32 tgid, __u64 peer)
{
	struct turn_scratch *scratch = turn_scratch_get();
	struct event_datagram *event;
	const struct sock *sk;
	__u32 captured, size;
	__u64 bytes;

	if (!scratch)
		return 0;
	sk = scratch->sock;
	event = datagram_event(scratch);
	bytes = scratch->call.call.bytes;
	captured = datagram_capture(scratch, bytes < DATAGRAM_CAPTURE_MAX ? (__u32)bytes :
									    DATAGRAM_CAPTURE_MAX);
	if ((scratch->call.call.kind & SHAPE_MASK) == SHAPE_MESSAGE)
		peer = scratch->call.message.name;
	size = sizeof(*event) + captured;
	emit_fill_header(&event->header, tgid, EVENT_DATAGRAM, (__u16)size);
	event->socket = sock_inode(sk, false);
	__builtin_memset(&event->tuple, 0, sizeof(event->tuple));
	conn_fill_tuple(&event->tuple, sk);
	if (!event->tuple.remote_port)
		datagram_read_peer(&event->tuple, peer);
	event->bytes = (__u32)bytes;
	event->captured = (__u16)captured;
	event->dir = scratch->call.call.kind & CALL_IS_WRITE ? DIR_WRITE : DIR_READ;
	event->_pad = 0;
	barrier_var(size);
	if (size <= sizeof(*event) + DATAGRAM_CAPTURE_MAX)
		emit_copy(1 + ((__u32)event->socket & settings.shard_mask), &event->header, size);
	return 1;
}

/* One of several datagrams of a call; `message` is its struct mmsghdr. Returns whether it was DNS. */
__noinline int datagram_take_message(__u32 tgid, __u64 message)
{
	const struct user_mmsghdr *header = (const void *)message;
	struct turn_scratch *scratch = turn_scratch_get();
	__u32 bytes;

	if (!scratch || bpf_probe_read_user(&bytes, sizeof(bytes), &header->length) ||
	    !dns_begins(call_first_bytes(SHAPE_MESSAGE, message), bytes))
		return 0;
	scratch->call.call.kind = (scratch->call.call.kind & CALL_IS_WRITE) | SHAPE_MESSAGE;
	scratch->call.call.args[1] = message;
	scratch->call.call.bytes = bytes;
	return datagram_send(tgid, 0);
}

__noinline int datagram_take_messages(__u32 tgid, __u64 messages, __u64 count)
{
	__u32 found = 0;

	for (__u32 i = 0; i < DATAGRAMS_LOOK_MAX; i++) {
		if (i >= count)
			break;
		found += (__u32)datagram_take_message(tgid,
						      messages + i * sizeof(struct user_mmsghdr));
	}
	if (found && count > DATAGRAMS_LOOK_MAX)
		kernel_count_more(COUNTER_DATAGRAMS_BEYOND, count - DATAGRAMS_LOOK_MAX);
	return 0;
}

/* A call on a UDP socket. messages: what it returned; peer: its fifth argument, where that is an address. */
static __always_inline int on_datagrams(const struct call *call, __u64 messages,
					const struct sock *sk, __u32 tgid, __u64 peer)
{
	struct turn_scratch *scratch;
	__u32 shape = (__u32)call->kind & SHAPE_MASK;
	bool is_several = shape == SHAPE_MESSAGES;

	if (!is_several && !dns_begins(call_first_bytes(call->kind, call->args[1]), call->bytes))
		return 0;
	scratch = turn_scratch_get();
	if (!scratch)
		return 0;
	scratch->call.call = *call;
	scratch->sock = sk;
	if (is_several)
		datagram_take_messages(tgid, call->args[1], messages);
	else
		datagram_send(tgid, call->kind & CALL_PEER_IN_ARG4 ? peer : 0);
	return 0;
}

/* A call on a descriptor has failed because an earlier datagram found nobody who listens (ICMP port unreachable). Told as a
 * datagram of no bytes, of connected sockets only: of others nobody knows who was meant. */
__noinline int datagram_refused(__u32 fd, __u32 tgid)
{
	struct turn_scratch *scratch = turn_scratch_get();
	const struct sock *sk = fd_sock(compat_task(), fd, false);
	struct event_datagram *event;

	if (!sk || !scratch || process_is_ignored(tgid) ||
	    sock_ip_protocol(sk, sock_family(sk, false)) != IPPROTO_UDP)
		return 0;
	event = datagram_event(scratch);
	__builtin_memset(event, 0, sizeof(*event));
	emit_fill_header(&event->header, tgid, EVENT_DATAGRAM, sizeof(*event));
	conn_fill_tuple(&event->tuple, sk);
	if (!event->tuple.remote_port)
		return 0;
	event->socket = sock_inode(sk, false);
	event->dir = DIR_READ;
	emit_copy(1 + ((__u32)event->socket & settings.shard_mask), &event->header, sizeof(*event));
	return 0;
}

#endif
