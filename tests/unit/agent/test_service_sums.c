/* SPDX-License-Identifier: Apache-2.0 */
/* Gauges of services: what is told, when it is told as nothing, and what finds no room. */
#include "agent/service_sums.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "aggregate/labels.h"
#include "aggregate/snapshot.h"
#include "failing_alloc.h"

#define LIMIT 20
#define UNTOLD (-1.0)

static struct series_store *store;
static struct service_sums *sums;

static int begin(void **state)
{
	(void)state;
	store = series_store_new(100);
	sums = store ? service_sums_new(store, LIMIT) : NULL;
	return sums ? 0 : -1;
}

static int end(void **state)
{
	(void)state;
	service_sums_free(&sums);
	series_store_free(&store);
	return 0;
}

static double gauge(enum metric metric, const char *service, const char *direction)
{
	struct snapshot *snapshot = series_snapshot(store);
	double value = UNTOLD;
	size_t count;
	const struct sample *samples = snapshot_samples(snapshot, metric, &count);

	for (size_t i = 0; i < count; i++)
		if (strcmp(samples[i].values, service) == 0 &&
		    (!direction || strcmp(labels_next(samples[i].values), direction) == 0))
			value = samples[i].gauge;
	snapshot_unref(&snapshot);
	return value;
}

static void told_by_kind_and_service(void **state)
{
	(void)state;
	service_sums_add(sums, "shop", SUM_RECEIVED_BYTES, 10);
	service_sums_add(sums, "shop", SUM_RECEIVED_BYTES, 5);
	service_sums_add(sums, "shop", SUM_SENT_FULL, 1);
	service_sums_add(sums, "cart", SUM_WAITING_THREADS, 3);
	service_sums_add(sums, "idle", SUM_WAITING_THREADS, 0);
	service_sums_write(sums);
	assert_true(gauge(METRIC_TCP_QUEUE_BYTES, "shop", "received") == 15);
	assert_true(gauge(METRIC_TCP_QUEUE_BYTES, "shop", "sent") == UNTOLD);
	assert_true(gauge(METRIC_TCP_QUEUES_FULL, "shop", "sent") == 1);
	assert_true(gauge(METRIC_RUN_QUEUE_THREADS, "cart", NULL) == 3);
	assert_true(gauge(METRIC_RUN_QUEUE_THREADS, "idle", NULL) == UNTOLD);
}

/* One group of sums is counted anew, the others stand. What is nothing any more is told so, and then makes room. */
static void counted_anew(void **state)
{
	(void)state;
	service_sums_add(sums, "shop", SUM_WAITING_THREADS, 3);
	service_sums_add(sums, "shop", SUM_SENT_BYTES, 100);
	service_sums_write(sums);
	service_sums_begin(sums, SUM_WAITING_THREADS, SUM_RECEIVED_BYTES);
	service_sums_write(sums);
	assert_true(gauge(METRIC_RUN_QUEUE_THREADS, "shop", NULL) == 0);
	assert_true(gauge(METRIC_TCP_QUEUE_BYTES, "shop", "sent") == 100);
	assert_int_equal(service_sums_count(sums), 1);
	service_sums_begin(sums, SUM_RECEIVED_BYTES, SERVICE_SUM_COUNT);
	service_sums_write(sums);
	assert_true(gauge(METRIC_TCP_QUEUE_BYTES, "shop", "sent") == 0);
	service_sums_write(sums);
	assert_int_equal(service_sums_count(sums), 0);
}

static void a_full_table(void **state)
{
	(void)state;
	for (unsigned i = 0; i < LIMIT + 7; i++) {
		char name[16];

		snprintf(name, sizeof(name), "service-%u", i);
		service_sums_add(sums, name, SUM_WAITING_THREADS, 1);
	}
	assert_int_equal(service_sums_count(sums), LIMIT);
	assert_int_equal(service_sums_refused(sums), 7);
	service_sums_write(sums);
	assert_true(gauge(METRIC_RUN_QUEUE_THREADS, "service-19", NULL) == 1);
	assert_true(gauge(METRIC_RUN_QUEUE_THREADS, "service-20", NULL) == UNTOLD);
}

static void survives_failing_memory(void **state)
{
	(void)state;
	service_sums_free(&sums);
	FOR_EACH_FAILING_ALLOC(nth)
	{
		sums = service_sums_new(store, LIMIT);
		if (sums) {
			service_sums_add(sums, "shop", SUM_WAITING_THREADS, 1);
			service_sums_write(sums);
		}
		service_sums_free(&sums);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(told_by_kind_and_service, begin, end),
		cmocka_unit_test_setup_teardown(counted_anew, begin, end),
		cmocka_unit_test_setup_teardown(a_full_table, begin, end),
		cmocka_unit_test_setup_teardown(survives_failing_memory, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
