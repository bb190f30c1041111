/* SPDX-License-Identifier: Apache-2.0 */
/* Spans of requests that carry messages, each of which names a span of its own; Kafka's for an example. */
#include "kafka_message.h"

#include "join_scene.h"

#define SPAN(trace, span) "00-000000000000000000000000000000" trace "-00000000000000" span "-01"

static struct kafka_message made;
static size_t first;

static void begin(int is_answer)
{
	kafka_begin(&made, is_answer, 1);
	first = made.length;
	kafka_begin_batch(&made, 0);
}

static void put(const char *traceparent, const char *tracestate)
{
	const struct kafka_header headers[] = { { "traceparent", traceparent },
						{ "tracestate", tracestate },
						{ NULL } };

	kafka_put_record(&made, 5, headers);
}

static void say(struct wire *wire, enum turn_dir dir)
{
	kafka_end_batch(&made);
	kafka_end(&made, first);
	world_move(&world, wire, 7, dir, made.bytes, made.length);
}

/* Produce 3 is answered with a partition. */
static void say_produced(struct wire *wire, enum turn_dir dir)
{
	static const char answer[] = "\0\0\0\53\0\0\0\1\0\0\0\1\0\1t\0\0\0\1\0\0\0\0\0\0"
				     "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";

	world_move(&world, wire, 7, dir, answer, 47);
}

/* Fetch 4 of one partition. */
static void say_fetch(struct wire *wire)
{
	static const char fetch[] =
		"\0\0\0\64\0\1\0\4\0\0\0\1\0\1c\377\377\377\377\0\0\0\1\0\0\0\1\0\0\1"
		"\0\0\0\0\0\1\0\1t\0\0\0\1\0\0\0\0\0\0\0\0\0\0\0\0\0\1\0";

	world_move(&world, wire, 7, DIR_WRITE, fetch, 56);
}

static void what_is_sent_is_a_child_of_whom_it_names(void **state)
{
	struct wire *producer = client(1),
		    *broker = world_connect_to(&world, producer, ROLE_SERVER, 2);

	(void)state;
	begin(0);
	put(SPAN("a1", "b2"), "vendor=1");
	put(SPAN("a1", "b2"), "vendor=1");
	say(producer, DIR_WRITE);
	say(broker, DIR_READ);
	say_produced(broker, DIR_WRITE);
	say_produced(producer, DIR_READ);
	expect("server Produce header a1/2<b2 flags=1 state=vendor=1;"
	       "client Produce header a1/1<b2 flags=1 state=vendor=1;");
	assert_int_equal(figures().spans[SPAN_JOIN_HEADER], 2);
}

static void what_names_several_has_links(void **state)
{
	struct wire *producer = client(1),
		    *broker = world_connect_to(&world, producer, ROLE_SERVER, 2);

	(void)state;
	begin(0);
	put(SPAN("a1", "b2"), "vendor=1");
	put(SPAN("a2", "c3"), NULL);
	say(producer, DIR_WRITE);
	say(broker, DIR_READ);
	say_produced(broker, DIR_WRITE);
	say_produced(producer, DIR_READ);
	expect("server Produce parent 1/3<2 a1/b2 a2/c3;client Produce generated 1/2<0 a1/b2 a2/c3;");
}

/* What is fetched was sent by somebody who knew nothing of who fetches it. */
static void what_is_fetched_has_links(void **state)
{
	struct wire *consumer = client(1);

	(void)state;
	say_fetch(consumer);
	begin(1);
	put(SPAN("a1", "b2"), "vendor=1");
	say(consumer, DIR_READ);
	expect("client Fetch generated 1/2<0 a1/b2;");
	assert_int_equal(figures().spans[SPAN_JOIN_GENERATED], 1);
}

static void links_are_bounded(void **state)
{
	struct wire *consumer = client(1);
	char text[64];

	(void)state;
	say_fetch(consumer);
	begin(1);
	for (unsigned i = 0; i < TRACE_LINKS_MAX + 3; i++) {
		(void)snprintf(text, sizeof(text), "00-%032x-%016x-01", 1, i + 1);
		put(text, NULL);
	}
	say(consumer, DIR_READ);
	assert_non_null(strstr(world.log, " 1/20 +3;"));
	assert_null(strstr(world.log, "1/21"));
	assert_int_equal(figures().links_dropped, 3);
}

static void values_that_are_malformed_are_counted(void **state)
{
	struct wire *consumer = client(1);

	(void)state;
	say_fetch(consumer);
	begin(1);
	put("00-1-2-3", NULL);
	put(SPAN("a1", "b2"), NULL);
	say(consumer, DIR_READ);
	expect("client Fetch generated 1/2<0 a1/b2;");
	assert_int_equal(figures().ignored[TRACE_FORMAT_W3C], 1);
}

/* The thread works for a request that came without a trace: what it sends names it. */
static void a_message_names_the_trace_of_a_request(void **state)
{
	struct wire *front = server(1), *producer = client(1);

	(void)state;
	world_read(&world, front, 7, GET("/a"));
	begin(0);
	put(SPAN("a1", "b2"), NULL);
	say(producer, DIR_WRITE);
	say_produced(producer, DIR_READ);
	world_write(&world, front, 7, OK);
	expect("client Produce header a1/3<b2 flags=1;server /a adopted a1/2<0 flags=1;");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_is_sent_is_a_child_of_whom_it_names, setup,
						teardown),
		cmocka_unit_test_setup_teardown(what_names_several_has_links, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_fetched_has_links, setup, teardown),
		cmocka_unit_test_setup_teardown(links_are_bounded, setup, teardown),
		cmocka_unit_test_setup_teardown(values_that_are_malformed_are_counted, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_message_names_the_trace_of_a_request, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
