/* SPDX-License-Identifier: Apache-2.0 */
/* Calls of threads that are started by one that answers a request. */
#include "correlate/join.h"
#include "join_scene.h"

#define SERVER 100u /* a process, and a thread that answers */
#define OTHER 101u  /* another one that does */
#define STARTED 110u
#define SHOWN 32 /* times that threads keep their requests before that is trusted */

static struct wire *a, *b, *out, *out_too;

static int begin(void **state)
{
	if (setup(state) < 0)
		return -1;
	a = server(SERVER);
	b = server(SERVER);
	out = client(SERVER);
	out_too = client(SERVER);
	return 0;
}

static void call(struct wire *wire, uint32_t tid, const char *request)
{
	world_write(&world, wire, tid, request);
	world_read(&world, wire, tid, OK);
}

static void starts(uint32_t tid, uint32_t by_tid)
{
	world_thread(&world, SERVER, tid, by_tid);
}

static void ends(uint32_t tid)
{
	world_thread(&world, SERVER, tid, 0);
}

static bool is_told(const char *text)
{
	return strstr(world.log, text) != NULL;
}

static void forget_log(void)
{
	world.log_bytes = 0;
	world.log[0] = '\0';
}

/* A request whose answer takes two threads. */
static void serve_with_two(void)
{
	world_read(&world, a, SERVER, GET("/a"));
	starts(STARTED, SERVER);
	starts(STARTED + 1, SERVER);
	call(out, STARTED, GET("/one"));
	call(out_too, STARTED + 1, GET("/two"));
	ends(STARTED);
	ends(STARTED + 1);
	world_write(&world, a, SERVER, OK);
}

static void are_its_children(void **state)
{
	(void)state;
	serve_with_two();
	expect("client /one parent 1/3<2;client /two parent 1/4<2;server /a generated 1/2<0;");
	assert_int_equal(figures().handed, 0);
}

/* What only one of them starts. */
static void started_by_started(void **state)
{
	(void)state;
	world_read(&world, a, SERVER, GET("/a"));
	starts(STARTED, SERVER);
	starts(STARTED + 1, STARTED);
	ends(STARTED);
	call(out, STARTED + 1, GET("/one"));
	ends(STARTED + 1);
	expect("client /one parent 1/3<2;");
}

/* A request is read, and a thread that is started for it makes a call. */
static void start_one(void)
{
	world_read(&world, a, SERVER, GET("/a"));
	starts(STARTED, SERVER);
	call(out, STARTED, GET("/one"));
}

/* It goes on after the answer, with something else: all is as of any thread. */
static void after_the_answer(void **state)
{
	(void)state;
	start_one();
	world_write(&world, a, SERVER, OK);
	expect("server /a generated 1/2<0;");
	call(out, STARTED, GET("/later"));
	ends(STARTED);
	assert_true(is_told("client /one generated"));
	assert_true(is_told("client /later generated"));
}

/* Its end may come late. */
static void told_after_the_answer(void **state)
{
	(void)state;
	start_one();
	world_write(&world, a, SERVER, OK);
	expect("server /a generated 1/2<0;");
	ends(STARTED);
	expect("client /one parent 1/3<2;");
}

/* A thread of a pool: it may do anybody's work. */
static void not_of_threads_that_stay(void **state)
{
	(void)state;
	start_one();
	world_pause(&world, 50);
	expect("");
	world_pause(&world, 400);
	expect("client /one generated 3/4<0 1/2;");
	assert_int_equal(figures().ambiguous, 1);
	world_write(&world, a, SERVER, OK);
	call(out, STARTED, GET("/next"));
	assert_true(is_told("client /next generated"));
}

/* Nobody knows yet whether threads keep their requests. */
static void links_when_unsure(void **state)
{
	(void)state;
	world_read(&world, a, SERVER, GET("/a"));
	world_read(&world, b, OTHER, GET("/b"));
	starts(STARTED, SERVER);
	call(out, STARTED, GET("/one"));
	ends(STARTED);
	expect("client /one generated 3/4<0 1/2;");
}

static void not_of_several(void **state)
{
	(void)state;
	world_read(&world, a, SERVER, GET("/a"));
	world_read(&world, b, SERVER, GET("/b"));
	call(out, SERVER, GET("/x"));
	forget_log();
	starts(STARTED, SERVER);
	call(out, STARTED, GET("/one"));
	ends(STARTED);
	world_pause(&world, 300);
	assert_true(is_told("client /one generated"));
}

static void not_of_readers(void **state)
{
	(void)state;
	world_read(&world, a, SERVER, GET("/a"));
	starts(STARTED, SERVER);
	world_read(&world, b, STARTED, GET("/b"));
	world_write(&world, b, STARTED, OK);
	call(out, STARTED, GET("/one"));
	ends(STARTED);
	assert_true(is_told("client /one generated"));
}

static void not_of_another_process(void **state)
{
	struct wire *in = server(300), *of_other = client(300);

	(void)state;
	world_read(&world, in, 300, GET("/in"));
	world_read(&world, a, SERVER, GET("/a"));
	world_thread(&world, 300, STARTED, SERVER);
	call(of_other, STARTED, GET("/one"));
	world_thread(&world, 300, STARTED, 0);
	assert_true(is_told("client /one generated"));
}

/* A number that another thread had, whose end was not told. */
static void numbers_used_anew(void **state)
{
	(void)state;
	start_one();
	starts(STARTED, 9999);
	assert_true(is_told("client /one parent"));
	call(out, STARTED, GET("/two"));
	world_pause(&world, 300);
	assert_true(is_told("client /two generated"));
}

/* Who read it is gone: the request still waits, and somebody else's call is not sure. */
static void readers_end(void **state)
{
	(void)state;
	world_read(&world, a, OTHER, GET("/a"));
	ends(OTHER);
	world_read(&world, b, SERVER, GET("/b"));
	call(out, SERVER, GET("/one"));
	world_write(&world, a, SERVER, OK);
	world_pause(&world, 400);
	assert_true(is_told("client /one generated"));
	assert_true(is_told("server /a generated"));
}

static void calls_that_are_not_over(void **state)
{
	(void)state;
	world_read(&world, a, SERVER, GET("/a"));
	starts(STARTED, SERVER);
	world_write(&world, out, STARTED, GET("/one"));
	ends(STARTED);
	world_read(&world, out, SERVER, OK);
	expect("client /one generated 3/4<0 1/2;");
}

/* The other ends tell their spans before: one trace, when this has been shown to be right. */
static void are_in_its_trace_at_once(void **state)
{
	struct wire *asks = client(SERVER), *asks_too = client(SERVER);
	struct wire *asked = world_connect_to(&world, asks, ROLE_SERVER, 200);
	struct wire *asked_too = world_connect_to(&world, asks_too, ROLE_SERVER, 200);

	(void)state;
	for (unsigned i = 0; i < SHOWN; i++)
		serve_with_two();
	forget_log();
	world_read(&world, a, SERVER, GET("/a"));
	starts(STARTED, SERVER);
	starts(STARTED + 1, SERVER);
	world_write(&world, asks, STARTED, GET("/one"));
	world_read(&world, asked, 200, GET("/one"));
	world_write(&world, asked, 200, OK);
	world_read(&world, asks, STARTED, OK);
	world_write(&world, asks_too, STARTED + 1, GET("/two"));
	world_read(&world, asked_too, 200, GET("/two"));
	world_write(&world, asked_too, 200, OK);
	world_read(&world, asks_too, STARTED + 1, OK);
	ends(STARTED);
	ends(STARTED + 1);
	assert_true(is_told("client /one parent"));
	assert_true(is_told("client /two parent"));
}

static void allocations_fail(void **state)
{
	world_close(&world);
	FOR_EACH_FAILING_ALLOC(nth)
	{
		if (begin(state) < 0)
			continue;
		serve_with_two();
		world_close(&world);
	}
	assert_int_equal(begin(state), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, teardown)
	const struct CMUnitTest tests[] = {
		TEST(are_its_children),
		TEST(started_by_started),
		TEST(after_the_answer),
		TEST(told_after_the_answer),
		TEST(not_of_threads_that_stay),
		TEST(links_when_unsure),
		TEST(not_of_several),
		TEST(not_of_readers),
		TEST(not_of_another_process),
		TEST(numbers_used_anew),
		TEST(readers_end),
		TEST(calls_that_are_not_over),
		TEST(are_in_its_trace_at_once),
		TEST(allocations_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
