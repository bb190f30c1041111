/* SPDX-License-Identifier: Apache-2.0 */
/* Statements without their literals: what is left, which are the same, and that nothing leaks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "protocol/sql_mask.h"

#define PG SQL_POSTGRESQL
#define MY SQL_MYSQL

struct masked {
	char text[SQL_MASKED_MAX];
	uint64_t fingerprint;
};

static struct masked mask_as(enum sql_dialect dialect, bool has_plain_backslash, const char *text,
			     size_t piece, bool is_cut)
{
	size_t length = strlen(text);
	struct sql_mask mask;
	struct masked masked;

	memset(&mask, 0xa5, sizeof(mask));
	sql_mask_init(&mask, dialect, has_plain_backslash);
	for (size_t at = 0; at < length; at += piece)
		sql_mask_take(&mask, (const uint8_t *)text + at,
			      length - at < piece ? length - at : piece);
	masked.fingerprint = sql_mask_end(&mask, is_cut);
	memcpy(masked.text, mask.text, sizeof(masked.text));
	assert_true(strlen(masked.text) < SQL_MASKED_MAX);
	return masked;
}

static struct masked masked(enum sql_dialect dialect, const char *text)
{
	return mask_as(dialect, false, text, SIZE_MAX / 2, false);
}

static const struct {
	enum sql_dialect dialect;
	const char *statement;
	const char *text;
} statements[] = {
	{ PG, "", "" },
	{ PG, "SELECT 1", "SELECT ?" },
	{ PG, "SELECT 1;", "SELECT ?" },
	{ PG, "SELECT 1 ; ; ", "SELECT ?" },
	{ PG, "BEGIN; SELECT 2", "BEGIN; SELECT ?" },
	{ PG, "select  *\n\tfrom a.b", "select * from a.b" },
	{ PG, "SELECT 'it''s', E'it\\'s', B'01', x'1F', N'n', U&'\\0041'",
	  "SELECT ?, ?, ?, ?, ?, U&?" },
	{ PG, "SELECT 'two' 'parts'", "SELECT ?" },
	{ PG, "SELECT 1.5e-3, .5, 0x1F, 1_000, 5::int", "SELECT ?, .?, ?, ?, ?::int" },
	{ PG, "SELECT $1, $$se'cret$$, $tag$ $$ secret $no$ $tag$, a$b", "SELECT ?, ?, ?, a$b" },
	{ PG, "SELECT \"Na'me\", \"a\"\"b\" FROM t1", "SELECT \"Na'me\", \"a\"\"b\" FROM t1" },
	{ PG, "SELECT a -- 'secret\n, b /* secret /* 1 */ 'x */ FROM t", "SELECT a , b FROM t" },
	{ PG, "a = -5 AND b = + 5 AND c - 5 > -d", "a = ? AND b = + ? AND c - ? > -d" },
	{ PG, "abalance + -123 BETWEEN -1 AND -2", "abalance + ? BETWEEN ? AND ?" },
	{ PG, "a - -5, (-5), a-5, 4-5, a/5*-1", "a - ?, (?), a-?, ?-?, a/?*?" },
	{ PG, "x IN (1, -2,'3' , $4)", "x IN (?)" },
	{ PG, "x IN (1) AND y NOT IN (NULL, 2)", "x IN (?) AND y NOT IN (?)" },
	{ PG, "x IN (1, a, 2) OR f(1, 2)", "x IN (?, a, ?) OR f(?, ?)" },
	{ PG, "(a, b) IN ((1, 2), (3, 4))", "(a, b) IN ((?, ?))" },
	{ PG, "x IN (SELECT a FROM b WHERE c IN (1,2))", "x IN (SELECT a FROM b WHERE c IN (?))" },
	{ PG, "INSERT INTO t VALUES (1, 'a', NULL, true)", "INSERT INTO t VALUES (?, ?, ?, ?)" },
	{ PG, "INSERT INTO t(a) VALUES (1), (now()) , ('x)') RETURNING a",
	  "INSERT INTO t(a) VALUES (?), ... RETURNING a" },
	{ PG, "INSERT INTO t VALUES (1), (E'\\')'), (2) ON CONFLICT DO NOTHING",
	  "INSERT INTO t VALUES (?), ... ON CONFLICT DO NOTHING" },
	{ PG, "a IS NULL AND b = NULL AND c IS NOT TRUE", "a IS NULL AND b = ? AND c IS NOT TRUE" },
	{ PG, "SELECT 'C:\\' , 'secret", "SELECT ?…" },
	{ PG, "SELECT 'unfinished", "SELECT ?" },
	{ PG, "COPY t FROM STDIN", "COPY t FROM STDIN" },
	{ PG, "a <= 5 || 'x'", "a <= ? || ?" },
	{ MY, "SELECT \"secret\", 'it\\'s', `na'me`, _utf8'x'", "SELECT ?, ?, `na'me`, _utf8?" },
	{ MY, "SELECT 1 # secret 'x\n, 2 -- secret\n", "SELECT ? , ?" },
	{ MY, "SELECT /*! STRAIGHT_JOIN 5 */ a /* secret */", "SELECT STRAIGHT_JOIN ? */ a" },
	{ MY, "SELECT $a, 'a' \"b\", 0xFF, x'4D'", "SELECT $a, ?, ?, ?" },
	{ MY, "INSERT t VALUES (1,2),(3,4) ON DUPLICATE KEY UPDATE a=VALUES(a), b=b+1",
	  "INSERT t VALUES (?,?), ... ON DUPLICATE KEY UPDATE a=VALUES(a), b=b+?" },
	{ MY, "SELECT a FROM t WHERE a=\"\\\"secret\" LIMIT 5, 10",
	  "SELECT a FROM t WHERE a=? LIMIT ?, ?" },
	{ MY, "CREATE USER u IDENTIFIED BY 'secret'", "CREATE USER u IDENTIFIED BY ?" },
};

static void leaves_literals_out(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(statements) / sizeof(statements[0]); i++) {
		const char *statement = statements[i].statement;
		struct masked whole = masked(statements[i].dialect, statement);

		assert_string_equal(whole.text, statements[i].text);
		for (size_t piece = 1; piece < 6; piece++) {
			struct masked pieces =
				mask_as(statements[i].dialect, false, statement, piece, false);

			assert_string_equal(pieces.text, whole.text);
			assert_true(pieces.fingerprint == whole.fingerprint);
		}
	}
}

/* Cut anywhere, a statement tells no literal either. */
static void leaks_nothing_when_cut(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(statements) / sizeof(statements[0]); i++) {
		char text[256];

		for (size_t length = 0; length < strlen(statements[i].statement); length++) {
			struct masked cut;

			(void)snprintf(text, sizeof(text), "%.*s", (int)length,
				       statements[i].statement);
			cut = mask_as(statements[i].dialect, false, text, 7, true);
			assert_null(strstr(cut.text, "secret"));
			assert_null(strchr(cut.text, '5'));
			assert_non_null(strstr(cut.text, "…"));
		}
	}
}

static void tells_statements_apart(void **state)
{
	static const char *const same[][2] = {
		{ "SELECT a FROM t WHERE b = 1", "select  A from T /* x */\nwhere b='long';" },
		{ "SELECT a FROM t WHERE b = $1", "SELECT a FROM t WHERE b=-5" },
		{ "x IN (1)", "x IN (1,2,3)" },
		{ "a<=5", "a <= 5" },
		{ "VALUES (1),(2)", "VALUES (1),(2),(3)" },
		{ "averyverylongnameofacolumn = 1", "AVERYVERYLONGNAMEOFACOLUMN = 2" },
	};
	static const char *const different[][2] = {
		{ "SELECT a FROM t", "SELECT b FROM t" },
		{ "SELECT ab", "SELECT a b" },
		{ "VALUES (1)", "VALUES (1),(2)" },
		{ "f(1)", "f(1, 2)" },
		{ "\"T\"", "\"t\"" },
		{ "averyverylongnameofacolumn", "averyverylongnameofacolumm" },
		{ "averyverylongname", "avery verylongname" },
		{ "SELECT 1; SELECT 2", "SELECT 1" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++)
		assert_true(masked(PG, same[i][0]).fingerprint ==
			    masked(PG, same[i][1]).fingerprint);
	for (size_t i = 0; i < sizeof(different) / sizeof(different[0]); i++)
		assert_false(masked(PG, different[i][0]).fingerprint ==
			     masked(PG, different[i][1]).fingerprint);
	/* A number for good: dashboards hold on to it. */
	assert_true(masked(PG, "SELECT 1").fingerprint == 0x98331fff25a83b25);
}

static void knows_plain_backslashes(void **state)
{
	const char *statement = "SELECT 'a\\', secret, 'b'";

	(void)state;
	assert_string_equal(mask_as(MY, true, statement, 1, false).text, "SELECT ?, secret, ?");
	assert_string_equal(mask_as(MY, false, statement, 1, false).text, "SELECT ?");
}

/* Long ones: by all of it when it is there, by what is kept when it was cut, wherever that was. */
static void bounds_what_it_keeps(void **state)
{
	char text[SQL_MASK_READ_MAX + 100], other[sizeof(text)];
	struct masked whole, cut, cut_later;

	(void)state;
	for (size_t i = 0; i < sizeof(text) - 1; i++)
		text[i] = i % 8 == 7 ? ' ' : (char)('a' + i / 8 % 26);
	text[sizeof(text) - 1] = '\0';
	text[2000] = '\0';
	memcpy(other, text, sizeof(other));
	whole = masked(PG, text);
	assert_int_equal(strlen(whole.text), SQL_MASKED_MAX - 1);
	assert_string_equal(whole.text + strlen(whole.text) - strlen("…"), "…");
	other[1990] = 'z';
	assert_false(masked(PG, other).fingerprint == whole.fingerprint);
	text[1500] = '\0';
	cut = mask_as(PG, false, text, 100, true);
	text[1001] = '\0';
	cut_later = mask_as(PG, false, text, 100, true);
	assert_true(cut.fingerprint == cut_later.fingerprint);
	assert_false(cut.fingerprint == whole.fingerprint);
	assert_string_equal(cut.text, whole.text);

	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	cut = masked(PG, text);
	text[SQL_MASK_READ_MAX + 50] = 'y';
	assert_true(masked(PG, text).fingerprint == cut.fingerprint);
}

static void keeps_characters_whole(void **state)
{
	char text[1000] = "SELECT ";

	(void)state;
	while (strlen(text) < 900)
		strcat(text, "ö");
	for (size_t begin = 0; begin < 4; begin++) {
		struct masked cut = masked(PG, text + begin);

		assert_memory_equal(cut.text + strlen(cut.text) - 5, "ö…", 5);
	}
}

/* Random pieces of SQL with known literals: no piece of any literal comes out. */
static void never_tells_a_literal(void **state)
{
	static const char *const pieces[] = {
		"'qqzz'", "E'qq\\'zz'", "'qq''zz'",  " $$qqzz$$",  " $t$qqzz$t$", " 77",
		" 7.7e7", "-77",	"-- qqzz\n", "/* qqzz */", "SELECT ",	  " IN (",
		")",	  ",",		"(",	     " VALUES ",   ";",		  " a",
		"\"n\"",  "::",		"- ",	     "+",	   "=",		  " NULL",
		" e",	  "x",		"$1",	     "\n",	   "'qqzz\\\\'",
	};
	unsigned seed = 1;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		char text[512] = "";
		struct masked result;

		for (int i = 0; i < 12; i++) {
			seed = seed * 1103515245 + 12345;
			strcat(text, pieces[(seed >> 16) % (sizeof(pieces) / sizeof(pieces[0]))]);
		}
		result = masked(PG, text);
		if (strstr(result.text, "qq") || strchr(result.text, '7'))
			fail_msg("%s: %s", text, result.text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(leaves_literals_out),	  cmocka_unit_test(leaks_nothing_when_cut),
		cmocka_unit_test(tells_statements_apart), cmocka_unit_test(knows_plain_backslashes),
		cmocka_unit_test(bounds_what_it_keeps),	  cmocka_unit_test(keeps_characters_whole),
		cmocka_unit_test(never_tells_a_literal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
