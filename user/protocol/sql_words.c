/* SPDX-License-Identifier: Apache-2.0 */
/* A statement is read byte by byte, as it comes: words and signs are cut by `place`, and sql_commands.c says of the first word
 * where its table is. Sources: PostgreSQL 15 documentation, "Lexical Structure"; MariaDB, "Identifier Names", "Comment Syntax". */
#include "protocol/sql_words.h"

#include <string.h>

#include "protocol/sql_commands.h"

enum place {
	IN_TEXT, /* between words */
	IN_WORD,
	IN_NAME,    /* quoted */
	IN_LITERAL, /* quoted */
	IN_LINE_COMMENT,
	IN_COMMENT,
	IN_TAG, /* of a dollar quote, the first one */
	IN_DOLLARS,
};

/* What the next word is looked at for. */
enum want {
	WANT_NOTHING,
	WANT_TABLE,	 /* any name is it */
	WANT_FROM_TABLE, /* the same, but not a function's */
	WANT_OBJECT,	 /* the kind of object that CREATE and its like are about */
	WANT_ON,	 /* … which has its table after ON */
};

#define DEPTH_MAX 31

void sql_reader_init(struct sql_reader *reader, enum sql_dialect dialect)
{
	memset(reader, 0, offsetof(struct sql_reader, word));
	reader->table[0] = '\0';
	reader->dialect = (uint8_t)dialect;
}

static bool word_is(const struct sql_reader *reader, const char *text)
{
	return sql_word_equals(reader->word, reader->word_bytes, text);
}

static void want(struct sql_reader *reader, enum want what)
{
	reader->want = (uint8_t)what;
	reader->want_depth = reader->depth;
}

static void finish(struct sql_reader *reader)
{
	reader->is_over = true;
	reader->is_table_done = true;
}

/* The verb of the statement, or of the one inside EXPLAIN and its like, is known. */
static void take_command(struct sql_reader *reader, const struct sql_command *command)
{
	reader->is_verb_wanted = command->where == SQL_TABLE_OF_INNER;
	switch (command->where) {
	case SQL_TABLE_AFTER_FROM:
		reader->selects |= 1u << reader->depth;
		break;
	case SQL_TABLE_NEXT:
		want(reader, WANT_TABLE);
		break;
	case SQL_TABLE_OF_OBJECT:
		want(reader, WANT_OBJECT);
		break;
	case SQL_TABLE_OF_INNER:
		break;
	case SQL_TABLE_NONE:
		finish(reader);
		break;
	}
}

static void take_first_word(struct sql_reader *reader)
{
	const struct sql_command *command = sql_command_find(reader->word, reader->word_bytes);

	reader->has_word = true;
	reader->command = command;
	if (command)
		take_command(reader, command);
	else
		finish(reader);
}

/* EXPLAIN says what is explained by its verb, and WITH is named by it. Inside the parentheses of WITH are others'. */
static bool take_inner_verb(struct sql_reader *reader)
{
	const struct sql_command *command = sql_command_find(reader->word, reader->word_bytes);
	bool is_with = reader->command->is_named_by_inner;

	if (!command || !command->is_query)
		return false;
	if (is_with && reader->depth)
		return false;
	if (is_with)
		reader->command = command;
	reader->is_verb_wanted = false;
	if (!reader->is_table_done)
		take_command(reader, command);
	reader->is_over = reader->is_table_done && !reader->has_candidate;
	return true;
}

static void begin_table(struct sql_reader *reader)
{
	reader->table_bytes = 0;
	reader->has_candidate = true;
}

/* Add the word to the table's name. PostgreSQL folds what is not quoted; MySQL's names are as they are written. */
static void append_table(struct sql_reader *reader, bool is_quoted)
{
	size_t room = SQL_TABLE_MAX - 1u - reader->table_bytes;
	size_t length = reader->word_bytes < room ? reader->word_bytes : room;
	char *out = reader->table + reader->table_bytes;

	for (size_t i = 0; i < length; i++) {
		char byte = reader->word[i];
		bool is_folded = !is_quoted && reader->dialect == SQL_POSTGRESQL && byte >= 'A' &&
				 byte <= 'Z';

		out[i] = is_folded ? (char)(byte + ('a' - 'A')) : byte;
	}
	reader->table_bytes = (uint8_t)(reader->table_bytes + length);
	reader->table[reader->table_bytes] = '\0';
	reader->is_name_open = false;
}

/* A word that does not carry on the candidate's name makes it the table. */
static void settle_candidate(struct sql_reader *reader)
{
	reader->has_candidate = false;
	reader->is_name_open = false;
	reader->want = WANT_NOTHING;
	reader->is_table_done = true;
	reader->is_over = !reader->is_verb_wanted;
}

static void take_object(struct sql_reader *reader)
{
	switch (sql_object_find(reader->word, reader->word_bytes)) {
	case SQL_OBJECT_TABLE:
		want(reader, WANT_TABLE);
		break;
	case SQL_OBJECT_ON_TABLE:
		want(reader, WANT_ON);
		break;
	case SQL_OBJECT_ADJECTIVE:
		break;
	case SQL_OBJECT_OTHER:
		finish(reader);
		break;
	}
}

static void take_wanted(struct sql_reader *reader, bool is_quoted)
{
	switch ((enum want)reader->want) {
	case WANT_TABLE:
	case WANT_FROM_TABLE:
		if (!is_quoted && sql_is_filler(reader->word, reader->word_bytes))
			break;
		begin_table(reader);
		append_table(reader, is_quoted);
		break;
	case WANT_OBJECT:
		take_object(reader);
		break;
	case WANT_ON:
		if (!is_quoted && word_is(reader, "ON"))
			want(reader, WANT_TABLE);
		break;
	case WANT_NOTHING:
		break;
	}
}

/* IS DISTINCT FROM names nothing; neither does the FROM of functions, which stands at a depth without SELECT. */
static bool is_from(const struct sql_reader *reader)
{
	return word_is(reader, "FROM") && reader->selects >> reader->depth & 1 &&
	       !reader->is_after_distinct;
}

static void take_plain_word(struct sql_reader *reader)
{
	bool is_first = !reader->has_word;

	if (is_first)
		take_first_word(reader);
	else if (reader->is_verb_wanted && take_inner_verb(reader))
		return;
	if (is_first || reader->is_table_done)
		return;
	if (word_is(reader, "SELECT") || word_is(reader, "DELETE"))
		reader->selects |= 1u << reader->depth;
	else if (is_from(reader))
		want(reader, WANT_FROM_TABLE);
	else if (reader->want && reader->want_depth == reader->depth)
		take_wanted(reader, false);
}

/* A whole word, which may be a number. */
static void take_word(struct sql_reader *reader, bool is_quoted)
{
	bool is_number = !is_quoted && reader->word[0] >= '0' && reader->word[0] <= '9';

	if (!reader->word_bytes || (is_number && !reader->is_name_open))
		return;
	if (reader->has_candidate && reader->is_name_open) {
		append_table(reader, is_quoted);
		return;
	}
	if (reader->has_candidate)
		settle_candidate(reader);
	if (reader->is_over)
		return;
	if (!is_quoted)
		take_plain_word(reader);
	else if (reader->want && reader->want_depth == reader->depth && !reader->is_table_done)
		take_wanted(reader, true);
	reader->is_after_distinct = !is_quoted && word_is(reader, "DISTINCT");
}

static void open_parenthesis(struct sql_reader *reader)
{
	if (reader->has_candidate && reader->want == WANT_FROM_TABLE)
		reader->has_candidate = false; /* a function */
	else if (reader->has_candidate)
		settle_candidate(reader);
	if (reader->want == WANT_FROM_TABLE)
		reader->want = WANT_NOTHING;
	if (reader->depth < DEPTH_MAX)
		reader->depth++;
	reader->selects &= ~(1u << reader->depth);
}

/* Anything that is no word, quote or comment. */
static void take_sign(struct sql_reader *reader, uint8_t byte)
{
	if (byte == '.' && reader->has_candidate) {
		if (reader->table_bytes < SQL_TABLE_MAX - 1)
			reader->table[reader->table_bytes++] = '.';
		reader->table[reader->table_bytes] = '\0';
		reader->is_name_open = true;
	} else if (byte == '(') {
		open_parenthesis(reader);
	} else {
		if (reader->has_candidate)
			settle_candidate(reader);
		if (byte == ')' && reader->depth)
			reader->depth--;
		if (byte == ';' && !reader->depth && reader->has_word)
			finish(reader);
	}
}

static bool begins_literal(const struct sql_reader *reader, uint8_t byte)
{
	return byte == '\'' || (byte == '"' && reader->dialect == SQL_MYSQL);
}

static bool begins_name(const struct sql_reader *reader, uint8_t byte)
{
	return byte == (reader->dialect == SQL_MYSQL ? '`' : '"');
}

/* E'…' has escapes; elsewhere in PostgreSQL a backslash is one. */
static void begin_literal(struct sql_reader *reader, uint8_t byte, bool is_after_word)
{
	bool is_escape_string = is_after_word && word_is(reader, "E");

	if (reader->has_candidate)
		settle_candidate(reader);
	reader->has_backslash =
		is_escape_string || (reader->dialect == SQL_MYSQL && !reader->has_plain_backslash);
	reader->quote = byte;
	reader->last = 0;
	reader->place = IN_LITERAL;
}

/* The second byte of "--" and of "/" with a star: the first one was no sign. */
static bool begins_comment(struct sql_reader *reader, uint8_t byte)
{
	bool is_hash = byte == '#' && reader->dialect == SQL_MYSQL;

	if (is_hash || (byte == '-' && reader->last == '-')) {
		reader->place = IN_LINE_COMMENT;
	} else if (byte == '*' && reader->last == '/') {
		reader->place = IN_COMMENT;
		reader->comments = 1;
	} else {
		return false;
	}
	reader->last = 0;
	return true;
}

static void begin_name(struct sql_reader *reader, uint8_t byte)
{
	reader->is_name_open |= reader->has_candidate && reader->last == byte; /* "a""b" */
	reader->place = IN_NAME;
	reader->quote = byte;
	reader->word_bytes = 0;
}

static bool is_space(uint8_t byte)
{
	return byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r' || byte == '\f';
}

static void in_text(struct sql_reader *reader, uint8_t byte, bool is_after_word)
{
	if (sql_is_word_byte(byte)) {
		reader->place = IN_WORD;
		reader->word[0] = (char)byte;
		reader->word_bytes = 1;
	} else if (begins_comment(reader, byte)) {
		return;
	} else if (begins_literal(reader, byte)) {
		begin_literal(reader, byte, is_after_word);
		return;
	} else if (begins_name(reader, byte)) {
		begin_name(reader, byte);
	} else if (byte == '$' && reader->dialect == SQL_POSTGRESQL) {
		reader->place = IN_TAG;
		reader->dollars = (struct sql_dollars){ 0 };
	} else if (!is_space(byte) && byte != '-' && byte != '/') {
		take_sign(reader, byte);
	}
	reader->last = byte;
}

static void keep_byte(struct sql_reader *reader, uint8_t byte)
{
	if (reader->word_bytes < SQL_WORD_MAX)
		reader->word[reader->word_bytes++] = (char)byte;
}

static void in_word(struct sql_reader *reader, uint8_t byte)
{
	if (sql_is_word_byte(byte) || byte == '$') {
		keep_byte(reader, byte);
		return;
	}
	reader->place = IN_TEXT;
	take_word(reader, false);
	if (!reader->is_over)
		in_text(reader, byte, true);
}

/* A doubled quote inside, which stands for one, makes two names of it: the second carries on the first. */
static void in_name(struct sql_reader *reader, uint8_t byte)
{
	if (byte != reader->quote) {
		keep_byte(reader, byte);
		return;
	}
	reader->place = IN_TEXT;
	reader->last = byte;
	take_word(reader, true);
}

/* A doubled quote ends a literal and begins another: nobody sees the difference. */
static void in_literal(struct sql_reader *reader, uint8_t byte)
{
	bool is_escaped = reader->has_backslash && reader->last == '\\';

	if (byte == reader->quote && !is_escaped) {
		reader->place = IN_TEXT;
		reader->last = 0;
	} else {
		reader->last = is_escaped ? 0 : byte;
	}
}

static void in_line_comment(struct sql_reader *reader, uint8_t byte)
{
	if (byte == '\n')
		reader->place = IN_TEXT;
}

static void in_comment(struct sql_reader *reader, uint8_t byte)
{
	uint8_t last = reader->last;

	reader->last = byte;
	if (last == '*' && byte == '/') {
		reader->comments--;
		reader->last = 0;
	} else if (last == '/' && byte == '*' && reader->dialect == SQL_POSTGRESQL &&
		   reader->comments < UINT8_MAX) {
		reader->comments++;
		reader->last = 0;
	} else if (!last && byte == '!' && reader->dialect == SQL_MYSQL) {
		reader->comments = 0; /* its end is two signs */
	}
	if (!reader->comments) {
		reader->place = IN_TEXT;
		reader->last = 0;
	} else if (!reader->last) {
		reader->last = ' ';
	}
}

/* After a dollar: $1 is a parameter, $$ and $tag$ begin text. */
static void in_tag(struct sql_reader *reader, uint8_t byte)
{
	if (byte == '$') {
		reader->place = IN_DOLLARS;
	} else if (!sql_dollars_add(&reader->dollars, byte)) {
		reader->place = IN_TEXT;
		take_sign(reader, '$');
		if (!reader->is_over)
			in_text(reader, byte, false);
	}
}

static void in_dollars(struct sql_reader *reader, uint8_t byte)
{
	if (sql_dollars_end(&reader->dollars, byte))
		reader->place = IN_TEXT;
}

static void take_byte(struct sql_reader *reader, uint8_t byte)
{
	static void (*const places[])(struct sql_reader *, uint8_t) = {
		[IN_WORD] = in_word,	   [IN_NAME] = in_name,
		[IN_LITERAL] = in_literal, [IN_LINE_COMMENT] = in_line_comment,
		[IN_COMMENT] = in_comment, [IN_TAG] = in_tag,
		[IN_DOLLARS] = in_dollars,
	};

	if (reader->place == IN_TEXT)
		in_text(reader, byte, false);
	else
		places[reader->place](reader, byte);
}

bool sql_reader_take(struct sql_reader *reader, const uint8_t *bytes, size_t length)
{
	for (size_t i = 0; i < length && !reader->is_over; i++)
		take_byte(reader, bytes[i]);
	return !reader->is_over;
}

void sql_reader_cut(struct sql_reader *reader)
{
	if (reader->is_over)
		return;
	if (reader->has_candidate)
		reader->table_bytes = 0;
	reader->has_candidate = false;
	reader->word_bytes = 0;
	reader->is_over = true;
	reader->is_cut = true;
}

void sql_reader_end(struct sql_reader *reader)
{
	if (reader->place == IN_WORD && !reader->is_over)
		take_word(reader, false);
	if (reader->has_candidate)
		settle_candidate(reader);
	reader->is_over = true;
}

const char *sql_reader_operation(const struct sql_reader *reader)
{
	if (reader->command)
		return reader->command->name;
	return reader->has_word ? "other" : NULL;
}

const char *sql_reader_table(const struct sql_reader *reader)
{
	return reader->table_bytes && reader->is_table_done ? reader->table : "";
}

const char *sql_operation_find(const char *text, size_t length)
{
	const struct sql_command *command;
	size_t word = 0;

	while (word < length && sql_is_word_byte((uint8_t)text[word]))
		word++;
	command = sql_command_find(text, word);
	return command ? command->name : NULL;
}
