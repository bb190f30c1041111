/* SPDX-License-Identifier: Apache-2.0 */
/* Documents as events, split at every byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "protocol/json_scan.h"

static char said[2048];

static void put(const char *text, const char *more)
{
	size_t at = strlen(said);

	(void)snprintf(said + at, sizeof(said) - at, "%s%s", text, more);
}

/* Characters are asked for of the value of "chars". In memory that ends with the piece. */
static void take(struct json_scan *scan, const char *text, size_t length)
{
	uint8_t *copy = malloc(length ? length : 1);
	const uint8_t *at = copy, *end = copy + length;
	enum json_event event;

	memcpy(copy, text, length);
	while ((event = json_scan_next(scan, &at, end)) != JSON_MORE) {
		char character[2] = { (char)scan->character, '\0' };

		if (event == JSON_BEGIN)
			put(scan->objects >> scan->depth & 1 ? "{" : "[", "");
		else if (event == JSON_END)
			put("^", "");
		else if (event == JSON_KEY)
			put(scan->text, ":");
		else if (event == JSON_STRING)
			put("'", scan->text);
		else if (event == JSON_SCALAR)
			put("=", scan->text);
		else if (event == JSON_CHAR)
			put("*", character);
		else
			put("broken", "");
		if (event == JSON_KEY)
			scan->wants_characters = strcmp(scan->text, "chars") == 0;
	}
	assert_ptr_equal(at, end);
	free(copy);
}

static void expect(const char *text, const char *expected)
{
	for (size_t split = 0; split <= strlen(text); split++) {
		struct json_scan scan = { 0 };

		said[0] = '\0';
		take(&scan, text, split);
		take(&scan, text + split, strlen(text) - split);
		assert_string_equal(said, expected);
	}
}

static void tells_what_is_there(void **state)
{
	(void)state;
	expect("{\"a\": [1, -2.5e+3 ,true,null ], \"b\":{}}", "{a:[=1=-2.5e+3=true=null^b:{^^");
	expect("\"x\"", "'x");
	expect("{\"a\":\"b\\\"\\\\\\/\\n\\t\\u0041\\u00e9\\ud83d\"}", "{a:'b\"\\/\n A??^");
	expect("{\"chars\":\"a\\\"{\",\"x\":\"y\"}", "{chars:*a*\"*{'x:'y^");
	expect("{\"chars\":[\"a\"]}", "{chars:['a^^");
	expect("[[[]]] behind", "[[[^^^");
	expect("", "");
	expect(" \n", "");
}

static void says_what_is_none(void **state)
{
	static const char *const wrong[] = { "<html>",	  "[}",		 "{]",	    "{1",
					     "{\"a\" 1}", "[1 2]",	 "]",	    "\"\n",
					     "\"\\x\"",	  "\"\\u00g0\"", "\x1f\x8b" };

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct json_scan scan = { 0 };

		said[0] = '\0';
		take(&scan, wrong[i], strlen(wrong[i]));
		assert_non_null(strstr(said, "broken"));
		assert_false(json_scan_is_over(&scan));
		said[0] = '\0';
		take(&scan, "{}", 2);
		assert_string_equal(said, "");
	}
}

static void is_bounded(void **state)
{
	char text[400] = "\"";
	struct json_scan scan = { 0 };

	(void)state;
	memset(text + 1, 'x', 300);
	text[200] = '\\';
	text[201] = '"';
	text[301] = '"';
	said[0] = '\0';
	take(&scan, text, strlen(text));
	assert_int_equal(strlen(said), 1 + JSON_TEXT_MAX);
	assert_true(scan.is_text_cut);
	assert_true(json_scan_is_over(&scan));
	memset(&scan, 0, sizeof(scan));
	memset(text, '[', JSON_DEPTH_MAX);
	said[0] = '\0';
	take(&scan, text, JSON_DEPTH_MAX);
	assert_null(strstr(said, "broken"));
	take(&scan, "[", 1);
	assert_non_null(strstr(said, "broken"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tells_what_is_there),
		cmocka_unit_test(says_what_is_none),
		cmocka_unit_test(is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
