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

static const struct talk_set talks = { &protocol_memcached, memcached_talks, expected,
				       MEMCACHED_COUNT };

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
	pairing_expect("set;get 1/2;");
}

static void is_lost_where_messages_begin(void **state)
{
	(void)state;
	pairing_begin(&protocol_memcached);
	PAIRING_SAY(SIDE_REQUEST, "get k\r\n");
	pairing_feed(SIDE_REQUEST, NULL, 1);
	pairing_expect("lost;");
	pairing_begin(&protocol_memcached);
	PAIRING_SAY(SIDE_REQUEST, "get k\r\n");
	PAIRING_SAY(SIDE_RESPONSE, "VALUE k 0 1\r\nx\r\n");
	pairing_feed(SIDE_RESPONSE, NULL, 1);
	pairing_expect("lost;");
}

/* Of a request that nobody doubts. */
static void refuses_what_does_not_fit(void **state)
{
	(void)state;
	pairing_begin(&protocol_memcached);
	PAIRING_SAY(SIDE_REQUEST, "set k 0 0 1\r\nx\r\n");
	PAIRING_SAY(SIDE_RESPONSE, "VALUE k 0 1\r\n");
	pairing_expect("broken;");
	pairing_begin(&protocol_memcached);
	PAIRING_SAY(SIDE_REQUEST, "get k\r\n");
	PAIRING_SAY(SIDE_RESPONSE, "VALUE k 0 many\r\n");
	pairing_expect("broken;");
	pairing_begin(&protocol_memcached);
	PAIRING_SAY(SIDE_REQUEST, "\x16\x03\x01");
	pairing_expect("not mine;");
}

/* The opaque tells whose an answer is, where kinds do not. */
static void pairs_by_opaque(void **state)
{
	(void)state;
	pairing_begin(&protocol_memcached);
	PAIRING_SAY(SIDE_REQUEST, "mg a q Oa\r\nmg b q Ob\r\nmg c Oc\r\n");
	PAIRING_SAY(SIDE_RESPONSE, "HD Ob\r\nEN\r\n");
	pairing_expect("silent mg 0/1;mg 1/1;mg 0/1;");
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
		TALK_TESTS(talks),
		cmocka_unit_test(skips_values_unseen),
		cmocka_unit_test(is_lost_where_messages_begin),
		cmocka_unit_test(refuses_what_does_not_fit),
		cmocka_unit_test(pairs_by_opaque),
		cmocka_unit_test(sniffs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
