/* SPDX-License-Identifier: Apache-2.0 */
/* Ring bytes to a typed, bounds-checked event: the first place that user code trusts a field. */
#ifndef SONDE_DECODE_EVENT_H
#define SONDE_DECODE_EVENT_H

#include <stddef.h>
#include <stdint.h>

#include "event_abi.h"

/* Everything is borrowed from the bytes given to event_decode. */
struct event {
	const struct event_header *header;
	union {
		const struct event_process_exec *process_exec;
		const struct event_process_fork *process_fork;
		const struct event_process_exit *process_exit;
		const struct event_tcp_connect *tcp_connect;
		const struct event_tcp_accept *tcp_accept;
		const struct event_tcp_close *tcp_close;
		const struct event_tcp_sample *tcp_sample;
		const struct event_turn *turn;
		const struct event_turn_progress *turn_progress;
		const struct event_syscall_error *syscall_error;
		const struct event_unix_open *unix_open;
		const struct event_unix_close *unix_close;
		const struct event_datagram *datagram;
		const struct event_thread_context *thread_context;
		const struct event_goroutine *goroutine;
		const struct event_thread *thread;
	};
	/* NULL: it has none, or is of an older recording. */
	const struct turn_figures *use; /* of a turn's call */
	const struct call_use *before;	/* of the newest call of the turn before */
	const struct call_use *newest;	/* of a turn's progress, or a close */
	const uint8_t *payload;		/* what follows */
	size_t payload_bytes;
};

/* Check one record.
 *
 * bytes    8-byte aligned, as rings and recordings hand them over; borrowed
 * length   may be more than the event's size: the kernel side reserves room in a few sizes only
 * Returns  0; -EBADMSG when a size or field is out of bounds; -ENOTSUP for a kind this version does not know
 * Source   headers/event_abi.h */
int event_decode(const void *bytes, size_t length, struct event *ret_event);

/* "turn", "tcp_connect" …; "unknown" for a number that is none. */
const char *event_kind_name(unsigned kind);

#endif
