/* SPDX-License-Identifier: Apache-2.0 */
/* Connections to databases: how many there are, how many are in use, the most that were; with Redis for an example. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "correlate/pool.h"
#include "failing_alloc.h"
#include "script.h"

#define SECOND 1000000000ull
#define PING "*1\r\n$4\r\nPING\r\n"
#define PONG "+PONG\r\n"
#define GET "GET / HTTP/1.1\r\n\r\n"

static struct script script;

static void say(enum turn_dir dir, const char *text)
{
	script_call(&script, dir, text, strlen(text));
}

static void write_pool(void *context, const struct engine_pool_view *view)
{
	char *text = context;
	size_t at = strlen(text);

	(void)snprintf(text + at, 200 - at, "%s %s %u: %u open %u used %u most%s;", view->service,
		       view->system, view->port, view->open, view->used, view->peak,
		       view->is_gone ? " gone" : "");
}

static void expect_at(uint64_t now_ns, const char *expected)
{
	char text[200] = "";

	engine_each_pool(script.engine, now_ns, write_pool, text);
	assert_string_equal(text, expected);
}

static void expect(const char *expected)
{
	expect_at(script.now_ns, expected);
}

static void connect_client(uint16_t port)
{
	script_connect(&script, ROLE_CLIENT, 0);
	script.conn.tuple.remote_port = port;
}

static void open_script(void)
{
	assert_int_equal(script_open(&script, NULL), 0);
}

static void counts_open_and_used(void **state)
{
	struct conn_ref first;

	(void)state;
	open_script();
	connect_client(6379);
	expect("");
	say(DIR_WRITE, PING);
	expect("shop redis 6379: 1 open 1 used 1 most;");
	first = script.conn;
	connect_client(6379);
	say(DIR_WRITE, PING PING);
	expect("shop redis 6379: 2 open 2 used 2 most;");
	say(DIR_READ, PONG);
	expect("shop redis 6379: 2 open 2 used 2 most;");
	say(DIR_READ, PONG);
	expect("shop redis 6379: 2 open 1 used 2 most;");
	script_hang_up(&script, 0);
	expect("shop redis 6379: 1 open 1 used 2 most;");
	script.conn = first;
	script.is_open = true;
	script_hang_up(&script, 0); /* with a request under way */
	expect("shop redis 6379: 0 open 0 used 2 most;");
	script_close(&script);
}

static void has_no_other_connections(void **state)
{
	(void)state;
	open_script();
	script_connect(&script, ROLE_SERVER, 0);
	say(DIR_READ, PING);
	connect_client(80);
	say(DIR_WRITE, GET);
	expect("");
	connect_client(6379);
	say(DIR_WRITE, "*1\r\n$7\r\nMONITOR\r\n");
	expect("shop redis 6379: 1 open 1 used 1 most;");
	say(DIR_READ, "+OK\r\n"); /* what follows is not understood */
	expect("shop redis 6379: 0 open 0 used 1 most;");
	script_close(&script);
}

static void forgets_the_peak_and_the_pool(void **state)
{
	uint64_t now_ns;

	(void)state;
	open_script();
	connect_client(6379);
	say(DIR_WRITE, PING);
	now_ns = 1000 * SECOND;
	expect_at(now_ns, "shop redis 6379: 1 open 1 used 1 most;");
	say(DIR_READ, PONG);
	expect_at(now_ns + 61 * SECOND, "shop redis 6379: 1 open 0 used 1 most;");
	expect_at(now_ns + 122 * SECOND, "shop redis 6379: 1 open 0 used 0 most;");
	expect_at(now_ns + 999 * SECOND, "shop redis 6379: 1 open 0 used 0 most;");
	script_hang_up(&script, 0);
	expect_at(now_ns + 1299 * SECOND, "shop redis 6379: 0 open 0 used 0 most;");
	expect_at(now_ns + 1300 * SECOND, "shop redis 6379: 0 open 0 used 0 most gone;");
	expect_at(now_ns + 1301 * SECOND, "");
	script_close(&script);
}

static void bounds_pools(void **state)
{
	struct engine_stats stats;

	(void)state;
	open_script();
	for (unsigned i = 0; i < POOLS_MAX + 5; i++) {
		connect_client((uint16_t)(1000 + i));
		for (int times = 0; times < 2; times++) {
			say(DIR_WRITE, PING);
			say(DIR_READ, PONG);
		}
		script_hang_up(&script, 0);
	}
	engine_stats_read(script.engine, &stats);
	assert_int_equal(stats.pools, POOLS_MAX);
	assert_int_equal(stats.pools_limit, POOLS_MAX);
	assert_int_equal(stats.pools_refused, 5);
	script_close(&script);
}

static void lives_without_memory(void **state)
{
	(void)state;
	FOR_EACH_FAILING_ALLOC(nth)
	{
		if (script_open(&script, NULL) < 0)
			continue;
		connect_client(6379);
		say(DIR_WRITE, PING);
		say(DIR_READ, PONG);
		script_hang_up(&script, 0);
		script_close(&script);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts_open_and_used),
		cmocka_unit_test(has_no_other_connections),
		cmocka_unit_test(forgets_the_peak_and_the_pool),
		cmocka_unit_test(bounds_pools),
		cmocka_unit_test(lives_without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
