/* SPDX-License-Identifier: Apache-2.0 */
/* What memcached and its clients said, whole, split at every byte, cut at every length, and with holes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "memcached_talks.h"
#include "pairing.h"
#include "protocol/protocol.h"

static void expect(const char *text)
{
	assert_string_equal(pairing_text(), text);
}

static const char *const expected[MEMCACHED_COUNT] = {
	[MEMCACHED_TEXT] =
		"set;one-way;get 2/3;incr=CLIENT_ERROR;other=ERROR;other=ERROR;set=CLIENT_ERROR;set=CLIENT_ERROR;"
		"other=ERROR;silent mg 0/1;mg 1/1;silent ms;silent md;md;mn;silent ms;ms;ma=CLIENT_ERROR;"
		"ma=CLIENT_ERROR;me;mn;gat 1/2;gats 1/1;touch;stats;version;get 3/4;lru_crawler;one-way;"
		"lru_crawler=CLIENT_ERROR;mn;",
	[MEMCACHED_BINARY] =
		"set;get 1/1;silent get 0/1;get 1/1;noop;silent set;add;silent delete;delete;noop;"
		"incr=CLIENT_ERROR;version;get 0/1;other=ERROR;stats;touch;noop;",
};

static void understands_the_real_server(void **state)
{
	(void)state;
	for (size_t i = 0; i < MEMCACHED_COUNT; i++) {
		pairing_play(&protocol_memcached, memcached_talks[i], 0, SIZE_MAX);
		expect(expected[i]);
		assert_int_equal(pairing_waiting(), 0);
	}
}

static void understands_every_split(void **state)
{
	(void)state;
	for (size_t i = 0; i < MEMCACHED_COUNT; i++)
		for (size_t split = 1; split < said_length(memcached_talks[i]); split++) {
			pairing_play(&protocol_memcached, memcached_talks[i], split, SIZE_MAX);
			expect(expected[i]);
		}
}

static void understands_single_bytes(void **state)
{
	(void)state;
	for (size_t i = 0; i < MEMCACHED_COUNT; i++) {
		pairing_play_bytes(&protocol_memcached, memcached_talks[i]);
		expect(expected[i]);
	}
}

/* What is there is told; nothing more, and never another thing. */
static void tells_what_came_before_a_cut(void **state)
{
	(void)state;
	for (size_t i = 0; i < MEMCACHED_COUNT; i++)
		for (size_t end = 0; end < said_length(memcached_talks[i]); end++) {
			pairing_play(&protocol_memcached, memcached_talks[i], 0, end);
			assert_memory_equal(pairing_text(), expected[i], strlen(pairing_text()));
			assert_false(pairing_is_over());
		}
}

static void skips_values_unseen(void **state)
{
	(void)state;
	pairing_begin(&protocol_memcached);
	PAIRING_SAY(SIDE_REQUEST, "set k 0 0 900\r\n");
	pairing_feed(SIDE_REQUEST, NULL, 902);
	PAIRING_SAY(SIDE_REQUEST, "get k l\r\n");
	PAIRING_SAY(SIDE_RESPONSE, "STORED\r\nVALUE k 0 900\r\n");
	pairing_feed(SIDE_RESPONSE, NULL, 902);
	PAIRING_SAY(SIDE_RESPONSE, "END\r\n");
	expect("set;get 1/2;");
}

static void is_lost_where_messages_begin(void **state)
{
	(void)state;
	pairing_begin(&protocol_memcached);
	PAIRING_SAY(SIDE_REQUEST, "get k\r\n");
	pairing_feed(SIDE_REQUEST, NULL, 1);
	expect("lost;");
	pairing_begin(&protocol_memcached);
	PAIRING_SAY(SIDE_REQUEST, "get k\r\n");
	PAIRING_SAY(SIDE_RESPONSE, "VALUE k 0 1\r\nx\r\n");
	pairing_feed(SIDE_RESPONSE, NULL, 1);
	expect("lost;");
}

/* Of a request that nobody doubts. */
static void refuses_what_does_not_fit(void **state)
{
	(void)state;
	pairing_begin(&protocol_memcached);
	PAIRING_SAY(SIDE_REQUEST, "set k 0 0 1\r\nx\r\n");
	PAIRING_SAY(SIDE_RESPONSE, "VALUE k 0 1\r\n");
	expect("broken;");
	pairing_begin(&protocol_memcached);
	PAIRING_SAY(SIDE_REQUEST, "get k\r\n");
	PAIRING_SAY(SIDE_RESPONSE, "VALUE k 0 many\r\n");
	expect("broken;");
	pairing_begin(&protocol_memcached);
	PAIRING_SAY(SIDE_REQUEST, "\x16\x03\x01");
	expect("not mine;");
}

/* The opaque tells whose an answer is, where kinds do not. */
static void pairs_by_opaque(void **state)
{
	(void)state;
	pairing_begin(&protocol_memcached);
	PAIRING_SAY(SIDE_REQUEST, "mg a q Oa\r\nmg b q Ob\r\nmg c Oc\r\n");
	PAIRING_SAY(SIDE_RESPONSE, "HD Ob\r\nEN\r\n");
	expect("silent mg 0/1;mg 1/1;mg 0/1;");
}

static void sniffs(void **state)
{
	static const struct {
		const char *bytes;
		enum sniff_result expected;
	} firsts[] = {
		{ "", SNIFF_MORE },
		{ "ge", SNIFF_MORE },
		{ "get ", SNIFF_MORE },
		{ "get k", SNIFF_REQUEST },
		{ "GET k", SNIFF_NO },
		{ "get \r", SNIFF_NO },
		{ "gets k", SNIFF_REQUEST },
		{ "version", SNIFF_MORE },
		{ "version\r", SNIFF_REQUEST },
		{ "versions", SNIFF_NO },
		{ "quit\r\n", SNIFF_NO },
		{ "stats items\r\n", SNIFF_REQUEST },
		{ "\x80", SNIFF_MORE },
		{ "\x80\x7f", SNIFF_NO },
		{ "\x80\x0a\x01", SNIFF_NO },
	};
	const struct said *binary = memcached_talks[MEMCACHED_BINARY];

	(void)state;
	for (size_t i = 0; i < sizeof(firsts) / sizeof(firsts[0]); i++)
		assert_int_equal(protocol_memcached.sniff((const uint8_t *)firsts[i].bytes,
							  strlen(firsts[i].bytes)),
				 firsts[i].expected);
	assert_int_equal(protocol_memcached.sniff((const uint8_t *)binary->bytes, 11), SNIFF_MORE);
	assert_int_equal(protocol_memcached.sniff((const uint8_t *)binary->bytes, 12),
			 SNIFF_REQUEST);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(understands_the_real_server),
		cmocka_unit_test(understands_every_split),
		cmocka_unit_test(understands_single_bytes),
		cmocka_unit_test(tells_what_came_before_a_cut),
		cmocka_unit_test(skips_values_unseen),
		cmocka_unit_test(is_lost_where_messages_begin),
		cmocka_unit_test(refuses_what_does_not_fit),
		cmocka_unit_test(pairs_by_opaque),
		cmocka_unit_test(sniffs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
