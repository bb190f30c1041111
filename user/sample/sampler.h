/* SPDX-License-Identifier: Apache-2.0 */
/* Which spans of finished requests are kept, and what each of them then counts for. Pure: time is the requests'. */
#ifndef SONDE_SAMPLE_SAMPLER_H
#define SONDE_SAMPLE_SAMPLER_H

#include "correlate/observation.h"
#include "sample/route_memory.h"
#include "sample/sampling_rules.h"

/* Why a span is kept, or not. The first that applies. X(NAME, label, meaning) */
#define SAMPLING_REASONS(X)                                              \
	X(ERROR, "error", "it failed")                                   \
	X(SLOW, "slow", "it took longer than most of its route")         \
	X(FLOOR, "floor", "one of the first of its route in the minute") \
	X(PARENT, "parent", "as was decided where the trace came from")  \
	X(RATIO, "ratio", "by its trace ID")                             \
	X(RATE, "rate", "there were too many")

enum sampling_reason {
#define X(NAME, label, meaning) SAMPLING_##NAME,
	SAMPLING_REASONS(X)
#undef X
		SAMPLING_REASON_COUNT,
};

struct sampler;

/* Returns NULL when out of memory. rules: borrowed, live longer */
struct sampler *sampler_new(const struct sampling_rules *rules);
void sampler_free(struct sampler **sampler);

/* Decide on a request that is a span.
 *
 * ret_span        its identity, with the decision
 * ret_tracestate  what it is told with; NULL: none; borrowed from the request, or until the next decision */
void sampler_decide(struct sampler *sampler, const struct request *request,
		    struct span_identity *ret_span, const char **ret_tracestate);

struct sampler_figures {
	uint64_t kept[SAMPLING_REASON_COUNT];
	uint64_t unkept[SAMPLING_REASON_COUNT];
	struct route_memory_figures routes;
};
void sampler_read(const struct sampler *sampler, struct sampler_figures *ret_figures);

const char *sampling_reason_name(enum sampling_reason reason);

#endif
