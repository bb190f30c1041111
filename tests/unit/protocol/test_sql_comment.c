/* SPDX-License-Identifier: Apache-2.0 */
/* The trace that a comment names, whole and byte by byte, in both dialects. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "protocol/sql_mask.h"

#define TRACEPARENT "traceparent='00-000000000000000000000000000000a1-00000000000000b2-01'"
#define SELECT "SELECT a FROM t WHERE b = 5"

static struct trace_context context;
static struct trace_texts texts;

/* Returns the fingerprint. */
static uint64_t take(enum sql_dialect dialect, const char *statement, size_t piece)
{
	size_t length = strlen(statement);
	struct sql_mask mask;
	uint64_t fingerprint;

	memset(&mask, 0xa5, sizeof(mask));
	memset(&context, 0, sizeof(context));
	sql_mask_init(&mask, dialect, false);
	for (size_t at = 0; at < length; at += piece)
		sql_mask_take(&mask, (const uint8_t *)statement + at,
			      length - at < piece ? length - at : piece);
	fingerprint = sql_mask_end(&mask, false);
	sql_comment_tell(&mask.comment, &context, &texts);
	return fingerprint;
}

static void comments_name_traces(void **state)
{
	static const struct {
		const char *statement;
		const char *tracestate;
		bool is_named;
	} rows[] = {
		{ SELECT, NULL, false },
		{ SELECT " /*" TRACEPARENT "*/", NULL, true },
		{ SELECT "/*" TRACEPARENT "*/;", NULL, true },
		{ "/*" TRACEPARENT "*/ " SELECT, NULL, true },
		{ "/* hint */ " SELECT " /*" TRACEPARENT "*/ /* more */", NULL, true },
		{ SELECT " /*action='%2Fparam*d',controller='it\\'s, x'," TRACEPARENT
			 ",tracestate='congo%3Dt61rcWkgMzE%2Cot%3dth%3A8'*/",
		  "congo=t61rcWkgMzE,ot=th:8", true },
		{ SELECT " /*traceparent=00-1*/", NULL, false },
		{ SELECT " /*traceparent='00-1'*/", NULL, false },
		{ SELECT " /*" TRACEPARENT, NULL, false }, /* not closed */
		{ SELECT " -- " TRACEPARENT, NULL, false },
		{ "SELECT '/*" TRACEPARENT "*/'", NULL, false }, /* a literal, in both */
		{ SELECT
		  " /*traceparent='00-000000000000000000000000000000a1-00000000000000b2-01*/",
		  NULL, false },
		{ SELECT " /*x='\\*/", NULL, false },
		{ SELECT " /*traceparent=*/", NULL, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (unsigned way = 0; way < 4; way++) {
			(void)take(way & 1 ? SQL_MYSQL : SQL_POSTGRESQL, rows[i].statement,
				   way & 2 ? 1 : 1000);
			assert_int_equal(trace_context_is_whole(&context), rows[i].is_named);
			assert_int_equal(context.tracestate_bytes,
					 rows[i].tracestate ? strlen(rows[i].tracestate) : 0);
			if (rows[i].tracestate)
				assert_string_equal(texts.tracestate, rows[i].tracestate);
			if (!rows[i].is_named)
				continue;
			assert_int_equal(context.trace_id[15], 0xa1);
			assert_int_equal(context.span_id[7], 0xb2);
			assert_int_equal(context.flags, TRACE_FLAG_SAMPLED);
		}
	}
}

static void statements_are_the_same_in_every_trace(void **state)
{
	uint64_t fingerprint = take(SQL_POSTGRESQL, SELECT, 1000);

	(void)state;
	assert_int_equal(take(SQL_POSTGRESQL, SELECT " /*" TRACEPARENT "*/", 1000), fingerprint);
	assert_int_equal(take(SQL_POSTGRESQL, "/*route='/x'*/" SELECT, 1000), fingerprint);
}

static void a_long_comment_is_read_as_far_as_it_goes(void **state)
{
	char statement[2 * SQL_COMMENT_MAX] = SELECT " /*route='";

	(void)state;
	memset(statement + strlen(statement), 'x', SQL_COMMENT_MAX - 60);
	strcat(statement, "'," TRACEPARENT "*/");
	(void)take(SQL_POSTGRESQL, statement, 1000);
	assert_false(trace_context_is_whole(&context));
	assert_int_equal(context.ignored, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(comments_name_traces),
		cmocka_unit_test(statements_are_the_same_in_every_trace),
		cmocka_unit_test(a_long_comment_is_read_as_far_as_it_goes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
