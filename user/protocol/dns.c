/* SPDX-License-Identifier: Apache-2.0 */
/* DNS over TCP: messages with their length before them (RFC 1035, section 4.2.2; RFC 7766), told apart and paired elsewhere. */
#include "protocol/dns.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config_abi.h"

#define PREFIX_BYTES 2
#define HEADER_BYTES 12
#define MESSAGE_MIN 17 /* a question for the root */
/* Longer messages are no proof: a name has 255 bytes; padding (RFC 8467) makes queries 468. */
#define SNIFFED_MAX 1024
#define LABEL_MAX 63

/* One direction. */
struct dns_stream {
	uint32_t have;	 /* bytes of the message, its length among them, that have come */
	uint32_t length; /* of the message without those two bytes; known when they are there */
	uint8_t head[PREFIX_BYTES + DATAGRAM_CAPTURE_MAX];
	struct dns_message message;
};

struct dns_state {
	struct dns_stream *streams; /* owned, SIDE_COUNT of them; NULL at first */
};

_Static_assert(sizeof(struct dns_state) <= PROTOCOL_STATE_MAX, "the state of a connection");

static unsigned read_u16(const uint8_t *bytes)
{
	return (unsigned)bytes[0] << 8 | bytes[1];
}

/* Any name may be asked for; those that are have letters and digits. */
static bool may_be_label_byte(uint8_t byte)
{
	return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
	       (byte >= '0' && byte <= '9') || byte == '-' || byte == '_' || byte == '*';
}

/* SNIFF_MORE: as far as it is there. */
static enum sniff_result sniff_first_label(const uint8_t *bytes, size_t length)
{
	if (!length)
		return SNIFF_MORE;
	if (bytes[0] > LABEL_MAX)
		return SNIFF_NO;
	for (size_t i = 1; i <= bytes[0]; i++) {
		if (i >= length)
			return SNIFF_MORE;
		if (!may_be_label_byte(bytes[i]))
			return SNIFF_NO;
	}
	return SNIFF_REQUEST;
}

/* The header's bytes in which a query, or an answer, has no choice. */
static bool may_be_header(const uint8_t *header, size_t length, bool is_answer)
{
	static const uint8_t query_mask[8] = { 0, 0, 0xfe, 0xcf, 0xff, 0xff, 0xff, 0xff };
	static const uint8_t answer_mask[8] = { 0, 0, 0xf8, 0x40, 0xff, 0xff };
	const uint8_t *mask = is_answer ? answer_mask : query_mask;

	for (size_t i = 2; i < 8 && i < length; i++) {
		uint8_t expected = i == 2 && is_answer ? 0x80 : i == 5 ? 1 : 0;

		if ((header[i] & mask[i]) != expected)
			return false;
	}
	return true;
}

static enum sniff_result dns_sniff(const uint8_t *bytes, size_t length)
{
	size_t message = length >= PREFIX_BYTES ? read_u16(bytes) : MESSAGE_MIN;
	const uint8_t *header = bytes + PREFIX_BYTES;
	size_t there = length > PREFIX_BYTES ? length - PREFIX_BYTES : 0;
	bool is_query = may_be_header(header, there, false);
	enum sniff_result result = SNIFF_MORE;

	if (message < MESSAGE_MIN || message > SNIFFED_MAX || (length && *bytes > SNIFFED_MAX >> 8))
		return SNIFF_NO;
	if (!is_query && !may_be_header(header, there, true))
		return SNIFF_NO;
	if (there > HEADER_BYTES)
		result = sniff_first_label(header + HEADER_BYTES, there - HEADER_BYTES);
	if (result == SNIFF_NO || (result == SNIFF_MORE && length < SNIFF_MAX))
		return result;
	return is_query ? SNIFF_REQUEST : SNIFF_RESPONSE;
}

/* Whether the message, or at least its length, is not yet there as a whole. */
static uint64_t missing(const struct dns_stream *stream)
{
	return stream->have < PREFIX_BYTES ? PREFIX_BYTES - stream->have :
					     stream->length + PREFIX_BYTES - stream->have;
}

/* Take the next bytes of the message under way, as many as it misses. Returns false when they were needed and are not there. */
static bool take(struct dns_stream *stream, struct protocol_run *run)
{
	uint64_t count = missing(stream);
	size_t room = sizeof(stream->head) > stream->have ? sizeof(stream->head) - stream->have : 0;

	if (count > run->length)
		count = run->length;
	if (!run->bytes && (room || stream->have < PREFIX_BYTES))
		return false;
	if (room)
		memcpy(stream->head + stream->have, run->bytes, count < room ? count : room);
	stream->have += (uint32_t)count;
	if (run->bytes)
		run->bytes += count;
	run->length -= count;
	return true;
}

static enum protocol_step end_message(struct dns_stream *stream)
{
	size_t captured =
		stream->length < DATAGRAM_CAPTURE_MAX ? stream->length : DATAGRAM_CAPTURE_MAX;
	int error = dns_message_read(stream->head + PREFIX_BYTES, captured, stream->length,
				     &stream->message);

	stream->have = 0;
	if (error == -ENOTSUP)
		return STEP_MORE;
	return error ? STEP_NOT_MINE : STEP_APART;
}

static enum protocol_step dns_parse(void *state_bytes, enum message_side side,
				    struct protocol_run *run, struct exchange_facts *facts)
{
	struct dns_state *state = state_bytes;
	enum protocol_step step = STEP_MORE;
	struct dns_stream *stream;

	(void)facts;
	if (!state->streams)
		state->streams = calloc(SIDE_COUNT, sizeof(*state->streams));
	if (!state->streams)
		return STEP_LOST;
	stream = &state->streams[side];
	while (run->length && step == STEP_MORE) {
		if (!take(stream, run))
			return STEP_LOST;
		if (stream->have == PREFIX_BYTES)
			stream->length = (uint32_t)read_u16(stream->head);
		if (stream->have >= PREFIX_BYTES && !missing(stream))
			step = end_message(stream);
	}
	return step;
}

static enum protocol_step dns_boundary(void *state_bytes, enum message_side side,
				       enum protocol_boundary boundary, uint64_t tail)
{
	struct dns_state *state = state_bytes;

	(void)tail;
	if (boundary == BOUNDARY_RESYNC && state->streams)
		state->streams[side].have = 0;
	return STEP_MORE;
}

static void dns_release(void *state_bytes)
{
	struct dns_state *state = state_bytes;

	free(state->streams);
	state->streams = NULL;
}

const struct dns_message *dns_newest_message(const void *state_bytes, enum message_side side)
{
	const struct dns_state *state = state_bytes;

	return &state->streams[side].message;
}

const struct protocol protocol_dns = {
	.name = "dns",
	.mode = MODE_STREAM,
	.state_bytes = sizeof(struct dns_state),
	.sniff = dns_sniff,
	.parse = dns_parse,
	.boundary = dns_boundary,
	.release = dns_release,
};
