/* SPDX-License-Identifier: Apache-2.0 */
/* Rows as PostgreSQL's tags tell them, and the statement each request is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "pairing.h"
#include "protocol/protocol.h"

static const struct said said[] = {
	SAID('Q', "Q\000\000\0007SELECT a FROM t WHERE b = 'secret' AND c IN (1, 2)\000"),
	SAID('A',
	     "T\000\000\000\032\000\001a\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000"
	     "D\000\000\000\013\000\001\000\000\000\0011"
	     "D\000\000\000\013\000\001\000\000\000\0012"
	     "C\000\000\000\015SELECT 2\000"
	     "Z\000\000\000\005I"),
	SAID('Q', "P\000\000\000%s\000INSERT INTO t VALUES ($1, 5)\000\000\000"
		  "S\000\000\000\004"),
	SAID('A', "1\000\000\000\004"
		  "Z\000\000\000\005I"),
	SAID('Q', "B\000\000\000\015\000s\000\000\000\000\000\000\000"
		  "E\000\000\000\011\000\000\000\000\000"
		  "S\000\000\000\004"),
	SAID('A', "2\000\000\000\004"
		  "C\000\000\000\020INSERT 0 12\000"
		  "Z\000\000\000\005I"),
	SAID('Q', "B\000\000\000\015\000s\000\000\000\000\000\000\000"
		  "E\000\000\000\011\000\000\000\000\000"
		  "S\000\000\000\004"),
	SAID('A', "2\000\000\000\004"
		  "C\000\000\000\020INSERT 0 12\000"
		  "Z\000\000\000\005I"),
	SAID('Q', "Q\000\000\000!UPDATE t SET a = 1; SELECT 7\000"),
	SAID('A',
	     "C\000\000\000\015UPDATE 3\000"
	     "T\000\000\000\032\000\001a\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000"
	     "C\000\000\000\015SELECT 1\000"
	     "Z\000\000\000\005I"),
	SAID('Q', "Q\000\000\000\026SELECT 1/0 FROM t\000"),
	SAID('A', "E\000\000\000\035SERROR\000C22012\000Mdivision\000\000"
		  "Z\000\000\000\005I"),
	SAID('Q', "Q\000\000\000\012BEGIN\000"),
	SAID('A', "C\000\000\000\012BEGIN\000"
		  "Z\000\000\000\005I"),
	{ 0 },
};

static const char expected[] = "SELECT t rows=2 <SELECT a FROM t WHERE b = ? AND c IN (?)>;"
			       "INSERT t affected=12 <INSERT INTO t VALUES (?, ?)>;"
			       "INSERT t affected=12 <INSERT INTO t VALUES (?, ?)>;"
			       "UPDATE t rows=4 <UPDATE t SET a = ?; SELECT ?>+;"
			       "SELECT t <SELECT ?/? FROM t>=22012;"
			       "BEGIN <BEGIN>;";

static void tells_however_it_is_split(void **state)
{
	(void)state;
	pairing_tell_figures(true);
	for (size_t split = 0; split < said_length(said); split++) {
		pairing_play(&protocol_postgresql, said, split, SIZE_MAX);
		assert_string_equal(pairing_text(), expected);
	}
	pairing_play_bytes(&protocol_postgresql, said);
	assert_string_equal(pairing_text(), expected);
}

/* The end of a statement is missing: its name is known, and that its text is not whole. */
static void marks_what_was_cut(void **state)
{
	static const char query[] = "Q\0\0\1\0SELECT a FROM t WHERE b = 5";

	(void)state;
	pairing_tell_figures(true);
	pairing_begin(&protocol_postgresql);
	pairing_feed(SIDE_REQUEST, query, sizeof(query) - 1);
	pairing_feed(SIDE_REQUEST, NULL, 257 - (sizeof(query) - 1));
	PAIRING_SAY(SIDE_RESPONSE, "C\0\0\0\015SELECT 1\0Z\0\0\0\5I");
	assert_string_equal(pairing_text(), "SELECT t rows=1 <SELECT a FROM t WHERE b = ?…>;");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tells_however_it_is_split),
		cmocka_unit_test(marks_what_was_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
