/* SPDX-License-Identifier: Apache-2.0 */
/* The overview an operator looks at first: each service's requests, errors and latency, out of the series. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/state.h"
#include "aggregate/labels.h"
#include "aggregate/snapshot.h"
#include "base/cleanup.h"

/* Sums over the series of one service and side. */
struct service_row {
	const char *service; /* borrowed from the snapshot */
	const char *kind;
	const struct bucket_layout *layout;
	uint64_t count;
	uint64_t errors;
	uint64_t sum;
	uint64_t classic[BUCKET_BOUNDS_MAX + 1];
};

static const struct {
	enum metric metric;
	const char *kind;
	unsigned error_label; /* position of error_type */
} sources[] = {
	{ METRIC_HTTP_SERVER_REQUEST_DURATION, "server", 6 },
	{ METRIC_HTTP_CLIENT_REQUEST_DURATION, "client", 5 },
};

static const char *label_at(const struct sample *sample, unsigned position)
{
	const char *value = sample->values;

	while (position--)
		value = labels_next(value);
	return value;
}

static void row_add(struct service_row *row, const struct sample *sample, bool is_error)
{
	const struct histogram *histogram = sample->histogram;

	row->layout = histogram->layout;
	row->count += histogram->count;
	row->errors += is_error ? histogram->count : 0;
	row->sum += histogram->sum;
	for (size_t i = 0; i <= histogram->layout->bound_count; i++)
		row->classic[i] += histogram->classic[i];
}

static int compare_samples(const void *a, const void *b)
{
	const struct sample *const *left = a, *const *right = b;

	return strcmp((*left)->values, (*right)->values);
}

/* The bound below which the share of observations lies, seconds; interpolated as histogram_quantile() does. */
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
		array, json_pack("{s:s, s:s, s:I, s:I, s:f, s:f, s:f}", "service", row->service,
				 "kind", row->kind, "requests", (json_int_t)row->count, "errors",
				 (json_int_t)row->errors, "mean_seconds",
				 (double)row->sum / (double)row->count / row->layout->divisor,
				 "p50_seconds", row_quantile(row, 0.5), "p99_seconds",
				 row_quantile(row, 0.99)));
}

/* Series sorted by labels stand together by service, their first label. */
static int write_source(const struct snapshot *snapshot, size_t source, json_t *array)
{
	size_t count;
	const struct sample *samples = snapshot_samples(snapshot, sources[source].metric, &count);
	_cleanup_free_ const struct sample **sorted =
		calloc(count ? count : 1, sizeof(struct sample *));
	struct service_row row = { 0 };
	size_t used = 0;

	if (!sorted)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		if (!samples[i].is_overflow)
			sorted[used++] = &samples[i];
	qsort(sorted, used, sizeof(struct sample *), compare_samples);
	for (size_t i = 0; i < used; i++) {
		if (!row.service || strcmp(row.service, sorted[i]->values) != 0) {
			row_write(&row, array);
			row = (struct service_row){ .service = sorted[i]->values,
						    .kind = sources[source].kind };
		}
		row_add(&row, sorted[i], *label_at(sorted[i], sources[source].error_label));
	}
	row_write(&row, array);
	return 0;
}

int services_write(struct agent *agent, json_t **ret_array)
{
	struct snapshot *snapshot = series_snapshot(agent->store);
	json_t *array = json_array();
	int error = snapshot && array ? 0 : -ENOMEM;

	for (size_t i = 0; !error && i < sizeof(sources) / sizeof(sources[0]); i++)
		error = write_source(snapshot, i, array);
	snapshot_unref(&snapshot);
	if (error) {
		json_decref(array);
		return error;
	}
	*ret_array = array;
	return 0;
}
