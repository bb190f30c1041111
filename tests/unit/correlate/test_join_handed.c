/* SPDX-License-Identifier: Apache-2.0 */
/* Calls of threads that are handed requests which another one reads. */
#include "correlate/join.h"
#include "join_scene.h"

#define POOL 100u /* a process, and the thread that reads its requests */
#define ONE 101u  /* who work */
#define TWO 102u
#define SHOWN 32 /* what has to be seen before anything is sure */

#define OPEN "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"

/* Two requests, what is called for them, and one that waits all the time. */
static struct wire *a, *b, *for_a, *for_b, *waits;

static int begin(void **state)
{
	if (setup(state) < 0)
		return -1;
	a = server(POOL);
	b = server(POOL);
	waits = server(POOL);
	for_a = client(POOL);
	for_b = client(POOL);
	return 0;
}

static void forget_log(void)
{
	world.log_bytes = 0;
	world.log[0] = '\0';
}

static void call(struct wire *wire, uint32_t tid, const char *request)
{
	world_write(&world, wire, tid, request);
	world_read(&world, wire, tid, OK);
}

static void serve_by(uint32_t tid)
{
	forget_log();
	world_read(&world, a, POOL, GET("/r/1"));
	call(for_a, tid, GET("/for-a"));
	world_write(&world, a, tid, OK);
}

/* By the two in turn. */
static void serve(unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		serve_by(i & 1 ? ONE : TWO);
}

/* Until its threads are trusted, with another request to answer all the time. */
static void show(void)
{
	world_read(&world, waits, POOL, GET("/waits"));
	serve(SHOWN);
	assert_non_null(strstr(world.log, "client /for-a generated"));
	assert_int_equal(figures().ambiguous, SHOWN);
	forget_log();
}

static void hand_both(void)
{
	world_read(&world, a, POOL, GET("/r/1"));
	world_read(&world, b, POOL, GET("/r/2"));
}

static bool is_told(const char *text)
{
	return strstr(world.log, text) != NULL;
}

/* What the span above has for an ID, behind "client PATH parent TRACE/SPAN<". */
static unsigned parent_of(const char *path)
{
	char start[64];
	const char *found;
	unsigned trace, span, parent = 0;

	(void)snprintf(start, sizeof(start), "client %s parent ", path);
	found = strstr(world.log, start);
	if (found)
		(void)sscanf(found + strlen(start), "%x/%x<%x", &trace, &span, &parent);
	return parent;
}

static unsigned id_of(const char *path)
{
	char start[64];
	const char *found;
	unsigned trace, span = 0;

	(void)snprintf(start, sizeof(start), "server %s generated ", path);
	found = strstr(world.log, start);
	if (found)
		(void)sscanf(found + strlen(start), "%x/%x", &trace, &span);
	return span;
}

static void assert_parent(const char *call_path, const char *path)
{
	assert_int_not_equal(parent_of(call_path), 0);
	assert_int_equal(parent_of(call_path), id_of(path));
}

static void links_at_first(void **state)
{
	(void)state;
	serve(1);
	expect("client /for-a generated 3/4<0 1/2;server /r/1 generated 1/2<0;");
	assert_int_equal(figures().ambiguous, 1);
}

static void parents_when_shown(void **state)
{
	(void)state;
	show();
	hand_both();
	world_write(&world, for_b, TWO, GET("/for-b"));
	world_write(&world, for_a, ONE, GET("/for-a"));
	world_read(&world, for_a, ONE, OK);
	world_read(&world, for_b, TWO, OK);
	expect("");
	assert_int_equal(figures().handed, 2);
	world_write(&world, a, TWO, OK);
	world_write(&world, b, ONE, OK);
	assert_parent("/for-a", "/r/2");
	assert_parent("/for-b", "/r/1");
	assert_int_equal(figures().handed, 0);
}

static void serve_with_three(void)
{
	forget_log();
	world_read(&world, b, POOL, GET("/three"));
	call(for_a, ONE, GET("/one"));
	call(for_b, ONE, GET("/two"));
	call(for_a, ONE, GET("/last"));
	world_write(&world, b, ONE, OK);
}

static void several_calls(void **state)
{
	(void)state;
	show();
	for (unsigned i = 0; i < SHOWN; i++)
		serve_with_three();
	assert_true(is_told("client /one generated"));
	serve_with_three();
	assert_parent("/one", "/three");
	assert_parent("/two", "/three");
	assert_parent("/last", "/three");
}

/* Their traces are the request's also when the other ends have told theirs before. */
static void several_calls_are_one_trace(void **state)
{
	struct wire *asks = client(POOL), *asks_too = client(POOL);
	struct wire *asked = world_connect_to(&world, asks, ROLE_SERVER, 200);
	struct wire *asked_too = world_connect_to(&world, asks_too, ROLE_SERVER, 201);

	(void)state;
	show();
	for (unsigned i = 0; i <= SHOWN; i++)
		serve_with_three();
	forget_log();
	world_read(&world, b, POOL, GET("/three"));
	world_write(&world, asks, ONE, GET("/one"));
	world_read(&world, asked, 200, GET("/one"));
	world_write(&world, asked, 200, OK);
	world_read(&world, asks, ONE, OK);
	world_write(&world, asks_too, ONE, GET("/two"));
	world_read(&world, asked_too, 201, GET("/two"));
	world_write(&world, asked_too, 201, OK);
	world_read(&world, asks_too, ONE, OK);
	call(for_a, ONE, GET("/last"));
	world_write(&world, b, ONE, OK);
	assert_parent("/one", "/three");
	assert_parent("/two", "/three");
	assert_parent("/last", "/three");
}

/* A thread that did something else before, for which nobody waits: how often this is so, nobody knows. */
static void not_with_more_calls_than_ever(void **state)
{
	(void)state;
	show();
	world_read(&world, a, POOL, GET("/r/1"));
	call(for_a, ONE, GET("/other"));
	call(for_a, ONE, GET("/for-a"));
	world_write(&world, a, ONE, OK);
	assert_true(is_told("client /other generated"));
	assert_true(is_told("client /for-a generated"));
	assert_int_equal(figures().ambiguous, SHOWN + 2);
	serve(2 * SHOWN);
	assert_true(is_told("client /for-a generated"));
	serve(1);
	assert_int_not_equal(parent_of("/for-a"), 0);
}

/* Of which the only one that works may do something else before each answer. */
static void not_with_one_worker(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2 * SHOWN; i++)
		serve_by(ONE);
	assert_true(is_told("client /for-a generated"));
	serve_by(TWO);
	assert_int_not_equal(parent_of("/for-a"), 0);
}

static void routes_are_apart(void **state)
{
	(void)state;
	show();
	world_read(&world, a, POOL, GET("/none"));
	world_write(&world, a, ONE, OK);
	serve(1);
	assert_int_not_equal(parent_of("/for-a"), 0);
	world_read(&world, a, POOL, GET("/none"));
	call(for_a, ONE, GET("/other"));
	world_write(&world, a, ONE, OK);
	assert_true(is_told("client /other generated"));
}

static void routes_are_bounded(void **state)
{
	char request[64];

	(void)state;
	show();
	for (unsigned i = 0; i < JOIN_HABITS_MAX; i++) {
		(void)snprintf(request, sizeof(request), GET("/x%c%c%c"), 'a' + i % 16,
			       'a' + i / 16 % 16, 'a' + i / 256);
		world_read(&world, a, POOL, request);
		world_write(&world, a, ONE, OK);
		forget_log();
	}
	assert_int_equal(figures().habits, figures().habits_limit);
	assert_int_equal(figures().habits_evicted, 1);
	serve(1);
	assert_true(is_told("client /for-a generated"));
}

/* The rest of an answer may need calls, too: they are not the next one's. */
static void not_before_the_last_answer_is_over(void **state)
{
	(void)state;
	show();
	hand_both();
	call(for_a, ONE, GET("/for-a"));
	world_write(&world, a, ONE, OPEN);
	assert_int_not_equal(parent_of("/for-a"), 0);
	forget_log();
	call(for_a, ONE, GET("/more"));
	world_write(&world, a, ONE, "hello");
	world_write(&world, b, ONE, OK);
	assert_true(is_told("client /more generated"));
	assert_int_equal(figures().ambiguous, SHOWN);
	world_read(&world, a, POOL, GET("/r/1"));
	call(for_a, ONE, GET("/next"));
	world_write(&world, a, ONE, OK);
	assert_int_not_equal(parent_of("/next"), 0);
}

/* What began before the request was read is somebody else's: threads do more than they are asked. */
static void not_what_began_before(void **state)
{
	(void)state;
	show();
	call(for_a, ONE, GET("/other"));
	world_read(&world, a, POOL, GET("/r/1"));
	world_write(&world, a, ONE, OK);
	assert_true(is_told("client /other generated"));
	serve(SHOWN + 1);
	assert_true(is_told("client /for-a generated"));
	assert_int_equal(figures().ambiguous, SHOWN + SHOWN + 1);
}

/* Also when its span was told long ago. */
static void not_what_began_long_before(void **state)
{
	(void)state;
	show();
	call(for_a, ONE, GET("/other"));
	world_pause(&world, 300);
	assert_true(is_told("client /other generated"));
	world_read(&world, a, POOL, GET("/r/1"));
	world_write(&world, a, ONE, OK);
	serve(1);
	assert_true(is_told("client /for-a generated"));
}

static void not_with_open_calls(void **state)
{
	(void)state;
	show();
	hand_both();
	world_write(&world, for_a, ONE, GET("/for-a"));
	world_write(&world, b, ONE, OK);
	world_read(&world, for_a, ONE, OK);
	assert_true(is_told("client /for-a generated"));
	serve(1);
	assert_true(is_told("client /for-a generated"));
}

static void not_when_others_read_answers(void **state)
{
	(void)state;
	show();
	world_read(&world, a, POOL, GET("/r/1"));
	world_write(&world, for_a, ONE, GET("/for-a"));
	world_read(&world, for_a, TWO, OK);
	world_write(&world, a, ONE, OK);
	assert_true(is_told("client /for-a generated"));
	serve(1);
	assert_true(is_told("client /for-a generated"));
}

static void not_when_readers_call(void **state)
{
	(void)state;
	show();
	call(for_b, POOL, GET("/by-reader"));
	serve(1);
	assert_true(is_told("client /for-a generated"));
}

static void not_when_workers_read(void **state)
{
	(void)state;
	show();
	world_read(&world, b, ONE, GET("/b"));
	world_write(&world, b, ONE, OK);
	serve(1);
	assert_true(is_told("client /for-a generated"));
}

static void not_without_an_answer(void **state)
{
	(void)state;
	show();
	world_read(&world, a, POOL, GET("/r/1"));
	call(for_a, ONE, GET("/for-a"));
	world_pause(&world, 50);
	expect("");
	world_pause(&world, 200);
	assert_true(is_told("client /for-a generated"));
	world_write(&world, a, POOL, OK);
	assert_int_equal(figures().handed, 0);
}

/* Who works does not answer: nothing is held any more. */
static void not_held_in_vain(void **state)
{
	(void)state;
	hand_both();
	for (unsigned i = 0; i < 64; i++) {
		call(for_a, ONE, GET("/for-a"));
		assert_int_equal(figures().handed, 1);
		world_pause(&world, 300);
		assert_int_equal(figures().handed, 0);
	}
	call(for_a, ONE, GET("/for-a"));
	assert_int_equal(figures().handed, 0);
	world_write(&world, a, POOL, OK);
}

static void connections_for_one_call(void **state)
{
	struct wire *one, *other;

	(void)state;
	show();
	hand_both();
	one = client(POOL);
	other = client(POOL);
	call(one, ONE, GET("/one"));
	world_hang_up(&world, one);
	call(other, TWO, GET("/other"));
	world_hang_up(&world, other);
	expect("");
	world_write(&world, a, ONE, OK);
	assert_parent("/one", "/r/1");
	world_pause(&world, 300);
	assert_true(is_told("client /other generated"));
}

/* The trace that the call names is its request's. */
static void adopts(void **state)
{
	(void)state;
	show();
	world_read(&world, a, POOL, GET("/r/1"));
	call(for_a, ONE, GET_WITH("/for-a", TRACEPARENT));
	world_write(&world, a, ONE, OK);
	assert_true(is_told("client /for-a header a1/"));
	assert_true(is_told("server /r/1 adopted a1/"));
}

/* Who is called has told its span already, in a trace that cannot be that of the request: a link. */
static void links_when_both_traces_are_told(void **state)
{
	struct wire *asks = client(POOL);
	struct wire *called = world_connect_to(&world, asks, ROLE_SERVER, 200);

	(void)state;
	show();
	world_read(&world, a, POOL, GET_WITH("/r/1", TRACEPARENT));
	world_write(&world, asks, ONE, GET("/for-a"));
	world_read(&world, called, 200, GET("/for-a"));
	world_write(&world, called, 200, OK);
	world_read(&world, asks, ONE, OK);
	world_write(&world, a, ONE, OK);
	assert_true(is_told("client /for-a generated"));
	assert_true(is_told(" a1/"));
	assert_int_equal(figures().ambiguous, SHOWN + 1);
}

/* Of a thread's calls, and of all that wait. */
static void bounds(void **state)
{
	uint64_t evicted;

	(void)state;
	show();
	world_read(&world, a, POOL, GET("/r/1"));
	for (unsigned i = 0; i < HANDED_CALLS_OF_THREAD; i++)
		call(for_a, ONE, GET("/for-a"));
	expect("");
	assert_int_equal(figures().handed, HANDED_CALLS_OF_THREAD);
	call(for_a, ONE, GET("/more"));
	assert_true(is_told("client /more generated"));
	assert_int_equal(figures().handed_evicted, 1);
	for (uint32_t i = HANDED_CALLS_OF_THREAD; i < JOIN_HANDED_MAX; i++)
		call(for_a, TWO + i / HANDED_CALLS_OF_THREAD, GET("/for-a"));
	assert_int_equal(figures().handed, figures().handed_limit);
	evicted = figures().handed_evicted;
	forget_log();
	call(for_b, 9999, GET("/newest"));
	assert_true(is_told("client /for-a generated"));
	assert_int_equal(figures().handed, figures().handed_limit);
	assert_int_equal(figures().handed_evicted, evicted + 1);
}

/* A thread's number is another's now, in another process: what that one does is not the first one's. */
static void numbers_used_anew(void **state)
{
	struct wire *in = server(300), *out = client(300);

	(void)state;
	show();
	world_read(&world, a, POOL, GET("/r/1"));
	call(for_a, ONE, GET("/for-a"));
	world_read(&world, in, 300, GET("/in"));
	call(out, ONE, GET("/out"));
	world_write(&world, in, ONE, OK);
	assert_false(is_told("client /for-a"));
	world_pause(&world, 300);
	assert_true(is_told("client /for-a generated"));
}

static void ends_while_some_wait(void **state)
{
	(void)state;
	show();
	world_read(&world, a, POOL, GET("/r/1"));
	call(for_a, ONE, GET("/for-a"));
	call(for_b, ONE, GET("/for-b"));
	world_hang_up(&world, for_b);
	expect("");
}

static void allocations_fail(void **state)
{
	world_close(&world);
	FOR_EACH_FAILING_ALLOC(nth)
	{
		if (begin(state) < 0)
			continue;
		serve(2);
		hand_both();
		call(for_a, ONE, GET("/for-a"));
		call(for_b, TWO, GET("/for-b"));
		world_write(&world, a, TWO, OK);
		world_write(&world, b, ONE, OK);
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
		TEST(several_calls),
		TEST(several_calls_are_one_trace),
		TEST(not_with_more_calls_than_ever),
		TEST(not_with_one_worker),
		TEST(routes_are_apart),
		TEST(routes_are_bounded),
		TEST(not_before_the_last_answer_is_over),
		TEST(not_what_began_before),
		TEST(not_what_began_long_before),
		TEST(not_with_open_calls),
		TEST(not_when_others_read_answers),
		TEST(not_when_readers_call),
		TEST(not_when_workers_read),
		TEST(not_without_an_answer),
		TEST(not_held_in_vain),
		TEST(connections_for_one_call),
		TEST(adopts),
		TEST(links_when_both_traces_are_told),
		TEST(bounds),
		TEST(numbers_used_anew),
		TEST(ends_while_some_wait),
		TEST(allocations_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
