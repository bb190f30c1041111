/* SPDX-License-Identifier: Apache-2.0 */
/* Every metric that sonde exports: what it is called, what it means, how it is labelled. The rows
 * are in metric_table.inc; docs/METRICS.md is printed from them. */
#ifndef SONDE_AGGREGATE_METRIC_TABLE_H
#define SONDE_AGGREGATE_METRIC_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct octave;

#define METRIC_LABELS_MAX 8

enum metric {
#define METRIC(ID, ...) METRIC_##ID,
#include "aggregate/metric_table.inc"
#undef METRIC
	METRIC_COUNT,
};

enum metric_type {
	METRIC_COUNTER,
	METRIC_GAUGE,
	METRIC_INFO, /* a gauge that is always 1; its labels are the fact */
	METRIC_HISTOGRAM,
	METRIC_TYPE_COUNT,
};

/* What the numbers of a metric are. Counters and histograms of seconds hold nanoseconds and are
 * scaled when they are exported; gauges hold the exported unit. */
enum metric_unit {
	UNIT_NONE,
	UNIT_SECONDS,
	UNIT_BYTES,
	UNIT_COUNT,
};

enum bucket_layout_id {
	BUCKETS_NONE,
	BUCKETS_REQUEST, /* durations of requests */
	BUCKETS_CONNECT, /* until a connection is there, or was given up */
	BUCKETS_RTT,	 /* round trips and waits inside the kernel */
	BUCKETS_SIZE,	 /* bodies */
	BUCKETS_SESSION, /* what goes on until somebody ends it */
	BUCKETS_ROWS,
	BUCKETS_COUNT,
};

/* Classic buckets: upper bounds, inclusive, rising; the last bucket (+Inf) has none. */
struct bucket_layout {
	const uint64_t *bounds; /* nanoseconds or bytes */
	size_t bound_count;
	double divisor;		     /* of a value, to give the exported unit */
	const struct octave *octave; /* of values of that unit */
};

struct metric_row {
	const char *name; /* as Prometheus spells it, `_total` and `_info` included */
	enum metric_type type;
	enum metric_unit unit;
	enum bucket_layout_id buckets;
	const char *help;
	const char *labels[METRIC_LABELS_MAX + 1]; /* ends with NULL */
};

/* The most classic bounds a layout has. */
#define BUCKET_BOUNDS_MAX 24

extern const struct metric_row metric_table[METRIC_COUNT];
extern const struct bucket_layout bucket_layouts[BUCKETS_COUNT];

/* How many labels a row has. */
size_t metric_label_count(enum metric metric);

/* True when the metric is about a service, which its first label then names. */
bool metric_has_service(enum metric metric);

const char *metric_type_name(enum metric_type type);
const char *metric_unit_name(enum metric_unit unit); /* "" for none */

#endif
