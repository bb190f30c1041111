/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/slow_view.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "cli/json_table.h"
#include "correlate/observation.h"

#define BAR_WIDTH 30

static const char letters[TIME_PART_COUNT] = {
	[TIME_ON_CPU] = '#',	   [TIME_RUN_QUEUE] = 'r', [TIME_THROTTLED] = 't',
	[TIME_NETWORK] = 'n',	   [TIME_BLOCKED] = 'b',   [TIME_UNACCOUNTED] = '?',
	[TIME_LOCK] = 'l',	   [TIME_DISK] = 'd',	   [TIME_SLEEP] = 'z',
	[TIME_MEMORY] = 'm',	   [TIME_SEND] = 's',	   [TIME_RECEIVE_QUEUE] = 'q',
	[TIME_ACCEPT_QUEUE] = 'a',
};

/* In the order of time: what was waited for before comes first. */
static unsigned part_at(unsigned place)
{
	return (place + TIME_PARTS_WITHIN) % TIME_PART_COUNT;
}

/* Each place of the bar shows what was going on at its middle, as if the parts had followed each other. */
static void draw(const json_t *row, char ret_bar[BAR_WIDTH + 1])
{
	const json_t *parts = json_object_get(row, "parts");
	double took = json_real_value(json_object_get(row, "took_seconds")), end = 0;
	size_t drawn = 0;

	for (unsigned place = 0; place < TIME_PART_COUNT && took > 0; place++) {
		unsigned part = part_at(place);

		end += json_real_value(json_object_get(parts, time_part_name(part)));
		while (drawn < BAR_WIDTH && ((double)drawn + 0.5) / BAR_WIDTH < end / took)
			ret_bar[drawn++] = letters[part];
	}
	while (drawn < BAR_WIDTH)
		ret_bar[drawn++] = ' ';
	ret_bar[BAR_WIDTH] = '\0';
}

static int add_bar(json_t *row)
{
	const char *cause = json_string_value(json_object_get(row, "cause"));
	char bar[BAR_WIDTH + 1], why[64] = "";

	draw(row, bar);
	if (cause)
		snprintf(why, sizeof(why), "%s %.0f %%", cause,
			 floor(100 * json_real_value(json_object_get(row, "share"))));
	return json_object_set_new(row, "bar", json_string(bar)) ||
			       json_object_set_new(row, "why", json_string(why)) ?
		       -ENOMEM :
		       0;
}

static void print_legend(FILE *file)
{
	fputc('\n', file);
	for (unsigned part = 0; part < TIME_PART_COUNT; part++)
		fprintf(file, "%s%c %s", part ? ", " : "", letters[part], time_part_name(part));
	fputc('\n', file);
}

int slow_view_print(FILE *file, const json_t *rows, size_t width)
{
	static const struct column columns[] = {
		{ .key = "service" },
		{ .key = "request" },
		{ .key = "error" },
		{ .key = "age_seconds", .title = "AGO", .format = COLUMN_SECONDS },
		{ .key = "took_seconds", .title = "TOOK", .format = COLUMN_SECONDS },
		{ .key = "bar", .title = "WHERE IT WENT" },
		{ .key = "why", .title = "CAUSE" },
		{ .key = "trace_id", .title = "TRACE" },
	};
	json_t *shown = json_deep_copy(rows), *row;
	int error = shown ? 0 : -ENOMEM;
	size_t i;

	json_array_foreach(shown, i, row)
		error = error ? error : add_bar(row);
	if (!error)
		error = json_table_print(file, shown, columns, sizeof(columns) / sizeof(columns[0]),
					 width);
	if (!error && json_array_size(shown))
		print_legend(file);
	json_decref(shown);
	return error;
}
