/* SPDX-License-Identifier: Apache-2.0 */
/* Bars of the slowest requests. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/slow_view.h"

static char *text;

static void print(const char *json)
{
	json_t *rows = json_loads(json, 0, NULL);
	size_t length;
	FILE *file;

	assert_non_null(rows);
	free(text);
	file = open_memstream(&text, &length);
	assert_int_equal(slow_view_print(file, rows, 0), 0);
	fclose(file);
	json_decref(rows);
}

static int end(void **state)
{
	(void)state;
	free(text);
	text = NULL;
	return 0;
}

static void parts_are_drawn_in_the_order_of_time(void **state)
{
	(void)state;
	print("[{\"service\": \"shop\", \"request\": \"GET /\", \"took_seconds\": 0.03, \"age_seconds\": 2.0, "
	      "\"cause\": \"accept_queue\", \"share\": 0.599, \"trace_id\": \"\", "
	      "\"parts\": {\"on_cpu\": 0.004, \"run_queue\": 0.005, \"receive_queue\": 0.003, \"accept_queue\": 0.018}}]");
	assert_non_null(strstr(text, "qqqaaaaaaaaaaaaaaaaaa####rrrrr"));
	assert_non_null(strstr(text, "accept_queue 59 %"));
	assert_non_null(strstr(text, "# on_cpu, r run_queue"));
}

static void one_without_a_cause_has_none(void **state)
{
	(void)state;
	print("[{\"service\": \"shop\", \"request\": \"GET /\", \"took_seconds\": 0.03, \"age_seconds\": 2.0, "
	      "\"cause\": null, \"share\": 0.0, \"trace_id\": \"\", \"parts\": {\"blocked\": 0.015}}]");
	assert_non_null(strstr(text, "bbbbbbbbbbbbbbb "));
	assert_null(strstr(text, "bbbbbbbbbbbbbbbb"));
	assert_null(strstr(text, " %"));
}

static void nothing_slow_is_no_legend(void **state)
{
	(void)state;
	print("[]");
	assert_null(strstr(text, "run_queue"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(parts_are_drawn_in_the_order_of_time, end),
		cmocka_unit_test_teardown(one_without_a_cause_has_none, end),
		cmocka_unit_test_teardown(nothing_slow_is_no_legend, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
