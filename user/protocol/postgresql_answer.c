/* SPDX-License-Identifier: Apache-2.0 */
/* PostgreSQL: what the server says. An Execute is answered by its own CommandComplete or error; all else when the server is ready
 * for the next batch, and so are those that it skipped after an error. */
#include <string.h>

#include "protocol/postgresql_state.h"

/* The fields of an ErrorResponse. */
enum error_field {
	FIELD_TYPE,
	FIELD_CODE,
	FIELD_OTHER,
};

static bool is_present(const struct pg_parse *parse)
{
	return parse->facts->note & PG_NOTE_PRESENT;
}

/* The oldest request that waits is one of the batch that the server is at. */
static bool is_due(const struct pg_parse *parse)
{
	return is_present(parse) && pg_is_until(pg_batch(parse->facts), parse->side->batch);
}

/* A message that is part of an answer. */
static enum protocol_step begin_mine(struct pg_parse *parse)
{
	struct exchange_facts *facts = parse->facts;
	uint32_t note = facts->note;

	parse->side->is_mine = true;
	if (!(note & PG_NOTE_PRESENT) || !(note & PG_NOTE_ANSWERED))
		return STEP_BEGIN;
	if (pg_kind(facts) == PG_NEGOTIATE) {
		if (*parse->run->bytes != 'E')
			parse->side->place = PG_IN_NEGOTIATION;
		return STEP_ONWARD;
	}
	if (!(note & PG_NOTE_COMPLETE) || note & PG_NOTE_HEAD)
		return STEP_ONWARD;
	facts->note |= PG_NOTE_HEAD;
	return STEP_HEAD;
}

/* Of a request that waits for one byte only that can be the answer. Errors and notices may come unasked. Anything else answers
 * something, also when the count of batches was wrong. */
enum protocol_step pg_answer_begins(struct pg_parse *parse, uint8_t type)
{
	struct pg_side *side = parse->side;

	if (!type || !strchr("123ACDEGHIKNRSTVWZcdnstv", type))
		return STEP_NOT_MINE;
	side->is_mine = false;
	side->is_push = false;
	parse->state->is_ready = false;
	if (is_due(parse) && pg_kind(parse->facts) == PG_NEGOTIATE)
		return begin_mine(parse);
	switch (type) {
	case 'Z':
	case 'K':
	case 'v':
		return STEP_ONWARD;
	case 'R':
		return is_due(parse) ? begin_mine(parse) : STEP_ONWARD;
	case 'A':
		side->is_push = true;
		return STEP_ONWARD;
	case 'N':
	case 'S':
		side->is_push = !is_present(parse);
		return STEP_ONWARD;
	case 'E':
		side->is_push = !is_due(parse);
		return side->is_push ? STEP_ONWARD : begin_mine(parse);
	default:
		if (is_present(parse) && !is_due(parse))
			side->batch = pg_batch(parse->facts);
		return begin_mine(parse);
	}
}

void pg_answer_begun(struct pg_parse *parse)
{
	struct exchange_facts *facts = parse->facts;

	if (!is_present(parse)) {
		facts->note = PG_EXECUTE | PG_NOTE_PRESENT | PG_NOTE_ORPHAN | PG_NOTE_COMPLETE |
			      (uint32_t)parse->side->batch << PG_NOTE_BATCH_SHIFT;
		facts->attributes[ATTRIBUTE_DB_SYSTEM_NAME] = "postgresql";
		parse->state->waiting++;
	}
	facts->note |= PG_NOTE_ANSWERED;
}

static void keep_text(struct pg_state *state, uint8_t byte)
{
	if (state->text_bytes < PG_TAG_MAX)
		state->text[state->text_bytes++] = (char)byte;
}

/* Type, text, NUL, again and again. */
static void take_error(struct pg_parse *parse, const uint8_t *bytes, size_t length)
{
	struct pg_side *side = parse->side;

	for (size_t i = 0; i < length; i++) {
		if (side->field == FIELD_TYPE)
			side->field = bytes[i] == 'C' ? FIELD_CODE : FIELD_OTHER;
		else if (!bytes[i])
			side->field = FIELD_TYPE;
		else if (side->field == FIELD_CODE)
			keep_text(parse->state, bytes[i]);
	}
}

/* Up to its NUL. */
static void take_tag(struct pg_parse *parse, const uint8_t *bytes, size_t length)
{
	for (size_t i = 0; i < length && parse->side->field != FIELD_OTHER; i++) {
		if (bytes[i])
			keep_text(parse->state, bytes[i]);
		else
			parse->side->field = FIELD_OTHER;
	}
}

void pg_answer_body(struct pg_parse *parse, const uint8_t *bytes, size_t length)
{
	struct pg_side *side = parse->side;

	if (!side->is_mine || (side->type != 'C' && side->type != 'E'))
		return;
	if (!bytes) {
		side->is_unseen = true;
		return;
	}
	if (side->is_unseen)
		return;
	if (side->type == 'E')
		take_error(parse, bytes, length);
	else
		take_tag(parse, bytes, length);
}

/* Nothing more is to be written about what ended. */
static void close_facts(struct pg_parse *parse)
{
	parse->facts->note &= ~(uint32_t)PG_NOTE_PRESENT;
	parse->state->waiting -= parse->state->waiting > 0;
}

static enum protocol_step end_answer(struct pg_parse *parse, enum pg_place resume)
{
	bool has_head = parse->facts->note & PG_NOTE_HEAD;

	close_facts(parse);
	parse->side->place = (uint8_t)(has_head ? resume : PG_IN_END);
	parse->side->resume = (uint8_t)resume;
	parse->facts->note |= PG_NOTE_HEAD;
	return has_head ? STEP_END : STEP_HEAD;
}

static enum protocol_step end_if_execute(struct pg_parse *parse)
{
	if (pg_kind(parse->facts) != PG_EXECUTE)
		return STEP_ONWARD;
	return end_answer(parse, PG_AT_START);
}

/* An Execute that Sync followed is over when the transaction is, which may fail as well. Where more than that is under way, nobody
 * knows which one is the last before the Sync. */
static bool is_to_be_committed(const struct pg_parse *parse)
{
	return parse->state->waiting == 1 &&
	       !pg_is_until(parse->state->sides[SIDE_REQUEST].batch, pg_batch(parse->facts));
}

/* The number that a tag ends with: "SELECT 5", "INSERT 0 1". Only what these two commands give went to the client. */
static void take_rows(const struct pg_state *state, struct exchange_facts *facts)
{
	bool is_returned = state->text_bytes > 6 && (memcmp(state->text, "SELECT ", 7) == 0 ||
						     memcmp(state->text, "FETCH ", 6) == 0);
	uint64_t rows = 0, factor = 1;
	size_t at = state->text_bytes;

	while (at && state->text[at - 1] >= '0' && state->text[at - 1] <= '9') {
		rows += (uint64_t)(state->text[--at] - '0') * factor;
		factor *= 10;
	}
	if (at == state->text_bytes || state->text_bytes == PG_TAG_MAX)
		return;
	facts->rows += rows;
	if (facts->rows_kind != ROWS_RETURNED)
		facts->rows_kind = is_returned ? ROWS_RETURNED : ROWS_AFFECTED;
}

/* The tag names what was done also where the statement was not seen. */
static enum protocol_step command_complete(struct pg_parse *parse)
{
	const char *operation = sql_operation_find(parse->state->text, parse->state->text_bytes);
	struct exchange_facts *facts = parse->facts;

	if (!facts->attributes[ATTRIBUTE_DB_OPERATION_NAME] && !parse->side->is_unseen)
		facts->attributes[ATTRIBUTE_DB_OPERATION_NAME] = operation ? operation : "other";
	if (!parse->side->is_unseen)
		take_rows(parse->state, facts);
	if (facts->note & PG_NOTE_COMPLETED)
		facts->outcomes |= 1ull << PARSE_SEVERAL_STATEMENTS;
	facts->note |= PG_NOTE_COMPLETED;
	return is_to_be_committed(parse) ? STEP_ONWARD : end_if_execute(parse);
}

static void fail(struct exchange_facts *facts, const char *type)
{
	facts->attributes[ATTRIBUTE_ERROR_TYPE] = type;
	facts->sides[SIDE_RESPONSE].fault = FAULT_SERVER;
}

/* After an error the server skips what follows in the batch. A connection that is refused is closed. */
static enum protocol_step error_response(struct pg_parse *parse)
{
	struct pg_state *state = parse->state;
	unsigned kind = pg_kind(parse->facts);

	fail(parse->facts, state->text_bytes == 5 ? pg_error_label(state->text) : "_OTHER");
	state->has_batch_failed = true;
	if (kind == PG_EXECUTE || kind == PG_CONNECT || kind == PG_NEGOTIATE)
		return end_answer(parse, PG_AT_START);
	return STEP_ONWARD;
}

/* Data for COPY by Execute: which batch the Sync that counts will end. */
static void copy_in(struct pg_parse *parse)
{
	if (pg_kind(parse->facts) != PG_EXECUTE)
		return;
	parse->state->has_copy = true;
	parse->state->copy_batch = pg_batch(parse->facts);
}

/* CopyBoth: replication. What follows answers nothing. */
static enum protocol_step feed(struct pg_parse *parse)
{
	parse->facts->outcomes |= 1ull << PARSE_FEED;
	parse->facts->sides[SIDE_RESPONSE].opens_tunnel = true;
	return STEP_HEAD;
}

static enum protocol_step end_mine(struct pg_parse *parse)
{
	switch (parse->side->type) {
	case 'C':
		return command_complete(parse);
	case 'I':
	case 's':
		return end_if_execute(parse);
	case 'E':
		return error_response(parse);
	case 'G':
		copy_in(parse);
		return STEP_ONWARD;
	case 'W':
		return feed(parse);
	default:
		return STEP_ONWARD;
	}
}

enum protocol_step pg_answer_ends(struct pg_parse *parse)
{
	struct pg_side *side = parse->side;
	enum protocol_step step = STEP_ONWARD;

	if (side->is_push)
		step = STEP_PUSH;
	else if (side->is_mine)
		step = end_mine(parse);
	parse->state->text_bytes = 0;
	return step;
}

/* Skipped after an error; or else answers were missed. */
static enum protocol_step end_unanswered(struct pg_parse *parse)
{
	bool has_failed =
		parse->facts->sides[SIDE_RESPONSE].fault; /* before its Execute was sent */

	if (parse->state->has_batch_failed) {
		if (!has_failed)
			fail(parse->facts, "pipeline_aborted");
		return end_answer(parse, PG_IN_SETTLE);
	}
	close_facts(parse);
	return STEP_UNSEEN;
}

enum protocol_step pg_settle(struct pg_parse *parse)
{
	struct pg_side *side = parse->side, *asking = &parse->state->sides[SIDE_REQUEST];
	uint32_t note = parse->facts->note;

	if (is_due(parse) && !(note & PG_NOTE_ANSWERED)) {
		side->is_begun = true;
		return STEP_BEGIN;
	}
	if (is_due(parse) && note & PG_NOTE_COMPLETE)
		return pg_kind(parse->facts) == PG_EXECUTE && !(note & PG_NOTE_COMPLETED) ?
			       end_unanswered(parse) :
			       end_answer(parse, PG_IN_SETTLE);
	if (!pg_is_until(asking->batch, side->batch))
		side->batch++;
	parse->state->has_batch_failed = false;
	parse->state->is_ready = true;
	side->is_settled = true;
	side->place = PG_IN_BODY;
	return STEP_ONWARD;
}

enum protocol_step pg_negotiated(struct pg_parse *parse)
{
	if (!parse->run->bytes)
		return STEP_LOST;
	if (*parse->run->bytes != 'N') {
		parse->facts->outcomes |= 1ull << PARSE_ENCRYPTED;
		parse->facts->sides[SIDE_RESPONSE].opens_tunnel = true;
	}
	pg_take(parse->run, 1);
	parse->state->is_ready = true;
	return end_answer(parse, PG_AT_START);
}
