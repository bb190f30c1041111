/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/span_option.h"

#include <string.h>

#include "agent/agent.h"
#include "cli/number_option.h"

#define QUEUE_LEAST 16
#define QUEUE_MOST (1ul << 22)
#define SPOOL_LEAST (1ul << 20)
#define SPOOL_MOST (1ul << 40)

enum {
	OPTION_OTLP_ENDPOINT = 0x2000, /* beside those of the commands */
	OPTION_OTLP_HEADERS_FILE,
	OPTION_SPANS_NDJSON,
	OPTION_SPAN_QUEUE,
	OPTION_SPAN_SAMPLING,
	OPTION_SPAN_SPOOL,
	OPTION_SPAN_SPOOL_BYTES,
	OPTION_SPANS_OF_INSTRUMENTED,
};

static const char *const of_instrumented[] = {
	[INSTRUMENTED_KERNEL_ONLY] = "kernel-only",
	[INSTRUMENTED_ON] = "on",
	[INSTRUMENTED_OFF] = "off",
};

static enum spans_of_instrumented read_of_instrumented(const struct argp_state *state,
						       const char *argument)
{
	unsigned i = 0;

	while (i < sizeof(of_instrumented) / sizeof(of_instrumented[0]) &&
	       strcmp(argument, of_instrumented[i]) != 0)
		i++;
	if (i == sizeof(of_instrumented) / sizeof(of_instrumented[0]))
		argp_error(state, "--spans-of-instrumented is on, kernel-only or off, not '%s'",
			   argument);
	return (enum spans_of_instrumented)i;
}

static error_t parse_span_option(int key, char *argument, struct argp_state *state)
{
	struct span_options *spans = state->input;
	char why[SAMPLING_WHY_MAX];

	switch (key) {
	case ARGP_KEY_INIT:
		return 0;
	case OPTION_OTLP_ENDPOINT:
		spans->otlp_endpoint = argument;
		return 0;
	case OPTION_OTLP_HEADERS_FILE:
		spans->otlp_headers_file = argument;
		return 0;
	case OPTION_SPANS_NDJSON:
		spans->ndjson_path = argument;
		return 0;
	case OPTION_SPAN_QUEUE:
		spans->queue =
			number_option(state, "span-queue", argument, QUEUE_LEAST, QUEUE_MOST);
		return 0;
	case OPTION_SPAN_SAMPLING:
		if (sampling_rules_add(&spans->sampling, argument, why))
			argp_error(state, "--span-sampling: %s", why);
		return 0;
	case OPTION_SPAN_SPOOL:
		spans->spool_path = argument;
		return 0;
	case OPTION_SPAN_SPOOL_BYTES:
		spans->spool_bytes =
			number_option(state, "span-spool-bytes", argument, SPOOL_LEAST, SPOOL_MOST);
		return 0;
	case OPTION_SPANS_OF_INSTRUMENTED:
		spans->of_instrumented = read_of_instrumented(state, argument);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option options[] = {
	{ "otlp-endpoint", OPTION_OTLP_ENDPOINT, "URL", 0,
	  "Post spans there, /v1/traces added (OTEL_EXPORTER_OTLP_ENDPOINT; no spans are made by default)",
	  2 },
	{ "otlp-headers-file", OPTION_OTLP_HEADERS_FILE, "FILE", 0,
	  "Send these headers with them: lines of `name: value`", 2 },
	{ "spans-ndjson", OPTION_SPANS_NDJSON, "FILE", 0,
	  "Append spans to a file, a line of OTLP/JSON each; -: standard output", 2 },
	{ "span-queue", OPTION_SPAN_QUEUE, "N", 0,
	  "Spans that wait for each exporter at most (32768)", 2 },
	{ "span-sampling", OPTION_SPAN_SAMPLING, "RULES", 0,
	  "Which spans to keep: errors,slow=pN,floor=N[@GLOB],parent,ratio=N,rate=N (OTEL_TRACES_SAMPLER; all)",
	  2 },
	{ "span-spool", OPTION_SPAN_SPOOL, "DIR", 0,
	  "Keep spans there until they are posted, also when the agent ends (off)", 2 },
	{ "span-spool-bytes", OPTION_SPAN_SPOOL_BYTES, "N", 0,
	  "The most bytes that wait there, the oldest spans go first (268435456)", 2 },
	{ "spans-of-instrumented", OPTION_SPANS_OF_INSTRUMENTED, "on|kernel-only|off", 0,
	  "Spans of services that have a tracer of their own: all, those that are children of its spans, or none (kernel-only)",
	  2 },
	{ 0 },
};

static const struct argp parser = { .options = options, .parser = parse_span_option };

const struct argp_child span_option[] = { { &parser, 0, NULL, 0 }, { 0 } };
