/* SPDX-License-Identifier: Apache-2.0 */
/* Calls of event loops: each is a request's when it follows its reading, and the request's answer follows the call's. */
#include "loop_scene.h"

#define ASKER 200u

/* Two requests and what the loop calls for them. */
static struct wire *a, *b, *for_a, *for_b;

static int begin(void **state)
{
	if (setup(state) < 0)
		return -1;
	a = server(LOOP);
	b = server(LOOP);
	for_a = client(LOOP);
	for_b = client(LOOP);
	return 0;
}

/* A request is read, and its call made; so the next. */
static void begin_both(void)
{
	reads(a, GET("/a"));
	writes(for_a, GET("/for-a"));
	reads(b, GET("/b"));
	writes(for_b, GET("/for-b"));
}

/* The first one's call is sure as long as no other request is there. */
static void proxies_keep_theirs(void **state)
{
	(void)state;
	begin_both();
	reads(for_b, OK);
	expect("");
	writes(b, OK);
	expect("client /for-b parent 3/5<4;server /b generated 3/4<0;");
	reads(for_a, OK);
	expect("client /for-a parent 1/6<2;");
	writes(a, OK);
	expect("server /a generated 1/2<0;");
}

static void one_after_the_other_is_guessed_too(void **state)
{
	(void)state;
	begin_both();
	reads(for_b, OK);
	writes(b, OK);
	reads(b, GET("/c"));
	writes(for_b, GET("/for-c"));
	reads(for_b, OK);
	writes(b, OK);
	assert_non_null(strstr(world.log, "client /for-c parent"));
	assert_null(strstr(world.log, "client /for-c generated"));
}

/* The answer begins before all of the call's is there. */
static void proxies_pass_on_what_they_have(void **state)
{
	(void)state;
	begin_both();
	reads(for_b, OPEN);
	writes(b, OK);
	reads(for_b, "hello");
	assert_non_null(strstr(world.log, "client /for-b parent"));
}

static void not_when_others_answers_are_there_too(void **state)
{
	(void)state;
	begin_both();
	reads(for_a, OK);
	reads(for_b, OPEN);
	writes(b, OK);
	reads(for_b, "hello");
	assert_non_null(strstr(world.log, "client /for-b generated"));
}

/* The answer that follows is another request's. */
static void not_when_another_is_answered(void **state)
{
	struct wire *c = server(LOOP);

	(void)state;
	reads(c, GET("/c"));
	writes(client(LOOP), GET("/for-c"));
	begin_both();
	reads(for_b, OK);
	writes(a, OK);
	reads(for_a, OK);
	assert_non_null(strstr(world.log, "client /for-b generated"));
	writes(c, OK);
	assert_non_null(strstr(world.log, "client /for-a generated"));
}

/* `await`: all that is there is read before anything is done about it. */
static void not_when_several_are_read_at_once(void **state)
{
	(void)state;
	reads(a, GET("/a"));
	reads(b, GET("/b"));
	writes(for_a, GET("/for-a"));
	reads(for_a, OK);
	assert_non_null(strstr(world.log, "client /for-a generated"));
}

static void not_when_several_answers_are_read_at_once(void **state)
{
	(void)state;
	begin_both();
	reads(for_a, OK);
	reads(for_b, OK);
	writes(b, OK);
	assert_non_null(strstr(world.log, "client /for-b generated"));
}

/* Which of its calls is whose, its answer does not tell. */
static void not_one_of_several_calls(void **state)
{
	struct wire *more = client(LOOP);

	(void)state;
	begin_both();
	reads(for_b, OK);
	writes(more, GET("/more"));
	writes(b, OK);
	assert_non_null(strstr(world.log, "client /for-b generated"));
}

static void not_when_nothing_follows(void **state)
{
	(void)state;
	begin_both();
	reads(for_b, OK);
	world_pause(&world, 50);
	expect("");
	world_pause(&world, 400);
	assert_non_null(strstr(world.log, "client /for-b generated"));
}

static void not_when_its_connection_goes(void **state)
{
	(void)state;
	begin_both();
	reads(for_b, OK);
	world_hang_up(&world, for_b);
	world_pause(&world, 400);
	assert_non_null(strstr(world.log, "client /for-b generated"));
	writes(b, OK);
	assert_non_null(strstr(world.log, "server /b generated"));
}

/* The trace that the call names is its request's. */
static void adopts(void **state)
{
	(void)state;
	reads(a, GET("/a"));
	writes(for_a, GET("/for-a"));
	reads(b, GET("/b"));
	writes(for_b, GET_WITH("/for-b", TRACEPARENT));
	reads(for_b, OK);
	writes(b, OK);
	expect("client /for-b header a1/4<b2 flags=1;server /b adopted a1/5<0 flags=1;");
}

/* Who is called waits, too: its trace becomes the request's. */
static void joins_traces(void **state)
{
	struct wire *called = world_connect_to(&world, for_b, ROLE_SERVER, ASKER);

	(void)state;
	begin_both();
	world_read(&world, called, ASKER, GET("/for-b"));
	world_write(&world, called, ASKER, OK);
	reads(for_b, OK);
	writes(b, OK);
	expect("client /for-b parent 3/4<5;server /for-b parent 3/6<4;server /b generated 3/5<0;");
}

/* A request that names its trace: that of the call cannot be changed any more. */
static void joins_no_traces_that_were_told(void **state)
{
	struct wire *called = world_connect_to(&world, for_b, ROLE_SERVER, ASKER);

	(void)state;
	reads(a, GET("/a"));
	writes(for_a, GET("/for-a"));
	reads(b, GET_WITH("/b", TRACEPARENT));
	writes(for_b, GET("/for-b"));
	world_read(&world, called, ASKER, GET("/for-b"));
	world_write(&world, called, ASKER, OK);
	world_pause(&world, 400);
	assert_non_null(strstr(world.log, "server /for-b parent"));
	reads(for_b, OK);
	writes(b, OK);
	assert_non_null(strstr(world.log, "client /for-b generated"));
	assert_non_null(strstr(world.log, "server /b header a1"));
}

/* The same, told in time. */
static void joins_requests_that_name_their_trace(void **state)
{
	struct wire *called = world_connect_to(&world, for_b, ROLE_SERVER, ASKER);

	(void)state;
	reads(a, GET("/a"));
	writes(for_a, GET("/for-a"));
	reads(b, GET_WITH("/b", TRACEPARENT));
	writes(for_b, GET("/for-b"));
	world_read(&world, called, ASKER, GET("/for-b"));
	world_write(&world, called, ASKER, OK);
	reads(for_b, OK);
	writes(b, OK);
	expect("client /for-b parent a1/4<5 flags=1;server /for-b parent a1/6<4 flags=1;"
	       "server /b header a1/5<b2 flags=1;");
}

/* Who is called has told its span already: the caller's trace takes its name. */
static void takes_the_name_that_was_told(void **state)
{
	struct wire *called = world_connect_to(&world, for_b, ROLE_SERVER, ASKER);

	(void)state;
	begin_both();
	world_read(&world, called, ASKER, GET("/for-b"));
	world_write(&world, called, ASKER, OK);
	world_pause(&world, 400);
	expect("server /for-b parent 3/5<4;");
	reads(for_b, OK);
	writes(b, OK);
	expect("client /for-b parent 3/4<6;server /b generated 3/6<0;");
}

static void ends_while_one_is_held(void **state)
{
	(void)state;
	begin_both();
	reads(for_b, OK);
	expect("");
}

static void allocations_fail(void **state)
{
	world_close(&world);
	FOR_EACH_FAILING_ALLOC(nth)
	{
		if (begin(state) < 0)
			continue;
		begin_both();
		reads(for_b, OK);
		writes(b, OK);
		reads(for_a, OK);
		writes(a, OK);
		world_close(&world);
	}
	assert_int_equal(begin(state), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, teardown)
	const struct CMUnitTest tests[] = {
		TEST(proxies_keep_theirs),
		TEST(one_after_the_other_is_guessed_too),
		TEST(proxies_pass_on_what_they_have),
		TEST(not_when_others_answers_are_there_too),
		TEST(not_when_another_is_answered),
		TEST(not_when_several_are_read_at_once),
		TEST(not_when_several_answers_are_read_at_once),
		TEST(not_one_of_several_calls),
		TEST(not_when_nothing_follows),
		TEST(not_when_its_connection_goes),
		TEST(adopts),
		TEST(joins_traces),
		TEST(joins_no_traces_that_were_told),
		TEST(joins_requests_that_name_their_trace),
		TEST(takes_the_name_that_was_told),
		TEST(ends_while_one_is_held),
		TEST(allocations_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
