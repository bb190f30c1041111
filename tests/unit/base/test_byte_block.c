/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/byte_block.h"

/* Every value at every place, among others on both sides of the limit. */
static void finds_what_is_not_above_the_limit(void **state)
{
	static const uint8_t limits[] = { 0, 10, 127, 128, 254 };

	(void)state;
	for (size_t i = 0; i < sizeof(limits); i++) {
		uint8_t block[BYTE_BLOCK + 1];

		for (unsigned value = 0; value < 256; value++) {
			for (unsigned place = 0; place < BYTE_BLOCK; place++) {
				memset(block, limits[i] + 1, sizeof(block));
				block[1 + place] = (uint8_t)value; /* not aligned */
				assert_int_equal(byte_block_find_small(block + 1, limits[i]),
						 value <= limits[i] ? 1u << place : 0);
			}
		}
		memset(block, limits[i], sizeof(block));
		assert_int_equal(byte_block_find_small(block, limits[i]), UINT32_MAX);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_what_is_not_above_the_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
