/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/wall_clock.h"

/* Conversion keeps order and distance; the clocks themselves are end-to-end tests' business. */
static void one_offset_for_all(void **state)
{
	struct wall_clock clock = { 1700000000000000000u };

	(void)state;
	assert_int_equal(wall_clock_ns(&clock, 0), 1700000000000000000u);
	assert_int_equal(wall_clock_ns(&clock, 5) - wall_clock_ns(&clock, 3), 2);
}

/* A wall clock before that of the machine's start, as one without a battery may be. */
static void offsets_may_be_negative(void **state)
{
	struct wall_clock clock = { (uint64_t)-100 };

	(void)state;
	assert_int_equal(wall_clock_ns(&clock, 150), 50);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_offset_for_all),
		cmocka_unit_test(offsets_may_be_negative),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
