/* SPDX-License-Identifier: Apache-2.0 */
/* Life and death in the process table: inheritance, reuse of numbers, eviction, expiry, empty memory. */
#include "correlate/process.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "failing_alloc.h"

static int feed_program(struct process_table *table, uint64_t ktime_ns, uint32_t tgid,
			uint64_t start_ns, const char *path)
{
	struct event_process_exec exec = {
		.header = { .ktime_ns = ktime_ns, .tgid = tgid, .kind = EVENT_PROCESS_EXEC },
		.start_ns = start_ns,
		.parent_tgid = 1,
		.path_bytes = (uint16_t)strlen(path),
		.comm = "comm",
	};
	struct event event = {
		.header = &exec.header,
		.process_exec = &exec,
		.payload = (const uint8_t *)path,
		.payload_bytes = strlen(path),
	};

	return process_table_feed(table, &event);
}

static int feed_child(struct process_table *table, uint64_t ktime_ns, uint32_t parent,
		      uint32_t child, uint64_t start_ns)
{
	struct event_process_fork fork = {
		.header = { .ktime_ns = ktime_ns, .tgid = parent, .kind = EVENT_PROCESS_FORK },
		.start_ns = start_ns,
		.child_tgid = child,
	};
	struct event event = { .header = &fork.header, .process_fork = &fork };

	return process_table_feed(table, &event);
}

static void feed_end(struct process_table *table, uint64_t ktime_ns, uint32_t tgid,
		     uint64_t start_ns)
{
	struct event_process_exit end = {
		.header = { .ktime_ns = ktime_ns, .tgid = tgid, .kind = EVENT_PROCESS_EXIT },
		.start_ns = start_ns,
	};
	struct event event = { .header = &end.header, .process_exit = &end };

	assert_int_equal(process_table_feed(table, &event), 0);
}

/* What is read of it in /proc says nothing of its tracer. */
static void test_found_again(void **state)
{
	struct process_table *table = process_table_new(8, NULL, NULL);
	_Alignas(8) char buffer[PROCESS_EVENT_MAX];
	struct process *process;
	struct event event;
	size_t length;

	(void)state;
	assert_int_equal(feed_program(table, 1, 10, 5, "/usr/sbin/nginx"), 0);
	process = process_lookup(table, 10);
	process->is_instrumented = true;
	length = process_describe(process, 2, buffer);
	assert_int_equal(event_decode(buffer, length, &event), 0);
	assert_int_equal(process_table_feed(table, &event), 0);
	assert_true(process_lookup(table, 10)->is_instrumented);
	process_table_free(&table);
}

#define S(seconds) ((uint64_t)(seconds)*1000000000u)

static void test_exec_and_fork(void **state)
{
	struct process_table *table = process_table_new(8, NULL, NULL);
	struct process *process;
	uint64_t identity;

	(void)state;
	assert_int_equal(feed_program(table, S(1), 10, S(1) + 5, "/usr/sbin/nginx"), 0);
	assert_int_equal(feed_child(table, S(2), 10, 11, S(2)), 0);
	process = process_lookup(table, 11);
	assert_string_equal(process->service, "nginx");
	assert_string_equal(process->executable, "nginx");
	assert_string_equal(process->path, "/usr/sbin/nginx");
	assert_int_equal(process->parent_tgid, 10);
	assert_int_equal(process->start_ns, S(2));
	identity = process->identity;
	process->is_instrumented = true;
	assert_int_equal(feed_program(table, S(3), 11, S(2), "/usr/bin/curl"), 0);
	assert_ptr_equal(process_lookup(table, 11), process); /* exec keeps the process */
	assert_false(process->is_instrumented);		      /* that was another program */
	assert_int_not_equal(process->identity, identity);
	assert_int_not_equal(process->identity, process_lookup(table, 10)->identity);
	assert_string_equal(process->service, "curl");
	assert_string_equal(process_lookup(table, 10)->service, "nginx");
	assert_int_equal(feed_program(table, S(3), 12, S(2), ""), 0);
	assert_string_equal(process_lookup(table, 12)->executable, "comm");
	assert_int_equal(feed_program(table, S(3), 13, S(2), "/a\xff/b\n\xc3"), 0);
	assert_string_equal(process_lookup(table, 13)->path, "/a_/b__");
	assert_string_equal(process_lookup(table, 13)->executable, "b__");
	process_table_free(&table);
	assert_null(table);
	process_table_free(&table);
}

static void test_unknown(void **state)
{
	struct process_table *table = process_table_new(8, NULL, NULL);

	(void)state;
	assert_string_equal(process_lookup(table, 0)->service, "unknown");
	assert_string_equal(process_lookup(table, 7)->executable, "unknown");
	assert_int_equal(feed_child(table, S(1), 99, 8, S(1)), 0);
	assert_string_equal(process_lookup(table, 8)->service, "unknown");
	assert_int_equal(process_table_count(table), 3);
	feed_end(table, S(2), 1234, S(1));
	assert_int_equal(process_table_count(table), 3);
	process_table_free(&table);
}

/* What others found out about a process. */
static void test_alive(void **state)
{
	struct process_table *table = process_table_new(8, NULL, NULL);

	(void)state;
	assert_int_equal(feed_program(table, S(1), 10, S(1), "/bin/a"), 0);
	(void)process_lookup(table, 11);
	assert_true(process_is_known(table, 10));
	assert_false(process_is_known(table, 11));
	assert_false(process_is_known(table, 12));
	assert_true(process_is_alive(table, 11));
	assert_false(process_is_alive(table, 12));
	process_mark_exited(table, 10, S(2));
	process_mark_exited(table, 12, S(2));
	assert_false(process_is_alive(table, 10));
	process_table_expire(table, S(100), S(1));
	assert_int_equal(process_table_count(table), 1);
	process_table_free(&table);
}

/* A number given out again is another process; whoever held the old one still has it. */
static void test_reused_tgid(void **state)
{
	struct process_table *table = process_table_new(8, NULL, NULL);
	_cleanup_(process_unref) struct process *held = NULL;

	(void)state;
	assert_int_equal(feed_program(table, S(1), 10, S(1), "/bin/old"), 0);
	held = process_ref(process_lookup(table, 10));
	assert_int_equal(feed_program(table, S(5), 10, S(4), "/bin/new"), 0);
	assert_ptr_not_equal(process_lookup(table, 10), held);
	assert_string_equal(process_lookup(table, 10)->service, "new");
	assert_string_equal(held->service, "old");
	feed_end(table, S(6), 10, S(1)); /* the old one's, read late */
	assert_int_equal(process_lookup(table, 10)->exited_ns, 0);
	feed_end(table, S(7), 10, S(4));
	assert_int_equal(process_lookup(table, 10)->exited_ns, S(7));
	assert_int_equal(feed_child(table, S(8), 1, 10, 0),
			 0); /* without a start time: after the exit */
	assert_int_equal(process_lookup(table, 10)->exited_ns, 0);
	assert_string_equal(process_lookup(table, 10)->service, "unknown");
	process_table_free(&table);
}

/* /proc knows start times to 10 ms only. */
static void test_coarse_start(void **state)
{
	struct process_table *table = process_table_new(8, NULL, NULL);
	struct process *process;

	(void)state;
	assert_int_equal(feed_program(table, S(1), 10, S(1) + 1234567, "/bin/a"), 0);
	process = process_lookup(table, 10);
	assert_int_equal(feed_program(table, S(2), 10, S(1), "/bin/b"), 0);
	assert_ptr_equal(process_lookup(table, 10), process);
	assert_int_equal(process->start_ns, S(1) + 1234567);
	assert_string_equal(process->service, "b");
	assert_int_equal(feed_program(table, S(2), 11, S(1), "/bin/c"), 0);
	assert_int_equal(feed_child(table, S(1), 10, 11, S(1) + 999),
			 0); /* older than what /proc said */
	assert_string_equal(process_lookup(table, 11)->service, "c");
	assert_int_equal(process_lookup(table, 11)->start_ns, S(1) + 999);
	assert_int_equal(process_lookup(table, 11)->parent_tgid, 10);
	process_table_free(&table);
}

static void test_expiry(void **state)
{
	struct process_table *table = process_table_new(8, NULL, NULL);

	(void)state;
	for (uint32_t tgid = 1; tgid <= 3; tgid++) {
		assert_int_equal(feed_program(table, S(1), tgid, S(1), "/bin/a"), 0);
		feed_end(table, S(tgid * 10), tgid, S(1));
		feed_end(table, S(tgid * 10 + 1), tgid, S(1));
	}
	assert_int_equal(feed_program(table, S(1), 4, S(1), "/bin/a"), 0);
	process_table_expire(table, S(5), S(0)); /* time before the exits */
	assert_int_equal(process_table_count(table), 4);
	process_table_expire(table, S(35), S(15));
	assert_int_equal(process_table_count(table), 3);
	process_table_expire(table, S(1000), S(15));
	assert_int_equal(process_table_count(table), 1);
	assert_int_equal(process_table_evicted(table), 0);
	process_table_free(&table);
}

static void test_eviction(void **state)
{
	struct process_table *table = process_table_new(3, NULL, NULL);

	(void)state;
	for (uint32_t tgid = 1; tgid <= 3; tgid++)
		assert_int_equal(feed_program(table, S(1), tgid, S(1), "/bin/a"), 0);
	feed_end(table, S(2), 3, S(1));
	assert_int_equal(feed_program(table, S(3), 4, S(3), "/bin/a"),
			 0);					     /* the dead one goes first */
	assert_string_equal(process_lookup(table, 1)->service, "a"); /* now newer than 2 */
	assert_int_equal(feed_child(table, S(4), 2, 5, S(4)),
			 0); /* 2 is looked up: 4 is the oldest */
	assert_string_equal(process_lookup(table, 5)->service, "a");
	assert_string_equal(process_lookup(table, 2)->service, "a");
	assert_string_equal(process_lookup(table, 1)->service, "a");
	assert_int_equal(process_table_count(table), 3);
	assert_int_equal(process_table_evicted(table), 2);
	process_table_free(&table);
	assert_null(process_lookup(table = process_table_new(0, NULL, NULL), 1));
	process_table_free(&table);
}

/* A child whose parent is evicted to make room for it still inherits. */
static void test_evicted_parent(void **state)
{
	struct process_table *table = process_table_new(1, NULL, NULL);

	(void)state;
	assert_int_equal(feed_program(table, S(1), 1, S(1), "/bin/a"), 0);
	assert_int_equal(feed_child(table, S(2), 1, 2, S(2)), 0);
	assert_string_equal(process_lookup(table, 2)->service, "a");
	process_table_free(&table);
}

struct catch_up {
	struct process_table *table;
	unsigned calls;
	uint32_t known; /* the only tgid it finds */
};

static void catch_up(void *context, uint32_t tgid)
{
	struct catch_up *search = context;

	search->calls++;
	(void)process_lookup(search->table, tgid + 1000); /* does not come back here */
	if (tgid == search->known)
		assert_int_equal(feed_program(search->table, S(1), tgid, S(1), "/bin/found"), 0);
}

static void test_catch_up(void **state)
{
	struct catch_up search = { .known = 20 };

	(void)state;
	search.table = process_table_new(16, catch_up, &search);
	assert_string_equal(process_lookup(search.table, 20)->service, "found");
	assert_string_equal(process_lookup(search.table, 21)->service, "unknown");
	assert_int_equal(search.calls, 2);
	(void)process_lookup(search.table, 20);
	(void)process_lookup(search.table, 21);
	(void)process_lookup(search.table, 0);
	assert_int_equal(search.calls, 2);
	search.known = 30;
	assert_int_equal(feed_child(search.table, S(1), 29, 30, S(1)), 0);
	assert_int_equal(search.calls, 2); /* feeding never asks */
	assert_string_equal(process_lookup(search.table, 30)->service, "found");
	assert_int_equal(search.calls, 3);
	process_table_free(&search.table);
}

/* A count is read of a child that has run another program since its fork event was read. */
static void test_newest(void **state)
{
	struct catch_up search = { .known = 31 };

	(void)state;
	search.table = process_table_new(16, catch_up, &search);
	assert_int_equal(feed_program(search.table, S(1), 29, S(1), "/bin/parent"), 0);
	assert_int_equal(feed_child(search.table, S(1), 29, 30, S(1)), 0);
	assert_int_equal(feed_child(search.table, S(1), 29, 31, S(1)), 0);
	assert_string_equal(process_lookup(search.table, 31)->service, "parent");
	assert_string_equal(process_lookup_newest(search.table, 31)->service, "found");
	assert_string_equal(process_lookup_newest(search.table, 30)->service, "parent");
	assert_int_equal(search.calls, 2);
	(void)process_lookup_newest(search.table, 31);
	(void)process_lookup_newest(search.table, 29);
	assert_int_equal(search.calls, 2);
	process_table_free(&search.table);
}

static int collect(void *context, struct process *process)
{
	uint32_t **next = context;

	*(*next)++ = process->tgid;
	return process->tgid == 2;
}

static void test_each(void **state)
{
	struct process_table *table = process_table_new(8, NULL, NULL);
	uint32_t seen[4] = { 0 }, *next = seen;

	(void)state;
	for (uint32_t tgid = 1; tgid <= 3; tgid++)
		(void)process_lookup(table, tgid);
	(void)process_lookup(table, 1);
	process_table_each(table, collect, &next);
	assert_memory_equal(seen, ((uint32_t[]){ 1, 3, 2, 0 }), sizeof(seen));
	process_table_free(&table);
}

static void test_failing_allocations(void **state)
{
	(void)state;
	FOR_EACH_FAILING_ALLOC(nth)
	{
		struct process_table *table = process_table_new(8, NULL, NULL);

		if (!table)
			continue;
		if (feed_program(table, S(1), 1, S(1), "/bin/a") < 0)
			assert_int_equal(process_table_count(table), 0);
		if (feed_child(table, S(2), 1, 2, S(2)) < 0)
			assert_int_equal(process_table_count(table), 1);
		if (!process_lookup(table, 3))
			assert_int_equal(process_table_count(table), 2);
		assert_in_range(process_table_count(table), 2, 3);
		process_table_free(&table);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exec_and_fork),
		cmocka_unit_test(test_found_again),
		cmocka_unit_test(test_unknown),
		cmocka_unit_test(test_reused_tgid),
		cmocka_unit_test(test_coarse_start),
		cmocka_unit_test(test_expiry),
		cmocka_unit_test(test_eviction),
		cmocka_unit_test(test_evicted_parent),
		cmocka_unit_test(test_catch_up),
		cmocka_unit_test(test_newest),
		cmocka_unit_test(test_each),
		cmocka_unit_test(test_alive),
		cmocka_unit_test(test_failing_allocations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
