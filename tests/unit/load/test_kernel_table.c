/* SPDX-License-Identifier: Apache-2.0 */
/* Tables in batches, counters over CPUs, and what a failing lookup leaves. */
#include "load/kernel_table.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "failing_alloc.h"
#include "fake_libbpf.h"

#define MAP 3 /* the stand-ins only look whether it is a descriptor */

static int setup(void **state)
{
	(void)state;
	fake_reset();
	return 0;
}

struct visits {
	uint64_t count;
	uint64_t key_sum;
	uint64_t value_sum;
};

static void visit(void *context, const void *key, const void *value)
{
	struct visits *visits = context;

	visits->count++;
	visits->key_sum += *(const uint64_t *)key;
	visits->value_sum += *(const uint64_t *)value;
}

static int walk(struct visits *visits)
{
	*visits = (struct visits){ 0 };
	return kernel_table_each(MAP, sizeof(uint64_t), sizeof(uint64_t), visit, visits);
}

static void test_each(void **state)
{
	(void)state;
	for (uint32_t entries = 0; entries < 700; entries += 50)
		for (uint32_t step = 1; step < 400; step += 57) {
			struct visits visits;
			uint64_t sum = (uint64_t)entries * (entries + 1) / 2;

			fake_batch_entries = entries;
			fake_batch_step = step;
			assert_int_equal(walk(&visits), 0);
			assert_int_equal(visits.count, entries);
			assert_int_equal(visits.key_sum, sum);
			assert_int_equal(visits.value_sum, sum * 10);
		}
}

/* What came before the failure was visited. */
static void test_each_fails(void **state)
{
	struct visits visits;

	(void)state;
	fake_batch_entries = 500;
	fake_batch_step = 100;
	fake_fail_from(FAKE_BATCH, NULL, 2, ENOSPC);
	assert_int_equal(walk(&visits), -ENOSPC);
	assert_int_equal(visits.count, 200);
}

static void test_each_without_map(void **state)
{
	struct visits visits = { 0 };

	(void)state;
	assert_int_equal(kernel_table_each(-ENOENT, 8, 8, visit, &visits), -EBADF);
	assert_int_equal(visits.count, 0);
}

static void test_each_without_memory(void **state)
{
	(void)state;
	fake_batch_entries = 10;
	FOR_EACH_FAILING_ALLOC(nth)
	{
		struct visits visits;
		int error = walk(&visits);

		assert_int_equal(error, failing_alloc_has_failed() ? -ENOMEM : 0);
		assert_int_equal(visits.count, error ? 0 : 10);
	}
}

static void test_find(void **state)
{
	uint32_t key = 6;
	uint64_t value;

	(void)state;
	fake_batch_step = 1;
	assert_int_equal(kernel_table_find(MAP, &key, &value), 0);
	assert_int_equal(value, 7);
	fake_fail(FAKE_LOOKUP, NULL, ENOENT);
	assert_int_equal(kernel_table_find(MAP, &key, &value), -ENOENT);
}

static void test_remove(void **state)
{
	uint32_t key = 6;

	(void)state;
	assert_int_equal(kernel_table_remove(MAP, &key), 0);
	fake_fail(FAKE_DELETE, NULL, ENOENT);
	assert_int_equal(kernel_table_remove(MAP, &key), -ENOENT);
}

/* Each counter of each CPU is the key plus 1. */
static void test_event_counts(void **state)
{
	struct event_count counts[EVENT_KIND_COUNT];

	(void)state;
	fake_cpus = 6;
	fake_batch_step = 6 * sizeof(struct event_count) / sizeof(uint64_t);
	assert_int_equal(kernel_event_counts(MAP, counts), 0);
	for (size_t kind = 0; kind < EVENT_KIND_COUNT; kind++) {
		assert_int_equal(counts[kind].delivered, 6 * (kind + 1));
		for (size_t reason = 0; reason < LOSS_REASON_COUNT; reason++)
			assert_int_equal(counts[kind].lost[reason], 6 * (kind + 1));
	}
}

static void test_counters(void **state)
{
	uint64_t counters[KERNEL_COUNTER_COUNT];

	(void)state;
	fake_batch_step = 4;
	assert_int_equal(kernel_counters(MAP, counters), 0);
	for (size_t i = 0; i < KERNEL_COUNTER_COUNT; i++)
		assert_int_equal(counters[i], 4 * (i + 1));
}

static void test_counts_fail(void **state)
{
	struct event_count counts[EVENT_KIND_COUNT];
	uint64_t counters[KERNEL_COUNTER_COUNT];

	(void)state;
	fake_batch_step = 4;
	fake_fail_from(FAKE_LOOKUP, NULL, 2, EPERM);
	assert_int_equal(kernel_counters(MAP, counters), -EPERM);
	assert_int_equal(kernel_event_counts(MAP, counts), -EPERM);
	fake_reset();
	fake_fail(FAKE_CPUS, NULL, EINVAL);
	assert_int_equal(kernel_counters(MAP, counters), -EINVAL);
	assert_int_equal(kernel_event_counts(MAP, counts), -EINVAL);
}

static void test_counts_without_memory(void **state)
{
	(void)state;
	fake_batch_step = 4;
	FOR_EACH_FAILING_ALLOC(nth)
	{
		uint64_t counters[KERNEL_COUNTER_COUNT];
		int error = kernel_counters(MAP, counters);

		assert_int_equal(error, failing_alloc_has_failed() ? -ENOMEM : 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_each, setup),
		cmocka_unit_test_setup(test_each_fails, setup),
		cmocka_unit_test_setup(test_each_without_map, setup),
		cmocka_unit_test_setup(test_each_without_memory, setup),
		cmocka_unit_test_setup(test_find, setup),
		cmocka_unit_test_setup(test_remove, setup),
		cmocka_unit_test_setup(test_event_counts, setup),
		cmocka_unit_test_setup(test_counters, setup),
		cmocka_unit_test_setup(test_counts_fail, setup),
		cmocka_unit_test_setup(test_counts_without_memory, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
