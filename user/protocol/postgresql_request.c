/* SPDX-License-Identifier: Apache-2.0 */
/* PostgreSQL: what the client says. Messages up to an Execute form a unit, which is one request; what comes before a Sync without an
 * Execute is a unit too, reported only when it fails. */
#include <string.h>

#include "protocol/postgresql_state.h"

/* FNV-1a. */
#define HASH_START 0xcbf29ce484222325ull
#define HASH_FACTOR 0x100000001b3ull
/* A portal and a statement may have the same name. */
#define PORTAL_START 0x84222325cbf29ce4ull

#define FIELD_REST 3

enum what {
	NO_PART,    /* belongs to no unit: terminate, password, COPY's data */
	PART,	    /* of a unit of several messages */
	END_OF_ALL, /* Sync */
	WHOLE,	    /* a unit of its own */
	UNKNOWN,
};

static enum what what_is(uint8_t type)
{
	switch (type) {
	case 0:
	case 'Q':
	case 'F':
		return WHOLE;
	case 'P':
	case 'B':
	case 'D':
	case 'C':
	case 'E':
		return PART;
	case 'S':
		return END_OF_ALL;
	case 'H':
	case 'X':
	case 'p':
	case 'd':
	case 'c':
	case 'f':
		return NO_PART;
	default:
		return UNKNOWN;
	}
}

/* The unit is over, and known as well as it will be. */
static enum protocol_step finish_unit(struct pg_parse *parse, enum protocol_step step)
{
	struct pg_state *state = parse->state;

	state->is_unit_open = false;
	state->has_batch_units = true;
	sql_plan_release(&state->unit_plan);
	parse->facts->note |= PG_NOTE_COMPLETE;
	parse->side->place = PG_IN_END;
	parse->side->resume = PG_AT_START;
	return step;
}

static enum protocol_step finish_preparation(struct pg_parse *parse)
{
	if (parse->state->unit_plan)
		sql_name_by_plan(parse->facts, parse->state->unit_plan);
	parse->facts->is_preparation = true;
	return finish_unit(parse, STEP_HEAD);
}

enum protocol_step pg_request_begins(struct pg_parse *parse, uint8_t type)
{
	struct pg_state *state = parse->state;

	switch (what_is(type)) {
	case WHOLE:
		if (!state->is_unit_open)
			return STEP_BEGIN;
		return pg_kind(parse->facts) == PG_PREPARE ? finish_preparation(parse) :
							     STEP_ONWARD;
	case PART:
		return state->is_unit_open ? STEP_ONWARD : STEP_BEGIN;
	case END_OF_ALL:
		return state->is_unit_open || state->has_batch_units ? STEP_ONWARD : STEP_BEGIN;
	case NO_PART:
		return STEP_ONWARD;
	case UNKNOWN:
		break;
	}
	return STEP_NOT_MINE;
}

/* When nothing waits and the server is ready, all batches before are over, whatever was missed of them. */
void pg_request_begun(struct pg_parse *parse)
{
	uint8_t type = parse->run->bytes ? *parse->run->bytes : 'S';
	struct exchange_facts *facts = parse->facts;
	struct pg_state *state = parse->state;
	unsigned kind = PG_PREPARE;

	if (facts->note & PG_NOTE_ORPHAN) { /* a write seen after its answer */
		facts->note &= PG_NOTE_ANSWERED | PG_NOTE_HEAD;
	} else {
		if (!state->waiting && state->is_ready)
			state->sides[SIDE_RESPONSE].batch = parse->side->batch;
		state->waiting++;
		facts->note = 0;
	}
	if (what_is(type) == WHOLE)
		kind = type ? PG_QUERY : PG_CONNECT;
	facts->note |= kind | PG_NOTE_PRESENT | (uint32_t)parse->side->batch << PG_NOTE_BATCH_SHIFT;
	facts->attributes[ATTRIBUTE_DB_SYSTEM_NAME] = "postgresql";
	state->is_unit_open = true;
	sql_plan_release(&state->unit_plan);
}

void pg_request_opens(struct pg_parse *parse)
{
	struct pg_side *side = parse->side;

	side->portal = PORTAL_START;
	side->statement = HASH_START;
	if (side->type == 'Q' || side->type == 'P')
		sql_text_begin(&parse->state->statement, SQL_POSTGRESQL, false);
}

/* Take a name up to its NUL. Returns how many bytes that were. */
static size_t take_name(struct pg_side *side, uint64_t *hash, const uint8_t *bytes, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		if (!bytes[i]) {
			side->field++;
			return i + 1;
		}
		*hash = (*hash ^ bytes[i]) * HASH_FACTOR;
	}
	return length;
}

static size_t take_statement(struct pg_parse *parse, const uint8_t *bytes, size_t length)
{
	const uint8_t *end = memchr(bytes, '\0', length);

	if (parse->state->statement)
		sql_text_take(parse->state->statement, bytes, end ? (size_t)(end - bytes) : length);
	if (end)
		parse->side->field++;
	return end ? (size_t)(end - bytes) + 1 : length;
}

/* What of a message is read: s statement, p portal, t text, k what kind of name follows, n the name; 0: nothing more. */
static char field_of(uint8_t type, unsigned field)
{
	static const struct {
		char type;
		char fields[4];
	} messages[] = { { 'Q', "t" }, { 'P', "st" }, { 'B', "ps" }, { 'E', "p" }, { 'C', "kn" } };

	for (size_t i = 0; i < sizeof(messages) / sizeof(messages[0]) && field < 3; i++)
		if ((uint8_t)messages[i].type == type)
			return messages[i].fields[field];
	return 0;
}

static size_t take_field(struct pg_parse *parse, char field, const uint8_t *bytes, size_t length)
{
	struct pg_side *side = parse->side;
	bool is_portal = field == 'p' || (field == 'n' && side->is_portal);

	if (field == 't')
		return take_statement(parse, bytes, length);
	if (field != 'k')
		return take_name(side, is_portal ? &side->portal : &side->statement, bytes, length);
	side->is_portal = *bytes == 'P';
	side->field++;
	return 1;
}

/* What it is was in the bytes that were captured. */
static bool is_named(const struct sql_text *statement)
{
	return statement && statement->reader.is_over;
}

void pg_request_body(struct pg_parse *parse, const uint8_t *bytes, size_t length)
{
	struct pg_side *side = parse->side;
	char field = field_of(side->type, side->field);

	if (!bytes && field) {
		side->is_unseen |= field != 't' || !is_named(parse->state->statement);
		if (field == 't' && parse->state->statement)
			sql_text_cut(parse->state->statement);
		side->field = FIELD_REST;
		return;
	}
	while (length && field) {
		size_t taken = take_field(parse, field, bytes, length);

		bytes += taken;
		length -= taken;
		field = field_of(side->type, side->field);
	}
}

static struct sql_plans *plans_of(struct pg_state *state)
{
	if (!state->plans && state->pool)
		state->plans = sql_plans_new(state->pool);
	return state->plans;
}

static void name_plan(struct pg_state *state, uint64_t name, struct sql_plan *plan)
{
	if (plans_of(state))
		sql_plans_put(state->plans, name, plan);
}

/* NULL: it is not known. */
static const struct sql_text *statement_read(struct pg_parse *parse)
{
	struct sql_text *statement = parse->state->statement;

	if (!statement) /* out of memory */
		parse->side->is_unseen = true;
	if (parse->side->is_unseen)
		return NULL;
	sql_text_end(statement);
	return statement;
}

static enum protocol_step end_query(struct pg_parse *parse)
{
	const struct sql_text *statement = statement_read(parse);
	enum protocol_step step;

	if (statement)
		sql_name_by_text(parse->facts, statement);
	step = finish_unit(parse, statement ? STEP_HEAD : STEP_UNSEEN);
	parse->state->has_batch_units = false;
	parse->side->batch++;
	return step;
}

static void end_parse(struct pg_parse *parse)
{
	const struct sql_text *statement = statement_read(parse);
	struct pg_state *state = parse->state;

	sql_plan_release(&state->unit_plan);
	if (statement) {
		sql_tell_trace(parse->facts, statement);
		state->unit_plan = sql_text_plan(statement);
	}
	name_plan(state, parse->side->statement, state->unit_plan);
}

static void end_bind(struct pg_parse *parse)
{
	struct pg_state *state = parse->state;

	sql_plan_release(&state->unit_plan);
	if (!parse->side->is_unseen)
		state->unit_plan =
			sql_plan_hold(sql_plans_find(state->plans, parse->side->statement));
	name_plan(state, parse->side->portal, state->unit_plan);
}

static enum protocol_step end_execute(struct pg_parse *parse)
{
	struct sql_plan *plan = NULL;

	if (!parse->side->is_unseen)
		plan = sql_plans_find(parse->state->plans, parse->side->portal);
	if (plan)
		sql_name_by_plan(parse->facts, plan);
	else
		parse->facts->outcomes |= 1ull << PARSE_STATEMENT_UNKNOWN;
	parse->facts->note ^= PG_PREPARE ^ PG_EXECUTE;
	return finish_unit(parse, STEP_HEAD);
}

static enum protocol_step end_sync(struct pg_parse *parse)
{
	struct pg_state *state = parse->state;
	enum protocol_step step = STEP_ONWARD;

	if (state->is_unit_open)
		step = finish_preparation(parse);
	state->has_batch_units = false;
	parse->side->batch++;
	return step;
}

static enum protocol_step end_startup(struct pg_parse *parse)
{
	const uint8_t *code = parse->side->header + 4;
	uint32_t number = (uint32_t)code[0] << 24 | (uint32_t)code[1] << 16 |
			  (uint32_t)code[2] << 8 | code[3];
	enum protocol_step step;

	sql_name_operation(parse->facts, "CONNECT");
	parse->facts->is_preparation = true;
	step = finish_unit(parse, STEP_HEAD);
	parse->state->has_batch_units = false;
	if (number == PG_CODE_CANCEL) {
		parse->facts->sides[SIDE_REQUEST].is_one_way = true;
		parse->facts->note &= ~(uint32_t)PG_NOTE_PRESENT;
		parse->state->waiting -= parse->state->waiting > 0;
	} else if (number == PG_CODE_SSL || number == PG_CODE_GSS) {
		parse->facts->note ^= PG_CONNECT ^ PG_NEGOTIATE;
	} else {
		parse->side->batch++;
	}
	return step;
}

/* While the server takes COPY's data it ignores Sync: the one that counts comes after them. */
static void end_copy(struct pg_parse *parse)
{
	struct pg_state *state = parse->state;

	if (!state->has_copy)
		return;
	state->has_copy = false;
	state->has_batch_units = true;
	parse->side->batch = state->copy_batch;
}

enum protocol_step pg_request_ends(struct pg_parse *parse)
{
	switch (parse->side->type) {
	case 0:
		return end_startup(parse);
	case 'Q':
		return end_query(parse);
	case 'F': /* a function called by its number */
		sql_name_operation(parse->facts, "other");
		(void)finish_unit(parse, STEP_HEAD);
		parse->state->has_batch_units = false;
		parse->side->batch++;
		return STEP_HEAD;
	case 'P':
		end_parse(parse);
		break;
	case 'B':
		end_bind(parse);
		break;
	case 'C':
		name_plan(parse->state,
			  parse->side->is_portal ? parse->side->portal : parse->side->statement,
			  NULL);
		break;
	case 'E':
		return end_execute(parse);
	case 'S':
		return end_sync(parse);
	case 'c':
	case 'f':
		end_copy(parse);
		break;
	default:
		break;
	}
	return STEP_ONWARD;
}
