/* SPDX-License-Identifier: Apache-2.0 */
/* Chains of an event loop's calls: each follows the answer to the one before. */
#include "correlate/join.h"
#include "loop_scene.h"

#define ASKER 200u

/* A request that is answered by the loop all the while, one whose calls are looked at, and where these go. */
static struct wire *other, *a, *one, *two;

static int begin(void **state)
{
	if (setup(state) < 0)
		return -1;
	other = server(LOOP);
	a = server(LOOP);
	one = client(LOOP);
	two = client(LOOP);
	return 0;
}

/* The other one's call is still under way. */
static void begin_other(void)
{
	reads(other, GET("/other"));
	writes(client(LOOP), GET("/for-other"));
}

/* Up to the first call's answer, and to the second call. */
static void call_one(void)
{
	begin_other();
	reads(a, GET("/a"));
	writes(one, GET("/one"));
	reads(one, OK);
}

static void call_both(void)
{
	call_one();
	writes(two, GET("/two"));
}

static void all_calls_of_a_chain(void **state)
{
	(void)state;
	call_both();
	reads(two, OK);
	expect("");
	assert_int_equal(figures().loop, 2);
	writes(a, OK);
	assert_true(is_told("client /one parent"));
	assert_true(is_told("client /two parent"));
	assert_true(is_told("server /a generated"));
	assert_int_equal(figures().loop, 0);
	assert_int_equal(figures().ambiguous, 0);
}

/* As in a transaction. */
static void on_one_connection(void **state)
{
	(void)state;
	call_one();
	for (int i = 0; i < 3; i++) {
		writes(one, GET("/more"));
		reads(one, OK);
	}
	expect("");
	writes(a, OK);
	assert_int_equal(figures().spans[SPAN_JOIN_PARENT], 4);
}

/* What is done about other things in between is none of the chain. */
static void with_others_in_between(void **state)
{
	struct wire *b = server(LOOP), *for_b = client(LOOP);

	(void)state;
	call_one();
	writes(two, GET("/two"));
	reads(b, GET("/b"));
	writes(for_b, GET("/for-b"));
	reads(two, OK);
	writes(a, OK);
	assert_true(is_told("client /one parent"));
	assert_true(is_told("client /two parent"));
	reads(for_b, OK);
	writes(b, OK);
	assert_true(is_told("client /for-b parent"));
}

/* A pool gives the connection to somebody else's call first: that one is not the request's, whose own follows all the same. */
static void after_somebody_elses_call(void **state)
{
	(void)state;
	call_one();
	writes(one, GET("/somebody-elses"));
	writes(two, GET("/two"));
	reads(one, OK);
	writes(client(LOOP), GET("/for-somebody"));
	reads(two, OK);
	writes(a, OK);
	assert_true(is_told("client /one parent"));
	assert_true(is_told("client /two parent"));
	assert_false(is_told("client /somebody-elses parent"));
	world_pause(&world, 400);
	assert_true(is_told("client /somebody-elses generated"));
}

/* Both ends of each call are here, and told in time: all are in one trace. */
static void in_one_trace(void **state)
{
	struct wire *called[] = { world_connect_to(&world, one, ROLE_SERVER, ASKER),
				  world_connect_to(&world, two, ROLE_SERVER, ASKER) };

	(void)state;
	begin_other();
	reads(a, GET("/a"));
	writes(one, GET("/one"));
	world_read(&world, called[0], ASKER, GET("/one"));
	world_write(&world, called[0], ASKER, OK);
	reads(one, OK);
	writes(two, GET("/two"));
	world_read(&world, called[1], ASKER, GET("/two"));
	world_write(&world, called[1], ASKER, OK);
	reads(two, OK);
	expect("");
	writes(a, OK);
	expect("client /two parent 5/6<7;server /two parent 5/8<6;client /one parent 5/4<7;"
	       "server /one parent 5/9<4;server /a generated 5/7<0;");
}

/* Calls of one request after the other are seen to be theirs. */
static void show(unsigned times)
{
	begin_other();
	for (; times; times--) {
		reads(a, GET("/a"));
		writes(one, GET("/one"));
		reads(one, OK);
		writes(a, OK);
	}
	world.log[world.log_bytes = 0] = '\0';
}

/* Who serves the call is told, and so is the request's trace by another call's link, before it is known whose the call is. */
static bool is_late_one_joined(bool is_kept)
{
	struct wire *c = server(LOOP), *for_c = client(LOOP), *more = client(LOOP);
	struct wire *out = client(LOOP),
		    *called = world_connect_to(&world, out, ROLE_SERVER, ASKER);

	if (is_kept) {
		writes(out, GET("/first"));
		world_read(&world, called, ASKER, GET("/first"));
		world_write(&world, called, ASKER, OK);
		reads(out, OK);
	}
	reads(c, GET("/c"));
	writes(for_c, GET("/for-c"));
	reads(a, GET("/a"));
	writes(out, GET("/late"));
	world_read(&world, called, ASKER, GET("/late"));
	world_write(&world, called, ASKER, OK);
	world_pause(&world, 400);
	assert_true(is_told("server /late parent"));
	reads(for_c, OPEN);
	writes(more, GET("/more"));
	reads(more, OK);
	assert_true(is_told("client /more generated"));
	writes(more, GET("/more"));
	reads(out, OK);
	writes(a, OK);
	assert_true(is_told("server /a generated"));
	return is_told("client /late parent");
}

static void are_in_its_trace_at_once(void **state)
{
	(void)state;
	show(JOIN_LOOP_SHOWN);
	assert_true(is_late_one_joined(true));
}

static void not_before_all_is_shown(void **state)
{
	(void)state;
	show(JOIN_LOOP_SHOWN - 1);
	assert_false(is_late_one_joined(true));
}

/* What waited for its connection may be anybody's. */
static void not_the_first_of_a_connection(void **state)
{
	(void)state;
	show(JOIN_LOOP_SHOWN);
	assert_false(is_late_one_joined(false));
}

/* What followed a request was another's: all is to be shown anew. */
static void not_when_one_was_astray(void **state)
{
	struct wire *b = server(LOOP);

	(void)state;
	show(JOIN_LOOP_SHOWN);
	reads(b, GET("/b"));
	writes(client(LOOP), GET("/for-b"));
	reads(a, GET("/a"));
	writes(one, GET("/one"));
	reads(one, OK);
	writes(b, OK);
	writes(a, OK);
	assert_false(is_late_one_joined(true));
}

static void not_when_the_last_one_is_anothers(void **state)
{
	(void)state;
	call_both();
	reads(two, OK);
	writes(other, OK);
	writes(a, OK);
	assert_true(is_told("client /one generated"));
	assert_true(is_told("client /two generated"));
}

/* Two answers are there: which of them the next call is made for, nobody knows. */
static void not_after_two_answers(void **state)
{
	struct wire *b = server(LOOP), *for_b = client(LOOP);

	(void)state;
	begin_other();
	reads(a, GET("/a"));
	writes(one, GET("/one"));
	reads(b, GET("/b"));
	writes(for_b, GET("/for-b"));
	reads(one, OK);
	reads(for_b, OK);
	writes(two, GET("/two"));
	reads(two, OK);
	writes(a, OK);
	assert_true(is_told("client /one generated"));
	assert_true(is_told("client /for-b generated"));
	assert_true(is_told("client /two generated"));
}

/* The same of one connection. */
static void not_after_two_answers_of_one_read(void **state)
{
	struct wire *b = server(LOOP);

	(void)state;
	begin_other();
	reads(a, GET("/a"));
	writes(one, GET("/one"));
	reads(b, GET("/b"));
	writes(one, GET("/for-b"));
	reads(one, OK OK);
	writes(a, OK);
	writes(b, OK);
	assert_true(is_told("client /one generated"));
	assert_true(is_told("client /for-b generated"));
}

/* What comes after the head of an answer may be for anything. */
static void not_after_a_part_of_an_answer(void **state)
{
	(void)state;
	begin_other();
	reads(a, GET("/a"));
	writes(one, GET("/one"));
	reads(one, OPEN);
	writes(two, GET("/two"));
	reads(two, OK);
	writes(a, OK);
	reads(one, "hello");
	assert_true(is_told("client /one generated"));
	assert_true(is_told("client /two generated"));
}

/* An answer that comes in parts, all of which are seen. */
static void after_all_parts_of_an_answer(void **state)
{
	(void)state;
	begin_other();
	reads(a, GET("/a"));
	writes(one, GET("/one"));
	reads(one, OPEN);
	reads(one, "hello");
	writes(two, GET("/two"));
	reads(two, OK);
	writes(a, OK);
	assert_true(is_told("client /one parent"));
	assert_true(is_told("client /two parent"));
}

/* The first call had no rival; the second one has, and follows it. */
static void after_a_sure_one(void **state)
{
	(void)state;
	reads(a, GET("/a"));
	writes(one, GET("/one"));
	begin_other();
	reads(one, OK);
	writes(two, GET("/two"));
	reads(two, OK);
	writes(a, OK);
	assert_true(is_told("client /one parent"));
	assert_true(is_told("client /two parent"));
}

/* The connection of a call that waits goes; it is told all the same. */
static void its_connection_goes(void **state)
{
	(void)state;
	call_one();
	world_hang_up(&world, one);
	writes(two, GET("/two"));
	reads(two, OK);
	writes(a, OK);
	assert_true(is_told("client /one parent"));
	assert_true(is_told("client /two parent"));
}

static void waits_for_a_while(void **state)
{
	(void)state;
	call_both();
	world_pause(&world, 50);
	expect("");
	world_pause(&world, 400);
	assert_true(is_told("client /one generated"));
	reads(two, OK);
	writes(a, OK);
	assert_true(is_told("client /two parent"));
}

static void ends_while_some_wait(void **state)
{
	(void)state;
	call_both();
	reads(two, OK);
	assert_int_equal(figures().loop, 2);
}

/* The oldest is told as it is. */
static void bounds(void **state)
{
	(void)state;
	call_one();
	for (unsigned i = 1; i < JOIN_LOOP_CALLS_MAX; i++) {
		writes(two, GET("/more"));
		reads(two, OK);
		world.now_ns -= 2000000; /* all this in no time */
	}
	expect("");
	assert_int_equal(figures().loop, figures().loop_limit);
	assert_int_equal(figures().loop_evicted, 0);
	writes(two, GET("/newest"));
	reads(two, OK);
	assert_true(is_told("client /one generated"));
	assert_int_equal(figures().loop, figures().loop_limit);
	assert_int_equal(figures().loop_evicted, 1);
	writes(a, OK);
	assert_int_equal(figures().loop, 0);
	assert_int_equal(figures().spans[SPAN_JOIN_PARENT], JOIN_LOOP_CALLS_MAX);
}

static void allocations_fail(void **state)
{
	world_close(&world);
	FOR_EACH_FAILING_ALLOC(nth)
	{
		if (begin(state) < 0)
			continue;
		call_both();
		reads(two, OK);
		writes(a, OK);
		world_close(&world);
	}
	assert_int_equal(begin(state), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, teardown)
	const struct CMUnitTest tests[] = {
		TEST(all_calls_of_a_chain),
		TEST(on_one_connection),
		TEST(with_others_in_between),
		TEST(after_somebody_elses_call),
		TEST(in_one_trace),
		TEST(are_in_its_trace_at_once),
		TEST(not_before_all_is_shown),
		TEST(not_the_first_of_a_connection),
		TEST(not_when_one_was_astray),
		TEST(not_when_the_last_one_is_anothers),
		TEST(not_after_two_answers),
		TEST(not_after_two_answers_of_one_read),
		TEST(not_after_a_part_of_an_answer),
		TEST(after_all_parts_of_an_answer),
		TEST(after_a_sure_one),
		TEST(its_connection_goes),
		TEST(waits_for_a_while),
		TEST(ends_while_some_wait),
		TEST(bounds),
		TEST(allocations_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
