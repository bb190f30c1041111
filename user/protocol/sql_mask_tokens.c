/* SPDX-License-Identifier: Apache-2.0 */
/* What of a statement is told, to the text and to the hash, and what its lists are reduced to. */
#include "protocol/sql_mask_tokens.h"

#include <string.h>

const uint8_t sql_byte_kinds[256] = {
	[' '] = SPACE_BYTE,	    ['\t' ... '\r'] = SPACE_BYTE, [0] = SPACE_BYTE,
	['0' ... '9'] = DIGIT_BYTE, ['a' ... 'z'] = WORD_BYTE,	  ['A' ... 'Z'] = UPPER_BYTE,
	['_'] = WORD_BYTE,	    [0x80 ... 0xff] = WORD_BYTE,
};

/* The mark at the end of a text that is not whole. */
static const char ellipsis[] = "…";
#define TEXT_ROOM (SQL_MASKED_MAX - sizeof(ellipsis))

#define HASH_FACTOR SQL_HASH_FACTOR
/* Told to the hash only. */
#define MORE_ROWS 1
#define CUT 2

/* As words are kept for comparing: the bytes in the order of reading, in lower case. */
#define WORD2(a, b) ((uint64_t)(a) << 8 | (b))
#define WORD3(a, b, c) (WORD2(a, b) << 8 | (c))
#define WORD4(a, b, c, d) (WORD3(a, b, c) << 8 | (d))
#define WORD5(a, b, c, d, e) (WORD4(a, b, c, d) << 8 | (e))
#define WORD6(a, b, c, d, e, f) (WORD5(a, b, c, d, e) << 8 | (f))
#define WORD7(a, b, c, d, e, f, g) (WORD6(a, b, c, d, e, f) << 8 | (g))

static void mix(struct sql_mask *mask, uint64_t number)
{
	uint64_t hash = (mask->hash ^ number) * HASH_FACTOR;

	mask->hash = hash ^ hash >> 29;
}

static void put(struct sql_mask *mask, uint8_t byte)
{
	if (mask->text_bytes < TEXT_ROOM)
		mask->text[mask->text_bytes++] = (char)byte;
	else
		mask->is_full = true;
}

/* A token was told whole. */
static void told(struct sql_mask *mask, enum token token)
{
	mask->newest = (uint8_t)token;
	mask->is_value_next = token == SIGN_TOKEN || token == OPEN_TOKEN;
	if (!mask->is_full)
		mask->kept_hash = mask->hash;
}

static void put_space(struct sql_mask *mask)
{
	if (mask->is_space_due && mask->text_bytes)
		put(mask, ' ');
	mask->is_space_due = false;
}

static void tell_byte(struct sql_mask *mask, uint8_t byte, enum token token)
{
	mix(mask, byte);
	put(mask, byte);
	told(mask, token);
}

/* What was held back stands for itself: another token follows. */
void sql_mask_settle(struct sql_mask *mask)
{
	uint8_t separator = mask->separator, sign = mask->sign;

	mask->separator = mask->sign = 0;
	if (mask->skip_depth)
		return;
	if (separator)
		tell_byte(mask, separator, SIGN_TOKEN);
	put_space(mask);
	if (sign)
		tell_byte(mask, sign, SIGN_TOKEN);
}

/* One literal after another is one, and so is a list of them. A sign may be the number's own. */
void sql_mask_value(struct sql_mask *mask)
{
	bool is_first = mask->newest != VALUE_TOKEN;

	if (mask->skip_depth)
		return;
	if (!is_first && (mask->separator == ',' || !(mask->separator || mask->sign))) {
		mask->separator = mask->sign = 0;
		mask->is_space_due = false;
		return;
	}
	if (mask->is_value_next)
		mask->sign = 0;
	sql_mask_settle(mask);
	tell_byte(mask, '?', VALUE_TOKEN);
}

static bool word_equals(const struct sql_mask *mask, uint64_t word, uint32_t bytes)
{
	return mask->word_bytes == bytes && mask->word == word;
}

/* Is a number with a sign before it what may follow? */
static bool is_before_value(const struct sql_mask *mask)
{
	static const uint64_t words[] = {
		WORD2('b', 'y'),
		WORD2('o', 'r'),
		WORD3('a', 'n', 'd'),
		WORD4('t', 'h', 'e', 'n'),
		WORD4('e', 'l', 's', 'e'),
		WORD4('w', 'h', 'e', 'n'),
		WORD5('w', 'h', 'e', 'r', 'e'),
		WORD5('l', 'i', 'm', 'i', 't'),
		WORD6('s', 'e', 'l', 'e', 'c', 't'),
		WORD6('o', 'f', 'f', 's', 'e', 't'),
		WORD7('b', 'e', 't', 'w', 'e', 'e', 'n'),
	};

	if (mask->word_bytes > 7)
		return false;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (words[i] == mask->word)
			return true;
	return false;
}

static bool is_constant(const struct sql_mask *mask)
{
	return word_equals(mask, WORD4('n', 'u', 'l', 'l'), 4) ||
	       word_equals(mask, WORD4('t', 'r', 'u', 'e'), 4) ||
	       word_equals(mask, WORD5('f', 'a', 'l', 's', 'e'), 5);
}

static bool is_in_list(const struct sql_mask *mask)
{
	return mask->list_depth == mask->depth + 1;
}

/* IN ( and VALUES begin lists. */
static void note_list(struct sql_mask *mask)
{
	bool is_values = word_equals(mask, WORD6('v', 'a', 'l', 'u', 'e', 's'), 6) ||
			 word_equals(mask, WORD5('v', 'a', 'l', 'u', 'e'), 5);

	if (is_in_list(mask))
		mask->list_depth = 0;
	mask->is_list_next = word_equals(mask, WORD2('i', 'n'), 2);
	if (is_values) {
		mask->list_depth = mask->depth + 1;
		mask->is_value_row = true;
		mask->has_more_rows = false;
	}
}

static void put_all(struct sql_mask *mask, const uint8_t *bytes, size_t length)
{
	size_t room = TEXT_ROOM - mask->text_bytes;
	size_t kept = length < room ? length : room;

	memcpy(mask->text + mask->text_bytes, bytes, kept);
	mask->text_bytes = (uint8_t)(mask->text_bytes + kept);
	mask->is_full |= kept < length;
}

/* Mix what is whole of the word, but for its end, which says what it is. */
static void add_to_word(struct sql_mask *mask, const uint8_t *bytes, size_t length)
{
	uint32_t word_bytes = mask->word_bytes;
	uint64_t word = mask->word;

	for (size_t i = 0; i < length; i++, word_bytes++) {
		if (word_bytes && word_bytes % 8 == 0) {
			mix(mask, word);
			word = 0;
		}
		word = word << 8 |
		       (bytes[i] | (sql_byte_kinds[bytes[i]] == UPPER_BYTE ? 0x20u : 0));
	}
	mask->word = word;
	mask->word_bytes = word_bytes;
	put_all(mask, bytes, length);
}

void sql_mask_begin_word(struct sql_mask *mask, uint8_t byte)
{
	mask->before = mask->separator || mask->sign ? SIGN_TOKEN : mask->newest;
	sql_mask_settle(mask);
	mask->word = byte | (sql_byte_kinds[byte] == UPPER_BYTE ? 0x20u : 0);
	mask->word_bytes = 1;
	mask->word_at = mask->text_bytes;
	if (!mask->skip_depth)
		put(mask, byte);
}

/* The bytes that go on with it. */
size_t sql_mask_word_run(struct sql_mask *mask, const uint8_t *bytes, size_t length)
{
	size_t run = 0;

	while (run < length && (sql_is_part(bytes[run]) || bytes[run] == '$'))
		run++;
	if (mask->skip_depth && run)
		mask->word_bytes = UINT32_MAX; /* no prefix of a literal */
	else
		add_to_word(mask, bytes, run);
	return run;
}

void sql_mask_end_word(struct sql_mask *mask)
{
	if (mask->skip_depth)
		return;
	if (is_constant(mask) && (mask->before == SIGN_TOKEN || mask->before == OPEN_TOKEN)) {
		mask->text_bytes = mask->word_at;
		tell_byte(mask, '?', VALUE_TOKEN);
		return;
	}
	mix(mask, mask->word);
	mix(mask, mask->word_bytes);
	note_list(mask);
	told(mask, WORD_TOKEN);
	mask->is_value_next = is_before_value(mask);
}

static void open_parenthesis(struct sql_mask *mask)
{
	bool is_row = is_in_list(mask) && mask->separator && mask->newest == CLOSE_TOKEN;

	mask->depth++;
	if (mask->skip_depth)
		return;
	if (!is_row) {
		sql_mask_settle(mask);
		tell_byte(mask, '(', OPEN_TOKEN);
		if (mask->is_list_next)
			mask->list_depth = mask->depth + 1;
		mask->is_value_row &= !mask->is_list_next;
		mask->is_list_next = false;
		return;
	}
	mask->separator = 0;
	mask->skip_depth = mask->depth;
	if (!mask->is_value_row || mask->has_more_rows)
		return;
	mask->has_more_rows = true;
	mix(mask, MORE_ROWS);
	for (const char *more = ", ..."; *more; more++)
		put(mask, (uint8_t)*more);
	told(mask, CLOSE_TOKEN);
}

static void close_parenthesis(struct sql_mask *mask)
{
	if (mask->depth)
		mask->depth--;
	if (mask->skip_depth) {
		mask->sign = 0;
		if (mask->depth < mask->skip_depth)
			mask->skip_depth = 0;
		mask->is_space_due = false;
		return;
	}
	sql_mask_settle(mask);
	tell_byte(mask, ')', CLOSE_TOKEN);
	if (mask->list_depth > mask->depth + 1)
		mask->list_depth = 0;
}

static void take_comma(struct sql_mask *mask)
{
	bool is_lists = is_in_list(mask) && (mask->newest == CLOSE_TOKEN ||
					     (mask->newest == VALUE_TOKEN && !mask->is_value_row));

	if (mask->separator || mask->sign || !is_lists)
		sql_mask_settle(mask);
	if (mask->skip_depth)
		return;
	if (is_lists && mask->newest != SIGN_TOKEN)
		mask->separator = ',';
	else
		tell_byte(mask, ',', SIGN_TOKEN);
}

/* The last one says nothing. */
static void take_semicolon(struct sql_mask *mask)
{
	mask->skip_depth = 0;
	if (mask->separator == ',' || mask->sign)
		sql_mask_settle(mask);
	mask->separator = ';';
	mask->depth = mask->list_depth = 0;
}

/* Anything that is no word, quote or comment. */
void sql_mask_sign(struct sql_mask *mask, uint8_t byte)
{
	switch (byte) {
	case '(':
		open_parenthesis(mask);
		break;
	case ')':
		close_parenthesis(mask);
		break;
	case ',':
		take_comma(mask);
		break;
	case ';':
		take_semicolon(mask);
		break;
	case '-':
	case '+':
	case '/':
		if (mask->sign)
			sql_mask_settle(mask);
		mask->sign = byte;
		break;
	default:
		sql_mask_settle(mask);
		if (!mask->skip_depth)
			tell_byte(mask, byte, SIGN_TOKEN);
	}
}

/* No half of a character, and no space before it. */
static void add_ellipsis(struct sql_mask *mask)
{
	while (mask->text_bytes && ((uint8_t)mask->text[mask->text_bytes - 1] & 0xc0) == 0x80)
		mask->text_bytes--;
	while (mask->text_bytes && ((uint8_t)mask->text[mask->text_bytes - 1] >= 0xc0 ||
				    mask->text[mask->text_bytes - 1] == ' '))
		mask->text_bytes--;
	memcpy(mask->text + mask->text_bytes, ellipsis, sizeof(ellipsis) - 1);
	mask->text_bytes = (uint8_t)(mask->text_bytes + sizeof(ellipsis) - 1);
}

void sql_mask_name_byte(struct sql_mask *mask, uint8_t byte)
{
	if (mask->skip_depth)
		return;
	mix(mask, byte);
	put(mask, byte);
}

void sql_mask_end_name(struct sql_mask *mask)
{
	if (!mask->skip_depth)
		told(mask, NAME_TOKEN);
}

void sql_mask_forget_word(struct sql_mask *mask)
{
	if (!mask->skip_depth)
		mask->text_bytes = mask->word_at;
}

uint64_t sql_mask_close(struct sql_mask *mask, bool is_cut)
{
	if (!is_cut && mask->sign)
		sql_mask_settle(mask);
	if (is_cut || mask->is_full)
		add_ellipsis(mask);
	mask->text[mask->text_bytes] = '\0';
	if (is_cut) {
		mask->hash = mask->kept_hash;
		mix(mask, CUT);
	}
	return mask->hash ? mask->hash : 1;
}
