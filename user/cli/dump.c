/* SPDX-License-Identifier: Apache-2.0 */
/* `sonde dump`: what the running agent holds, as tables or as the JSON it gave. */
#include <argp.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "cli/command_table.h"
#include "cli/commands.h"
#include "cli/control_client.h"
#include "cli/json_table.h"
#include "cli/signal_view.h"
#include "cli/slow_view.h"
#include "cli/socket_option.h"

#define OVERVIEW_ROWS 5
#define LIMIT_ALL 1000000

/* How the entries of a topic, or of an array inside one, are shown. */
struct view {
	const char *name;
	struct column columns[14];
};

static const struct view views[] = {
	{ "services",
	  { { .key = "service" },
	    { .key = "kind" },
	    { .key = "system" },
	    { .key = "requests", .format = COLUMN_NUMBER },
	    { .key = "errors", .format = COLUMN_NUMBER },
	    { .key = "mean_seconds", .title = "MEAN", .format = COLUMN_SECONDS },
	    { .key = "p50_seconds", .title = "P50", .format = COLUMN_SECONDS },
	    { .key = "p99_seconds", .title = "P99", .format = COLUMN_SECONDS } } },
	{ "statements",
	  { { .key = "service" },
	    { .key = "kind" },
	    { .key = "system" },
	    { .key = "count", .format = COLUMN_NUMBER },
	    { .key = "errors", .format = COLUMN_NUMBER },
	    { .key = "rows", .format = COLUMN_NUMBER },
	    { .key = "total_seconds", .title = "TOTAL", .format = COLUMN_SECONDS },
	    { .key = "worst_seconds", .title = "WORST", .format = COLUMN_SECONDS },
	    { .key = "fingerprint" },
	    { .key = "summary" },
	    { .key = "text" } } },
	{ "conns",
	  { { .key = "role" },
	    { .key = "local" },
	    { .key = "remote" },
	    { .key = "protocol" },
	    { .key = "pid", .format = COLUMN_NUMBER },
	    { .key = "service" },
	    { .key = "executable" },
	    { .key = "requests", .format = COLUMN_NUMBER },
	    { .key = "turns", .format = COLUMN_NUMBER },
	    { .key = "idle_seconds", .title = "IDLE", .format = COLUMN_SECONDS } } },
	{ "procs",
	  { { .key = "pid", .format = COLUMN_NUMBER },
	    { .key = "parent_pid", .title = "PARENT", .format = COLUMN_NUMBER },
	    { .key = "service" },
	    { .key = "executable" },
	    { .key = "connects", .format = COLUMN_NUMBER },
	    { .key = "accepts", .format = COLUMN_NUMBER },
	    { .key = "exchanges", .format = COLUMN_NUMBER },
	    { .key = "bytes_sent", .title = "SENT", .format = COLUMN_BYTES },
	    { .key = "bytes_received", .title = "RECEIVED", .format = COLUMN_BYTES },
	    { .key = "exited" },
	    { .key = "ignored" },
	    { .key = "path" } } },
	{ "series",
	  { { .key = "metric" },
	    { .key = "type" },
	    { .key = "series", .format = COLUMN_NUMBER },
	    { .key = "limit", .format = COLUMN_NUMBER },
	    { .key = "refused", .format = COLUMN_NUMBER } } },
	{ "maps",
	  { { .key = "map" },
	    { .key = "entries", .format = COLUMN_NUMBER },
	    { .key = "max_entries", .title = "LIMIT", .format = COLUMN_NUMBER },
	    { .key = "memory_bytes", .title = "MEMORY", .format = COLUMN_BYTES } } },
	{ "rings",
	  { { .key = "ring" },
	    { .key = "size_bytes", .title = "SIZE", .format = COLUMN_BYTES },
	    { .key = "waiting_bytes", .title = "WAITING", .format = COLUMN_BYTES } } },
	{ "events",
	  { { .key = "kind" },
	    { .key = "produced", .format = COLUMN_NUMBER },
	    { .key = "consumed", .format = COLUMN_NUMBER },
	    { .key = "lost" } } },
};

static const char *const topics[] = { "services", "statements", "slow",	    "hooks",
				      "conns",	  "procs",	"series",   "maps",
				      "rings",	  "config",	"selection" };
#define TOPIC_COUNT (sizeof(topics) / sizeof(topics[0]))

struct dump_options {
	const char *socket;
	const char *topic; /* NULL: an overview */
	unsigned long limit;
	bool is_json;
};

static const struct view *view_find(const char *name)
{
	for (size_t i = 0; i < sizeof(views) / sizeof(views[0]); i++)
		if (!strcmp(views[i].name, name))
			return &views[i];
	return NULL;
}

/* Without a view, the first entry says what there is. */
static int print_plain_rows(const json_t *rows, size_t width)
{
	struct column columns[14] = { 0 };
	size_t count = 0;
	const char *key;
	json_t *value;

	json_object_foreach(json_array_get(rows, 0), key, value)
		if (count < sizeof(columns) / sizeof(columns[0]))
			columns[count++] = (struct column){ .key = key };
	return json_table_print(stdout, rows, columns, count, width);
}

static int print_rows(const char *name, const json_t *rows, size_t width)
{
	const struct view *view = view_find(name);
	size_t count = 0;

	if (!strcmp(name, "hooks"))
		return signal_view_print(stdout, rows, width);
	if (!strcmp(name, "slow"))
		return slow_view_print(stdout, rows, width);
	if (!view)
		return print_plain_rows(rows, width);
	while (count < sizeof(view->columns) / sizeof(view->columns[0]) && view->columns[count].key)
		count++;
	return json_table_print(stdout, rows, view->columns, count, width);
}

static int print_data(const char *name, const json_t *data, size_t width)
{
	bool has_scalars = false, is_first;
	const char *key;
	json_t *value;
	int error = 0;

	if (json_is_array(data))
		return print_rows(name, data, width);
	json_object_foreach((json_t *)data, key, value)
		has_scalars |= !json_is_array(value);
	if (has_scalars)
		error = json_list_print(stdout, data, width);
	is_first = !has_scalars;
	json_object_foreach((json_t *)data, key, value) {
		if (error || !json_is_array(value))
			continue;
		printf("%s%s:\n", is_first ? "" : "\n", key);
		error = print_rows(key, value, width);
		is_first = false;
	}
	return error;
}

/* "5 of 1200", when not everything is shown. */
static void print_cut(const json_t *answer, const char *before, const char *after)
{
	size_t shown = json_array_size(json_object_get(answer, "data"));
	json_int_t total = json_integer_value(json_object_get(answer, "total"));

	if (total > (json_int_t)shown)
		printf("%s%zu of %" JSON_INTEGER_FORMAT "%s", before, shown, total, after);
}

static int ask(int fd, const char *topic, unsigned long limit, json_t **ret_answer)
{
	char request[128];

	snprintf(request, sizeof(request), "dump %s %lu", topic, limit);
	return control_client_ask(fd, request, ret_answer);
}

static int dump_topic(int fd, const struct dump_options *options)
{
	json_t *answer = NULL;
	int error = ask(fd, options->topic, options->limit, &answer);

	if (error)
		return error;
	if (options->is_json) {
		error = json_dumpf(json_object_get(answer, "data"), stdout, JSON_INDENT(2)) ? -EIO :
											      0;
		putchar('\n');
	} else {
		error = print_data(options->topic, json_object_get(answer, "data"),
				   terminal_width(stdout));
		print_cut(answer, "\nshown: ", "\n");
	}
	json_decref(answer);
	return error;
}

/* Metrics are many and always the same: in an overview those with the most series count. */
static json_t *overview_series(const json_t *data, size_t limit)
{
	json_t *rows = json_array(), *left = json_copy((json_t *)data);

	while (left && json_array_size(rows) < limit && json_array_size(left)) {
		json_int_t most = -1;
		size_t best = 0;

		for (size_t i = 0; i < json_array_size(left); i++) {
			json_int_t series = json_integer_value(
				json_object_get(json_array_get(left, i), "series"));

			best = series > most ? i : best;
			most = series > most ? series : most;
		}
		(void)json_array_append(rows, json_array_get(left, best));
		(void)json_array_remove(left, best);
	}
	json_decref(left);
	return rows;
}

static int overview_print(const char *topic, json_t *answer, size_t limit)
{
	if (!strcmp(topic, "series"))
		(void)json_object_set_new(answer, "data",
					  overview_series(json_object_get(answer, "data"), limit));
	printf("== %s", topic);
	print_cut(answer, ", ", "");
	puts(" ==");
	return print_data(topic, json_object_get(answer, "data"), terminal_width(stdout));
}

static int dump_overview(int fd, const struct dump_options *options)
{
	size_t limit = options->limit ? options->limit : OVERVIEW_ROWS;
	json_t *all = json_object();
	int error = 0;

	for (size_t i = 0; i < TOPIC_COUNT && !error; i++) {
		json_t *answer = NULL;

		error = ask(fd, topics[i], limit, &answer);
		if (error)
			break;
		if (options->is_json)
			(void)json_object_set(all, topics[i], json_object_get(answer, "data"));
		else
			error = overview_print(topics[i], answer, limit);
		if (!options->is_json && i + 1 < TOPIC_COUNT)
			putchar('\n');
		json_decref(answer);
	}
	if (!error && options->is_json && json_dumpf(all, stdout, JSON_INDENT(2)) == 0)
		putchar('\n');
	json_decref(all);
	return error;
}

static bool is_topic(const char *name)
{
	for (size_t i = 0; i < TOPIC_COUNT; i++)
		if (!strcmp(topics[i], name))
			return true;
	return false;
}

static error_t parse_option(int key, char *argument, struct argp_state *state)
{
	struct dump_options *options = state->input;
	char *end;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &options->socket;
		return 0;
	case 'j':
		options->is_json = true;
		return 0;
	case 'n':
		options->limit = strtoul(argument, &end, 10);
		if (end == argument || *end || *argument == '-' || !options->limit ||
		    options->limit > LIMIT_ALL)
			argp_error(state, "--limit wants a number from 1 to %d", LIMIT_ALL);
		return 0;
	case ARGP_KEY_ARG:
		if (options->topic || !is_topic(argument))
			argp_error(
				state,
				"'%s' is none of services, statements, slow, hooks, conns, procs, series, maps, rings, config, selection",
				argument);
		options->topic = argument;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

int command_dump(int argc, char **argv)
{
	static const struct argp_option argp_options[] = {
		{ "json", 'j', NULL, 0, "Print JSON (user/cli/README.md)", 0 },
		{ "limit", 'n', "N", 0, "At most N entries", 0 },
		{ 0 },
	};
	static const struct argp argp = {
		.options = argp_options,
		.parser = parse_option,
		.children = socket_option,
		.args_doc =
			"[services|statements|slow|hooks|conns|procs|series|maps|rings|config|selection]",
		.doc = "Print what the running agent holds; without a topic, a little of everything.",
	};
	struct dump_options options = { 0 };
	_cleanup_close_ int fd = -1;
	int error;

	argp_parse(&argp, argc, argv, 0, NULL, &options);
	fd = control_client_connect(options.socket);
	if (fd < 0)
		return STATUS_FAILED;
	error = options.topic ? dump_topic(fd, &options) : dump_overview(fd, &options);
	if (error == -ENOMEM)
		log_error("dump: %s", strerror(ENOMEM));
	return error ? STATUS_FAILED : STATUS_OK;
}
