/* SPDX-License-Identifier: Apache-2.0 */
/* The system's clocks in nanoseconds. */
#ifndef SONDE_BASE_CLOCK_H
#define SONDE_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

#define NS_PER_MS 1000000ull
#define NS_PER_SECOND 1000000000ull

/* A clock of clock_gettime(2) that every Linux has, now. Any thread. */
uint64_t clock_ns(clockid_t id);

/* CLOCK_MONOTONIC: the clock of all events. */
static inline uint64_t monotonic_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

/* The kernel's jiffy, microseconds. */
uint32_t clock_tick_us(void);

#endif
