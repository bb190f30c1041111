/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/metric_option.h"

#include "agent/agent.h"

enum {
	OPTION_METRICS_ENDPOINT = 0x3000, /* beside those of the commands and of spans */
	OPTION_METRICS_HEADERS_FILE,
};

static error_t parse_metric_option(int key, char *argument, struct argp_state *state)
{
	struct metric_options *metrics = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		return 0;
	case OPTION_METRICS_ENDPOINT:
		metrics->otlp_endpoint = argument;
		return 0;
	case OPTION_METRICS_HEADERS_FILE:
		metrics->otlp_headers_file = argument;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option options[] = {
	{ "otlp-metrics-endpoint", OPTION_METRICS_ENDPOINT, "URL", 0,
	  "Post metrics there, /v1/metrics added (OTEL_EXPORTER_OTLP_ENDPOINT; they are only served by default)",
	  2 },
	{ "otlp-metrics-headers-file", OPTION_METRICS_HEADERS_FILE, "FILE", 0,
	  "Send these headers with them: lines of `name: value`", 2 },
	{ 0 },
};

static const struct argp parser = { .options = options, .parser = parse_metric_option };

const struct argp_child metric_option[] = { { &parser, 0, NULL, 0 }, { 0 } };
