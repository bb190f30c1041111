/* SPDX-License-Identifier: Apache-2.0 */
/* AMQP 0-9-1 (amqp0-9-1.pdf, "Advanced Message Queuing Protocol", and RabbitMQ's extensions): frames. Each says how long
 * it is; what a message carries is skipped and may be missing. A side whose position is not known is searched for the
 * beginning of a method, byte by byte. */
#include <stdlib.h>
#include <string.h>

#include "config_abi.h"
#include "protocol/amqp_state.h"

#define FRAME_METHOD 1
#define FRAME_HEADER 2
#define FRAME_BODY 3
#define FRAME_HEARTBEAT 8
#define FRAME_END 0xce

/* Frames are of 128 KiB unless both sides agree on another size, or on none. */
#define FRAME_BYTES_MAX (1u << 28)
/* Where we are not sure: methods are short. */
#define METHOD_LIKELY_MAX (1u << 17)

static const uint8_t opening[] = { 'A', 'M', 'Q', 'P', 0, 0, 9, 1 };
_Static_assert(sizeof(opening) <= AMQP_METHOD_SHOWN, "it is found where methods are");

static uint32_t be32(const uint8_t *bytes)
{
	return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 |
	       bytes[3];
}

static uint16_t be16(const uint8_t *bytes)
{
	return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

static void take(struct protocol_run *run, uint64_t count)
{
	if (run->bytes)
		run->bytes += count;
	run->length -= count;
}

static void await_header(struct amqp_side *side)
{
	side->place = AMQP_IN_HEADER;
	side->header_bytes = 0;
}

/* Of a message it is only known that there was one. */
static enum protocol_step tell_lost(struct exchange_facts *facts)
{
	facts->attributes[ATTRIBUTE_MESSAGING_SYSTEM] = "rabbitmq";
	facts->failure = PARSE_LOST;
	return STEP_EXCHANGE;
}

/* Messages went by unseen: what is in flight cannot be paired any more. */
static enum protocol_step doubt(struct amqp_parse *parse)
{
	struct amqp_connection *connection = parse->connection;

	amqp_channels_forget(&connection->ledger);
	connection->settling = (struct amqp_settling){
		.kinds = UINT8_MAX, /* all */
		.is_any_channel = true,
		.is_any_tag = true,
		.failure = PARSE_LOST,
	};
	parse->facts->start_ns = parse->run->time_ns;
	return tell_lost(parse->facts);
}

/* The method whose frame these bytes begin, or NULL. */
static const struct amqp_method *method_at(const uint8_t shown[AMQP_METHOD_SHOWN])
{
	uint32_t size = be32(shown + 3);

	if (shown[0] != FRAME_METHOD || size < AMQP_NUMBER_BYTES || size > METHOD_LIKELY_MAX)
		return NULL;
	return amqp_method_find(be32(shown + AMQP_HEADER_BYTES));
}

static void enter_found_method(struct amqp_parse *parse)
{
	struct amqp_side *side = parse->side;

	side->type = FRAME_METHOD;
	side->channel = be16(side->header + 1);
	side->left = be32(side->header + 3) - AMQP_NUMBER_BYTES;
	side->began_ns = parse->run->time_ns;
	memcpy(side->arguments, side->header + AMQP_HEADER_BYTES, AMQP_NUMBER_BYTES);
	side->argument_bytes = AMQP_NUMBER_BYTES;
	side->is_unseen = false;
	side->place = AMQP_IN_METHOD;
}

/* A connection's first bytes: with them both sides begin. */
static bool is_opening(const struct amqp_parse *parse)
{
	return parse->which == SIDE_REQUEST && parse->side->first_bytes == sizeof(opening) &&
	       memcmp(parse->side->header, opening, sizeof(opening)) == 0;
}

static enum protocol_step searching(struct amqp_parse *parse)
{
	struct amqp_connection *connection = parse->connection;
	struct amqp_side *side = parse->side;
	const struct amqp_method *method;

	while (parse->run->length) {
		if (side->header_bytes == AMQP_METHOD_SHOWN)
			memmove(side->header, side->header + 1, --side->header_bytes);
		side->header[side->header_bytes++] = *parse->run->bytes;
		take(parse->run, 1);
		if (side->first_bytes <= sizeof(opening))
			side->first_bytes++;
		if (is_opening(parse)) {
			connection->has_begun = true;
			await_header(side);
			await_header(&connection->sides[SIDE_RESPONSE]);
			return STEP_ONWARD;
		}
		if (side->header_bytes < AMQP_METHOD_SHOWN)
			continue;
		method = method_at(side->header);
		if (method && amqp_may_send(method, parse->which)) {
			enter_found_method(parse);
			return STEP_ONWARD;
		}
	}
	return STEP_MORE;
}

static enum protocol_step header_is_whole(struct amqp_side *side)
{
	uint32_t size = be32(side->header + 3);

	side->type = side->header[0];
	side->channel = be16(side->header + 1);
	side->left = size;
	side->header_bytes = 0;
	side->argument_bytes = 0;
	side->is_unseen = false;
	side->place = side->type == FRAME_METHOD ? AMQP_IN_METHOD : AMQP_IN_CONTENT;
	if (size > FRAME_BYTES_MAX)
		return STEP_BROKEN;
	switch (side->type) {
	case FRAME_METHOD:
		return size < AMQP_NUMBER_BYTES ? STEP_BROKEN : STEP_ONWARD;
	case FRAME_HEARTBEAT:
		return size ? STEP_BROKEN : STEP_ONWARD;
	case FRAME_HEADER:
	case FRAME_BODY:
		return STEP_ONWARD;
	default:
		return STEP_BROKEN;
	}
}

static enum protocol_step in_header(struct amqp_parse *parse)
{
	struct amqp_side *side = parse->side;
	size_t missing = (size_t)(AMQP_HEADER_BYTES - side->header_bytes);
	size_t taken = parse->run->length < missing ? (size_t)parse->run->length : missing;

	if (!side->header_bytes)
		side->began_ns = parse->run->time_ns;
	memcpy(side->header + side->header_bytes, parse->run->bytes, taken);
	side->header_bytes = (uint8_t)(side->header_bytes + taken);
	take(parse->run, taken);
	return side->header_bytes < AMQP_HEADER_BYTES ? STEP_MORE : header_is_whole(side);
}

/* The position of this side is gone. */
static enum protocol_step lose(struct amqp_parse *parse)
{
	parse->side->place = AMQP_SEARCHING;
	parse->side->header_bytes = 0;
	parse->side->first_bytes = UINT8_MAX;
	return doubt(parse);
}

static enum protocol_step act(struct amqp_parse *parse, const uint8_t *arguments, size_t length)
{
	const struct amqp_method *method;

	await_header(parse->side);
	if (length < AMQP_NUMBER_BYTES)
		return doubt(parse);
	method = amqp_method_find(be32(arguments));
	if (!method || !amqp_may_send(method, parse->which))
		return STEP_BROKEN;
	return amqp_take_method(parse, method, arguments + AMQP_NUMBER_BYTES,
				length - AMQP_NUMBER_BYTES);
}

/* A method that is here from its first to its last byte is read in place. */
static enum protocol_step whole_method(struct amqp_parse *parse)
{
	const uint8_t *arguments = parse->run->bytes;
	size_t length = (size_t)parse->side->left;

	take(parse->run, length + 1);
	if (arguments[length] != FRAME_END)
		return STEP_BROKEN;
	return act(parse, arguments, length < AMQP_ARGUMENTS_MAX ? length : AMQP_ARGUMENTS_MAX);
}

static enum protocol_step in_method(struct amqp_parse *parse)
{
	struct amqp_side *side = parse->side;
	struct protocol_run *run = parse->run;
	size_t room = AMQP_ARGUMENTS_MAX - side->argument_bytes;
	uint64_t taken = side->left < run->length ? side->left : run->length;
	size_t kept = taken < room ? (size_t)taken : room;

	if (run->bytes && !side->argument_bytes && !side->is_unseen && run->length > side->left)
		return whole_method(parse);
	if (side->left && !run->length)
		return STEP_MORE;
	if (!run->bytes && kept)
		side->is_unseen = true;
	if (run->bytes && !side->is_unseen) {
		memcpy(side->arguments + side->argument_bytes, run->bytes, kept);
		side->argument_bytes = (uint16_t)(side->argument_bytes + kept);
	}
	take(run, taken);
	side->left -= taken;
	if (side->left)
		return STEP_MORE;
	side->place = AMQP_AT_FRAME_END;
	return STEP_ONWARD;
}

static enum protocol_step in_content(struct amqp_parse *parse)
{
	struct amqp_side *side = parse->side;
	uint64_t taken = side->left < parse->run->length ? side->left : parse->run->length;

	take(parse->run, taken);
	side->left -= taken;
	if (side->left)
		return STEP_MORE;
	side->place = AMQP_AT_FRAME_END;
	return STEP_ONWARD;
}

/* What a method says may lie beyond the bytes that are missing of it, or in them. */
static enum protocol_step at_frame_end(struct amqp_parse *parse)
{
	struct amqp_side *side = parse->side;
	struct protocol_run *run = parse->run;

	if (!run->length)
		return STEP_MORE;
	if (run->bytes && *run->bytes != FRAME_END) {
		take(run, 1);
		return STEP_BROKEN;
	}
	take(run, 1);
	if (side->type != FRAME_METHOD) {
		await_header(side);
		return STEP_ONWARD;
	}
	if (side->is_unseen) {
		await_header(side);
		return doubt(parse);
	}
	return act(parse, side->arguments, side->argument_bytes);
}

static enum protocol_step step_once(struct amqp_parse *parse)
{
	struct protocol_run *run = parse->run;

	if (parse->connection->settling.kinds)
		return amqp_settle_next(parse);
	switch ((enum amqp_place)parse->side->place) {
	case AMQP_SEARCHING:
		if (!run->bytes) {
			parse->side->header_bytes = 0;
			take(run, run->length);
			return STEP_MORE;
		}
		return searching(parse);
	case AMQP_IN_HEADER:
		if (!run->length)
			return STEP_MORE;
		return run->bytes ? in_header(parse) : lose(parse);
	case AMQP_IN_METHOD:
		return in_method(parse);
	case AMQP_IN_CONTENT:
		return in_content(parse);
	case AMQP_AT_FRAME_END:
		return at_frame_end(parse);
	}
	return STEP_BROKEN;
}

static enum protocol_step amqp_parse(void *opaque, enum message_side which,
				     struct protocol_run *run, struct exchange_facts *facts)
{
	struct amqp_state *state = opaque;
	struct amqp_parse parse = { .run = run, .facts = facts, .which = which };
	enum protocol_step step;

	if (!state->connection)
		state->connection = calloc(1, sizeof(*state->connection));
	if (!state->connection) {
		step = run->length ? STEP_LOST : STEP_MORE;
		take(run, run->length);
		return step;
	}
	parse.connection = state->connection;
	parse.side = &state->connection->sides[which];
	do
		step = step_once(&parse);
	while (step == STEP_ONWARD);
	return step;
}

/* Returns whether any was known. */
static bool forget_places(struct amqp_connection *connection)
{
	bool was_known = false;

	for (unsigned which = 0; which < SIDE_COUNT; which++) {
		struct amqp_side *side = &connection->sides[which];

		was_known |= side->place != AMQP_SEARCHING;
		memset(side, 0, sizeof(*side));
		side->first_bytes = UINT8_MAX;
	}
	return was_known;
}

/* Frames say where they end. After a loss both sides are searched. */
static enum protocol_step amqp_boundary(void *opaque, enum message_side which,
					enum protocol_boundary boundary, uint64_t tail)
{
	const struct amqp_state *state = opaque;
	struct amqp_connection *connection = state->connection;

	(void)which;
	(void)tail;
	if (boundary != BOUNDARY_RESYNC || !connection)
		return STEP_MORE;
	(void)forget_places(connection); /* for both: it does not matter whether any was known */
	connection->settling.kinds = 0;
	amqp_channels_forget(&connection->ledger);
	return STEP_MORE;
}

static enum protocol_step amqp_give_up(void *opaque, bool is_closed, struct exchange_facts *facts)
{
	const struct amqp_state *state = opaque;
	enum protocol_step step;

	if (!state->connection)
		return STEP_MORE;
	step = amqp_give_up_next(state->connection, is_closed, facts);
	if (step != STEP_MORE || is_closed)
		return step;
	if (!forget_places(state->connection))
		return STEP_MORE;
	return tell_lost(facts); /* whatever it was that went by */
}

static void amqp_release(void *opaque)
{
	struct amqp_state *state = opaque;

	if (state->connection)
		amqp_ledger_done(&state->connection->ledger);
	free(state->connection);
	state->connection = NULL;
}

/* Only what one side alone sends proves anything. */
static enum sniff_result sniff_method(const uint8_t *bytes, size_t length)
{
	const struct amqp_method *method;

	if (length > 3 && bytes[3])
		return SNIFF_NO;
	if (length > 4 && bytes[4] > METHOD_LIKELY_MAX >> 16)
		return SNIFF_NO;
	if (length < AMQP_METHOD_SHOWN)
		return SNIFF_MORE;
	method = method_at(bytes);
	if (!method || method->sender == AMQP_BY_BOTH)
		return SNIFF_NO;
	return method->sender == AMQP_BY_CLIENT ? SNIFF_REQUEST : SNIFF_RESPONSE;
}

static enum sniff_result amqp_sniff(const uint8_t *bytes, size_t length)
{
	size_t both = length < sizeof(opening) ? length : sizeof(opening);

	if (length && *bytes == FRAME_METHOD)
		return sniff_method(bytes, length);
	if (memcmp(bytes, opening, both) != 0)
		return SNIFF_NO;
	return length < sizeof(opening) ? SNIFF_MORE : SNIFF_REQUEST;
}

const struct protocol protocol_amqp = {
	.name = "amqp",
	.mode = MODE_AMQP,
	.state_bytes = sizeof(struct amqp_state),
	.sniff = amqp_sniff,
	.parse = amqp_parse,
	.boundary = amqp_boundary,
	.give_up = amqp_give_up,
	.release = amqp_release,
};
