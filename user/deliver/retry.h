/* SPDX-License-Identifier: Apache-2.0 */
/* What an answer to a batch means, and how long to wait before the next try. Pure. */
#ifndef SONDE_DELIVER_RETRY_H
#define SONDE_DELIVER_RETRY_H

#include <stdint.h>

enum retry_verdict {
	RETRY_DELIVERED,
	RETRY_AGAIN,
	RETRY_REFUSED, /* sending it again would bring the same answer */
};

/* status  of HTTP; 0: no answer came */
enum retry_verdict retry_judge(long status);

/* Milliseconds until the next try: what the server asked for, at most RETRY_AFTER_MAX_MS, else from half to all of a time that
 * doubles with every try, up to RETRY_MAX_MS.
 *
 * tries      that failed, from 1
 * after_s    of Retry-After; 0: the server did not ask
 * random     spreads those that failed together */
#define RETRY_FIRST_MS 1000u
#define RETRY_MAX_MS 32000u
#define RETRY_AFTER_MAX_MS 300000u
uint32_t retry_wait_ms(unsigned tries, uint64_t after_s, uint32_t random);

#endif
