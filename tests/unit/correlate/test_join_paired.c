/* SPDX-License-Identifier: Apache-2.0 */
/* Whose calls those of a protocol that pairs by itself are: AMQP's. */
#include "join_scene.h"

#define SERVER 100u /* a process, and its first thread */

/* Frames of methods, channel 1. */
#define DECLARE "\1\0\1\0\0\0\15\0\62\0\12\0\0\1q\0\0\0\0\0\316"
#define DECLARE_OK "\1\0\1\0\0\0\16\0\62\0\13\1q\0\0\0\0\0\0\0\0\316"
#define CONFIRM "\1\0\1\0\0\0\5\0\125\0\12\0\316"
#define CONFIRM_OK "\1\0\1\0\0\0\4\0\125\0\13\316"
#define CHANNEL "\1\0\1\0\0\0\5\0\24\0\12\0\316"
#define CHANNEL_OK "\1\0\1\0\0\0\10\0\24\0\13\0\0\0\0\316"
#define PUBLISH "\1\0\1\0\0\0\12\0\74\0\50\0\0\0\1q\0\316" CONTENT
#define CONTENT "\2\0\1\0\0\0\16\0\74\0\0\0\0\0\0\0\0\0\0\0\0\316"
#define DELIVER "\1\0\1\0\0\0\22\0\74\0\74\1c\0\0\0\0\0\0\0\1\0\0\1q\316" CONTENT
#define ACK "\1\0\1\0\0\0\15\0\74\0\120\0\0\0\0\0\0\0\1\0\316"

#define WRITE(wire, tid, bytes) world_move(&world, wire, tid, DIR_WRITE, bytes, sizeof(bytes) - 1)
#define READ(wire, tid, bytes) world_move(&world, wire, tid, DIR_READ, bytes, sizeof(bytes) - 1)

#define CALL(wire, tid, name)               \
	do {                                \
		WRITE(wire, tid, name);     \
		READ(wire, tid, name##_OK); \
	} while (0)

static struct wire *broker(uint32_t tid)
{
	struct wire *wire = client(SERVER);

	WRITE(wire, tid, "AMQP\0\0\11\1");
	CALL(wire, tid, CHANNEL);
	CALL(wire, tid, CONFIRM);
	return wire;
}

static void of_the_request(void **state)
{
	struct wire *in = server(SERVER), *out;

	(void)state;
	world_read(&world, in, SERVER, GET_WITH("/a", TRACEPARENT));
	out = broker(SERVER);
	CALL(out, SERVER, DECLARE);
	WRITE(out, SERVER, PUBLISH);
	READ(out, SERVER, ACK);
	world_write(&world, in, SERVER, OK);
	expect("client channel.open parent a1/2<1 flags=1;client confirm.select parent a1/3<1 flags=1;"
	       "client queue.declare parent a1/4<1 flags=1;client publish parent a1/7<1 flags=1;"
	       "server /a header a1/1<b2 flags=1;");
	CALL(out, SERVER, DECLARE); /* on nobody's behalf */
	expect("client queue.declare generated 8/9<0;");
}

/* A thread of the client's own reads what the broker says. */
static void read_by_another_thread(void **state)
{
	struct wire *in = server(SERVER), *out = broker(SERVER);

	(void)state;
	world.log_bytes = 0;
	world_read(&world, in, SERVER, GET("/a"));
	WRITE(out, SERVER, DECLARE);
	READ(out, SERVER + 1, DECLARE_OK);
	world_write(&world, in, SERVER, OK);
	expect("client queue.declare parent 5/7<6;server /a generated 5/6<0;");
}

/* What another thread asked, and the one with the request reads. */
static void not_of_the_reader(void **state)
{
	struct wire *in = server(SERVER), *out = broker(SERVER);

	(void)state;
	world.log_bytes = 0;
	world_read(&world, in, SERVER, GET("/a"));
	WRITE(out, SERVER + 1, DECLARE);
	READ(out, SERVER, DECLARE_OK);
	world_write(&world, in, SERVER, OK);
	expect("client queue.declare generated 5/6<0;server /a generated 7/8<0;");
}

/* The request was answered, and the thread is at another one, before the broker says anything. */
static void not_of_the_next(void **state)
{
	struct wire *in = server(SERVER), *out = broker(SERVER);

	(void)state;
	world.log_bytes = 0;
	world_read(&world, in, SERVER, GET("/a"));
	WRITE(out, SERVER, PUBLISH);
	world_write(&world, in, SERVER, OK);
	world_read(&world, in, SERVER, GET("/b"));
	READ(out, SERVER + 1, ACK);
	world_write(&world, in, SERVER, OK);
	expect("server /a generated 7/8<0;client publish generated 9/a<0;server /b generated b/c<0;");
}

/* It asked, then read a request: what it asked is not for that one. */
static void not_of_a_later_request(void **state)
{
	struct wire *in = server(SERVER), *out = broker(SERVER);

	(void)state;
	world.log_bytes = 0;
	WRITE(out, SERVER, DECLARE);
	world_read(&world, in, SERVER, GET("/a"));
	READ(out, SERVER, DECLARE_OK);
	world_write(&world, in, SERVER, OK);
	expect("client queue.declare generated 5/6<0;server /a generated 7/8<0;");
}

/* Two requests of one thread: either may be it. */
static void ambiguous(void **state)
{
	struct wire *a = server(SERVER), *b = server(SERVER), *out = broker(SERVER);

	(void)state;
	world.log_bytes = 0;
	world_read(&world, a, SERVER, GET("/a"));
	world_read(&world, b, SERVER, GET("/b"));
	CALL(out, SERVER, DECLARE);
	world_write(&world, a, SERVER, OK);
	world_write(&world, b, SERVER, OK);
	expect("client queue.declare generated 9/a<0 5/6 7/8;server /a generated 7/8<0;"
	       "server /b generated 5/6<0;");
}

/* What is called after a message was delivered may be for that. */
static void not_after_a_delivery(void **state)
{
	struct wire *in = server(SERVER), *out = broker(SERVER), *other = client(SERVER);

	(void)state;
	world.log_bytes = 0;
	world_read(&world, in, SERVER, GET("/a"));
	READ(out, SERVER, DELIVER);
	world_write(&world, other, SERVER, GET("/b"));
	world_read(&world, other, SERVER, OK);
	WRITE(out, SERVER, ACK);
	world_write(&world, in, SERVER, OK);
	expect("client /b generated 9/a<0 7/8;client process generated b/c<0;server /a generated 7/8<0;");
}

/* What follows a broker's answer in an event loop does not follow the request that was read before. */
static void not_in_a_chain(void **state)
{
	struct wire *a = server(SERVER), *b = server(SERVER), *out = broker(SERVER);
	struct wire *other = client(SERVER), *again = client(SERVER);

	(void)state;
	world.log_bytes = 0;
	world_read(&world, a, SERVER, GET("/a"));
	WRITE(out, SERVER, DECLARE);
	world_write(&world, other, SERVER, GET("/c"));
	world_read(&world, b, SERVER, GET("/b"));
	READ(out, SERVER, DECLARE_OK);
	world_write(&world, again, SERVER, GET("/d"));
	world_read(&world, again, SERVER, OK);
	world_write(&world, b, SERVER, OK);
	expect("client queue.declare generated 7/8<0 5/6;client /d generated b/c<0 9/a 5/6;"
	       "server /b generated 9/a<0;");
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
		(void)broker(SERVER);
		world_close(&world);
	}
	assert_int_equal(world_open(&world, true), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(of_the_request),	    TEST(read_by_another_thread), TEST(not_of_the_reader),
		TEST(not_of_the_next),	    TEST(not_of_a_later_request), TEST(ambiguous),
		TEST(not_after_a_delivery), TEST(not_in_a_chain),	  TEST(allocations_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
