/* SPDX-License-Identifier: Apache-2.0 */
/* Calls of a pool's threads, where the loop that has read a request answers it. */
#include "correlate/join.h"
#include "join_scene.h"

#define LOOP 100u /* a process, and the thread that reads and answers */
#define WORKER 101u
#define SHOWN JOIN_LONE_SHOWN

#define SURE "client /call parent "

static struct wire *a, *b, *out, *out_too;

static int begin(void **state)
{
	if (setup(state) < 0)
		return -1;
	a = server(LOOP);
	b = server(LOOP);
	out = client(LOOP);
	out_too = client(LOOP);
	return 0;
}

static void forget_log(void)
{
	world.log_bytes = 0;
	world.log[0] = '\0';
}

static void call(uint32_t tid)
{
	world_write(&world, out, tid, GET("/call"));
	world_read(&world, out, tid, OK);
}

static void ask(unsigned pause_ms)
{
	forget_log();
	world_pause(&world, pause_ms);
	world_read(&world, a, LOOP, GET("/a"));
}

/* A request so long after the one before, with a call by the thread, which then works so long. */
static void serve(unsigned pause_ms, uint32_t tid, unsigned work_ms)
{
	ask(pause_ms);
	call(tid);
	world_pause(&world, work_ms);
	world_write(&world, a, LOOP, OK);
}

static void show(unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		serve(200, WORKER + i % 2, 0);
		assert_null(strstr(world.log, SURE));
	}
}

static bool is_sure(void)
{
	return strstr(world.log, SURE) != NULL;
}

static void links_at_first(void **state)
{
	(void)state;
	serve(200, WORKER, 0);
	expect("client /call generated 3/4<0 1/2;server /a generated 1/2<0;");
	assert_int_equal(figures().ambiguous, 1);
}

static void parents_when_shown(void **state)
{
	(void)state;
	show(SHOWN);
	serve(200, WORKER, 0);
	assert_true(is_sure());
	serve(200, WORKER + 1, 0);
	assert_true(is_sure());
	assert_int_equal(figures().ambiguous, SHOWN);
	assert_int_equal(figures().handed, 0);
}

/* Goroutines: any thread reads, calls, answers. */
static void by_readers(void **state)
{
	(void)state;
	world_read(&world, b, WORKER, GET("/b"));
	world_write(&world, b, WORKER, OK);
	for (unsigned i = 0; i < SHOWN; i++)
		serve(200, WORKER, 0);
	assert_false(is_sure());
	serve(200, WORKER, 0);
	assert_true(is_sure());
}

/* Work that is left over from the answer before may come so late. */
static void not_soon_after_another(void **state)
{
	(void)state;
	show(SHOWN);
	serve(5, WORKER, 0);
	assert_false(is_sure());
	serve(20, WORKER, 30);
	assert_false(is_sure());
	serve(40, WORKER, 30);
	assert_true(is_sure());
}

static void not_after_a_call_for_none(void **state)
{
	(void)state;
	show(SHOWN);
	world_pause(&world, 200);
	call(WORKER);
	show(SHOWN);
	serve(200, WORKER, 0);
	assert_true(is_sure());
}

static void not_with_more_calls(void **state)
{
	(void)state;
	show(SHOWN);
	ask(200);
	call(WORKER);
	call(WORKER);
	world_write(&world, a, LOOP, OK);
	assert_false(is_sure());
	show(2 * SHOWN);
	serve(200, WORKER, 0);
	assert_true(is_sure());
}

/* Two requests: the call has a link to the one that was there. */
static void not_of_two(void **state)
{
	(void)state;
	show(SHOWN);
	ask(200);
	call(WORKER);
	world_read(&world, b, LOOP, GET("/b"));
	world_write(&world, a, LOOP, OK);
	world_write(&world, b, LOOP, OK);
	world_pause(&world, 300);
	assert_false(is_sure());
	assert_int_equal(figures().ambiguous, SHOWN + 1);
}

static void not_of_one_that_came_second(void **state)
{
	(void)state;
	show(SHOWN);
	ask(200);
	world_read(&world, b, LOOP, GET("/b"));
	world_write(&world, a, LOOP, OK);
	call(WORKER);
	world_write(&world, b, LOOP, OK);
	world_pause(&world, 300);
	assert_false(is_sure());
}

static void not_with_open_calls(void **state)
{
	(void)state;
	show(SHOWN);
	ask(200);
	world_write(&world, out, WORKER, GET("/call"));
	world_write(&world, a, LOOP, OK);
	world_read(&world, out, WORKER, OK);
	assert_false(is_sure());
	assert_int_equal(figures().ambiguous, SHOWN + 1);
}

/* The request goes on for long: it is not waited for. */
static void not_long_before_the_answer(void **state)
{
	(void)state;
	show(SHOWN);
	serve(600, WORKER, 400);
	assert_false(is_sure());
	assert_int_equal(figures().ambiguous, SHOWN + 1);
}

/* Its thread has ended by then: nobody knows what it did besides. */
static void links_of_threads_that_end(void **state)
{
	(void)state;
	show(SHOWN);
	ask(200);
	call(WORKER);
	world_thread(&world, LOOP, WORKER, 0);
	world_write(&world, a, LOOP, OK);
	assert_false(is_sure());
	assert_int_equal(figures().ambiguous, SHOWN + 1);
}

static void not_without_an_answer(void **state)
{
	(void)state;
	ask(200);
	call(WORKER);
	world_hang_up(&world, a);
	world_pause(&world, 300);
	assert_non_null(strstr(world.log, "client /call generated"));
	assert_int_equal(figures().ambiguous, 1);
	assert_int_equal(figures().handed, 0);
}

/* Several threads of an unruly process, with several requests: whose thread is not known has links to all. */
static void links_to_all(void **state)
{
	(void)state;
	ask(200);
	world_read(&world, b, LOOP, GET("/b"));
	world_write(&world, out_too, LOOP, GET("/reader"));
	world_read(&world, out_too, LOOP, OK);
	call(WORKER);
	world_write(&world, a, LOOP, OK);
	world_write(&world, b, LOOP, OK);
	world_pause(&world, 300);
	assert_int_equal(figures().ambiguous, 2);
}

static void allocations_fail(void **state)
{
	world_close(&world);
	FOR_EACH_FAILING_ALLOC(nth)
	{
		if (begin(state) < 0)
			continue;
		serve(200, WORKER, 0);
		world_close(&world);
	}
	assert_int_equal(begin(state), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, teardown)
	const struct CMUnitTest tests[] = {
		TEST(links_at_first),
		TEST(parents_when_shown),
		TEST(by_readers),
		TEST(not_soon_after_another),
		TEST(not_after_a_call_for_none),
		TEST(not_with_more_calls),
		TEST(not_of_two),
		TEST(not_of_one_that_came_second),
		TEST(not_with_open_calls),
		TEST(not_long_before_the_answer),
		TEST(links_of_threads_that_end),
		TEST(not_without_an_answer),
		TEST(links_to_all),
		TEST(allocations_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
