/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

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

static void remembers_the_route_of_a_path(void **state)
{
	struct route_table *table = route_table_new(2, 2);
	const char *route;
	char path[80] = "/";

	(void)state;
	assert_non_null(table);
	route = route_table_of_path(table, "shop", "/users/17");
	assert_string_equal(route, "/users/{id}");
	assert_ptr_equal(route_table_of_path(table, "shop", "/users/17"), route);
	assert_ptr_equal(route_table_of_path(table, "shop", "/users/18"), route);
	assert_ptr_not_equal(route_table_of_path(table, "bank", "/users/17"), route);
	assert_string_equal(route_table_of_path(table, "shop", "/b"), "/b");
	for (uint64_t i = 1; i <= 2; i++) { /* what is refused is refused each time */
		assert_string_equal(route_table_of_path(table, "shop", "/c"), "other");
		assert_true(route_table_refused(table) == i);
	}
	for (size_t length = 60; length < 70; length++) { /* around what is remembered */
		memset(path + 1, 'a', length);
		assert_string_equal(route_table_of_path(table, "bank", path), "/{token}");
		assert_string_equal(route_table_of_path(table, "bank", path), "/{token}");
	}
	route_table_free(&table);
}

/* As when the service's own text is the same buffer for another name. */
static void a_remembered_path_goes_with_its_service(void **state)
{
	struct route_table *table = route_table_new(2, 1);
	char service[8] = "a";

	(void)state;
	assert_non_null(table);
	assert_string_equal(route_table_of_path(table, service, "/x"), "/x");
	strcpy(service, "b");
	assert_string_equal(route_table_of_path(table, service, "/y"), "/y");
	assert_string_equal(route_table_of_path(table, service, "/x"), "other");
	strcpy(service, "a"); /* used last: b is given up, then a */
	assert_string_equal(route_table_of_path(table, service, "/x"), "/x");
	assert_string_equal(route_table_of_path(table, "c", "/c"), "/c");
	assert_string_equal(route_table_of_path(table, service, "/y"), "other");
	strcpy(service, "b");
	assert_string_equal(route_table_of_path(table, service, "/z"), "/z");
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
		(void)route_table_of_path(table, "a", "/c");
		(void)route_table_of_path(table, "a", "/c");
		route_table_free(&table);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(limits_routes_of_a_service),
		cmocka_unit_test(gives_up_the_service_not_used),
		cmocka_unit_test(remembers_the_route_of_a_path),
		cmocka_unit_test(a_remembered_path_goes_with_its_service),
		cmocka_unit_test(survives_failing_allocations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
