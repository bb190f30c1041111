/* SPDX-License-Identifier: Apache-2.0 */
/* Redis: lines, numbers and values, whichever side they are on. */
#include <string.h>

#include "protocol/redis_state.h"

void redis_line_keep(struct redis_side *side, const uint8_t *bytes, size_t length)
{
	size_t room = (size_t)(LINE_MAX_BYTES - side->line_bytes);

	if (length > room)
		length = room;
	memcpy(side->line + side->line_bytes, bytes, length);
	side->line_bytes = (uint8_t)(side->line_bytes + length);
}

bool redis_take_line(struct redis_parse *parse)
{
	struct protocol_run *run = parse->run;
	const uint8_t *end = memchr(run->bytes, '\n', run->length);
	size_t length = end ? (size_t)(end - run->bytes) : (size_t)run->length;
	struct redis_side *side = parse->side;

	redis_line_keep(side, run->bytes, length);
	redis_take(run, end ? length + 1 : length);
	if (end && side->line_bytes && side->line[side->line_bytes - 1] == '\r')
		side->line_bytes--;
	return end;
}

bool redis_line_number(const struct redis_side *side, int64_t *ret_number)
{
	bool is_negative = side->line_bytes > 1 && side->line[1] == '-';
	size_t at = 1 + is_negative;
	int64_t number = 0;

	if (at >= side->line_bytes)
		return false;
	for (; at < side->line_bytes; at++) {
		if (side->line[at] < '0' || side->line[at] > '9' || number > LENGTH_MAX)
			return false;
		number = number * 10 + (side->line[at] - '0');
	}
	*ret_number = is_negative ? -number : number;
	return number <= LENGTH_MAX;
}

void redis_message_clear(struct redis_side *side, enum place place)
{
	memset(side, 0, sizeof(*side));
	side->place = (uint8_t)place;
}

/* Keep the next bytes of a value that is a word; NULL: they were not captured. */
static void word_append(struct redis_side *side, const uint8_t *bytes, uint64_t length)
{
	uint64_t text = side->left > 2 ? side->left - 2 : 0; /* the CRLF is not part of it */
	size_t which = side->arguments - 1u, room;

	if (length > text)
		length = text;
	if (!bytes) {
		side->is_word_unseen |= length > 0;
	} else if (which == 2) {
		redis_line_keep(side, bytes, (size_t)length);
	} else {
		room = sizeof(side->words[which]) - side->word_bytes[which];
		if (length > room)
			length = room;
		memcpy(side->words[which] + side->word_bytes[which], bytes, (size_t)length);
		side->word_bytes[which] = (uint8_t)(side->word_bytes[which] + length);
	}
}

enum protocol_step redis_take_value(struct redis_parse *parse, bool is_word)
{
	struct redis_side *side = parse->side;
	struct protocol_run *run = parse->run;
	uint64_t taken = side->left < run->length ? side->left : run->length;
	uint8_t last = run->bytes && taken ? run->bytes[taken - 1] : '\n';

	if (is_word)
		word_append(side, run->bytes, run->length);
	redis_take(run, taken);
	side->left -= taken;
	if (side->kind == ANSWER_CERTAIN)
		parse->message->body_bytes += taken;
	if (side->left)
		return STEP_MORE;
	if (last != '\n')
		return STEP_BROKEN;
	side->pending--;
	return STEP_ONWARD;
}
