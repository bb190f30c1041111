/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"

uint64_t clock_ns(clockid_t id)
{
	struct timespec now;

	(void)clock_gettime(id, &now); /* fails only for a clock that is not there */
	return (uint64_t)now.tv_sec * NS_PER_SECOND + (uint64_t)now.tv_nsec;
}
