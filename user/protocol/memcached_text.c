/* SPDX-License-Identifier: Apache-2.0 */
/* Memcached's text protocol: lines of words, of which only those that frame are kept, one at a time. */
#include <string.h>

#include "base/table.h"
#include "protocol/memcached_state.h"

#define KEY_MAX 250
#define WORDS_MAX 250
#define ANSWERS_WITH_FLAGS (ANSWER_HD | ANSWER_VA | ANSWER_NS | ANSWER_EX | ANSWER_NF)
#define WORD_BYTES_MAX 4096u /* counted */

/* Numbers as strtol of the server takes them, but without sign. Returns UINT64_MAX when it is none. */
static uint64_t word_number(const struct memcached_side *side, uint64_t max)
{
	uint64_t number = 0;

	if (!side->word_bytes || side->word_bytes > 10)
		return UINT64_MAX;
	for (size_t i = 0; i < side->word_bytes; i++) {
		if (side->word[i] < '0' || side->word[i] > '9')
			return UINT64_MAX;
		number = number * 10 + (uint64_t)(side->word[i] - '0');
	}
	return number <= max ? number : UINT64_MAX;
}

static bool word_is(const struct memcached_side *side, const char *text)
{
	return side->word_bytes == strlen(text) && memcmp(side->word, text, side->word_bytes) == 0;
}

static size_t word_kept(const struct memcached_side *side)
{
	return side->word_bytes < sizeof(side->word) ? side->word_bytes : sizeof(side->word);
}

static void keep_opaque(struct memcached_side *side)
{
	side->opaque = (uint32_t)hash_bytes(side->word, word_kept(side));
	side->has_opaque = true;
}

static void take_flag(struct memcached_side *side)
{
	if (side->word[0] == 'q')
		side->is_quiet = true;
	else if (side->word[0] == 'O')
		keep_opaque(side);
}

/* set <key> <flags> <exptime> <bytes> [cas unique] [noreply] */
static void take_store_word(struct memcached_side *side)
{
	if (side->words == 1)
		side->is_malformed = side->word_bytes > KEY_MAX;
	else if (side->words == 2)
		side->is_malformed |= word_number(side, UINT32_MAX) == UINT64_MAX;
	else if (side->words == 3 && side->word[0] != '-')
		side->is_malformed |= word_number(side, INT32_MAX) == UINT64_MAX;
	else if (side->words == 4)
		side->length = word_number(side, INT32_MAX - 2);
}

/* A word of a request after the command. */
static void take_request_word(struct memcached_side *side, const struct memcached_command *command)
{
	switch ((enum memcached_shape)command->shape) {
	case SHAPE_KEYS:
		side->keys++;
		break;
	case SHAPE_TIME_KEYS:
		side->keys += side->words > 1;
		break;
	case SHAPE_STORE:
		take_store_word(side);
		break;
	case SHAPE_META:
		side->keys = command->reads;
		if (side->words > 1)
			take_flag(side);
		break;
	case SHAPE_META_STORE:
		if (side->words == 2)
			side->length = word_number(side, INT32_MAX - 2);
		else if (side->words > 2)
			take_flag(side);
		break;
	case SHAPE_LINE:
	case SHAPE_END:
	case SHAPE_WATCH:
		break;
	}
}

/* The last word decides: set_noreply_maybe of the server. */
static bool may_be_told_not_to_reply(const struct memcached_command *command)
{
	return command->shape == SHAPE_STORE || command->shape == SHAPE_LINE;
}

static void request_word_ends(struct memcached_side *side)
{
	const struct memcached_command *command = memcached_command_at(side->command);

	if (side->words == 0) {
		command = memcached_command_find(side->word, word_kept(side));
		side->command = (uint8_t)memcached_command_number(command);
		side->length = UINT64_MAX;
		return;
	}
	if (!command)
		return;
	take_request_word(side, command);
	side->is_one_way = may_be_told_not_to_reply(command) && word_is(side, "noreply");
}

/* Lines of lru_crawler's dumps go on until END or EN, as those of STAT do. */
static void take_answer_name(struct memcached_side *side)
{
	size_t kept = word_kept(side);

	side->length = UINT64_MAX;
	side->has_opaque = false;
	side->error = NULL;
	side->answer = memcached_answer_find(side->word, kept, &side->error);
	if ((kept > 4 && memcmp(side->word, "key=", 4) == 0) || word_is(side, "mg"))
		side->answer = ANSWER_STAT;
}

static void answer_word_ends(struct memcached_side *side)
{
	if (side->words == 0)
		take_answer_name(side);
	else if ((side->answer == ANSWER_VALUE && side->words == 3) ||
		 (side->answer == ANSWER_VA && side->words == 1))
		side->length = word_number(side, INT32_MAX);
	else if (side->answer & ANSWERS_WITH_FLAGS && side->word[0] == 'O')
		keep_opaque(side);
}

static void word_ends(struct memcached_parse *parse)
{
	struct memcached_side *side = parse->side;

	if (!side->word_bytes)
		return;
	if (parse->which == SIDE_REQUEST)
		request_word_ends(side);
	else
		answer_word_ends(side);
	if (side->words < WORDS_MAX)
		side->words++;
	side->word_bytes = 0;
}

static void word_append(struct memcached_side *side, const uint8_t *bytes, size_t length)
{
	size_t kept = word_kept(side), room = sizeof(side->word) - kept;

	memcpy(side->word + kept, bytes, length < room ? length : room);
	if (length > WORD_BYTES_MAX - side->word_bytes)
		length = WORD_BYTES_MAX - side->word_bytes;
	side->word_bytes = (uint16_t)(side->word_bytes + length);
}

/* The value that the line announces, if the server would take one. */
static void expect_value(struct memcached_side *side, const struct memcached_command *command)
{
	bool is_cas = strcmp(command->name, "cas") == 0;
	unsigned least = command->shape == SHAPE_META_STORE ? 3 : 5u + is_cas;

	if (command->shape != SHAPE_STORE && command->shape != SHAPE_META_STORE)
		return;
	if (command->shape == SHAPE_STORE && side->words > least + 1)
		return;
	if (side->words >= least && side->length != UINT64_MAX && !side->is_malformed)
		side->left = side->length + 2;
}

static enum protocol_step request_line_ends(struct memcached_parse *parse)
{
	struct memcached_side *side = parse->side;
	const struct memcached_command *command = memcached_command_at(side->command);

	if (command)
		expect_value(side, command);
	if (command && command->shape == SHAPE_END)
		side->is_one_way = true;
	return memcached_tell_request(parse, command ? command->name : NULL, side->command);
}

/* A line of an answer that is begun: hits, the value that follows, and whether more does. */
static void take_answer_line(struct memcached_parse *parse)
{
	struct memcached_side *side = parse->side;

	memcached_tell_answer(parse, (side->answer & (ANSWER_VALUE | ANSWER_HD | ANSWER_VA)) != 0);
	if (side->length != UINT64_MAX)
		side->left = side->length + 2;
	side->goes_on = side->answer == ANSWER_VALUE || side->answer == ANSWER_STAT;
	side->place = MEMCACHED_IN_VALUE;
}

static enum protocol_step answer_line_ends(struct memcached_parse *parse)
{
	struct memcached_side *side = parse->side;

	if (side->answer & (ANSWER_VALUE | ANSWER_VA) && side->length == UINT64_MAX)
		return STEP_BROKEN;
	if (side->has_begun)
		take_answer_line(parse);
	else
		side->place = MEMCACHED_AT_ANSWER;
	return STEP_ONWARD;
}

/* The CR at the end of the line. Of a word that is not kept as far as that it is taken for granted. */
static void drop_return(struct memcached_side *side)
{
	size_t length = side->word_bytes;

	if (length > sizeof(side->word) || (length && side->word[length - 1] == '\r'))
		side->word_bytes--;
}

enum protocol_step memcached_in_line(struct memcached_parse *parse)
{
	struct protocol_run *run = parse->run;
	const uint8_t *end = memchr(run->bytes, '\n', run->length);
	size_t length = end ? (size_t)(end - run->bytes) : (size_t)run->length;
	const uint8_t *at = run->bytes, *stop = at + length;
	struct memcached_side *side = parse->side;

	while (at < stop) {
		const uint8_t *space = memchr(at, ' ', (size_t)(stop - at));

		word_append(side, at, (size_t)((space ? space : stop) - at));
		if (space)
			word_ends(parse);
		at = space ? space + 1 : stop;
	}
	memcached_take(run, end ? length + 1 : length);
	if (!end)
		return STEP_MORE;
	drop_return(side);
	word_ends(parse);
	return parse->which == SIDE_REQUEST ? request_line_ends(parse) : answer_line_ends(parse);
}

bool memcached_text_fits(const struct memcached_parse *parse)
{
	uint32_t note = parse->facts->note;
	const struct memcached_command *command = memcached_command_at(note & NOTE_COMMAND);
	uint32_t answers = command ? command->answers : 0;

	if (command && note & NOTE_QUIET)
		answers = command->loud;
	if (answers && !(answers & parse->side->answer))
		return false;
	return !command || !(parse->side->answer & ANSWERS_WITH_FLAGS) ||
	       memcached_opaque_fits(parse->side, note);
}

enum protocol_step memcached_text_head(struct memcached_parse *parse)
{
	const struct memcached_command *command =
		memcached_command_at(parse->facts->note & NOTE_COMMAND);

	take_answer_line(parse);
	if (command && command->shape == SHAPE_WATCH && !parse->side->error) {
		parse->facts->outcomes |= 1ull << PARSE_FEED;
		parse->message->opens_tunnel = true;
	}
	return STEP_HEAD;
}
