/* SPDX-License-Identifier: Apache-2.0 */
/* WebSocket (RFC 6455) after the Upgrade: frames are counted as messages, by type, with the bytes of their payload as they
 * are on the wire. Of payload only the code of a close frame is looked at. */
#include <string.h>

#include "config_abi.h"
#include "protocol/protocol.h"

#define HEADER_MAX 14 /* with the longest length and a mask */
#define CONTROL_PAYLOAD_MAX 125
#define CODE_BYTES 2

enum opcode {
	OPCODE_CONTINUATION = 0x0,
	OPCODE_TEXT = 0x1,
	OPCODE_BINARY = 0x2,
	OPCODE_CLOSE = 0x8,
	OPCODE_PING = 0x9,
	OPCODE_PONG = 0xa,
	OPCODE_COUNT = 0x10,
};

static const char *const type_names[OPCODE_COUNT] = {
	[OPCODE_TEXT] = "text", [OPCODE_BINARY] = "binary", [OPCODE_CLOSE] = "close",
	[OPCODE_PING] = "ping", [OPCODE_PONG] = "pong",
};

struct websocket_side {
	uint64_t frame_bytes; /* of the payload */
	uint64_t left;	      /* of it */
	uint64_t bytes;	      /* payload of the message under way, up to this frame */
	uint8_t header[HEADER_MAX];
	uint8_t header_bytes; /* read so far */
	uint8_t opcode;	      /* of the message under way; 0: none */
	uint8_t code[CODE_BYTES];
	uint8_t code_bytes;
	bool is_in_payload;
};

struct websocket_state {
	struct websocket_side sides[SIDE_COUNT];
	bool is_compressed; /* and that has been told */
};
_Static_assert(sizeof(struct websocket_state) <= PROTOCOL_STATE_MAX, "raise PROTOCOL_STATE_MAX");

static bool is_control(unsigned opcode)
{
	return opcode & 0x8;
}

static unsigned opcode_of(const struct websocket_side *side)
{
	return side->header[0] & 0x0f;
}

/* How long the header is, as far as its first bytes say. */
static size_t header_length(const struct websocket_side *side)
{
	unsigned length = side->header[1] & 0x7f;

	if (side->header_bytes < 2)
		return 2;
	return 2u +
	       (length == 126 ? 2u :
		length == 127 ? 8u :
				0u) +
	       (side->header[1] & 0x80 ? 4u : 0u);
}

static uint64_t payload_length(const struct websocket_side *side)
{
	unsigned length = side->header[1] & 0x7f, bytes = length == 127 ? 8 : 2;
	uint64_t number = 0;

	if (length < 126)
		return length;
	for (unsigned i = 0; i < bytes; i++)
		number = number << 8 | side->header[2 + i];
	return number;
}

/* RFC 6455 §5.2 and §5.5. RSV1 is the one extension in use: compression (RFC 7692). */
static bool is_sound(const struct websocket_side *side)
{
	unsigned opcode = opcode_of(side);
	bool is_final = side->header[0] & 0x80;

	if (side->header[0] & 0x30 || side->frame_bytes > INT64_MAX)
		return false;
	if (opcode == OPCODE_CONTINUATION)
		return side->opcode && !(side->header[0] & 0x40);
	if (!type_names[opcode])
		return false;
	if (is_control(opcode))
		return is_final && side->frame_bytes <= CONTROL_PAYLOAD_MAX;
	return !side->opcode;
}

static enum protocol_step begin_frame(struct websocket_state *state, struct websocket_side *side,
				      struct exchange_facts *facts)
{
	side->frame_bytes = side->left = payload_length(side);
	if (!is_sound(side))
		return STEP_BROKEN;
	side->is_in_payload = true;
	side->code_bytes = 0;
	if (is_control(opcode_of(side)))
		return STEP_COUNT;
	if (opcode_of(side) != OPCODE_CONTINUATION) {
		side->opcode = (uint8_t)opcode_of(side);
		side->bytes = 0;
	}
	if (side->header[0] & 0x40 && !state->is_compressed) {
		state->is_compressed = true;
		facts->outcomes |= 1ull << PARSE_COMPRESSED;
	}
	return STEP_COUNT;
}

static enum protocol_step in_header(struct websocket_state *state, struct websocket_side *side,
				    struct protocol_run *run, struct exchange_facts *facts)
{
	if (!run->length)
		return STEP_MORE;
	if (!run->bytes)
		return STEP_LOST;
	side->header[side->header_bytes++] = *run->bytes++;
	run->length--;
	return side->header_bytes < header_length(side) ? STEP_COUNT :
							  begin_frame(state, side, facts);
}

/* The code is masked like all payload of clients; the mask ends the header. */
static void keep_code(struct websocket_side *side, const struct protocol_run *run, uint64_t length)
{
	const uint8_t *mask = side->header + side->header_bytes - 4;

	for (uint64_t i = 0; run->bytes && i < length && side->code_bytes < CODE_BYTES; i++) {
		uint8_t byte = run->bytes[i];

		if (side->header[1] & 0x80)
			byte ^= mask[side->code_bytes];
		side->code[side->code_bytes++] = byte;
	}
}

/* RFC 6455 §7.4 and its registry; what applications make up is one. */
static const char *code_label(const struct websocket_side *side)
{
	static const char *const labels[] = { "1000", "1001", "1002", "1003", "1004",
					      "1005", "1006", "1007", "1008", "1009",
					      "1010", "1011", "1012", "1013", "1014" };
	unsigned code = (unsigned)side->code[0] << 8 | side->code[1];

	if (side->code_bytes < CODE_BYTES)
		return side->frame_bytes ? "other" : "1005"; /* none was sent */
	if (code < 1000 || code - 1000 >= sizeof(labels) / sizeof(labels[0]))
		return code >= 3000 && code < 5000 ? "application" : "other";
	return labels[code - 1000];
}

static enum protocol_step end_frame(struct websocket_side *side, enum message_side which,
				    struct exchange_facts *facts)
{
	unsigned opcode = opcode_of(side);
	bool is_final = side->header[0] & 0x80;

	side->is_in_payload = false;
	side->header_bytes = 0;
	if (!is_control(opcode)) {
		side->bytes += side->frame_bytes;
		if (!is_final)
			return STEP_COUNT;
		opcode = side->opcode;
		side->opcode = 0;
	}
	facts->message_type = type_names[opcode];
	facts->sides[which].body_bytes = is_control(opcode) ? side->frame_bytes : side->bytes;
	if (opcode == OPCODE_CLOSE)
		facts->attributes[ATTRIBUTE_ERROR_TYPE] = code_label(side);
	return STEP_MESSAGE;
}

static enum protocol_step in_payload(struct websocket_side *side, enum message_side which,
				     struct protocol_run *run, struct exchange_facts *facts)
{
	uint64_t taken = run->length < side->left ? run->length : side->left;

	if (opcode_of(side) == OPCODE_CLOSE)
		keep_code(side, run, taken);
	side->left -= taken;
	run->length -= taken;
	if (run->bytes)
		run->bytes += taken;
	return side->left ? STEP_MORE : end_frame(side, which, facts);
}

static enum protocol_step websocket_parse(void *state, enum message_side which,
					  struct protocol_run *run, struct exchange_facts *facts)
{
	struct websocket_state *websocket = state;
	struct websocket_side *side = &websocket->sides[which];
	enum protocol_step step;

	do
		step = side->is_in_payload ? in_payload(side, which, run, facts) :
					     in_header(websocket, side, run, facts);
	while (step == STEP_COUNT);
	return step;
}

static enum protocol_step websocket_boundary(void *state, enum message_side which,
					     enum protocol_boundary boundary, uint64_t tail)
{
	(void)tail;
	if (boundary == BOUNDARY_RESYNC)
		memset(&((struct websocket_state *)state)->sides[which], 0,
		       sizeof(struct websocket_side));
	return STEP_MORE;
}

const struct protocol protocol_websocket = {
	.name = "websocket",
	.mode = MODE_STREAM,
	.state_bytes = sizeof(struct websocket_state),
	.parse = websocket_parse,
	.boundary = websocket_boundary,
};
