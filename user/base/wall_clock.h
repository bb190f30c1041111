/* SPDX-License-Identifier: Apache-2.0 */
/* CLOCK_MONOTONIC as time since 1970. */
#ifndef SONDE_BASE_WALL_CLOCK_H
#define SONDE_BASE_WALL_CLOCK_H

#include <stdint.h>

/* One offset for as long as the program runs: what came first stays first, also when the wall clock is stepped. Slewing moves
 * both clocks alike (clock_gettime(2)), so only steps, and time that the machine was suspended, make them differ. */
struct wall_clock {
	uint64_t offset_ns;
};

struct wall_clock wall_clock_anchor(void);

static inline uint64_t wall_clock_ns(const struct wall_clock *clock, uint64_t monotonic_ns)
{
	return monotonic_ns + clock->offset_ns;
}

#endif
