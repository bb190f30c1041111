/* SPDX-License-Identifier: Apache-2.0 */
/* Names for the numbers of HTTP/2 and gRPC, and its frames' headers. */
#ifndef SONDE_PROTOCOL_HTTP2_WORDS_H
#define SONDE_PROTOCOL_HTTP2_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HTTP2_FRAME_HEADER 9

/* RFC 9113 §6 */
enum http2_frame_type {
	FRAME_DATA,
	FRAME_HEADERS,
	FRAME_PRIORITY,
	FRAME_RST_STREAM,
	FRAME_SETTINGS,
	FRAME_PUSH_PROMISE,
	FRAME_PING,
	FRAME_GOAWAY,
	FRAME_WINDOW_UPDATE,
	FRAME_CONTINUATION,
	FRAME_TYPE_COUNT,
};

enum http2_flag {
	FLAG_END_STREAM = 0x01, /* DATA, HEADERS */
	FLAG_ACK = 0x01,	/* SETTINGS, PING */
	FLAG_END_HEADERS = 0x04,
	FLAG_PADDED = 0x08,
	FLAG_PRIORITY = 0x20,
};

struct http2_frame {
	uint32_t length; /* of the payload */
	uint32_t stream;
	uint8_t type;
	uint8_t flags;
};

void http2_frame_read(struct http2_frame *frame, const uint8_t header[HTTP2_FRAME_HEADER]);

/* Whether the rules allow it. */
bool http2_frame_is_legal(const struct http2_frame *frame);

/* Whether it looks like what clients and servers send: for where it is not sure that a frame begins. */
bool http2_frame_is_usual(const struct http2_frame *frame);

/* Whether the payload of a usual frame other than DATA and HEADERS may be one: its first bytes, as many as it has up to
 * CONTROL_SHOWN. */
#define CONTROL_SHOWN 8
bool http2_control_is_usual(const struct http2_frame *frame, const uint8_t *payload);

static inline uint32_t http2_number_at(const uint8_t *bytes)
{
	return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 |
	       bytes[3];
}

/* Bytes between a header block's start and the frame's, as its flags say. */
size_t http2_block_offset(const struct http2_frame *frame);

/* Which side says a field that begins so. */
enum http2_first_field {
	FIELD_OF_EITHER,
	FIELD_OF_REQUEST, /* :authority, :method, :path, :scheme */
	FIELD_OF_ANSWER,  /* :status */
};
enum http2_first_field http2_first_field(uint8_t first);

/* Static; "_OTHER" for a code that RFC 9113 §7 has not. */
const char *http2_error_name(uint32_t code);

#define GRPC_STATUS_COUNT 17

/* Static: "OK", "CANCELLED" …; NULL: no status. Source: grpc.io, "Status codes and their use in gRPC" */
const char *grpc_status_name(unsigned status);

/* Statuses that are the server's failure; others are the caller's. Source: OpenTelemetry semantic conventions for gRPC */
bool grpc_status_is_of_server(unsigned status);

#endif
