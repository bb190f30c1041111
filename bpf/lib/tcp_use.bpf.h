/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* What the kernel counts of each TCP connection anyway: read, not hooked. */
#ifndef SONDE_TCP_USE_BPF_H
#define SONDE_TCP_USE_BPF_H

#include "lib/compat.bpf.h"

/* enum tcp_chrono (include/linux/tcp.h): one of these runs at a time, or none. */
#define CHRONO_RWND_LIMITED 2
#define CHRONO_SNDBUF_LIMITED 3

static __always_inline const struct tcp_sock *tcp_of(const struct sock *sk)
{
	return COMPAT_CAST(sk, struct tcp_sock);
}

/* How long the one that runs has: it is not in the sums yet. */
static __always_inline __u32 tcp_limited_ticks(const struct tcp_sock *tcp)
{
	__u32 start = COMPAT_HAS_CAST ? tcp->chrono_start : BPF_CORE_READ(tcp, chrono_start);

	return (__u32)bpf_jiffies64() - start;
}

/* Written a word at a time. */
static __always_inline void tcp_use_read(struct tcp_use *use, const struct sock *sk)
{
	const struct tcp_sock *tcp = tcp_of(sk);
	__u32 stat[3] = {}, running;

	if (COMPAT_HAS_CAST) {
		use->retransmits = tcp->total_retrans;
		use->srtt_us = tcp->srtt_us >> 3;
		stat[CHRONO_RWND_LIMITED - 1] = tcp->chrono_stat[CHRONO_RWND_LIMITED - 1];
		stat[CHRONO_SNDBUF_LIMITED - 1] = tcp->chrono_stat[CHRONO_SNDBUF_LIMITED - 1];
		running = (__u32)BPF_CORE_READ_BITFIELD(tcp, chrono_type);
	} else {
		use->retransmits = BPF_CORE_READ(tcp, total_retrans);
		use->srtt_us = BPF_CORE_READ(tcp, srtt_us) >> 3;
		BPF_CORE_READ_INTO(&stat, tcp, chrono_stat);
		running = (__u32)BPF_CORE_READ_BITFIELD_PROBED(tcp, chrono_type);
	}
	if (running == CHRONO_RWND_LIMITED)
		stat[CHRONO_RWND_LIMITED - 1] += tcp_limited_ticks(tcp);
	else if (running == CHRONO_SNDBUF_LIMITED)
		stat[CHRONO_SNDBUF_LIMITED - 1] += tcp_limited_ticks(tcp);
	use->rwnd_limited_us = stat[CHRONO_RWND_LIMITED - 1] * settings.tick_us;
	use->sndbuf_limited_us = stat[CHRONO_SNDBUF_LIMITED - 1] * settings.tick_us;
}

/* How long the newest bytes have been there: not tcp_mstamp, which the acknowledgement that a read sends refreshes. */
static __always_inline __u32 tcp_waited_ticks(const struct sock *sk)
{
	const struct inet_connection_sock *icsk = COMPAT_CAST(sk, struct inet_connection_sock);
	__u32 received =
		COMPAT_HAS_CAST ? icsk->icsk_ack.lrcvtime : BPF_CORE_READ(icsk, icsk_ack.lrcvtime);

	return (__u32)bpf_jiffies64() - received;
}

#endif
