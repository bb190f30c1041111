/* SPDX-License-Identifier: Apache-2.0 */
/* What a statement does and to which table, read from its beginning: words, quotes and comments, no grammar. Literals are
 * passed over and never kept. */
#ifndef SONDE_PROTOCOL_SQL_WORDS_H
#define SONDE_PROTOCOL_SQL_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/sql_dollars.h"

enum sql_dialect {
	SQL_POSTGRESQL, /* "name", 'text', E'te\'xt', $tag$text$tag$, nested comments; names fold to lower case */
	SQL_MYSQL, /* `name`, 'te\'xt', "text", # comments, and what stands in comments that begin with an exclamation mark */
};

/* Longer names are cut: PostgreSQL's and MySQL's have 63 and 64 characters at most. */
#define SQL_WORD_MAX 64
#define SQL_TABLE_MAX 130

struct sql_command;

/* A statement being read. */
struct sql_reader {
	const struct sql_command *command; /* NULL: none yet, or none that we know */
	uint32_t selects;		   /* depths of parentheses at which a FROM names a table */
	struct sql_dollars dollars;
	uint8_t dialect; /* enum sql_dialect */
	uint8_t place;	 /* enum place of sql_words.c */
	uint8_t quote;
	uint8_t last; /* the byte before, where two together mean something */
	uint8_t comments;
	uint8_t depth;
	uint8_t want; /* enum want of sql_words.c */
	uint8_t want_depth;
	uint8_t word_bytes;
	uint8_t table_bytes;
	bool has_word;	    /* the first word was read */
	bool has_candidate; /* the table is what it is unless the next sign says otherwise */
	bool is_name_open;  /* after the dot of a name */
	bool is_table_done;
	bool is_verb_wanted; /* WITH, EXPLAIN …: what is done comes later */
	bool is_after_distinct;
	bool has_plain_backslash; /* as in sql_mask.h; set after init */
	bool has_backslash;	  /* the text quoted may have escapes */
	bool is_over;
	bool is_cut; /* before that */
	char word[SQL_WORD_MAX];
	char table[SQL_TABLE_MAX];
};

void sql_reader_init(struct sql_reader *reader, enum sql_dialect dialect);

/* Take the statement's next bytes. Returns false when nothing more is wanted of it. */
bool sql_reader_take(struct sql_reader *reader, const uint8_t *bytes, size_t length);

/* What follows is not known: a word that it may carry on says nothing, and neither does a name that was not over. */
void sql_reader_cut(struct sql_reader *reader);

/* The statement is over. */
void sql_reader_end(struct sql_reader *reader);

/* Static upper-case name, "other" when no SQL command that we know, NULL when there was no word at all. */
const char *sql_reader_operation(const struct sql_reader *reader);

/* The first table named, "" when none was. Lives in the reader. */
const char *sql_reader_table(const struct sql_reader *reader);

/* The name of a command, given by its first word: "INSERT 0 1" of a server's answer. NULL: none that we know. */
const char *sql_operation_find(const char *text, size_t length);

#endif
