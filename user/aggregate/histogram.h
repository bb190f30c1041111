/* SPDX-License-Identifier: Apache-2.0 */
/* Two views of the same observations: classic buckets with exact counts, and base-2 exponential
 * buckets (OpenTelemetry's exponential histogram, Prometheus' native histogram) that keep a
 * relative error. */
#ifndef SONDE_AGGREGATE_HISTOGRAM_H
#define SONDE_AGGREGATE_HISTOGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "aggregate/exemplar.h"
#include "aggregate/metric_table.h"
#include "aggregate/octave.h"

/* 2^(1/16) between bounds at the finest: a relative error of 2.2 %. Within Prometheus' -4 to 8. */
#define HISTOGRAM_SCALE_MAX 4
/* OpenTelemetry's default MaxSize: ten octaves at the finest scale, then neighbours are merged. */
#define HISTOGRAM_WINDOW_MAX 160

/* Exponential bucket i holds values in (base^i, base^(i+1)] of the exported unit,
 * base = 2^(2^-scale). */
struct histogram {
	const struct bucket_layout *layout; /* static */
	uint64_t count;
	uint64_t sum;	     /* nanoseconds or bytes */
	uint64_t zero_count; /* values of 0 are in no exponential bucket */
	uint64_t *window;    /* owned; counts of buckets first … first + length - 1 */
	struct exemplar
		*exemplars; /* owned; one for each classic bucket. NULL until the first one comes */
	int32_t first;
	uint16_t length;
	uint16_t capacity;
	int8_t scale;
	uint8_t newest;	    /* classic bucket of the newest value */
	uint64_t classic[]; /* bound_count + 1 of them, not cumulative */
};

/* Returns the histogram or NULL (out of memory). */
struct histogram *histogram_new(const struct bucket_layout *layout);
void histogram_free(struct histogram **histogram);

/* The first bound that is not below the value. Values come in clusters: it is near the one before. */
static inline size_t histogram_classic_index(struct histogram *histogram, uint64_t value)
{
	const struct bucket_layout *layout = histogram->layout;
	size_t index = histogram->newest;

	while (index && layout->bounds[index - 1] >= value)
		index--;
	while (index < layout->bound_count && layout->bounds[index] < value)
		index++;
	histogram->newest = (uint8_t)index;
	return index;
}

/* value: not 0 */
static inline int32_t histogram_index(const struct histogram *histogram, uint64_t value)
{
	return octave_index(histogram->layout->octave, value) >>
	       (HISTOGRAM_SCALE_MAX - histogram->scale);
}

/* Count a value of an exponential bucket that the window does not cover yet. */
void histogram_observe_outside(struct histogram *histogram, int32_t index);

/* Add one observation. Never fails: when the window cannot grow, neighbours are merged instead.
 *
 * value   nanoseconds or bytes, as the layout's bounds; 0 is valid
 * Source  Prometheus text format 0.0.4: `le` bounds are inclusive; OpenTelemetry metrics data
 *         model, ExponentialHistogram: upper bounds are inclusive */
static inline void histogram_observe(struct histogram *histogram, uint64_t value)
{
	int32_t index;

	histogram->count++;
	histogram->sum += value;
	histogram->classic[histogram_classic_index(histogram, value)]++;
	if (!value) {
		histogram->zero_count++;
		return;
	}
	index = histogram_index(histogram, value);
	if ((uint32_t)index - (uint32_t)histogram->first < histogram->length)
		histogram->window[index - histogram->first]++;
	else
		histogram_observe_outside(histogram, index);
}

/* The value that was observed last is this span's. The one that its classic bucket had gives way; none is kept when memory is out,
 * which takes nothing from the figures. */
void histogram_exemplify(struct histogram *histogram, const struct exemplar *exemplar);

/* Whether a value, not 0, is above the quantile: in a higher exponential bucket than the least value that so many of 1000
 * observations do not exceed. Looks from the top, and not further than it has to. */
bool histogram_is_above(const struct histogram *histogram, uint64_t value, unsigned permille);

/* Bytes that a copy in one piece takes, 8-byte aligned, and the copy: its window and exemplars lie behind
 * it in the same memory. */
size_t histogram_copy_bytes(const struct histogram *histogram);
struct histogram *histogram_copy_to(const struct histogram *histogram, void *memory);

#endif
