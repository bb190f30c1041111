/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "protocol/trace_probability.h"

static void members_are_read(void **state)
{
	static const struct {
		const char *tracestate;
		struct trace_probability want;
	} rows[] = {
		{ NULL, { 0 } },
		{ "", { 0 } },
		{ "vendor=1,other@ot=th:8", { 0 } },
		{ "ot=th:0", { .has_threshold = true } },
		{ "ot=th:8", { .threshold = 0x80000000000000, .has_threshold = true } },
		{ "a=b,ot=th:fd70a4,c=d",
		  { .threshold = 0xfd70a400000000, .has_threshold = true } },
		{ "ot=rv:00000000000001;th:c;zz:1",
		  { 0xc0000000000000, 1, .has_threshold = true, .has_randomness = true } },
		{ "ot=th:;rv:1", { 0 } },
		{ "ot=th:123456789abcdef", { 0 } }, /* 15 digits */
		{ "ot=th:C;rv:0000000000000G", { 0 } },
		{ "ot=", { 0 } },
		{ "ot", { 0 } },
		{ "ot=;;th:1;", { .threshold = 0x10000000000000, .has_threshold = true } },
	};
	struct trace_probability got;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		trace_probability_read(rows[i].tracestate, &got);
		assert_int_equal(got.has_threshold, rows[i].want.has_threshold);
		assert_int_equal(got.has_randomness, rows[i].want.has_randomness);
		if (got.has_threshold)
			assert_int_equal(got.threshold, rows[i].want.threshold);
		if (got.has_randomness)
			assert_int_equal(got.randomness, rows[i].want.randomness);
	}
}

static void members_are_written(void **state)
{
	static const struct {
		const char *tracestate;
		struct trace_probability probability;
		const char *want;
	} rows[] = {
		{ NULL, { 0 }, "" },
		{ NULL, { .has_threshold = true }, "ot=th:0" },
		{ "a=b,ot=th:8;x:1,c=d", { 0 }, "ot=x:1,a=b,c=d" },
		{ "a=b,ot=th:8", { 0 }, "a=b" },
		{ "a=b",
		  { .threshold = 0xfd70a400000000, .has_threshold = true },
		  "ot=th:fd70a4,a=b" },
		{ "ot=th:1;rv:00000000000001;q:w",
		  { 0x80000000000000, 0x0f000000000000, .has_threshold = true,
		    .has_randomness = true },
		  "ot=th:8;rv:0f000000000000;q:w" },
		{ NULL, { .threshold = 1, .has_threshold = true }, "ot=th:00000000000001" },
		{ "ot=rv:00000000000001",
		  { .randomness = 1, .has_randomness = true },
		  "ot=rv:00000000000001" },
	};
	char text[TRACESTATE_MAX + 1];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(trace_probability_write(rows[i].tracestate, &rows[i].probability,
							 text),
				 strlen(rows[i].want));
		assert_string_equal(text, rows[i].want);
	}
}

/* Whole members, from the front. */
static void a_full_list_loses_its_end(void **state)
{
	char full[TRACESTATE_MAX + 1], text[TRACESTATE_MAX + 1];
	const struct trace_probability kept = { .has_threshold = true };

	(void)state;
	memset(full, 'v', TRACESTATE_MAX);
	full[1] = '=';
	memcpy(full + TRACESTATE_MAX - 20, ",last=00000000000000", 21);
	assert_int_equal(trace_probability_write(full, &kept, text), TRACESTATE_MAX - 20 + 8);
	assert_memory_equal(text, "ot=th:0,v=vvv", 13);
	assert_null(strstr(text, "last"));
	memset(full, 'k', TRACESTATE_MAX);
	memcpy(full, "ot=", 3);
	full[TRACESTATE_MAX] = '\0';
	assert_int_equal(trace_probability_write(full, &kept, text), 7);
}

static void randomness_is_the_end_of_the_id(void **state)
{
	static const uint8_t id[TRACE_ID_BYTES] = { 1, 2,    3,	   4, 5, 6, 7, 8,
						    9, 0xa1, 0xb2, 0, 0, 0, 0, 0xc3 };

	(void)state;
	assert_int_equal(trace_randomness(id), 0xa1b200000000c3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(members_are_read),
		cmocka_unit_test(members_are_written),
		cmocka_unit_test(a_full_list_loses_its_end),
		cmocka_unit_test(randomness_is_the_end_of_the_id),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
