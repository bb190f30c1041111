/* SPDX-License-Identifier: Apache-2.0 */
/* Redis: answers, and what the server says unasked. Of an answer its first line is kept, and of a push its first word. */
#include <string.h>

#include "protocol/redis_state.h"

enum protocol_step redis_answer_start(struct redis_parse *parse)
{
	bool is_about_subscription =
		parse->state->is_subscribed || redis_note_of(parse->facts) == REDIS_SUBSCRIBES;
	struct redis_side *side = parse->side;
	struct protocol_run *run = parse->run;

	while (run->length && *run->bytes == '\n') /* a master says that it is still there */
		redis_take(run, 1);
	if (!run->length)
		return STEP_MORE;
	if (!*run->bytes || !strchr("+-:$*_#,(!=%~>|", *run->bytes))
		return STEP_NOT_MINE;
	redis_message_clear(side, IN_ELEMENT);
	side->pending = 1;
	if (*run->bytes == '>' || (*run->bytes == '*' && is_about_subscription)) {
		side->kind = ANSWER_UNDECIDED;
		side->is_form_2 = *run->bytes == '*';
		return STEP_ONWARD;
	}
	side->has_begun = true;
	return STEP_BEGIN;
}

static void note_error(struct redis_parse *parse, const char *text, size_t length)
{
	size_t word = 0;

	while (word < length && text[word] != ' ')
		word++;
	parse->facts->attributes[ATTRIBUTE_ERROR_TYPE] = redis_error_label(text, word);
	parse->message->fault = FAULT_SERVER;
}

static enum protocol_step tell_answer(struct redis_parse *parse)
{
	struct redis_side *side = parse->side;

	side->has_head = true;
	if (redis_note_of(parse->facts) == REDIS_FEEDS && !parse->message->fault) {
		parse->facts->outcomes |= 1ull << PARSE_FEED;
		parse->message->opens_tunnel = true;
	}
	return STEP_HEAD;
}

/* A message to a subscriber is over; was it the last one? */
static void note_subscription(struct redis_state *state, const struct redis_side *side)
{
	if (side->is_form_2)
		state->is_subscribed = !(side->is_unsubscribe && side->is_last_zero);
}

/* What does not begin with a word is no message to a subscriber. */
static void decide_without_word(struct redis_side *side)
{
	if (side->kind != ANSWER_UNDECIDED)
		return;
	side->kind = side->is_form_2 ? ANSWER_CERTAIN : ANSWER_PUSH;
	side->is_form_2 = false;
}

enum protocol_step redis_end_answer(struct redis_parse *parse)
{
	struct redis_side *side = parse->side;

	note_subscription(parse->state, side);
	side->place = AT_START;
	return side->kind == ANSWER_PUSH ? STEP_PUSH : STEP_END;
}

static enum protocol_step next_element(struct redis_parse *parse)
{
	struct redis_side *side = parse->side;

	side->line_bytes = 0;
	side->place = IN_ELEMENT;
	if (!side->pending)
		decide_without_word(side);
	if (side->kind == ANSWER_CERTAIN && !side->has_begun) {
		side->has_begun = true;
		side->place = IN_ANSWER_LATE;
		return STEP_BEGIN;
	}
	if (side->kind == ANSWER_CERTAIN && !side->has_head)
		return tell_answer(parse);
	return side->pending ? STEP_ONWARD : redis_end_answer(parse);
}

enum protocol_step redis_in_answer_late(struct redis_parse *parse)
{
	parse->side->place = IN_ELEMENT;
	return tell_answer(parse);
}

static bool ends_with(const char *text, size_t length, const char *end)
{
	size_t end_length = strlen(end);

	return length >= end_length && memcmp(text + length - end_length, end, end_length) == 0;
}

/* Each channel is confirmed by a message of its own; the first one is the answer. */
static bool confirmation_is_answer(struct redis_parse *parse)
{
	uint32_t channels = parse->facts->note >> NOTE_CHANNELS_SHIFT;
	struct redis_state *state = parse->state;

	if (state->confirmations) {
		state->confirmations--;
		return false;
	}
	if (redis_note_of(parse->facts) != REDIS_SUBSCRIBES)
		return false;
	state->confirmations = channels ? channels - 1 : 0;
	return true;
}

/* The first element of what may be no answer is known. Source: redis.io, "Redis Pub/Sub", "Client-side caching". */
static enum protocol_step decide(struct redis_parse *parse)
{
	struct redis_side *side = parse->side;
	const char *word = side->words[0];
	size_t length = side->word_bytes[0];
	bool is_answer;

	if (ends_with(word, length, "subscribe")) {
		is_answer = confirmation_is_answer(parse);
		side->is_unsubscribe = ends_with(word, length, "unsubscribe");
	} else if (length == 4 && memcmp(word, "pong", 4) == 0) {
		is_answer = side->is_form_2 && redis_note_of(parse->facts) == REDIS_PINGS;
		side->is_form_2 = false; /* says nothing of subscriptions */
	} else {
		is_answer = side->is_form_2 && !ends_with(word, length, "message");
		side->is_form_2 = false;
	}
	side->kind = is_answer ? ANSWER_CERTAIN : ANSWER_PUSH;
	return next_element(parse);
}

/* Part of the answer itself is a value, or says that there is none. */
static void note_element(struct redis_parse *parse, int64_t length)
{
	uint32_t note = parse->facts->note;

	if (parse->side->kind != ANSWER_CERTAIN)
		return;
	if (note & REDIS_GETS && length >= 0)
		redis_note_value(parse->facts, (uint64_t)length);
	if (!(note & REDIS_READS))
		return;
	parse->facts->reads++;
	parse->facts->read_hits += length >= 0;
}

/* A whole element that is a line. */
static enum protocol_step line_element(struct redis_parse *parse)
{
	struct redis_side *side = parse->side;

	if (side->line[0] == '-' && side->kind == ANSWER_CERTAIN && !side->has_head)
		note_error(parse, side->line + 1, side->line_bytes - 1u);
	if (side->line[0] == '+' && !side->has_head && redis_note_of(parse->facts) == REDIS_RESETS)
		parse->state->is_subscribed = false;
	if (side->line[0] == '_')
		note_element(parse, -1);
	else if (side->line[0] == ',' && !(parse->facts->note & REDIS_GETS)) /* a score */
		note_element(parse, 0);
	side->is_last_zero = side->line_bytes == 2 && memcmp(side->line, ":0", 2) == 0;
	decide_without_word(side);
	side->pending--;
	return next_element(parse);
}

/* A value of so many bytes: $5, !21, =15; $-1 is RESP2's null. */
static enum protocol_step value_element(struct redis_parse *parse)
{
	struct redis_side *side = parse->side;
	int64_t length;

	if (!redis_line_number(side, &length) || length < -1)
		return STEP_BROKEN;
	if (side->line[0] == '$')
		note_element(parse, length);
	if (length == -1) {
		decide_without_word(side);
		side->pending--;
		return next_element(parse);
	}
	side->left = (uint64_t)length + 2;
	side->place = IN_VALUE;
	side->arguments =
		side->kind == ANSWER_UNDECIDED || (side->line[0] == '!' && !side->has_head);
	side->note = (uint8_t)side->line[0];
	side->line_bytes = 0;
	return STEP_ONWARD;
}

/* What holds elements: so many, or pairs of them. An attribute comes before the element it is about. */
static enum protocol_step aggregate_element(struct redis_parse *parse)
{
	struct redis_side *side = parse->side;
	int64_t count;

	if (!redis_line_number(side, &count) || count < -1 || (int64_t)side->pending > LENGTH_MAX)
		return STEP_BROKEN;
	if (count < 0)
		count = 0;
	if (side->line[0] == '%' || side->line[0] == '|')
		count *= 2;
	if (side->has_count)
		decide_without_word(side);
	side->has_count = true;
	side->pending += (uint64_t)count - (side->line[0] != '|');
	return next_element(parse);
}

enum protocol_step redis_in_element(struct redis_parse *parse)
{
	struct redis_side *side = parse->side;

	if (!side->pending)
		return redis_end_answer(parse);
	if (!parse->run->length)
		return STEP_MORE;
	if (!redis_take_line(parse))
		return STEP_MORE;
	switch (side->line_bytes ? side->line[0] : 0) {
	case '+':
	case '-':
	case ':':
	case '_':
	case '#':
	case ',':
	case '(':
		return line_element(parse);
	case '$':
	case '!':
	case '=':
		return value_element(parse);
	case '*':
	case '%':
	case '~':
	case '>':
	case '|':
		return aggregate_element(parse);
	default:
		return STEP_BROKEN;
	}
}

enum protocol_step redis_in_value(struct redis_parse *parse)
{
	struct redis_side *side = parse->side;
	enum protocol_step step = redis_take_value(parse, side->arguments);

	if (step != STEP_ONWARD)
		return step;
	if (side->note == '!' && side->arguments && side->kind == ANSWER_CERTAIN)
		note_error(parse, side->words[0], side->word_bytes[0]);
	else if (side->kind == ANSWER_UNDECIDED)
		return decide(parse);
	return next_element(parse);
}
