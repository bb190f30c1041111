/* SPDX-License-Identifier: Apache-2.0 */
/* Which statements stay: the heaviest, by service; sums are whole whatever the limit; with memory failing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "aggregate/labels.h"
#include "aggregate/statement_table.h"
#include "failing_alloc.h"

#define MS 1000000ull
#define SECOND (1000 * MS)

static struct process process = { .service = "shop" };

static void observe(struct statement_table *table, uint64_t fingerprint, uint64_t duration_ns,
		    const char *error)
{
	struct request request = {
		.process = &process,
		.role = ROLE_CLIENT,
		.statement = fingerprint,
		.rows = 2,
		.attributes = { [ATTRIBUTE_DB_SYSTEM_NAME] = "postgresql",
				[ATTRIBUTE_DB_OPERATION_NAME] = "SELECT",
				[ATTRIBUTE_DB_COLLECTION_NAME] = "t",
				[ATTRIBUTE_DB_QUERY_TEXT] = "SELECT a\xff FROM t",
				[ATTRIBUTE_ERROR_TYPE] = error },
	};

	statement_observe(table, &request, duration_ns);
}

struct seen {
	size_t statements;
	uint64_t fingerprints[64];
	struct statement_view other;
	struct statement_view newest;
	uint64_t count;
};

static void take_view(void *context, const struct statement_view *view)
{
	struct seen *seen = context;

	seen->count += view->count;
	if (!view->text) {
		seen->other = *view;
		return;
	}
	assert_true(seen->statements < 64);
	seen->fingerprints[seen->statements++] = view->fingerprint;
	seen->newest = *view;
}

static struct seen look(const struct statement_table *table)
{
	struct seen seen = { 0 };

	statement_table_each(table, take_view, &seen);
	assert_true(statement_table_room(table) > seen.statements);
	return seen;
}

static bool holds(const struct seen *seen, uint64_t fingerprint)
{
	for (size_t i = 0; i < seen->statements; i++)
		if (seen->fingerprints[i] == fingerprint)
			return true;
	return false;
}

static uint64_t mixed(uint64_t number)
{
	number = (number + 1) * 0x9e3779b97f4a7c15u;
	return number ^ number >> 29;
}

static void adds_up_what_statements_did(void **state)
{
	struct statement_table *table = statement_table_new(3, 300);
	struct seen seen;

	(void)state;
	observe(table, 7, 5 * MS, NULL);
	observe(table, 7, 9 * MS, "22012");
	observe(table, 7, 1 * MS, NULL);
	seen = look(table);
	assert_int_equal(seen.statements, 1);
	assert_int_equal(seen.newest.count, 3);
	assert_int_equal(seen.newest.errors, 1);
	assert_int_equal(seen.newest.rows, 6);
	assert_int_equal(seen.newest.total_ns, 15 * MS);
	assert_int_equal(seen.newest.worst_ns, 9 * MS);
	assert_string_equal(seen.newest.service, "shop");
	assert_string_equal(seen.newest.kind, "client");
	assert_string_equal(seen.newest.system, "postgresql");
	assert_string_equal(seen.newest.summary, "SELECT t");
	assert_string_equal(seen.newest.text, "SELECT a_ FROM t");
	statement_table_free(&table);
	assert_null(table);
}

static void keeps_none_when_told_so(void **state)
{
	struct statement_table *table = statement_table_new(0, 300);

	(void)state;
	observe(table, 7, 5 * MS, NULL);
	assert_int_equal(look(table).count, 0);
	statement_table_free(&table);
}

/* Light ones that came first give way, heavy ones do not, and a crowd of statements that come once changes nothing. */
static void keeps_the_heavy_ones(void **state)
{
	struct statement_table *table = statement_table_new(8, 300);
	struct statement_table_stats stats;
	struct seen seen;

	(void)state;
	for (uint64_t i = 0; i < 8; i++)
		observe(table, mixed(i), 1 * MS, NULL);
	for (uint64_t round = 0; round < 50; round++) {
		for (uint64_t i = 100; i < 104; i++)
			observe(table, mixed(i), 20 * MS, NULL);
		for (uint64_t i = 0; i < 100; i++)
			observe(table, mixed(1000 + round * 100 + i), MS / 10, NULL);
	}
	seen = look(table);
	assert_int_equal(seen.statements, 8);
	for (uint64_t i = 100; i < 104; i++)
		assert_true(holds(&seen, mixed(i)));
	statement_table_read(table, &stats);
	assert_int_equal(stats.count, 8);
	assert_int_equal(stats.limit, 300);
	assert_in_range(stats.evicted, 4, 40);
	statement_table_free(&table);
}

/* One that fails takes no time and matters all the same. */
static void failures_have_weight(void **state)
{
	struct statement_table *table = statement_table_new(2, 300);
	struct seen seen;

	(void)state;
	observe(table, 1, 10 * MS, NULL);
	observe(table, 2, 90 * MS, NULL);
	observe(table, 3, 1000, "42P01");
	seen = look(table);
	assert_true(holds(&seen, 3));
	assert_false(holds(&seen, 1));
	statement_table_free(&table);
}

/* What was heavy once makes room for what is heavy now. */
static void forgets_with_time(void **state)
{
	struct series_store *store = series_store_new(100);
	struct statement_table *table = statement_table_new(1, 300);
	struct seen seen;

	(void)state;
	statement_table_report(table, store, 1000 * SECOND);
	observe(table, 1, 64 * SECOND, NULL);
	observe(table, 2, 100 * MS, NULL);
	seen = look(table);
	assert_true(holds(&seen, 1));
	for (uint64_t minute = 1; minute < 12; minute++) {
		statement_table_report(table, store, 1000 * SECOND + minute * 61 * SECOND);
		observe(table, 2, 100 * MS, NULL);
	}
	seen = look(table);
	assert_true(holds(&seen, 2));
	assert_int_equal(seen.newest.count + seen.other.count, 12);
	statement_table_free(&table);
	series_store_free(&store);
}

static uint64_t total_of(struct series_store *store, enum metric metric, size_t *ret_series)
{
	struct snapshot *snapshot = series_snapshot(store);
	const struct sample *samples = snapshot_samples(snapshot, metric, ret_series);
	uint64_t total = 0;

	for (size_t i = 0; i < *ret_series; i++)
		total += samples[i].total;
	snapshot_unref(&snapshot);
	return total;
}

/* Statements inside, other ones, and those that gave up their place: each is counted in one of them. */
static void sums_stay_whole(void **state)
{
	struct series_store *store = series_store_new(1000);
	struct statement_table *table = statement_table_new(5, 300);
	uint64_t sum;
	size_t series;

	(void)state;
	for (uint64_t i = 0; i < 5000; i++) {
		observe(table, mixed(i % 97), (i % 97) * (i % 97) * 1000, NULL);
		if (i % 500 == 0) {
			statement_table_report(table, store, i * SECOND / 100);
			(void)total_of(store, METRIC_DB_STATEMENTS, &series);
			assert_in_range(series, 1, 6);
		}
	}
	statement_table_report(table, store, 60 * SECOND);
	sum = total_of(store, METRIC_DB_STATEMENTS, &series);
	assert_int_equal(series, 6);
	assert_int_equal(sum + total_of(store, METRIC_DB_STATEMENTS_FORGOTTEN, &series), 5000);
	(void)total_of(store, METRIC_DB_STATEMENT_INFO, &series);
	assert_int_equal(series, 5);
	statement_table_free(&table);
	series_store_free(&store);
}

/* As many services as there are places for, and more; a bound on all statements too. */
static void bounds_groups_and_all(void **state)
{
	struct series_store *store = series_store_new(10000);
	struct statement_table *table = statement_table_new(10, 2 * STATEMENT_GROUPS_MAX);
	struct statement_table_stats stats;
	size_t series;

	(void)state;
	for (unsigned service = 0; service < 3 * STATEMENT_GROUPS_MAX; service++) {
		(void)snprintf(process.service, sizeof(process.service), "s%u", service);
		for (uint64_t i = 0; i < 10; i++)
			observe(table, mixed(i), MS, NULL);
		statement_table_report(table, store, 1);
		statement_table_read(table, &stats);
		assert_true(stats.count <= stats.limit);
	}
	assert_true(stats.evicted > 0);
	(void)total_of(store, METRIC_DB_STATEMENTS, &series);
	assert_in_range(series, STATEMENT_GROUPS_MAX,
			2 * STATEMENT_GROUPS_MAX + STATEMENT_GROUPS_MAX);
	(void)snprintf(process.service, sizeof(process.service), "shop");
	statement_table_free(&table);
	series_store_free(&store);
}

static void survives_failing_memory(void **state)
{
	(void)state;
	FOR_EACH_FAILING_ALLOC(nth)
	{
		struct series_store *store = series_store_new(100);
		struct statement_table *table = store ? statement_table_new(2, 300) : NULL;

		for (uint64_t i = 0; table && i < 5; i++)
			observe(table, mixed(i), i * MS, NULL);
		if (table)
			statement_table_report(table, store, 1);
		statement_table_free(&table);
		series_store_free(&store);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(adds_up_what_statements_did),
		cmocka_unit_test(keeps_none_when_told_so),
		cmocka_unit_test(keeps_the_heavy_ones),
		cmocka_unit_test(failures_have_weight),
		cmocka_unit_test(forgets_with_time),
		cmocka_unit_test(sums_stay_whole),
		cmocka_unit_test(bounds_groups_and_all),
		cmocka_unit_test(survives_failing_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
