/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "aggregate/snapshot.h"
#include "failing_alloc.h"

static struct snapshot *build(const struct histogram *histogram)
{
	char passing[] = "a\0sent";
	struct sample counter = { .values = passing, .values_bytes = 7, .total = 5 };
	struct sample timing = { .values = "a", .values_bytes = 2, .histogram = histogram };
	struct sample overflow = { .is_overflow = true, .histogram = histogram };
	struct snapshot *snapshot = snapshot_new(7);

	if (snapshot && snapshot_reserve(snapshot, METRIC_TCP_RESETS, 1) == 0 &&
	    snapshot_add(snapshot, METRIC_TCP_RESETS, &counter) == 0 &&
	    memset(passing, 'x', sizeof(passing)) &&
	    snapshot_reserve(snapshot, METRIC_TCP_ACCEPT_QUEUE, 2) == 0 &&
	    snapshot_add(snapshot, METRIC_TCP_ACCEPT_QUEUE, &timing) == 0 &&
	    snapshot_add(snapshot, METRIC_TCP_ACCEPT_QUEUE, &overflow) == 0 &&
	    snapshot_reserve(snapshot, METRIC_TCP_RTT, 0) == 0)
		return snapshot;
	snapshot_unref(&snapshot);
	return NULL;
}

static void samples_are_copies(void **state)
{
	struct histogram *histogram = histogram_new(&bucket_layouts[BUCKETS_RTT]);
	const struct sample *samples;
	struct snapshot *snapshot;
	size_t count;

	(void)state;
	histogram_observe(histogram, 1000);
	snapshot = build(histogram);
	histogram_free(&histogram);
	samples = snapshot_samples(snapshot, METRIC_TCP_RESETS, &count);
	assert_int_equal(count, 1);
	assert_memory_equal(samples[0].values, "a\0sent", 7);
	assert_int_equal(samples[0].total, 5);
	samples = snapshot_samples(snapshot, METRIC_TCP_ACCEPT_QUEUE, &count);
	assert_int_equal(count, 2);
	assert_int_equal(samples[0].histogram->sum, 1000);
	assert_int_equal(samples[0].histogram->window[0], 1);
	assert_true(samples[1].is_overflow);
	(void)snapshot_samples(snapshot, METRIC_TCP_RTT, &count);
	assert_int_equal(count, 0);
	snapshot_unref(&snapshot);
	assert_null(snapshot);
	snapshot_unref(&snapshot);
}

static void without_memory(void **state)
{
	struct histogram *histogram = histogram_new(&bucket_layouts[BUCKETS_RTT]);

	(void)state;
	FOR_EACH_FAILING_ALLOC(nth)
	{
		struct snapshot *snapshot = build(histogram);

		assert_true(snapshot || failing_alloc_has_failed());
		snapshot_unref(&snapshot);
	}
	histogram_free(&histogram);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(samples_are_copies),
		cmocka_unit_test(without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
