/* SPDX-License-Identifier: Apache-2.0 */
/* An immutable copy of all series, for rendering in other threads while collection goes on. */
#ifndef SONDE_AGGREGATE_SNAPSHOT_H
#define SONDE_AGGREGATE_SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "aggregate/histogram.h"
#include "aggregate/metric_table.h"

struct snapshot;

/* One series. Everything lives as long as the snapshot. */
struct sample {
	const char *values; /* packed, see labels.h; of an overflow series: none */
	uint32_t values_bytes;
	uint64_t began_ns; /* CLOCK_MONOTONIC; what it counts came later */
	bool is_overflow;  /* what got no series of its own: every label is "other" */
	union {
		uint64_t total;			   /* counters */
		double gauge;			   /* gauges and infos */
		const struct histogram *histogram; /* histograms */
	};
};

/* Reference-counted; ref and unref are thread-safe, unref leaves NULL. */
struct snapshot *snapshot_ref(struct snapshot *snapshot);
void snapshot_unref(struct snapshot **snapshot);

/* The series of a metric, in no order. */
const struct sample *snapshot_samples(const struct snapshot *snapshot, enum metric metric,
				      size_t *ret_count);

/* When it was taken, CLOCK_MONOTONIC. */
uint64_t snapshot_taken_ns(const struct snapshot *snapshot);

/* Building, by the owner, before the first ref: an empty one, room for the samples of a metric,
 * then each of them. NULL or -ENOMEM when out of memory. */
struct snapshot *snapshot_new(uint64_t taken_ns);
int snapshot_reserve(struct snapshot *snapshot, enum metric metric, size_t count);
/* Copies all that the sample points to. The caller keeps within what it reserved. */
int snapshot_add(struct snapshot *snapshot, enum metric metric, const struct sample *sample);

/* Memory that the snapshot holds. */
size_t snapshot_bytes(const struct snapshot *snapshot);

#endif
