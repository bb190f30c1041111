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

/* The one that runs is not in the sums yet. By arithmetic: each branch would double what the verifier has to follow. */
static __always_inline void tcp_use_set_limited(struct tcp_use *use, __u32 rwnd, __u32 sndbuf,
						__u32 start, __u32 running)
{
	__u32 ticks = (__u32)bpf_jiffies64() - start;

	barrier_var(running);
	_Static_assert(CHRONO_RWND_LIMITED == 2 && CHRONO_SNDBUF_LIMITED == 3,
		       "the upper of two bits, and which of the two");
	rwnd += ticks & -(running >> 1 & ~running & 1);
	sndbuf += ticks & -(running >> 1 & running & 1);
	use->rwnd_limited_us = rwnd * settings.tick_us;
	use->sndbuf_limited_us = sndbuf * settings.tick_us;
}

/* Written a word at a time. */
static __always_inline void tcp_use_read(struct tcp_use *use, const struct sock *sk)
{
	const struct tcp_sock *tcp = tcp_of(sk);
	__u32 stat[3] = {}, start, running;

	if (COMPAT_HAS_CAST) {
		use->retransmits = tcp->total_retrans;
		use->srtt_us = tcp->srtt_us >> 3;
		stat[CHRONO_RWND_LIMITED - 1] = tcp->chrono_stat[CHRONO_RWND_LIMITED - 1];
		stat[CHRONO_SNDBUF_LIMITED - 1] = tcp->chrono_stat[CHRONO_SNDBUF_LIMITED - 1];
		start = tcp->chrono_start;
		running = (__u32)BPF_CORE_READ_BITFIELD(tcp, chrono_type);
	} else {
		use->retransmits = BPF_CORE_READ(tcp, total_retrans);
		use->srtt_us = BPF_CORE_READ(tcp, srtt_us) >> 3;
		BPF_CORE_READ_INTO(&stat, tcp, chrono_stat);
		start = BPF_CORE_READ(tcp, chrono_start);
		running = (__u32)BPF_CORE_READ_BITFIELD_PROBED(tcp, chrono_type);
	}
	tcp_use_set_limited(use, stat[CHRONO_RWND_LIMITED - 1], stat[CHRONO_SNDBUF_LIMITED - 1],
			    start, running);
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
