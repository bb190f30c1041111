/* SPDX-License-Identifier: Apache-2.0 */
/* Where the time of a request went, from figures of its thread at two times. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "correlate/usage.h"

#define TID 7
#define BEGIN_NS 1000000u
#define END_NS 11000000u

static struct engine engine;
static struct connection connection;
static struct exchange exchange;
static struct event_turn turn;
static struct turn_figures use;

static int begin(void **state)
{
	(void)state;
	memset(&engine, 0, sizeof(engine));
	memset(&connection, 0, sizeof(connection));
	memset(&exchange, 0, sizeof(exchange));
	memset(&turn, 0, sizeof(turn));
	use = (struct turn_figures){ .now.thread = { .tid = TID,
						     .on_cpu_ns = 50000000,
						     .exec_start_ns = 900000000,
						     .run_queue_ns = 3000000,
						     .throttled_ns = 77 } };
	connection.role = ROLE_SERVER;
	return 0;
}

static void call(enum turn_dir dir, uint64_t now_ns)
{
	struct event event = { .turn = &turn, .use = &use };

	turn.turn = (struct turn_summary){
		.start_ns = now_ns, .last_ns = now_ns, .calls = 1, .dir = (uint8_t)dir
	};
	usage_note(&connection, &event);
}

static void ask(void)
{
	call(connection.role == ROLE_SERVER ? DIR_READ : DIR_WRITE, BEGIN_NS);
	exchange.start_ns = BEGIN_NS;
	usage_begin(&engine, &connection, &exchange);
}

static void answer(void)
{
	call(connection.role == ROLE_SERVER ? DIR_WRITE : DIR_READ, END_NS);
	exchange.end_ns = END_NS;
	usage_end(&engine, &connection, &exchange);
}

/* The parts, which are the whole. */
static void assert_parts(uint64_t on_cpu_ns, uint64_t run_queue_ns, uint64_t throttled_ns,
			 uint64_t blocked_ns, uint64_t unaccounted_ns)
{
	const uint64_t *part_ns = exchange.usage.part_ns;
	uint64_t sum_ns = 0;

	assert_int_equal(part_ns[TIME_ON_CPU], on_cpu_ns);
	assert_int_equal(part_ns[TIME_RUN_QUEUE], run_queue_ns);
	assert_int_equal(part_ns[TIME_THROTTLED], throttled_ns);
	assert_int_equal(part_ns[TIME_BLOCKED], blocked_ns);
	assert_int_equal(part_ns[TIME_UNACCOUNTED], unaccounted_ns);
	for (unsigned i = 0; i < TIME_PARTS_WITHIN; i++)
		sum_ns += part_ns[i];
	assert_int_equal(sum_ns, END_NS - BEGIN_NS);
}

static void newest_figures_that_an_event_had_are_not_there(void **state)
{
	const struct turn_summary summary = { .last_ns = END_NS, .calls = 2, .dir = DIR_WRITE };
	const struct call_use told = { 0 };

	(void)state;
	ask();
	call(DIR_WRITE, END_NS);
	usage_note_newest(&connection, &summary, &told);
	usage_note_newest(&connection, &summary, NULL);
	assert_int_equal(connection.used[DIR_WRITE].usage.tid, TID);
	assert_int_equal(connection.used[DIR_WRITE].time_ns, END_NS);
	usage_note_newest(&connection, &summary,
			  &(struct call_use){ .thread = { .tid = TID + 1 } });
	assert_int_equal(connection.used[DIR_WRITE].usage.tid, TID + 1);
}

static void one_that_never_left_its_cpu_ran(void **state)
{
	(void)state;
	ask();
	use.now.thread.on_cpu_ns += 4000000; /* a tick */
	use.now.thread.exec_start_ns += 4000000;
	answer();
	assert_parts(10000000, 0, 0, 0, 0);
}

static void off_its_cpu_it_waited_or_was_blocked(void **state)
{
	(void)state;
	ask();
	use.now.thread.on_cpu_ns += 1000000;
	use.now.thread.exec_start_ns += 9000000;
	use.now.thread.run_queue_ns += 2500000;
	use.now.thread.voluntary_switches++;
	use.now.thread.major_faults += 2;
	answer();
	assert_parts(2000000, 2500000, 0, 5500000, 0);
	assert_int_equal(exchange.usage.voluntary_switches, 1);
	assert_int_equal(exchange.usage.major_faults, 2);
}

static void throttling_is_told_apart(void **state)
{
	(void)state;
	ask();
	use.now.thread.exec_start_ns += 8000000;
	use.now.thread.run_queue_ns += 8000000;
	use.now.thread.throttled_ns += 7000000;
	answer();
	assert_parts(2000000, 1000000, 7000000, 0, 0);
	ask();
	use.now.thread.exec_start_ns += 8000000;
	use.now.thread.run_queue_ns += 8000000;
	use.now.thread.throttled_ns += 90000000; /* of several CPUs */
	answer();
	assert_parts(2000000, 0, 8000000, 0, 0);
}

/* Units of 1024 ns. */
static void what_it_was_blocked_on_is_told_apart(void **state)
{
	(void)state;
	use.now.thread.waits_owner = 3;
	use.now.thread.waited[WAIT_LOCK] = UINT32_MAX; /* which the next unit makes 0 */
	use.now.thread.waited[WAIT_SLEEP] = 70000;
	ask();
	use.now.thread.exec_start_ns += 8000000;
	use.now.thread.run_queue_ns += 1000000;
	use.now.thread.waited[WAIT_LOCK] += 1000;
	use.now.thread.waited[WAIT_DISK] += 2000;
	answer();
	assert_int_equal(exchange.usage.part_ns[TIME_LOCK], 1024000);
	assert_int_equal(exchange.usage.part_ns[TIME_DISK], 2048000);
	assert_int_equal(exchange.usage.part_ns[TIME_SLEEP], 0);
	assert_parts(2000000, 1000000, 0, 7000000 - 1024000 - 2048000, 0);
	ask();
	use.now.thread.exec_start_ns += 8000000;
	use.now.thread.waited[WAIT_MEMORY] +=
		9000; /* good to a unit, the other clock to a nanosecond */
	answer();
	assert_int_equal(exchange.usage.part_ns[TIME_MEMORY], 8000000);
	assert_parts(2000000, 0, 0, 0, 0);
}

static void what_another_thread_was_blocked_on_is_not(void **state)
{
	(void)state;
	for (uint32_t owner = 0; owner < 2; owner++) {
		use.now.thread.waits_owner = owner;
		ask();
		use.now.thread.exec_start_ns += 8000000;
		use.now.thread.waits_owner = 2 * owner;
		use.now.thread.waited[WAIT_LOCK] += 1000;
		answer();
		assert_int_equal(exchange.usage.part_ns[TIME_LOCK], 0);
		assert_parts(2000000, 0, 0, 8000000, 0);
	}
}

static void a_thread_that_was_moved_has_two_clocks(void **state)
{
	(void)state;
	ask();
	use.now.thread.migrations++;
	use.now.thread.on_cpu_ns += 3000000;
	use.now.thread.exec_start_ns -= 500000000;
	use.now.thread.run_queue_ns += 1000000;
	answer();
	assert_parts(3000000, 1000000, 0, 6000000, 0);
	ask();
	use.now.thread.migrations++;
	use.now.thread.on_cpu_ns += 14000000; /* a tick more than there was */
	answer();
	assert_parts(10000000, 0, 0, 0, 0);
}

static void no_part_is_longer_than_the_whole(void **state)
{
	(void)state;
	ask();
	use.now.thread.exec_start_ns += 60000000;
	use.now.thread.run_queue_ns += 50000000;
	answer();
	assert_parts(0, 10000000, 0, 0, 0);
}

static void several_threads_are_not_accounted_for(void **state)
{
	(void)state;
	ask();
	use.now.thread.tid++;
	answer();
	assert_parts(0, 0, 0, 0, 10000000);
}

/* join_handed.c puts it in the place of how the request began. */
static void of_who_was_handed_it_is_known_what_followed_its_first_call(void **state)
{
	(void)state;
	ask();
	use.now.thread.tid++;
	exchange.begun.used = (struct thread_use){ BEGIN_NS + 4000000, use.now.thread };
	use.now.thread.exec_start_ns += 5000000;
	use.now.thread.run_queue_ns += 2000000;
	answer();
	assert_parts(1000000, 2000000, 0, 3000000, 4000000);
}

static void what_was_not_told_is_not_accounted_for(void **state)
{
	(void)state;
	ask();
	exchange.end_ns = END_NS;
	usage_end(&engine, &connection, &exchange);
	assert_parts(0, 0, 0, 0, 10000000);
}

/* A call of the thread, over another connection, in which it was blocked for so long. */
static void call_out(uint64_t blocked_ns)
{
	const struct exchange served = exchange;
	const struct connection front = connection;

	memset(&exchange, 0, sizeof(exchange));
	connection.role = ROLE_CLIENT;
	ask();
	use.now.thread.exec_start_ns += blocked_ns;
	answer();
	assert_int_equal(exchange.usage.part_ns[TIME_NETWORK], blocked_ns);
	assert_int_equal(exchange.usage.part_ns[TIME_BLOCKED], 0);
	connection = front;
	exchange = served;
}

static void blocked_in_its_own_calls_is_network(void **state)
{
	(void)state;
	call_out(9000000); /* before the request */
	ask();
	call_out(4000000);
	use.now.thread.exec_start_ns += 1000000;
	answer();
	assert_int_equal(exchange.usage.part_ns[TIME_NETWORK], 4000000);
	assert_parts(5000000, 0, 0, 1000000, 0);
}

static void calls_at_once_are_no_longer_than_it_was_blocked(void **state)
{
	(void)state;
	ask();
	call_out(4000000);
	use.now.thread.exec_start_ns -= 4000000;
	call_out(4000000);
	answer();
	assert_int_equal(exchange.usage.part_ns[TIME_NETWORK], 4000000);
	assert_parts(6000000, 0, 0, 0, 0);
}

static void calls_of_another_thread_in_the_slot_are_not_taken(void **state)
{
	(void)state;
	ask();
	for (use.now.thread.tid = TID + 1; use.now.thread.tid < TID + 20 * CALLING_THREADS;
	     use.now.thread.tid++)
		call_out(1000);
	use.now.thread.tid = TID;
	answer();
	assert_int_equal(exchange.usage.part_ns[TIME_NETWORK], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(newest_figures_that_an_event_had_are_not_there, begin),
		cmocka_unit_test_setup(one_that_never_left_its_cpu_ran, begin),
		cmocka_unit_test_setup(off_its_cpu_it_waited_or_was_blocked, begin),
		cmocka_unit_test_setup(throttling_is_told_apart, begin),
		cmocka_unit_test_setup(what_it_was_blocked_on_is_told_apart, begin),
		cmocka_unit_test_setup(what_another_thread_was_blocked_on_is_not, begin),
		cmocka_unit_test_setup(a_thread_that_was_moved_has_two_clocks, begin),
		cmocka_unit_test_setup(no_part_is_longer_than_the_whole, begin),
		cmocka_unit_test_setup(several_threads_are_not_accounted_for, begin),
		cmocka_unit_test_setup(of_who_was_handed_it_is_known_what_followed_its_first_call,
				       begin),
		cmocka_unit_test_setup(what_was_not_told_is_not_accounted_for, begin),
		cmocka_unit_test_setup(blocked_in_its_own_calls_is_network, begin),
		cmocka_unit_test_setup(calls_at_once_are_no_longer_than_it_was_blocked, begin),
		cmocka_unit_test_setup(calls_of_another_thread_in_the_slot_are_not_taken, begin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
