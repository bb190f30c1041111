/* SPDX-License-Identifier: Apache-2.0 */
/* Datagrams as the kernel side tells them, and what the engine reports of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "correlate/lookup.h"
#include "failing_alloc.h"
#include "protocol/dns_words.h"

#define NS_PER_MS 1000000u
#define TGID 42
#define SOCKET 7

static struct {
	struct engine *engine;
	struct process_table *processes;
	uint64_t now_ns;
	uint64_t lost;
	char log[4096];
} world;

static void note(const char *format, const char *a, const char *b)
{
	size_t used = strlen(world.log);

	snprintf(world.log + used, sizeof(world.log) - used, format, a, b);
}

static const char *or_dash(const char *text)
{
	return text ? text : "-";
}

static void on_request(void *context, const struct request *request)
{
	const char *const *facts = request->attributes;
	char numbers[64];

	(void)context;
	note("%s %s ", request->role == ROLE_SERVER ? "server" : "client",
	     or_dash(facts[ATTRIBUTE_DNS_QUESTION_NAME]));
	note("%s %s ", or_dash(facts[ATTRIBUTE_DNS_QUESTION_TYPE]),
	     or_dash(facts[ATTRIBUTE_ERROR_TYPE]));
	snprintf(numbers, sizeof(numbers), "%llu",
		 (unsigned long long)(request->end_ns - request->start_ns) / NS_PER_MS);
	note("%s%s", numbers, request->is_partial ? " partial" : "");
	snprintf(numbers, sizeof(numbers), " again %u", request->retries);
	note("%s%s ", request->retries ? numbers : "", request->is_unanswered ? " unanswered" : "");
}

static void on_outcome(void *context, const char *protocol_name, enum parse_outcome outcome)
{
	static const char *const names[] = {
#define X(NAME, label, meaning) label,
		PARSE_OUTCOMES(X)
#undef X
	};

	(void)context;
	assert_string_equal(protocol_name, "dns");
	note("%s;%s", names[outcome], "");
}

static uint64_t on_events_lost(void *context)
{
	(void)context;
	return world.lost;
}

static void begin(const struct engine_limits *wanted)
{
	static const struct engine_limits defaults = { .connections = 4,
						       .routes_per_service = 50,
						       .services = 4 };
	static const struct observation_sink sink = { .request = on_request,
						      .parse_outcome = on_outcome };
	static const struct engine_feedback feedback = { .events_lost = on_events_lost };

	memset(&world, 0, sizeof(world));
	world.now_ns = 3600000000000u;
	world.processes = process_table_new(16, NULL, NULL);
	if (world.processes)
		world.engine =
			engine_new(wanted ? wanted : &defaults, world.processes, &sink, &feedback);
	if (world.engine) {
		engine_tick(world.engine, world.now_ns);
		world.now_ns += 60000ull * NS_PER_MS; /* sonde is not young any more */
	}
}

static int setup(void **state)
{
	(void)state;
	begin(NULL);
	return world.engine ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	engine_free(&world.engine);
	process_table_free(&world.processes);
	return 0;
}

/* What is said in a datagram; host byte order. */
struct said {
	uint64_t socket; /* 0: SOCKET */
	uint16_t id;
	uint16_t flags;
	const char *name; /* dots between labels; NULL: no question */
	uint16_t type;	  /* 0: A */
	uint16_t peer_port;
	uint16_t local_port;
	uint16_t captured; /* 0: all */
	uint8_t peer;	   /* first byte of its address */
	bool refuses;	   /* nothing: the call failed */
};

#define ANSWER 0x8180
#define NXDOMAIN 3

static size_t put_message(uint8_t *to, const struct said *said)
{
	uint16_t type = said->type ? said->type : 1;
	const uint8_t header[12] = { (uint8_t)(said->id >> 8),
				     (uint8_t)said->id,
				     (uint8_t)(said->flags >> 8),
				     (uint8_t)said->flags,
				     0,
				     said->name != NULL };
	const uint8_t tail[5] = { 0, (uint8_t)(type >> 8), (uint8_t)type, 0, 1 };
	const char *label = said->name;
	size_t at = sizeof(header);

	memcpy(to, header, sizeof(header));
	while (label && *label) {
		size_t length = strcspn(label, ".");

		to[at] = (uint8_t)length;
		memcpy(to + at + 1, label, length);
		at += length + 1;
		label += length + (label[length] == '.');
	}
	if (!said->name)
		return at;
	memcpy(to + at, tail, sizeof(tail));
	return at + sizeof(tail);
}

static int feed(enum turn_dir dir, const struct said *said)
{
	struct {
		struct event_datagram datagram;
		uint8_t payload[DATAGRAM_CAPTURE_MAX];
	} record = { .datagram = { .header = { .ktime_ns = world.now_ns,
					       .tgid = TGID,
					       .kind = EVENT_DATAGRAM },
				   .socket = said->socket ? said->socket : SOCKET,
				   .dir = dir,
				   .tuple = { .family = AF_INET,
					      .remote_addr = { said->peer, 0, 0, 1 },
					      .remote_port = said->peer_port,
					      .local_port = said->local_port } } };
	size_t length = said->refuses ? 0 : put_message(record.payload, said);
	size_t captured = said->captured ? said->captured : length;
	struct event event;

	record.datagram.bytes = (uint32_t)length;
	record.datagram.captured = (uint16_t)captured;
	record.datagram.header.size = (uint16_t)(sizeof(record.datagram) + captured);
	assert_int_equal(event_decode(&record, record.datagram.header.size, &event), 0);
	return engine_feed(world.engine, &event);
}

#define SENT(...) assert_int_equal(feed(DIR_WRITE, &(struct said){ __VA_ARGS__ }), 0)
#define READ(...) assert_int_equal(feed(DIR_READ, &(struct said){ __VA_ARGS__ }), 0)

static void wait_ms(unsigned milliseconds)
{
	for (; milliseconds >= 100; milliseconds -= 100) {
		world.now_ns += 100ull * NS_PER_MS;
		engine_tick(world.engine, world.now_ns);
	}
	world.now_ns += (uint64_t)milliseconds * NS_PER_MS;
}

static void expect(const char *text)
{
	assert_string_equal(world.log, text);
	world.log[0] = '\0';
}

static void expect_empty(void)
{
	struct engine_stats stats;

	engine_stats_read(world.engine, &stats);
	assert_int_equal(stats.lookups, 0);
}

static void pairs_in_any_order(void **state)
{
	(void)state;
	SENT(.id = 1, .name = "www.a.test");
	SENT(.id = 2, .name = "www.a.test", .type = 28);
	wait_ms(3);
	READ(.id = 2, .flags = ANSWER, .name = "www.a.test", .type = 28);
	wait_ms(2);
	READ(.id = 1, .flags = ANSWER | NXDOMAIN, .name = "WWW.a.TEST");
	expect("client a.test AAAA - 3 ok;client a.test A NXDOMAIN 5 ok;");
	expect_empty();
}

static void serves_those_who_share_an_identifier(void **state)
{
	(void)state;
	READ(.id = 1, .name = "x.test", .peer_port = 1000);
	wait_ms(1);
	READ(.id = 1, .name = "x.test", .peer_port = 1001);
	wait_ms(10);
	READ(.id = 1, .name = "x.test", .peer_port = 1000, .peer = 9);
	SENT(.id = 1, .flags = ANSWER, .name = "x.test", .peer_port = 1001);
	SENT(.id = 1, .flags = ANSWER, .name = "x.test", .peer_port = 1000);
	expect("server x.test A - 10 ok;server x.test A - 11 ok;");
	wait_ms(7000);
	expect("no_response;"); /* a server that says nothing served nothing */
	expect_empty();
}

static void tells_questions_and_sockets_apart(void **state)
{
	(void)state;
	SENT(.id = 1, .name = "a.test");
	SENT(.id = 1, .name = "b.test");
	SENT(.id = 1, .name = "c.test", .socket = 8);
	READ(.id = 1, .flags = ANSWER, .name = "b.test");
	expect("client b.test A - 0 ok;");
	READ(.id = 1, .flags = ANSWER, .name = "c.test", .socket = 8);
	expect("client c.test A - 0 ok;");
	READ(.id = 1, .flags = ANSWER | 1, .name = NULL);
	expect("client a.test A FORMERR 0 ok;");
	expect_empty();
}

static void counts_what_is_sent_again(void **state)
{
	(void)state;
	SENT(.id = 1, .name = "a.test");
	wait_ms(5000);
	SENT(.id = 1, .name = "a.test");
	wait_ms(5000);
	READ(.id = 1, .flags = ANSWER, .name = "a.test");
	expect("client a.test A - 10000 again 1 ok;");
	SENT(.id = 2, .name = "b.test");
	wait_ms(100);
	SENT(.id = 3, .name = "c.test");
	wait_ms(5000);
	SENT(.id = 2, .name = "b.test"); /* its time begins anew, and that of others goes on */
	wait_ms(1200);
	expect("client c.test A timeout 6000 unanswered no_response;");
	READ(.id = 2, .flags = ANSWER, .name = "b.test");
	expect("client b.test A - 6300 again 1 ok;");
	READ(.id = 1, .flags = ANSWER, .name = "a.test");
	wait_ms(7000);
	expect("unmatched_response;");
	expect_empty();
}

static void gives_up_in_time(void **state)
{
	(void)state;
	SENT(.id = 1, .name = "a.test");
	SENT(.id = 1, .name = "a.test");
	wait_ms(5900);
	expect("");
	wait_ms(200);
	expect("client a.test A timeout 6000 again 1 unanswered no_response;");
	expect_empty();
}

static void ends_what_is_refused(void **state)
{
	(void)state;
	SENT(.id = 1, .name = "a.test");
	SENT(.id = 2, .name = "a.test", .type = 28);
	SENT(.id = 1, .name = "b.test", .socket = 8);
	READ(.id = 3, .name = "c.test", .peer_port = 1000);
	wait_ms(2);
	READ(.refuses = true);
	expect("client a.test A connection_refused 2 unanswered no_response;"
	       "client a.test AAAA connection_refused 2 unanswered no_response;");
	READ(.id = 1, .flags = ANSWER, .name = "b.test", .socket = 8);
	expect("client b.test A - 2 ok;");
	READ(.refuses = true);
	expect("");
}

/* Its answer may be among what was lost. */
static void believes_no_silence_after_a_loss(void **state)
{
	(void)state;
	SENT(.id = 1, .name = "a.test");
	wait_ms(500);
	world.lost = 1;
	wait_ms(7000);
	expect("client a.test A - 6000 partial lost;");
	SENT(.id = 2, .name = "a.test");
	wait_ms(7000);
	expect("client a.test A timeout 6000 unanswered no_response;");
}

static void waits_for_a_query_that_was_overtaken(void **state)
{
	(void)state;
	READ(.id = 1, .flags = ANSWER | NXDOMAIN, .name = "a.test");
	expect("");
	wait_ms(1);
	SENT(.id = 1, .name = "a.test");
	expect("client a.test A NXDOMAIN 0 ok;");
	READ(.id = 2, .flags = ANSWER, .name = "a.test");
	wait_ms(1100);
	SENT(.id = 2, .name = "a.test"); /* another one: that answer is too old */
	wait_ms(10);
	READ(.id = 2, .flags = ANSWER, .name = "a.test");
	expect("client a.test A - 10 ok;");
	wait_ms(7000);
	expect("unmatched_response;");
	expect_empty();
}

static void knows_that_it_is_young(void **state)
{
	(void)state;
	teardown(NULL);
	begin(NULL);
	world.now_ns -= 59000ull * NS_PER_MS;
	READ(.id = 1, .flags = ANSWER, .name = "a.test");
	wait_ms(7000);
	expect("client a.test A - 0 partial partial;");
	READ(.id = 1, .flags = ANSWER, .name = "a.test");
	wait_ms(7000);
	expect("unmatched_response;");
}

static void tells_truncation(void **state)
{
	(void)state;
	SENT(.id = 1, .name = "a.test");
	READ(.id = 1, .flags = ANSWER | 0x0200, .name = "a.test");
	expect("client a.test A - 0 ok;truncated;");
}

static void leaves_local_naming_alone(void **state)
{
	(void)state;
	SENT(.id = 1, .name = "a.local", .peer = 224, .peer_port = 5353);
	READ(.id = 1, .name = "a.local", .local_port = 5353, .peer_port = 5353);
	READ(.id = 1, .name = "a", .local_port = 5355);
	SENT(.id = 1, .name = "a", .peer_port = 137);
	wait_ms(7000);
	expect("");
	READ(.id = 1, .name = "a.test", .local_port = 5353, .peer_port = 40000);
	SENT(.id = 1, .flags = ANSWER, .name = "a.test", .local_port = 5353, .peer_port = 40000);
	expect("server a.test A - 0 ok;");
}

static void counts_what_it_cannot_read(void **state)
{
	(void)state;
	SENT(.id = 1, .name = "a.test", .captured = 14);
	expect("header_truncated;");
	SENT(.id = 1, .flags = 0x2800, .name = "a.test"); /* UPDATE */
	expect("");
	SENT(.id = 1, .name = "a.test", .type = 1, .flags = 0);
	wait_ms(1);
	READ(.id = 1, .flags = ANSWER, .name = "a.test");
	expect("client a.test A - 1 ok;");
	expect_empty();
}

static void bounds_names(void **state)
{
	static const struct engine_limits two = { .connections = 4,
						  .routes_per_service = 2,
						  .services = 4 };
	struct engine_stats stats;

	(void)state;
	teardown(NULL);
	begin(&two);
	for (uint16_t i = 1; i < 4; i++) {
		const char *name = i == 1 ? "a.test" : i == 2 ? "b.test" : "c.test";

		SENT(.id = i, .name = name);
		READ(.id = i, .flags = ANSWER, .name = name);
	}
	expect("client a.test A - 0 ok;client b.test A - 0 ok;client other A - 0 ok;");
	engine_stats_read(world.engine, &stats);
	assert_int_equal(stats.names_refused, 1);
}

/* The one asked least recently goes, and nothing wrong is told of it. */
static void bounds_lookups(void **state)
{
	struct engine_stats stats;

	(void)state;
	for (unsigned i = 0; i < LOOKUPS_MAX; i++)
		SENT(.socket = 100 + i, .id = 1, .name = "a.test");
	expect("");
	SENT(.socket = 99, .id = 1, .name = "b.test");
	expect("client a.test A - 0 partial lost;");
	engine_stats_read(world.engine, &stats);
	assert_int_equal(stats.lookups, LOOKUPS_MAX);
	assert_int_equal(stats.lookups_max, LOOKUPS_MAX);
	assert_int_equal(stats.lookups_evicted, 1);
	READ(.socket = 101, .id = 1, .flags = ANSWER, .name = "a.test");
	expect("client a.test A - 0 ok;");
}

static void without_memory(void **state)
{
	(void)state;
	teardown(NULL);
	FOR_EACH_FAILING_ALLOC(nth)
	{
		begin(NULL);
		if (world.engine) {
			(void)feed(DIR_WRITE, &(struct said){ .id = 1, .name = "a.test" });
			(void)feed(DIR_READ,
				   &(struct said){ .id = 1, .flags = ANSWER, .name = "a.test" });
			wait_ms(7000);
		}
		teardown(NULL);
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(pairs_in_any_order),
		TEST(serves_those_who_share_an_identifier),
		TEST(tells_questions_and_sockets_apart),
		TEST(counts_what_is_sent_again),
		TEST(ends_what_is_refused),
		TEST(gives_up_in_time),
		TEST(believes_no_silence_after_a_loss),
		TEST(waits_for_a_query_that_was_overtaken),
		TEST(knows_that_it_is_young),
		TEST(tells_truncation),
		TEST(leaves_local_naming_alone),
		TEST(counts_what_it_cannot_read),
		TEST(bounds_names),
		TEST(bounds_lookups),
		TEST(without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
