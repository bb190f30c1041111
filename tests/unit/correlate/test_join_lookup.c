/* SPDX-License-Identifier: Apache-2.0 */
/* Which request a DNS lookup was made for, and that each is told once, with it or by itself. */
#include <sys/socket.h>

#include "join_scene.h"

#define SERVER 100u
#define CLIENT 200u

static const uint8_t here[16] = { 127, 0, 0, 1 };
static const uint8_t there[16] = { 127, 0, 0, 2 };

static void call(struct wire *wire, const char *request)
{
	world_write(&world, wire, CLIENT, request);
	world_read(&world, wire, CLIENT, OK);
}

/* A client that connects at once to 127.0.0.1, and asks. */
static void ask(const char *request)
{
	struct wire *out = client(CLIENT);

	world_opened(&world, out, 0);
	call(out, request);
}

static void with_the_first_request(void **state)
{
	struct wire *out = client(CLIENT);

	(void)state;
	world_resolve(&world, CLIENT, 7, DNS_TYPE_A, here);
	world_resolve(&world, CLIENT, 7, DNS_TYPE_AAAA, NULL);
	expect("client A;client AAAA;");
	world_opened(&world, out, 0);
	call(out, GET("/a"));
	call(out, GET("/b"));
	expect("client /a generated 1/2<0 A=4..3 AAAA=2..1;client /b generated 3/4<0;");
	world_pause(&world, 2001);
	expect("");
	assert_int_equal(figures().lookups, 0);
}

/* The connect is a part too when it took long. */
static void before_a_slow_connect(void **state)
{
	struct wire *out = client(CLIENT);

	(void)state;
	world_resolve(&world, CLIENT, 7, DNS_TYPE_A, here);
	world.now_ns += 1100 * 1000000ull;
	world_opened(&world, out, 1050);
	call(out, GET("/a"));
	expect("client A;client /a generated 1/2<0 A=1102..1101 opening=1051..1;");
}

static void by_itself_when_nobody_connects(void **state)
{
	(void)state;
	world_resolve(&world, CLIENT, 7, DNS_TYPE_A, here);
	world_pause(&world, 2000);
	expect("client A;");
	world_pause(&world, 1);
	expect("client A alone generated 1/2<0;");
	world_resolve(&world, CLIENT, 7, DNS_TYPE_A, here);
	expect("client A;");
	engine_free(&world.engine);
	expect("client A alone generated 3/4<0;");
}

static void not_of_others(void **state)
{
	(void)state;
	world_resolve(&world, SERVER, 7, DNS_TYPE_A, here);    /* another process */
	world_resolve(&world, CLIENT, 8, DNS_TYPE_A, there);   /* another address */
	world_resolve(&world, CLIENT, 9, DNS_TYPE_AAAA, NULL); /* none */
	ask(GET("/a"));
	expect("client A;client A;client AAAA;client /a generated 1/2<0;");
	world_pause(&world, 2001);
	expect("client A alone generated 3/4<0;client A alone generated 5/6<0;"
	       "client AAAA alone generated 7/8<0;");
}

/* A socket of IPv6 that is connected to an address of IPv4, and one to an address of its own. */
static void over_ipv6(void **state)
{
	static const uint8_t address[16] = { 0x20, 1, 13, 0xb8, [15] = 1 };
	static const uint8_t mapped[16] = { [10] = 0xff, 0xff, 127, 0, 0, 1 };
	const uint8_t *to[] = { mapped, address };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct wire *out = client(CLIENT);

		out->conn.tuple.family = AF_INET6;
		memcpy(out->conn.tuple.remote_addr, to[i], 16);
		world_resolve(&world, CLIENT, i, i ? DNS_TYPE_AAAA : DNS_TYPE_A,
			      i ? address : here);
		world_opened(&world, out, 0);
		call(out, GET("/a"));
	}
	expect("client A;client /a generated 1/2<0 A=2..1;"
	       "client AAAA;client /a generated 3/4<0 AAAA=2..1;");
}

/* What another process was told does not matter. */
static void each_process_for_itself(void **state)
{
	(void)state;
	world_resolve(&world, CLIENT, 7, DNS_TYPE_A, here);
	world_resolve(&world, SERVER, 8, DNS_TYPE_A, here);
	ask(GET("/a"));
	expect("client A;client A;client /a generated 1/2<0 A=4..3;");
}

/* Two threads ask for the same name: whose is whose, nobody knows. */
static void not_one_of_several(void **state)
{
	(void)state;
	world_resolve(&world, CLIENT, 7, DNS_TYPE_A, here);
	world_resolve(&world, CLIENT, 8, DNS_TYPE_A, here);
	ask(GET("/a"));
	expect("client A;client A;client /a generated 1/2<0;");
	world_pause(&world, 101);
	world_resolve(&world, CLIENT, 9, DNS_TYPE_A, here); /* those were not for this one */
	ask(GET("/b"));
	expect("client A;client /b generated 3/4<0 A=2..1;");
}

static void not_long_before(void **state)
{
	(void)state;
	world_resolve(&world, CLIENT, 7, DNS_TYPE_A, here);
	world_pause(&world, 101);
	ask(GET("/a"));
	expect("client A;client /a generated 1/2<0;");
	world_resolve(&world, CLIENT, 7, DNS_TYPE_A, here);
	world_pause(&world, 100);
	ask(GET("/a"));
	expect("client A;client /a generated 3/4<0 A=102..101;");
}

/* What was asked before the request was read was not asked for it. */
static void not_before_the_request_that_it_is_for(void **state)
{
	struct wire *in = server(CLIENT);

	(void)state;
	world_resolve(&world, CLIENT, 7, DNS_TYPE_A, here);
	world_read(&world, in, CLIENT, GET("/a"));
	ask(GET("/b"));
	expect("client A;client /b parent 1/3<2;client A alone generated 4/5<0;");
	world_resolve(&world, CLIENT, 7, DNS_TYPE_A, here);
	ask(GET("/c"));
	expect("client A;client /c parent 1/6<2 A=2..1;");
}

/* Nothing is told of a request that is cut off but that it was: it is no span. */
static void by_itself_when_its_request_is_none(void **state)
{
	struct wire *out = client(CLIENT);

	(void)state;
	world_resolve(&world, CLIENT, 7, DNS_TYPE_A, here);
	world_opened(&world, out, 0);
	world_write(&world, out, CLIENT, GET("/a"));
	expect("client A;");
	engine_free(&world.engine);
	expect("client A alone generated 1/2<0;");
}

static void passed_on_by_what_prepares(void **state)
{
	static const char hello[] = "\0\0\0\22\0\3\0\0user\0me\0\0\0",
			  ready[] = "R\0\0\0\10\0\0\0\0Z\0\0\0\5I",
			  query[] = "Q\0\0\0\15SELECT 1\0",
			  done[] = "C\0\0\0\15SELECT 1\0Z\0\0\0\5I";
	struct wire *out = client(CLIENT);

	(void)state;
	world_resolve(&world, CLIENT, 7, DNS_TYPE_A, here);
	world_opened(&world, out, 0);
	world_move(&world, out, CLIENT, DIR_WRITE, hello, sizeof(hello) - 1);
	world_move(&world, out, CLIENT, DIR_READ, ready, sizeof(ready) - 1);
	world_move(&world, out, CLIENT, DIR_WRITE, query, sizeof(query) - 1);
	world_move(&world, out, CLIENT, DIR_READ, done, sizeof(done) - 1);
	expect("client A;client SELECT generated 1/2<0 A=4..3;");
}

static void places_are_bounded(void **state)
{
	(void)state;
	for (uint64_t i = 0; i < 512; i++)
		world_resolve(&world, CLIENT, i, DNS_TYPE_A, there);
	world.log_bytes = 0;
	assert_int_equal(figures().lookups, 512);
	assert_int_equal(figures().lookups_limit, 512);
	assert_int_equal(figures().lookups_evicted, 0);
	world_resolve(&world, CLIENT, 600, DNS_TYPE_A, here);
	expect("client A alone generated 1/2<0;client A;");
	assert_int_equal(figures().lookups_evicted, 1);
	ask(GET("/a"));
	expect("client /a generated 3/4<0 A=2..1;");
}

/* Without memory it is told by itself. */
static void memory_may_be_short(void **state)
{
	struct wire *out = client(CLIENT);
	size_t told = 0;

	(void)state;
	world_opened(&world, out, 0);
	call(out, GET("/a"));
	expect("client /a generated 1/2<0;");
	for (size_t nth = 0; nth < 6; nth++) {
		struct wire *next = client(CLIENT);

		world_resolve(&world, CLIENT, nth, DNS_TYPE_A, here);
		world_opened(&world, next, 0);
		failing_alloc_at(nth);
		call(next, GET("/b"));
		(void)failing_alloc_stop();
		world_hang_up(&world, next);
		world_pause(&world, 2001);

		told += strstr(world.log, "A=2..1;") || strstr(world.log, "alone");
		world.log_bytes = 0;
		world.log[0] = '\0';
	}
	assert_int_equal(told, 6);
}

int main(void)
{
#define IN_WORLD(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		IN_WORLD(with_the_first_request),
		IN_WORLD(before_a_slow_connect),
		IN_WORLD(by_itself_when_nobody_connects),
		IN_WORLD(not_of_others),
		IN_WORLD(over_ipv6),
		IN_WORLD(each_process_for_itself),
		IN_WORLD(not_one_of_several),
		IN_WORLD(not_long_before),
		IN_WORLD(not_before_the_request_that_it_is_for),
		IN_WORLD(by_itself_when_its_request_is_none),
		IN_WORLD(passed_on_by_what_prepares),
		IN_WORLD(places_are_bounded),
		IN_WORLD(memory_may_be_short),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
