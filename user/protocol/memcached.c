/* SPDX-License-Identifier: Apache-2.0 */
/* Memcached: the text protocol with its meta commands, and the binary one (doc/protocol.txt, protocol_binary.h of
 * memcached 1.6). Every byte counts for where messages end, so the kernel sends all of them; values are skipped by
 * their length and may be missing. Keys and values are never kept. A request that may be answered by silence is known
 * to be when an answer comes that cannot be its own. */
#include <string.h>

#include "config_abi.h"
#include "protocol/memcached_state.h"

enum protocol_step memcached_tell_request(struct memcached_parse *parse, const char *name,
					  unsigned number)
{
	const struct memcached_side *side = parse->side;

	parse->facts->attributes[ATTRIBUTE_DB_SYSTEM_NAME] = "memcached";
	parse->facts->attributes[ATTRIBUTE_DB_OPERATION_NAME] = name ? name : "other";
	parse->facts->note = number | (side->is_quiet ? NOTE_QUIET : 0);
	if (side->has_opaque)
		parse->facts->note |= NOTE_OPAQUE | side->opaque << NOTE_OPAQUE_SHIFT;
	parse->facts->reads = side->keys;
	parse->message->is_quiet = side->is_quiet;
	parse->message->is_one_way = side->is_one_way;
	parse->side->place = MEMCACHED_IN_VALUE;
	return STEP_HEAD;
}

void memcached_tell_answer(struct memcached_parse *parse, uint32_t hits)
{
	struct exchange_facts *facts = parse->facts;
	uint32_t room = facts->reads - facts->read_hits;

	facts->read_hits += hits < room ? hits : room;
	if (!parse->side->error)
		return;
	facts->attributes[ATTRIBUTE_ERROR_TYPE] = parse->side->error;
	facts->reads = facts->read_hits; /* of the others nothing is known */
	parse->message->fault = FAULT_SERVER;
}

static bool may_begin_line(uint8_t byte)
{
	return (byte >= ' ' && byte <= '~') || byte == '\r' || byte == '\n';
}

static enum protocol_step start(struct memcached_parse *parse)
{
	struct memcached_state *state = parse->state;
	uint8_t first = *parse->run->bytes;
	uint8_t magic = parse->which == SIDE_REQUEST ? 0x80 : 0x81;

	if (!state->has_form) {
		state->is_binary = first == magic;
		state->has_form = true;
	}
	if (state->is_binary ? first != magic : !may_begin_line(first))
		return STEP_NOT_MINE;
	memset(parse->side, 0, sizeof(*parse->side));
	parse->side->place = state->is_binary ? MEMCACHED_IN_HEADER : MEMCACHED_IN_LINE;
	if (parse->which == SIDE_RESPONSE)
		return STEP_ONWARD;
	parse->side->has_begun = true;
	return STEP_BEGIN;
}

/* An answer that cannot be the oldest request's: silence was that one's, or we are out of step. */
static enum protocol_step at_answer(struct memcached_parse *parse)
{
	bool fits =
		parse->state->is_binary ? memcached_binary_fits(parse) : memcached_text_fits(parse);

	if (!fits)
		return parse->facts->note & NOTE_QUIET ? STEP_SILENT : STEP_BROKEN;
	parse->side->has_begun = true;
	parse->side->place = MEMCACHED_AT_HEAD;
	return STEP_BEGIN;
}

static enum protocol_step at_head(struct memcached_parse *parse)
{
	parse->side->place = MEMCACHED_IN_VALUE;
	return parse->state->is_binary ? memcached_binary_head(parse) : memcached_text_head(parse);
}

static enum protocol_step in_value(struct memcached_parse *parse)
{
	struct memcached_side *side = parse->side;
	struct protocol_run *run = parse->run;
	uint64_t taken = side->left < run->length ? side->left : run->length;

	memcached_take(run, taken);
	side->left -= taken;
	parse->message->body_bytes += taken;
	if (side->left)
		return STEP_MORE;
	if (!side->goes_on) {
		side->place = MEMCACHED_AT_START;
		return STEP_END;
	}
	side->goes_on = false;
	side->words = 0;
	side->word_bytes = 0;
	side->place = parse->state->is_binary ? MEMCACHED_IN_HEADER : MEMCACHED_IN_LINE;
	return STEP_ONWARD;
}

static enum protocol_step step_once(struct memcached_parse *parse)
{
	unsigned place = parse->side->place;

	if (place == MEMCACHED_AT_ANSWER)
		return at_answer(parse);
	if (place == MEMCACHED_AT_HEAD)
		return at_head(parse);
	if (place == MEMCACHED_IN_VALUE)
		return in_value(parse);
	if (!parse->run->length)
		return STEP_MORE;
	if (!parse->run->bytes)
		return STEP_LOST;
	if (place == MEMCACHED_IN_LINE)
		return memcached_in_line(parse);
	return place == MEMCACHED_IN_HEADER ? memcached_in_header(parse) : start(parse);
}

static enum protocol_step memcached_parse(void *state, enum message_side which,
					  struct protocol_run *run, struct exchange_facts *facts)
{
	struct memcached_state *memcached = state;
	struct memcached_parse parse = { .state = memcached,
					 .side = &memcached->sides[which],
					 .run = run,
					 .facts = facts,
					 .message = &facts->sides[which],
					 .which = which };
	enum protocol_step step;

	do
		step = step_once(&parse);
	while (step == STEP_ONWARD);
	return step;
}

/* Messages say where they end; nothing else does. */
static enum protocol_step memcached_boundary(void *state, enum message_side which,
					     enum protocol_boundary boundary, uint64_t tail)
{
	struct memcached_state *memcached = state;

	(void)tail;
	if (boundary == BOUNDARY_RESYNC)
		memset(&memcached->sides[which], 0, sizeof(memcached->sides[which]));
	return STEP_MORE;
}

/* Magic, a known opcode, lengths that fit each other, data type 0. */
static enum sniff_result sniff_binary(const uint8_t *bytes, size_t length)
{
	uint32_t body = 0;

	if (length > 1 && !memcached_opcode_find(bytes[1])->name)
		return SNIFF_NO;
	if (length > 2 && bytes[2]) /* keys have at most 250 bytes */
		return SNIFF_NO;
	if (length > 4 && bytes[4] > 20)
		return SNIFF_NO;
	if (length > 5 && bytes[5])
		return SNIFF_NO;
	if (length < 12)
		return SNIFF_MORE;
	for (size_t i = 8; i < 12; i++)
		body = body << 8 | bytes[i];
	return body >= (uint32_t)bytes[3] + bytes[4] && body < 1u << 30 ? SNIFF_REQUEST : SNIFF_NO;
}

static enum sniff_result sniff_opener(const char *opener, const uint8_t *bytes, size_t length)
{
	size_t opener_length = strlen(opener);
	size_t both = length < opener_length ? length : opener_length;

	if (memcmp(bytes, opener, both) != 0)
		return SNIFF_NO;
	if (length <= opener_length)
		return SNIFF_MORE;
	if (opener[opener_length - 1] != ' ') /* alone on its line */
		return bytes[opener_length] == '\r' || bytes[opener_length] == '\n' ?
			       SNIFF_REQUEST :
			       SNIFF_NO;
	return bytes[opener_length] > ' ' && bytes[opener_length] != 0x7f ? SNIFF_REQUEST :
									    SNIFF_NO;
}

/* "quit" and others are said to many servers, in lower case too: those are no proof. */
static enum sniff_result memcached_sniff(const uint8_t *bytes, size_t length)
{
	static const char *const openers[] = {
		"get ",	 "gets ",   "set ",	 "add ",       "replace ",   "append ", "prepend ",
		"cas ",	 "delete ", "incr ",	 "decr ",      "touch ",     "gat ",	"gats ",
		"mg ",	 "ms ",	    "md ",	 "ma ",	       "me ",	     "mn",	"version",
		"stats", "stats ",  "flush_all", "flush_all ", "verbosity ",
	};
	enum sniff_result best = SNIFF_NO;

	if (length && *bytes == 0x80)
		return sniff_binary(bytes, length);
	for (size_t i = 0; i < sizeof(openers) / sizeof(openers[0]); i++) {
		enum sniff_result result = sniff_opener(openers[i], bytes, length);

		if (result == SNIFF_REQUEST)
			return result;
		if (result == SNIFF_MORE)
			best = result;
	}
	return best;
}

const struct protocol protocol_memcached = {
	.name = "memcached",
	.mode = MODE_VALUES,
	.state_bytes = sizeof(struct memcached_state),
	.sniff = memcached_sniff,
	.parse = memcached_parse,
	.boundary = memcached_boundary,
};
