/* SPDX-License-Identifier: Apache-2.0 */
/* Cells are text first, so that widths are known before the first line is written. */
#include "cli/json_table.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/cleanup.h"

#define CELL_MAX 512
#define GAP 2 /* spaces between columns */

struct cells {
	char **texts; /* owned, each owned; row by row */
	size_t columns;
	size_t count;
};

static void cells_done(struct cells *cells)
{
	for (size_t i = 0; i < cells->count; i++)
		free(cells->texts[i]);
	free(cells->texts);
}

void format_bytes(double bytes, char ret_text[16])
{
	static const char units[] = " KMGTPE";
	size_t unit = 0;

	for (; fabs(bytes) >= 1023.95 && unit + 2 < sizeof(units); unit++)
		bytes /= 1024;
	if (unit)
		snprintf(ret_text, 16, "%.1f %ciB", bytes, units[unit]);
	else
		snprintf(ret_text, 16, "%.0f B", bytes);
}

void format_seconds(double seconds, char ret_text[16])
{
	double size = fabs(seconds);

	if (size >= 86400)
		snprintf(ret_text, 16, "%.1f d", seconds / 86400);
	else if (size >= 3600)
		snprintf(ret_text, 16, "%.1f h", seconds / 3600);
	else if (size >= 60)
		snprintf(ret_text, 16, "%.1f min", seconds / 60);
	else if (size >= 1 || size == 0)
		snprintf(ret_text, 16, "%.3g s", seconds);
	else if (size >= 0.001)
		snprintf(ret_text, 16, "%.3g ms", seconds * 1e3);
	else
		snprintf(ret_text, 16, "%.3g us", seconds * 1e6);
}

size_t terminal_width(FILE *file)
{
	struct winsize size = { 0 };

	if (!isatty(fileno(file)) || ioctl(fileno(file), TIOCGWINSZ, &size) < 0)
		return 0;
	return size.ws_col;
}

/* Characters of well-formed UTF-8; jansson lets no other in. */
static size_t text_columns(const char *text)
{
	size_t count = 0;

	for (; *text; text++)
		count += (*text & 0xc0) != 0x80;
	return count;
}

static void format_number(const json_t *value, enum column_format format, char *text)
{
	double number = json_number_value(value);
	char unit_text[16];

	if (format == COLUMN_BYTES)
		format_bytes(number, unit_text);
	else if (format == COLUMN_SECONDS)
		format_seconds(number, unit_text);
	else if (json_is_integer(value))
		snprintf(text, CELL_MAX, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
	else
		snprintf(text, CELL_MAX, "%g", number);
	if (format == COLUMN_BYTES || format == COLUMN_SECONDS)
		snprintf(text, CELL_MAX, "%s", unit_text);
}

static void format_value(const json_t *value, enum column_format format, char *text);

/* Small objects inside a cell: "ring_full=3 malformed=1". */
static void format_members(const json_t *object, char *text)
{
	char member[CELL_MAX];
	const char *key;
	json_t *value;
	size_t used = 0;

	strcpy(text, "-");
	json_object_foreach((json_t *)object, key, value) {
		if (!json_is_string(value) && !json_is_number(value) && !json_is_boolean(value))
			continue;
		format_value(value, COLUMN_NUMBER, member);
		used += (size_t)snprintf(text + used, CELL_MAX - used, "%s%s=%s", used ? " " : "",
					 key, member);
		if (used >= CELL_MAX)
			return;
	}
}

static void format_value(const json_t *value, enum column_format format, char *text)
{
	if (json_is_string(value))
		snprintf(text, CELL_MAX, "%s", json_string_value(value));
	else if (json_is_number(value))
		format_number(value, format, text);
	else if (json_is_boolean(value))
		snprintf(text, CELL_MAX, "%s", json_is_true(value) ? "yes" : "no");
	else if (json_is_object(value))
		format_members(value, text);
	else
		snprintf(text, CELL_MAX, "-");
	if (!*text)
		snprintf(text, CELL_MAX, "-");
	/* Paths and names are strangers': they must not steer the terminal. C1 controls too (0xc2 0x80 …). */
	for (char *at = text; *at; at++) {
		if ((unsigned char)*at < 0x20 || *at == 0x7f)
			*at = '?';
		else if ((unsigned char)at[0] == 0xc2 && (unsigned char)at[1] >= 0x80 &&
			 (unsigned char)at[1] < 0xa0)
			at[0] = at[1] = '?';
	}
}

static char *make_title(const struct column *column)
{
	char *title = strdup(column->title ? column->title : column->key);

	for (char *at = title; at && !column->title && *at; at++)
		*at = (char)(*at == '_' ? ' ' : toupper((unsigned char)*at));
	return title;
}

static bool has_column(const json_t *rows, const struct column *column)
{
	const json_t *row;
	size_t i;

	json_array_foreach(rows, i, row)
		if (json_object_get(row, column->key))
			return true;
	return false;
}

static int cells_add(struct cells *cells, char *text)
{
	if (!text)
		return -ENOMEM;
	cells->texts[cells->count++] = text;
	return 0;
}

static int cells_fill(struct cells *cells, const json_t *rows, const struct column *const *columns)
{
	char text[CELL_MAX];
	const json_t *row;
	size_t i;
	int error = 0;

	cells->texts = calloc((json_array_size(rows) + 1) * cells->columns + 1, sizeof(char *));
	if (!cells->texts)
		return -ENOMEM;
	for (size_t column = 0; !error && column < cells->columns; column++)
		error = cells_add(cells, make_title(columns[column]));
	json_array_foreach(rows, i, row)
		for (size_t column = 0; !error && column < cells->columns; column++) {
			format_value(json_object_get(row, columns[column]->key),
				     columns[column]->format, text);
			error = cells_add(cells, strdup(text));
		}
	return error;
}

/* Print a line; one that is too long ends in a mark that says so. width 0: no limit. */
static void print_line(FILE *file, const char *line, size_t width)
{
	bool is_cut = width && text_columns(line) > width;
	size_t left = is_cut ? width - 1 : SIZE_MAX;

	for (; *line; line++) {
		bool begins_character = (*line & 0xc0) != 0x80;

		if (begins_character && !left)
			break;
		left -= begins_character;
		fputc(*line, file);
	}
	fputs(is_cut ? "…\n" : "\n", file);
}

static void put_spaces(FILE *file, size_t count)
{
	fprintf(file, "%*s", (int)count, "");
}

static int print_row(FILE *file, const struct cells *cells, size_t row,
		     const struct column *const *columns, const size_t *widths, size_t width)
{
	_cleanup_free_ char *text = NULL;
	size_t length;
	FILE *line = open_memstream(&text, &length);

	if (!line)
		return -ENOMEM;
	for (size_t i = 0; i < cells->columns; i++) {
		const char *cell = cells->texts[row * cells->columns + i];
		size_t padding = widths[i] - text_columns(cell);
		bool is_left = columns[i]->format == COLUMN_TEXT;

		put_spaces(line, (i ? GAP : 0) + (is_left ? 0 : padding));
		fputs(cell, line);
		if (is_left && i + 1 < cells->columns)
			put_spaces(line, padding);
	}
	if (fclose(line) != 0)
		return -ENOMEM;
	print_line(file, text, width);
	return 0;
}

int json_table_print(FILE *file, const json_t *rows, const struct column *columns,
		     size_t column_count, size_t width)
{
	_cleanup_(cells_done) struct cells cells = { 0 };
	_cleanup_free_ const struct column **shown = calloc(column_count + 1, sizeof(*shown));
	_cleanup_free_ size_t *widths = calloc(column_count + 1, sizeof(*widths));
	int error;

	if (!shown || !widths)
		return -ENOMEM;
	for (size_t i = 0; i < column_count; i++)
		if (!json_array_size(rows) || has_column(rows, &columns[i]))
			shown[cells.columns++] = &columns[i];
	error = cells_fill(&cells, rows, shown);
	if (error)
		return error;
	for (size_t i = 0; i < cells.count; i++) {
		size_t length = text_columns(cells.texts[i]);

		if (length > widths[i % cells.columns])
			widths[i % cells.columns] = length;
	}
	for (size_t row = 0; !error && cells.columns && row < cells.count / cells.columns; row++)
		error = print_row(file, &cells, row, shown, widths, width);
	return error;
}

int json_list_print(FILE *file, const json_t *object, size_t width)
{
	static const struct column columns[] = {
		{ .key = "key", .title = "NAME" },
		{ .key = "value", .title = "VALUE" },
	};
	json_t *rows = json_array(), *value;
	int error = rows ? 0 : -ENOMEM;
	const char *key;

	json_object_foreach((json_t *)object, key, value) {
		if (error || json_is_array(value))
			continue;
		if (json_array_append_new(rows, json_pack("{s:s,s:O}", "key", key, "value", value)))
			error = -ENOMEM;
	}
	if (!error)
		error = json_table_print(file, rows, columns, sizeof(columns) / sizeof(columns[0]),
					 width);
	json_decref(rows);
	return error;
}
