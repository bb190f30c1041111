/* SPDX-License-Identifier: Apache-2.0 */
/* `sonde select`: other rules for the running agent, until it ends. */
#include <argp.h>
#include <stdlib.h>

#include "agent/selection_rules.h"
#include "base/cleanup.h"
#include "cli/command_table.h"
#include "cli/commands.h"
#include "cli/control_client.h"
#include "cli/socket_option.h"

struct select_options {
	const char *socket;
	json_t *lists[SELECTION_LIST_COUNT];
	bool is_all;
	bool has_rules;
};

/* The agent reads the rules: whose users and limits they are about. */
static error_t parse_option(int key, char *argument, struct argp_state *state)
{
	struct select_options *options = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &options->socket;
		return 0;
	case 'o':
	case 'k':
		(void)json_array_append_new(
			options->lists[key == 'o' ? SELECTION_ONLY : SELECTION_SKIP],
			json_string(argument));
		options->has_rules = true;
		return 0;
	case 'a':
		options->is_all = true;
		return 0;
	case ARGP_KEY_END:
		if (options->is_all == options->has_rules)
			argp_error(state, "say either --all or which rules hold from now on");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static int send_rules(int fd, const struct select_options *options)
{
	json_t *request = json_pack("{s:s,s:s,s:{s:O,s:O}}", "command", "set", "topic", "selection",
				    "value", "only", options->lists[SELECTION_ONLY], "skip",
				    options->lists[SELECTION_SKIP]);
	_cleanup_free_ char *line = request ? json_dumps(request, JSON_COMPACT) : NULL;
	json_t *answer = NULL;
	int error = line ? control_client_ask(fd, line, &answer) : -ENOMEM;

	json_decref(request);
	json_decref(answer);
	return error;
}

int command_select(int argc, char **argv)
{
	static const struct argp_option argp_options[] = {
		{ "only", 'o', "RULE", 0, "Look only at processes that satisfy one of these rules",
		  0 },
		{ "skip", 'k', "RULE", 0, "Do not look at processes that satisfy the rule", 0 },
		{ "all", 'a', NULL, 0, "Look at all processes", 0 },
		{ 0 },
	};
	static const struct argp argp = {
		.options = argp_options,
		.parser = parse_option,
		.children = socket_option,
		.doc = "Replace the rules by which the running agent chooses processes.\v"
		       "A rule is conditions, of which all must hold: exe=GLOB, service=GLOB, port=N[-M] that it "
		       "listens on, owner=USER, cgroup=GLOB, age=SECONDS; as in exe=/usr/bin/python3*,age=10. "
		       "`sonde dump selection` shows the rules in force.",
	};
	struct select_options options = { .lists = { json_array(), json_array() } };
	_cleanup_close_ int fd = -1;
	int error;

	argp_parse(&argp, argc, argv, 0, NULL, &options);
	fd = control_client_connect(options.socket);
	error = fd < 0 ? fd : send_rules(fd, &options);
	for (size_t i = 0; i < SELECTION_LIST_COUNT; i++)
		json_decref(options.lists[i]);
	return error ? STATUS_FAILED : STATUS_OK;
}
