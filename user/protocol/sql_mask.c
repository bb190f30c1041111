/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens are told one by one, to the text and to the hash; what is between quotes or begins with a digit is never told. Where it
 * is doubtful whether a literal is over, the rest of the statement is left out. Sources: PostgreSQL 15 documentation, "Lexical
 * Structure"; MariaDB, "Identifier Names", "String Literals", "Comment Syntax", "SQL_MODE". */
#include "protocol/sql_mask.h"

#include <string.h>

#include "protocol/sql_mask_tokens.h"

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
	IN_NOTHING, /* the rest is left out */
};

void sql_mask_init(struct sql_mask *mask, enum sql_dialect dialect, bool has_plain_backslash)
{
	memset(mask, 0, offsetof(struct sql_mask, text));
	mask->dialect = (uint8_t)dialect;
	mask->has_plain_backslash = has_plain_backslash;
	mask->hash = mask->kept_hash = SQL_HASH_START;
	mask->is_value_next = true;
	sql_comment_init(&mask->comment);
}

static void begin_literal(struct sql_mask *mask, uint8_t byte, bool is_escape_string)
{
	sql_mask_value(mask);
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
	sql_comment_begin(&mask->comment);
	return true;
}

static void begin_name(struct sql_mask *mask, uint8_t byte)
{
	sql_mask_settle(mask);
	mask->quote = byte;
	mask->place = IN_NAME;
	sql_mask_name_byte(mask, byte);
}

static void in_text(struct sql_mask *mask, uint8_t byte)
{
	if (sql_byte_kinds[byte] == SPACE_BYTE) {
		if (mask->sign)
			sql_mask_settle(mask);
		mask->is_space_due = true;
	} else if (sql_is_part(byte) && sql_byte_kinds[byte] != DIGIT_BYTE) {
		mask->place = IN_WORD;
		sql_mask_begin_word(mask, byte);
	} else if (byte == '$' && mask->dialect == SQL_MYSQL) {
		mask->place = IN_WORD;
		sql_mask_begin_word(mask, byte);
	} else if (sql_byte_kinds[byte] == DIGIT_BYTE) {
		sql_mask_value(mask);
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
		mask->dollars = (struct sql_dollars){ 0 };
	} else {
		sql_mask_sign(mask, byte);
	}
}

static void in_word(struct sql_mask *mask, uint8_t byte)
{
	bool is_escape_string = mask->word == 'e' && mask->dialect == SQL_POSTGRESQL;

	if (byte == '\'' && is_literal_prefix(mask)) {
		sql_mask_forget_word(mask);
		begin_literal(mask, byte, is_escape_string);
	} else {
		sql_mask_end_word(mask);
		mask->place = IN_TEXT;
		in_text(mask, byte);
	}
}

/* 1.5e-3, 0x1F: too much of what cannot be right is passed over, never too little. */
static void in_number(struct sql_mask *mask, uint8_t byte)
{
	bool is_exponents = (byte == '-' || byte == '+') && (mask->last | 0x20) == 'e';

	if (sql_is_part(byte) || byte == '.' || is_exponents) {
		mask->last = byte;
		return;
	}
	mask->place = IN_TEXT;
	in_text(mask, byte);
}

/* A doubled quote inside makes two names of it, without a space. */
static void in_name(struct sql_mask *mask, uint8_t byte)
{
	sql_mask_name_byte(mask, byte);
	if (byte != mask->quote)
		return;
	mask->place = IN_TEXT;
	sql_mask_end_name(mask);
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
	sql_comment_add(&mask->comment, byte);
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
	if (mask->comments)
		return;
	mask->place = IN_TEXT;
	sql_comment_end(&mask->comment);
}

/* After a dollar: $1 is a parameter, $$ and $tag$ begin text, anything else is no SQL. */
static void in_tag(struct sql_mask *mask, uint8_t byte)
{
	bool is_parameter = !mask->dollars.tag && sql_byte_kinds[byte] == DIGIT_BYTE;

	if (sql_dollars_add(&mask->dollars, byte))
		return;
	sql_mask_value(mask);
	mask->last = byte;
	mask->place = byte == '$' ? IN_DOLLARS : is_parameter ? IN_NUMBER : IN_TEXT;
	if (mask->place == IN_TEXT)
		in_text(mask, byte);
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
		if (sql_dollars_end(&mask->dollars, byte))
			mask->place = IN_TEXT;
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
			at += sql_mask_word_run(mask, bytes + at, length - at);
		else if (mask->place == IN_LITERAL)
			at += literal_run(mask, bytes + at, length - at);
		if (at < length)
			take_byte(mask, bytes[at++]);
	}
}

uint64_t sql_mask_end(struct sql_mask *mask, bool is_cut)
{
	is_cut |= mask->is_cut;
	if (mask->place == IN_WORD && !is_cut)
		sql_mask_end_word(mask);
	else if (mask->place == IN_WORD)
		sql_mask_forget_word(mask);
	return sql_mask_close(mask, is_cut);
}
