/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/socket_option.h"

static error_t parse_socket(int key, char *argument, struct argp_state *state)
{
	const char **path = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		*path = CONTROL_SOCKET_DEFAULT;
		return 0;
	case 's':
		*path = argument;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option options[] = {
	{ "socket", 's', "PATH", 0, "The agent's control socket (" CONTROL_SOCKET_DEFAULT ")", 0 },
	{ 0 },
};

static const struct argp parser = { .options = options, .parser = parse_socket };

const struct argp_child socket_option[] = { { &parser, 0, NULL, 0 }, { 0 } };
