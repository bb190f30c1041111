/* SPDX-License-Identifier: Apache-2.0 */
/* SQL commands by name, and the words around the names of tables. For sql_words.c. */
#ifndef SONDE_PROTOCOL_SQL_COMMANDS_H
#define SONDE_PROTOCOL_SQL_COMMANDS_H

#include <stdbool.h>
#include <stddef.h>

enum sql_table_place {
	SQL_TABLE_NONE,
	SQL_TABLE_NEXT, /* INSERT INTO t, UPDATE t: the next word that is not INTO, ONLY and their like */
	SQL_TABLE_AFTER_FROM,
	SQL_TABLE_OF_OBJECT, /* CREATE TABLE t, CREATE INDEX i ON t */
	SQL_TABLE_OF_INNER,  /* EXPLAIN SELECT … FROM t */
};

struct sql_command {
	const char *name;	/* upper case; static */
	int where;		/* enum sql_table_place */
	bool is_query;		/* may stand inside EXPLAIN, WITH and their like */
	bool is_named_by_inner; /* WITH … UPDATE is an UPDATE */
};

enum sql_object {
	SQL_OBJECT_TABLE,
	SQL_OBJECT_ON_TABLE,  /* the table comes after ON */
	SQL_OBJECT_ADJECTIVE, /* what it is, is still to come */
	SQL_OBJECT_OTHER,
};

/* Case does not matter, here and below. NULL: none that we know. */
const struct sql_command *sql_command_find(const char *word, size_t length);

enum sql_object sql_object_find(const char *word, size_t length);

/* Words that stand between a command and its table. */
bool sql_is_filler(const char *word, size_t length);

bool sql_word_equals(const char *word, size_t length, const char *text);

#endif
