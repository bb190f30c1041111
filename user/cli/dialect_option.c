/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/dialect_option.h"

#include <string.h>

#include "protocol/http_dialect.h"

#define OPTION_HTTP_DIALECT 0x1000 /* beside those of the commands */

static void add_rule(struct argp_state *state, struct dialect_rules *rules, const char *text)
{
	const char *colon = strchr(text, ':');
	int dialect = colon ? http_dialect_find(text, (size_t)(colon - text)) : -1;

	if (dialect < 0 || !colon[1])
		argp_error(state,
			   "--http-dialect wants NAME:SERVICE, where NAME is jsonrpc, graphql, "
			   "elasticsearch or opensearch, not '%s'",
			   text);
	else if (rules->count == DIALECT_RULES_MAX)
		argp_error(state, "at most %d times --http-dialect", DIALECT_RULES_MAX);
	else
		rules->rules[rules->count++] = (struct dialect_rule){ colon + 1, (uint8_t)dialect };
}

static error_t parse_dialect(int key, char *argument, struct argp_state *state)
{
	if (key != OPTION_HTTP_DIALECT)
		return key == ARGP_KEY_INIT ? 0 : ARGP_ERR_UNKNOWN;
	add_rule(state, state->input, argument);
	return 0;
}

static const struct argp_option options[] = {
	{ "http-dialect", OPTION_HTTP_DIALECT, "NAME:SERVICE", 0,
	  "Read what services of that name (a glob) say inside HTTP/1: jsonrpc, graphql, elasticsearch or opensearch",
	  2 },
	{ 0 },
};

static const struct argp parser = { .options = options, .parser = parse_dialect };

const struct argp_child dialect_option[] = { { &parser, 0, NULL, 0 }, { 0 } };
