/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "aggregate/histogram.h"
#include "failing_alloc.h"

static uint64_t window_total(const struct histogram *histogram)
{
	uint64_t total = 0;

	for (size_t i = 0; i < histogram->length; i++)
		total += histogram->window[i];
	return total;
}

static void assert_views_agree(const struct histogram *histogram)
{
	uint64_t classic = 0;

	for (size_t i = 0; i <= histogram->layout->bound_count; i++)
		classic += histogram->classic[i];
	assert_int_equal(classic, histogram->count);
	assert_int_equal(window_total(histogram) + histogram->zero_count, histogram->count);
	assert_true(histogram->length <= HISTOGRAM_WINDOW_MAX);
	assert_true(histogram->length <= histogram->capacity);
}

static void classic_bounds_are_inclusive(void **state)
{
	(void)state;
	for (enum bucket_layout_id id = BUCKETS_NONE + 1; id < BUCKETS_COUNT; id++) {
		const struct bucket_layout *layout = &bucket_layouts[id];
		struct histogram *histogram = histogram_new(layout);

		for (size_t i = 0; i < layout->bound_count; i++) {
			uint64_t at = histogram->classic[i], above = histogram->classic[i + 1];

			histogram_observe(histogram, layout->bounds[i]);
			assert_int_equal(histogram->classic[i], at + 1);
			histogram_observe(histogram, layout->bounds[i] + 1);
			assert_int_equal(histogram->classic[i + 1], above + 1);
		}
		assert_views_agree(histogram);
		histogram_free(&histogram);
		assert_null(histogram);
	}
}

static void count_and_sum_are_exact(void **state)
{
	struct histogram *histogram = histogram_new(&bucket_layouts[BUCKETS_REQUEST]);
	uint64_t sum = 0;

	(void)state;
	for (uint64_t i = 0; i < 10000; i++) {
		histogram_observe(histogram, i * 7919);
		sum += i * 7919;
	}
	assert_int_equal(histogram->count, 10000);
	assert_int_equal(histogram->sum, sum);
	assert_int_equal(histogram->zero_count, 1);
	assert_views_agree(histogram);
	histogram_free(&histogram);
}

/* The bucket of the newest and only value. */
static int32_t only_bucket(uint64_t value, enum bucket_layout_id id)
{
	struct histogram *histogram = histogram_new(&bucket_layouts[id]);
	int32_t first;

	histogram_observe(histogram, value);
	assert_int_equal(histogram->length, 1);
	assert_int_equal(histogram->scale, HISTOGRAM_SCALE_MAX);
	first = histogram->first;
	histogram_free(&histogram);
	return first;
}

static void exponential_upper_bounds_are_inclusive(void **state)
{
	(void)state;
	assert_int_equal(only_bucket(1, BUCKETS_SIZE), -1); /* (2^(-1/16), 1] */
	for (int32_t power = 1; power < 53; power++) {
		uint64_t value = 1ull << power;

		assert_int_equal(only_bucket(value, BUCKETS_SIZE), power * 16 - 1);
		if (power > 5) /* else one more byte is more than a bucket */
			assert_int_equal(only_bucket(value + 1, BUCKETS_SIZE), power * 16);
	}
	/* In seconds, not in nanoseconds: half a second and two seconds are bounds. */
	assert_int_equal(only_bucket(500000000, BUCKETS_REQUEST), -17);
	assert_int_equal(only_bucket(500000001, BUCKETS_REQUEST), -16);
	assert_int_equal(only_bucket(2000000000, BUCKETS_REQUEST), 15);
}

static void exponential_index_is_the_logarithm(void **state)
{
	uint64_t value = 1;

	(void)state;
	for (int i = 0; i < 4000; i++, value += value / 97 + 1) {
		double exact = log2((double)value / 1e9) * 16;

		if (fabs(exact - round(exact)) < 1e-9)
			continue; /* on a bound, as far as log2 can tell */
		assert_int_equal(only_bucket(value, BUCKETS_REQUEST), (int32_t)ceil(exact) - 1);
	}
}

static void far_values_merge_neighbours(void **state)
{
	static const uint64_t values[] = { 1000, 999, 1, UINT64_MAX, 5, 1ull << 40, 0, 123456789 };
	struct histogram *histogram = histogram_new(&bucket_layouts[BUCKETS_REQUEST]);

	(void)state;
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		histogram_observe(histogram, values[i]);
		assert_views_agree(histogram);
	}
	assert_int_equal(histogram->scale, 1); /* 64 octaves, 2 buckets each: 128; 4 would be 256 */
	histogram_free(&histogram);
}

/* Merging must be exact: the same values at the coarse scale from the start give the same
 * buckets. */
static void merging_equals_coarse_observation(void **state)
{
	struct histogram *merged = histogram_new(&bucket_layouts[BUCKETS_REQUEST]);
	struct histogram *coarse = histogram_new(&bucket_layouts[BUCKETS_REQUEST]);
	uint64_t value = 88172645463325252u;

	(void)state;
	histogram_observe(coarse, 1);
	histogram_observe(coarse, UINT64_MAX);
	for (int i = 0; i < 20000; i++) {
		value ^= value << 13;
		value ^= value >> 7;
		value ^= value << 17; /* xorshift64, Marsaglia */
		histogram_observe(merged, (value >> (value & 31)) | 1);
		histogram_observe(coarse, (value >> (value & 31)) | 1);
	}
	histogram_observe(merged, 1);
	histogram_observe(merged, UINT64_MAX);
	assert_int_equal(merged->scale, coarse->scale);
	assert_int_equal(merged->first, coarse->first);
	assert_int_equal(merged->length, coarse->length);
	assert_memory_equal(merged->window, coarse->window, merged->length * sizeof(uint64_t));
	histogram_free(&merged);
	histogram_free(&coarse);
}

static void steady_state_allocates_nothing(void **state)
{
	struct histogram *histogram = histogram_new(&bucket_layouts[BUCKETS_REQUEST]);

	(void)state;
	for (uint64_t i = 1; i < 1000; i++)
		histogram_observe(histogram, i * 1000);
	failing_alloc_at(0);
	for (uint64_t i = 1; i < 1000; i++)
		histogram_observe(histogram, i * 1000);
	assert_false(failing_alloc_stop());
	histogram_free(&histogram);
}

static void without_memory_resolution_is_lost_but_no_value(void **state)
{
	(void)state;
	FOR_EACH_FAILING_ALLOC(nth)
	{
		struct histogram *histogram = histogram_new(&bucket_layouts[BUCKETS_REQUEST]);

		if (!histogram) {
			assert_true(failing_alloc_has_failed());
			continue;
		}
		for (uint64_t i = 0; i < 20; i++)
			histogram_observe(histogram, 100000ull << i);
		assert_int_equal(histogram->count, 20);
		assert_views_agree(histogram);
		histogram_free(&histogram);
	}
}

static void a_copy_is_whole_and_apart(void **state)
{
	struct histogram *histogram = histogram_new(&bucket_layouts[BUCKETS_SIZE]);
	struct histogram *copy;
	void *memory;

	(void)state;
	for (uint64_t i = 0; i < 3000; i++)
		histogram_observe(histogram, i);
	memory = malloc(histogram_copy_bytes(histogram));
	copy = histogram_copy_to(histogram, memory);
	histogram_observe(histogram, 5);
	assert_int_equal(copy->count, 3000);
	assert_views_agree(copy);
	histogram_free(&histogram);
	assert_views_agree(copy);
	free(memory);
}

static struct exemplar exemplar_make(uint64_t value)
{
	return (struct exemplar){ .unix_ns = 1, .value = value };
}

static void the_newest_exemplar_of_each_bucket(void **state)
{
	struct histogram *histogram = histogram_new(&bucket_layouts[BUCKETS_REQUEST]), *copy;
	static const uint64_t values[] = { 100000, 1, 100001, 60000000000 };
	struct exemplar exemplar;
	void *memory;

	(void)state;
	histogram_observe(histogram, 3);
	assert_null(histogram->exemplars);
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		histogram_observe(histogram, values[i]);
		exemplar = exemplar_make(values[i]);
		histogram_exemplify(histogram, &exemplar);
	}
	memory = malloc(histogram_copy_bytes(histogram));
	copy = histogram_copy_to(histogram, memory);
	histogram_free(&histogram);
	assert_int_equal(copy->exemplars[0].value, 1);
	assert_int_equal(copy->exemplars[1].value, 100001);
	for (size_t i = 2; i < copy->layout->bound_count; i++)
		assert_int_equal(copy->exemplars[i].unix_ns, 0);
	assert_int_equal(copy->exemplars[copy->layout->bound_count].value, 60000000000);
	assert_views_agree(copy);
	free(memory);
}

static void without_memory_there_is_no_exemplar(void **state)
{
	struct histogram *histogram = histogram_new(&bucket_layouts[BUCKETS_REQUEST]);
	struct exemplar exemplar = exemplar_make(7);

	(void)state;
	histogram_observe(histogram, 7);
	FOR_EACH_FAILING_ALLOC(nth)
	{
		histogram_exemplify(histogram, &exemplar);
		assert_int_equal(!histogram->exemplars, failing_alloc_has_failed());
	}
	assert_int_equal(histogram->exemplars[0].value, 7);
	assert_views_agree(histogram);
	histogram_free(&histogram);
}

/* But for the width of a bucket, 2^(1/16). */
static void assert_quantile(const struct histogram *histogram, unsigned permille, uint64_t value)
{
	assert_false(histogram_is_above(histogram, value, permille));
	assert_true(histogram_is_above(histogram, value + value / 20, permille));
}

static void values_are_above_quantiles(void **state)
{
	struct histogram *histogram = histogram_new(&bucket_layouts[BUCKETS_REQUEST]);

	(void)state;
	assert_true(histogram_is_above(histogram, 1, 500));
	for (uint64_t i = 1; i <= 1000; i++)
		histogram_observe(histogram, i * 1000000);
	for (unsigned permille = 1; permille <= 1000; permille++)
		assert_quantile(histogram, permille, permille * 1000000ull);
	for (unsigned i = 0; i < 3000; i++)
		histogram_observe(histogram, 0);
	assert_true(histogram_is_above(histogram, 1, 750));
	assert_quantile(histogram, 751, 4000000);
	histogram_free(&histogram);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(classic_bounds_are_inclusive),
		cmocka_unit_test(count_and_sum_are_exact),
		cmocka_unit_test(exponential_upper_bounds_are_inclusive),
		cmocka_unit_test(exponential_index_is_the_logarithm),
		cmocka_unit_test(far_values_merge_neighbours),
		cmocka_unit_test(merging_equals_coarse_observation),
		cmocka_unit_test(steady_state_allocates_nothing),
		cmocka_unit_test(without_memory_resolution_is_lost_but_no_value),
		cmocka_unit_test(a_copy_is_whole_and_apart),
		cmocka_unit_test(the_newest_exemplar_of_each_bucket),
		cmocka_unit_test(without_memory_there_is_no_exemplar),
		cmocka_unit_test(values_are_above_quantiles),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
