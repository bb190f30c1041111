/* SPDX-License-Identifier: Apache-2.0 */
#include "sample/span_rate.h"

#include "base/clock.h"
#include "protocol/trace_probability.h"

/* Left free, as not every second is like the one before. */
#define MARGIN 0.9
/* However many there are, one in so many is kept: something is to be seen of them. */
#define LEAST (1.0 / 65536)
/* Of a threshold, that need not be told. */
#define SPARE_BITS 32

void span_rate_init(struct span_rate *rate, uint32_t per_second)
{
	*rate = (struct span_rate){ .per_second = per_second,
				    .share = 1,
				    .tokens = (uint64_t)per_second * NS_PER_SECOND };
}

/* It must not depend on the randomness of the spans seen ("General requirements" of TraceState: Probability Sampling): of those that
 * are kept by chance, their number is expected, not counted. */
static void begin_second(struct span_rate *rate, uint64_t elapsed_ns)
{
	double room = MARGIN * rate->per_second - (double)rate->certain, ratio = 1;

	if (elapsed_ns < 2 * NS_PER_SECOND && rate->expected > 0)
		ratio = room / rate->expected;
	rate->share = ratio < LEAST ? LEAST : ratio < 1 ? ratio : 1;
	rate->expected = 0;
	rate->certain = 0;
	rate->second_ns = rate->now_ns;
}

static void pass_time(struct span_rate *rate, uint64_t now_ns)
{
	uint64_t most = (uint64_t)rate->per_second * NS_PER_SECOND, passed;

	if (now_ns <= rate->now_ns)
		return;
	passed = now_ns - rate->now_ns;
	rate->now_ns = now_ns;
	if (passed > NS_PER_SECOND)
		passed = NS_PER_SECOND;
	rate->tokens += passed * rate->per_second;
	if (rate->tokens > most)
		rate->tokens = most;
	if (now_ns - rate->second_ns >= NS_PER_SECOND)
		begin_second(rate, now_ns - rate->second_ns);
}

void span_rate_observe(struct span_rate *rate, uint64_t now_ns, uint64_t threshold, bool is_certain)
{
	pass_time(rate, now_ns);
	if (is_certain)
		rate->certain++;
	else
		rate->expected += 1 - (double)threshold / (double)TRACE_THRESHOLD_NEVER;
}

uint64_t span_rate_threshold(const struct span_rate *rate, uint64_t threshold)
{
	double kept = rate->share * (double)(TRACE_THRESHOLD_NEVER - threshold);
	uint64_t thinned = TRACE_THRESHOLD_NEVER - (uint64_t)kept;

	thinned &= ~(1ull << SPARE_BITS) + 1;
	return rate->share < 1 && thinned > threshold ? thinned : threshold;
}

bool span_rate_take(struct span_rate *rate)
{
	if (rate->tokens < NS_PER_SECOND)
		return false;
	rate->tokens -= NS_PER_SECOND;
	return true;
}
