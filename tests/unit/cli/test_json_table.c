/* SPDX-License-Identifier: Apache-2.0 */
/* Tables as they come out, character by character. */
#include "cli/json_table.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "failing_alloc.h"

static const struct column columns[] = {
	{ .key = "service" },
	{ .key = "pid", .format = COLUMN_NUMBER },
	{ .key = "sent_bytes", .format = COLUMN_BYTES },
	{ .key = "idle", .title = "SINCE", .format = COLUMN_SECONDS },
	{ .key = "absent" },
	{ .key = "path" },
};

static void assert_table(const char *json, size_t width, const char *expected)
{
	json_t *rows = json_loads(json, 0, NULL);
	char *text = NULL;
	size_t length;
	FILE *file = open_memstream(&text, &length);

	assert_non_null(rows);
	assert_int_equal(json_table_print(file, rows, columns, sizeof(columns) / sizeof(columns[0]),
					  width),
			 0);
	fclose(file);
	assert_string_equal(text, expected);
	free(text);
	json_decref(rows);
}

static void test_alignment(void **state)
{
	(void)state;
	assert_table(
		"[{\"service\":\"a\",\"pid\":1,\"sent_bytes\":1536,\"idle\":0.0123,\"path\":\"/a\"},"
		"{\"service\":\"caf\u00e9\",\"pid\":12345,\"sent_bytes\":0,\"idle\":90,\"path\":null}]",
		0,
		"SERVICE    PID  SENT BYTES    SINCE  PATH\n"
		"a            1     1.5 KiB  12.3 ms  /a\n"
		"caf\u00e9     12345         0 B  1.5 min  -\n");
}

static void test_width(void **state)
{
	(void)state;
	assert_table("[{\"service\":\"abcdefgh\",\"pid\":7}]", 13,
		     "SERVICE   PID\nabcdefgh    7\n");
	assert_table("[{\"service\":\"abcdefgh\",\"pid\":7}]", 12, "SERVICE   P…\nabcdefgh   …\n");
	assert_table("[{\"service\":\"\u00e9\u00e9\u00e9\u00e9\"}]", 3, "SE…\n\u00e9\u00e9…\n");
}

static void test_cells(void **state)
{
	(void)state;
	assert_table(
		"[{\"service\":{\"ring_full\":3,\"x\":\"y\",\"z\":[1]},\"pid\":true},{\"service\":{},\"pid\":1.5}]",
		0, "SERVICE          PID\nring_full=3 x=y  yes\n-                1.5\n");
	assert_table("[{\"service\":\"a\\u001b[2J\\n\\u009bb\"},{\"service\":\"\"}]", 0,
		     "SERVICE\na?[2J???b\n-\n");
	assert_table("[]", 0, "SERVICE  PID  SENT BYTES  SINCE  ABSENT  PATH\n");
	assert_table("[{}]", 0, "");
}

static void assert_format(void (*format)(double, char *), double value, const char *expected)
{
	char text[16];

	format(value, text);
	assert_string_equal(text, expected);
}

static void test_units(void **state)
{
	(void)state;
	assert_format(format_bytes, 0, "0 B");
	assert_format(format_bytes, 1023, "1023 B");
	assert_format(format_bytes, 1024, "1.0 KiB");
	assert_format(format_bytes, 1048575, "1.0 MiB");
	assert_format(format_bytes, 5e9, "4.7 GiB");
	assert_format(format_bytes, 1.8e19, "15.6 EiB");
	assert_format(format_seconds, 0, "0 s");
	assert_format(format_seconds, 0.0000123, "12.3 us");
	assert_format(format_seconds, 0.25, "250 ms");
	assert_format(format_seconds, 59, "59 s");
	assert_format(format_seconds, 5400, "1.5 h");
	assert_format(format_seconds, 864000, "10.0 d");
}

static void test_list(void **state)
{
	json_t *object =
		json_pack("{s:s,s:i,s:[i]}", "listen", "127.0.0.1:9464", "limit", 5, "array", 1);
	char *text = NULL;
	size_t length;
	FILE *file = open_memstream(&text, &length);

	(void)state;
	assert_int_equal(json_list_print(file, object, 0), 0);
	fclose(file);
	assert_string_equal(text, "NAME    VALUE\nlisten  127.0.0.1:9464\nlimit   5\n");
	free(text);
	json_decref(object);
}

static void test_failing_allocations(void **state)
{
	json_t *rows = json_pack("[{s:s,s:i},{s:s}]", "service", "a", "pid", 1, "service", "b");
	FILE *file = fopen("/dev/null", "w");

	(void)state;
	assert_non_null(file);
	FOR_EACH_FAILING_ALLOC(nth)
	{
		int error = json_table_print(file, rows, columns,
					     sizeof(columns) / sizeof(columns[0]), 0);

		assert_int_equal(error, failing_alloc_has_failed() ? -ENOMEM : 0);
	}
	fclose(file);
	json_decref(rows);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_alignment), cmocka_unit_test(test_width),
		cmocka_unit_test(test_cells),	  cmocka_unit_test(test_units),
		cmocka_unit_test(test_list),	  cmocka_unit_test(test_failing_allocations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
