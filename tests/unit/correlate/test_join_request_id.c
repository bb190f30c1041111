/* SPDX-License-Identifier: Apache-2.0 */
/* Calls of a proxy, joined by the X-Request-ID that it passes on. */
#include "correlate/join.h"
#include "join_scene.h"

#define PROXY 100u
#define OTHER 200u
#define ID(id) "X-Request-ID: " id "\r\n"

static struct wire *asked(const char *request)
{
	struct wire *wire = world_connect(&world, ROLE_SERVER, PROXY);

	world_read(&world, wire, PROXY, request);
	return wire;
}

static void call(uint32_t tgid, const char *request)
{
	struct wire *wire = world_connect(&world, ROLE_CLIENT, tgid);

	world_write(&world, wire, tgid, request);
	world_read(&world, wire, tgid, OK);
}

static void the_same_id_is_the_cause(void **state)
{
	struct wire *a = asked(GET_WITH("/a", ID("1"))),
		    *b = asked(GET_WITH("/b", TRACEPARENT ID("2")));

	(void)state;
	call(PROXY, GET_WITH("/b", ID("2")));
	call(PROXY, GET_WITH("/a", ID("1")));
	expect("client /b parent a1/2<1 flags=1 id=2;client /a parent 3/5<4 id=1;");
	world_write(&world, a, PROXY, OK);
	world_write(&world, b, PROXY, OK);
	expect("server /a generated 3/4<0 id=1;server /b header a1/1<b2 flags=1 id=2;");
	assert_int_equal(figures().ambiguous, 0);
	assert_int_equal(figures().request_ids, 0);
}

/* Of another process, over, or not the only one: links as before. */
static void only_one_that_is_open_in_the_process(void **state)
{
	struct wire *a = asked(GET_WITH("/a", ID("1"))), *b = asked(GET_WITH("/b", ID("1")));

	(void)state;
	call(PROXY, GET_WITH("/x", ID("1")));
	assert_int_equal(figures().ambiguous, 1);
	world_write(&world, a, PROXY, OK);
	asked(GET_WITH("/c", ID("1")));
	world.log_bytes = 0;
	call(PROXY, GET_WITH("/y", ID("1"))); /* the first one's place is not the third's */
	world_pause(&world, 400); /* nothing that its thread does next tells whose it was */
	assert_int_equal(figures().ambiguous, 2);
	world_write(&world, b, PROXY, OK);
	asked(GET_WITH("/d", ID("4")));
	world.log_bytes = 0;
	call(OTHER, GET_WITH("/z", ID("4")));
	assert_int_equal(figures().spans[SPAN_JOIN_PARENT], 0);
	assert_int_equal(figures().request_ids, 2);
}

/* A call's own header goes first. */
static void a_header_goes_first(void **state)
{
	(void)state;
	(void)asked(GET_WITH("/a", ID("1")));
	(void)asked(GET_WITH("/b", ID("2")));
	call(PROXY, GET_WITH("/a", ID("1") TRACEPARENT));
	expect("client /a header a1/1<b2 flags=1 id=1;");
}

/* The other end was seen first, and is in the call's trace. */
static void the_other_end_comes_along(void **state)
{
	struct wire *a = asked(GET_WITH("/a", TRACEPARENT ID("1"))), *out, *end;

	(void)state;
	(void)asked(GET_WITH("/b", ID("2")));
	out = world_connect(&world, ROLE_CLIENT, PROXY);
	end = world_connect_to(&world, out, ROLE_SERVER, OTHER);
	world_read(&world, end, OTHER, GET_WITH("/a", ID("1")));
	world_write(&world, out, PROXY, GET_WITH("/a", ID("1")));
	world_write(&world, end, OTHER, OK);
	world_read(&world, out, PROXY, OK);
	world_write(&world, a, PROXY, OK);
	expect("server /a parent a1/4<2 flags=1 id=1;client /a parent a1/2<3 flags=1 from=1 id=1;"
	       "server /a header a1/3<b2 flags=1 id=1;");
}

/* Pipelined: so many connections would be too many. */
static void a_full_table_joins_no_more(void **state)
{
	struct wire *wire = NULL;
	char request[128];

	(void)state;
	for (unsigned i = 0; i <= JOIN_REQUEST_IDS_MAX; i++) {
		if (i % 4000 == 0)
			wire = world_connect(&world, ROLE_SERVER, PROXY);
		snprintf(request, sizeof(request), GET_WITH("/a", ID("%u")), i);
		world_read(&world, wire, PROXY, request);
	}
	assert_int_equal(figures().request_ids, figures().request_ids_limit);
	assert_int_equal(figures().request_ids_refused, 1);
}

static void without_memory(void **state)
{
	(void)state;
	FOR_EACH_FAILING_ALLOC(nth)
	{
		if (world_open(&world, true))
			continue;
		(void)asked(GET_WITH("/a", ID("1")));
		(void)asked(GET_WITH("/b", ID("2")));
		call(PROXY, GET_WITH("/a", ID("1")));
		world_close(&world);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_same_id_is_the_cause, setup, teardown),
		cmocka_unit_test_setup_teardown(only_one_that_is_open_in_the_process, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_header_goes_first, setup, teardown),
		cmocka_unit_test_setup_teardown(the_other_end_comes_along, setup, teardown),
		cmocka_unit_test_setup_teardown(a_full_table_joins_no_more, setup, teardown),
		cmocka_unit_test(without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
