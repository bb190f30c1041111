/* SPDX-License-Identifier: Apache-2.0 */
/* `sonde agent`: options of the running agent. */
#include "agent/agent.h"

#include <argp.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "cli/command_table.h"
#include "cli/commands.h"
#include "cli/control_client.h"
#include "cli/dialect_option.h"
#include "cli/metric_option.h"
#include "cli/number_option.h"
#include "cli/socket_option.h"
#include "cli/span_option.h"

#define LISTEN_DEFAULT "127.0.0.1:9464"
#define FORCED_MAX 16

enum long_option {
	OPTION_RING_BYTES = 256,
	OPTION_PREFIX_BYTES,
	OPTION_HOOK,
	OPTION_EXPECTED_ERRORS,
	OPTION_SKIP,
	OPTION_ONLY,
	OPTION_CONNECTIONS,
	OPTION_PROCESSES,
	OPTION_SERIES,
	OPTION_SERIES_TTL,
	OPTION_ROUTES,
	OPTION_STATEMENTS,
	OPTION_ERROR_EVENTS,
	OPTION_SAMPLE_SECONDS,
	OPTION_BLOCKED_CAUSES,
	OPTION_DEBUG,
};

struct parsed {
	struct agent_options agent;
	struct forced_hook forced[FORCED_MAX];
	struct dialect_rules dialects;
};

static void add_rule(struct argp_state *state, struct selection_rules *rules,
		     enum selection_list list, const char *option, const char *text)
{
	char why[512];

	if (selection_rules_add(rules, list, text, why, sizeof(why)))
		argp_error(state, "--%s: %s", option, why);
}

/* SIGNAL=HOOK, as `sonde check` prints them. */
static void add_forced(struct argp_state *state, struct parsed *parsed, char *argument)
{
	char *hook = strchr(argument, '=');

	if (!hook || parsed->agent.loader.forced_count == FORCED_MAX)
		argp_error(state, "--hook wants SIGNAL=HOOK, at most %d times, not '%s'",
			   FORCED_MAX, argument);
	*hook++ = '\0';
	parsed->forced[parsed->agent.loader.forced_count++] =
		(struct forced_hook){ argument, hook };
}

static error_t parse_option(int key, char *argument, struct argp_state *state)
{
	struct parsed *parsed = state->input;
	struct agent_options *agent = &parsed->agent;
	struct bpf_settings *settings = &agent->loader.settings;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &agent->socket_path;
		state->child_inputs[1] = &parsed->dialects;
		state->child_inputs[2] = &agent->spans;
		state->child_inputs[3] = &agent->metrics;
		return 0;
	case 'l':
		agent->listen = argument;
		return 0;
	case OPTION_RING_BYTES:
		agent->loader.ring_bytes =
			number_option(state, "ring-bytes", argument, 4096, 1ul << 30);
		return 0;
	case OPTION_PREFIX_BYTES:
		settings->prefix_bytes =
			(uint32_t)number_option(state, "prefix-bytes", argument, 64, PREFIX_MAX);
		return 0;
	case OPTION_HOOK:
		add_forced(state, parsed, argument);
		return 0;
	case OPTION_EXPECTED_ERRORS:
		settings->count_expected_errors = 1;
		return 0;
	case OPTION_BLOCKED_CAUSES:
		settings->tells_waits = 1;
		return 0;
	case OPTION_ERROR_EVENTS:
		settings->error_events_per_second =
			(uint32_t)number_option(state, "error-events", argument, 0, 1000000);
		return 0;
	case OPTION_SAMPLE_SECONDS:
		settings->sample_interval_ns =
			number_option(state, "sample-seconds", argument, 1, 3600) * 1000000000u;
		return 0;
	case OPTION_SKIP:
		add_rule(state, agent->selection, SELECTION_SKIP, "skip", argument);
		return 0;
	case OPTION_ONLY:
		add_rule(state, agent->selection, SELECTION_ONLY, "only", argument);
		return 0;
	case OPTION_CONNECTIONS:
		agent->loader.connections =
			number_option(state, "connections", argument, 16, 1ul << 22);
		return 0;
	case OPTION_PROCESSES:
		agent->loader.processes =
			number_option(state, "processes", argument, 16, 1ul << 20);
		return 0;
	case OPTION_SERIES:
		agent->series_limit = number_option(state, "series", argument, 1, 1ul << 20);
		return 0;
	case OPTION_SERIES_TTL:
		agent->series_ttl_seconds =
			(unsigned)number_option(state, "series-ttl", argument, 1, 86400);
		return 0;
	case OPTION_ROUTES:
		agent->routes_per_service = number_option(state, "routes", argument, 1, 1ul << 16);
		return 0;
	case OPTION_STATEMENTS:
		agent->statements_per_service =
			number_option(state, "statements", argument, 0, 1000);
		return 0;
	case OPTION_DEBUG:
		log_set_level(LOG_LEVEL_DEBUG);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option argp_options[] = {
	{ "listen", 'l', "ADDR:PORT", 0, "Serve /metrics there (" LISTEN_DEFAULT ")", 0 },
	{ "only", OPTION_ONLY, "RULE", 0,
	  "Look only at processes that satisfy one of these rules: conditions, of which all must hold, like "
	  "exe=GLOB,service=GLOB,port=N[-M],owner=USER,cgroup=GLOB,age=SECONDS",
	  1 },
	{ "skip", OPTION_SKIP, "RULE", 0, "Do not look at processes that satisfy the rule", 1 },
	{ "expected-errors", OPTION_EXPECTED_ERRORS, NULL, 0,
	  "Also count EAGAIN, EINPROGRESS, EINTR, ERESTART* (sonde_syscall_expected_errors_total)",
	  1 },
	{ "blocked-causes", OPTION_BLOCKED_CAUSES, NULL, 0,
	  "Tell locks, disks, sleep and memory apart where threads are blocked; looks at each switch of the scheduler",
	  1 },
	{ "prefix-bytes", OPTION_PREFIX_BYTES, "N", 0, "First bytes of a turn to look at (1024)",
	  2 },
	{ "ring-bytes", OPTION_RING_BYTES, "N", 0, "Size of each ring buffer (4 MiB)", 2 },
	{ "connections", OPTION_CONNECTIONS, "N", 0, "Connections tracked at once (16384)", 2 },
	{ "processes", OPTION_PROCESSES, "N", 0, "Processes tracked at once (8192)", 2 },
	{ "series", OPTION_SERIES, "N", 0, "Series per metric (2000)", 2 },
	{ "series-ttl", OPTION_SERIES_TTL, "SECONDS", 0,
	  "Keep series after their process has gone (300)", 2 },
	{ "routes", OPTION_ROUTES, "N", 0, "Routes per service (200)", 2 },
	{ "statements", OPTION_STATEMENTS, "N", 0,
	  "SQL statements told apart per service, without their literals (100); 0: none", 2 },
	{ "error-events", OPTION_ERROR_EVENTS, "N", 0,
	  "System-call error events per process and second (100); counts are always exact", 2 },
	{ "sample-seconds", OPTION_SAMPLE_SECONDS, "N", 0,
	  "Between RTT samples of a connection (10)", 2 },
	{ "hook", OPTION_HOOK, "SIGNAL=HOOK", 0,
	  "Use this hook for a signal and no other (see sonde check)", 3 },
	{ "debug", OPTION_DEBUG, NULL, 0, "Log more", 3 },
	{ 0 },
};

int command_agent(int argc, char **argv)
{
	const struct argp_child children[] = {
		socket_option[0], dialect_option[0], span_option[0], metric_option[0], { 0 }
	};
	const struct argp argp = {
		.options = argp_options,
		.parser = parse_option,
		.children = children,
		.doc = "Observe this machine and serve what is seen on /metrics.",
	};
	struct parsed parsed = {
		.agent = { .listen = LISTEN_DEFAULT,
			   .loader = { .settings = { .prefix_bytes = 1024,
						     .error_events_per_second = 100,
						     .sample_interval_ns = 10000000000u },
				       .ring_bytes = 4u << 20,
				       .connections = 16384,
				       .processes = 8192 },
			   .selection = selection_rules_new(),
			   .series_limit = 2000,
			   .routes_per_service = 200,
			   .statements_per_service = 100,
			   .series_ttl_seconds = 300,
			   .spans = { .queue = SPAN_QUEUE_DEFAULT,
				      .spool_bytes = SPAN_SPOOL_BYTES_DEFAULT } },
	};

	if (!parsed.agent.selection)
		return STATUS_FAILED;
	argp_parse(&argp, argc, argv, 0, NULL, &parsed);
	parsed.agent.loader.forced = parsed.forced;
	parsed.agent.loader.settings.streams_http = parsed.dialects.count > 0;
	parsed.agent.dialects = parsed.dialects.rules;
	parsed.agent.dialect_count = parsed.dialects.count;
	return agent_run(&parsed.agent) ? STATUS_FAILED : STATUS_OK;
}
