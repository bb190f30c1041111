/* SPDX-License-Identifier: Apache-2.0 */
/* Who has a place, and who gives it up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "aggregate/slow_table.h"
#include "failing_alloc.h"
#include "protocol/protocol.h"

#define SECOND 1000000000ull

static const struct protocol http = { .name = "http" };
static struct slow_table *table;
static struct process process;
static char seen[4096];

static int begin(void **state)
{
	(void)state;
	table = slow_table_new();
	snprintf(process.service, sizeof(process.service), "shop");
	return 0;
}

static int end(void **state)
{
	(void)state;
	slow_table_free(&table);
	return 0;
}

static void put(const char *route, uint64_t end_ns, uint64_t total_ns)
{
	struct verdict verdict = { .is_slow = true, .cause = "run_queue", .share = 0.75 };
	struct request request = { .end_ns = end_ns, .protocol = &http, .process = &process };

	request.attributes[ATTRIBUTE_HTTP_REQUEST_METHOD] = "GET";
	request.attributes[ATTRIBUTE_HTTP_ROUTE] = route;
	request.usage.part_ns[TIME_RUN_QUEUE] = total_ns;
	slow_table_put(table, &request, total_ns, &verdict);
}

static void see(void *context, const char *service, const struct slow_request *slow)
{
	size_t used = strlen(seen);

	(void)context;
	snprintf(seen + used, sizeof(seen) - used, "%s%s:%s:%llu", used ? " " : "", service,
		 slow->name, (unsigned long long)slow->total_ns);
}

static const char *all_at(uint64_t now_ns)
{
	seen[0] = '\0';
	slow_table_each(table, now_ns, see, NULL);
	return seen;
}

static void the_slowest_comes_first(void **state)
{
	(void)state;
	put("/a", 10 * SECOND, 20);
	put("/b", 11 * SECOND, 40);
	put("/c", 12 * SECOND, 30);
	assert_string_equal(all_at(20 * SECOND), "shop:GET /b:40 shop:GET /c:30 shop:GET /a:20");
	assert_string_equal(all_at(11 * SECOND + SLOW_KEPT_NS), "shop:GET /c:30");
}

static void the_fastest_gives_up_its_place(void **state)
{
	(void)state;
	for (unsigned i = 0; i < SLOW_ENTRIES; i++)
		put("/old", 10 * SECOND, 1000 + i);
	put("/faster", 11 * SECOND, 999);
	assert_null(strstr(all_at(20 * SECOND), "/faster"));
	put("/slower", 11 * SECOND, 2000);
	assert_memory_equal(all_at(20 * SECOND), "shop:GET /slower:2000 shop:GET /old:1015", 40);
	assert_null(strstr(seen, ":1000"));
	assert_non_null(strstr(seen, ":1001"));
}

static void the_old_are_forgotten(void **state)
{
	(void)state;
	for (unsigned i = 0; i < SLOW_ENTRIES; i++)
		put("/old", 10 * SECOND, 1000);
	put("/new", 10 * SECOND + SLOW_KEPT_NS, 1);
	assert_string_equal(all_at(20 * SECOND + SLOW_KEPT_NS), "shop:GET /new:1");
}

static void services_make_room(void **state)
{
	struct slow_table_figures figures;

	(void)state;
	for (unsigned i = 0; i <= SLOW_SERVICES; i++) {
		snprintf(process.service, sizeof(process.service), "service-%u", i);
		put("/", 10 * SECOND, 100);
	}
	slow_table_read(table, &figures);
	assert_int_equal(figures.services, SLOW_SERVICES);
	assert_int_equal(figures.evicted, 1);
	assert_null(strstr(all_at(20 * SECOND), "service-0:"));
	assert_non_null(strstr(seen, "service-1:"));
}

static void out_of_memory_loses_no_more_than_the_request(void **state)
{
	(void)state;
	failing_alloc_at(0);
	put("/", 10 * SECOND, 100);
	assert_true(failing_alloc_stop());
	assert_string_equal(all_at(20 * SECOND), "");
	put("/", 10 * SECOND, 100);
	assert_string_equal(all_at(20 * SECOND), "shop:GET /:100");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_slowest_comes_first, begin, end),
		cmocka_unit_test_setup_teardown(the_fastest_gives_up_its_place, begin, end),
		cmocka_unit_test_setup_teardown(the_old_are_forgotten, begin, end),
		cmocka_unit_test_setup_teardown(services_make_room, begin, end),
		cmocka_unit_test_setup_teardown(out_of_memory_loses_no_more_than_the_request, begin,
						end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
