/* SPDX-License-Identifier: Apache-2.0 */
/* No more than so many spans a second. What the second before would have been too much for is thinned out by trace ID, so that what
 * is kept still counts for all; a token bucket is the hard limit behind it. */
#ifndef SONDE_SAMPLE_SPAN_RATE_H
#define SONDE_SAMPLE_SPAN_RATE_H

#include <stdbool.h>
#include <stdint.h>

struct span_rate {
	uint32_t per_second;
	uint64_t tokens;    /* times NS_PER_SECOND */
	uint64_t now_ns;    /* newest time that was told */
	uint64_t second_ns; /* when the second began whose spans are counted */
	uint64_t certain;   /* spans in it that are not thinned out */
	double expected;    /* and others, before they are */
	double share;	    /* of these, that are kept now */
};

void span_rate_init(struct span_rate *rate, uint32_t per_second);

/* A span is at hand.
 *
 * threshold   what it is kept by if there is no limit
 * is_certain  it is not to be thinned out */
void span_rate_observe(struct span_rate *rate, uint64_t now_ns, uint64_t threshold,
		       bool is_certain);

/* What it is kept by as there is one. Source: TraceState: Probability Sampling, "Proportional downstream sampler" */
uint64_t span_rate_threshold(const struct span_rate *rate, uint64_t threshold);

/* Of spans to be kept: false: not this one. */
bool span_rate_take(struct span_rate *rate);

#endif
