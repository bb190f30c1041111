/* SPDX-License-Identifier: Apache-2.0 */
#include "base/wall_clock.h"

#include "base/clock.h"

#define LOOKS 5

/* We may lose the processor between two looks: the closest ones count. */
struct wall_clock wall_clock_anchor(void)
{
	struct wall_clock clock = { 0 };
	uint64_t closest_ns = UINT64_MAX;

	for (int i = 0; i < LOOKS; i++) {
		uint64_t before_ns = monotonic_ns();
		uint64_t realtime_ns = clock_ns(CLOCK_REALTIME);
		uint64_t between_ns = monotonic_ns() - before_ns;

		if (between_ns >= closest_ns)
			continue;
		closest_ns = between_ns;
		clock.offset_ns = realtime_ns - (before_ns + between_ns / 2);
	}
	return clock;
}
