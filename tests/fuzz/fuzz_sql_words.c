/* SPDX-License-Identifier: Apache-2.0 */
/* A statement must be read the same whole and byte by byte, in both dialects. Input: the statement. */
#include <stdlib.h>
#include <string.h>

#include "protocol/sql_words.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_both_ways(enum sql_dialect dialect, const uint8_t *data, size_t size)
{
	struct sql_reader whole, bytewise;
	const char *operation;

	sql_reader_init(&whole, dialect);
	sql_reader_init(&bytewise, dialect);
	(void)sql_reader_take(&whole, data, size);
	for (size_t i = 0; i < size; i++)
		(void)sql_reader_take(&bytewise, data + i, 1);
	sql_reader_end(&whole);
	sql_reader_end(&bytewise);
	operation = sql_reader_operation(&whole);
	if (operation != sql_reader_operation(&bytewise) ||
	    strcmp(sql_reader_table(&whole), sql_reader_table(&bytewise)) != 0 ||
	    strlen(sql_reader_table(&whole)) >= SQL_TABLE_MAX)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	read_both_ways(SQL_POSTGRESQL, data, size);
	read_both_ways(SQL_MYSQL, data, size);
	return 0;
}
