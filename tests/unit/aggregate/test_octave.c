/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>

#include "aggregate/octave.h"

static const struct {
	const struct octave *octave;
	uint64_t unit;
} octaves[] = { { &octave_of_ones, 1 }, { &octave_of_billions, 1000000000 } };

#define OCTAVES (sizeof(octaves) / sizeof(octaves[0]))

/* A long double has the 64 bits of a bound. */
static void bounds_are_powers(void **state)
{
	(void)state;
	if (sizeof(long double) < 10)
		skip();
	for (size_t i = 0; i < OCTAVES; i++) {
		long double unit = (long double)octaves[i].unit;

		for (int bucket = 0; bucket < OCTAVE_BUCKETS; bucket++) {
			uint64_t bound = octaves[i].octave->bounds[bucket];
			long double exponent = 16 * log2l((long double)bound / unit);

			assert_true(fabsl(exponent - roundl(exponent)) < 1e-15L);
			assert_true(bucket == 0 || bound > octaves[i].octave->bounds[bucket - 1]);
			assert_true(bound >> 63);
		}
		assert_true(octaves[i].octave->bounds[OCTAVE_BUCKETS] == UINT64_MAX);
	}
}

static void segments_begin_where_they_say(void **state)
{
	(void)state;
	for (size_t i = 0; i < OCTAVES; i++) {
		const struct octave *octave = octaves[i].octave;

		for (uint64_t segment = 0; segment < OCTAVE_SEGMENTS; segment++) {
			uint64_t begin = (OCTAVE_SEGMENTS + segment) << 59;
			unsigned below = 0;

			while (octave->bounds[below] < begin)
				below++;
			assert_int_equal(octave->first[segment], below);
		}
	}
}

/* Of each octave: the last whole number below each bound, or on it, and the first above. */
static void bounds_are_inclusive(void **state)
{
	(void)state;
	for (size_t i = 0; i < OCTAVES; i++) {
		const struct octave *octave = octaves[i].octave;

		for (int shift = 0; shift < 63; shift++) {
			for (int bucket = 0; bucket < OCTAVE_BUCKETS; bucket++) {
				uint64_t below = octave->bounds[bucket] >> shift;
				int32_t index =
					(63 - shift) * OCTAVE_BUCKETS + bucket - octave->unit_index;

				assert_true(octave_index(octave, below) <= index);
				assert_true(octave_index(octave, below + 1) > index);
				if (shift < 54) /* else a bucket is less than one wide */
					assert_int_equal(octave_index(octave, below), index);
			}
		}
	}
}

static void knows_the_ends(void **state)
{
	(void)state;
	assert_int_equal(octave_index(&octave_of_ones, 1), -1);
	assert_int_equal(octave_index(&octave_of_ones, 2), 15);
	assert_int_equal(octave_index(&octave_of_ones, UINT64_MAX), 64 * 16 - 1);
	assert_int_equal(octave_index(&octave_of_billions, 1), -479);
	assert_int_equal(octave_index(&octave_of_billions, 1000000000), -1);
	assert_int_equal(octave_index(&octave_of_billions, 1000000001), 0);
}

static void agrees_with_the_logarithm(void **state)
{
	(void)state;
	for (size_t i = 0; i < OCTAVES; i++) {
		uint64_t value = 1;

		for (; value < UINT64_MAX / 100 * 99; value += value / 97 + 1) {
			double exact = log2((double)value / (double)octaves[i].unit) * 16;

			if (fabs(exact - round(exact)) < 1e-9)
				continue; /* on a bound, as far as log2 can tell */
			assert_int_equal(octave_index(octaves[i].octave, value),
					 (int32_t)ceil(exact) - 1);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bounds_are_powers),
		cmocka_unit_test(segments_begin_where_they_say),
		cmocka_unit_test(bounds_are_inclusive),
		cmocka_unit_test(knows_the_ends),
		cmocka_unit_test(agrees_with_the_logarithm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
