/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens are told one by one, to the text and to the hash; what is between quotes or begins with a digit is never told. Where it
 * is doubtful whether a literal is over, the rest of the statement is left out. Sources: PostgreSQL 15 documentation, "Lexical
 * Structure"; MariaDB, "Identifier Names", "String Literals", "Comment Syntax", "SQL_MODE". */
#include "protocol/sql_mask.h"

#include <string.h>

enum place {
	IN_TEXT, /* between tokens */
	IN_WORD,
	IN_NUMBER,
	IN_NAME,    /* quoted */
	IN_LITERAL, /* quoted */
	IN_LINE_COMMENT,
	IN_COMMENT,
	IN_TAG, /* of a dollar quote, the first one */
	IN_DOLLARS,
	IN_DOLLARS_TAG, /* the one that may be the last */
	IN_NOTHING,	/* the rest is left out */
};

enum token {
	NO_TOKEN,
	WORD_TOKEN,
	NAME_TOKEN,
	VALUE_TOKEN, /* ? */
	SIGN_TOKEN,
	OPEN_TOKEN,
	CLOSE_TOKEN,
};

enum byte_kind {
	OTHER_BYTE,
	SPACE_BYTE,
	WORD_BYTE,
	UPPER_BYTE,
	DIGIT_BYTE,
};

static const uint8_t kinds[256] = {
	[' '] = SPACE_BYTE,	    ['\t' ... '\r'] = SPACE_BYTE, [0] = SPACE_BYTE,
	['0' ... '9'] = DIGIT_BYTE, ['a' ... 'z'] = WORD_BYTE,	  ['A' ... 'Z'] = UPPER_BYTE,
	['_'] = WORD_BYTE,	    [0x80 ... 0xff] = WORD_BYTE,
};

/* The mark at the end of a text that is not whole. */
static const char ellipsis[] = "…";
#define TEXT_ROOM (SQL_MASKED_MAX - sizeof(ellipsis))

#define HASH_START 0x6a09e667f3bcc908u
#define HASH_FACTOR 0x9e3779b97f4a7c15u
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

void sql_mask_init(struct sql_mask *mask, enum sql_dialect dialect, bool has_plain_backslash)
{
	memset(mask, 0, offsetof(struct sql_mask, text));
	mask->dialect = (uint8_t)dialect;
	mask->has_plain_backslash = has_plain_backslash;
	mask->hash = mask->kept_hash = HASH_START;
	mask->is_value_next = true;
}

static bool is_part(uint8_t byte)
{
	return kinds[byte] >= WORD_BYTE;
}

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
static void settle(struct sql_mask *mask)
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
static void tell_value(struct sql_mask *mask)
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
	settle(mask);
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
		word = word << 8 | (bytes[i] | (kinds[bytes[i]] == UPPER_BYTE ? 0x20u : 0));
	}
	mask->word = word;
	mask->word_bytes = word_bytes;
	put_all(mask, bytes, length);
}

static void begin_word(struct sql_mask *mask, uint8_t byte)
{
	mask->place = IN_WORD;
	mask->before = mask->separator || mask->sign ? SIGN_TOKEN : mask->newest;
	settle(mask);
	mask->word = byte | (kinds[byte] == UPPER_BYTE ? 0x20u : 0);
	mask->word_bytes = 1;
	mask->word_at = mask->text_bytes;
	if (!mask->skip_depth)
		put(mask, byte);
}

/* The bytes that go on with it. */
static size_t take_word_run(struct sql_mask *mask, const uint8_t *bytes, size_t length)
{
	size_t run = 0;

	while (run < length && (is_part(bytes[run]) || bytes[run] == '$'))
		run++;
	if (mask->skip_depth && run)
		mask->word_bytes = UINT32_MAX; /* no prefix of a literal */
	else
		add_to_word(mask, bytes, run);
	return run;
}

static void end_word(struct sql_mask *mask)
{
	mask->place = IN_TEXT;
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

static void begin_literal(struct sql_mask *mask, uint8_t byte, bool is_escape_string)
{
	tell_value(mask);
	mask->has_backslash =
		is_escape_string || (mask->dialect == SQL_MYSQL && !mask->has_plain_backslash);
	mask->quote = byte;
	mask->last = 0;
	mask->place = IN_LITERAL;
}

/* E'…', B'…', X'…', N'…' */
static bool is_literal_prefix(const struct sql_mask *mask)
{
	return mask->word_bytes == 1 && memchr("ebxn", (int)mask->word, 4);
}

static void open_parenthesis(struct sql_mask *mask)
{
	bool is_row = is_in_list(mask) && mask->separator && mask->newest == CLOSE_TOKEN;

	mask->depth++;
	if (mask->skip_depth)
		return;
	if (!is_row) {
		settle(mask);
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
	settle(mask);
	tell_byte(mask, ')', CLOSE_TOKEN);
	if (mask->list_depth > mask->depth + 1)
		mask->list_depth = 0;
}

static void take_comma(struct sql_mask *mask)
{
	bool is_lists = is_in_list(mask) && (mask->newest == CLOSE_TOKEN ||
					     (mask->newest == VALUE_TOKEN && !mask->is_value_row));

	if (mask->separator || mask->sign || !is_lists)
		settle(mask);
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
		settle(mask);
	mask->separator = ';';
	mask->depth = mask->list_depth = 0;
}

/* Anything that is no word, quote or comment. */
static void take_sign(struct sql_mask *mask, uint8_t byte)
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
			settle(mask);
		mask->sign = byte;
		break;
	default:
		settle(mask);
		if (!mask->skip_depth)
			tell_byte(mask, byte, SIGN_TOKEN);
	}
}

/* The second byte of "--" and of "/" with a star: the first one was no sign. */
static bool begins_comment(struct sql_mask *mask, uint8_t byte)
{
	bool is_hash = byte == '#' && mask->dialect == SQL_MYSQL;
	bool is_line = is_hash || (byte == '-' && mask->sign == '-');

	if (!is_line && !(byte == '*' && mask->sign == '/'))
		return false;
	if (!is_hash)
		mask->sign = 0;
	mask->place = is_line ? IN_LINE_COMMENT : IN_COMMENT;
	mask->comments = 1;
	mask->last = 0;
	mask->is_space_due = true;
	return true;
}

static void begin_name(struct sql_mask *mask, uint8_t byte)
{
	settle(mask);
	mask->quote = byte;
	mask->place = IN_NAME;
	if (mask->skip_depth)
		return;
	mix(mask, byte);
	put(mask, byte);
}

static void in_text(struct sql_mask *mask, uint8_t byte)
{
	if (kinds[byte] == SPACE_BYTE) {
		if (mask->sign)
			settle(mask);
		mask->is_space_due = true;
	} else if (is_part(byte) && kinds[byte] != DIGIT_BYTE) {
		begin_word(mask, byte);
	} else if (byte == '$' && mask->dialect == SQL_MYSQL) {
		begin_word(mask, byte);
	} else if (kinds[byte] == DIGIT_BYTE) {
		tell_value(mask);
		mask->last = byte;
		mask->place = IN_NUMBER;
	} else if (begins_comment(mask, byte)) {
		return;
	} else if (byte == '\'' || (byte == '"' && mask->dialect == SQL_MYSQL)) {
		begin_literal(mask, byte, false);
	} else if (byte == '"' || (byte == '`' && mask->dialect == SQL_MYSQL)) {
		begin_name(mask, byte);
	} else if (byte == '$') {
		mask->place = IN_TAG;
		mask->tag = 0;
	} else {
		take_sign(mask, byte);
	}
}

static void in_word(struct sql_mask *mask, uint8_t byte)
{
	bool is_escape_string = mask->word == 'e' && mask->dialect == SQL_POSTGRESQL;

	if (byte == '\'' && is_literal_prefix(mask)) {
		if (!mask->skip_depth)
			mask->text_bytes = mask->word_at;
		begin_literal(mask, byte, is_escape_string);
	} else {
		end_word(mask);
		in_text(mask, byte);
	}
}

/* 1.5e-3, 0x1F: too much of what cannot be right is passed over, never too little. */
static void in_number(struct sql_mask *mask, uint8_t byte)
{
	bool is_exponents = (byte == '-' || byte == '+') && (mask->last | 0x20) == 'e';

	if (is_part(byte) || byte == '.' || is_exponents) {
		mask->last = byte;
		return;
	}
	mask->place = IN_TEXT;
	in_text(mask, byte);
}

/* A doubled quote inside makes two names of it, without a space. */
static void in_name(struct sql_mask *mask, uint8_t byte)
{
	if (!mask->skip_depth) {
		mix(mask, byte);
		put(mask, byte);
	}
	if (byte != mask->quote)
		return;
	mask->place = IN_TEXT;
	if (!mask->skip_depth)
		told(mask, NAME_TOKEN);
}

/* A doubled quote ends a literal and begins another, which is not told. Whether a backslash hides the quote of a plain
 * literal depends in PostgreSQL on a setting that nobody changes (standard_conforming_strings), but may. */
static void in_literal(struct sql_mask *mask, uint8_t byte)
{
	bool is_after_backslash = mask->last == '\\';

	if (byte != mask->quote) {
		mask->last = is_after_backslash && byte == '\\' ? 0 : byte;
	} else if (!is_after_backslash) {
		mask->place = IN_TEXT;
	} else if (mask->has_backslash) {
		mask->last = 0;
	} else if (mask->dialect == SQL_POSTGRESQL) {
		mask->place = IN_NOTHING;
		mask->is_cut = true;
	} else {
		mask->place = IN_TEXT;
	}
}

/* Bytes that say nothing of where the literal ends. */
static size_t literal_run(struct sql_mask *mask, const uint8_t *bytes, size_t length)
{
	size_t run = 0;

	while (run < length && bytes[run] != mask->quote && bytes[run] != '\\')
		run++;
	if (run)
		mask->last = 0;
	return run;
}

static void in_line_comment(struct sql_mask *mask, uint8_t byte)
{
	if (byte == '\n')
		mask->place = IN_TEXT;
}

/* MySQL's with an exclamation mark are no comments: the star and slash at their end are signs. */
static void in_comment(struct sql_mask *mask, uint8_t byte)
{
	uint8_t last = mask->last;

	mask->last = byte;
	if (last == '*' && byte == '/') {
		mask->comments--;
		mask->last = ' ';
	} else if (last == '/' && byte == '*' && mask->dialect == SQL_POSTGRESQL &&
		   mask->comments < UINT8_MAX) {
		mask->comments++;
		mask->last = ' ';
	} else if (!last && byte == '!' && mask->dialect == SQL_MYSQL) {
		mask->comments = 0;
	}
	if (!mask->comments)
		mask->place = IN_TEXT;
}

static void add_to_tag(uint64_t *tag, uint8_t byte)
{
	*tag = (*tag + byte + 1) * HASH_FACTOR;
}

/* After a dollar: $1 is a parameter, $$ and $tag$ begin text, anything else is no SQL. */
static void in_tag(struct sql_mask *mask, uint8_t byte)
{
	bool is_parameter = !mask->tag && kinds[byte] == DIGIT_BYTE;

	if (is_part(byte) && !is_parameter) {
		add_to_tag(&mask->tag, byte);
		return;
	}
	tell_value(mask);
	mask->last = byte;
	mask->place = byte == '$' ? IN_DOLLARS : is_parameter ? IN_NUMBER : IN_TEXT;
	if (mask->place == IN_TEXT)
		in_text(mask, byte);
}

static void in_dollars(struct sql_mask *mask, uint8_t byte)
{
	if (byte != '$')
		return;
	mask->place = IN_DOLLARS_TAG;
	mask->tag_seen = 0;
}

static void in_dollars_tag(struct sql_mask *mask, uint8_t byte)
{
	if (byte != '$') {
		add_to_tag(&mask->tag_seen, byte);
		if (!is_part(byte))
			mask->place = IN_DOLLARS;
	} else if (mask->tag_seen == mask->tag) {
		mask->place = IN_TEXT;
	} else {
		mask->tag_seen = 0;
	}
}

static void take_byte(struct sql_mask *mask, uint8_t byte)
{
	switch ((enum place)mask->place) {
	case IN_TEXT:
		in_text(mask, byte);
		break;
	case IN_WORD:
		in_word(mask, byte);
		break;
	case IN_NUMBER:
		in_number(mask, byte);
		break;
	case IN_NAME:
		in_name(mask, byte);
		break;
	case IN_LITERAL:
		in_literal(mask, byte);
		break;
	case IN_LINE_COMMENT:
		in_line_comment(mask, byte);
		break;
	case IN_COMMENT:
		in_comment(mask, byte);
		break;
	case IN_TAG:
		in_tag(mask, byte);
		break;
	case IN_DOLLARS:
		in_dollars(mask, byte);
		break;
	case IN_DOLLARS_TAG:
		in_dollars_tag(mask, byte);
		break;
	case IN_NOTHING:
		break;
	}
}

void sql_mask_take(struct sql_mask *mask, const uint8_t *bytes, size_t length)
{
	size_t room = SQL_MASK_READ_MAX - mask->read_bytes;

	if (length > room) {
		length = room;
		mask->is_cut = true;
	}
	mask->read_bytes += (uint32_t)length;
	for (size_t at = 0; at < length;) {
		if (mask->place == IN_WORD)
			at += take_word_run(mask, bytes + at, length - at);
		else if (mask->place == IN_LITERAL)
			at += literal_run(mask, bytes + at, length - at);
		if (at < length)
			take_byte(mask, bytes[at++]);
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

uint64_t sql_mask_end(struct sql_mask *mask, bool is_cut)
{
	is_cut |= mask->is_cut;
	if (mask->place == IN_WORD && !is_cut)
		end_word(mask);
	else if (mask->place == IN_WORD && !mask->skip_depth)
		mask->text_bytes = mask->word_at;
	if (!is_cut && mask->sign)
		settle(mask);
	if (is_cut || mask->is_full)
		add_ellipsis(mask);
	mask->text[mask->text_bytes] = '\0';
	if (is_cut) {
		mask->hash = mask->kept_hash;
		mix(mask, CUT);
	}
	return mask->hash ? mask->hash : 1;
}
