/* SPDX-License-Identifier: Apache-2.0 */
/* Methods by number, and their arguments cut at every length. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "protocol/amqp_methods.h"

#define NUMBER(class, method) ((uint32_t)(class) << 16 | (method))

static void finds_every_method(void **state)
{
	size_t found = 0;

	(void)state;
	for (uint32_t class = 0; class <= 100; class ++)
		for (uint32_t method = 0; method <= 130; method++) {
			const struct amqp_method *row = amqp_method_find(NUMBER(class, method));

			found += row != NULL;
			if (row && row->answers)
				assert_true(amqp_method_find(row->answers)->is_call);
		}
	assert_int_equal(found, 64);
}

static void reads_arguments(void **state)
{
	static const uint8_t deliver[] = "\3tag\1\2\3\4\5\6\7\10\1\2ex\5route";
	const struct amqp_method *method = amqp_method_find(NUMBER(60, 60));
	struct amqp_arguments arguments;

	(void)state;
	for (size_t length = 0; length < sizeof(deliver) - 1; length++) {
		uint8_t copy[sizeof(deliver)];

		memcpy(copy, deliver, length);
		assert_false(amqp_arguments_read(method, copy, length, &arguments));
	}
	assert_true(amqp_arguments_read(method, deliver, sizeof(deliver) - 1, &arguments));
	assert_int_equal(arguments.tag, 0x0102030405060708);
	assert_int_equal(arguments.bits, 1);
	assert_int_equal(arguments.consumer.length, 3);
	assert_memory_equal(arguments.name.bytes, "ex", 2);
	assert_memory_equal(arguments.route.bytes, "route", arguments.route.length);
	method = amqp_method_find(NUMBER(20, 40));
	assert_true(
		amqp_arguments_read(method, (const uint8_t *)"\1\224\1!\0\74\0\50", 8, &arguments));
	assert_int_equal(arguments.code, 404);
	assert_int_equal(arguments.culprit, NUMBER(60, 40));
}

static void knows_reply_codes(void **state)
{
	(void)state;
	assert_string_equal(amqp_reply_code(404), "404");
	assert_string_equal(amqp_reply_code(541), "541");
	assert_string_equal(amqp_reply_code(405), "405");
	assert_string_equal(amqp_reply_code(499), "_OTHER");
	assert_string_equal(amqp_reply_code(1404), "_OTHER");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_every_method),
		cmocka_unit_test(reads_arguments),
		cmocka_unit_test(knows_reply_codes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
