/* SPDX-License-Identifier: Apache-2.0 */
/* What MariaDB and its clients said, whole, split at every byte, cut at every length, and with holes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "mysql_talks.h"
#include "pairing.h"
#include "protocol/protocol.h"

static const char *const expected[MYSQL_COUNT] = {
	[MYSQL_PYMYSQL] =
		"DROP a;CREATE a;REPLACE a;SELECT a;SELECT a;INSERT a=1062;other=1064;INSERT a+;PING;USE;"
		"DELETE a;LOAD a;CREATE;CALL;DROP;DROP a;one-way;",
	[MYSQL_CLI] = "DROP b;CREATE b;INSERT b;SELECT b;SELECT b;SELECT b=1054;one-way;",
	[MYSQL_REFUSED] = "CONNECT=1045;",
	[MYSQL_COMPRESSED] = "compressed",
	[MYSQL_PREPARED] =
		"CREATE c;INSERT c;SELECT c;UPDATE c;UPDATE c;SELECT c;FETCH;FETCH;one-way;one-way;DELETE c;"
		"SELECT c=1054;one-way;RESET CONNECTION;DROP c;one-way;",
};

static const struct talk_set talks = { &protocol_mysql, mysql_talks, expected, MYSQL_COUNT };

/* A turn's first bytes, its length and its end are what the kernel shows. */
static void understands_prefixes(void **state)
{
	(void)state;
	for (size_t i = 0; i < MYSQL_COUNT; i++)
		for (size_t shown = 64; shown < 300; shown++) {
			pairing_play_prefixes(&protocol_mysql, mysql_talks[i], shown);
			pairing_expect(expected[i]);
		}
}

#define COLUMN         \
	"\x03\0\0\x02" \
	"def"

static void begin_rows(void)
{
	pairing_begin(&protocol_mysql);
	PAIRING_SAY(SIDE_REQUEST, "\x10\0\0\0\x03SELECT 1 FROM t");
	PAIRING_SAY(SIDE_RESPONSE, "\1\0\0\1\1" COLUMN "\5\0\0\3\xfe\0\0\2\0\2\0\0\4\0011");
}

/* Rows that were not captured end with the turn's last bytes, unless those say that more comes. */
static void ends_by_the_tail(void **state)
{
	(void)state;
	begin_rows();
	pairing_feed(SIDE_RESPONSE, NULL, 100000);
	pairing_boundary(SIDE_RESPONSE, BOUNDARY_PROGRESS, 0x6161616161616161);
	pairing_boundary(SIDE_RESPONSE, BOUNDARY_PROGRESS, 0x000a0000fe050000);
	pairing_expect("");
	pairing_boundary(SIDE_RESPONSE, BOUNDARY_PROGRESS, 0x00020000fe050000);
	pairing_expect("SELECT t;");
	begin_rows();
	pairing_feed(SIDE_RESPONSE, NULL, 100000);
	pairing_boundary(SIDE_RESPONSE, BOUNDARY_PROGRESS, 0x000000020000fe05);
	pairing_expect("SELECT t;");
}

static void an_error_ends_rows(void **state)
{
	(void)state;
	begin_rows();
	PAIRING_SAY(SIDE_RESPONSE, "\x09\0\0\5\xff\x25\x05#70100");
	pairing_expect("SELECT t=1317;");
}

static void joins_in_the_middle(void **state)
{
	(void)state;
	pairing_begin(&protocol_mysql);
	PAIRING_SAY(SIDE_REQUEST, "\x0a\0\0\0\x17\1\0\0\0\0\1\0\0\0");
	PAIRING_SAY(SIDE_RESPONSE, "\1\0\0\1\1" COLUMN "\2\0\0\3\0\0\7\0\0\4\xfe\0\0\2\0\0\0");
	pairing_expect("-?;");
}

static void encrypted_is_left_alone(void **state)
{
	(void)state;
	pairing_begin(&protocol_mysql);
	PAIRING_SAY(SIDE_RESPONSE, "\x0a\0\0\0\x0a"
				   "8.0.36\0\0\0");
	PAIRING_SAY(SIDE_REQUEST, "\x20\0\0\1\x05\x8a\0\0\0\0\0\1\x21\0\0\0\0\0\0\0\0\0\0\0"
				  "\0\0\0\0\0\0\0\0\0\0\0\0");
	PAIRING_SAY(SIDE_REQUEST, "\x16\3\1\2\0\1\0");
	PAIRING_SAY(SIDE_RESPONSE, "\x16\3\3\0\x7a");
	pairing_expect("encrypted");
}

/* What a statement SIGNALs is no label. */
static void bounds_error_numbers(void **state)
{
	(void)state;
	pairing_begin(&protocol_mysql);
	PAIRING_SAY(SIDE_REQUEST, "\7\0\0\0\x03"
				  "CALL p");
	PAIRING_SAY(SIDE_RESPONSE, "\x09\0\0\1\xff\x10\x27#45000");
	pairing_expect("CALL=_OTHER;");
}

static void a_statement_of_many_packets_is_one(void **state)
{
	(void)state;
	pairing_begin(&protocol_mysql);
	PAIRING_SAY(SIDE_REQUEST, "\xff\xff\xff\0\x03INSERT INTO t VALUES('");
	pairing_feed(SIDE_REQUEST, NULL, 0xffffff - 23 + 500);
	pairing_boundary(SIDE_REQUEST, BOUNDARY_TURN, 0);
	PAIRING_SAY(SIDE_RESPONSE, "\7\0\0\2\0\1\0\2\0\0\0");
	pairing_expect("INSERT t;");
}

#define SNIFF(literal) protocol_mysql.sniff((const uint8_t *)(literal), sizeof(literal) - 1)

static void sniffs(void **state)
{
	(void)state;
	assert_int_equal(SNIFF("\x5d\0\0"), SNIFF_MORE);
	assert_int_equal(SNIFF("\x5d\0\0\0\x0a"
			       "5."),
			 SNIFF_MORE);
	assert_int_equal(SNIFF("\x5d\0\0\0\x0a"
			       "5.5"),
			 SNIFF_RESPONSE);
	assert_int_equal(SNIFF("\x5d\0\0\0\x0a"
			       "10.1"),
			 SNIFF_RESPONSE);
	assert_int_equal(SNIFF("\x5d\0\0\0\x0a"
			       "5x"),
			 SNIFF_NO);
	assert_int_equal(SNIFF("\x5d\0\0\1\x0a"), SNIFF_NO);
	assert_int_equal(SNIFF("\x09\0\0\0\x03select "), SNIFF_REQUEST);
	assert_int_equal(SNIFF("\x09\0\0\0\x03selec"), SNIFF_MORE);
	assert_int_equal(SNIFF("\x09\0\0\0\x03selects "), SNIFF_NO);
	assert_int_equal(SNIFF("\x09\0\0\0\x03\0\1select "), SNIFF_REQUEST);
	assert_int_equal(SNIFF("\1\0\0\0\x0e"), SNIFF_REQUEST);
	assert_int_equal(SNIFF("\2\0\0\0\x0e"), SNIFF_NO);
	assert_int_equal(SNIFF("\x0a\0\0\0\x17\1\0\0\0\0\1\0\0"), SNIFF_MORE);
	assert_int_equal(SNIFF("\x0a\0\0\0\x17\1\0\0\0\0\1\0\0\0"), SNIFF_REQUEST);
	assert_int_equal(SNIFF("\x0a\0\0\0\x17\1\0\0\0\0\1\0\0\1"), SNIFF_NO);
	assert_int_equal(SNIFF("GET / HTTP/1.1\r\n"), SNIFF_NO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TALK_TESTS(talks),
		cmocka_unit_test(understands_prefixes),
		cmocka_unit_test(ends_by_the_tail),
		cmocka_unit_test(an_error_ends_rows),
		cmocka_unit_test(joins_in_the_middle),
		cmocka_unit_test(encrypted_is_left_alone),
		cmocka_unit_test(bounds_error_numbers),
		cmocka_unit_test(a_statement_of_many_packets_is_one),
		cmocka_unit_test(sniffs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
