/* SPDX-License-Identifier: Apache-2.0 */
/* Rows as MySQL's packets tell them, and the statement each request is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "mysql_talks.h"
#include "pairing.h"
#include "protocol/protocol.h"

static const struct said said[] = {
	SAID('Q', "-\000\000\000\003SELECT `a` FROM t WHERE b = \"secret\" LIMIT 2"),
	SAID('A',
	     "\001\000\000\001\001"
	     "\027\000\000\002\003def\000\000\000\001a\000\014?\000\001\000\000\000\010\201\000\000\000\000"
	     "\005\000\000\003\376\000\000\002\000"
	     "\002\000\000\004\0011"
	     "\002\000\000\005\0012"
	     "\005\000\000\006\376\000\000\002\000"),
	SAID('Q', "\031\000\000\000\003UPDATE t SET a = 'it\\'s'"),
	SAID('A', "\011\000\000\001\000\374,\001\000\002\000\000\000"),
	SAID('Q', "\012\000\000\000\003CALL p(5)"),
	SAID('A',
	     "\001\000\000\001\001"
	     "\027\000\000\002\003def\000\000\000\001a\000\014?\000\001\000\000\000\010\201\000\000\000\000"
	     "\005\000\000\003\376\000\000\012\000"
	     "\002\000\000\004\0011"
	     "\005\000\000\005\376\000\000\012\000"
	     "\007\000\000\006\000\000\000\002\000\000\000"),
	SAID('Q', "\036\000\000\000\003INSERT INTO t VALUES (1), (2)"),
	SAID('A', "\022\000\000\001\377&\004#23000Duplicate"),
	SAID('Q', "&\000\000\000\003SET sql_mode = 'NO_BACKSLASH_ESCAPES'"),
	SAID('A', "\007\000\000\001\000\000\000\002\002\000\000"),
	SAID('Q', "\033\000\000\000\003SELECT 'a\\', b, 'c' FROM t"),
	SAID('A',
	     "\001\000\000\001\001"
	     "\027\000\000\002\003def\000\000\000\001a\000\014?\000\001\000\000\000\010\201\000\000\000\000"
	     "\005\000\000\003\376\000\000\002\002"
	     "\005\000\000\004\376\000\000\002\002"),
	{ 0 },
};

static const char expected[] = "SELECT t rows=2 <SELECT `a` FROM t WHERE b = ? LIMIT ?>;"
			       "UPDATE t affected=300 <UPDATE t SET a = ?>;"
			       "CALL rows=1 <CALL p(?)>;"
			       "INSERT t <INSERT INTO t VALUES (?), ...>=1062;"
			       "SET affected=0 <SET sql_mode = ?>;"
			       "SELECT t rows=0 <SELECT ?, b, ? FROM t>;";

static void tells_however_it_is_split(void **state)
{
	(void)state;
	pairing_tell_figures(true);
	for (size_t split = 0; split < said_length(said); split++) {
		pairing_play(&protocol_mysql, said, split, SIZE_MAX);
		assert_string_equal(pairing_text(), expected);
	}
	pairing_play_bytes(&protocol_mysql, said);
	assert_string_equal(pairing_text(), expected);
}

/* Rows beyond what was captured are not known; nor is a text beyond it. */
static void says_what_was_not_seen(void **state)
{
	static const char query[] =
		"/\000\000\000\003SELECT a FROM t WHERE b = 12345 AND c = 123456";
	static const char answer[] =
		"\001\000\000\001\001\027\000\000\002\003def\000\000\000\001a\000\014?\000\001\000\000\000\010\201\000\000\000\000\005\000\000\003\376\000\000\002\000\002\000\000\004\0011";

	(void)state;
	pairing_tell_figures(true);
	pairing_begin(&protocol_mysql);
	pairing_feed(SIDE_REQUEST, query, 40);
	pairing_feed(SIDE_REQUEST, NULL, sizeof(query) - 1 - 40);
	pairing_feed(SIDE_RESPONSE, answer, sizeof(answer) - 1);
	pairing_feed(SIDE_RESPONSE, NULL, 1000);
	pairing_boundary(SIDE_RESPONSE, BOUNDARY_TURN, 0);
	assert_string_equal(pairing_text(), "SELECT t rows? <SELECT a FROM t WHERE b = ?…>;");
}

static const char prepared[] =
	"CREATE c affected=0 <create or replace table c (i int)>;"
	"INSERT c affected=3 <insert into c values (?), ...>;SELECT c rows=3 <select i from c>;"
	"UPDATE c affected=3 <update c set i=i+?>;UPDATE c affected=3 <update c set i=i+?>;"
	"SELECT c <select i from c where i > ?>;FETCH rows=2;FETCH rows=1;one-way;one-way;"
	"DELETE c affected=3 <delete from c>;SELECT c <select nosuch from c>=1054;one-way;"
	"RESET CONNECTION;DROP c affected=0 <drop table c>;one-way;";

/* What was prepared is remembered with its text. */
static void names_prepared_statements(void **state)
{
	(void)state;
	pairing_tell_figures(true);
	pairing_play(&protocol_mysql, mysql_talks[MYSQL_PREPARED], 0, SIZE_MAX);
	assert_string_equal(pairing_text(), prepared);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tells_however_it_is_split),
		cmocka_unit_test(says_what_was_not_seen),
		cmocka_unit_test(names_prepared_statements),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
