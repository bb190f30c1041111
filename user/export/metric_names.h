/* SPDX-License-Identifier: Apache-2.0 */
/* What OpenTelemetry calls a metric and its labels, from what Prometheus calls them: one table, two spellings. Pure. */
#ifndef SONDE_EXPORT_METRIC_NAMES_H
#define SONDE_EXPORT_METRIC_NAMES_H

#include <stdbool.h>

#include "aggregate/metric_table.h"

#define METRIC_NAME_MAX 64

struct attribute_name {
	char name[METRIC_NAME_MAX];
	bool is_number; /* where the value is one */
};

struct metric_names {
	char name[METRIC_NAME_MAX];
	const char *unit; /* of UCUM; static */
	struct attribute_name labels[METRIC_LABELS_MAX];
};

/* A name of the conventions has dots again: "http_server_request_duration_seconds" is "http.server.request.duration", unit "s".
 * Ours keep theirs, but for "sonde." in front and "_total" behind. */
void metric_names_read(enum metric metric, struct metric_names *ret_names);

/* "http_response_status_code" is "http.response.status_code"; "kind" is ours, and stays. */
void attribute_name_read(const char *label, struct attribute_name *ret_name);

#endif
