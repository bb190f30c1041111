/* SPDX-License-Identifier: Apache-2.0 */
/* Statements whole and byte by byte, in both dialects. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "protocol/sql_commands.h"
#include "protocol/sql_words.h"

struct sample {
	const char *text;
	const char *operation;
	const char *table;
};

static const struct sample both[] = {
	{ "", NULL, "" },
	{ " ;; ", NULL, "" },
	{ "SELECT 1", "SELECT", "" },
	{ "select * from t", "SELECT", "t" },
	{ "SELECT a.b, 'from x' FROM s.t WHERE", "SELECT", "s.t" },
	{ "(SELECT 1 FROM a) UNION SELECT 2 FROM b", "SELECT", "a" },
	{ "SELECT * FROM a, b", "SELECT", "a" },
	{ "SELECT * FROM a;SELECT * FROM b", "SELECT", "a" },
	{ "SELECT * FROM (SELECT * FROM inner_t) AS x", "SELECT", "inner_t" },
	{ "SELECT * FROM (VALUES (1)) AS x", "SELECT", "" },
	{ "SELECT extract(year FROM made), trim(BOTH FROM x) FROM t", "SELECT", "t" },
	{ "SELECT a IS DISTINCT FROM b FROM t", "SELECT", "t" },
	{ "SELECT * FROM generate_series(1, 3)", "SELECT", "" },
	{ "SELECT * FROM f(1), t", "SELECT", "" },
	{ "SELECT (SELECT max(x) FROM u) FROM t", "SELECT", "u" },
	{ "SELECT 1 - -1 FROM t -- FROM x\n", "SELECT", "t" },
	{ "-- a comment\n/* another */ SELECT/**/1/**/FROM/**/t/**/", "SELECT", "t" },
	{ "INSERT INTO t VALUES ('it''s', 1)", "INSERT", "t" },
	{ "insert into t(a) select b from c", "INSERT", "t" },
	{ "UPDATE t SET a = (SELECT b FROM c)", "UPDATE", "t" },
	{ "DELETE FROM t WHERE a IN (SELECT b FROM c)", "DELETE", "t" },
	{ "WITH x AS (SELECT * FROM t) INSERT INTO y SELECT * FROM x", "INSERT", "t" },
	{ "WITH x AS (VALUES (1)) UPDATE y SET a = 1", "UPDATE", "y" },
	{ "WITH x AS (DELETE FROM t RETURNING *) SELECT * FROM x", "SELECT", "t" },
	{ "EXPLAIN ANALYZE SELECT * FROM t", "EXPLAIN", "t" },
	{ "CREATE TABLE IF NOT EXISTS t (a int)", "CREATE", "t" },
	{ "CREATE OR REPLACE TEMPORARY TABLE t (a int)", "CREATE", "t" },
	{ "CREATE UNIQUE INDEX i ON t (a)", "CREATE", "t" },
	{ "CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW", "CREATE", "t" },
	{ "CREATE VIEW v AS SELECT * FROM t", "CREATE", "" },
	{ "DROP TABLE IF EXISTS s.t CASCADE", "DROP", "s.t" },
	{ "ALTER TABLE t ADD COLUMN b int", "ALTER", "t" },
	{ "TRUNCATE TABLE t", "TRUNCATE", "t" },
	{ "LOCK TABLES t READ", "LOCK", "t" },
	{ "BEGIN", "BEGIN", "" },
	{ "commit;", "COMMIT", "" },
	{ "SET search_path TO x", "SET", "" },
	{ "FROBNICATE t", "other", "" },
	{ "SELECTED", "other", "" },
	{ "123", NULL, "" },
};

static const struct sample postgresql[] = {
	{ "SELECT * FROM Users", "SELECT", "users" },
	{ "SELECT * FROM \"Users\".\"we ird\"", "SELECT", "Users.we ird" },
	{ "SELECT * FROM \"a\"\"b\"", "SELECT", "ab" },
	{ "SELECT $1, $2 FROM ONLY t", "SELECT", "t" },
	{ "SELECT $$ FROM x $$, $a$ $b$ FROM y $a$ FROM t", "SELECT", "t" },
	{ "SELECT E'it\\' FROM x' FROM t", "SELECT", "t" },
	{ "SELECT '\\' FROM t", "SELECT", "t" },
	{ "/* a /* nested */ SELECT 1 FROM x */ DELETE FROM t", "DELETE", "t" },
	{ "COPY t (a) FROM STDIN", "COPY", "t" },
	{ "COPY (SELECT * FROM t) TO STDOUT", "COPY", "t" },
	{ "VACUUM (FULL, VERBOSE) t", "VACUUM", "t" },
	{ "MERGE INTO t USING s ON a = b", "MERGE", "t" },
	{ "DECLARE c CURSOR FOR SELECT * FROM t", "DECLARE", "t" },
	{ "EXPLAIN (ANALYZE, BUFFERS) UPDATE t SET a = 1", "EXPLAIN", "t" },
	{ "REFRESH MATERIALIZED VIEW CONCURRENTLY v", "REFRESH", "v" },
	{ "COMMENT ON TABLE t IS 'x'", "COMMENT", "t" },
	{ "SELECT * FROM t#x", "SELECT", "t" },
};

static const struct sample mysql[] = {
	{ "SELECT * FROM `Users`", "SELECT", "Users" },
	{ "SELECT * FROM Users", "SELECT", "Users" },
	{ "SELECT \" FROM x\", 'it\\'s FROM y' FROM t", "SELECT", "t" },
	{ "# a comment\nREPLACE INTO `d`.`t` VALUES (1)", "REPLACE", "d.t" },
	{ "/*!40000 ALTER TABLE `t` DISABLE KEYS */", "ALTER", "t" },
	{ "/* not !this */ INSERT IGNORE INTO t SET a = 1", "INSERT", "t" },
	{ "LOAD DATA LOCAL INFILE 'x' INTO TABLE t", "LOAD", "t" },
	{ "DESCRIBE t", "DESCRIBE", "t" },
};

static void check(enum sql_dialect dialect, const struct sample *sample, size_t piece)
{
	size_t length = strlen(sample->text);
	struct sql_reader reader;

	memset(&reader, 0xa5, sizeof(reader));
	sql_reader_init(&reader, dialect);
	for (size_t at = 0; at < length; at += piece)
		(void)sql_reader_take(&reader, (const uint8_t *)sample->text + at,
				      length - at < piece ? length - at : piece);
	sql_reader_end(&reader);
	if (sample->operation)
		assert_string_equal(sql_reader_operation(&reader), sample->operation);
	else
		assert_null(sql_reader_operation(&reader));
	if (strcmp(sql_reader_table(&reader), sample->table))
		print_error("in: %s\n", sample->text);
	assert_string_equal(sql_reader_table(&reader), sample->table);
}

static void check_all(enum sql_dialect dialect, const struct sample *samples, size_t count)
{
	for (size_t i = 0; i < count; i++)
		for (size_t piece = 1; piece < 100; piece++)
			check(dialect, &samples[i], piece);
}

static void reads_what_both_have(void **state)
{
	(void)state;
	check_all(SQL_POSTGRESQL, both, sizeof(both) / sizeof(both[0]));
	check_all(SQL_MYSQL, both, sizeof(both) / sizeof(both[0]));
}

static void reads_postgresql(void **state)
{
	(void)state;
	check_all(SQL_POSTGRESQL, postgresql, sizeof(postgresql) / sizeof(postgresql[0]));
}

static void reads_mysql(void **state)
{
	(void)state;
	check_all(SQL_MYSQL, mysql, sizeof(mysql) / sizeof(mysql[0]));
}

/* Once both are known, the rest is not looked at. */
static void stops_early(void **state)
{
	static const char text[] = "UPDATE t SET a = ";
	struct sql_reader reader;

	(void)state;
	sql_reader_init(&reader, SQL_POSTGRESQL);
	assert_true(sql_reader_take(&reader, (const uint8_t *)text, 8));
	assert_false(sql_reader_take(&reader, (const uint8_t *)text + 8, sizeof(text) - 9));
	assert_string_equal(sql_reader_table(&reader), "t");
}

static void cuts_long_names(void **state)
{
	struct sql_reader reader;
	char text[1000];

	(void)state;
	memset(text, 'x', sizeof(text));
	memcpy(text, "TABLE ", 6);
	text[300] = text[600] = '.';
	sql_reader_init(&reader, SQL_POSTGRESQL);
	(void)sql_reader_take(&reader, (const uint8_t *)text, sizeof(text));
	sql_reader_end(&reader);
	assert_int_equal(strlen(sql_reader_table(&reader)), SQL_TABLE_MAX - 1);
}

static void finds_every_command(void **state)
{
	static const char *const names[] = { "abort", "ANALYZE",  "Begin",   "CHECK", "CHECKPOINT",
					     "DESC",  "DESCRIBE", "REPLACE", "RESET", "RESIGNAL",
					     "SET",   "Select",	  "WITH",    "XA" };

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_non_null(sql_command_find(names[i], strlen(names[i])));
	assert_null(sql_command_find("SEL", 3));
	assert_null(sql_command_find("SELECT\0", 7));
	assert_string_equal(sql_operation_find("INSERT 0 1", 10), "INSERT");
	assert_null(sql_operation_find("", 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_what_both_have), cmocka_unit_test(reads_postgresql),
		cmocka_unit_test(reads_mysql),		cmocka_unit_test(stops_early),
		cmocka_unit_test(cuts_long_names),	cmocka_unit_test(finds_every_command),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
