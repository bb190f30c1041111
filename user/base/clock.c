/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"

uint64_t clock_ns(clockid_t id)
{
	struct timespec now;

	(void)clock_gettime(id, &now); /* fails only for a clock that is not there */
	return (uint64_t)now.tv_sec * NS_PER_SECOND + (uint64_t)now.tv_nsec;
}

/* CLOCK_MONOTONIC_COARSE moves with them. */
uint32_t clock_tick_us(void)
{
	struct timespec tick;

	(void)clock_getres(CLOCK_MONOTONIC_COARSE, &tick); /* as above */
	return (uint32_t)(tick.tv_nsec / 1000);
}
