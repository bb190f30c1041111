/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernel knows of loaded programs; those that are not loaded have nothing to tell. */
#include "load/figures.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "fake_libbpf.h"
#include "load/hook_table.h"
#include "load/loader.h"

static struct loader *loader;
static struct check_report *report;

static int setup(void **state)
{
	static const struct loader_options options = { .settings = { .prefix_bytes = 64,
								     .tells_waits = 1 },
						       .ring_bytes = 4096,
						       .connections = 8,
						       .processes = 8 };

	(void)state;
	fake_reset();
	return loader_start(&options, &loader, &report);
}

static int teardown(void **state)
{
	(void)state;
	loader_stop(&loader);
	free(report);
	return fake_live() ? -1 : 0;
}

struct seen {
	size_t count;
	size_t stop_at;
	const char *last;
};

static int visit(void *context, const struct program_figures *figures)
{
	struct seen *seen = context;

	assert_int_equal(figures->run_ns, 1000);
	assert_int_equal(figures->runs, 10);
	assert_int_equal(figures->recursion_misses, 1);
	seen->last = figures->name;
	return ++seen->count == seen->stop_at ? 77 : 0;
}

/* One alternative a signal, and the control program. */
static void test_each(void **state)
{
	struct seen seen = { .count = 0 };

	(void)state;
	assert_int_equal(loader_each_program(loader, visit, &seen), 0);
	assert_int_equal(seen.count, hook_table_length + 1);
}

static void test_stops(void **state)
{
	struct seen seen = { .stop_at = 1 };

	(void)state;
	assert_int_equal(loader_each_program(loader, visit, &seen), 77);
	assert_int_equal(seen.count, 1);
	assert_string_equal(seen.last, "control");
	seen = (struct seen){ .stop_at = 4 }; /* in the second object */
	assert_int_equal(loader_each_program(loader, visit, &seen), 77);
	assert_int_equal(seen.count, 4);
}

static void test_untold(void **state)
{
	struct seen seen = { .count = 0 };

	(void)state;
	fake_fail_from(FAKE_INFO, NULL, 3, EPERM);
	assert_int_equal(loader_each_program(loader, visit, &seen), 0);
	assert_int_equal(seen.count, 3);
}

static void test_window(void **state)
{
	int fd = stats_window_open();

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	fake_fail(FAKE_STATS, NULL, EPERM);
	assert_int_equal(stats_window_open(), -EPERM);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_each, setup, teardown),
		cmocka_unit_test_setup_teardown(test_stops, setup, teardown),
		cmocka_unit_test_setup_teardown(test_untold, setup, teardown),
		cmocka_unit_test_setup_teardown(test_window, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
