/* SPDX-License-Identifier: Apache-2.0 */
/* Which exponential bucket a whole number is in, by whole numbers alone: neither a division nor a rounded value
 * stands between a value and its bucket. */
#ifndef SONDE_AGGREGATE_OCTAVE_H
#define SONDE_AGGREGATE_OCTAVE_H

#include <stdint.h>

/* Buckets between a value and its double: 2^(1/16) between bounds. */
#define OCTAVE_BUCKETS 16
#define OCTAVE_SEGMENTS 16

/* Values are shifted left until the top bit is set: then all octaves look the same. */
struct octave {
	uint64_t bounds[OCTAVE_BUCKETS + 1]; /* inclusive upper bounds, rising; the last is none */
	uint8_t first[OCTAVE_SEGMENTS]; /* bounds below a segment, that is its four top bits after the first */
	int32_t unit_index;		/* buckets below the one that begins at the exported unit */
};

extern const struct octave octave_of_ones;
extern const struct octave octave_of_billions; /* nanoseconds, exported as seconds */

/* Bucket i holds values in (2^(i/16), 2^((i+1)/16)] of the exported unit. value: not 0 */
static inline int32_t octave_index(const struct octave *octave, uint64_t value)
{
	int32_t zeros = __builtin_clzll(value);
	uint64_t shifted = value << zeros;
	uint32_t count = octave->first[shifted >> 59 & (OCTAVE_SEGMENTS - 1)];

	while (octave->bounds[count] < shifted)
		count++;
	return (63 - zeros) * OCTAVE_BUCKETS + (int32_t)count - octave->unit_index;
}

#endif
