/* SPDX-License-Identifier: Apache-2.0 */
/* Redis: requests. Of one its first words are kept, as long as they may be a command's name. */
#include <string.h>
#include <strings.h>

#include "protocol/redis_state.h"

/* Empty lines before a request are ignored by the server as well. */
enum protocol_step redis_request_start(struct redis_parse *parse)
{
	struct protocol_run *run = parse->run;

	while (run->length && (*run->bytes == '\r' || *run->bytes == '\n'))
		redis_take(run, 1);
	if (!run->length)
		return STEP_MORE;
	if (*run->bytes < ' ' || *run->bytes > '~')
		return STEP_NOT_MINE;
	redis_message_clear(parse->side, *run->bytes == '*' ? IN_COUNT : IN_INLINE);
	return STEP_BEGIN;
}

static const struct redis_command *find_command(const struct redis_side *side)
{
	size_t first = side->word_bytes[0], second = side->word_bytes[1];
	char name[2 * WORD_MAX_BYTES + 1];

	if (first > WORD_MAX_BYTES || second > WORD_MAX_BYTES)
		return NULL;
	memcpy(name, side->words[0], first);
	if (!second)
		return redis_command_find(name, first);
	name[first] = ' ';
	memcpy(name + first + 1, side->words[1], second);
	return redis_command_find(name, first + 1 + second);
}

/* CLIENT REPLY ON|OFF|SKIP: answers stop, or start again. */
static void switch_answers(struct redis_state *state, const struct redis_side *side)
{
	if (side->line_bytes == 2 && strncasecmp(side->line, "on", 2) == 0)
		state->is_mute = false;
	else if (side->line_bytes == 3 && strncasecmp(side->line, "off", 3) == 0)
		state->is_mute = true;
	else if (side->line_bytes == 4 && strncasecmp(side->line, "skip", 4) == 0)
		state->is_next_mute = !state->is_mute;
}

static enum protocol_step tell_request(struct redis_parse *parse)
{
	struct redis_state *state = parse->state;
	struct redis_side *side = parse->side;
	bool is_muted = state->is_next_mute;

	side->has_head = true;
	state->is_next_mute = false;
	if (side->note == REDIS_REPLIES)
		switch_answers(state, side);
	else if (side->note == REDIS_RESETS)
		state->is_mute = false;
	parse->message->is_one_way = is_muted || state->is_mute || state->is_next_mute;
	parse->facts->note = side->note;
	if (side->note == REDIS_SUBSCRIBES && side->pending < CHANNELS_MAX)
		parse->facts->note |= (uint32_t)side->pending << NOTE_CHANNELS_SHIFT;
	parse->facts->attributes[ATTRIBUTE_DB_SYSTEM_NAME] = "redis";
	side->line_bytes = 0;
	return side->is_word_unseen ? STEP_UNSEEN : STEP_HEAD;
}

static void name_operation(struct redis_parse *parse, const struct redis_command *command)
{
	parse->facts->attributes[ATTRIBUTE_DB_OPERATION_NAME] = command ? command->name : "other";
}

/* An argument that matters is whole. Returns true when what the request is, is known. */
static bool take_word(struct redis_parse *parse)
{
	struct redis_side *side = parse->side;
	const struct redis_command *command;

	if (side->arguments == 3) /* of CLIENT REPLY */
		return true;
	command = find_command(side);
	if (command || side->arguments == 1) {
		name_operation(parse, command);
		side->note = command ? (uint8_t)command->note : REDIS_PLAIN;
	} else { /* an unknown second word: the first one has told the name */
		side->note = REDIS_PLAIN;
	}
	return side->note != REDIS_CONTAINS && side->note != REDIS_REPLIES;
}

enum protocol_step redis_next_argument(struct redis_parse *parse)
{
	struct redis_side *side = parse->side;

	if (side->pending) {
		side->place = IN_ARGUMENT_LENGTH;
		return STEP_ONWARD;
	}
	if (!side->has_head)
		return tell_request(parse);
	side->place = AT_START;
	return STEP_END;
}

enum protocol_step redis_in_count(struct redis_parse *parse)
{
	struct redis_side *side = parse->side;
	int64_t count;

	if (!redis_take_line(parse))
		return STEP_MORE;
	if (!redis_line_number(side, &count))
		return STEP_NOT_MINE;
	side->line_bytes = 0;
	if (count <= 0) { /* the server does not answer that */
		parse->message->is_one_way = true;
		side->has_head = true;
	}
	side->pending = count > 0 ? (uint64_t)count : 0;
	return redis_next_argument(parse);
}

/* Is the argument that is under way a value? */
static bool is_value(const struct redis_side *side, uint32_t note)
{
	unsigned number = side->arguments;

	switch (note & REDIS_SENDS_BITS) {
	case REDIS_SENDS_THIRD:
		return number == 3;
	case REDIS_SENDS_FOURTH:
		return number == 4;
	case REDIS_SENDS_REST:
		return number >= 3;
	case REDIS_SENDS_PAIRS:
		return number >= 3 && number % 2 == 1;
	case REDIS_SENDS_FIELDS:
		return number >= 4 && number % 2 == 0;
	default:
		return false;
	}
}

/* Beyond 254 only whether the number is even matters. */
static void count_argument(struct redis_side *side)
{
	side->arguments =
		(uint8_t)(side->arguments == UINT8_MAX ? UINT8_MAX - 1 : side->arguments + 1);
}

enum protocol_step redis_in_argument_length(struct redis_parse *parse)
{
	struct redis_side *side = parse->side;
	int64_t length;

	if (side->line_bytes == 0 && *parse->run->bytes != '$')
		return STEP_NOT_MINE;
	if (!redis_take_line(parse))
		return STEP_MORE;
	if (!redis_line_number(side, &length) || length < 0)
		return STEP_NOT_MINE;
	side->line_bytes = 0;
	side->left = (uint64_t)length + 2;
	side->place = IN_ARGUMENT;
	count_argument(side);
	if (side->has_head && is_value(side, parse->facts->note))
		redis_note_value(parse->facts, (uint64_t)length);
	return STEP_ONWARD;
}

enum protocol_step redis_in_argument(struct redis_parse *parse)
{
	struct redis_side *side = parse->side;
	enum protocol_step step = redis_take_value(parse, !side->has_head);

	if (step != STEP_ONWARD)
		return step;
	if (!side->has_head && (side->is_word_unseen || take_word(parse))) {
		if (side->pending)
			side->place = IN_ARGUMENT_LENGTH;
		else
			side->place = IN_ARGUMENT; /* the end is told next, with nothing left */
		return tell_request(parse);
	}
	return redis_next_argument(parse);
}

/* Cuts the next word off the line; quotes are the server's business. */
static void inline_word(struct redis_side *side, size_t *at)
{
	size_t which = side->arguments++, begin, length;

	while (*at < side->line_bytes && side->line[*at] == ' ')
		(*at)++;
	begin = *at;
	while (*at < side->line_bytes && side->line[*at] != ' ')
		(*at)++;
	length = *at - begin;
	if (which == 2) {
		memmove(side->line, side->line + begin, length);
		side->line_bytes = (uint8_t)length;
		return;
	}
	if (length > sizeof(side->words[which]))
		length = sizeof(side->words[which]);
	memcpy(side->words[which], side->line + begin, length);
	side->word_bytes[which] = (uint8_t)length;
}

enum protocol_step redis_in_inline(struct redis_parse *parse)
{
	struct redis_side *side = parse->side;
	size_t at = 0;

	if (!redis_take_line(parse))
		return STEP_MORE;
	do
		inline_word(side, &at);
	while (!take_word(parse) && at < side->line_bytes);
	side->place = IN_ARGUMENT;
	return tell_request(parse);
}
