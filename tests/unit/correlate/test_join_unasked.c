/* SPDX-License-Identifier: Apache-2.0 */
/* Clients that are seen to ask when the server has answered, and servers that are seen to answer when the client has read it. */
#include "join_scene.h"

#define SERVER 100u /* a process, and its first thread */
#define CLIENT 200u
#define OTHER 300u

/* Both ends of a connection of which both have told a request. */
static struct wire *asks, *answers;

static void serve(struct wire *wire, const char *request)
{
	world_read(&world, wire, SERVER, request);
	world_write(&world, wire, SERVER, OK);
}

static void ask(struct wire *wire, const char *request)
{
	world_write(&world, wire, CLIENT, request);
}

static int begin(void **state)
{
	if (setup(state) < 0)
		return -1;
	asks = client(CLIENT);
	answers = world_connect_to(&world, asks, ROLE_SERVER, SERVER);
	ask(asks, GET("/"));
	serve(answers, GET("/"));
	world_read(&world, asks, CLIENT, OK);
	expect("server / parent 1/3<2;client / generated 1/2<0;");
	return 0;
}

static void asked_late(void **state)
{
	(void)state;
	serve(answers, GET("/a"));
	expect("");
	assert_int_equal(figures().unasked, 1);
	ask(asks, GET("/a"));
	expect("server /a parent 4/6<5;");
	assert_int_equal(figures().unasked, 0);
	world_read(&world, asks, CLIENT, OK);
	expect("client /a generated 4/5<0 from=2;");
	serve(answers, GET("/b"));
	ask(asks, GET("/b"));
	world_read(&world, asks, CLIENT, OK);
	expect("server /b parent 7/9<8;client /b generated 7/8<0 from=2;");
}

/* Known by the connect; the server is done with the connection before the client has asked. */
static void asked_late_at_first(void **state)
{
	struct wire *out = client(CLIENT);
	struct wire *in = world_connect_to(&world, out, ROLE_SERVER, SERVER);

	(void)state;
	world_opened(&world, out, 0);
	serve(in, GET("/a"));
	world_hang_up(&world, in);
	expect("");
	ask(out, GET("/a"));
	world_read(&world, out, CLIENT, OK);
	expect("server /a parent 4/6<5;client /a generated 4/5<0 from=3;");
}

/* Of several the client may have asked some. */
static void several(void **state)
{
	(void)state;
	ask(asks, GET("/a"));
	serve(answers, GET("/a"));
	expect("server /a parent 4/6<5;");
	world_read(&world, answers, SERVER, GET("/b") GET("/c"));
	world_write(&world, answers, SERVER, OK OK);
	expect("");
	ask(asks, GET("/b") GET("/c"));
	world_read(&world, asks, CLIENT, OK OK OK);
	expect("server /c parent 7/9<8;server /b parent a/c<b;client /a generated 4/5<0;"
	       "client /b generated a/b<0 from=2;client /c generated 7/8<0 from=2;");
}

#define FRAME(length, type, flags, stream) "\0\0" length type flags "\0\0\0" stream
#define MOVE(wire, tid, dir, bytes) world_move(&world, wire, tid, dir, bytes, sizeof(bytes) - 1)
#define PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" FRAME("\0", "\4", "\0", "\0")
#define GET2(stream) FRAME("\3", "\1", "\5", stream) "\x82\x86\x84"
#define OK2(stream) FRAME("\1", "\1", "\5", stream) "\x88"

/* Streams are told apart by their numbers. */
static void streams(void **state)
{
	struct wire *out = client(CLIENT);
	struct wire *in = world_connect_to(&world, out, ROLE_SERVER, SERVER);

	(void)state;
	MOVE(out, CLIENT, DIR_WRITE, PREFACE GET2("\1"));
	MOVE(in, SERVER, DIR_READ, PREFACE GET2("\1") GET2("\3") GET2("\5"));
	MOVE(in, SERVER, DIR_WRITE, OK2("\5") OK2("\3"));
	expect("");
	MOVE(out, CLIENT, DIR_WRITE, GET2("\3"));
	expect("server / parent 6/8<7;");
	MOVE(in, SERVER, DIR_WRITE, OK2("\1"));
	MOVE(out, CLIENT, DIR_WRITE, GET2("\5"));
	MOVE(out, CLIENT, DIR_READ, OK2("\1") OK2("\3") OK2("\5"));
	expect("server / parent 4/9<5;server / parent a/c<b;client / generated 4/5<0;"
	       "client / generated 6/7<0 from=2;client / generated a/b<0 from=4;");
}

static void expect_served(uint64_t milliseconds)
{
	assert_int_equal(world.served_ns, milliseconds * 1000000);
	assert_int_equal(world.served_parts_ns, world.served_ns);
}

/* A server that loses its CPU in the call that writes the answer. */
static void answered_late(void **state)
{
	(void)state;
	ask(asks, GET("/a"));
	world_read(&world, answers, SERVER, GET("/a"));
	world_read(&world, asks, CLIENT, OK);
	world_pause(&world, 20);
	world_write(&world, answers, SERVER, OK);
	expect("client /a generated 4/5<0;server /a parent 4/6<5;");
	expect_served(1);
	ask(asks, GET("/b") GET("/c") GET("/d"));
	world_read(&world, answers, SERVER, GET("/b") GET("/c") GET("/d"));
	world_read(&world, asks, CLIENT, OK OK);
	world_pause(&world, 20);
	world_write(&world, answers, SERVER, OK OK);
	expect("client /b generated 7/8<0;client /c generated 9/a<0;server /b parent 7/d<8;"
	       "server /c parent 9/e<a;");
	expect_served(1);
	world_pause(&world, 20);
	world_write(&world, answers, SERVER, OK);
	world_read(&world, asks, CLIENT, OK);
	expect("server /d parent b/f<c;client /d generated b/c<0;");
	expect_served(43);
}

static void streams_answered_late(void **state)
{
	struct wire *out = client(CLIENT);
	struct wire *in = world_connect_to(&world, out, ROLE_SERVER, SERVER);

	(void)state;
	MOVE(out, CLIENT, DIR_WRITE, PREFACE GET2("\1") GET2("\3"));
	MOVE(in, SERVER, DIR_READ, PREFACE GET2("\1") GET2("\3"));
	MOVE(out, CLIENT, DIR_READ, OK2("\3"));
	world_pause(&world, 20);
	MOVE(in, SERVER, DIR_WRITE, OK2("\3"));
	expect("client / generated 6/7<0;server / parent 6/8<7;");
	expect_served(1);
	MOVE(in, SERVER, DIR_WRITE, OK2("\1"));
	expect("server / parent 4/9<5;");
	expect_served(23);
}

static void never_asked(void **state)
{
	(void)state;
	serve(answers, GET("/a"));
	world_pause(&world, 1000);
	expect("");
	world_pause(&world, 2);
	expect("server /a generated 4/5<0;");
	ask(asks, GET("/a"));
	world_read(&world, asks, CLIENT, OK);
	expect("client /a generated 6/7<0;");
}

/* Nobody is waited for who is not here, or has nothing more to ask. */
static void not_of_strangers(void **state)
{
	(void)state;
	serve(server(SERVER), GET("/a"));
	expect("server /a generated 4/5<0;");
	world_hang_up(&world, asks);
	serve(answers, GET("/b"));
	expect("server /b generated 6/7<0;");
	assert_int_equal(figures().unasked, 0);
}

static void not_when_the_request_says_it(void **state)
{
	(void)state;
	serve(answers, GET_WITH("/a", TRACEPARENT));
	expect("server /a header a1/4<b2 flags=1;");
}

/* Two clients with the same addresses, each in a network of its own. */
static void not_of_two(void **state)
{
	struct wire *out = client(CLIENT), *twin;
	struct wire *in = world_connect_to(&world, out, ROLE_SERVER, SERVER);

	(void)state;
	world_opened(&world, out, 0);
	twin = client(OTHER);
	twin->conn.tuple = out->conn.tuple;
	world_opened(&world, twin, 0);
	serve(in, GET("/a"));
	expect("server /a generated 4/5<0;");
	ask(twin, GET("/a"));
	ask(out, GET("/a"));
	expect("");
}

/* The calls that the server made meanwhile are in its trace, told or not; and so is the client then. */
static void with_calls(void **state)
{
	struct wire *out = client(SERVER), *front = server(CLIENT);

	(void)state;
	world_read(&world, front, CLIENT, GET("/front"));
	world_read(&world, answers, SERVER, GET("/a"));
	world_write(&world, out, SERVER, GET("/below"));
	world_read(&world, out, SERVER, OK);
	world_write(&world, answers, SERVER, OK);
	expect("client /below parent 4/6<5;");
	ask(asks, GET("/a"));
	world_read(&world, asks, CLIENT, OK);
	world_write(&world, front, CLIENT, OK);
	expect("server /a parent 4/5<9;client /a parent 4/9<8 from=4;server /front generated 4/8<0;");
}

/* Its thread's next call is for somebody else, or for nobody. */
static void its_thread_goes_on(void **state)
{
	struct wire *out = client(SERVER), *in = server(SERVER);

	(void)state;
	serve(answers, GET("/a"));
	world_write(&world, out, SERVER, GET("/nobody"));
	world_read(&world, out, SERVER, OK);
	expect("client /nobody generated 4/5<0;");
	world_read(&world, in, SERVER, GET("/b"));
	world_write(&world, out, SERVER, GET("/for-b"));
	world_read(&world, out, SERVER, OK);
	world_write(&world, in, SERVER, OK);
	expect("client /for-b parent 6/8<7;server /b generated 6/7<0;");
	ask(asks, GET("/a"));
	expect("server /a parent 9/b<a;");
}

/* What the client's thread published as it asked is the trace of both. */
static void published_with_the_call(void **state)
{
	(void)state;
	serve(answers, GET("/a"));
	world_publish(&world, asks, CLIENT, 0xa1, 0xb2);
	ask(asks, GET("/a"));
	world_read(&world, asks, CLIENT, OK);
	expect("server /a parent a1/5<4 flags=1;client /a thread_context a1/4<b2 flags=1 from=2;");
}

static void places_are_bounded(void **state)
{
	(void)state;
	for (int i = 0; i < 1024; i++)
		serve(answers, GET("/a"));
	expect("");
	assert_int_equal(figures().unasked, 1024);
	assert_int_equal(figures().unasked_limit, 1024);
	assert_int_equal(figures().unasked_evicted, 0);
	serve(answers, GET("/a"));
	expect("server /a generated 4/5<0;");
	assert_int_equal(figures().unasked, 1024);
	assert_int_equal(figures().unasked_evicted, 1);
}

/* All is told when the agent ends. */
static void at_the_end(void **state)
{
	(void)state;
	serve(answers, GET("/a"));
	world_close(&world);
	expect("server /a generated 4/5<0;");
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
		asks = client(CLIENT);
		answers = world_connect_to(&world, asks, ROLE_SERVER, SERVER);
		world_opened(&world, asks, 0);
		serve(answers, GET("/a"));
		ask(asks, GET("/a"));
		serve(answers, GET("/b"));
		world_close(&world);
	}
	assert_int_equal(world_open(&world, true), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, teardown)
	const struct CMUnitTest tests[] = {
		TEST(asked_late),
		TEST(asked_late_at_first),
		TEST(several),
		TEST(streams),
		TEST(answered_late),
		TEST(streams_answered_late),
		TEST(never_asked),
		TEST(not_of_strangers),
		TEST(not_when_the_request_says_it),
		TEST(not_of_two),
		TEST(with_calls),
		TEST(its_thread_goes_on),
		TEST(published_with_the_call),
		TEST(places_are_bounded),
		TEST(at_the_end),
		TEST(allocations_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
