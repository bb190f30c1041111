/* SPDX-License-Identifier: Apache-2.0 */
/* The running agent: everything wired together, on one owner thread. */
#ifndef SONDE_AGENT_AGENT_H
#define SONDE_AGENT_AGENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/selection_rules.h"
#include "correlate/engine.h"
#include "load/loader.h"
#include "sample/sampling_rules.h"

/* All NULL and nothing in the environment: no spans are made. */
struct span_options {
	const char *otlp_endpoint;     /* instead of OTEL_EXPORTER_OTLP_ENDPOINT */
	const char *otlp_headers_file; /* lines of `name: value` */
	const char *ndjson_path;       /* "-": standard output */
	size_t queue;		       /* spans, for each exporter */
	enum spans_of_instrumented of_instrumented;
	struct sampling_rules sampling;
	const char *spool_path; /* a folder for spans that cannot be posted yet; NULL: none */
	uint64_t spool_bytes;
};

/* All NULL and nothing in the environment: metrics are not posted. */
struct metric_options {
	const char *otlp_endpoint;     /* instead of OTEL_EXPORTER_OTLP_ENDPOINT */
	const char *otlp_headers_file; /* lines of `name: value` */
};

struct agent_options {
	const char *listen;		   /* ADDR:PORT */
	const char *socket_path;	   /* control socket */
	struct selection_rules *selection; /* which processes to look at; the agent takes it */
	struct loader_options loader;
	size_t series_limit; /* per metric */
	size_t routes_per_service;
	const struct dialect_rule *dialects; /* borrowed */
	size_t dialect_count;
	size_t statements_per_service; /* and side and system; 0: none are kept */
	unsigned series_ttl_seconds;   /* after the end of a series' process */
	struct span_options spans;
	struct metric_options metrics;
};

/* Run until SIGTERM or SIGINT. Logs what goes wrong.
 * Returns 0; negative errno when it could not start */
int agent_run(const struct agent_options *options);

#endif
