/* SPDX-License-Identifier: Apache-2.0 */
/* MySQL: what the client says. Of a statement its command and its first table are kept. */
#include <string.h>

#include "protocol/mysql_state.h"

/* Capabilities of the client, in its answer to the greeting. */
#define CLIENT_COMPRESS (1u << 5)
#define CLIENT_SSL (1u << 11)
#define CLIENT_ZSTD (1u << 26)
#define SSL_REQUEST_BYTES 32
/* MariaDB: the statement prepared just before. */
#define NEWEST_STATEMENT 0xffffffffu

static const struct {
	uint8_t command;
	const char *name;
} commands[] = {
	{ COM_INIT_DB, "USE" },
	{ COM_FIELD_LIST, "SHOW" },
	{ COM_STATISTICS, "STATISTICS" },
	{ COM_PROCESS_KILL, "KILL" },
	{ COM_PING, "PING" },
	{ COM_CHANGE_USER, "CHANGE USER" },
	{ COM_BINLOG_DUMP, "BINLOG DUMP" },
	{ COM_BINLOG_DUMP_GTID, "BINLOG DUMP" },
	{ COM_REGISTER_SLAVE, "REGISTER REPLICA" },
	{ COM_STMT_RESET, "RESET STATEMENT" },
	{ COM_SET_OPTION, "SET OPTION" },
	{ COM_STMT_FETCH, "FETCH" },
	{ COM_RESET_CONNECTION, "RESET CONNECTION" },
};

static const char *command_name(uint8_t command)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (commands[i].command == command)
			return commands[i].name;
	return "other";
}

static bool is_statement(const struct mysql_parse *parse)
{
	uint8_t command = parse->side->body_bytes ? parse->side->body[0] : 0;

	return parse->state->phase == PHASE_COMMANDS &&
	       (command == COM_QUERY || command == COM_STMT_PREPARE);
}

/* The text follows the command; in MySQL 8's own form after two numbers, of which the first says that there are no attributes. */
static void take_statement(struct mysql_parse *parse, const uint8_t *bytes, size_t length)
{
	struct mysql_state *state = parse->state;

	while (length && !state->has_statement && *bytes < '\t') {
		bytes++;
		length--;
	}
	if (!length)
		return;
	if (!state->has_statement)
		sql_text_begin(&state->statement, SQL_MYSQL, state->has_plain_backslash);
	state->has_statement = true;
	if (state->statement)
		sql_text_take(state->statement, bytes, length);
}

void mysql_request_body(struct mysql_parse *parse, const uint8_t *bytes, size_t length)
{
	struct mysql_side *side = parse->side;

	if (!bytes && parse->state->has_statement && parse->state->statement)
		sql_text_cut(parse->state->statement);
	if (!bytes || side->is_unseen)
		return;
	if (!side->body_bytes) {
		if (parse->state->phase != PHASE_COMMANDS ||
		    (*bytes != COM_QUERY && *bytes != COM_STMT_PREPARE))
			return;
		bytes++;
		length--;
	} else if (!is_statement(parse)) {
		return;
	}
	take_statement(parse, bytes, length);
}

static void name_statement(struct mysql_parse *parse)
{
	struct mysql_state *state = parse->state;

	if (!state->has_statement)
		sql_text_begin(&state->statement, SQL_MYSQL, state->has_plain_backslash);
	state->has_statement = false;
	if (!state->statement) {
		sql_name_operation(parse->facts, "other");
		return;
	}
	if (parse->side->length == MYSQL_PACKET_MAX)
		sql_text_cut(state->statement);
	sql_text_end(state->statement);
	if (state->statement->reader.is_cut)
		parse->facts->outcomes |= 1ull << PARSE_STATEMENT_UNKNOWN;
	sql_name_by_text(parse->facts, state->statement);
}

static void end_prepare(struct mysql_parse *parse)
{
	struct mysql_state *state = parse->state;

	name_statement(parse);
	parse->facts->is_preparation = true;
	sql_plan_release(&state->newest);
	if (state->statement && !state->statement->reader.is_cut)
		state->newest = sql_text_plan(state->statement);
}

static void end_execute(struct mysql_parse *parse)
{
	struct mysql_state *state = parse->state;
	uint32_t number = mysql_number(parse->side, 1, 4);
	struct sql_plan *plan = number == NEWEST_STATEMENT ? state->newest :
				state->plans		   ? sql_plans_find(state->plans, number) :
							     NULL;

	if (plan)
		sql_name_by_plan(parse->facts, plan);
	else
		parse->facts->outcomes |= 1ull << PARSE_STATEMENT_UNKNOWN;
}

static void end_command(struct mysql_parse *parse)
{
	uint8_t command = parse->side->body[0];

	parse->facts->note = command;
	switch (command) {
	case COM_QUERY:
		name_statement(parse);
		break;
	case COM_STMT_PREPARE:
		end_prepare(parse);
		break;
	case COM_STMT_EXECUTE:
		end_execute(parse);
		break;
	case COM_STMT_CLOSE:
		if (parse->state->plans)
			sql_plans_put(parse->state->plans, mysql_number(parse->side, 1, 4), NULL);
		parse->message->is_one_way = true;
		break;
	case COM_QUIT:
	case COM_STMT_SEND_LONG_DATA:
		parse->message->is_one_way = true;
		break;
	case COM_CHANGE_USER:
		parse->state->phase = PHASE_LOGIN;
		/* fall through */
	default:
		sql_name_operation(parse->facts, command_name(command));
	}
}

/* The client's answer to the greeting, or its wish to encrypt instead. */
static void end_login(struct mysql_parse *parse)
{
	struct mysql_side *side = parse->side;
	uint32_t capabilities = mysql_number(side, 0, 4);

	parse->facts->note = COM_LOGIN;
	parse->facts->is_preparation = true;
	sql_name_operation(parse->facts, "CONNECT");
	if (capabilities & CLIENT_SSL && side->length == SSL_REQUEST_BYTES) {
		parse->state->phase = PHASE_TLS;
		return;
	}
	parse->state->phase = PHASE_LOGIN;
	parse->state->is_compressed = capabilities & (CLIENT_COMPRESS | CLIENT_ZSTD);
}

static enum protocol_step tell_request(struct mysql_parse *parse)
{
	struct mysql_state *state = parse->state;
	struct mysql_side *side = parse->side;

	parse->facts->attributes[ATTRIBUTE_DB_SYSTEM_NAME] =
		state->system ? state->system : "other_sql";
	if (!side->body_bytes)
		return STEP_NOT_MINE;
	side->place = MYSQL_IN_END;
	side->has_head = true;
	if (state->phase == PHASE_GREETED)
		end_login(parse);
	else
		end_command(parse);
	return STEP_HEAD;
}

/* A packet is whole: a request, or what else the client says on its way in. */
static enum protocol_step request_packet(struct mysql_parse *parse)
{
	struct mysql_side *side = parse->side;
	bool goes_on = side->length == MYSQL_PACKET_MAX;
	bool is_new = !side->is_continued;

	side->is_continued = goes_on;
	if (side->has_begun && is_new && goes_on) { /* what it is, is in the first packet */
		(void)tell_request(parse);
		mysql_packet_clear(side);
		return STEP_HEAD;
	}
	if (goes_on || !side->has_begun) {
		mysql_packet_clear(side);
		return STEP_ONWARD;
	}
	if (is_new)
		return tell_request(parse);
	side->place = MYSQL_IN_END;
	return STEP_ONWARD;
}

/* What was not captured begins with a request, or goes on with one: it is over when the server speaks. */
static enum protocol_step lose_place(struct mysql_parse *parse)
{
	struct mysql_side *side = parse->side;
	bool has_head = side->has_head;

	side->place = MYSQL_IN_REST;
	side->has_head = true;
	return has_head || !side->has_begun ? STEP_ONWARD : STEP_UNSEEN;
}

enum protocol_step mysql_request_step(struct mysql_parse *parse)
{
	struct mysql_side *side = parse->side;
	struct mysql_state *state = parse->state;
	bool is_request = state->phase == PHASE_COMMANDS || state->phase == PHASE_GREETED;

	if (side->place == MYSQL_IN_END) {
		mysql_side_clear(side);
		return STEP_END;
	}
	if (side->place == MYSQL_IN_BODY && !side->left)
		return request_packet(parse);
	if (!parse->run->length)
		return STEP_MORE;
	if (state->phase == PHASE_TLS || state->is_local_data) {
		parse->run->length = 0;
		return STEP_MORE;
	}
	if (side->place == MYSQL_IN_BODY)
		return mysql_take_body(parse) ? request_packet(parse) : STEP_MORE;
	if (!side->has_begun && is_request) {
		side->has_begun = true;
		return STEP_BEGIN;
	}
	if (!parse->run->bytes)
		return lose_place(parse);
	if (!mysql_take_header(parse))
		return STEP_MORE;
	if (side->has_begun && !side->is_continued && state->phase == PHASE_COMMANDS &&
	    (side->header[3] || !side->length))
		return STEP_NOT_MINE;
	return STEP_ONWARD;
}
