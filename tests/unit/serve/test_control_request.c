/* SPDX-License-Identifier: Apache-2.0 */
/* Request lines, good and bad. */
#include "serve/control_request.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct {
	const char *line;
	int error;
	enum control_verb verb;
	const char *name;
	size_t limit;
} samples[] = {
	{ "dump conns", 0, CONTROL_DUMP, "conns", 0 },
	{ "dump conns json", 0, CONTROL_DUMP, "conns", 0 },
	{ "dump conns 10", 0, CONTROL_DUMP, "conns", 10 },
	{ "dump conns json 10\r", 0, CONTROL_DUMP, "conns", 10 },
	{ "  dump\tconns  ", 0, CONTROL_DUMP, "conns", 0 },
	{ "stream record", 0, CONTROL_STREAM, "record", 0 },
	{ "topics", 0, CONTROL_TOPICS, "", 0 },
	{ "{\"command\":\"dump\",\"topic\":\"conns\",\"limit\":7}", 0, CONTROL_DUMP, "conns", 7 },
	{ "{\"command\":\"stream\",\"stream\":\"record\"}", 0, CONTROL_STREAM, "record", 0 },
	{ "{\"command\":\"topics\"}", 0, CONTROL_TOPICS, "", 0 },
	{ "{\"command\":\"set\",\"topic\":\"selection\",\"value\":{}}", 0, CONTROL_SET, "selection",
	  0 },
	{ "{\"command\":\"set\",\"topic\":\"selection\"}", -EBADMSG, 0, "", 0 },
	{ "{\"command\":\"set\",\"value\":{}}", -EBADMSG, 0, "", 0 },
	{ "set selection", -EBADMSG, 0, "", 0 },
	{ "", -ENOTSUP, 0, "", 0 },
	{ "\r", -ENOTSUP, 0, "", 0 },
	{ "GET / HTTP/1.1", -ENOTSUP, 0, "", 0 },
	{ "dumpconns", -ENOTSUP, 0, "", 0 },
	{ "dump", -EBADMSG, 0, "", 0 },
	{ "dump a/b", -EBADMSG, 0, "", 0 },
	{ "dump conns -1", -EBADMSG, 0, "", 0 },
	{ "dump conns 1x", -EBADMSG, 0, "", 0 },
	{ "dump conns 99999999999999999999999999", -EBADMSG, 0, "", 0 },
	{ "dump aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", -EBADMSG, 0, "", 0 },
	{ "topics conns", -EBADMSG, 0, "", 0 },
	{ "{", -EBADMSG, 0, "", 0 },
	{ "{}", -EBADMSG, 0, "", 0 },
	{ "{\"command\":1}", -EBADMSG, 0, "", 0 },
	{ "{\"command\":\"dump\"}", -EBADMSG, 0, "", 0 },
	{ "{\"command\":\"dump\",\"topic\":1}", -EBADMSG, 0, "", 0 },
	{ "{\"command\":\"dump\",\"topic\":\"a\",\"limit\":-1}", -EBADMSG, 0, "", 0 },
	{ "{\"command\":\"dump\",\"topic\":\"a\",\"limit\":1e9}", -EBADMSG, 0, "", 0 },
	{ "{\"command\":\"dump\",\"topic\":\"a\"} x", -EBADMSG, 0, "", 0 },
	{ "{\"command\":\"shutdown\"}", -ENOTSUP, 0, "", 0 },
};

static void test_samples(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
		struct control_request request = { 0 };
		int error =
			control_request_parse(samples[i].line, strlen(samples[i].line), &request);

		if (error != samples[i].error)
			fail_msg("%s: %d", samples[i].line, error);
		assert_int_equal(request.verb, samples[i].verb);
		assert_string_equal(request.name, samples[i].name);
		assert_int_equal(request.limit, samples[i].limit);
		assert_int_equal(request.value != NULL, request.verb == CONTROL_SET);
		json_decref(request.value);
	}
}

static void test_truncated(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++)
		for (size_t length = 0; length < strlen(samples[i].line); length++) {
			char *exact = malloc(length + !length);
			struct control_request request;

			assert_non_null(exact);
			memcpy(exact, samples[i].line, length);
			(void)control_request_parse(exact, length, &request);
			free(exact);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_samples),
		cmocka_unit_test(test_truncated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
