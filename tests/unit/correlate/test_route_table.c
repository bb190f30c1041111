/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "correlate/route.h"
#include "failing_alloc.h"

static void limits_routes_of_a_service(void **state)
{
	struct route_table *table = route_table_new(2, 3);
	char text[16];

	(void)state;
	assert_non_null(table);
	for (int i = 0; i < 5; i++) {
		snprintf(text, sizeof(text), "/r%d", i);
		assert_string_equal(route_table_intern(table, "shop", text),
				    i < 3 ? text : "other");
	}
	assert_int_equal(route_table_refused(table), 2);
	assert_string_equal(route_table_intern(table, "shop", "/r1"), "/r1");
	assert_string_equal(route_table_intern(table, "other shop", "/r4"), "/r4");
	assert_int_equal(route_table_refused(table), 2);
	route_table_free(&table);
	assert_null(table);
}

static void gives_up_the_service_not_used(void **state)
{
	struct route_table *table = route_table_new(2, 1);

	(void)state;
	assert_non_null(table);
	(void)route_table_intern(table, "a", "/a");
	(void)route_table_intern(table, "b", "/b");
	(void)route_table_intern(table, "a", "/a");
	assert_string_equal(route_table_intern(table, "c", "/c"), "/c"); /* b is gone, a is not */
	assert_string_equal(route_table_intern(table, "a", "/x"), "other");
	assert_string_equal(route_table_intern(table, "b", "/x"), "/x");
	route_table_free(&table);
}

static void survives_failing_allocations(void **state)
{
	(void)state;
	FOR_EACH_FAILING_ALLOC(nth)
	{
		struct route_table *table = route_table_new(2, 3);

		if (!table)
			continue;
		(void)route_table_intern(table, "a", "/a");
		(void)route_table_intern(table, "a", "/b");
		(void)route_table_intern(table, "a", "/a");
		route_table_free(&table);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(limits_routes_of_a_service),
		cmocka_unit_test(gives_up_the_service_not_used),
		cmocka_unit_test(survives_failing_allocations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
