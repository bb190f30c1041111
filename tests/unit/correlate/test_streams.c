/* SPDX-License-Identifier: Apache-2.0 */
/* Exchanges of connections with streams: answers by number, resets, what was under way before, losses, bounds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "correlate/connection.h"
#include "script.h"

#define FRAME(length, type, flags, stream) "\0\0" length type flags "\0\0\0" stream
#define PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" FRAME("\0", "\4", "\0", "\0")
#define GET(stream) FRAME("\3", "\1", "\5", stream) "\x82\x86\x84"
#define OK(stream) FRAME("\1", "\1", "\5", stream) "\x88"
#define READ(script, text) script_call(script, DIR_READ, text, sizeof(text) - 1)
#define WRITE(script, text) script_call(script, DIR_WRITE, text, sizeof(text) - 1)
#define GOT "server GET / 200 2 [ok;"

static struct script script;

static void begin(enum conn_role role, uint8_t flags)
{
	assert_int_equal(script_open(&script, NULL), 0);
	script_connect(&script, role, flags);
}

static void end(const char *expected)
{
	char log[SCRIPT_LOG_MAX];

	memcpy(log, script.log, sizeof(log));
	script_close(&script);
	assert_string_equal(log, expected);
}

static void pairs_by_number(void **state)
{
	(void)state;
	begin(ROLE_SERVER, 0);
	READ(&script, PREFACE GET("\1") GET("\3"));
	READ(&script, GET("\5"));
	WRITE(&script, OK("\5") FRAME("\1", "\1", "\5", "\1") "\x8d");
	READ(&script, GET("\7"));
	WRITE(&script, OK("\7") OK("\3"));
	end(GOT "server GET / 404 2 [ok;" GOT GOT);
}

static void tells_resets(void **state)
{
	(void)state;
	begin(ROLE_CLIENT, 0);
	WRITE(&script, PREFACE GET("\1") GET("\3") GET("\5"));
	WRITE(&script, FRAME("\4", "\3", "\0", "\3") "\0\0\0\x08");
	READ(&script, FRAME("\x08", "\7", "\0", "\0") "\0\0\0\1\0\0\0\0" OK("\1") OK("\3"));
	end("client GET / - 2 error=CANCEL [stream_reset;client GET / - 2 error=REFUSED_STREAM [stream_reset;"
	    "client GET / 200 2 [ok;");
}

/* Of streams that began before there is one partial request each; those after are exact. */
static void joins_in_the_middle(void **state)
{
	(void)state;
	begin(ROLE_UNKNOWN, CONN_PREEXISTING);
	WRITE(&script, OK("\1"));
	READ(&script, GET("\7"));
	WRITE(&script, OK("\5") OK("\3") OK("\7"));
	end("server - - 200 2 partial [partial;server - - 200 2 partial [partial;server - - 200 2 partial [partial;" GOT);
}

/* An event that does not come is waited for as long as it could; what is in flight then is partial, once. */
static void resumes_after_a_loss(void **state)
{
	(void)state;
	begin(ROLE_SERVER, 0);
	READ(&script, PREFACE GET("\1") GET("\3"));
	WRITE(&script, OK("\1"));
	script.drop_event = 1;
	READ(&script, GET("\5"));
	WRITE(&script, OK("\3") OK("\5"));
	READ(&script, GET("\7"));
	WRITE(&script, OK("\7"));
	end(GOT GOT "server - - 200 2 partial [lost;" GOT);
}

/* Two threads that use the connection at once mix up what the kernel side knows of turns. */
static void needs_no_turns(void **state)
{
	(void)state;
	begin(ROLE_SERVER, 0);
	READ(&script, PREFACE GET("\1"));
	script.conn.turn_no += 3;
	READ(&script, GET("\3"));
	WRITE(&script, OK("\1"));
	script.conn.turn_no -= 4;
	READ(&script, GET("\5"));
	script.turn.bytes = 7;
	WRITE(&script, OK("\3"));
	script.turn.bytes = 1;
	WRITE(&script, OK("\5"));
	end(GOT GOT GOT);
}

static void says_what_the_close_cuts(void **state)
{
	(void)state;
	begin(ROLE_CLIENT, 0);
	WRITE(&script, PREFACE GET("\1") GET("\3"));
	READ(&script, FRAME("\1", "\1", "\4", "\1") "\x88");
	script_hang_up(&script, 0);
	end("client GET / 200 2 error=response_cut [response_cut;client GET / - 2 error=no_response [no_response;");
}

static void bounds_what_is_in_flight(void **state)
{
	static const char request[] = GET("\0");
	size_t length = sizeof(request) - 1;
	char *bytes = malloc(length * (PIPELINE_MAX + 1));

	(void)state;
	assert_non_null(bytes);
	begin(ROLE_SERVER, 0);
	READ(&script, PREFACE);
	for (size_t i = 0; i <= PIPELINE_MAX; i++) {
		char *at = bytes + i * length;

		memcpy(at, request, length);
		at[7] = (char)((2 * i + 1) >> 8);
		at[8] = (char)(2 * i + 1);
	}
	for (size_t i = 0; i <= PIPELINE_MAX; i++) {
		if (i == PIPELINE_MAX) {
			assert_int_equal(script.log_bytes, 0);
		}
		script_call(&script, DIR_READ, bytes + i * length, length);
	}
	assert_true(script.log_bytes > 0);
	free(bytes);
	script_close(&script);
}

/* A role that was guessed stands when, after a loss, bytes look like another protocol's request. */
static void keeps_its_role(void **state)
{
	(void)state;
	begin(ROLE_UNKNOWN, CONN_PREEXISTING);
	WRITE(&script, GET("\1"));
	READ(&script, OK("\1"));
	WRITE(&script, GET("\3"));
	script.moved[DIR_READ] += 50; /* an event is lost */
	READ(&script, "\0\0\0\x1d\0\3\0\4\0\0\0\2\0\7rdkafka\0\0\0\1\0\5third\1");
	WRITE(&script, FRAME("\x08", "\1", "\5", "\5") "\0\1x\1y\x82\x86\x84");
	READ(&script, OK("\5"));
	end("client GET / 200 2 [ok;client GET / - 2 partial [lost;client GET / 200 2 [ok;");
}

#define ASK(name) "GET /first HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: " name "\r\n\r\n"
#define SWITCH "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
#define SETTINGS FRAME("\0", "\4", "\0", "\0")
#define SAYING(dir, text)                   \
	{                                   \
		dir, text, sizeof(text) - 1 \
	}

static const struct {
	enum turn_dir dir;
	const char *bytes;
	size_t length;
} upgrade[] = {
	SAYING(DIR_READ, ASK("h2c")),
	SAYING(DIR_WRITE, SWITCH SETTINGS FRAME("\1", "\1", "\4", "\1") "\x8d"),
	SAYING(DIR_READ, PREFACE GET("\3")),
	SAYING(DIR_WRITE, FRAME("\3", "\0", "\1", "\1") "abc" OK("\3")),
};

static void play_upgrade(size_t from, size_t cut)
{
	for (size_t i = from; i < sizeof(upgrade) / sizeof(upgrade[0]); i++) {
		size_t first = cut < upgrade[i].length ? cut : upgrade[i].length;

		script_call(&script, upgrade[i].dir, upgrade[i].bytes, first);
		if (first < upgrade[i].length)
			script_call(&script, upgrade[i].dir, upgrade[i].bytes + first,
				    upgrade[i].length - first);
	}
}

/* The request in HTTP/1 is the first stream, answered as that; wherever the calls are cut. */
static void follows_an_upgrade(void **state)
{
	(void)state;
	for (size_t cut = 1; cut < sizeof(SWITCH SETTINGS) + 10; cut++) {
		begin(ROLE_SERVER, 0);
		play_upgrade(0, cut);
		script_hang_up(&script, 0);
		end("server GET /first 404 2 [ok;upgrade;" GOT);
	}
}

/* The request was before, so that its answer is partial; those after it are exact. */
static void joins_an_upgrade(void **state)
{
	(void)state;
	begin(ROLE_SERVER, CONN_PREEXISTING);
	play_upgrade(1, SIZE_MAX);
	end("server - - 404 2 partial [upgrade;partial;" GOT);
}

/* Requests that did not wait for the answer cannot be told apart from streams: nothing is guessed. */
static void leaves_an_odd_upgrade(void **state)
{
	(void)state;
	begin(ROLE_SERVER, 0);
	READ(&script, ASK("h2c") ASK("h2c"));
	play_upgrade(1, SIZE_MAX);
	end("server GET /first 101 1.1 [ok;upgrade;server GET /first - 1.1 partial [pipelined;lost;");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pairs_by_number),
		cmocka_unit_test(tells_resets),
		cmocka_unit_test(joins_in_the_middle),
		cmocka_unit_test(resumes_after_a_loss),
		cmocka_unit_test(needs_no_turns),
		cmocka_unit_test(says_what_the_close_cuts),
		cmocka_unit_test(bounds_what_is_in_flight),
		cmocka_unit_test(keeps_its_role),
		cmocka_unit_test(follows_an_upgrade),
		cmocka_unit_test(joins_an_upgrade),
		cmocka_unit_test(leaves_an_odd_upgrade),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
