/* SPDX-License-Identifier: Apache-2.0 */
/* Outcome first, then who called, then chance. Each of these is decided by what the span is and by what came before it, never by its
 * randomness: those kept for their outcome were sure to be, and count for themselves (th:0).
 * Source: OpenTelemetry specification, TraceState: Probability Sampling, "General requirements" */
#include "sample/sampler.h"

#include <stdlib.h>

#include "protocol/trace_probability.h"
#include "sample/span_rate.h"

struct sampler {
	const struct sampling_rules *rules; /* borrowed */
	struct route_memory *routes;	    /* owned; NULL: no rule asks */
	struct span_rate rate;
	uint64_t kept[SAMPLING_REASON_COUNT];
	uint64_t unkept[SAMPLING_REASON_COUNT];
	char tracestate[TRACESTATE_MAX + 1];
};

/* How a span is judged. */
struct judgement {
	enum sampling_reason reason;
	uint64_t threshold;
	bool is_threshold_known;
	bool is_certain; /* for its outcome */
};

static const char *const reason_names[] = {
#define X(NAME, label, meaning) [SAMPLING_##NAME] = label,
	SAMPLING_REASONS(X)
#undef X
};

const char *sampling_reason_name(enum sampling_reason reason)
{
	return reason_names[reason];
}

struct sampler *sampler_new(const struct sampling_rules *rules)
{
	struct sampler *sampler = calloc(1, sizeof(*sampler));

	if (!sampler)
		return NULL;
	sampler->rules = rules;
	span_rate_init(&sampler->rate, rules->spans_per_second);
	if (rules->slow_permille || rules->floor_count) {
		sampler->routes = route_memory_new(rules);
		if (!sampler->routes)
			sampler_free(&sampler);
	}
	return sampler;
}

void sampler_free(struct sampler **sampler)
{
	if (*sampler)
		route_memory_free(&(*sampler)->routes);
	free(*sampler);
	*sampler = NULL;
}

static bool judge_by_outcome(struct sampler *sampler, const struct request *request,
			     enum sampling_reason *ret_reason)
{
	struct route_verdict route = { 0 };

	if (sampler->routes)
		route = route_memory_observe(sampler->routes, request);
	if (sampler->rules->keeps_errors && request->attributes[ATTRIBUTE_ERROR_TYPE])
		*ret_reason = SAMPLING_ERROR;
	else if (route.is_slow)
		*ret_reason = SAMPLING_SLOW;
	else if (route.is_below_floor)
		*ret_reason = SAMPLING_FLOOR;
	else
		return false;
	return true;
}

/* A caller's threshold holds for us too, unless it cannot be true ("Parent-based threshold"). */
static struct judgement judge_by_parent(const struct request *request, uint64_t randomness)
{
	const struct trace_probability *upstream = request->upstream;
	struct judgement judgement = { .reason = SAMPLING_PARENT };

	if (!(request->span->flags & TRACE_FLAG_SAMPLED)) {
		judgement.threshold = TRACE_THRESHOLD_NEVER;
	} else if (upstream->has_threshold && randomness >= upstream->threshold) {
		judgement.is_threshold_known = true;
		judgement.threshold = upstream->threshold;
	}
	return judgement;
}

static struct judgement judge(struct sampler *sampler, const struct request *request,
			      uint64_t randomness)
{
	struct judgement judgement = { .reason = SAMPLING_RATIO,
				       .threshold = sampler->rules->threshold,
				       .is_threshold_known = true };

	judgement.is_certain = judge_by_outcome(sampler, request, &judgement.reason);
	if (judgement.is_certain)
		judgement.threshold = 0;
	else if (sampler->rules->is_parent_based && request->upstream)
		return judge_by_parent(request, randomness);
	return judgement;
}

/* Returns whether there is room for it. */
static bool fit_rate(struct sampler *sampler, const struct request *request, uint64_t randomness,
		     struct judgement *judgement)
{
	struct span_rate *rate = &sampler->rate;
	bool is_wanted = randomness >= judgement->threshold;

	if (!rate->per_second)
		return is_wanted;
	span_rate_observe(rate, request->end_ns, judgement->threshold, judgement->is_certain);
	if (!is_wanted)
		return false;
	if (!judgement->is_certain)
		judgement->threshold = span_rate_threshold(rate, judgement->threshold);
	if (randomness >= judgement->threshold && span_rate_take(rate))
		return true;
	judgement->reason = SAMPLING_RATE;
	return false;
}

/* Who asked for no sampling is not told what spans count for; but what a caller's tracer said of its own is not true of ours. */
static const char *tell_probability(struct sampler *sampler, const struct request *request,
				    const struct judgement *judgement)
{
	const struct trace_probability *upstream = request->upstream;
	struct trace_probability probability = { .threshold = judgement->threshold,
						 .has_threshold = judgement->is_threshold_known };

	if (!sampler->rules->is_set && !(upstream && upstream->has_threshold))
		return request->tracestate;
	if (upstream && upstream->has_randomness) {
		probability.has_randomness = true;
		probability.randomness = upstream->randomness;
	}
	if (!trace_probability_write(request->tracestate, &probability, sampler->tracestate))
		return NULL;
	return sampler->tracestate;
}

void sampler_decide(struct sampler *sampler, const struct request *request,
		    struct span_identity *ret_span, const char **ret_tracestate)
{
	const struct trace_probability *upstream = request->upstream;
	uint64_t randomness = upstream && upstream->has_randomness ?
				      upstream->randomness :
				      trace_randomness(request->span->trace_id);
	struct judgement judgement = judge(sampler, request, randomness);

	*ret_span = *request->span;
	*ret_tracestate = NULL;
	ret_span->is_sampled = fit_rate(sampler, request, randomness, &judgement);
	if (!ret_span->is_sampled) {
		sampler->unkept[judgement.reason]++;
		return;
	}
	ret_span->flags |= TRACE_FLAG_SAMPLED;
	sampler->kept[judgement.reason]++;
	*ret_tracestate = tell_probability(sampler, request, &judgement);
}

void sampler_read(const struct sampler *sampler, struct sampler_figures *ret_figures)
{
	for (unsigned i = 0; i < SAMPLING_REASON_COUNT; i++) {
		ret_figures->kept[i] = sampler->kept[i];
		ret_figures->unkept[i] = sampler->unkept[i];
	}
	route_memory_read(sampler->routes, &ret_figures->routes);
}
