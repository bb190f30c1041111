/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "aggregate/labels.h"

static void assert_packed(const char *value, const char *expected)
{
	char packed[LABELS_PACKED_MAX];
	size_t bytes = labels_pack(&value, 1, packed);

	assert_int_equal(bytes, strlen(expected) + 1);
	assert_string_equal(packed, expected);
}

static void values_follow_each_other(void **state)
{
	const char *values[] = { "shop", NULL, "", "200" };
	char packed[LABELS_PACKED_MAX];
	const char *value = packed;

	(void)state;
	assert_int_equal(labels_pack(values, 4, packed), 11);
	assert_memory_equal(packed,
			    "shop\0\0\0"
			    "200",
			    11);
	for (int i = 0; i < 3; i++)
		value = labels_next(value);
	assert_string_equal(value, "200");
	assert_int_equal(labels_pack(values, 0, packed), 0);
}

static void long_values_are_cut(void **state)
{
	char value[LABEL_VALUE_MAX + 10], packed[LABELS_PACKED_MAX];
	const char *values[METRIC_LABELS_MAX];

	(void)state;
	memset(value, 'x', sizeof(value) - 1);
	value[sizeof(value) - 1] = '\0';
	for (size_t i = 0; i < METRIC_LABELS_MAX; i++)
		values[i] = value;
	assert_int_equal(labels_pack(values, METRIC_LABELS_MAX, packed), LABELS_PACKED_MAX);
	assert_int_equal(strlen(packed), LABEL_VALUE_MAX);
	/* cut inside a character */
	memcpy(value + LABEL_VALUE_MAX - 1, "\xc3\xa9", 2);
	assert_int_equal(labels_pack(values, 1, packed), LABEL_VALUE_MAX + 1);
	assert_int_equal(packed[LABEL_VALUE_MAX - 1], '?');
}

static void bad_utf8_is_replaced(void **state)
{
	(void)state;
	assert_packed("gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f");
	assert_packed("\xe2\x82\xac\xf0\x9f\x90\xa7", "\xe2\x82\xac\xf0\x9f\x90\xa7");
	assert_packed("\xff\x80z", "??z");
	assert_packed("\xc0\xaf", "??");	   /* overlong */
	assert_packed("\xe0\x9f\xbf", "???");	   /* overlong */
	assert_packed("\xed\xa0\x80", "???");	   /* surrogate */
	assert_packed("\xf4\x90\x80\x80", "????"); /* above U+10FFFF */
	assert_packed("a\xe2\x82", "a??");	   /* cut */
	assert_packed("\xe2\x82q", "??q");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_follow_each_other),
		cmocka_unit_test(long_values_are_cut),
		cmocka_unit_test(bad_utf8_is_replaced),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
