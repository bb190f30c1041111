/* SPDX-License-Identifier: Apache-2.0 */
/* The overview an operator looks at first: each service's requests, errors and latency, out of the series. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/state.h"
#include "aggregate/labels.h"
#include "aggregate/snapshot.h"
#include "base/cleanup.h"

/* What the series of a metric are told apart by: one of these, or what a label says where it is a label's name. */
static const struct {
	enum metric metric;
	const char *kind;
	const char *system;
	const char *usual; /* when the label is empty */
} sources[] = {
	{ METRIC_HTTP_SERVER_REQUEST_DURATION, "server", "network_protocol_name", "http" },
	{ METRIC_HTTP_CLIENT_REQUEST_DURATION, "client", "network_protocol_name", "http" },
	{ METRIC_RPC_SERVER_CALL_DURATION, "server", "rpc_system_name", NULL },
	{ METRIC_RPC_CLIENT_CALL_DURATION, "client", "rpc_system_name", NULL },
	{ METRIC_DB_SERVER_OPERATION_DURATION, "server", "db_system_name", NULL },
	{ METRIC_DB_CLIENT_OPERATION_DURATION, "client", "db_system_name", NULL },
	{ METRIC_MESSAGING_SERVER_OPERATION_DURATION, "server", "messaging_system", NULL },
	{ METRIC_MESSAGING_CLIENT_OPERATION_DURATION, "client", "messaging_system", NULL },
	{ METRIC_DNS_LOOKUP_DURATION, "kind", "dns", NULL },
};

#define SOURCES (sizeof(sources) / sizeof(sources[0]))

/* All borrowed from the snapshot and the table above. */
struct key {
	const struct sample *sample;
	const char *service;
	const char *kind;
	const char *system;
	bool is_error;
};

/* Sums over the series of one service, side and system. */
struct service_row {
	const struct key *key;
	const struct bucket_layout *layout;
	uint64_t count;
	uint64_t errors;
	uint64_t sum;
	uint64_t classic[BUCKET_BOUNDS_MAX + 1];
};

/* Returns the text itself when there is no label of that name. */
static const char *label_or_text(const struct sample *sample, enum metric metric, const char *name)
{
	const char *value = sample->values;

	for (const char *const *label = metric_table[metric].labels; *label; label++) {
		if (strcmp(*label, name) == 0)
			return value;
		value = labels_next(value);
	}
	return name;
}

static struct key key_of(const struct sample *sample, size_t source)
{
	enum metric metric = sources[source].metric;
	struct key key = {
		sample,
		sample->values,
		label_or_text(sample, metric, sources[source].kind),
		label_or_text(sample, metric, sources[source].system),
		*label_or_text(sample, metric, "error_type"),
	};

	if (!*key.system && sources[source].usual)
		key.system = sources[source].usual;
	return key;
}

/* What is served stands first. */
static int compare_keys(const void *a, const void *b)
{
	const struct key *left = a, *right = b;
	int order = strcmp(right->kind, left->kind);

	if (!order)
		order = strcmp(left->service, right->service);
	return order ? order : strcmp(left->system, right->system);
}

static void row_add(struct service_row *row, const struct key *key)
{
	const struct histogram *histogram = key->sample->histogram;

	row->layout = histogram->layout;
	row->count += histogram->count;
	row->errors += key->is_error ? histogram->count : 0;
	row->sum += histogram->sum;
	for (size_t i = 0; i <= histogram->layout->bound_count; i++)
		row->classic[i] += histogram->classic[i];
}

/* The bound below which the share of observations lies, seconds; interpolated as PromQL's histogram_quantile() does. */
static double row_quantile(const struct service_row *row, double share)
{
	double rank = share * (double)row->count, below = 0;

	for (size_t i = 0; i < row->layout->bound_count; i++) {
		double lower = i ? (double)row->layout->bounds[i - 1] : 0,
		       upper = (double)row->layout->bounds[i];
		double here = (double)row->classic[i];

		if (here > 0 && below + here >= rank)
			return (lower + (upper - lower) * (rank - below) / here) /
			       row->layout->divisor;
		below += here;
	}
	return (double)row->layout->bounds[row->layout->bound_count - 1] / row->layout->divisor;
}

static void row_write(const struct service_row *row, json_t *array)
{
	if (!row->count)
		return;
	(void)json_array_append_new(
		array,
		json_pack("{s:s, s:s, s:s, s:I, s:I, s:f, s:f, s:f}", "service", row->key->service,
			  "kind", row->key->kind, "system", row->key->system, "requests",
			  (json_int_t)row->count, "errors", (json_int_t)row->errors, "mean_seconds",
			  (double)row->sum / (double)row->count / row->layout->divisor,
			  "p50_seconds", row_quantile(row, 0.5), "p99_seconds",
			  row_quantile(row, 0.99)));
}

/* Returns how many; ret_keys NULL: only that. */
static size_t collect(const struct snapshot *snapshot, struct key *ret_keys)
{
	size_t found = 0;

	for (size_t source = 0; source < SOURCES; source++) {
		size_t count;
		const struct sample *samples =
			snapshot_samples(snapshot, sources[source].metric, &count);

		for (size_t i = 0; i < count; i++) {
			if (samples[i].is_overflow)
				continue;
			if (ret_keys)
				ret_keys[found] = key_of(&samples[i], source);
			found++;
		}
	}
	return found;
}

static int write_rows(const struct snapshot *snapshot, json_t *array)
{
	size_t count = collect(snapshot, NULL);
	_cleanup_free_ struct key *keys = calloc(count ? count : 1, sizeof(*keys));
	struct service_row row = { 0 };

	if (!keys)
		return -ENOMEM;
	(void)collect(snapshot, keys);
	qsort(keys, count, sizeof(*keys), compare_keys);
	for (size_t i = 0; i < count; i++) {
		if (!row.key || compare_keys(row.key, &keys[i]) != 0) {
			row_write(&row, array);
			row = (struct service_row){ .key = &keys[i] };
		}
		row_add(&row, &keys[i]);
	}
	row_write(&row, array);
	return 0;
}

int services_write(struct agent *agent, json_t **ret_array)
{
	struct snapshot *snapshot = series_snapshot(agent->store);
	json_t *array = json_array();
	int error = snapshot && array ? write_rows(snapshot, array) : -ENOMEM;

	snapshot_unref(&snapshot);
	if (error) {
		json_decref(array);
		return error;
	}
	*ret_array = array;
	return 0;
}
