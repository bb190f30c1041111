/* SPDX-License-Identifier: Apache-2.0 */
/* Pressure stall information: files as kernels write them, and what is none. */
#include "agent/pressure.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "aggregate/labels.h"
#include "aggregate/snapshot.h"

static const char *const names[] = { "cpu", "memory", "io", "irq" };

static char folder[64];
static struct series_store *store;

static void path_of(const char *name, char ret_path[128])
{
	snprintf(ret_path, 128, "%s/%s", folder, name);
}

static void put(const char *name, const char *text)
{
	char path[128];
	FILE *file;

	path_of(name, path);
	file = fopen(path, "we");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static int begin(void **state)
{
	(void)state;
	strcpy(folder, "/tmp/sonde-pressure-XXXXXX");
	store = series_store_new(100);
	return mkdtemp(folder) ? 0 : -1;
}

static int end(void **state)
{
	char path[128];

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		path_of(names[i], path);
		(void)unlink(path);
	}
	series_store_free(&store);
	return rmdir(folder);
}

/* What is told of a resource: NO_TOTAL, that there is nothing. */
#define NO_TOTAL UINT64_MAX

static uint64_t total_of(const char *resource, const char *kind)
{
	struct snapshot *snapshot = series_snapshot(store);
	uint64_t total = NO_TOTAL;
	size_t count;
	const struct sample *samples = snapshot_samples(snapshot, METRIC_PRESSURE, &count);

	for (size_t i = 0; i < count; i++)
		if (strcmp(samples[i].values, resource) == 0 &&
		    strcmp(labels_next(samples[i].values), kind) == 0)
			total = samples[i].total;
	snapshot_unref(&snapshot);
	return total;
}

static void totals_by_resource_and_kind(void **state)
{
	(void)state;
	put("cpu", "some avg10=1.98 avg60=4.32 avg300=6.47 total=346847759\n"
		   "full avg10=0.00 avg60=0.00 avg300=0.00 total=0\n");
	put("irq", "full avg10=0.00 avg60=0.00 avg300=0.00 total=17\n");
	pressure_write(store, folder);
	assert_int_equal(total_of("cpu", "some"), 346847759000);
	assert_int_equal(total_of("cpu", "full"), 0);
	assert_int_equal(total_of("irq", "full"), 17000);
	assert_int_equal(total_of("memory", "some"), NO_TOTAL);
	put("cpu", "some avg10=1.98 avg60=4.32 avg300=6.47 total=346847760\n");
	pressure_write(store, folder);
	assert_int_equal(total_of("cpu", "some"), 346847760000);
}

static void what_is_none_is_not_told(void **state)
{
	(void)state;
	put("memory", "");
	put("io", "some avg10=1.98 total=3\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=5\n");
	pressure_write(store, folder);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_int_equal(total_of(names[i], "some"), NO_TOTAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(totals_by_resource_and_kind, begin, end),
		cmocka_unit_test_setup_teardown(what_is_none_is_not_told, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
