/* SPDX-License-Identifier: Apache-2.0 */
/* `sonde replay`: the user side from the ring onwards, driven by a file. */
#include "ring/replay.h"

#include <argp.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "aggregate/observe.h"
#include "aggregate/series.h"
#include "aggregate/statement_table.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "cli/command_table.h"
#include "cli/commands.h"
#include "cli/dialect_option.h"
#include "correlate/engine.h"
#include "decode/event.h"
#include "export/exporter_table.h"

#define TICK_NS 100000000u
#define SECOND_NS 1000000000u
#define SETTLE_NS (20ull * SECOND_NS) /* in ticks, for what the engine waits for */
#define LONG_AFTER_NS (3600ull * SECOND_NS)
#define PROCESSES 65536
#define SERIES_LIMIT 10000
#define STATEMENTS_PER_SERVICE 100

static const struct engine_limits engine_limits = {
	.connections = 65536,
	.routes_per_service = 200,
	.services = 1024,
};

struct replay {
	struct process_table *processes;
	struct series_store *store;
	struct statement_table *statements;
	struct observer *observer;
	struct engine *engine;
	uint64_t newest_ns;
	uint64_t ticked_ns;
	uint64_t undecoded;
};

struct replay_options {
	const char *path;
	const struct exporter *exporter;
	struct dialect_rules dialects;
};

static void replay_done(struct replay *replay)
{
	engine_free(&replay->engine);
	observer_free(&replay->observer);
	statement_table_free(&replay->statements);
	series_store_free(&replay->store);
	process_table_free(&replay->processes);
}

static int replay_init(struct replay *replay)
{
	static const struct engine_feedback nobody = { 0 };

	replay->processes = process_table_new(PROCESSES, NULL, NULL);
	replay->store = series_store_new(SERIES_LIMIT);
	replay->statements = statement_table_new(STATEMENTS_PER_SERVICE, SERIES_LIMIT);
	if (!replay->processes || !replay->store || !replay->statements)
		return -ENOMEM;
	replay->observer = observer_new(replay->store, replay->statements, NULL);
	if (!replay->observer)
		return -ENOMEM;
	replay->engine = engine_new(&engine_limits, replay->processes,
				    observer_sink(replay->observer), &nobody);
	return replay->engine ? 0 : -ENOMEM;
}

static void tick_until(struct replay *replay, uint64_t now_ns)
{
	/* Hours without an event need no tick each. */
	if (!replay->ticked_ns || now_ns - replay->ticked_ns > SETTLE_NS)
		replay->ticked_ns = now_ns > SETTLE_NS ? now_ns - SETTLE_NS : 0;
	while (replay->ticked_ns + TICK_NS <= now_ns) {
		replay->ticked_ns += TICK_NS;
		series_store_set_now(replay->store, replay->ticked_ns);
		engine_tick(replay->engine, replay->ticked_ns);
	}
}

static int feed(void *context, const void *bytes, size_t length)
{
	struct replay *replay = context;
	struct event event;

	/* Ticks lead up to every event: times beyond any machine's would keep us ticking. */
	if (event_decode(bytes, length, &event) < 0 || event.header->ktime_ns > INT64_MAX / 2) {
		replay->undecoded++;
		return 0;
	}
	if (event.header->ktime_ns > replay->newest_ns) {
		replay->newest_ns = event.header->ktime_ns;
		tick_until(replay, replay->newest_ns);
	}
	return engine_feed(replay->engine, &event);
}

/* What is still open gets the time to end. */
static void settle(struct replay *replay)
{
	tick_until(replay, replay->newest_ns + SETTLE_NS);
	engine_tick(replay->engine, replay->newest_ns + LONG_AFTER_NS);
}

static int print_metrics(struct replay *replay, const struct exporter *exporter)
{
	_cleanup_(text_buffer_done) struct text_buffer buffer = { 0 };
	struct snapshot *snapshot;
	int error;

	statement_table_report(replay->statements, replay->store, replay->newest_ns);
	snapshot = series_snapshot(replay->store);
	error = snapshot ? exporter->render(snapshot, &buffer) : -ENOMEM;

	snapshot_unref(&snapshot);
	if (error)
		return error;
	if (fwrite(buffer.bytes, 1, buffer.length, stdout) != buffer.length || fflush(stdout) != 0)
		return -EIO;
	return 0;
}

static void say_faults(const char *path, const struct replay_result *result,
		       const struct replay *replay, int error)
{
	if (result->fault)
		log_error("%s: byte %" PRIu64 ": %s", path, result->offset, result->fault);
	else if (error)
		log_error("%s: byte %" PRIu64 ": %s", path, result->offset, strerror(-error));
	if ((result->fault || error) && result->events)
		log_warn("%s: the %" PRIu64 " events before that are used", path, result->events);
	if (result->dropped)
		log_warn("%s: %" PRIu64 " events are missing: they could not be recorded", path,
			 result->dropped);
	if (replay->undecoded)
		log_warn("%s: %" PRIu64 " events could not be decoded", path, replay->undecoded);
}

static int replay_file(FILE *file, const struct replay_options *options)
{
	_cleanup_(replay_done) struct replay replay = { 0 };
	struct replay_result result;
	int error = replay_init(&replay), print_error;

	if (error) {
		log_error("replay: %s", strerror(-error));
		return STATUS_FAILED;
	}
	engine_set_dialects(replay.engine, options->dialects.rules, options->dialects.count);
	error = replay_stream(file, feed, &replay, &result);
	say_faults(options->path, &result, &replay, error);
	settle(&replay);
	print_error = print_metrics(&replay, options->exporter);
	if (print_error)
		log_error("replay: %s", strerror(-print_error));
	return error || print_error ? STATUS_FAILED : STATUS_OK;
}

static error_t parse_option(int key, char *argument, struct argp_state *state)
{
	struct replay_options *options = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &options->dialects;
		return 0;
	case 'f':
		options->exporter = exporter_find(argument);
		if (!options->exporter)
			argp_error(state, "--format is prometheus, openmetrics or protobuf");
		return 0;
	case ARGP_KEY_ARG:
		if (options->path)
			argp_error(state, "one FILE, please");
		options->path = argument;
		return 0;
	case ARGP_KEY_END:
		if (!options->path)
			argp_error(state, "which FILE to read?");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

int command_replay(int argc, char **argv)
{
	static const struct argp_option argp_options[] = {
		{ "format", 'f', "NAME", 0,
		  "prometheus (as without this option), openmetrics or protobuf", 0 },
		{ 0 },
	};
	static const struct argp argp = {
		.options = argp_options,
		.parser = parse_option,
		.children = dialect_option,
		.args_doc = "FILE",
		.doc = "Print the metrics that the events in FILE (- for standard input) make."
		       "\vA damaged file is used up to the damage, and the exit status is 1.",
	};
	struct replay_options options = { .exporter = &exporter_table[EXPORTER_PROMETHEUS] };
	_cleanup_fclose_ FILE *opened = NULL;
	FILE *file = stdin;

	argp_parse(&argp, argc, argv, 0, NULL, &options);
	if (strcmp(options.path, "-") != 0) {
		opened = fopen(options.path, "re");
		if (!opened) {
			log_error("%s: %s", options.path, strerror(errno));
			return STATUS_FAILED;
		}
		file = opened;
	}
	return replay_file(file, &options);
}
