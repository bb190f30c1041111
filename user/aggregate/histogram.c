/* SPDX-License-Identifier: Apache-2.0 */
/* Bucketing: no allocation once the window covers the values that come. */
#include "aggregate/histogram.h"

#include <stdlib.h>
#include <string.h>

#define WINDOW_START 16

_Static_assert(OCTAVE_BUCKETS == 1 << HISTOGRAM_SCALE_MAX, "the finest scale");

static size_t histogram_bytes(const struct bucket_layout *layout)
{
	return sizeof(struct histogram) + (layout->bound_count + 1) * sizeof(uint64_t);
}

struct histogram *histogram_new(const struct bucket_layout *layout)
{
	struct histogram *histogram = calloc(1, histogram_bytes(layout));

	if (!histogram)
		return NULL;
	histogram->layout = layout;
	histogram->scale = HISTOGRAM_SCALE_MAX;
	histogram->capacity = WINDOW_START;
	histogram->window = calloc(WINDOW_START, sizeof(uint64_t));
	if (!histogram->window)
		histogram_free(&histogram);
	return histogram;
}

void histogram_free(struct histogram **histogram)
{
	if (*histogram) {
		free((*histogram)->window);
		free((*histogram)->exemplars);
	}
	free(*histogram);
	*histogram = NULL;
}

/* Merge neighbours: half the resolution, half the buckets. */
static void window_merge(struct histogram *histogram)
{
	int32_t first = histogram->first >> 1;
	int32_t last = (histogram->first + histogram->length - 1) >> 1;

	for (int32_t i = 0; i < histogram->length; i++) {
		uint64_t count = histogram->window[i];

		histogram->window[i] = 0;
		histogram->window[((histogram->first + i) >> 1) - first] += count;
	}
	if (histogram->length)
		histogram->length = (uint16_t)(last - first + 1);
	histogram->first = first;
	histogram->scale--;
}

static bool window_reserve(struct histogram *histogram, int32_t length)
{
	size_t capacity = histogram->capacity;
	uint64_t *window;

	if (length > HISTOGRAM_WINDOW_MAX)
		return false;
	while (capacity < (size_t)length)
		capacity = capacity < 64 ? capacity * 2 : capacity + 32;
	if (capacity == histogram->capacity)
		return true;
	window = realloc(histogram->window, capacity * sizeof(*window));
	if (!window)
		return false;
	histogram->window = window;
	histogram->capacity = (uint16_t)capacity;
	return true;
}

/* Make the window cover a bucket, which is renumbered when neighbours must be merged for it. */
static int32_t window_cover(struct histogram *histogram, int32_t index)
{
	uint64_t *window;
	int32_t first, last, length;

	for (;; index >>= 1) {
		first = index < histogram->first ? index : histogram->first;
		last = histogram->first + histogram->length - 1;
		if (index > last)
			last = index;
		length = last - first + 1;
		if (window_reserve(histogram, length))
			break;
		window_merge(histogram);
	}
	window = histogram->window;
	memmove(window + (histogram->first - first), window, histogram->length * sizeof(*window));
	memset(window, 0, (size_t)(histogram->first - first) * sizeof(*window));
	memset(window + (histogram->first - first) + histogram->length, 0,
	       (size_t)(length - (histogram->first - first) - histogram->length) * sizeof(*window));
	histogram->first = first;
	histogram->length = (uint16_t)length;
	return index;
}

void histogram_observe_outside(struct histogram *histogram, int32_t index)
{
	if (!histogram->length)
		histogram->first = index;
	index = window_cover(histogram, index);
	histogram->window[index - histogram->first]++;
}

static size_t exemplars_bytes(const struct histogram *histogram)
{
	if (!histogram->exemplars)
		return 0;
	return (histogram->layout->bound_count + 1) * sizeof(struct exemplar);
}

void histogram_exemplify(struct histogram *histogram, const struct exemplar *exemplar)
{
	if (!histogram->exemplars)
		histogram->exemplars =
			calloc(histogram->layout->bound_count + 1, sizeof(struct exemplar));
	if (histogram->exemplars)
		histogram->exemplars[histogram->newest] = *exemplar;
}

bool histogram_is_above(const struct histogram *histogram, uint64_t value, unsigned permille)
{
	uint64_t left = histogram->count - (histogram->count * permille + 999) / 1000;
	int32_t index = histogram_index(histogram, value);

	for (int32_t i = histogram->length - 1; i >= 0 && histogram->first + i >= index; i--) {
		if (histogram->window[i] > left)
			return false;
		left -= histogram->window[i];
	}
	return true;
}

size_t histogram_copy_bytes(const struct histogram *histogram)
{
	return histogram_bytes(histogram->layout) + histogram->length * sizeof(uint64_t) +
	       exemplars_bytes(histogram);
}

struct histogram *histogram_copy_to(const struct histogram *histogram, void *memory)
{
	size_t fixed = histogram_bytes(histogram->layout);
	struct histogram *copy = memory;

	memcpy(copy, histogram, fixed);
	copy->window = (uint64_t *)(void *)((char *)memory + fixed);
	copy->capacity = copy->length;
	memcpy(copy->window, histogram->window, copy->length * sizeof(uint64_t));
	if (histogram->exemplars)
		copy->exemplars = memcpy(copy->window + copy->length, histogram->exemplars,
					 exemplars_bytes(histogram));
	return copy;
}
