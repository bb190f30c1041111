/* SPDX-License-Identifier: Apache-2.0 */
#include "base/wall_clock.h"

#include <time.h>

#define NS_PER_SECOND 1000000000u
#define LOOKS 5

static uint64_t read_clock(clockid_t id)
{
	struct timespec now;

	(void)clock_gettime(id, &now); /* cannot fail for the two below */
	return (uint64_t)now.tv_sec * NS_PER_SECOND + (uint64_t)now.tv_nsec;
}

/* We may lose the processor between two looks: the closest ones count. */
struct wall_clock wall_clock_anchor(void)
{
	struct wall_clock clock = { 0 };
	uint64_t closest_ns = UINT64_MAX;

	for (int i = 0; i < LOOKS; i++) {
		uint64_t before_ns = read_clock(CLOCK_MONOTONIC);
		uint64_t realtime_ns = read_clock(CLOCK_REALTIME);
		uint64_t between_ns = read_clock(CLOCK_MONOTONIC) - before_ns;

		if (between_ns >= closest_ns)
			continue;
		closest_ns = between_ns;
		clock.offset_ns = realtime_ns - (before_ns + between_ns / 2);
	}
	return clock;
}
