/* SPDX-License-Identifier: Apache-2.0 */
/* Connects that failed: whose work they were. */
#include <errno.h>

#include "join_scene.h"

#define SERVER 100u /* a process, and its first thread */
#define OTHER 200u

static void fails(uint32_t tid, unsigned milliseconds)
{
	world_connect_fails(&world, client(SERVER), tid, milliseconds, ECONNREFUSED);
}

static void of_nobody(void **state)
{
	(void)state;
	fails(SERVER, 0);
	world_pause(&world, 1);
	expect("client - ECONNREFUSED alone generated 1/2<0;");
	assert_int_equal(figures().spans[SPAN_JOIN_GENERATED], 1);
}

static void of_the_request(void **state)
{
	struct wire *in = server(SERVER);

	(void)state;
	world_read(&world, in, SERVER, GET("/a"));
	world_pause(&world, 5);
	fails(SERVER, 5);
	world_pause(&world, 100);
	expect("");
	assert_int_equal(figures().connects, 1);
	world_write(&world, in, SERVER, OK);
	world_pause(&world, 1);
	expect("server /a generated 1/2<0;client - ECONNREFUSED alone parent 1/3<2;");
	assert_int_equal(figures().connects, 0);
}

/* What the application names later is the trace of both: its first try was in vain, its second one says whose it is. */
static void adopted(void **state)
{
	struct wire *in = server(SERVER), *out = client(SERVER);

	(void)state;
	world_read(&world, in, SERVER, GET("/a"));
	fails(SERVER, 0);
	world_write(&world, out, SERVER, GET_WITH("/b", TRACEPARENT));
	world_read(&world, out, SERVER, OK);
	world_write(&world, in, SERVER, OK);
	world_pause(&world, 1);
	expect("client /b header a1/3<b2 flags=1;server /a adopted a1/2<0 flags=1;"
	       "client - ECONNREFUSED alone parent a1/4<2 flags=1;");
}

/* The thread has gone on since it connected: to its next request, or with the same. */
static void not_of_the_next(void **state)
{
	struct wire *in = server(SERVER), *out = client(SERVER);

	(void)state;
	world_pause(&world, 10);
	world_read(&world, in, SERVER, GET("/a"));
	fails(SERVER, 2);
	world_pause(&world, 1);
	expect("client - ECONNREFUSED alone generated 1/2<0;");
	world_write(&world, out, SERVER, GET("/b"));
	world_read(&world, out, SERVER, OK);
	expect("client /b parent 3/5<4;");
	fails(SERVER, 1);
	world_write(&world, in, SERVER, OK);
	expect("server /a generated 3/4<0;");
	world_pause(&world, 2001);
	expect("client - ECONNREFUSED alone generated 6/7<0 3/4;");
	assert_int_equal(figures().ambiguous, 1);
}

/* Another request was there as well when the thread connected, and is over now. */
static void not_when_another_was_there(void **state)
{
	struct wire *a = server(SERVER), *b = server(SERVER);

	(void)state;
	world_read(&world, a, SERVER, GET("/a"));
	world_read(&world, b, SERVER + 1, GET("/b"));
	world_write(&world, b, SERVER + 1, OK);
	expect("server /b generated 1/2<0;");
	fails(SERVER, 1);
	fails(SERVER, 0);
	world_write(&world, a, SERVER, OK);
	world_pause(&world, 2001);
	expect("server /a generated 3/4<0;client - ECONNREFUSED alone generated 5/6<0 3/4;"
	       "client - ECONNREFUSED alone parent 3/7<4;");
}

/* The same, of one that has never been answered. */
static void not_when_another_was_given_up(void **state)
{
	struct wire *a = server(SERVER), *b = server(SERVER);

	(void)state;
	world_read(&world, a, SERVER, GET("/a"));
	world_read(&world, b, SERVER + 1, GET("/b"));
	world_hang_up(&world, b);
	fails(SERVER, 1);
	world_write(&world, a, SERVER, OK);
	world_pause(&world, 2001);
	expect("server /a generated 1/2<0;client - ECONNREFUSED alone generated 3/4<0 1/2;");
}

static void ambiguous(void **state)
{
	struct wire *a = server(SERVER), *b = server(SERVER);

	(void)state;
	world_read(&world, a, SERVER, GET("/a"));
	world_read(&world, b, SERVER, GET("/b"));
	fails(SERVER, 0);
	world_write(&world, a, SERVER, OK);
	world_write(&world, b, SERVER, OK);
	world_pause(&world, 2001);
	expect("server /a generated 1/2<0;server /b generated 3/4<0;"
	       "client - ECONNREFUSED alone generated 5/6<0 3/4 1/2;");
}

/* Another process has the thread's number by now, or the recording does not say it. */
static void not_of_another_thread(void **state)
{
	struct wire *in = server(OTHER);

	(void)state;
	world_read(&world, in, SERVER, GET("/a"));
	fails(SERVER, 0);
	fails(0, 0);
	world_pause(&world, 1);
	expect("client - ECONNREFUSED alone generated 1/2<0;"
	       "client - ECONNREFUSED alone generated 3/4<0;");
}

static void given_up_by_the_process(void **state)
{
	(void)state;
	world_connect_fails(&world, client(SERVER), SERVER, 0, 0);
	world_pause(&world, 1);
	expect("");
}

static void places_are_bounded(void **state)
{
	struct wire *in = server(SERVER);

	(void)state;
	world_read(&world, in, SERVER, GET("/a"));
	for (int i = 0; i < 257; i++)
		fails(SERVER, 0);
	expect("client - ECONNREFUSED alone parent 1/3<2;");
	assert_int_equal(figures().connects, 256);
	assert_int_equal(figures().connects_limit, 256);
	assert_int_equal(figures().connects_evicted, 1);
}

static void at_the_end(void **state)
{
	(void)state;
	fails(SERVER, 0);
	world_close(&world);
	expect("client - ECONNREFUSED alone generated 1/2<0;");
	assert_int_equal(setup(state), 0);
}

static void allocations_fail(void **state)
{
	(void)state;
	world_close(&world);
	FOR_EACH_FAILING_ALLOC(nth)
	{
		if (world_open(&world, true) < 0)
			continue;
		world_read(&world, server(SERVER), SERVER, GET("/a"));
		world_read(&world, server(SERVER), SERVER, GET("/b"));
		fails(SERVER, 0);
		world_close(&world);
	}
	assert_int_equal(world_open(&world, true), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(of_nobody),
		TEST(of_the_request),
		TEST(adopted),
		TEST(not_of_the_next),
		TEST(not_when_another_was_there),
		TEST(not_when_another_was_given_up),
		TEST(ambiguous),
		TEST(not_of_another_thread),
		TEST(given_up_by_the_process),
		TEST(places_are_bounded),
		TEST(at_the_end),
		TEST(allocations_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
