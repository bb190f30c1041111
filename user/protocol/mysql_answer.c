/* SPDX-License-Identifier: Apache-2.0 */
/* MySQL: what the server says. Rows are counted off by their packets' lengths; whether the client asked for no EOF packets is seen
 * from what comes after the columns. */
#include <stdio.h>
#include <string.h>

#include "protocol/mysql_state.h"

#define PACKET_OK 0x00
#define PACKET_LOCAL_DATA 0xfb
#define PACKET_EOF 0xfe
#define PACKET_ERROR 0xff
#define EOF_BYTES 5 /* an OK packet in its place has 7 at least */

/* Server status. */
#define MORE_RESULTS 0x0008u
#define CURSOR_EXISTS 0x0040u
#define NO_BACKSLASH_ESCAPES 0x0200u

/* MariaDB: how far it is, in place of an error. */
#define ERROR_IS_PROGRESS 0xffffu

/* Numbers that the servers themselves use; what a statement's SIGNAL makes up has no end. */
#define ERROR_TEXT_AT SQL_OWN_AT
_Static_assert(ERROR_TEXT_AT + 5 <= SQL_MASKED_AT, "an error's number has room of its own");

static bool is_known_error(uint32_t number)
{
	return (number >= 1000 && number < 2000) || (number >= 3000 && number < 5000);
}

static void take_error(struct mysql_parse *parse)
{
	uint32_t number = mysql_number(parse->side, 1, 2);
	struct exchange_facts *facts = parse->facts;

	parse->message->fault = FAULT_SERVER;
	facts->attributes[ATTRIBUTE_ERROR_TYPE] = "_OTHER";
	if (!is_known_error(number))
		return;
	(void)snprintf(facts->text + ERROR_TEXT_AT, 5, "%u", number);
	facts->attributes[ATTRIBUTE_ERROR_TYPE] = facts->text + ERROR_TEXT_AT;
}

/* Bytes of a length-encoded number. */
static size_t number_bytes(const struct mysql_side *side, size_t at)
{
	uint8_t first = at < side->body_bytes ? side->body[at] : 0;

	return first < 0xfc ? 1 : first == 0xfc ? 3 : first == 0xfd ? 4 : 9;
}

static uint64_t length_encoded(const struct mysql_side *side, size_t at)
{
	switch (number_bytes(side, at)) {
	case 1:
		return at < side->body_bytes ? side->body[at] : 0;
	case 3:
		return mysql_number(side, at + 1, 2);
	case 4:
		return mysql_number(side, at + 1, 3);
	default:
		return mysql_number(side, at + 1, 4) | (uint64_t)mysql_number(side, at + 5, 4)
							       << 32;
	}
}

/* Server status of an OK or EOF packet. */
static uint32_t status_of(const struct mysql_side *side)
{
	size_t at = 1;

	if (side->length == EOF_BYTES)
		return mysql_number(side, 3, 2);
	at += number_bytes(side, at);
	at += number_bytes(side, at);
	return mysql_number(side, at, 2);
}

static bool is_eof(const struct mysql_side *side)
{
	return side->length == EOF_BYTES && side->body[0] == PACKET_EOF;
}

/* Tell the head, if it was not told, and the end with it when this was all. */
static enum protocol_step go_on(struct mysql_parse *parse, bool is_over)
{
	struct mysql_side *side = parse->side;

	if (is_over)
		side->place = MYSQL_IN_END;
	else
		mysql_packet_clear(side);
	if (side->has_head)
		return STEP_ONWARD;
	side->has_head = true;
	return STEP_HEAD;
}

static void expect(struct mysql_side *side, enum mysql_expect what)
{
	side->expect = (uint8_t)what;
}

static bool has_rows(const struct exchange_facts *facts)
{
	return facts->note == COM_QUERY || facts->note == COM_STMT_EXECUTE ||
	       facts->note == COM_STMT_FETCH;
}

static void add_rows(struct exchange_facts *facts, uint64_t rows, enum rows_kind kind)
{
	if (!has_rows(facts))
		return;
	facts->rows += rows;
	if (facts->rows_kind != ROWS_RETURNED)
		facts->rows_kind = (uint8_t)kind;
}

/* Those that were counted are not all. */
static void forget_rows(struct mysql_parse *parse)
{
	if (!has_rows(parse->facts) || parse->side->expect != EXPECT_ROWS)
		return;
	parse->facts->rows = 0;
	parse->facts->rows_kind = ROWS_UNKNOWN;
	parse->facts->outcomes |= 1ull << PARSE_ROWS_UNSEEN;
}

/* One of the results of a request is over. */
static enum protocol_step result_ends(struct mysql_parse *parse, uint32_t status)
{
	const char *operation = parse->facts->attributes[ATTRIBUTE_DB_OPERATION_NAME];
	bool is_more = status & MORE_RESULTS;

	parse->state->has_plain_backslash = status & NO_BACKSLASH_ESCAPES;
	if (is_more && parse->facts->note == COM_QUERY && operation &&
	    strcmp(operation, "CALL") != 0)
		parse->facts->outcomes |= 1ull << PARSE_SEVERAL_STATEMENTS;
	expect(parse->side, EXPECT_FIRST);
	return go_on(parse, !is_more);
}

/* Its number, how many columns its results have, and how many parameters it takes. */
static enum protocol_step take_prepared(struct mysql_parse *parse)
{
	struct mysql_state *state = parse->state;
	struct mysql_side *side = parse->side;
	struct sql_plan *plan = sql_plan_of(parse->facts);

	if (!state->plans && state->pool)
		state->plans = sql_plans_new(state->pool);
	if (state->plans)
		sql_plans_put(state->plans, mysql_number(side, 1, 4), plan);
	sql_plan_release(&plan);
	side->results = mysql_number(side, 5, 2);
	side->columns = mysql_number(side, 7, 2);
	expect(side, side->columns ? EXPECT_PARAMETERS : EXPECT_RESULTS);
	return go_on(parse, !side->columns && !side->results);
}

static enum protocol_step take_login(struct mysql_parse *parse, uint8_t first)
{
	if (first != PACKET_OK && first != PACKET_ERROR) { /* more is to be said about it */
		mysql_packet_clear(parse->side);
		return STEP_ONWARD;
	}
	parse->state->phase = PHASE_COMMANDS;
	if (first == PACKET_ERROR) {
		take_error(parse);
	} else if (parse->state->is_compressed) {
		parse->facts->outcomes |= 1ull << PARSE_COMPRESSED;
		parse->message->opens_tunnel = true;
	} else {
		parse->state->has_plain_backslash = status_of(parse->side) & NO_BACKSLASH_ESCAPES;
	}
	return go_on(parse, true);
}

/* How many columns; one byte more may say that what they are is not repeated (MariaDB). */
static enum protocol_step take_columns(struct mysql_parse *parse)
{
	struct mysql_side *side = parse->side;
	size_t bytes = number_bytes(side, 0);

	side->columns = bytes == 1 ? side->body[0] : mysql_number(side, 1, bytes == 3 ? 2 : 3);
	if (!side->columns || bytes > 4)
		return STEP_BROKEN;
	expect(side, EXPECT_COLUMNS);
	if (side->length == bytes + 1 && !side->body[bytes])
		expect(side, EXPECT_COLUMNS_END);
	return go_on(parse, false);
}

static enum protocol_step take_row(struct mysql_parse *parse)
{
	struct mysql_side *side = parse->side;
	uint8_t first = side->body[0];

	if (first == PACKET_ERROR && side->length > 2) {
		take_error(parse);
		parse->facts->rows_kind = ROWS_UNKNOWN;
		return go_on(parse, true);
	}
	if (first == PACKET_EOF && side->length < MYSQL_PACKET_MAX && side->length >= EOF_BYTES) {
		add_rows(parse->facts, 0, ROWS_RETURNED);
		return result_ends(parse, status_of(side));
	}
	add_rows(parse->facts, 1, ROWS_RETURNED);
	return go_on(parse, false);
}

static enum protocol_step take_first_command(struct mysql_parse *parse, uint8_t first)
{
	switch (first) {
	case PACKET_OK:
		if (parse->facts->note == COM_STMT_PREPARE)
			return take_prepared(parse);
		add_rows(parse->facts, length_encoded(parse->side, 1), ROWS_AFFECTED);
		return result_ends(parse, status_of(parse->side));
	case PACKET_EOF:
		return result_ends(parse, status_of(parse->side));
	case PACKET_LOCAL_DATA:
		parse->state->is_local_data = true;
		mysql_packet_clear(parse->side);
		return STEP_ONWARD;
	default:
		return take_columns(parse);
	}
}

/* The packet that says what the answer is. */
static enum protocol_step take_first(struct mysql_parse *parse)
{
	uint8_t first = parse->side->body[0];

	parse->state->is_local_data = false;
	if (first == PACKET_ERROR && mysql_number(parse->side, 1, 2) == ERROR_IS_PROGRESS) {
		mysql_packet_clear(parse->side);
		return STEP_ONWARD;
	}
	if (parse->state->phase == PHASE_LOGIN)
		return take_login(parse, first);
	if (first == PACKET_ERROR) {
		take_error(parse);
		return go_on(parse, true);
	}
	switch (parse->facts->note) {
	case COM_STATISTICS:
		return go_on(parse, true);
	case COM_FIELD_LIST:
	case COM_STMT_FETCH:
		expect(parse->side, EXPECT_ROWS);
		return take_row(parse);
	case COM_BINLOG_DUMP:
	case COM_BINLOG_DUMP_GTID:
		parse->facts->outcomes |= 1ull << PARSE_FEED;
		parse->message->opens_tunnel = true;
		return go_on(parse, true);
	default:
		return take_first_command(parse, first);
	}
}

/* After the columns: an EOF packet, or at once the first row or the end. */
static enum protocol_step take_columns_end(struct mysql_parse *parse)
{
	struct mysql_side *side = parse->side;
	uint32_t status;

	expect(side, EXPECT_ROWS);
	parse->state->eof = is_eof(side) ? EOF_SENT : EOF_DEPRECATED;
	if (!is_eof(side))
		return take_row(parse);
	status = status_of(side);
	return status & CURSOR_EXISTS ? result_ends(parse, status & ~MORE_RESULTS) :
					go_on(parse, false);
}

/* All parameters, or all columns, of a prepared statement are told. An EOF packet that nobody waited for is passed over. */
static enum protocol_step prepared_part_ends(struct mysql_parse *parse, bool is_last)
{
	struct mysql_side *side = parse->side;

	if (parse->state->eof == EOF_SENT) {
		expect(side, is_last ? EXPECT_RESULTS_END : EXPECT_PARAMETERS_END);
		return go_on(parse, false);
	}
	expect(side, EXPECT_RESULTS);
	return go_on(parse, is_last);
}

static enum protocol_step take_prepared_part(struct mysql_parse *parse)
{
	struct mysql_side *side = parse->side;
	uint32_t *left = side->expect == EXPECT_PARAMETERS ? &side->columns : &side->results;

	if (is_eof(side)) { /* after the parameters */
		parse->state->eof = EOF_SENT;
		return go_on(parse, false);
	}
	if (--*left)
		return go_on(parse, false);
	return prepared_part_ends(parse, side->expect == EXPECT_RESULTS || !side->results);
}

static enum protocol_step take_packet(struct mysql_parse *parse)
{
	struct mysql_side *side = parse->side;

	switch ((enum mysql_expect)side->expect) {
	case EXPECT_FIRST:
		return take_first(parse);
	case EXPECT_COLUMNS:
		if (!--side->columns)
			expect(side, EXPECT_COLUMNS_END);
		return go_on(parse, false);
	case EXPECT_COLUMNS_END:
		return take_columns_end(parse);
	case EXPECT_ROWS:
		return take_row(parse);
	case EXPECT_PARAMETERS:
	case EXPECT_RESULTS:
		return take_prepared_part(parse);
	case EXPECT_PARAMETERS_END:
		expect(side, EXPECT_RESULTS);
		return go_on(parse, false);
	case EXPECT_RESULTS_END:
		break;
	}
	return go_on(parse, true);
}

/* "…-MariaDB-…" somewhere in the version. */
static void take_greeting(struct mysql_parse *parse)
{
	const struct mysql_side *side = parse->side;
	const uint8_t *version = side->body + 1;
	size_t bytes = strnlen((const char *)version, (size_t)(side->body_bytes - 1));

	parse->state->system = memmem(version, bytes, "MariaDB", 7) ? "mariadb" : "mysql";
	parse->state->phase = PHASE_GREETED;
}

/* Packets that belong to no answer. Returns false when this is none of them. */
static bool take_stray(struct mysql_parse *parse)
{
	struct mysql_side *side = parse->side;

	if (!parse->facts->note && side->body[0] == 10 && !side->header[3]) {
		take_greeting(parse);
		return true;
	}
	if (is_eof(side) && side->header[3] > 1) { /* after a prepared statement's last column */
		parse->state->eof = EOF_SENT;
		return true;
	}
	return false;
}

static enum protocol_step answer_packet(struct mysql_parse *parse)
{
	struct mysql_side *side = parse->side;
	bool is_rest = side->is_continued;

	side->is_continued = side->length == MYSQL_PACKET_MAX;
	if (is_rest || (!side->body_bytes && !side->is_unseen)) {
		mysql_packet_clear(side);
		return STEP_ONWARD;
	}
	if (!side->has_begun && take_stray(parse)) {
		mysql_side_clear(side);
		return STEP_ONWARD;
	}
	side->place = MYSQL_AT_PACKET;
	if (side->has_begun)
		return STEP_ONWARD;
	side->has_begun = true;
	return STEP_BEGIN;
}

/* Where the next packet begins was not captured: the answer is over when the client speaks, or by its last bytes. */
static enum protocol_step lose_place(struct mysql_parse *parse)
{
	struct mysql_side *side = parse->side;

	if (!side->has_begun) {
		side->has_begun = true;
		return STEP_BEGIN;
	}
	side->place = MYSQL_IN_REST;
	forget_rows(parse);
	parse->message->end = END_UNFRAMED;
	return side->has_head ? STEP_ONWARD : STEP_UNSEEN;
}

/* Of long packets the first bytes are enough. */
static bool is_cut(const struct mysql_side *side)
{
	return side->is_unseen && (!side->body_bytes || side->length <= MYSQL_BODY_MAX);
}

static enum protocol_step encrypted(struct mysql_parse *parse)
{
	struct mysql_side *side = parse->side;

	if (!side->has_begun) {
		side->has_begun = true;
		return STEP_BEGIN;
	}
	parse->facts->outcomes |= 1ull << PARSE_ENCRYPTED;
	parse->message->opens_tunnel = true;
	side->place = MYSQL_IN_REST;
	side->has_head = true;
	return STEP_HEAD;
}

enum protocol_step mysql_answer_step(struct mysql_parse *parse)
{
	struct mysql_side *side = parse->side;

	if (side->place == MYSQL_IN_END) {
		mysql_side_clear(side);
		return STEP_END;
	}
	if (side->place == MYSQL_AT_PACKET)
		return is_cut(side) ? lose_place(parse) : take_packet(parse);
	if (side->place == MYSQL_IN_BODY && !side->left)
		return answer_packet(parse);
	if (!parse->run->length)
		return STEP_MORE;
	if (parse->state->phase == PHASE_TLS)
		return encrypted(parse);
	if (side->place == MYSQL_IN_BODY)
		return mysql_take_body(parse) ? answer_packet(parse) : STEP_MORE;
	if (!parse->run->bytes)
		return lose_place(parse);
	return mysql_take_header(parse) ? STEP_ONWARD : STEP_MORE;
}

/* The last eight bytes of an EOF packet, or of the OK packet in its place: fe, nothing changed, status, warnings. */
bool mysql_tail_ends(uint64_t tail)
{
	uint8_t last[8];
	uint32_t status;

	for (size_t i = 0; i < sizeof(last); i++)
		last[i] = (uint8_t)(tail >> 8 * i);
	if (!last[0] && !last[1] && last[3] == PACKET_EOF)
		status = last[6] | (uint32_t)last[7] << 8;
	else if (last[1] == PACKET_EOF && !last[2] && !last[3])
		status = last[4] | (uint32_t)last[5] << 8;
	else
		return false;
	return !(status & MORE_RESULTS);
}
