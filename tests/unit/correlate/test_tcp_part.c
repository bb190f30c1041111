/* SPDX-License-Identifier: Apache-2.0 */
/* The connection's part in a request, from figures at two times. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "correlate/tcp_part.h"

static struct engine engine;
static struct connection connection;
static struct exchange exchange;
static struct event_turn turn;
static struct turn_figures use;
static struct call_use before;
static struct exchange_begun begun;
static struct request_tcp told;

static int open_connection(void **state)
{
	(void)state;
	memset(&engine, 0, sizeof(engine));
	memset(&connection, 0, sizeof(connection));
	memset(&exchange, 0, sizeof(exchange));
	memset(&turn, 0, sizeof(turn));
	memset(&use, 0, sizeof(use));
	connection.role = ROLE_SERVER;
	connection.ref.tuple.family = AF_INET;
	return 0;
}

/* A call that begins a turn. */
static void note(enum turn_dir dir, uint64_t now_ns)
{
	struct event event = { .turn = &turn, .use = &use, .before = &before };

	turn.turn = (struct turn_summary){
		.start_ns = now_ns, .last_ns = now_ns, .calls = 1, .dir = (uint8_t)dir
	};
	tcp_part_note(&connection, &event);
}

static void begin(uint64_t now_ns)
{
	exchange.start_ns = now_ns;
	tcp_part_begin(&engine, &connection, &exchange);
	begun = exchange.begun;
	memset(&exchange.begun, 0, sizeof(exchange.begun));
}

static bool read_at(uint64_t now_ns)
{
	exchange.end_ns = now_ns;
	tcp_part_end(&connection, &begun, &exchange);
	told = exchange.tcp_usage;
	return exchange.has_tcp_usage;
}

static void tells_differences(void **state)
{
	(void)state;
	use.now.tcp = (struct tcp_use){ 3, UINT32_MAX - 999, 500, 70 };
	use.waited_ticks = 5;
	use.tick_us = 4000;
	note(DIR_READ, 1000);
	begin(1000);
	use.now.tcp = (struct tcp_use){ 5, 4000, 2500, 90 };
	note(DIR_WRITE, 9000);
	assert_true(read_at(9000));
	assert_int_equal(told.retransmits, 2);
	assert_int_equal(told.rwnd_limited_ns, 5000000); /* they go round */
	assert_int_equal(told.sndbuf_limited_ns, 2000000);
	assert_int_equal(told.rtt_ns, 90000);
	assert_int_equal(exchange.usage.part_ns[TIME_RECEIVE_QUEUE], 20000000);
}

static void a_tick_may_be_none(void **state)
{
	(void)state;
	use.tick_us = 4000;
	use.waited_ticks = 1;
	note(DIR_READ, 1000);
	begin(1000);
	assert_int_equal(begun.tcp.waited_ns, 0);
	use.waited_ticks = UINT32_MAX;
	note(DIR_READ, 2000);
	begin(2000);
	assert_int_equal(begun.tcp.waited_ns, UINT32_MAX * 4000000ull);
}

static void takes_the_figures_of_a_finished_turn(void **state)
{
	(void)state;
	note(DIR_READ, 1000);
	begin(1000);
	use.now.tcp.retransmits = 1;
	note(DIR_WRITE, 2000);
	before = (struct call_use){ .tcp.retransmits = 4 };
	use.now.tcp.retransmits = 6;
	turn.prev = (struct turn_summary){ .calls = 7, .last_ns = 5000, .dir = DIR_WRITE };
	note(DIR_READ, 8000);
	assert_true(read_at(5000));
	assert_int_equal(told.retransmits, 4);
}

static void takes_figures_that_come_alone(void **state)
{
	struct call_use newest = { .tcp = { .retransmits = 2 } };
	struct turn_summary summary = { .calls = 3, .last_ns = 5000, .dir = DIR_WRITE };

	(void)state;
	note(DIR_READ, 1000);
	begin(1000);
	assert_false(read_at(5000));
	tcp_part_note_newest(&connection, &summary, &newest);
	assert_true(read_at(5000));
	assert_int_equal(told.retransmits, 2);
}

static void a_client_begins_with_a_write(void **state)
{
	(void)state;
	connection.role = ROLE_CLIENT;
	note(DIR_WRITE, 1000);
	begin(1000);
	use.now.tcp.retransmits = 1;
	note(DIR_READ, 3000);
	assert_true(read_at(3000));
	assert_int_equal(told.retransmits, 1);
}

static void what_nobody_told_is_not_known(void **state)
{
	(void)state;
	note(DIR_READ, 1000);
	begin(1500); /* another call's */
	note(DIR_WRITE, 2000);
	assert_false(read_at(2000));
	begin(1000);
	assert_false(read_at(2500));
	assert_true(read_at(2000));
}

static void unix_sockets_have_none(void **state)
{
	struct call_use newest = { 0 };
	struct turn_summary summary = { .calls = 3, .last_ns = 2000, .dir = DIR_WRITE };

	(void)state;
	connection.ref.tuple.family = AF_UNIX;
	note(DIR_READ, 1000);
	begin(1000);
	note(DIR_WRITE, 2000);
	tcp_part_note_newest(&connection, &summary, &newest);
	assert_false(read_at(2000));
}

static void nothing_comes_before_it_is_sent(void **state)
{
	struct exchange client = { .start_ns = 5000000 };

	(void)state;
	exchange.start_ns = 9000000;
	exchange.begun.tcp.waited_ns = 8000000;
	tcp_part_pair(&client, &exchange);
	assert_int_equal(exchange.begun.tcp.waited_ns, 4000000);
	client.start_ns = 6000000;
	exchange.begun.tcp.waited_ns = 2000000;
	tcp_part_pair(&client, &exchange);
	assert_int_equal(exchange.begun.tcp.waited_ns, 2000000);
	client.start_ns = 9500000; /* its call returned after that */
	tcp_part_pair(&client, &exchange);
	assert_int_equal(exchange.begun.tcp.waited_ns, 0);
	exchange.has_figures = true; /* its answer is over, and waits for the client's */
	exchange.usage.part_ns[TIME_RECEIVE_QUEUE] = 7000000;
	client.start_ns = 6000000;
	tcp_part_pair(&client, &exchange);
	assert_int_equal(exchange.usage.part_ns[TIME_RECEIVE_QUEUE], 3000000);
}

static void what_held_it_back_is_not_blocked_otherwise(void **state)
{
	(void)state;
	note(DIR_READ, 1000);
	begin(1000);
	exchange.usage.part_ns[TIME_BLOCKED] = 9000000;
	use.now.tcp = (struct tcp_use){ .rwnd_limited_us = 4000, .sndbuf_limited_us = 3000 };
	note(DIR_WRITE, 20001000);
	assert_true(read_at(20001000));
	assert_int_equal(exchange.usage.part_ns[TIME_SEND], 7000000);
	assert_int_equal(exchange.usage.part_ns[TIME_BLOCKED], 2000000);
	exchange.usage.part_ns[TIME_BLOCKED] = 5000000;
	assert_true(read_at(20001000));
	assert_int_equal(exchange.usage.part_ns[TIME_SEND], 5000000);
	assert_int_equal(exchange.usage.part_ns[TIME_BLOCKED], 0);
}

/* The connection was established, and accepted so much later. */
static void accept_after(uint64_t established_ns, uint64_t accepted_ns)
{
	struct event_tcp_accept event = { .header.ktime_ns = accepted_ns,
					  .established_ns = established_ns };

	event.conn.conn_id = connection.ref.conn_id;
	tcp_part_accepted(&engine, &event);
}

/* It is accepted at 300 ms, and its request, which has come so long before, is read, and answered 10 ms later. */
static void accept_and_answer(uint32_t waited_ms, uint64_t read_ns)
{
	connection.ref.conn_id = 7;
	accept_after(100000000, 300000000);
	use.waited_ticks = waited_ms;
	use.tick_us = 1000;
	note(DIR_READ, read_ns);
	begin(read_ns);
	note(DIR_WRITE, read_ns + 10000000);
	assert_true(read_at(read_ns + 10000000));
}

static void one_that_came_before_accept_waited_for_that_first(void **state)
{
	const uint64_t *part_ns = exchange.usage.part_ns;

	(void)state;
	accept_and_answer(150, 310000000);
	assert_int_equal(part_ns[TIME_ACCEPT_QUEUE], 140000000); /* it came at 160 ms */
	assert_int_equal(part_ns[TIME_RECEIVE_QUEUE], 10000000);
	exchange = (struct exchange){ 0 };
	begin(310000000); /* the next one of the connection */
	assert_true(read_at(320000000));
	assert_int_equal(part_ns[TIME_ACCEPT_QUEUE], 0);
}

static void one_that_came_after_accept_did_not(void **state)
{
	const uint64_t *part_ns = exchange.usage.part_ns;

	(void)state;
	accept_and_answer(20, 330000000);
	assert_int_equal(part_ns[TIME_ACCEPT_QUEUE], 0);
	assert_int_equal(part_ns[TIME_RECEIVE_QUEUE], 20000000);
}

static void the_newest_to_wait_for_accept_are_remembered(void **state)
{
	(void)state;
	for (uint64_t number = 1; number <= 4 * ACCEPTED_SLOTS; number++) {
		connection.ref.conn_id = number;
		accept_after(100000000 + number, 300000000 + number);
	}
	assert_true(engine.accepted_evicted >= 3 * ACCEPTED_SLOTS);
	use.waited_ticks = 250;
	use.tick_us = 1000;
	note(DIR_READ, 310000000);
	begin(310000000);
	assert_int_equal(begun.accepted.conn_id, 4 * ACCEPTED_SLOTS);
	connection.ref.conn_id = 1;
	accept_after(400000000, 400999999); /* no wait */
	exchange = (struct exchange){ 0 };
	begin(310000000);
	assert_int_equal(begun.accepted.conn_id, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(tells_differences, open_connection),
		cmocka_unit_test_setup(a_tick_may_be_none, open_connection),
		cmocka_unit_test_setup(takes_the_figures_of_a_finished_turn, open_connection),
		cmocka_unit_test_setup(takes_figures_that_come_alone, open_connection),
		cmocka_unit_test_setup(a_client_begins_with_a_write, open_connection),
		cmocka_unit_test_setup(what_nobody_told_is_not_known, open_connection),
		cmocka_unit_test_setup(unix_sockets_have_none, open_connection),
		cmocka_unit_test_setup(nothing_comes_before_it_is_sent, open_connection),
		cmocka_unit_test_setup(what_held_it_back_is_not_blocked_otherwise, open_connection),
		cmocka_unit_test_setup(one_that_came_before_accept_waited_for_that_first,
				       open_connection),
		cmocka_unit_test_setup(one_that_came_after_accept_did_not, open_connection),
		cmocka_unit_test_setup(the_newest_to_wait_for_accept_are_remembered,
				       open_connection),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
