/* SPDX-License-Identifier: Apache-2.0 */
/* What threads publish as they write: whose parent it becomes, and when it is not used. */
#include "join_scene.h"

#define SERVER 100u /* a process, and its first thread */
#define OTHER 200u

/* A call of a thread that has published a span. */
static void call(struct wire *wire, uint32_t tid, const char *request, uint8_t trace, uint8_t span)
{
	world_publish(&world, wire, tid, trace, span);
	world_write(&world, wire, tid, request);
	world_read(&world, wire, tid, OK);
}

static void a_request_and_an_answer(void **state)
{
	struct wire *in = server(SERVER), *out = client(OTHER);

	(void)state;
	for (int i = 0; i < 3; i++) { /* what repeats is recognised without being read */
		world_read(&world, in, SERVER, GET("/a"));
		world_publish(&world, in, SERVER, 0x51, (uint8_t)(0x61 + i));
		world_write(&world, in, SERVER, OK);
		call(out, OTHER, GET("/b"), 0x52, (uint8_t)(0x71 + i));
	}
	expect("server /a thread_context 51/2<61 flags=1;client /b thread_context 52/3<71 flags=1;"
	       "server /a thread_context 51/5<62 flags=1;client /b thread_context 52/6<72 flags=1;"
	       "server /a thread_context 51/8<63 flags=1;client /b thread_context 52/9<73 flags=1;");
	assert_int_equal(figures().spans[SPAN_JOIN_THREAD_CONTEXT], 6);
}

/* The call's trace is the request's too, before the answer says so. */
static void the_whole_request(void **state)
{
	struct wire *in = server(SERVER), *out = client(SERVER);

	(void)state;
	world_read(&world, in, SERVER, GET("/a"));
	call(out, SERVER, GET("/b"), 0x51, 0x61);
	world_write(&world, in, SERVER, OK);
	expect("client /b thread_context 51/3<61 flags=1;server /a adopted 51/2<0 flags=1;");
	world_read(&world, in, SERVER, GET("/a"));
	call(out, SERVER, GET("/b"), 0x52, 0x62);
	world_publish(&world, in, SERVER, 0x52, 0x72);
	world_write(&world, in, SERVER, OK);
	expect("client /b thread_context 52/6<62 flags=1;server /a thread_context 52/5<72 flags=1;");
}

/* On the wire is whose child the application's own span is; a call's is in the thread. */
static void with_a_header(void **state)
{
	struct wire *in = server(SERVER), *out = client(SERVER);

	(void)state;
	world_read(&world, in, SERVER, GET_WITH("/a", TRACEPARENT));
	call(out, SERVER, GET_WITH("/b", TRACEPARENT), 0xa1, 0x61);
	world_publish(&world, in, SERVER, 0xa1, 0x71);
	world_write(&world, in, SERVER, OK);
	expect("client /b thread_context a1/2<61 flags=1;server /a header a1/1<b2 flags=1;");
	call(client(OTHER), OTHER, GET_WITH("/c", TRACEPARENT), 0x52,
	     0x62); /* it sends another's */
	expect("client /c header a1/3<b2 flags=1;");
}

/* A request in a trace that its header names, and the tracer begins one of its own. */
static void of_another_trace_than_the_request(void **state)
{
	struct wire *in = server(SERVER), *out = client(SERVER);

	(void)state;
	world_read(&world, in, SERVER, GET_WITH("/a", TRACEPARENT));
	call(out, SERVER, GET("/b"), 0x51, 0x61);
	world_write(&world, in, SERVER, OK);
	expect("client /b thread_context 51/2<61 flags=1;server /a header a1/1<b2 flags=1;");
}

/* A span of the request was told: its trace stays, the published one is a link. */
static void too_late(void **state)
{
	struct wire *in = server(SERVER), *out = client(SERVER);

	(void)state;
	world_read(&world, in, SERVER, GET("/a"));
	world_write(&world, out, SERVER, GET("/b"));
	world_read(&world, out, SERVER, OK);
	world_publish(&world, in, SERVER, 0x51, 0x61);
	world_write(&world, in, SERVER, OK);
	expect("client /b parent 1/3<2;server /a generated 1/2<0 51/61;");
	assert_int_equal(figures().late, 1);
}

/* Both ends of one connection: what the server is asked is the client's child, whatever the tracer of the client says. */
static void at_both_ends(void **state)
{
	struct wire *out = client(SERVER);
	struct wire *in = world_connect_to(&world, out, ROLE_SERVER, OTHER);

	(void)state;
	world_publish(&world, out, SERVER, 0x51, 0x61);
	world_write(&world, out, SERVER, GET("/a"));
	world_read(&world, in, OTHER, GET("/a"));
	world_write(&world, in, OTHER, OK);
	world_read(&world, out, SERVER, OK);
	expect("server /a parent 51/2<1 flags=1;client /a thread_context 51/1<61 flags=1;");
	/* The server's tracer begins a trace of its own: ours stays where it is known to belong. */
	world_publish(&world, out, SERVER, 0x52, 0x62);
	world_write(&world, out, SERVER, GET("/a"));
	world_read(&world, in, OTHER, GET("/a"));
	world_publish(&world, in, OTHER, 0x53, 0x63);
	world_write(&world, in, OTHER, OK);
	world_read(&world, out, SERVER, OK);
	expect("server /a parent 52/4<3 flags=1;client /a thread_context 52/3<62 flags=1;");
}

/* Which request of several the thread's span led to is not known. */
static void not_of_several(void **state)
{
	struct wire *in = server(SERVER), *out = client(OTHER);

	(void)state;
	world_publish(&world, out, OTHER, 0x51, 0x61);
	world_write(&world, out, OTHER, GET("/a") GET("/b"));
	world_read(&world, out, OTHER, OK OK);
	expect("client /a generated 1/2<0;client /b generated 3/4<0;");
	assert_int_equal(figures().contexts_shared, 1);
	world_read(&world, in, SERVER, GET("/a") GET("/b"));
	world_publish(&world, in, SERVER, 0x52, 0x62);
	world_write(&world, in, SERVER, OK OK);
	assert_int_equal(figures().spans[SPAN_JOIN_THREAD_CONTEXT], 1); /* the last is alone then */
}

/* Only for the write it came with: of that connection, thread and time. */
static void not_of_another_write(void **state)
{
	struct wire *out = client(OTHER), *next = client(OTHER);

	(void)state;
	world_publish(&world, out, OTHER, 0x51, 0x61);
	world_write(&world, next, OTHER, GET("/a"));
	world_read(&world, next, OTHER, OK);
	world_write(&world, out, OTHER, GET("/b"));
	world_read(&world, out, OTHER, OK);
	expect("client /a generated 1/2<0;client /b generated 3/4<0;");
	world_publish(&world, out, OTHER, 0x51, 0x61);
	world_write(&world, out, OTHER + 1, GET("/c"));
	world_read(&world, out, OTHER + 1, OK);
	expect("client /c generated 5/6<0;");
	assert_int_equal(figures().contexts_evicted, 1);
}

static void not_of_the_body(void **state)
{
	struct wire *out = client(OTHER);

	(void)state;
	world_write(&world, out, OTHER, "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n");
	world_publish(&world, out, OTHER, 0x51, 0x61);
	world_write(&world, out, OTHER, "body");
	world_read(&world, out, OTHER, OK);
	expect("client /a generated 1/2<0;");
}

static void allocations_fail(void **state)
{
	(void)state;
	world_close(&world);
	FOR_EACH_FAILING_ALLOC(nth)
	{
		struct wire *in, *out;

		if (world_open(&world, true) < 0)
			continue;
		in = server(SERVER);
		out = client(SERVER);
		world_read(&world, in, SERVER, GET_WITH("/a", TRACEPARENT));
		call(out, SERVER, GET("/b"), 0x51, 0x61);
		world_publish(&world, in, SERVER, 0x51, 0x62);
		world_write(&world, in, SERVER, OK);
		world_close(&world);
	}
	assert_int_equal(world_open(&world, true), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_request_and_an_answer),
		TEST(the_whole_request),
		TEST(with_a_header),
		TEST(of_another_trace_than_the_request),
		TEST(too_late),
		TEST(at_both_ends),
		TEST(not_of_several),
		TEST(not_of_another_write),
		TEST(not_of_the_body),
		TEST(allocations_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
