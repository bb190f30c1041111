/* SPDX-License-Identifier: Apache-2.0 */
/* Times, losses, races, limits and the other kinds of events. Shapes of traffic: test_conversations.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "failing_alloc.h"
#include "script.h"

#define GET "GET /a HTTP/1.1\r\n\r\n"
#define GOT "server GET /a 200 1.1 [ok;"
#define ASKED "client GET /a 200 1.1 [ok;"
#define OK_EMPTY "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
#define CHUNKED "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

static struct script script;

static int setup(void **state)
{
	(void)state;
	assert_int_equal(script_open(&script, NULL), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	script_close(&script);
	return 0;
}

static void say(enum turn_dir dir, const char *text)
{
	script_call(&script, dir, text, strlen(text));
}

static void expect(const char *expected)
{
	assert_string_equal(script.log, expected);
	script.log_bytes = 0;
	script.log[0] = '\0';
}

static struct engine_stats stats(void)
{
	struct engine_stats figures;

	engine_stats_read(script.engine, &figures);
	return figures;
}

/* Calls are a millisecond apart; the first is at 1001. */
static void times_from_first_byte_to_last(void **state)
{
	(void)state;
	script.with_times = true;
	script_connect(&script, ROLE_SERVER, 0);
	say(DIR_READ, "GET /a HT");
	say(DIR_READ, "TP/1.1\r\n\r\n");
	say(DIR_WRITE, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n");
	expect("");
	script_call(&script, DIR_WRITE, NULL, 4);
	script_call(&script, DIR_WRITE, NULL, 5);
	script_tick(&script, 300);
	expect("server GET /a 200 1.1 1001-1005 [ok;");
	assert_int_equal(script.questions, 1);
}

static void times_by_next_turn_and_close(void **state)
{
	(void)state;
	script.with_times = true;
	script_connect(&script, ROLE_CLIENT, 0);
	say(DIR_WRITE, GET);
	say(DIR_READ, CHUNKED);
	script_call(&script, DIR_READ, NULL, 4);
	say(DIR_WRITE, GET);
	expect("client GET /a 200 1.1 1001-1003 [ok;");
	say(DIR_READ, CHUNKED);
	script_call(&script, DIR_READ, NULL, 4);
	script_hang_up(&script, 0);
	expect("client GET /a 200 1.1 1004-1006 [ok;");
}

/* An end that is found late is still the end. */
static void times_a_stream_to_its_last_byte(void **state)
{
	(void)state;
	script.with_times = true;
	script_connect(&script, ROLE_SERVER, 0);
	say(DIR_READ, GET);
	say(DIR_WRITE, CHUNKED);
	for (int i = 0; i < 3; i++) {
		script_tick(&script, 1000);
		say(DIR_WRITE, "5\r\nhello\r\n");
	}
	say(DIR_WRITE, "0\r\n\r\n");
	expect("");
	script_tick(&script, 900);
	expect("server GET /a 200 1.1 1001-4006 [ok;");
	assert_true(script.questions < 12);
	script_tick(&script, 5000);
	assert_true(script.questions < 12);
}

static void asks_less_often_with_time(void **state)
{
	(void)state;
	script_connect(&script, ROLE_SERVER, 0);
	say(DIR_READ, GET);
	say(DIR_WRITE, "HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n");
	script_tick(&script, 60000);
	assert_in_range(script.questions, 60, 90);
	script_call(&script, DIR_WRITE, NULL, 900);
	script_tick(&script, 1000);
	expect(GOT);
}

/* What the kernel was asked may be newer than events that wait in the ring. */
static void keeps_answers_for_later(void **state)
{
	struct event_turn_progress progress = { .header = { .kind = EVENT_TURN_PROGRESS,
							    .size = sizeof(progress) } };

	(void)state;
	script_connect(&script, ROLE_SERVER, 0);
	say(DIR_READ, GET);
	say(DIR_WRITE, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n");
	progress.conn = script.conn;
	progress.turn = script.turn;
	progress.turn.bytes += 100;
	script_feed(&script, &progress, sizeof(progress));
	say(DIR_WRITE, "\r\n0\r\n\r\n");
	expect(GOT);
}

static void counts_what_was_lost(void **state)
{
	(void)state;
	script_connect(&script, ROLE_SERVER, 0);
	say(DIR_READ, GET);
	script.drop_event = 1;
	say(DIR_WRITE, OK_EMPTY);
	say(DIR_READ, GET); /* the turn before is missing: the exchange is lost, this one is not */
	expect("server GET /a - 1.1 partial [lost;");
	say(DIR_WRITE, OK_EMPTY);
	expect(GOT);
	script.drop_event = 1;
	say(DIR_READ, GET);
	say(DIR_WRITE, OK_EMPTY);
	expect("server - - - - partial [lost;");
	say(DIR_READ, GET);
	say(DIR_WRITE, OK_EMPTY);
	expect(GOT);
	assert_int_equal(stats().turns_missed, 2);
}

static void counts_a_lost_pair_and_a_lost_end(void **state)
{
	(void)state;
	script_connect(&script, ROLE_SERVER, 0);
	say(DIR_READ, GET);
	say(DIR_WRITE, OK_EMPTY);
	expect(GOT);
	for (int i = 0; i < 4; i++) {
		script.drop_event = 1;
		say(i % 2 ? DIR_WRITE : DIR_READ, i % 2 ? OK_EMPTY : GET);
	}
	say(DIR_READ, GET);
	expect("server - - - - partial [lost;server - - - - partial [lost;");
	say(DIR_WRITE, OK_EMPTY);
	expect(GOT);
	script.drop_event = 1;
	say(DIR_READ, GET);
	script_hang_up(&script, 0);
	expect("server - - - - partial [lost;");
	assert_int_equal(stats().turns_missed, 5);
}

static void counts_a_lost_beginning(void **state)
{
	(void)state;
	script_connect(&script, ROLE_SERVER, 0);
	script.drop_event = 1;
	say(DIR_READ, GET);
	say(DIR_WRITE, OK_EMPTY);
	expect("server - - 200 1.1 partial [lost;");
	say(DIR_READ, GET);
	say(DIR_WRITE, OK_EMPTY);
	expect(GOT);
}

static void takes_no_continuation_for_a_beginning(void **state)
{
	(void)state;
	script_connect(&script, ROLE_SERVER, 0);
	say(DIR_READ, GET);
	script.drop_event = 1;
	say(DIR_WRITE, "HTTP/1.1 200 OK\r\n");
	say(DIR_WRITE, "Content-Length: 0\r\n\r\n");
	expect("server GET /a - 1.1 partial [lost;");
	say(DIR_READ, GET);
	say(DIR_WRITE, OK_EMPTY);
	expect(GOT);
}

static void matches_late_writes_of_a_client(void **state)
{
	(void)state;
	script.with_times = true;
	script_connect(&script, ROLE_CLIENT, 0);
	script_race(&script, GET, OK_EMPTY);
	expect("client GET /a 200 1.1 1001-1001 [ok;");
	script_race(&script, GET, OK_EMPTY);
	expect("client GET /a 200 1.1 1003-1003 [ok;");
	say(DIR_WRITE, GET);
	say(DIR_READ, OK_EMPTY);
	expect("client GET /a 200 1.1 1005-1006 [ok;");
	script_hang_up(&script, 0);
	expect("");
	assert_int_equal(stats().turns_missed, 0);
}

/* The event that awaits the write brings the end of the answer before. */
static void ends_the_answer_before_a_late_write(void **state)
{
	(void)state;
	script.with_times = true;
	script_connect(&script, ROLE_CLIENT, 0);
	say(DIR_WRITE, GET);
	say(DIR_READ, CHUNKED);
	script_call(&script, DIR_READ, NULL, 10);
	script_race(&script, GET, OK_EMPTY);
	expect("client GET /a 200 1.1 1001-1003 [ok;client GET /a 200 1.1 1004-1004 [ok;");
}

static void matches_late_writes_of_a_server(void **state)
{
	(void)state;
	script.with_times = true;
	script_connect(&script, ROLE_SERVER, 0);
	say(DIR_READ, GET);
	script_race(&script, OK_EMPTY, GET);
	expect("server GET /a 200 1.1 1001-1003 [ok;");
	say(DIR_WRITE, OK_EMPTY);
	expect("server GET /a 200 1.1 1002-1004 [ok;");
}

/* The head was written in time, the body was not. */
static void matches_a_late_second_write(void **state)
{
	(void)state;
	script_connect(&script, ROLE_SERVER, 0);
	say(DIR_READ, GET);
	say(DIR_WRITE, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
	script_race(&script, "hello", GET);
	expect("server GET /a 200 1.1 [ok;");
	say(DIR_WRITE, OK_EMPTY);
	assert_non_null(strstr(script.log, "server GET /a 200 1.1 [ok;"));
}

static void matches_a_late_HEAD(void **state)
{
	(void)state;
	script_connect(&script, ROLE_CLIENT, 0);
	script_race(&script, "HEAD /a HTTP/1.1\r\n\r\n",
		    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
	say(DIR_WRITE, GET);
	say(DIR_READ, OK_EMPTY);
	expect("client HEAD /a 200 1.1 [ok;head;" ASKED);
}

static void gives_up_a_late_write_that_never_came(void **state)
{
	(void)state;
	script_connect(&script, ROLE_CLIENT, 0);
	say(DIR_WRITE, GET);
	say(DIR_READ, OK_EMPTY);
	expect(ASKED);
	script.drop_event = 2;
	script_race(&script, GET, OK_EMPTY);
	say(DIR_WRITE, GET);
	expect("client - - 200 1.1 partial [lost;");
	say(DIR_READ, OK_EMPTY);
	expect(ASKED);
	assert_int_equal(stats().turns_missed, 1);
}

/* The reset that a client sends on closing may be seen before the server's write has returned. */
static void takes_an_answer_after_the_reset(void **state)
{
	(void)state;
	script_connect(&script, ROLE_SERVER, 0);
	say(DIR_READ, GET);
	script_hang_up(&script, CONN_RESET_RECEIVED);
	say(DIR_WRITE, OK_EMPTY);
	expect(GOT);
	assert_int_equal(stats().connections, 0);
	script_connect(&script, ROLE_SERVER, 0);
	say(DIR_READ, GET);
	script_hang_up(&script, CONN_RESET_RECEIVED);
	script_tick(&script, 1000);
	expect("no_response;");
	assert_int_equal(stats().connections, 0);
}

static void stops_the_kernel_after_the_verdict(void **state)
{
	(void)state;
	script_connect(&script, ROLE_SERVER, 0);
	say(DIR_READ, "\x16\x03\x01");
	assert_int_equal(script.mode, MODE_LENGTHS);
	say(DIR_WRITE, "\x16\x03\x01");
	script_hang_up(&script, 0);
	expect("not_recognised;");
}

static void tells_the_kernel_what_a_protocol_needs(void **state)
{
	(void)state;
	script_connect(&script, ROLE_SERVER, 0);
	say(DIR_READ, "*1\r\n$4\r\nPING\r\n");
	assert_int_equal(script.mode, MODE_VALUES);
	script_connect(&script, ROLE_SERVER, 0);
	say(DIR_READ, GET);
	say(DIR_WRITE, OK_EMPTY);
	assert_int_equal(script.mode, MODE_SNIFF); /* it may have been all */
	say(DIR_READ, GET);
	assert_int_equal(script.mode, MODE_MESSAGES);
}

static void leaves_out_ignored_processes(void **state)
{
	(void)state;
	process_lookup(script.processes, SCRIPT_TGID)->is_ignored = true;
	script_connect(&script, ROLE_SERVER, 0);
	say(DIR_READ, GET);
	say(DIR_WRITE, OK_EMPTY);
	script_hang_up(&script, 0);
	script_connect(&script, ROLE_SERVER, 0);
	say(DIR_READ, "\x16\x03\x01");
	expect("");
}

static void gives_up_the_oldest_connection(void **state)
{
	struct engine_limits limits = { .connections = 2, .routes_per_service = 1, .services = 1 };

	(void)state;
	script_close(&script);
	assert_int_equal(script_open(&script, &limits), 0);
	for (int i = 0; i < 3; i++) {
		script_connect(&script, ROLE_SERVER, 0);
		say(DIR_READ, GET);
	}
	expect("server GET /a - 1.1 partial [lost;");
	assert_int_equal(stats().connections, 2);
	assert_int_equal(stats().connections_evicted, 1);
	for (int i = 0; i < 3; i++) { /* too few bytes to say what they are */
		script_connect(&script, ROLE_SERVER, 0);
		say(DIR_READ, "G");
	}
	assert_int_equal(stats().connections_evicted, 4);
}

static void bounds_pipelines(void **state)
{
	static const char ping[] = "*1\r\n$4\r\nPING\r\n";

	(void)state;
	script_connect(&script, ROLE_SERVER, 0);
	for (int i = 0; i < 4096; i++)
		say(DIR_READ, ping);
	expect("");
	say(DIR_READ, ping);
	assert_non_null(strstr(script.log, "server - - - - PING partial [lost;"));
	script.log_bytes = 0;
	say(DIR_WRITE, "+PONG\r\n");
	say(DIR_READ, ping);
	say(DIR_WRITE, "+PONG\r\n");
	expect("server - - - - PING [ok;");
}

static void hands_on_other_events(void **state)
{
	struct event_tcp_connect connect = { .header = { .tgid = SCRIPT_TGID,
							 .kind = EVENT_TCP_CONNECT,
							 .size = sizeof(connect) },
					     .outcome = CONNECT_REFUSED };
	struct event_tcp_accept accept = {
		.header = { .tgid = SCRIPT_TGID, .kind = EVENT_TCP_ACCEPT, .size = sizeof(accept) },
		.conn = { .role = ROLE_SERVER }
	};
	struct event_tcp_sample sample = { .header = { .kind = EVENT_TCP_SAMPLE,
						       .size = sizeof(sample) },
					   .stats = { .retransmits = 1 } };
	struct event_syscall_error error = { .header = { .tgid = SCRIPT_TGID,
							 .kind = EVENT_SYSCALL_ERROR,
							 .size = sizeof(error) },
					     .error = 2 };

	(void)state;
	script_feed(&script, &connect, sizeof(connect));
	script_feed(&script, &accept, sizeof(accept));
	script_feed(&script, &error, sizeof(error));
	expect("connect 1 shop;accept 2 shop;error 2 shop;");
	script_connect(&script, ROLE_UNKNOWN, CONN_PREEXISTING);
	say(DIR_WRITE, GET);
	sample.conn = script.conn;
	script_feed(&script, &sample, sizeof(sample));
	expect("stats role 1 shop;"); /* the role and the process that only we know */
}

struct seen {
	size_t count;
	char protocols[64];
};

static int see(void *context, const struct engine_conn_view *view)
{
	struct seen *seen = context;

	seen->count++;
	strcat(strcat(seen->protocols, view->protocol), " ");
	return seen->count == 3;
}

static void shows_connections(void **state)
{
	struct seen seen = { 0 };

	(void)state;
	for (int i = 0; i < 2; i++) {
		script_connect(&script, ROLE_SERVER, 0);
		say(DIR_READ, GET);
	}
	script_connect(&script, ROLE_SERVER, 0);
	say(DIR_READ, "\x16\x03\x01");
	script_connect(&script, ROLE_SERVER, 0);
	say(DIR_READ, "GE");
	engine_each_connection(script.engine, see, &seen);
	assert_string_equal(seen.protocols, "unknown none http ");
}

static void talk(struct script *talking)
{
	static const struct step steps[] = {
		{ 'R', GET, 0 },
		{ 'W', CHUNKED, 0 },
		{ 's', NULL, 10 },
		{ 't', NULL, 1000 },
		{ 'R', GET GET, 0 },
		{ 'W', OK_EMPTY OK_EMPTY, 0 },
		{ 0 },
	};

	for (int i = 0; i < 3; i++) {
		script_connect(talking, ROLE_SERVER, 0);
		script_run(talking, steps, 1, 20);
		if (i)
			script_hang_up(talking, 0);
	}
}

static void survives_failing_allocations(void **state)
{
	static struct script talking;

	(void)state;
	FOR_EACH_FAILING_ALLOC(nth)
	{
		if (script_open(&talking, NULL) < 0)
			continue;
		talk(&talking);
		script_close(&talking);
	}
}

/* Connections talk at the same time, in any order; each must be reported as if it were alone. */
static void keeps_connections_apart(void **state)
{
	enum { CONNECTIONS = 8, ROUNDS = 2000 };
	struct script each[CONNECTIONS]; /* the kernel side's view of each */
	unsigned seed = 1;

	(void)state;
	for (int i = 0; i < CONNECTIONS; i++) {
		script_connect(&script, i % 2 ? ROLE_SERVER : ROLE_CLIENT, 0);
		each[i] = script;
	}
	for (int round = 0; round < ROUNDS; round++) {
		struct script *one = &each[rand_r(&seed) % CONNECTIONS];
		enum turn_dir request = one->conn.role == ROLE_SERVER ? DIR_READ : DIR_WRITE;
		bool asks = !one->conn.turn_no || one->turn.dir != request;
		size_t split = (size_t)rand_r(&seed) % 18 + 1;
		const char *text = asks ? GET : OK_EMPTY;

		script.conn = one->conn;
		script.turn = one->turn;
		script.captured = one->captured;
		script_call(&script, asks ? request : !request, text, split);
		script_call(&script, asks ? request : !request, text + split, strlen(text) - split);
		one->conn = script.conn;
		one->turn = script.turn;
		one->captured = script.captured;
		if (!asks)
			expect(one->conn.role == ROLE_SERVER ? GOT : ASKED);
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(times_from_first_byte_to_last),
		TEST(times_by_next_turn_and_close),
		TEST(times_a_stream_to_its_last_byte),
		TEST(asks_less_often_with_time),
		TEST(keeps_answers_for_later),
		TEST(counts_what_was_lost),
		TEST(counts_a_lost_pair_and_a_lost_end),
		TEST(counts_a_lost_beginning),
		TEST(takes_no_continuation_for_a_beginning),
		TEST(matches_late_writes_of_a_client),
		TEST(ends_the_answer_before_a_late_write),
		TEST(matches_late_writes_of_a_server),
		TEST(matches_a_late_second_write),
		TEST(matches_a_late_HEAD),
		TEST(gives_up_a_late_write_that_never_came),
		TEST(takes_an_answer_after_the_reset),
		TEST(stops_the_kernel_after_the_verdict),
		TEST(tells_the_kernel_what_a_protocol_needs),
		TEST(leaves_out_ignored_processes),
		TEST(gives_up_the_oldest_connection),
		TEST(bounds_pipelines),
		TEST(hands_on_other_events),
		TEST(shows_connections),
		TEST(survives_failing_allocations),
		TEST(keeps_connections_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
