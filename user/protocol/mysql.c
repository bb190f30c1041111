/* SPDX-License-Identifier: Apache-2.0 */
/* MySQL and MariaDB: packets, sniffing, boundaries. The two sides take turns, so the first bytes of each turn are enough: a
 * result longer than that ends when the client speaks again, or with the last bytes of the turn. */
#include <ctype.h>
#include <string.h>

#include "config_abi.h"
#include "protocol/mysql_state.h"
#include "protocol/sql_commands.h"

static void take(struct protocol_run *run, uint64_t count)
{
	if (run->bytes)
		run->bytes += count;
	run->length -= count;
}

void mysql_packet_clear(struct mysql_side *side)
{
	side->header_bytes = 0;
	side->body_bytes = 0;
	side->is_unseen = false;
	side->place = MYSQL_IN_HEADER;
}

void mysql_side_clear(struct mysql_side *side)
{
	memset(side, 0, sizeof(*side));
}

bool mysql_take_header(struct mysql_parse *parse)
{
	struct mysql_side *side = parse->side;
	size_t missing = (size_t)(MYSQL_HEADER_BYTES - side->header_bytes);
	size_t taken = parse->run->length < missing ? (size_t)parse->run->length : missing;

	memcpy(side->header + side->header_bytes, parse->run->bytes, taken);
	side->header_bytes = (uint8_t)(side->header_bytes + taken);
	take(parse->run, taken);
	if (side->header_bytes < MYSQL_HEADER_BYTES)
		return false;
	side->length =
		side->header[0] | (uint32_t)side->header[1] << 8 | (uint32_t)side->header[2] << 16;
	side->left = side->length;
	side->place = MYSQL_IN_BODY;
	return true;
}

bool mysql_take_body(struct mysql_parse *parse)
{
	struct mysql_side *side = parse->side;
	struct protocol_run *run = parse->run;
	uint32_t taken = run->length < side->left ? (uint32_t)run->length : side->left;
	uint32_t room = (uint32_t)(MYSQL_BODY_MAX - side->body_bytes);
	uint32_t kept = taken < room ? taken : room;

	if (parse->which == SIDE_REQUEST && taken)
		mysql_request_body(parse, run->bytes, taken);
	if (!run->bytes && side->body_bytes < MYSQL_BODY_MAX && taken) {
		side->is_unseen = true; /* what is kept ends here */
	} else if (!side->is_unseen && kept) {
		memcpy(side->body + side->body_bytes, run->bytes, kept);
		side->body_bytes = (uint8_t)(side->body_bytes + kept);
	}
	parse->message->body_bytes += taken;
	take(run, taken);
	side->left -= taken;
	return !side->left;
}

uint32_t mysql_number(const struct mysql_side *side, size_t at, size_t bytes)
{
	uint32_t number = 0;

	if (at + bytes > side->body_bytes)
		return 0;
	while (bytes--)
		number = number << 8 | side->body[at + bytes];
	return number;
}

static enum protocol_step mysql_parse(void *state, enum message_side which,
				      struct protocol_run *run, struct exchange_facts *facts)
{
	struct mysql_state *mysql = state;
	struct mysql_parse parse = { .state = mysql,
				     .side = &mysql->sides[which],
				     .run = run,
				     .facts = facts,
				     .message = &facts->sides[which],
				     .which = which };
	enum protocol_step step;

	do {
		if (parse.side->place == MYSQL_IN_REST) {
			parse.message->body_bytes += run->length;
			take(run, run->length);
			return STEP_MORE;
		}
		step = which == SIDE_REQUEST ? mysql_request_step(&parse) :
					       mysql_answer_step(&parse);
	} while (step == STEP_ONWARD);
	return step;
}

/* The rest of a side that lost its place is over. */
static enum protocol_step end_rest(struct mysql_side *side)
{
	bool is_open = side->has_begun && side->has_head;

	mysql_side_clear(side);
	return is_open ? STEP_END : STEP_MORE;
}

static enum protocol_step mysql_boundary(void *state, enum message_side which,
					 enum protocol_boundary boundary, uint64_t tail)
{
	struct mysql_state *mysql = state;
	struct mysql_side *side = &mysql->sides[which];

	if (boundary == BOUNDARY_RESYNC) {
		mysql_side_clear(side);
		mysql->phase = PHASE_COMMANDS;
		mysql->is_local_data = false;
		mysql->has_statement = false;
		return STEP_MORE;
	}
	if (side->place != MYSQL_IN_REST)
		return STEP_MORE;
	if (boundary == BOUNDARY_PROGRESS && !(which == SIDE_RESPONSE && mysql_tail_ends(tail)))
		return STEP_MORE;
	return end_rest(side);
}

static void mysql_release(void *state)
{
	struct mysql_state *mysql = state;

	sql_plan_release(&mysql->newest);
	sql_plans_free(&mysql->plans);
	sql_text_free(&mysql->statement);
}

/* Protocol 10, a version of two numbers at least, in a packet of sane length. */
static enum sniff_result sniff_greeting(const uint8_t *bytes, size_t length)
{
	size_t at = 5;

	if (bytes[0] < 40 || bytes[1] || bytes[2])
		return SNIFF_NO;
	while (at < length && at < 8 && isdigit(bytes[at]))
		at++;
	if (at == length)
		return SNIFF_MORE;
	if (at == 5 || bytes[at] != '.')
		return SNIFF_NO;
	if (at + 1 == length)
		return SNIFF_MORE;
	return isdigit(bytes[at + 1]) ? SNIFF_RESPONSE : SNIFF_NO;
}

/* A command that we know begins the text. MySQL 8 may have two bytes about attributes before it. */
static enum sniff_result sniff_query(const uint8_t *bytes, size_t length)
{
	size_t begin = 5, end;

	if (length > begin && bytes[begin] == 0) {
		if (length > begin + 1 && bytes[begin + 1] != 1)
			return SNIFF_NO;
		begin += 2;
	}
	while (begin < length && (isspace(bytes[begin]) || bytes[begin] == '('))
		begin++;
	for (end = begin; end < length && isalpha(bytes[end]);)
		end++;
	if (end >= length)
		return SNIFF_MORE;
	return sql_command_find((const char *)bytes + begin, end - begin) ? SNIFF_REQUEST :
									    SNIFF_NO;
}

/* COM_STMT_EXECUTE: number, flags, and how often: always once. */
static enum sniff_result sniff_execute(const uint8_t *bytes, size_t length)
{
	static const uint8_t once[4] = { 1, 0, 0, 0 };
	size_t shown = length > 10 ? length - 10 : 0;

	if (length > 9 && bytes[9] > 15)
		return SNIFF_NO;
	if (shown && memcmp(bytes + 10, once, shown < 4 ? shown : 4) != 0)
		return SNIFF_NO;
	return shown >= 4 ? SNIFF_REQUEST : SNIFF_MORE;
}

/* The server speaks first. What is older than sonde is recognised by requests of which there is little doubt. */
static enum sniff_result mysql_sniff(const uint8_t *bytes, size_t length)
{
	if (length > 2 && bytes[2]) /* no greeting, and no statement of the usual length */
		return SNIFF_NO;
	if (length > 3 && bytes[3]) /* sequence number */
		return SNIFF_NO;
	if (length < 5)
		return SNIFF_MORE;
	switch (bytes[4]) {
	case 10:
		return sniff_greeting(bytes, length);
	case COM_QUERY:
	case COM_STMT_PREPARE:
		return sniff_query(bytes, length);
	case COM_STMT_EXECUTE:
		return sniff_execute(bytes, length);
	case COM_PING:
		return bytes[0] == 1 && !bytes[1] && !bytes[2] ? SNIFF_REQUEST : SNIFF_NO;
	default:
		return SNIFF_NO;
	}
}

const struct protocol protocol_mysql = {
	.name = "mysql",
	.mode = MODE_MESSAGES,
	.state_bytes = sizeof(struct mysql_state),
	.sniff = mysql_sniff,
	.parse = mysql_parse,
	.boundary = mysql_boundary,
	.release = mysql_release,
	.shared_new = sql_plan_pool_new,
	.shared_free = sql_plan_pool_free,
};
