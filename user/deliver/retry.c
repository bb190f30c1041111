/* SPDX-License-Identifier: Apache-2.0 */
#include "deliver/retry.h"

#include <stddef.h>

/* Source: OTLP specification 1.x, "OTLP/HTTP Response", "Retryable Response Codes". */
enum retry_verdict retry_judge(long status)
{
	static const long retryable[] = { 0, 429, 502, 503, 504 };

	if (status >= 200 && status <= 299)
		return RETRY_DELIVERED;
	for (size_t i = 0; i < sizeof(retryable) / sizeof(retryable[0]); i++)
		if (status == retryable[i])
			return RETRY_AGAIN;
	return RETRY_REFUSED;
}

uint32_t retry_wait_ms(unsigned tries, uint64_t after_s, uint32_t random)
{
	uint32_t most = RETRY_FIRST_MS;

	if (after_s)
		return after_s > RETRY_AFTER_MAX_MS / 1000 ? RETRY_AFTER_MAX_MS :
							     (uint32_t)after_s * 1000;
	for (unsigned i = 1; i < tries && most < RETRY_MAX_MS; i++)
		most *= 2;
	return most / 2 + (uint32_t)((uint64_t)random * (most - most / 2) >> 32);
}
