/* SPDX-License-Identifier: Apache-2.0 */
/* JSON as people read it: arrays of objects as aligned tables, objects as lists. Knows nothing of the topics. */
#ifndef SONDE_CLI_JSON_TABLE_H
#define SONDE_CLI_JSON_TABLE_H

#include <jansson.h>
#include <stddef.h>
#include <stdio.h>

enum column_format {
	COLUMN_TEXT,	/* left-aligned; null and what is missing is "-" */
	COLUMN_NUMBER,	/* right-aligned, like the ones below */
	COLUMN_BYTES,	/* 1536 → 1.5 KiB */
	COLUMN_SECONDS, /* 0.0123 → 12.3 ms */
};

struct column {
	const char *key;   /* of the rows' objects */
	const char *title; /* NULL: the key in capitals */
	enum column_format format;
};

/* Print an array of objects. Columns that no row has are left out. Control characters are shown as '?'.
 *
 * width    of a line, what is longer is cut; 0: no limit
 * Returns  0 or -ENOMEM */
int json_table_print(FILE *file, const json_t *rows, const struct column *columns,
		     size_t column_count, size_t width);

/* Print the scalars of an object, one a line: "key  value". */
int json_list_print(FILE *file, const json_t *object, size_t width);

/* Of the terminal; 0 when it is none. */
size_t terminal_width(FILE *file);

/* Readable sizes and durations, at most 16 bytes with the terminator. */
void format_bytes(double bytes, char ret_text[16]);
void format_seconds(double seconds, char ret_text[16]);

#endif
