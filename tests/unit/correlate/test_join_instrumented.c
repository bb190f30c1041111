/* SPDX-License-Identifier: Apache-2.0 */
/* Which spans of services with a tracer of their own are told, and how these are known. */
#include "join_scene.h"

#define SERVER 100u /* a process, and its first thread */
#define OTHER 200u

/* Trace 0x…a1 as the request's, span 0x…c3. */
#define OWN "traceparent: 00-000000000000000000000000000000a1-00000000000000c3-01\r\n"

static void tell(enum spans_of_instrumented which)
{
	engine_set_spans_of_instrumented(world.engine, which);
}

/* A request, and a call that is made to answer it. */
static void serve(struct wire *in, struct wire *out, const char *request, const char *call)
{
	world_read(&world, in, SERVER, request);
	world_write(&world, out, SERVER, call);
	world_read(&world, out, SERVER, OK);
	world_write(&world, in, SERVER, OK);
}

static void calls_with_spans_of_their_own(void **state)
{
	struct wire *in = server(SERVER), *out = client(SERVER);

	(void)state;
	tell(INSTRUMENTED_KERNEL_ONLY);
	serve(in, out, GET_WITH("/a", TRACEPARENT), GET_WITH("/b", OWN));
	expect("client /b header a1/2<c3 flags=1;server /a;");
	serve(in, out, GET_WITH("/a", TRACEPARENT),
	      GET("/c")); /* of which its tracer knows nothing */
	expect("client /c;server /a;");
	serve(in, out, GET("/a"), GET_WITH("/b", OWN));
	expect("client /b header a1/6<c3 flags=1;server /a;");
	assert_int_equal(figures().left_out, 4);
	assert_int_equal(figures().spans[SPAN_JOIN_HEADER], 2);
	assert_int_equal(figures().spans[SPAN_JOIN_PARENT], 0);
}

static void began_the_trace(void **state)
{
	(void)state;
	tell(INSTRUMENTED_KERNEL_ONLY);
	serve(server(SERVER), client(SERVER), GET("/a"), GET_WITH("/b", OWN));
	expect("client /b header a1/3<c3 flags=1;server /a;");
}

/* A proxy without a tracer; and calls for which nobody can say what came in. */
static void passes_on(void **state)
{
	struct wire *in = server(SERVER), *out = client(SERVER);

	(void)state;
	tell(INSTRUMENTED_KERNEL_ONLY);
	serve(in, out, GET_WITH("/a", TRACEPARENT), GET_WITH("/b", TRACEPARENT));
	expect("client /b header a1/2<b2 flags=1;server /a header a1/1<b2 flags=1;");
	world_write(&world, client(OTHER), OTHER, GET_WITH("/c", OWN));
	serve(server(OTHER), client(OTHER), GET("/a"), GET("/b"));
	assert_non_null(strstr(world.log, "server /a generated"));
	assert_int_equal(figures().left_out, 0);
}

/* Of an event loop it is known whose call it was when the answer begins. */
static void of_an_event_loop(void **state)
{
	struct wire *a = server(SERVER), *b = server(SERVER), *out = client(SERVER);

	(void)state;
	tell(INSTRUMENTED_KERNEL_ONLY);
	world_read(&world, a, SERVER, GET("/a"));
	world_write(&world, client(SERVER), SERVER, GET("/for-a"));
	world_read(&world, b, SERVER, GET("/b"));
	world_write(&world, out, SERVER, GET_WITH("/for-b", OWN));
	world_read(&world, out, SERVER, OK);
	world_write(&world, b, SERVER, OK);
	expect("client /for-b header a1/4<c3 flags=1;server /b;");
}

static void publishes(void **state)
{
	struct wire *in = server(SERVER), *out = client(SERVER);

	(void)state;
	tell(INSTRUMENTED_KERNEL_ONLY);
	world_read(&world, in, SERVER, GET_WITH("/a", TRACEPARENT));
	world_publish(&world, out, SERVER, 0xa1, 0x61);
	world_write(&world, out, SERVER, GET("/b"));
	world_read(&world, out, SERVER, OK);
	world_publish(&world, in, SERVER, 0xa1, 0x71);
	world_write(&world, in, SERVER, OK);
	expect("client /b thread_context a1/2<61 flags=1;server /a thread_context a1/1<71 flags=1;");
	/* Nothing of what it is at with this one. */
	world_read(&world, in, SERVER, GET_WITH("/a", TRACEPARENT));
	world_write(&world, in, SERVER, OK);
	expect("server /a;");
	/* Another trace than the request's. */
	world_read(&world, in, SERVER, GET_WITH("/a", TRACEPARENT));
	world_publish(&world, in, SERVER, 0x55, 0x71);
	world_write(&world, in, SERVER, OK);
	expect("server /a;");
}

/* What is not told has no children. */
static void is_nobodys_parent(void **state)
{
	struct wire *in = server(SERVER), *out = client(SERVER),
		    *below = world_connect_to(&world, out, ROLE_SERVER, OTHER);

	(void)state;
	tell(INSTRUMENTED_KERNEL_ONLY);
	for (int is_known = 0; is_known < 2; is_known++) {
		world_read(&world, in, SERVER, GET("/a"));
		world_write(&world, out, SERVER, is_known ? GET("/b") : GET_WITH("/b", OWN));
		world_read(&world, below, OTHER, is_known ? GET("/b") : GET_WITH("/b", OWN));
		world_write(&world, below, OTHER, OK);
		world_read(&world, out, SERVER, OK);
		world_write(&world, in, SERVER, OK);
	}
	expect("server /b header a1/4<c3 flags=1;client /b header a1/3<c3 flags=1;server /a;"
	       "server /b generated 7/8<0;client /b;server /a;");
}

static void tells_none(void **state)
{
	struct wire *in = server(SERVER), *out = client(SERVER),
		    *below = world_connect_to(&world, out, ROLE_SERVER, OTHER);

	(void)state;
	tell(INSTRUMENTED_OFF);
	for (int i = 0; i < 2; i++) {
		world_read(&world, in, SERVER, GET("/a"));
		world_publish(&world, out, SERVER, 0xa1, 0x61);
		world_write(&world, out, SERVER, GET("/b"));
		world_read(&world, below, OTHER, GET("/b"));
		world_write(&world, below, OTHER, OK);
		world_read(&world, out, SERVER, OK);
		world_write(&world, in, SERVER, OK);
	}
	assert_non_null(strstr(world.log, "client /b;server /a;"));
	assert_null(strstr(world.log, "thread_context"));
	assert_int_equal(figures().left_out, 4);
}

static void tells_all(void **state)
{
	(void)state;
	tell(INSTRUMENTED_ON);
	serve(server(SERVER), client(SERVER), GET_WITH("/a", TRACEPARENT), GET_WITH("/b", OWN));
	expect("client /b header a1/2<c3 flags=1;server /a header a1/1<b2 flags=1;");
	assert_int_equal(figures().left_out, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(calls_with_spans_of_their_own, setup, teardown),
		cmocka_unit_test_setup_teardown(began_the_trace, setup, teardown),
		cmocka_unit_test_setup_teardown(passes_on, setup, teardown),
		cmocka_unit_test_setup_teardown(of_an_event_loop, setup, teardown),
		cmocka_unit_test_setup_teardown(publishes, setup, teardown),
		cmocka_unit_test_setup_teardown(is_nobodys_parent, setup, teardown),
		cmocka_unit_test_setup_teardown(tells_none, setup, teardown),
		cmocka_unit_test_setup_teardown(tells_all, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
