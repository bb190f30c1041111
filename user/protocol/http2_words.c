/* SPDX-License-Identifier: Apache-2.0 */
/* See http2_words.h. */
#include "protocol/http2_words.h"

/* The least that every receiver must take, and the most that senders are told to send by nearly all. */
#define USUAL_LENGTH_MAX 16384

/* Bits of lengths[].stream. */
enum stream_rule {
	STREAM_ZERO = 1,
	STREAM_OWN = 2,
};

/* What a type demands. Source: RFC 9113 §6 */
static const struct {
	uint32_t least;
	uint32_t most;
	uint8_t streams; /* enum stream_rule */
	uint8_t flags;
	bool is_usual;
} rules[FRAME_TYPE_COUNT] = {
	[FRAME_DATA] = { 0, UINT32_MAX, STREAM_OWN, FLAG_END_STREAM | FLAG_PADDED, true },
	[FRAME_HEADERS] = { 1, UINT32_MAX, STREAM_OWN,
			    FLAG_END_STREAM | FLAG_END_HEADERS | FLAG_PADDED | FLAG_PRIORITY,
			    true },
	[FRAME_PRIORITY] = { 5, 5, STREAM_OWN, 0, true },
	[FRAME_RST_STREAM] = { 4, 4, STREAM_OWN, 0, true },
	[FRAME_SETTINGS] = { 0, UINT32_MAX, STREAM_ZERO, FLAG_ACK, true },
	[FRAME_PUSH_PROMISE] = { 4, UINT32_MAX, STREAM_OWN, FLAG_END_HEADERS | FLAG_PADDED, false },
	[FRAME_PING] = { 8, 8, STREAM_ZERO, FLAG_ACK, true },
	[FRAME_GOAWAY] = { 8, UINT32_MAX, STREAM_ZERO, 0, true },
	[FRAME_WINDOW_UPDATE] = { 4, 4, STREAM_ZERO | STREAM_OWN, 0, true },
	[FRAME_CONTINUATION] = { 0, UINT32_MAX, STREAM_OWN, FLAG_END_HEADERS, false },
};

void http2_frame_read(struct http2_frame *frame, const uint8_t header[HTTP2_FRAME_HEADER])
{
	*frame = (struct http2_frame){
		.length = (uint32_t)header[0] << 16 | (uint32_t)header[1] << 8 | header[2],
		.type = header[3],
		.flags = header[4],
		.stream = ((uint32_t)header[5] << 24 | (uint32_t)header[6] << 16 |
			   (uint32_t)header[7] << 8 | header[8]) &
			  0x7fffffff,
	};
}

bool http2_frame_is_legal(const struct http2_frame *frame)
{
	if (frame->type >= FRAME_TYPE_COUNT)
		return true; /* RFC 9113 §5.5: to be ignored */
	if (frame->length < rules[frame->type].least || frame->length > rules[frame->type].most)
		return false;
	if (frame->type == FRAME_SETTINGS &&
	    (frame->length % 6 || (frame->flags & FLAG_ACK && frame->length)))
		return false;
	return rules[frame->type].streams & (frame->stream ? STREAM_OWN : STREAM_ZERO);
}

bool http2_frame_is_usual(const struct http2_frame *frame)
{
	if (frame->type >= FRAME_TYPE_COUNT || !rules[frame->type].is_usual ||
	    frame->flags & ~rules[frame->type].flags || frame->length > USUAL_LENGTH_MAX)
		return false;
	if (frame->stream && !(frame->stream & 1)) /* pushed */
		return false;
	if (frame->type == FRAME_DATA && !frame->length && !(frame->flags & FLAG_END_STREAM))
		return false;
	return http2_frame_is_legal(frame);
}

/* Settings above are not in use. Source: IANA, HTTP/2 Settings */
#define SETTING_MAX 0x10
#define ERROR_CODE_MAX 0xd

bool http2_control_is_usual(const struct http2_frame *frame, const uint8_t *payload)
{
	switch (frame->type) {
	case FRAME_SETTINGS:
		return !frame->length || (!payload[0] && payload[1] && payload[1] <= SETTING_MAX);
	case FRAME_RST_STREAM:
		return http2_number_at(payload) <= ERROR_CODE_MAX;
	case FRAME_GOAWAY:
		return !(payload[0] & 0x80) && http2_number_at(payload + 4) <= ERROR_CODE_MAX;
	case FRAME_WINDOW_UPDATE:
		return http2_number_at(payload) && !(payload[0] & 0x80);
	default:
		return true;
	}
}

size_t http2_block_offset(const struct http2_frame *frame)
{
	return HTTP2_FRAME_HEADER + (frame->flags & FLAG_PADDED ? 1u : 0) +
	       (frame->flags & FLAG_PRIORITY ? 5u : 0);
}

/* The static table's first entries. Source: RFC 7541, appendix A */
enum http2_first_field http2_first_field(uint8_t first)
{
	uint8_t index = first & 0x7f;

	if (!(first & 0x80))
		index = first & 0x40 ? first & 0x3f : first & 0x20 ? 0 : first & 0x0f;
	if (index >= 1 && index <= 7)
		return FIELD_OF_REQUEST;
	return index >= 8 && index <= 14 ? FIELD_OF_ANSWER : FIELD_OF_EITHER;
}

const char *http2_error_name(uint32_t code)
{
	static const char *const names[] = {
		"NO_ERROR",
		"PROTOCOL_ERROR",
		"INTERNAL_ERROR",
		"FLOW_CONTROL_ERROR",
		"SETTINGS_TIMEOUT",
		"STREAM_CLOSED",
		"FRAME_SIZE_ERROR",
		"REFUSED_STREAM",
		"CANCEL",
		"COMPRESSION_ERROR",
		"CONNECT_ERROR",
		"ENHANCE_YOUR_CALM",
		"INADEQUATE_SECURITY",
		"HTTP_1_1_REQUIRED",
	};

	return code < sizeof(names) / sizeof(names[0]) ? names[code] : "_OTHER";
}

const char *grpc_status_name(unsigned status)
{
	static const char *const names[GRPC_STATUS_COUNT] = {
		"OK",
		"CANCELLED",
		"UNKNOWN",
		"INVALID_ARGUMENT",
		"DEADLINE_EXCEEDED",
		"NOT_FOUND",
		"ALREADY_EXISTS",
		"PERMISSION_DENIED",
		"RESOURCE_EXHAUSTED",
		"FAILED_PRECONDITION",
		"ABORTED",
		"OUT_OF_RANGE",
		"UNIMPLEMENTED",
		"INTERNAL",
		"UNAVAILABLE",
		"DATA_LOSS",
		"UNAUTHENTICATED",
	};

	return status < GRPC_STATUS_COUNT ? names[status] : NULL;
}

bool grpc_status_is_of_server(unsigned status)
{
	const unsigned statuses = 1u << 2 | 1u << 4 | 1u << 12 | 1u << 13 | 1u << 14 | 1u << 15;

	return status < GRPC_STATUS_COUNT && statuses >> status & 1;
}
