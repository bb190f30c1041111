/* SPDX-License-Identifier: Apache-2.0 */
/* Which trace and which parent a span gets: by each rule, and where the rules end. */
#include "join_scene.h"

#define SERVER 100u /* a process, and its first thread */
#define OTHER 200u

#define TRACEPARENT_2 "traceparent: 00-000000000000000000000000000000c3-00000000000000d4-00\r\n"

static void call(struct wire *wire, uint32_t tid, const char *request)
{
	world_write(&world, wire, tid, request);
	world_read(&world, wire, tid, OK);
}

static void unjoined(void **state)
{
	struct wire *in = server(SERVER), *out = client(OTHER);

	(void)state;
	world_read(&world, in, SERVER, GET("/a"));
	world_write(&world, in, SERVER, OK);
	expect("server /a generated 1/2<0;");
	call(out, OTHER, GET("/b"));
	expect("client /b generated 3/4<0;");
	assert_int_equal(figures().spans[SPAN_JOIN_GENERATED], 2);
}

static void by_header(void **state)
{
	struct wire *in = server(SERVER), *out = client(OTHER);

	(void)state;
	world_read(&world, in, SERVER,
		   GET_WITH("/a", TRACEPARENT "tracestate: k=v\r\nX-Request-ID: r1\r\n"));
	world_write(&world, in, SERVER, OK);
	expect("server /a header a1/1<b2 flags=1 state=k=v id=r1;");
	call(out, OTHER, GET_WITH("/b", TRACEPARENT_2));
	expect("client /b header c3/2<d4 flags=0;");
	world_read(&world, in, SERVER, GET_WITH("/a", "traceparent: 00-x\r\ntracestate: k=v\r\n"));
	world_write(&world, in, SERVER, OK);
	expect("server /a generated 3/4<0;");
	assert_int_equal(figures().ignored[TRACE_FORMAT_W3C], 1);
	assert_int_equal(figures().spans[SPAN_JOIN_HEADER], 2);
}

/* The same request twice: what repeats is recognised without being read. */
static void by_the_same_header_again(void **state)
{
	struct wire *in = server(SERVER);

	(void)state;
	for (int i = 0; i < 3; i++) {
		world_read(&world, in, SERVER, GET_WITH("/a", TRACEPARENT));
		world_write(&world, in, SERVER, OK);
	}
	expect("server /a header a1/1<b2 flags=1;server /a header a1/2<b2 flags=1;"
	       "server /a header a1/3<b2 flags=1;");
}

static void by_thread(void **state)
{
	struct wire *in = server(SERVER), *out = client(SERVER);

	(void)state;
	world_read(&world, in, SERVER, GET_WITH("/a", TRACEPARENT));
	call(out, SERVER, GET("/b"));
	call(out, SERVER, GET("/c"));
	world_write(&world, in, SERVER, OK);
	expect("client /b parent a1/2<1 flags=1;client /c parent a1/3<1 flags=1;"
	       "server /a header a1/1<b2 flags=1;");
	call(out, SERVER, GET("/d")); /* on nobody's behalf */
	expect("client /d generated 4/5<0;");
	assert_int_equal(figures().spans[SPAN_JOIN_PARENT], 2);
}

static void by_thread_without_header(void **state)
{
	struct wire *in = server(SERVER), *out = client(SERVER);

	(void)state;
	for (int i = 0; i < 2; i++) {
		world_read(&world, in, SERVER, GET("/a"));
		call(out, SERVER, GET("/b"));
		world_write(&world, in, SERVER, OK);
	}
	expect("client /b parent 1/3<2;server /a generated 1/2<0;"
	       "client /b parent 4/6<5;server /a generated 4/5<0;");
}

/* A call of another thread may be anybody's, also where the process has one request. */
static void links_by_process(void **state)
{
	struct wire *in = server(SERVER), *out = client(SERVER);

	(void)state;
	world_read(&world, in, SERVER, GET("/a"));
	call(out, SERVER + 1, GET("/b"));
	world_write(&world, in, SERVER, OK);
	expect("client /b generated 3/4<0 1/2;server /a generated 1/2<0;");
}

static void adopted(void **state)
{
	struct wire *in = server(SERVER), *out = client(SERVER);

	(void)state;
	world_read(&world, in, SERVER, GET("/a"));
	call(out, SERVER, GET_WITH("/b", TRACEPARENT));
	call(out, SERVER, GET("/c"));
	world_write(&world, in, SERVER, OK);
	expect("client /b header a1/3<b2 flags=1;client /c parent a1/4<2 flags=1;"
	       "server /a adopted a1/2<0 flags=1;");
	assert_int_equal(figures().spans[SPAN_JOIN_ADOPTED], 1);
}

/* What was told before stays true; the trace that is seen too late is a link. */
static void adopted_too_late(void **state)
{
	struct wire *in = server(SERVER), *out = client(SERVER);

	(void)state;
	world_read(&world, in, SERVER, GET("/a"));
	call(out, SERVER, GET("/b"));
	call(out, SERVER, GET_WITH("/c", TRACEPARENT));
	world_write(&world, in, SERVER, OK);
	expect("client /b parent 1/3<2;client /c header a1/4<b2 flags=1;"
	       "server /a generated 1/2<0 a1/b2;");
	assert_int_equal(figures().late, 1);
	assert_int_equal(figures().ambiguous, 0);
}

/* One thread that has several to answer. */
static void ambiguous(void **state)
{
	struct wire *a = server(SERVER), *b = server(SERVER), *out = client(SERVER);

	(void)state;
	world_read(&world, a, SERVER, GET("/a"));
	world_read(&world, b, SERVER, GET_WITH("/b", TRACEPARENT));
	call(out, SERVER, GET("/c"));
	world_write(&world, a, SERVER, OK);
	call(out, SERVER, GET("/d"));
	world_write(&world, b, SERVER, OK);
	expect("client /c generated 4/5<0 a1/1 2/3;server /a generated 2/3<0;"
	       "client /d generated 6/7<0 a1/1;server /b header a1/1<b2 flags=1;");
	assert_int_equal(figures().ambiguous, 2);
	call(out, SERVER, GET_WITH("/e", TRACEPARENT_2));
	expect("client /e header c3/8<d4 flags=0;");
}

static void links_are_bounded(void **state)
{
	struct wire *out = client(SERVER);
	char name[64];

	(void)state;
	for (unsigned i = 0; i < SPAN_CANDIDATES_MAX + 1; i++) {
		(void)snprintf(name, sizeof(name), "GET /%u HTTP/1.1\r\n\r\n", i);
		world_read(&world, server(SERVER), SERVER, name);
	}
	call(out, SERVER, GET("/c"));
	expect("client /c generated 11/12<0 1/2 3/4 5/6 7/8 9/a b/c d/e f/10;");
}

/* The one that is left is asked for by data of another: whose turn it is, nobody can say. */
static void not_after_somebody_elses_data(void **state)
{
	struct wire *in = server(SERVER), *own = client(SERVER), *out = client(SERVER);

	(void)state;
	world_write(&world, own, SERVER, GET("/timer"));
	world_read(&world, in, SERVER, GET("/a"));
	world_read(&world, own, SERVER, OK);
	expect("client /timer generated 1/2<0;");
	call(out, SERVER, GET("/b"));
	expect("client /b generated 5/6<0 3/4;");
}

/* A process that answers two at once, a thread each. `hops`: the second one's answer is written by another thread. */
static void answer_two(bool hops, bool is_joined)
{
	struct wire *a = server(SERVER), *b = server(SERVER), *out = client(SERVER);
	bool has_parent;

	world_read(&world, a, SERVER, GET("/a"));
	world_read(&world, b, SERVER + 1, GET("/b"));
	world.log[world.log_bytes = 0] = '\0';
	call(out, SERVER + 1, GET("/c"));
	call(out, SERVER + 1, GET("/d"));
	has_parent = strstr(world.log, "client /d parent");
	assert_int_equal(has_parent, is_joined);
	world_write(&world, b, SERVER + 1 + hops, OK);
	world_write(&world, a, SERVER, OK);
	world_hang_up(&world, a);
	world_hang_up(&world, b);
	world_hang_up(&world, out);
}

static void threads_prove_themselves(void **state)
{
	(void)state;
	for (int i = 0; i < 32; i++)
		answer_two(false, false);
	for (int i = 0; i < 3; i++)
		answer_two(false, true);
	answer_two(true, true); /* for the last time */
	for (int i = 0; i < 40; i++)
		answer_two(false, false);
}

/* Alone, a request's thread is sure without proof. */
static void alone_is_sure(void **state)
{
	struct wire *a = server(SERVER), *b = server(SERVER), *out = client(SERVER);

	(void)state;
	world_read(&world, a, SERVER, GET("/a"));
	world_write(&world, a, SERVER + 1, OK);
	world_read(&world, b, SERVER + 1, GET("/b"));
	call(out, SERVER + 1, GET("/c"));
	world_write(&world, b, SERVER + 1, OK);
	expect("server /a generated 1/2<0;client /c parent 3/5<4;server /b generated 3/4<0;");
}

/* Its answer is known to have begun; the thread that reads the next request is through with it. */
static void answers_whose_end_is_not_seen(void **state)
{
	static const char *const open_answer = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";
	struct wire *a = server(SERVER), *b = server(SERVER), *out = client(SERVER);

	(void)state;
	world_read(&world, a, SERVER, GET("/a"));
	world_write(&world, a, SERVER, open_answer);
	call(out, SERVER, GET("/still-a"));
	world_read(&world, b, SERVER, GET("/b"));
	call(out, SERVER, GET("/c"));
	expect("client /still-a parent 1/3<2;client /c parent 4/6<5;");
	world_hang_up(&world, a);
	expect("server /a generated 1/2<0;");
	world_write(&world, b, SERVER, OK);
	expect("server /b generated 4/5<0;");
}

/* A loop may go on with either. */
static void not_in_a_loop(void **state)
{
	static const char *const open_answer = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";
	struct wire *a = server(SERVER), *b = server(SERVER), *out = client(SERVER);

	(void)state;
	world_read(&world, a, SERVER, GET("/a"));
	world_read(&world, b, SERVER, GET("/b"));
	world_write(&world, b, SERVER, OK);
	world_write(&world, a, SERVER, open_answer);
	expect("server /b generated 1/2<0;");
	world_read(&world, b, SERVER, GET("/b"));
	call(out, SERVER, GET("/c"));
	world_pause(&world, 400);
	expect("client /c generated 7/8<0 3/4 5/6;");
}

/* Both ends here, in whatever order we hear of them. */
static void by_the_other_end(void **state)
{
	struct wire *asks = client(OTHER);
	struct wire *answers = world_connect_to(&world, asks, ROLE_SERVER, SERVER);

	(void)state;
	world_write(&world, asks, OTHER, GET("/a"));
	world_read(&world, answers, SERVER, GET("/a"));
	world_write(&world, answers, SERVER, OK);
	world_read(&world, asks, OTHER, OK);
	expect("server /a parent 1/3<2;client /a generated 1/2<0;");
	for (int i = 0; i < 2; i++) {
		world_read(&world, answers, SERVER, GET("/b"));
		world_write(&world, asks, OTHER, GET("/b"));
		world_write(&world, answers, SERVER, OK);
		world_read(&world, asks, OTHER, OK);
	}
	expect("server /b parent 4/6<5;client /b generated 4/5<0 from=1;"
	       "server /b parent 7/9<8;client /b generated 7/8<0 from=1;");
}

static void by_header_rather_than_the_other_end(void **state)
{
	struct wire *asks = client(OTHER);
	struct wire *answers = world_connect_to(&world, asks, ROLE_SERVER, SERVER);

	(void)state;
	world_write(&world, asks, OTHER, GET_WITH("/a", TRACEPARENT));
	world_read(&world, answers, SERVER, GET_WITH("/a", TRACEPARENT));
	world_write(&world, answers, SERVER, OK);
	world_read(&world, asks, OTHER, OK);
	expect("server /a header a1/2<b2 flags=1;client /a header a1/1<b2 flags=1;");
}

/* A proxy without tracer in front of a service with one: all are in the trace that the service names in its own call. */
static void adopted_by_all(void **state)
{
	struct wire *front = server(OTHER), *up = client(OTHER);
	struct wire *in = world_connect_to(&world, up, ROLE_SERVER, SERVER), *out = client(SERVER);

	(void)state;
	world_read(&world, front, OTHER, GET("/a"));
	world_write(&world, up, OTHER, GET("/a"));
	world_read(&world, in, SERVER, GET("/a"));
	call(out, SERVER, GET_WITH("/b", TRACEPARENT));
	world_write(&world, in, SERVER, OK);
	world_read(&world, up, OTHER, OK);
	world_write(&world, front, OTHER, OK);
	expect("client /b header a1/5<b2 flags=1;server /a parent a1/4<3 flags=1;"
	       "client /a parent a1/3<2 flags=1;server /a adopted a1/2<0 flags=1;");
}

/* Several under way are told apart by where they begin, however their bytes are moved. */
static void by_the_other_end_of_several(void **state)
{
	struct wire *asks = client(OTHER);
	struct wire *answers = world_connect_to(&world, asks, ROLE_SERVER, SERVER);

	(void)state;
	world_write(&world, asks, OTHER, GET("/a") GET("/b") "GE");
	world_write(&world, asks, OTHER, "T /c HTTP/1.1\r\n\r\n");
	world_read(&world, answers, SERVER, "G");
	world_read(&world, answers, SERVER, "ET /a HTTP/1.1\r\nHost: a\r\n\r\nGET /b");
	world_read(&world, answers, SERVER, " HTTP/1.1\r\nHost: a\r\n\r\nGET /c HTTP/1.1\r\n\r\n");
	world_write(&world, answers, SERVER, OK OK OK);
	world_read(&world, asks, OTHER, OK);
	world_read(&world, asks, OTHER, OK OK);
	expect("server /a parent 1/7<2;server /b parent 3/8<4;server /c parent 5/9<6;"
	       "client /a generated 1/2<0;client /b generated 3/4<0;client /c generated 5/6<0;");
}

/* Which of several is the one that the other end sees, order alone would have to say. */
static void not_by_the_other_end_of_several(void **state)
{
	struct wire *asks = client(OTHER);
	struct wire *answers = world_connect_to(&world, asks, ROLE_SERVER, SERVER);

	(void)state;
	answers->conn.flags = CONN_PREEXISTING;
	world_write(&world, asks, OTHER, GET("/a") GET("/b"));
	world_read(&world, answers, SERVER, GET("/a") GET("/b"));
	world_write(&world, answers, SERVER, OK OK);
	expect("server /a generated 1/2<0;server /b generated 3/4<0;");
}

/* The same addresses in two networks. */
static void not_by_addresses_of_two(void **state)
{
	struct wire *asks = client(OTHER), *answers, *others = client(OTHER);

	(void)state;
	others->conn.tuple = asks->conn.tuple;
	answers = world_connect_to(&world, asks, ROLE_SERVER, SERVER);
	world_write(&world, asks, OTHER, GET("/a"));
	world_write(&world, others, OTHER, GET("/a"));
	world_read(&world, answers, SERVER, GET("/a"));
	world_write(&world, answers, SERVER, OK);
	expect("server /a generated 1/2<0;");
	world_hang_up(&world, asks);
	world_hang_up(&world, others);
}

/* A request that we missed is not answered by the next one's trace. */
static void not_by_the_other_ends_next(void **state)
{
	struct wire *asks = client(OTHER);
	struct wire *answers = world_connect_to(&world, asks, ROLE_SERVER, SERVER);

	(void)state;
	world_read(&world, answers, SERVER, GET("/a"));
	world_write(&world, answers, SERVER, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n");
	asks->position[DIR_WRITE] = sizeof(GET("/a")) - 1;
	world_write(&world, asks, OTHER, GET("/b"));
	world_hang_up(&world, answers);
	expect("server /a generated 1/2<0;");
}

/* An IPv6 socket that an IPv4 client came to. */
static void by_the_other_end_mapped(void **state)
{
	struct wire *asks = client(OTHER);
	struct wire *answers = world_connect_to(&world, asks, ROLE_SERVER, SERVER);
	struct conn_tuple *tuple = &answers->conn.tuple;
	static const uint8_t mapped[16] = { [10] = 0xff, [11] = 0xff, [12] = 127, [15] = 1 };

	(void)state;
	tuple->family = 10; /* AF_INET6 */
	memcpy(tuple->local_addr, mapped, sizeof(mapped));
	memcpy(tuple->remote_addr, mapped, sizeof(mapped));
	world_write(&world, asks, OTHER, GET("/a"));
	world_read(&world, answers, SERVER, GET("/a"));
	world_write(&world, answers, SERVER, OK);
	expect("server /a parent 1/3<2;");
}

static void nobody_wants_spans(void **state)
{
	struct wire *in, *out;

	(void)state;
	world_close(&world);
	assert_int_equal(world_open(&world, false), 0);
	in = server(SERVER);
	out = client(SERVER);
	world_read(&world, in, SERVER, GET_WITH("/a", TRACEPARENT));
	call(out, SERVER, GET("/b"));
	world_write(&world, in, SERVER, OK);
	expect("client /b;server /a;");
	assert_int_equal(figures().threads, 0);
}

/* Out of memory, spans are only less well known. */
static void allocations_fail(void **state)
{
	(void)state;
	world_close(&world);
	FOR_EACH_FAILING_ALLOC(nth)
	{
		struct wire *a, *b, *out;

		if (world_open(&world, true) < 0)
			continue;
		a = server(SERVER);
		b = server(SERVER);
		out = client(SERVER);
		world_read(&world, a, SERVER, GET("/a"));
		call(out, SERVER, GET_WITH("/c", TRACEPARENT));
		world_read(&world, b, SERVER, GET("/b"));
		call(out, SERVER, GET("/c"));
		world_write(&world, b, SERVER, OK);
		world_close(&world);
	}
	assert_int_equal(world_open(&world, true), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(unjoined),
		TEST(by_header),
		TEST(by_the_same_header_again),
		TEST(by_thread),
		TEST(by_thread_without_header),
		TEST(links_by_process),
		TEST(adopted),
		TEST(adopted_too_late),
		TEST(ambiguous),
		TEST(links_are_bounded),
		TEST(not_after_somebody_elses_data),
		TEST(threads_prove_themselves),
		TEST(alone_is_sure),
		TEST(answers_whose_end_is_not_seen),
		TEST(not_in_a_loop),
		TEST(by_the_other_end),
		TEST(by_header_rather_than_the_other_end),
		TEST(adopted_by_all),
		TEST(by_the_other_end_of_several),
		TEST(not_by_the_other_end_of_several),
		TEST(not_by_addresses_of_two),
		TEST(not_by_the_other_ends_next),
		TEST(by_the_other_end_mapped),
		TEST(nobody_wants_spans),
		TEST(allocations_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
