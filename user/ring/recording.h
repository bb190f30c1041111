/* SPDX-License-Identifier: Apache-2.0 */
/* The form of a recording: a header, then records of one event each. Pure.
 *
 * Numbers are in the byte order of the machine that wrote it; `byte_order` tells a reader that has another.
 * Versions: 1 first. */
#ifndef SONDE_RING_RECORDING_H
#define SONDE_RING_RECORDING_H

#include <stddef.h>
#include <stdint.h>

#include "config_abi.h"
#include "event_abi.h"

#define RECORDING_MAGIC "SONDERNG"
#define RECORDING_VERSION 1
#define RECORDING_BYTE_ORDER 0x01020304u
#define RECORDING_EVENT_MAX                                                     \
	(sizeof(struct event_turn) + sizeof(struct turn_figures) + PREFIX_MAX + \
	 sizeof(struct call_use))

/* What the kernel side was told that shapes its events: a copy, so that recordings do not change with bpf_settings. */
struct recording_settings {
	uint32_t prefix_bytes;
	uint32_t error_events_per_second;
	uint32_t count_expected_errors;
	uint32_t _pad;
	uint64_t sample_interval_ns;
};

struct recording_header {
	char magic[8]; /* RECORDING_MAGIC, not terminated */
	uint32_t version;
	uint32_t byte_order;
	uint32_t event_abi_version;
	uint32_t header_bytes; /* of this struct: records begin there */
	uint64_t realtime_ns; /* CLOCK_REALTIME and CLOCK_MONOTONIC at one instant, to date the events */
	uint64_t monotonic_ns;
	struct recording_settings settings;
};
_Static_assert(sizeof(struct recording_header) == 64, "recordings stay readable");

/* In front of each event, which is padded with zeros to a multiple of 8. */
struct recording_record {
	uint32_t length; /* of the event, padding not counted */
	uint32_t crc32;	 /* zlib's, of the event and of `length` */
};
_Static_assert(sizeof(struct recording_record) == 8, "recordings stay readable");

/* Stands among the events (header.kind 0, which is no event) where some could not be recorded. */
struct recording_gap {
	struct event_header header; /* ktime_ns and tgid are 0 */
	uint64_t dropped;	    /* events missing here */
};
_Static_assert(sizeof(struct recording_gap) == 24, "recordings stay readable");

/* Room that a record takes; at most RECORDING_RECORD_MAX. */
size_t recording_record_bytes(size_t event_bytes);
#define RECORDING_RECORD_MAX \
	(sizeof(struct recording_record) + ((RECORDING_EVENT_MAX + 7) & ~(size_t)7))

void recording_header_make(const struct bpf_settings *settings, uint64_t realtime_ns,
			   uint64_t monotonic_ns, struct recording_header *ret_header);

/* What is wrong with a header, or NULL. length: bytes there are. */
const char *recording_header_fault(const void *bytes, size_t length);

/* Write one record. Kernel addresses (conn_ref.sock) are replaced by 0.
 *
 * buffer   RECORDING_RECORD_MAX bytes
 * Returns  bytes written; -EMSGSIZE when the event is shorter than its header or longer than RECORDING_EVENT_MAX */
int recording_record_make(const void *event, size_t length, void *buffer);

/* One record, looked at where it lies. */
struct recording_view {
	const void *event; /* borrowed, as aligned as the bytes given */
	size_t length;
	size_t record_bytes; /* to the next record */
	uint64_t dropped;    /* it is a gap: no event */
};

/* Look at the record that `bytes` begin with.
 *
 * Returns  0; -EAGAIN when more bytes are needed (ret_view->record_bytes of them, as far as is known);
 *          -EBADMSG when it is none */
int recording_record_read(const void *bytes, size_t length, struct recording_view *ret_view);

#endif
