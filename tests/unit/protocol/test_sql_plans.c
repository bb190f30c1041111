/* SPDX-License-Identifier: Apache-2.0 */
/* Names of statements: found, replaced, forgotten; bounded; with memory failing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "failing_alloc.h"
#include "protocol/sql_plans.h"

static struct sql_plan_pool *pool;

static int setup(void **state)
{
	(void)state;
	pool = sql_plan_pool_new();
	return pool ? 0 : -1;
}

static int teardown(void **state)
{
	void *slot = pool;

	(void)state;
	sql_plan_pool_free(&slot);
	return 0;
}

static void put(struct sql_plans *plans, uint64_t name, const char *operation)
{
	struct sql_plan *plan = sql_plan_new(operation, "t", 1, "text");

	sql_plans_put(plans, name, plan);
	sql_plan_release(&plan);
}

static void finds_and_forgets(void **state)
{
	struct sql_plans *plans = sql_plans_new(pool);
	struct sql_plan *held;

	(void)state;
	put(plans, 1, "SELECT");
	put(plans, 2, "UPDATE");
	assert_string_equal(sql_plans_find(plans, 1)->operation, "SELECT");
	held = sql_plan_hold(sql_plans_find(plans, 1));
	put(plans, 1, "DELETE");
	assert_string_equal(sql_plans_find(plans, 1)->operation, "DELETE");
	assert_string_equal(held->operation, "SELECT");
	sql_plan_release(&held);
	assert_null(held);
	sql_plans_put(plans, 1, NULL);
	sql_plans_put(plans, 3, NULL);
	assert_null(sql_plans_find(plans, 1));
	assert_string_equal(sql_plans_find(plans, 2)->table, "t");
	assert_null(sql_plans_find(NULL, 2));
	sql_plans_free(&plans);
	sql_plans_free(&plans);
}

/* Name 0 is used all the time. */
static void forgets_the_least_used(void **state)
{
	struct sql_plans *plans = sql_plans_new(pool);
	unsigned known = 0;

	(void)state;
	for (uint64_t name = 0; name < 3000; name++) {
		put(plans, name, "SELECT");
		assert_non_null(sql_plans_find(plans, 0));
	}
	for (uint64_t name = 0; name < 3000; name++)
		known += sql_plans_find(plans, name) != NULL;
	assert_int_equal(known, SQL_PLAN_LISTS * SQL_PLAN_LIST_MAX);
	assert_non_null(sql_plans_find(plans, 2999));
	sql_plans_free(&plans);
}

/* Many connections, each with few names. */
static void all_have_a_bound(void **state)
{
	static struct sql_plans *connections[SQL_PLANS_MAX / 8 + 2];
	size_t count = sizeof(connections) / sizeof(connections[0]), known = 0;

	(void)state;
	for (size_t i = 0; i < count; i++) {
		connections[i] = sql_plans_new(pool);
		for (uint64_t name = 0; name < 8; name++)
			put(connections[i], name, "SELECT");
	}
	for (size_t i = 0; i < count; i++)
		for (uint64_t name = 0; name < 8; name++)
			known += sql_plans_find(connections[i], name) != NULL;
	assert_int_equal(known, SQL_PLANS_MAX);
	assert_null(sql_plans_find(connections[count - 1], 0)); /* it had none to give up */
	put(connections[0], 100, "SELECT");
	assert_non_null(sql_plans_find(connections[0], 100));
	assert_null(sql_plans_find(connections[0], 0));
	sql_plans_free(&connections[1]);
	put(connections[count - 1], 0, "SELECT");
	assert_non_null(sql_plans_find(connections[count - 1], 0));
	for (size_t i = 0; i < count; i++)
		sql_plans_free(&connections[i]);
}

static void without_memory(void **state)
{
	(void)state;
	FOR_EACH_FAILING_ALLOC(nth)
	{
		struct sql_plans *plans = sql_plans_new(pool);

		if (plans) {
			put(plans, 1, "SELECT");
			put(plans, 1, "UPDATE");
		}
		sql_plans_free(&plans);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_and_forgets),
		cmocka_unit_test(forgets_the_least_used),
		cmocka_unit_test(all_have_a_bound),
		cmocka_unit_test(without_memory),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
