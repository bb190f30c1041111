/* SPDX-License-Identifier: Apache-2.0 */
/* MongoDB (manual, "MongoDB Wire Protocol"): how messages are cut. Each says how long it is, and an answer which request it is to;
 * what is wanted of a message is among its first bytes, the rest is skipped and may be missing. */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "config_abi.h"
#include "protocol/mongodb_message.h"
#include "protocol/mongodb_words.h"
#include "protocol/protocol.h"

#define HEADER_BYTES 16
/* Kept of a message behind its header. Errors say what they are in fewer, unless their text is long. */
#define SHOWN_MAX 1024
/* maxMessageSizeBytes of every server. */
#define MESSAGE_MAX 48000000u

/* exchange_facts.text: the collection, then the error's code. */
#define COLLECTION_MAX 240
#define CODE_AT (COLLECTION_MAX + 1)
_Static_assert(CODE_AT + MONGODB_CODE_BYTES <= FACTS_TEXT_MAX, "room for both");

/* To go on with the next place. */
#define STEP_ONWARD STEP_COUNT

enum place {
	AT_START,
	IN_HEADER,
	AT_ANSWER, /* its header is whole: what does it answer? */
	IN_SHOWN,
	IN_REST,
};

struct side {
	uint32_t left;	/* of the message, behind what is shown of it */
	uint32_t shown; /* bytes that are to be looked at */
	uint32_t have;	/* of those */
	uint32_t opcode;
	uint8_t place; /* enum place */
	uint8_t header_bytes;
	bool is_unseen; /* what comes next of what is shown */
	bool is_push;
	uint8_t header[HEADER_BYTES];
	uint8_t bytes[SHOWN_MAX];
};

struct connection {
	struct side sides[SIDE_COUNT];
	uint32_t streamed_id; /* of the newest answer after which more follow unasked */
	bool is_streaming;
};

/* What the engine keeps. */
struct mongodb_state {
	struct connection *connection; /* owned; NULL: nothing came yet, or out of memory */
};

struct parse {
	struct connection *connection;
	struct side *side;
	struct protocol_run *run;
	struct exchange_facts *facts;
	struct message *message;
	enum message_side which;
};

enum header_offset {
	AT_LENGTH = 0,
	AT_REQUEST_ID = 4,
	AT_RESPONSE_TO = 8,
	AT_OPCODE = 12,
};

static uint32_t le32(const uint8_t *bytes)
{
	return bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 |
	       (uint32_t)bytes[3] << 24;
}

static void take(struct protocol_run *run, uint64_t count)
{
	if (run->bytes)
		run->bytes += count;
	run->length -= count;
}

static bool may_send(uint32_t opcode, enum message_side which)
{
	if (opcode == MONGODB_MSG || opcode == MONGODB_COMPRESSED)
		return true;
	if (opcode == MONGODB_REPLY)
		return which == SIDE_RESPONSE;
	return which == SIDE_REQUEST && opcode >= MONGODB_UPDATE &&
	       opcode <= MONGODB_KILL_CURSORS && opcode != MONGODB_INSERT + 1;
}

static enum protocol_step start(struct parse *parse)
{
	struct side *side = parse->side;

	if (!parse->run->length)
		return STEP_MORE;
	if (!parse->run->bytes)
		return STEP_LOST;
	side->place = IN_HEADER;
	side->header_bytes = 0;
	side->is_push = false;
	return parse->which == SIDE_REQUEST ? STEP_BEGIN : STEP_ONWARD;
}

static enum protocol_step in_header(struct parse *parse)
{
	struct side *side = parse->side;
	size_t missing = (size_t)(HEADER_BYTES - side->header_bytes);
	size_t taken = parse->run->length < missing ? (size_t)parse->run->length : missing;
	uint32_t length;

	if (!taken)
		return STEP_MORE;
	if (!parse->run->bytes)
		return STEP_LOST;
	memcpy(side->header + side->header_bytes, parse->run->bytes, taken);
	side->header_bytes = (uint8_t)(side->header_bytes + taken);
	take(parse->run, taken);
	if (side->header_bytes < HEADER_BYTES)
		return STEP_MORE;
	length = le32(side->header + AT_LENGTH);
	side->opcode = le32(side->header + AT_OPCODE);
	if (length < HEADER_BYTES || length > MESSAGE_MAX || !may_send(side->opcode, parse->which))
		return STEP_BROKEN;
	length -= HEADER_BYTES;
	side->shown = length < SHOWN_MAX ? length : SHOWN_MAX;
	side->left = length - side->shown;
	side->have = 0;
	side->is_unseen = false;
	side->place = parse->which == SIDE_REQUEST ? IN_SHOWN : AT_ANSWER;
	return STEP_ONWARD;
}

/* Nobody asked for the answers that follow one that says so. Where a request was compressed, nobody knows whether it wants an
 * answer: one to a later request says that it did not. */
static enum protocol_step at_answer(struct parse *parse)
{
	struct side *side = parse->side;
	uint32_t to = le32(side->header + AT_RESPONSE_TO);
	struct connection *connection = parse->connection;

	if (connection->is_streaming && to == connection->streamed_id) {
		side->is_push = true;
		side->place = IN_SHOWN;
		return STEP_ONWARD;
	}
	if (parse->facts->note && parse->facts->note != to)
		return parse->facts->sides[SIDE_REQUEST].is_quiet ? STEP_SILENT : STEP_BROKEN;
	side->place = IN_SHOWN;
	return STEP_BEGIN;
}

static void name_collection(struct exchange_facts *facts, const struct mongodb_request *request)
{
	size_t length = request->collection_bytes < COLLECTION_MAX ? request->collection_bytes :
								     COLLECTION_MAX;

	for (size_t i = 0; i < length; i++)
		facts->text[i] = request->collection[i] < ' ' ? '?' : (char)request->collection[i];
	facts->text[length] = '\0';
	facts->attributes[ATTRIBUTE_DB_COLLECTION_NAME] = facts->text;
}

/* An answer may have request 0, too; but that says that it does not know. */
static enum protocol_step tell_request(struct parse *parse, const uint8_t *bytes)
{
	const struct side *side = parse->side;
	struct exchange_facts *facts = parse->facts;
	struct mongodb_request request;

	facts->attributes[ATTRIBUTE_DB_SYSTEM_NAME] = "mongodb";
	facts->note = le32(side->header + AT_REQUEST_ID);
	if (side->opcode == MONGODB_COMPRESSED) {
		facts->outcomes |= 1ull << PARSE_COMPRESSED;
		parse->message->is_quiet = true;
		return STEP_HEAD;
	}
	mongodb_request_read(side->opcode, bytes, side->have, &request);
	if (!request.command && side->is_unseen)
		return STEP_UNSEEN;
	facts->attributes[ATTRIBUTE_DB_OPERATION_NAME] =
		request.command ? request.command : "other";
	parse->message->is_one_way = request.is_one_way;
	if (request.collection)
		name_collection(facts, &request);
	else if (side->is_unseen)
		facts->outcomes |= 1ull << PARSE_STATEMENT_UNKNOWN;
	return STEP_HEAD;
}

static enum protocol_step tell_answer(struct parse *parse, const uint8_t *bytes)
{
	struct exchange_facts *facts = parse->facts;
	struct side *side = parse->side;
	struct mongodb_answer answer;

	mongodb_answer_read(side->opcode, bytes, side->have, &answer);
	parse->connection->is_streaming = answer.has_more;
	parse->connection->streamed_id = le32(side->header + AT_REQUEST_ID);
	if (side->is_push)
		return STEP_ONWARD;
	if (side->is_unseen && !answer.is_known)
		return STEP_UNSEEN;
	if (side->opcode == MONGODB_COMPRESSED)
		facts->outcomes |= 1ull << PARSE_COMPRESSED;
	if (answer.is_error) {
		mongodb_code_text(answer.code, facts->text + CODE_AT);
		facts->attributes[ATTRIBUTE_ERROR_TYPE] = facts->text + CODE_AT;
		parse->message->fault = FAULT_SERVER;
	}
	return STEP_HEAD;
}

static enum protocol_step tell(struct parse *parse, const uint8_t *bytes)
{
	parse->side->place = IN_REST;
	if (parse->which == SIDE_REQUEST)
		return tell_request(parse, bytes);
	return tell_answer(parse, bytes);
}

/* Bytes that are here together are read in place. */
static enum protocol_step in_shown(struct parse *parse)
{
	struct side *side = parse->side;
	struct protocol_run *run = parse->run;
	uint32_t missing = side->shown - side->have;
	uint32_t taken = run->length < missing ? (uint32_t)run->length : missing;
	const uint8_t *bytes = run->bytes;

	if (missing && !taken)
		return STEP_MORE;
	if (taken && !bytes) { /* what comes next of them is of no use */
		side->is_unseen = true;
		side->left += missing;
		return tell(parse, side->bytes);
	}
	take(run, taken);
	if (!side->have && taken == side->shown) {
		side->have = taken;
		return tell(parse, bytes);
	}
	memcpy(side->bytes + side->have, bytes, taken);
	side->have += taken;
	return side->have == side->shown ? tell(parse, side->bytes) : STEP_MORE;
}

static enum protocol_step in_rest(struct parse *parse)
{
	struct side *side = parse->side;
	uint32_t taken =
		parse->run->length < side->left ? (uint32_t)parse->run->length : side->left;

	take(parse->run, taken);
	side->left -= taken;
	if (side->left)
		return STEP_MORE;
	side->place = AT_START;
	return side->is_push ? STEP_PUSH : STEP_END;
}

static enum protocol_step step_once(struct parse *parse)
{
	switch ((enum place)parse->side->place) {
	case AT_START:
		return start(parse);
	case IN_HEADER:
		return in_header(parse);
	case AT_ANSWER:
		return at_answer(parse);
	case IN_SHOWN:
		return in_shown(parse);
	case IN_REST:
		return in_rest(parse);
	}
	return STEP_BROKEN;
}

static enum protocol_step mongodb_parse(void *opaque, enum message_side which,
					struct protocol_run *run, struct exchange_facts *facts)
{
	struct mongodb_state *state = opaque;
	struct parse parse = {
		.run = run, .facts = facts, .message = &facts->sides[which], .which = which
	};
	enum protocol_step step;

	if (!state->connection)
		state->connection = calloc(1, sizeof(*state->connection));
	if (!state->connection)
		return STEP_LOST;
	parse.connection = state->connection;
	parse.side = &state->connection->sides[which];
	do
		step = step_once(&parse);
	while (step == STEP_ONWARD);
	return step;
}

/* Messages say where they end; nothing else does. */
static enum protocol_step mongodb_boundary(void *opaque, enum message_side which,
					   enum protocol_boundary boundary, uint64_t tail)
{
	const struct mongodb_state *state = opaque;

	(void)tail;
	if (boundary == BOUNDARY_RESYNC && state->connection)
		state->connection->sides[which].place = AT_START;
	return STEP_MORE;
}

static void mongodb_release(void *opaque)
{
	struct mongodb_state *state = opaque;

	free(state->connection);
	state->connection = NULL;
}

/* What begins most connections that nobody can read; one message in 65536 may, too, and would be passed over. */
static bool is_tls(const uint8_t *bytes, size_t length)
{
	return length > 2 && bytes[0] == 0x16 && bytes[1] == 3 && bytes[2] > 0 && bytes[2] <= 4;
}

/* An answer names its request, which a request does not. The number of OP_REPLY, 1, proves nothing. */
static enum sniff_result mongodb_sniff(const uint8_t *bytes, size_t length)
{
	uint32_t size, opcode;
	bool is_request;

	if (is_tls(bytes, length))
		return SNIFF_NO;
	if (length < 4)
		return SNIFF_MORE;
	size = le32(bytes + AT_LENGTH);
	if (size <= HEADER_BYTES || size > MESSAGE_MAX)
		return SNIFF_NO;
	if (length < HEADER_BYTES)
		return SNIFF_MORE;
	opcode = le32(bytes + AT_OPCODE);
	is_request = !le32(bytes + AT_RESPONSE_TO);
	if (opcode != MONGODB_MSG && opcode != MONGODB_COMPRESSED && opcode != MONGODB_QUERY)
		return SNIFF_NO;
	if (!may_send(opcode, is_request ? SIDE_REQUEST : SIDE_RESPONSE))
		return SNIFF_NO;
	return is_request ? SNIFF_REQUEST : SNIFF_RESPONSE;
}

const struct protocol protocol_mongodb = {
	.name = "mongodb",
	.mode = MODE_STREAM,
	.state_bytes = sizeof(struct mongodb_state),
	.sniff = mongodb_sniff,
	.parse = mongodb_parse,
	.boundary = mongodb_boundary,
	.release = mongodb_release,
};
