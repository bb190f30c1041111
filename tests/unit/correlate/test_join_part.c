/* SPDX-License-Identifier: Apache-2.0 */
/* Answers that an event loop reads in parts, the last of which is no event. */
#include "correlate/join.h"
#include "loop_scene.h"

/* Three requests and what the loop calls for them; each has its own connection there. */
static struct wire *a, *b, *c, *for_a, *for_b, *for_c;

static int begin(void **state)
{
	if (setup(state) < 0)
		return -1;
	a = server(LOOP);
	b = server(LOOP);
	c = server(LOOP);
	for_a = client(LOOP);
	for_b = client(LOOP);
	for_c = client(LOOP);
	return 0;
}

static void reads_unseen(struct wire *wire)
{
	world_read_unseen(&world, wire, "hello");
}

static void begin_both(void)
{
	reads(a, GET("/a"));
	writes(for_a, GET("/for-a"));
	reads(b, GET("/b"));
	writes(for_b, GET("/for-b"));
}

/* Something else is done. */
static void begin_third(void)
{
	reads(c, GET("/c"));
	writes(for_c, GET("/for-c"));
}

/* The second one's answer begins when of its call's a part was read that is no event. */
static void answer_while_in_parts(void)
{
	begin_both();
	reads(for_b, OPEN);
	begin_third();
	reads_unseen(for_b);
	writes(b, OK);
}

/* The connection's next event. */
static void goes_on(struct wire *wire)
{
	writes(wire, GET("/next"));
}

static void by_the_next_event(void **state)
{
	(void)state;
	answer_while_in_parts();
	expect("");
	goes_on(for_b);
	expect("server /b generated 3/4<0;client /for-b parent 3/5<4;");
	assert_int_equal(figures().loop, 0);
}

static void by_the_end_of_its_connection(void **state)
{
	(void)state;
	answer_while_in_parts();
	world_hang_up(&world, for_b);
	assert_true(is_told("client /for-b parent"));
	assert_true(is_told("server /b generated"));
}

/* Of several answers the heads are there; the end of one is. */
static void among_parts_of_others(void **state)
{
	(void)state;
	begin_both();
	reads(for_a, OPEN);
	reads(for_b, OPEN);
	reads_unseen(for_b);
	writes(b, OK);
	goes_on(for_b);
	expect("");
	reads_unseen(for_a);
	writes(a, OK);
	goes_on(for_a);
	assert_true(is_told("client /for-b parent"));
	assert_true(is_told("client /for-a parent"));
	assert_int_equal(figures().ambiguous, 0);
}

static void at_the_end_of_a_chain(void **state)
{
	struct wire *more = client(LOOP);

	(void)state;
	begin_both();
	reads(for_b, OK);
	writes(more, GET("/more"));
	reads(more, OPEN);
	begin_third();
	reads_unseen(more);
	writes(b, OK);
	expect("");
	goes_on(more);
	assert_true(is_told("client /for-b parent"));
	assert_true(is_told("client /more parent"));
}

/* The answer was there before the thread did something else. */
static void not_before_it_wrote_last(void **state)
{
	(void)state;
	begin_both();
	reads(for_b, OPEN);
	reads_unseen(for_b);
	begin_third();
	writes(b, OK);
	goes_on(for_b);
	assert_true(is_told("client /for-b generated"));
	assert_true(is_told("server /b generated"));
}

static void not_after_the_answer_began(void **state)
{
	(void)state;
	begin_both();
	reads(for_b, OPEN);
	begin_third();
	writes(b, OK);
	reads_unseen(for_b);
	goes_on(for_b);
	assert_true(is_told("client /for-b generated"));
}

static void not_when_another_was_read_to_its_end(void **state)
{
	(void)state;
	begin_both();
	reads(for_a, OPEN);
	reads(for_b, OPEN);
	begin_third();
	reads_unseen(for_a);
	reads_unseen(for_b);
	writes(b, OK);
	goes_on(for_b);
	expect("");
	goes_on(for_a);
	assert_true(is_told("client /for-b generated"));
}

/* When the other one was read, nobody can say. */
static void not_when_another_was_cut(void **state)
{
	(void)state;
	begin_both();
	reads(for_a, OPEN);
	reads(for_b, OPEN);
	begin_third();
	reads_unseen(for_b);
	writes(b, OK);
	goes_on(for_b);
	world_hang_up(&world, for_a);
	assert_true(is_told("client /for-b generated"));
}

/* All of another answer was read last. */
static void not_when_it_follows_something_else(void **state)
{
	(void)state;
	begin_both();
	reads(for_b, OPEN);
	reads(for_a, OK);
	reads_unseen(for_b);
	writes(b, OK);
	assert_true(is_told("server /b generated"));
	goes_on(for_b);
	assert_true(is_told("client /for-b generated"));
}

/* Two calls of the request are at that point. */
static void not_one_of_two(void **state)
{
	struct wire *more = client(LOOP);

	(void)state;
	reads(a, GET("/a"));
	writes(for_a, GET("/for-a"));
	reads(b, GET("/b"));
	writes(for_b, GET("/for-b"));
	writes(more, GET("/more"));
	reads(for_b, OPEN);
	reads(more, OPEN);
	begin_third();
	reads_unseen(for_b);
	writes(b, OK);
	goes_on(for_b);
	assert_true(is_told("client /for-b generated"));
}

static void waits_for_a_while(void **state)
{
	(void)state;
	answer_while_in_parts();
	world_pause(&world, 200);
	expect("");
	assert_int_equal(figures().loop, 1);
	world_pause(&world, 200);
	expect("server /b generated 3/4<0;");
	goes_on(for_b);
	assert_true(is_told("client /for-b generated"));
}

static void its_thread_ends(void **state)
{
	(void)state;
	answer_while_in_parts();
	world_thread(&world, LOOP, LOOP, 0);
	assert_true(is_told("server /b generated"));
	goes_on(for_b);
	assert_true(is_told("client /for-b generated"));
}

static void ends_while_some_wait(void **state)
{
	(void)state;
	begin_both();
	reads(for_a, OPEN);
	reads(for_b, OPEN);
	begin_third();
	reads_unseen(for_b);
	writes(b, OK);
	goes_on(for_b);
	expect("");
}

static void allocations_fail(void **state)
{
	world_close(&world);
	FOR_EACH_FAILING_ALLOC(nth)
	{
		if (begin(state) < 0)
			continue;
		answer_while_in_parts();
		goes_on(for_b);
		world_close(&world);
	}
	assert_int_equal(begin(state), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, teardown)
	const struct CMUnitTest tests[] = {
		TEST(by_the_next_event),
		TEST(by_the_end_of_its_connection),
		TEST(among_parts_of_others),
		TEST(at_the_end_of_a_chain),
		TEST(not_before_it_wrote_last),
		TEST(not_after_the_answer_began),
		TEST(not_when_another_was_read_to_its_end),
		TEST(not_when_another_was_cut),
		TEST(not_when_it_follows_something_else),
		TEST(not_one_of_two),
		TEST(waits_for_a_while),
		TEST(its_thread_ends),
		TEST(ends_while_some_wait),
		TEST(allocations_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
