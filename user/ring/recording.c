/* SPDX-License-Identifier: Apache-2.0 */
/* Records: made, checked, and rid of what must not leave the machine. */
#include "ring/recording.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <zlib.h>

#define GAP_KIND 0
_Static_assert(EVENT_PROCESS_EXEC == 1, "kind 0 is free for gaps");

static size_t padded(size_t length)
{
	return (length + 7) & ~(size_t)7;
}

size_t recording_record_bytes(size_t event_bytes)
{
	return sizeof(struct recording_record) + padded(event_bytes);
}

void recording_header_make(const struct bpf_settings *settings, uint64_t realtime_ns,
			   uint64_t monotonic_ns, struct recording_header *ret_header)
{
	struct recording_header header = {
		.version = RECORDING_VERSION,
		.byte_order = RECORDING_BYTE_ORDER,
		.event_abi_version = EVENT_ABI_VERSION,
		.header_bytes = sizeof(header),
		.realtime_ns = realtime_ns,
		.monotonic_ns = monotonic_ns,
		.settings = {
			.prefix_bytes = settings->prefix_bytes,
			.error_events_per_second = settings->error_events_per_second,
			.count_expected_errors = settings->count_expected_errors,
			.sample_interval_ns = settings->sample_interval_ns,
		},
	};

	memcpy(header.magic, RECORDING_MAGIC, sizeof(header.magic));
	*ret_header = header;
}

const char *recording_header_fault(const void *bytes, size_t length)
{
	struct recording_header header;

	if (length < sizeof(header.magic) ||
	    memcmp(bytes, RECORDING_MAGIC, sizeof(header.magic)) != 0)
		return "this is no recording";
	if (length < sizeof(header))
		return "it ends inside its header";
	memcpy(&header, bytes, sizeof(header));
	if (header.byte_order != RECORDING_BYTE_ORDER)
		return "it was made on a machine of the other byte order";
	if (header.version != RECORDING_VERSION || header.header_bytes != sizeof(header))
		return "its format is of another version of sonde";
	if (header.event_abi_version != EVENT_ABI_VERSION)
		return "its events are of another version of sonde";
	return NULL;
}

/* Where conn_ref.sock is in an event of a kind, 0 where there is none. */
static size_t sock_offset(unsigned kind)
{
	static const size_t offsets[EVENT_KIND_COUNT] = {
		[EVENT_TCP_CONNECT] = offsetof(struct event_tcp_connect, conn.sock),
		[EVENT_TCP_ACCEPT] = offsetof(struct event_tcp_accept, conn.sock),
		[EVENT_TCP_CLOSE] = offsetof(struct event_tcp_close, conn.sock),
		[EVENT_TCP_SAMPLE] = offsetof(struct event_tcp_sample, conn.sock),
		[EVENT_TURN] = offsetof(struct event_turn, conn.sock),
		[EVENT_TURN_PROGRESS] = offsetof(struct event_turn_progress, conn.sock),
	};

	return kind < EVENT_KIND_COUNT ? offsets[kind] : 0;
}

static uint32_t checksum(uint32_t length, const void *event)
{
	uLong sum = crc32(0, (const Bytef *)&length, sizeof(length));

	return (uint32_t)crc32(sum, event, length);
}

int recording_record_make(const void *event, size_t length, void *buffer)
{
	struct recording_record record = { .length = (uint32_t)length };
	char *body = (char *)buffer + sizeof(record);
	struct event_header header;
	size_t sock;

	if (length < sizeof(header) || length > RECORDING_EVENT_MAX)
		return -EMSGSIZE;
	memcpy(body, event, length);
	memset(body + length, 0, padded(length) - length);
	memcpy(&header, event, sizeof(header));
	sock = sock_offset(header.kind);
	if (sock && sock + sizeof(uint64_t) <= length)
		memset(body + sock, 0, sizeof(uint64_t));
	record.crc32 = checksum(record.length, body);
	memcpy(buffer, &record, sizeof(record));
	return (int)recording_record_bytes(length);
}

static void read_gap(struct recording_view *view)
{
	struct recording_gap gap;

	if (view->length != sizeof(gap))
		return;
	memcpy(&gap, view->event, sizeof(gap));
	if (gap.header.kind == GAP_KIND)
		view->dropped = gap.dropped;
}

int recording_record_read(const void *bytes, size_t length, struct recording_view *ret_view)
{
	struct recording_record record;
	struct recording_view view = { .record_bytes = sizeof(record) };

	if (length >= sizeof(record)) {
		memcpy(&record, bytes, sizeof(record));
		if (record.length < sizeof(struct event_header) ||
		    record.length > RECORDING_EVENT_MAX)
			return -EBADMSG;
		view.record_bytes = recording_record_bytes(record.length);
	}
	if (length < view.record_bytes) {
		*ret_view = view;
		return -EAGAIN;
	}
	view.event = (const char *)bytes + sizeof(record);
	view.length = record.length;
	if (checksum(record.length, view.event) != record.crc32)
		return -EBADMSG;
	read_gap(&view);
	*ret_view = view;
	return 0;
}
