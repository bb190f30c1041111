/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/hex.h"

static void two_digits_a_byte(void **state)
{
	static const uint8_t bytes[] = { 0x00, 0x9a, 0xf5 };
	char text[2 * sizeof(bytes) + 1];

	(void)state;
	hex_write(text, bytes, sizeof(bytes));
	assert_string_equal(text, "009af5");
	hex_write(text, bytes, 0);
	assert_string_equal(text, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_digits_a_byte),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
