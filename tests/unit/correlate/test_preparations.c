/* SPDX-License-Identifier: Apache-2.0 */
/* What is no request by itself, state that a protocol owns, and tables by service; with PostgreSQL for an example. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "script.h"

#define SAY(dir, literal) script_call(&script, dir, literal, sizeof(literal) - 1)

#define STARTUP "\0\0\0\22\0\3\0\0user\0me\0\0\0"
#define READY "Z\0\0\0\5I"
#define COMPLETE "C\0\0\0\15SELECT 1\0" READY
#define PARSE_AND_SYNC "P\0\0\0\21p\0SELECT 1\0\0\0S\0\0\0\4"

#define FAILED "server - - - - SELECT error=42601 [ok;"

static struct script script;

static void begin(const struct engine_limits *limits)
{
	assert_int_equal(script_open(&script, limits), 0);
	script_connect(&script, ROLE_SERVER, 0);
	SAY(DIR_READ, STARTUP);
	SAY(DIR_WRITE, "R\0\0\0\10\0\0\0\0" READY);
}

static void expect(const char *log)
{
	assert_string_equal(script.log, log);
}

static void end(void)
{
	script_hang_up(&script, 0);
	script_close(&script);
}

static void tells_preparations_that_fail(void **state)
{
	(void)state;
	begin(NULL);
	SAY(DIR_READ, PARSE_AND_SYNC);
	SAY(DIR_WRITE, "1\0\0\0\4" READY);
	expect("");
	SAY(DIR_READ, PARSE_AND_SYNC);
	SAY(DIR_WRITE, "E\0\0\0\15C42601\0\0\0" READY);
	expect(FAILED);
	SAY(DIR_READ, "B\0\0\0\15\0p\0\0\0\0\0\0\0E\0\0\0\11\0\0\0\0\0S\0\0\0\4");
	SAY(DIR_WRITE, "2\0\0\0\4" COMPLETE);
	expect(FAILED "server - - - - SELECT [ok;");
	end();
}

static void notes_encryption(void **state)
{
	(void)state;
	assert_int_equal(script_open(&script, NULL), 0);
	script_connect(&script, ROLE_SERVER, 0);
	SAY(DIR_READ, "\0\0\0\10\4\xd2\x16\x2f");
	SAY(DIR_WRITE, "S");
	expect("encrypted;");
	assert_int_equal(script.mode, MODE_LENGTHS);
	end();
}

static void bounds_tables(void **state)
{
	static const struct engine_limits limits = { .connections = 4,
						     .routes_per_service = 1,
						     .services = 4 };
	struct engine_stats stats;

	(void)state;
	begin(&limits);
	for (int i = 0; i < 2; i++) {
		SAY(DIR_READ, "Q\0\0\0\14TABLE a\0");
		SAY(DIR_WRITE, COMPLETE);
		SAY(DIR_READ, "Q\0\0\0\14TABLE b\0");
		SAY(DIR_WRITE, COMPLETE);
	}
	expect("server - - - - TABLE a [ok;server - - - - TABLE other [ok;"
	       "server - - - - TABLE a [ok;server - - - - TABLE other [ok;");
	engine_stats_read(script.engine, &stats);
	assert_int_equal(stats.collections_refused, 2);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tells_preparations_that_fail),
		cmocka_unit_test(notes_encryption),
		cmocka_unit_test(bounds_tables),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
