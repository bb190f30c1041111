/* SPDX-License-Identifier: Apache-2.0 */
/* PostgreSQL, protocol 3 (documentation, "Frontend/Backend Protocol"): how messages are cut, and what begins as one. A request
 * is a Query, or what leads to one Execute; parameters and rows are skipped by their length and never kept. */
#include <string.h>

#include "config_abi.h"
#include "protocol/postgresql_state.h"

static uint32_t be32(const uint8_t *bytes)
{
	return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 |
	       bytes[3];
}

static enum protocol_step start(struct pg_parse *parse)
{
	struct pg_side *side = parse->side;
	enum protocol_step step;

	if (!parse->run->length)
		return STEP_MORE;
	if (!parse->run->bytes)
		return STEP_LOST;
	step = parse->which == SIDE_REQUEST ? pg_request_begins(parse, *parse->run->bytes) :
					      pg_answer_begins(parse, *parse->run->bytes);
	side->is_begun = step == STEP_BEGIN;
	if (step != STEP_ONWARD)
		return step;
	if (side->place == PG_AT_START)
		side->place = PG_IN_HEADER;
	side->header_bytes = 0;
	side->field = 0;
	side->is_unseen = false;
	side->is_settled = false;
	return STEP_ONWARD;
}

/* A start-up packet has no type, and its code stands where a version does. */
static enum protocol_step header_is_whole(struct pg_parse *parse)
{
	struct pg_side *side = parse->side;
	bool is_typed = side->header[0];
	uint32_t length = be32(side->header + is_typed), known = is_typed ? 4 : 8;

	if (length < known || length > (is_typed ? PG_LENGTH_MAX : PG_STARTUP_MAX))
		return STEP_BROKEN;
	side->type = side->header[0];
	side->left = length - known;
	side->place = PG_IN_BODY;
	if (parse->which == SIDE_REQUEST)
		pg_request_opens(parse);
	return STEP_ONWARD;
}

static enum protocol_step in_header(struct pg_parse *parse)
{
	struct protocol_run *run = parse->run;
	struct pg_side *side = parse->side;

	while (run->length) {
		if (!run->bytes)
			return STEP_LOST;
		side->header[side->header_bytes++] = *run->bytes;
		pg_take(run, 1);
		if (side->header_bytes == (side->header[0] ? 5 : 8))
			return header_is_whole(parse);
	}
	return STEP_MORE;
}

/* The byte that ReadyForQuery ends with is left in place until all that it ends is told: as long as there are bytes, the caller
 * asks on. */
static enum protocol_step in_body(struct pg_parse *parse)
{
	struct protocol_run *run = parse->run;
	struct pg_side *side = parse->side;
	uint64_t taken = side->left < run->length ? side->left : run->length;

	if (side->left && !run->length)
		return STEP_MORE;
	if (side->left && side->type == 'Z' && !side->is_settled) {
		side->place = PG_IN_SETTLE;
		return STEP_ONWARD;
	}
	if (taken) {
		if (parse->which == SIDE_REQUEST)
			pg_request_body(parse, run->bytes, (size_t)taken);
		else
			pg_answer_body(parse, run->bytes, (size_t)taken);
		pg_take(run, taken);
		side->left -= (uint32_t)taken;
	}
	if (side->left)
		return STEP_MORE;
	side->place = PG_AT_START;
	return parse->which == SIDE_REQUEST ? pg_request_ends(parse) : pg_answer_ends(parse);
}

static enum protocol_step step_once(struct pg_parse *parse)
{
	struct pg_side *side = parse->side;

	switch ((enum pg_place)side->place) {
	case PG_AT_START:
		return start(parse);
	case PG_IN_HEADER:
		return in_header(parse);
	case PG_IN_BODY:
		return in_body(parse);
	case PG_IN_SETTLE:
		return pg_settle(parse);
	case PG_IN_NEGOTIATION:
		return pg_negotiated(parse);
	case PG_IN_END:
		side->place = side->resume;
		return STEP_END;
	}
	return STEP_BROKEN;
}

static enum protocol_step pg_parse(void *opaque, enum message_side which, struct protocol_run *run,
				   struct exchange_facts *facts)
{
	struct pg_state *state = opaque;
	struct pg_parse parse = { .state = state,
				  .side = &state->sides[which],
				  .run = run,
				  .facts = facts,
				  .which = which };
	enum protocol_step step;

	if (parse.side->is_begun) {
		parse.side->is_begun = false;
		if (which == SIDE_REQUEST)
			pg_request_begun(&parse);
		else
			pg_answer_begun(&parse);
	}
	do
		step = step_once(&parse);
	while (step == STEP_ONWARD);
	return step;
}

/* What was prepared outlives a loss. */
static void forget_position(struct pg_state *state)
{
	struct sql_text *statement = state->statement;
	struct sql_plan_pool *pool = state->pool;
	struct sql_plans *plans = state->plans;

	sql_plan_release(&state->unit_plan);
	memset(state, 0, sizeof(*state));
	state->statement = statement;
	state->plans = plans;
	state->pool = pool;
	state->is_ready = true;
}

/* Messages say where they end. A server that gives up says so and closes: nothing will say that it is ready. */
static enum protocol_step pg_boundary(void *opaque, enum message_side which,
				      enum protocol_boundary boundary, uint64_t tail)
{
	struct pg_state *state = opaque;

	(void)tail;
	if (boundary == BOUNDARY_RESYNC)
		forget_position(state);
	if (boundary == BOUNDARY_CLOSE && which == SIDE_RESPONSE && state->has_batch_failed)
		return STEP_END;
	return STEP_MORE;
}

static void pg_release(void *opaque)
{
	struct pg_state *state = opaque;

	sql_plan_release(&state->unit_plan);
	sql_plans_free(&state->plans);
	sql_text_free(&state->statement);
}

/* Kafka's first bytes may look like these up to here, but no letter follows. */
static enum sniff_result sniff_startup(const uint8_t *bytes, size_t length)
{
	uint32_t packet, code;

	if (length < 8)
		return bytes[length > 1] ? SNIFF_NO : SNIFF_MORE;
	packet = be32(bytes);
	code = be32(bytes + 4);
	if (code == PG_CODE_SSL || code == PG_CODE_GSS)
		return packet == 8 ? SNIFF_REQUEST : SNIFF_NO;
	if (code == PG_CODE_CANCEL)
		return packet >= 16 && packet <= PG_STARTUP_MAX ? SNIFF_REQUEST : SNIFF_NO;
	if (code >> 8 != 0x000300 || packet < 10 || packet > PG_STARTUP_MAX)
		return SNIFF_NO;
	if (length == 8)
		return SNIFF_MORE;
	return (bytes[8] >= 'a' && bytes[8] <= 'z') || bytes[8] == '_' ? SNIFF_REQUEST : SNIFF_NO;
}

/* What a message that may begin a turn looks like behind its length: T text, N a name, '#' a kind of name, '.' anything. */
static const char *layout_of(uint8_t type)
{
	switch (type) {
	case 'Q':
		return "T";
	case 'P':
		return "NT.";
	case 'B':
		return "NN.";
	case 'E':
		return "N.";
	case 'D':
	case 'C':
		return "#N";
	case 'S':
	case 'H':
		return "";
	default:
		return NULL;
	}
}

static bool is_text(uint8_t byte)
{
	return byte >= ' ' || (byte >= '\t' && byte <= '\r');
}

/* How many bytes are enough to be sure. */
#define SNIFF_ENOUGH 14

/* Does this byte fit the layout at its place, and does the next one belong to the next part? */
static bool fits_layout(const char **layout, uint8_t byte)
{
	switch (**layout) {
	case 'T':
	case 'N':
		if (!byte)
			(*layout)++;
		return !byte || (**layout == 'T' ? is_text(byte) : byte > ' ' && byte <= '~');
	case '#':
		(*layout)++;
		return byte == 'S' || byte == 'P';
	case '.':
		return true;
	default:
		return false;
	}
}

/* What the server says may look like it too: `C` with a command tag like Close, and `E` with an error's severity like Execute,
 * behind whose name comes a number. */
static bool is_answer(const uint8_t *bytes, size_t length, size_t size)
{
	static const char *const tags[] = { "SET", "PREPARE", "SAVEPOINT" };
	const uint8_t *end = memchr(bytes + 5, '\0', length - 5);

	if (bytes[0] == 'E')
		return end && size != (size_t)(end - bytes) + 1 + 4;
	for (size_t i = 0; bytes[0] == 'C' && i < sizeof(tags) / sizeof(tags[0]); i++)
		if (size == 5 + strlen(tags[i]) + 1 && memcmp(bytes + 5, tags[i], length - 5) == 0)
			return true;
	return false;
}

static enum sniff_result sniff_message(const uint8_t *bytes, size_t length)
{
	const char *layout = layout_of(bytes[0]);
	size_t size, enough;

	if (!layout || (length > 1 && bytes[1]))
		return SNIFF_NO;
	if (length < 5)
		return SNIFF_MORE;
	size = be32(bytes + 1) + 1;
	if (size < 5 || (!*layout && size != 5))
		return SNIFF_NO;
	enough = size < SNIFF_ENOUGH ? size : SNIFF_ENOUGH;
	for (size_t i = 5; i < length && i < enough; i++)
		if (!fits_layout(&layout, bytes[i]))
			return SNIFF_NO;
	if (length < enough)
		return SNIFF_MORE;
	if (is_answer(bytes, enough, size))
		return SNIFF_NO;
	return size > enough || !*layout || *layout == '.' ? SNIFF_REQUEST : SNIFF_NO;
}

static enum sniff_result pg_sniff(const uint8_t *bytes, size_t length)
{
	if (!length)
		return SNIFF_MORE;
	return bytes[0] ? sniff_message(bytes, length) : sniff_startup(bytes, length);
}

const struct protocol protocol_postgresql = {
	.name = "postgresql",
	.mode = MODE_FRAMES,
	.state_bytes = sizeof(struct pg_state),
	.sniff = pg_sniff,
	.parse = pg_parse,
	.boundary = pg_boundary,
	.release = pg_release,
	.shared_new = sql_plan_pool_new,
	.shared_free = sql_plan_pool_free,
};
