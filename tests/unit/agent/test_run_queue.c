/* SPDX-License-Identifier: Apache-2.0 */
/* Waits of processes out of walks over threads: what ends, what comes again, and what is damaged. */
#include "agent/run_queue.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "failing_alloc.h"

#define LIMIT 100

static struct run_queue *queue;

/* What was told of each process, by its number. */
static struct process_wait told[LIMIT + 10];
static size_t told_count;
static bool is_used;

static bool visit(void *context, const struct process_wait *wait)
{
	(void)context;
	told[wait->tgid] = *wait;
	told_count++;
	return is_used;
}

static int begin(void **state)
{
	(void)state;
	queue = run_queue_new(LIMIT);
	is_used = true;
	return queue ? 0 : -1;
}

static int end(void **state)
{
	(void)state;
	run_queue_free(&queue);
	return queue ? -1 : 0;
}

static void thread(uint32_t tgid, uint32_t flags, uint64_t delay_ns, uint64_t ended_ns)
{
	struct walked_thread record = { .tgid = tgid,
					.flags = flags,
					.run_delay_ns = delay_ns,
					.ended_delay_ns = ended_ns,
					.start_ns = flags & WALKED_FIRST ? 1000 : 0,
					.cgroup_id = flags & WALKED_FIRST ? 70 + tgid : 0 };

	run_queue_thread(queue, &record);
}

static void finish(void)
{
	memset(told, 0, sizeof(told));
	told_count = 0;
	run_queue_end(queue, visit, NULL);
}

/* A walk that finds one process with one thread. */
static uint64_t walk_one(uint32_t flags, uint64_t delay_ns, uint64_t ended_ns)
{
	run_queue_begin(queue);
	thread(1, WALKED_FIRST | flags, delay_ns, ended_ns);
	finish();
	return told[1].delay_ns;
}

static void sums_of_threads(void **state)
{
	(void)state;
	run_queue_begin(queue);
	thread(1, WALKED_FIRST, 100, 0);
	finish();
	assert_int_equal(told[1].delay_ns, 0); /* it was there before us */
	run_queue_begin(queue);
	thread(1, WALKED_FIRST | WALKED_WAITS, 110, 0);
	thread(2, WALKED_FIRST | WALKED_WAITS, 7, 0);
	thread(1, WALKED_WAITS, 5, 0);
	thread(2, 0, 8, 0);
	finish();
	assert_int_equal(told_count, 2);
	assert_int_equal(told[1].delay_ns, 15);
	assert_int_equal(told[1].waiting, 2);
	assert_int_equal(told[1].cgroup_id, 71);
	assert_int_equal(told[2].delay_ns, 15); /* it is new: all of it */
	assert_int_equal(told[2].waiting, 1);
}

/* The kernel moves what a thread waited to its process: for a moment it is in neither. */
static void threads_that_end(void **state)
{
	(void)state;
	(void)walk_one(WALKED_ENDED_KEPT, 100, 0);
	assert_int_equal(walk_one(WALKED_ENDED_KEPT, 100, 50), 50);
	assert_int_equal(walk_one(WALKED_ENDED_KEPT, 0, 50), 0);
	assert_int_equal(walk_one(WALKED_ENDED_KEPT, 0, 160), 10);
}

/* A kernel that does not: what is left grows on. */
static void threads_that_are_forgotten(void **state)
{
	(void)state;
	(void)walk_one(0, 100, 0);
	assert_int_equal(walk_one(0, 40, 0), 0);
	assert_int_equal(walk_one(0, 45, 0), 5);
}

static void a_number_given_out_again(void **state)
{
	struct walked_thread other = { .tgid = 1,
				       .flags = WALKED_FIRST | WALKED_ENDED_KEPT,
				       .run_delay_ns = 30,
				       .start_ns = 2000 };

	(void)state;
	(void)walk_one(WALKED_ENDED_KEPT, 100, 0);
	run_queue_begin(queue);
	run_queue_thread(queue, &other);
	finish();
	assert_int_equal(told[1].delay_ns, 30);
}

static void what_is_not_used_is_told_again(void **state)
{
	(void)state;
	(void)walk_one(0, 100, 0);
	is_used = false;
	assert_int_equal(walk_one(0, 130, 0), 30);
	assert_int_equal(walk_one(0, 140, 0), 40);
	is_used = true;
	assert_int_equal(walk_one(0, 140, 0), 40);
	assert_int_equal(walk_one(0, 140, 0), 0);
}

/* A walk that breaks off has no end: nothing is forgotten, nothing counted twice. */
static void a_walk_that_breaks_off(void **state)
{
	(void)state;
	(void)walk_one(0, 100, 0);
	run_queue_begin(queue);
	assert_int_equal(walk_one(0, 120, 0), 20);
	assert_int_equal(run_queue_count(queue), 1);
}

static void walk_many(uint32_t processes)
{
	run_queue_begin(queue);
	for (uint32_t tgid = 1; tgid <= processes; tgid++) {
		thread(tgid, WALKED_FIRST, 10, 0);
		thread(tgid, 0, 10, 0);
	}
	finish();
}

static void a_full_table(void **state)
{
	(void)state;
	walk_many(LIMIT + 5);
	assert_int_equal(told_count, LIMIT);
	assert_int_equal(run_queue_count(queue), LIMIT);
	assert_int_equal(run_queue_refused(queue), 5);
	run_queue_begin(queue);
	finish();
	assert_int_equal(run_queue_count(queue), 0); /* all have ended: there is room */
	walk_many(3);
	assert_int_equal(told_count, 3);
	assert_int_equal(run_queue_refused(queue), 5);
}

static void survives_failing_memory(void **state)
{
	(void)state;
	run_queue_free(&queue);
	FOR_EACH_FAILING_ALLOC(nth)
	{
		queue = run_queue_new(LIMIT);
		if (queue)
			walk_many(3);
		run_queue_free(&queue);
	}
	assert_int_equal(begin(state), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(sums_of_threads, begin, end),
		cmocka_unit_test_setup_teardown(threads_that_end, begin, end),
		cmocka_unit_test_setup_teardown(threads_that_are_forgotten, begin, end),
		cmocka_unit_test_setup_teardown(a_number_given_out_again, begin, end),
		cmocka_unit_test_setup_teardown(what_is_not_used_is_told_again, begin, end),
		cmocka_unit_test_setup_teardown(a_walk_that_breaks_off, begin, end),
		cmocka_unit_test_setup_teardown(a_full_table, begin, end),
		cmocka_unit_test_setup_teardown(survives_failing_memory, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
