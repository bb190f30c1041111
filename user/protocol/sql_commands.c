/* SPDX-License-Identifier: Apache-2.0 */
/* Source of the names: PostgreSQL 15 and MariaDB 10.11, "SQL Commands" and "SQL Statements". */
#include "protocol/sql_commands.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* In the order of strcasecmp. */
static const struct sql_command commands[] = {
	{ "ABORT", SQL_TABLE_NONE, false, false },
	{ "ALTER", SQL_TABLE_OF_OBJECT, false, false },
	{ "ANALYSE", SQL_TABLE_NEXT, false, false },
	{ "ANALYZE", SQL_TABLE_NEXT, false, false },
	{ "BACKUP", SQL_TABLE_NONE, false, false },
	{ "BEGIN", SQL_TABLE_NONE, false, false },
	{ "BINLOG", SQL_TABLE_NONE, false, false },
	{ "CACHE", SQL_TABLE_NONE, false, false },
	{ "CALL", SQL_TABLE_NONE, false, false },
	{ "CHANGE", SQL_TABLE_NONE, false, false },
	{ "CHECK", SQL_TABLE_OF_OBJECT, false, false },
	{ "CHECKPOINT", SQL_TABLE_NONE, false, false },
	{ "CHECKSUM", SQL_TABLE_OF_OBJECT, false, false },
	{ "CLOSE", SQL_TABLE_NONE, false, false },
	{ "CLUSTER", SQL_TABLE_NEXT, false, false },
	{ "COMMENT", SQL_TABLE_OF_OBJECT, false, false },
	{ "COMMIT", SQL_TABLE_NONE, false, false },
	{ "COPY", SQL_TABLE_NEXT, false, false },
	{ "CREATE", SQL_TABLE_OF_OBJECT, false, false },
	{ "DEALLOCATE", SQL_TABLE_NONE, false, false },
	{ "DECLARE", SQL_TABLE_OF_INNER, false, false },
	{ "DELETE", SQL_TABLE_AFTER_FROM, true, false },
	{ "DESC", SQL_TABLE_NEXT, false, false },
	{ "DESCRIBE", SQL_TABLE_NEXT, false, false },
	{ "DISCARD", SQL_TABLE_NONE, false, false },
	{ "DO", SQL_TABLE_NONE, false, false },
	{ "DROP", SQL_TABLE_OF_OBJECT, false, false },
	{ "END", SQL_TABLE_NONE, false, false },
	{ "EXECUTE", SQL_TABLE_NONE, false, false },
	{ "EXPLAIN", SQL_TABLE_OF_INNER, false, false },
	{ "FETCH", SQL_TABLE_NONE, false, false },
	{ "FLUSH", SQL_TABLE_NONE, false, false },
	{ "GET", SQL_TABLE_NONE, false, false },
	{ "GRANT", SQL_TABLE_NONE, false, false },
	{ "HANDLER", SQL_TABLE_NEXT, false, false },
	{ "HELP", SQL_TABLE_NONE, false, false },
	{ "IMPORT", SQL_TABLE_NONE, false, false },
	{ "INSERT", SQL_TABLE_NEXT, true, false },
	{ "INSTALL", SQL_TABLE_NONE, false, false },
	{ "KILL", SQL_TABLE_NONE, false, false },
	{ "LISTEN", SQL_TABLE_NONE, false, false },
	{ "LOAD", SQL_TABLE_OF_OBJECT, false, false },
	{ "LOCK", SQL_TABLE_NEXT, false, false },
	{ "MERGE", SQL_TABLE_NEXT, true, false },
	{ "MOVE", SQL_TABLE_NONE, false, false },
	{ "NOTIFY", SQL_TABLE_NONE, false, false },
	{ "OPTIMIZE", SQL_TABLE_OF_OBJECT, false, false },
	{ "PREPARE", SQL_TABLE_OF_INNER, false, false },
	{ "PURGE", SQL_TABLE_NONE, false, false },
	{ "REASSIGN", SQL_TABLE_NONE, false, false },
	{ "REFRESH", SQL_TABLE_NEXT, false, false },
	{ "REINDEX", SQL_TABLE_OF_OBJECT, false, false },
	{ "RELEASE", SQL_TABLE_NONE, false, false },
	{ "RENAME", SQL_TABLE_OF_OBJECT, false, false },
	{ "REPAIR", SQL_TABLE_OF_OBJECT, false, false },
	{ "REPLACE", SQL_TABLE_NEXT, true, false },
	{ "RESET", SQL_TABLE_NONE, false, false },
	{ "RESIGNAL", SQL_TABLE_NONE, false, false },
	{ "REVOKE", SQL_TABLE_NONE, false, false },
	{ "ROLLBACK", SQL_TABLE_NONE, false, false },
	{ "SAVEPOINT", SQL_TABLE_NONE, false, false },
	{ "SECURITY", SQL_TABLE_NONE, false, false },
	{ "SELECT", SQL_TABLE_AFTER_FROM, true, false },
	{ "SET", SQL_TABLE_NONE, false, false },
	{ "SHOW", SQL_TABLE_NONE, false, false },
	{ "SHUTDOWN", SQL_TABLE_NONE, false, false },
	{ "SIGNAL", SQL_TABLE_NONE, false, false },
	{ "START", SQL_TABLE_NONE, false, false },
	{ "STOP", SQL_TABLE_NONE, false, false },
	{ "TABLE", SQL_TABLE_NEXT, true, false },
	{ "TRUNCATE", SQL_TABLE_NEXT, false, false },
	{ "UNINSTALL", SQL_TABLE_NONE, false, false },
	{ "UNLISTEN", SQL_TABLE_NONE, false, false },
	{ "UNLOCK", SQL_TABLE_NONE, false, false },
	{ "UPDATE", SQL_TABLE_NEXT, true, false },
	{ "USE", SQL_TABLE_NONE, false, false },
	{ "VACUUM", SQL_TABLE_NEXT, false, false },
	{ "VALUES", SQL_TABLE_NONE, true, false },
	{ "WITH", SQL_TABLE_OF_INNER, false, true },
	{ "XA", SQL_TABLE_NONE, false, false },
};

static const char *const table_objects[] = { "TABLE" };
static const char *const objects_on_table[] = { "INDEX", "POLICY", "TRIGGER" };
static const char *const adjectives[] = { "AGGREGATE",	  "COLUMN",  "CONCURRENT", "CONSTRAINT",
					  "DATA",	  "FOREIGN", "FULLTEXT",   "GLOBAL",
					  "IGNORE",	  "INFILE",  "INTO",	   "LOCAL",
					  "LOW_PRIORITY", "OFFLINE", "ON",	   "ONLINE",
					  "OR",		  "REPLACE", "SPATIAL",	   "TEMP",
					  "TEMPORARY",	  "UNIQUE",  "UNLOGGED" };
static const char *const fillers[] = { "ANALYZE",
				       "BINARY",
				       "CONCURRENTLY",
				       "DELAYED",
				       "EXISTS",
				       "FREEZE",
				       "FULL",
				       "HIGH_PRIORITY",
				       "IF",
				       "IGNORE",
				       "INTO",
				       "LATERAL",
				       "LOCAL",
				       "LOW_PRIORITY",
				       "MATERIALIZED",
				       "NOT",
				       "NO_WRITE_TO_BINLOG",
				       "ONLY",
				       "QUICK",
				       "TABLE",
				       "TABLES",
				       "VERBOSE",
				       "VIEW" };

#define LENGTH_OF(array) (sizeof(array) / sizeof((array)[0]))

bool sql_word_equals(const char *word, size_t length, const char *text)
{
	return length == strlen(text) && strncasecmp(word, text, length) == 0;
}

struct word {
	const char *bytes;
	size_t length;
};

static int compare(const void *key, const void *row)
{
	const struct sql_command *command = row;
	const struct word *word = key;
	int order = strncasecmp(word->bytes, command->name, word->length);

	return order ? order : -(command->name[word->length] != '\0');
}

const struct sql_command *sql_command_find(const char *bytes, size_t length)
{
	struct word word = { bytes, length };

	if (!length || memchr(bytes, '\0', length))
		return NULL;
	return bsearch(&word, commands, LENGTH_OF(commands), sizeof(commands[0]), compare);
}

static bool is_one_of(const char *word, size_t length, const char *const *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (length == strlen(list[i]) && strncasecmp(word, list[i], length) == 0)
			return true;
	return false;
}

enum sql_object sql_object_find(const char *word, size_t length)
{
	if (is_one_of(word, length, table_objects, LENGTH_OF(table_objects)))
		return SQL_OBJECT_TABLE;
	if (is_one_of(word, length, objects_on_table, LENGTH_OF(objects_on_table)))
		return SQL_OBJECT_ON_TABLE;
	if (is_one_of(word, length, adjectives, LENGTH_OF(adjectives)))
		return SQL_OBJECT_ADJECTIVE;
	return SQL_OBJECT_OTHER;
}

bool sql_is_filler(const char *word, size_t length)
{
	return is_one_of(word, length, fillers, LENGTH_OF(fillers));
}
