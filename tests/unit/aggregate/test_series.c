/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aggregate/labels.h"
#include "aggregate/series.h"
#include "failing_alloc.h"

#define COUNTER METRIC_TCP_RETRANSMITS	    /* service_name */
#define COUNTER_TWO METRIC_TCP_RESETS	    /* service_name, direction */
#define GAUGE METRIC_TCP_CONNECTIONS	    /* service_name, role */
#define HISTOGRAM METRIC_TCP_ACCEPT_QUEUE   /* service_name */
#define AGENT_COUNTER METRIC_PARSE_OUTCOMES /* protocol, outcome */

/* The sample whose labels are `first` and, unless NULL, `second`; "" is the overflow series. */
static const struct sample *find(const struct snapshot *snapshot, enum metric metric,
				 const char *first, const char *second)
{
	const struct sample *samples;
	size_t count;

	samples = snapshot_samples(snapshot, metric, &count);
	for (size_t i = 0; i < count; i++) {
		if (samples[i].is_overflow) {
			if (!*first)
				return &samples[i];
			continue;
		}
		if (strcmp(samples[i].values, first) != 0)
			continue;
		if (!second || strcmp(labels_next(samples[i].values), second) == 0)
			return &samples[i];
	}
	return NULL;
}

static size_t count_of(const struct series_store *store, enum metric metric)
{
	struct series_family_view view;

	series_family_read(store, metric, &view);
	return view.count;
}

static void equal_labels_are_one_series(void **state)
{
	struct series_store *store = series_store_new(10);
	struct snapshot *snapshot;

	(void)state;
	assert_int_equal(series_add(store, COUNTER_TWO, (label_values){ "a", "sent" }, 0, 2), 0);
	assert_int_equal(series_add(store, COUNTER_TWO, (label_values){ "a", "sent" }, 0, 3), 0);
	assert_int_equal(series_add(store, COUNTER_TWO, (label_values){ "a", "received" }, 0, 7),
			 0);
	assert_int_equal(series_add(store, COUNTER_TWO, (label_values){ "as", "ent" }, 0, 9), 0);
	assert_int_equal(series_set(store, GAUGE, (label_values){ "a", NULL }, 0, 1.5), 0);
	assert_int_equal(series_set(store, GAUGE, (label_values){ "a", "" }, 0, 2.5), 0);
	assert_int_equal(series_observe(store, HISTOGRAM, (label_values){ "a" }, 0, 1000), 0);
	snapshot = series_snapshot(store);
	assert_int_equal(find(snapshot, COUNTER_TWO, "a", "sent")->total, 5);
	assert_int_equal(find(snapshot, COUNTER_TWO, "a", "received")->total, 7);
	assert_int_equal(find(snapshot, COUNTER_TWO, "as", "ent")->total, 9);
	assert_true(find(snapshot, GAUGE, "a", "")->gauge == 2.5);
	assert_int_equal(find(snapshot, HISTOGRAM, "a", NULL)->histogram->count, 1);
	assert_int_equal(count_of(store, COUNTER_TWO), 3);
	assert_int_equal(count_of(store, GAUGE), 1);
	snapshot_unref(&snapshot);
	series_store_free(&store);
	assert_null(store);
}

static void totals_are_set_not_added(void **state)
{
	struct series_store *store = series_store_new(10);
	struct snapshot *snapshot;

	(void)state;
	assert_int_equal(series_set_total(store, COUNTER, (label_values){ "a" }, 0, 20), 0);
	assert_int_equal(series_set_total(store, COUNTER, (label_values){ "a" }, 0, 30), 0);
	snapshot = series_snapshot(store);
	assert_int_equal(find(snapshot, COUNTER, "a", NULL)->total, 30);
	snapshot_unref(&snapshot);
	series_store_free(&store);
}

static void the_limit_sends_the_rest_to_one_series(void **state)
{
	struct series_store *store = series_store_new(3);
	struct series_family_view view;
	struct snapshot *snapshot;
	char name[16];

	(void)state;
	for (int i = 0; i < 10; i++) {
		snprintf(name, sizeof(name), "s%d", i);
		assert_int_equal(series_add(store, COUNTER, (label_values){ name }, 0, 1),
				 i < 3 ? 0 : -ENOSPC);
		assert_int_equal(series_observe(store, HISTOGRAM, (label_values){ name }, 0, 5),
				 i < 3 ? 0 : -ENOSPC);
	}
	assert_int_equal(series_add(store, COUNTER, (label_values){ "s1" }, 0, 1), 0);
	snapshot = series_snapshot(store);
	assert_int_equal(find(snapshot, COUNTER, "s1", NULL)->total, 2);
	assert_int_equal(find(snapshot, COUNTER, "", NULL)->total, 7);
	assert_int_equal(find(snapshot, HISTOGRAM, "", NULL)->histogram->count, 7);
	series_family_read(store, COUNTER, &view);
	assert_int_equal(view.count, 4);
	assert_int_equal(view.limit, 3);
	assert_int_equal(view.refused_limit, 7);
	snapshot_unref(&snapshot);
	series_store_free(&store);
}

/* The counters about the agent are bounded by its own tables, not by the limit for services. */
static void the_agent_keeps_its_own_figures(void **state)
{
	struct series_store *store = series_store_new(1);
	char name[16];

	(void)state;
	for (int i = 0; i < SERIES_LIMIT_AGENT; i++) {
		snprintf(name, sizeof(name), "p%d", i);
		assert_int_equal(series_add(store, AGENT_COUNTER, (label_values){ name }, 0, 1), 0);
	}
	assert_int_equal(series_add(store, AGENT_COUNTER, (label_values){ "more" }, 0, 1), -ENOSPC);
	series_store_free(&store);
}

static void set_round(struct series_store *store, uint64_t second, uint64_t third)
{
	series_begin_round(store);
	(void)series_set_total(store, COUNTER, (label_values){ "first" }, 0, 1);
	(void)series_set(store, GAUGE, (label_values){ "first", "client" }, 0, 1);
	(void)series_set_total(store, COUNTER, (label_values){ "second" }, 0, second);
	(void)series_set(store, GAUGE, (label_values){ "second", "client" }, 0, (double)second);
	if (!third)
		return;
	(void)series_set_total(store, COUNTER, (label_values){ "third" }, 0, third);
	(void)series_set(store, GAUGE, (label_values){ "third", "client" }, 0, (double)third);
}

static void assert_overflow(const struct series_store *store, uint64_t total, double gauge)
{
	struct snapshot *snapshot = series_snapshot(store);

	assert_int_equal(find(snapshot, COUNTER, "", NULL)->total, total);
	assert_true(find(snapshot, GAUGE, "", NULL)->gauge == gauge);
	snapshot_unref(&snapshot);
}

/* What a series counts came after the round that was over when it began. */
static void series_know_when_they_began(void **state)
{
	struct series_store *store = series_store_new(2);
	struct snapshot *snapshot;

	(void)state;
	series_store_set_now(store, 100);
	series_end_round(store);
	series_store_set_now(store, 150);
	(void)series_add(store, COUNTER, (label_values){ "first" }, 0, 1);
	series_store_set_now(store, 200);
	series_end_round(store);
	(void)series_add(store, COUNTER, (label_values){ "first" }, 0, 1);
	series_store_set_now(store, 250);
	(void)series_add(store, COUNTER, (label_values){ "second" }, 0, 1);
	series_end_round(store);
	(void)series_add(store, COUNTER, (label_values){ "third" }, 0, 1);
	snapshot = series_snapshot(store);
	assert_int_equal(snapshot_taken_ns(snapshot), 250);
	assert_int_equal(find(snapshot, COUNTER, "first", NULL)->began_ns, 100);
	assert_int_equal(find(snapshot, COUNTER, "second", NULL)->began_ns, 200);
	assert_int_equal(find(snapshot, COUNTER, "", NULL)->began_ns, 250);
	snapshot_unref(&snapshot);
	series_store_free(&store);
}

static void overflow_of_set_values_is_the_sum_of_a_round(void **state)
{
	struct series_store *store = series_store_new(1);

	(void)state;
	set_round(store, 10, 100);
	assert_overflow(store, 110, 110);
	set_round(store, 11, 101);
	assert_overflow(store, 112, 112);
	set_round(store, 12, 0); /* the third is gone: the gauge falls, a counter must not */
	assert_overflow(store, 112, 12);
	set_round(store, 500, 0);
	assert_overflow(store, 500, 500);
	series_store_free(&store);
}

static void a_snapshot_does_not_change(void **state)
{
	struct series_store *store = series_store_new(10);
	struct snapshot *snapshot, *second;

	(void)state;
	(void)series_add(store, COUNTER, (label_values){ "a" }, 0, 1);
	(void)series_observe(store, HISTOGRAM, (label_values){ "a" }, 0, 1000);
	snapshot = series_snapshot(store);
	(void)series_add(store, COUNTER, (label_values){ "a" }, 0, 1);
	for (uint64_t i = 1; i < 100; i++)
		(void)series_observe(store, HISTOGRAM, (label_values){ "a" }, 0, i * i * 1000);
	second = snapshot_ref(snapshot);
	snapshot_unref(&snapshot);
	series_store_free(&store);
	assert_int_equal(find(second, COUNTER, "a", NULL)->total, 1);
	assert_int_equal(find(second, HISTOGRAM, "a", NULL)->histogram->count, 1);
	assert_int_equal(find(second, HISTOGRAM, "a", NULL)->histogram->length, 1);
	snapshot_unref(&second);
}

struct living {
	uint32_t dead_owner;
	const char *dead_service;
	int asked;
};

static bool owner_is_gone(void *context, uint32_t tgid)
{
	struct living *living = context;

	living->asked++;
	return tgid == living->dead_owner;
}

static bool service_is_gone(void *context, const char *service_name)
{
	return strcmp(service_name, ((struct living *)context)->dead_service) == 0;
}

static void series_expire_after_their_owner(void **state)
{
	struct living living = { .dead_owner = 7, .dead_service = "dead" };
	const struct series_liveness liveness = { &living, owner_is_gone, service_is_gone };
	struct series_store *store = series_store_new(10);
	struct series_family_view view;

	(void)state;
	series_store_set_now(store, 100);
	(void)series_add(store, COUNTER, (label_values){ "old, owner gone" }, 7, 1);
	(void)series_add(store, COUNTER, (label_values){ "old, owner lives" }, 8, 1);
	(void)series_add(store, COUNTER, (label_values){ "dead" }, 0, 1);
	(void)series_add(store, COUNTER, (label_values){ "alive" }, 0, 1);
	(void)series_add(store, COUNTER, (label_values){ "touched, owner gone" }, 7, 1);
	(void)series_add(store, AGENT_COUNTER, (label_values){ "dead" }, 0, 1);
	series_store_set_now(store, 200);
	(void)series_add(store, COUNTER, (label_values){ "touched, owner gone" }, 7, 1);
	series_store_set_now(store, 150); /* does not go back */
	(void)series_add(store, COUNTER, (label_values){ "young, owner gone" }, 7, 1);

	series_store_expire(store, 199, 100, 100, &liveness);
	assert_int_equal(count_of(store, COUNTER), 6);
	series_store_expire(store, 299, 100, 100, &liveness);
	assert_int_equal(count_of(store, COUNTER), 4);
	assert_int_equal(count_of(store, AGENT_COUNTER), 1);
	series_store_expire(store, 300, 100, 100, &liveness);
	assert_int_equal(count_of(store, COUNTER), 2);
	series_store_expire(store, 5, 100, 100,
			    &liveness); /* shorter after boot than the time-out */
	series_family_read(store, COUNTER, &view);
	assert_int_equal(view.expired, 4);
	series_store_free(&store);
}

static void the_living_are_asked_once_per_ttl(void **state)
{
	struct living living = { .dead_owner = 7, .dead_service = "" };
	const struct series_liveness liveness = { &living, owner_is_gone, service_is_gone };
	struct series_store *store = series_store_new(10);

	(void)state;
	(void)series_add(store, COUNTER, (label_values){ "a" }, 8, 1);
	(void)series_add(store, COUNTER, (label_values){ "b" }, 9, 1);
	for (uint64_t now = 100; now < 300; now++)
		series_store_expire(store, now, 100, 100, &liveness);
	assert_int_equal(living.asked, 4);
	living.dead_owner = 8;
	series_store_expire(store, 300, 100, 100, &liveness);
	assert_int_equal(count_of(store, COUNTER), 1);
	living.asked = 0;
	series_store_expire(store, 300, 0, 0, &liveness); /* at once: still an end to it */
	assert_int_equal(living.asked, 1);
	series_store_free(&store);
}

static void only_a_crowded_metric_expires_early(void **state)
{
	struct living living = { .dead_owner = 7, .dead_service = "" };
	const struct series_liveness liveness = { &living, owner_is_gone, service_is_gone };
	struct series_store *store = series_store_new(4);

	(void)state;
	for (const char *const *name = (const char *const[]){ "a", "b", "c", "d", NULL }; *name;
	     name++)
		(void)series_add(store, COUNTER, (label_values){ *name }, 7, 1);
	(void)series_observe(store, HISTOGRAM, (label_values){ "a" }, 7, 1);
	series_store_expire(store, 50, 100, 50, &liveness);
	assert_int_equal(count_of(store, COUNTER), 0);
	assert_int_equal(count_of(store, HISTOGRAM), 1);
	series_store_expire(store, 100, 100, 50, &liveness);
	assert_int_equal(count_of(store, HISTOGRAM), 0);
	series_store_free(&store);
}

/* Series that somebody is sent stay until they were, where there is room. */
static void what_was_not_sent_stays(void **state)
{
	struct living living = { .dead_owner = 7, .dead_service = "" };
	const struct series_liveness liveness = { &living, owner_is_gone, service_is_gone };
	struct series_store *store = series_store_new(4);
	struct series_family_view view;

	(void)state;
	series_store_set_sent(store, 100);
	series_store_set_now(store, 100);
	(void)series_add(store, COUNTER, (label_values){ "a" }, 7, 1);
	(void)series_observe(store, HISTOGRAM, (label_values){ "a" }, 7, 1);
	(void)series_set(store, GAUGE, (label_values){ "a", "client" }, 7, 1);
	series_store_expire(store, 1000, 100, 100, &liveness);
	assert_int_equal(count_of(store, COUNTER), 1);
	assert_int_equal(count_of(store, HISTOGRAM), 1);
	assert_int_equal(count_of(store, GAUGE), 0);
	series_store_set_sent(store, 1050);
	series_store_expire(store, 1100, 100, 100, &liveness);
	assert_int_equal(count_of(store, COUNTER), 0);
	for (const char *const *name = (const char *const[]){ "a", "b", "c", "d", NULL }; *name;
	     name++)
		(void)series_add(store, COUNTER, (label_values){ *name }, 7, 1);
	series_store_expire(store, 1200, 100, 50, &liveness);
	assert_int_equal(count_of(store, COUNTER), 0);
	series_family_read(store, COUNTER, &view);
	assert_int_equal(view.expired, 5);
	assert_int_equal(view.unsent, 4);
	series_store_free(&store);
}

static void expired_series_make_room(void **state)
{
	struct living living = { .dead_owner = 7, .dead_service = "" };
	const struct series_liveness liveness = { &living, owner_is_gone, service_is_gone };
	struct series_store *store = series_store_new(1);

	(void)state;
	assert_int_equal(series_observe(store, HISTOGRAM, (label_values){ "a" }, 7, 1), 0);
	assert_int_equal(series_observe(store, HISTOGRAM, (label_values){ "b" }, 8, 1), -ENOSPC);
	series_store_expire(store, 10, 1, 1, &liveness);
	assert_int_equal(series_observe(store, HISTOGRAM, (label_values){ "b" }, 8, 1), 0);
	series_store_free(&store);
}

static void a_series_can_be_removed(void **state)
{
	struct series_store *store = series_store_new(10);

	(void)state;
	(void)series_set(store, GAUGE, (label_values){ "a", "client" }, 0, 1);
	(void)series_set(store, GAUGE, (label_values){ "a", "server" }, 0, 1);
	series_remove(store, GAUGE, (label_values){ "a", "client" });
	series_remove(store, GAUGE, (label_values){ "b", "client" });
	series_remove(store, COUNTER, (label_values){ "a" });
	assert_int_equal(count_of(store, GAUGE), 1);
	series_store_free(&store);
}

static void the_store_reports_on_itself(void **state)
{
	struct series_store *store = series_store_new(1);
	const char *name = metric_table[COUNTER].name;
	struct snapshot *snapshot;

	(void)state;
	(void)series_add(store, COUNTER, (label_values){ "a" }, 0, 1);
	(void)series_add(store, COUNTER, (label_values){ "b" }, 0, 1);
	series_store_report(store);
	snapshot = series_snapshot(store);
	assert_true(find(snapshot, METRIC_SERIES, name, NULL)->gauge == 2);
	assert_true(find(snapshot, METRIC_SERIES_LIMIT, name, NULL)->gauge == 1);
	assert_int_equal(find(snapshot, METRIC_SERIES_REFUSED, name, "limit")->total, 1);
	assert_int_equal(find(snapshot, METRIC_SERIES_REFUSED, name, "no_memory")->total, 0);
	assert_null(find(snapshot, METRIC_SERIES, metric_table[GAUGE].name, NULL));
	assert_null(find(snapshot, METRIC_SERIES, metric_table[METRIC_SERIES].name, NULL));
	snapshot_unref(&snapshot);
	series_store_free(&store);
}

static void a_slot_finds_its_series_until_one_is_dropped(void **state)
{
	struct series_store *store = series_store_new(1);
	struct series_slot slot = { 0 }, refused = { 0 };
	struct series_family_view view;
	struct snapshot *snapshot;

	(void)state;
	assert_int_equal(series_add_slot(store, &slot, 1), -ENOENT);
	assert_int_equal(series_remember(store, COUNTER, (label_values){ "a" }, 0, &slot), 0);
	assert_int_equal(series_add_slot(store, &slot, 5), 0);
	assert_int_equal(series_remember(store, COUNTER, (label_values){ "b" }, 0, &refused),
			 -ENOSPC);
	assert_int_equal(series_add_slot(store, &refused, 1), -ENOENT);
	series_family_read(store, COUNTER, &view);
	assert_int_equal(view.refused_limit, 0);
	snapshot = series_snapshot(store);
	assert_int_equal(find(snapshot, COUNTER, "a", NULL)->total, 5);
	snapshot_unref(&snapshot);
	series_remove(store, COUNTER, (label_values){ "a" });
	assert_int_equal(series_add_slot(store, &slot, 1), -ENOENT);
	series_store_free(&store);
}

static bool is_gone_for_good(void *context, uint32_t tgid)
{
	(void)context;
	(void)tgid;
	return true;
}

static void a_slot_keeps_its_series_touched_and_knows_when_it_expired(void **state)
{
	struct series_store *store = series_store_new(10);
	const struct series_liveness liveness = { .owner_is_gone = is_gone_for_good };
	struct series_slot slot, other;

	(void)state;
	series_store_set_now(store, 1000);
	assert_int_equal(series_remember(store, COUNTER, (label_values){ "a" }, 7, &slot), 0);
	assert_int_equal(series_remember(store, COUNTER, (label_values){ "b" }, 7, &other), 0);
	series_store_set_now(store, 2000);
	assert_int_equal(series_add_slot(store, &slot, 1), 0);
	series_store_expire(store, 2500, 1000, 1000, &liveness); /* "b" goes, "a" was touched */
	assert_int_equal(count_of(store, COUNTER), 1);
	assert_int_equal(series_add_slot(store, &slot, 1), -ENOENT);
	assert_int_equal(series_remember(store, COUNTER, (label_values){ "a" }, 7, &slot), 0);
	assert_int_equal(series_add_slot(store, &slot, 1), 0);
	series_store_free(&store);
}

static size_t fill(struct series_store *store)
{
	static const char *const names[] = { "a", "b", "c" };
	size_t lost = 0;

	for (size_t i = 0; i < 3; i++) {
		lost += series_add(store, COUNTER, (label_values){ names[i] }, 0, 1) == -ENOMEM;
		lost += series_observe(store, HISTOGRAM, (label_values){ names[i] }, 0, 1) ==
			-ENOMEM;
	}
	return lost;
}

static void what_memory_refuses_is_counted(void **state)
{
	(void)state;
	FOR_EACH_FAILING_ALLOC(nth)
	{
		struct series_store *store = series_store_new(2);
		struct series_family_view counter, histogram;
		struct snapshot *snapshot;
		size_t lost;

		if (!store)
			continue;
		lost = fill(store);
		series_family_read(store, COUNTER, &counter);
		series_family_read(store, HISTOGRAM, &histogram);
		assert_int_equal(counter.refused_memory + histogram.refused_memory, lost);
		snapshot = series_snapshot(store);
		assert_true(snapshot || failing_alloc_has_failed());
		snapshot_unref(&snapshot);
		series_store_free(&store);
	}
}

static void big_snapshots_take_many_blocks(void **state)
{
	struct series_store *store = series_store_new(3000);
	struct snapshot *snapshot;
	char name[200];

	(void)state;
	for (int i = 0; i < 3000; i++) {
		snprintf(name, sizeof(name), "%0*d", 20 + i % 170, i);
		(void)series_observe(store, HISTOGRAM, (label_values){ name }, 0, (uint64_t)i);
	}
	snapshot = series_snapshot(store);
	for (int i = 0; i < 3000; i++) {
		snprintf(name, sizeof(name), "%0*d", 20 + i % 170, i);
		if (i % 100 == 0)
			assert_int_equal(find(snapshot, HISTOGRAM, name, NULL)->histogram->sum, i);
	}
	assert_true(snapshot_bytes(snapshot) < 3000 * 600);
	snapshot_unref(&snapshot);
	series_store_free(&store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(equal_labels_are_one_series),
		cmocka_unit_test(totals_are_set_not_added),
		cmocka_unit_test(the_limit_sends_the_rest_to_one_series),
		cmocka_unit_test(the_agent_keeps_its_own_figures),
		cmocka_unit_test(series_know_when_they_began),
		cmocka_unit_test(overflow_of_set_values_is_the_sum_of_a_round),
		cmocka_unit_test(a_snapshot_does_not_change),
		cmocka_unit_test(series_expire_after_their_owner),
		cmocka_unit_test(the_living_are_asked_once_per_ttl),
		cmocka_unit_test(only_a_crowded_metric_expires_early),
		cmocka_unit_test(what_was_not_sent_stays),
		cmocka_unit_test(expired_series_make_room),
		cmocka_unit_test(a_series_can_be_removed),
		cmocka_unit_test(the_store_reports_on_itself),
		cmocka_unit_test(a_slot_finds_its_series_until_one_is_dropped),
		cmocka_unit_test(a_slot_keeps_its_series_touched_and_knows_when_it_expired),
		cmocka_unit_test(what_memory_refuses_is_counted),
		cmocka_unit_test(big_snapshots_take_many_blocks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
