/* SPDX-License-Identifier: Apache-2.0 */
/* Where a frame begins: on a new connection after the preface, on one that is older than we are, or after a loss, where
 * the bytes look like it. */
#include <string.h>

#include "protocol/http2_state.h"

/* Frames in a row, each where the one before says that it ends, that prove it in the middle of bytes. */
#define AGREED_MIN 3

/* Of gRPC, before each message: whether it is compressed, and its length. */
#define GRPC_PREFIX 5

void http2_seek_begin(struct http2_side *side, bool is_first_try)
{
	side->is_seeking = true;
	side->is_first_try = is_first_try;
	side->agreed = 0;
	side->kept = 0;
	side->place = IN_HEADER;
}

/* A first try that begins with DATA waits for what follows: too much else looks like that, and DATA of a stream whose header was
 * not seen is of no use. */
bool http2_seek(struct http2_side *side, bool *ret_is_wrong)
{
	http2_frame_read(&side->frame, side->bytes);
	if (!http2_frame_is_usual(&side->frame)) {
		*ret_is_wrong = side->is_first_try && side->agreed;
		side->is_first_try = false;
		side->agreed = 0;
		side->kept = HTTP2_FRAME_HEADER - 1;
		memmove(side->bytes, side->bytes + 1, side->kept);
		return false;
	}
	if (side->agreed < AGREED_MIN)
		side->agreed++;
	if (side->is_first_try ? side->frame.type != FRAME_DATA : side->agreed == AGREED_MIN) {
		side->is_seeking = false;
		return true;
	}
	side->left = side->frame.length;
	side->ends_stream = false;
	side->place = IN_REST;
	return false;
}

/* A turn that begins with HEADERS shows who asks by the first field. */
static enum sniff_result sniff_headers(const struct http2_frame *frame, const uint8_t *bytes,
				       size_t length)
{
	size_t block = http2_block_offset(frame);

	if (!(frame->flags & FLAG_END_HEADERS) || block >= HTTP2_FRAME_HEADER + frame->length)
		return SNIFF_NO;
	if (length <= block)
		return SNIFF_MORE;
	switch (http2_first_field(bytes[block])) {
	case FIELD_OF_REQUEST:
		return SNIFF_REQUEST;
	case FIELD_OF_ANSWER:
		return SNIFF_RESPONSE;
	default:
		return SNIFF_EITHER;
	}
}

/* The beginning of many a binary protocol looks like the header of DATA: proof is what it holds, when that is one message of gRPC, or
 * the frame behind it. */
static enum sniff_result sniff_data(const struct http2_frame *frame, const uint8_t *bytes,
				    size_t length)
{
	const uint8_t *payload = bytes + HTTP2_FRAME_HEADER;
	size_t next = HTTP2_FRAME_HEADER + frame->length;
	struct http2_frame behind;

	if (length < HTTP2_FRAME_HEADER + GRPC_PREFIX)
		return SNIFF_MORE;
	if (frame->length > GRPC_PREFIX && payload[0] <= 1 &&
	    http2_number_at(payload + 1) == frame->length - GRPC_PREFIX)
		return SNIFF_EITHER;
	if (next + HTTP2_FRAME_HEADER > SNIFF_MAX)
		return SNIFF_NO;
	if (length < next + HTTP2_FRAME_HEADER)
		return SNIFF_MORE;
	http2_frame_read(&behind, bytes + next);
	return http2_frame_is_usual(&behind) ? SNIFF_EITHER : SNIFF_NO;
}

enum sniff_result http2_sniff(const uint8_t *bytes, size_t length)
{
	static const uint8_t preface[] = HTTP2_PREFACE;
	struct http2_frame frame;
	size_t wanted;

	if (memcmp(bytes, preface, length < HTTP2_PREFACE_BYTES ? length : HTTP2_PREFACE_BYTES) ==
	    0)
		return length < HTTP2_PREFACE_BYTES ? SNIFF_MORE : SNIFF_REQUEST;
	if (bytes[0] || (length > 1 && bytes[1] > 0x40) ||
	    (length > 3 && bytes[3] >= FRAME_TYPE_COUNT))
		return SNIFF_NO;
	if (length < HTTP2_FRAME_HEADER)
		return SNIFF_MORE;
	http2_frame_read(&frame, bytes);
	if (!http2_frame_is_usual(&frame))
		return SNIFF_NO;
	if (frame.type == FRAME_HEADERS)
		return sniff_headers(&frame, bytes, length);
	if (frame.type == FRAME_DATA)
		return sniff_data(&frame, bytes, length);
	wanted = HTTP2_FRAME_HEADER + (frame.length < CONTROL_SHOWN ? frame.length : CONTROL_SHOWN);
	if (length < wanted)
		return SNIFF_MORE;
	return http2_control_is_usual(&frame, bytes + HTTP2_FRAME_HEADER) ? SNIFF_EITHER : SNIFF_NO;
}
