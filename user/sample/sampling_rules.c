/* SPDX-License-Identifier: Apache-2.0 */
#include "sample/sampling_rules.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/trace_probability.h"

/* A ratio is told to so many binary digits, so that `th` is short. Source: TraceState: Probability Sampling, "Converting
 * floating-point probability to threshold value" */
#define PRECISION_BITS 17
#define RATE_MAX 1000000
#define FLOOR_MAX 1000000

void sampling_rules_init(struct sampling_rules *rules)
{
	*rules = (struct sampling_rules){ 0 };
}

/* Digits, and what follows them. */
static bool read_count(const char *text, unsigned long most, uint32_t *ret_count,
		       const char **ret_rest)
{
	char *end;
	unsigned long count;

	if (*text < '0' || *text > '9')
		return false;
	count = strtoul(text, &end, 10);
	*ret_count = (uint32_t)count;
	*ret_rest = end;
	return count && count <= most;
}

static uint64_t threshold_of(double ratio)
{
	uint64_t kept = (uint64_t)(ratio * (double)TRACE_THRESHOLD_NEVER);
	int bits = kept ? 64 - __builtin_clzll(kept) : 0;
	int shift = bits > PRECISION_BITS ? bits - PRECISION_BITS : 0;
	uint64_t half = shift ? 1ull << (shift - 1) : 0;

	return TRACE_THRESHOLD_NEVER - ((kept + half) >> shift << shift);
}

static bool read_ratio(struct sampling_rules *rules, const char *text)
{
	char *end;
	double ratio = strtod(text, &end);

	if (end == text || *end || !(ratio >= 0 && ratio <= 1))
		return false;
	rules->threshold = threshold_of(ratio);
	rules->has_base = true;
	return true;
}

static bool add_ratio(struct sampling_rules *rules, const char *value)
{
	return value && read_ratio(rules, value);
}

static bool add_parent(struct sampling_rules *rules, const char *value)
{
	rules->is_parent_based = rules->has_base = true;
	return !value;
}

static bool add_errors(struct sampling_rules *rules, const char *value)
{
	rules->keeps_errors = true;
	return !value;
}

/* p50, p99, p99.9 */
static bool add_slow(struct sampling_rules *rules, const char *value)
{
	char *end;
	double percent;

	if (!value || *value != 'p' || value[1] < '0' || value[1] > '9')
		return false;
	percent = strtod(value + 1, &end);
	if (*end || !(percent >= 1 && percent <= 99.9))
		return false;
	rules->slow_permille = (uint16_t)(percent * 10 + 0.5);
	return true;
}

static bool add_floor(struct sampling_rules *rules, const char *value)
{
	struct sampling_floor *floor = &rules->floors[rules->floor_count];
	const char *rest;

	if (!value || rules->floor_count == SAMPLING_FLOORS_MAX ||
	    !read_count(value, FLOOR_MAX, &floor->per_minute, &rest) || (*rest && *rest != '@') ||
	    strlen(rest) > SAMPLING_GLOB_MAX)
		return false;
	strcpy(floor->glob, *rest ? rest + 1 : "*");
	rules->floor_count++;
	return floor->glob[0];
}

static bool add_rate(struct sampling_rules *rules, const char *value)
{
	const char *rest;

	return value && read_count(value, RATE_MAX, &rules->spans_per_second, &rest) && !*rest;
}

static const struct rule {
	const char *name;
	bool (*add)(struct sampling_rules *rules, const char *value);
} rule_table[] = {
	{ "ratio", add_ratio }, { "parent", add_parent }, { "errors", add_errors },
	{ "slow", add_slow },	{ "floor", add_floor },	  { "rate", add_rate },
};

static bool add_rule(struct sampling_rules *rules, char *text)
{
	char *value = strchr(text, '=');

	if (value)
		*value++ = '\0';
	for (size_t i = 0; i < sizeof(rule_table) / sizeof(rule_table[0]); i++)
		if (strcmp(rule_table[i].name, text) == 0)
			return rule_table[i].add(rules, value);
	return false;
}

int sampling_rules_add(struct sampling_rules *rules, const char *text,
		       char ret_why[SAMPLING_WHY_MAX])
{
	struct sampling_rules next = *rules;
	char copy[SAMPLING_GLOB_MAX + 32];
	size_t length;

	for (const char *at = text;; at += length + 1) {
		length = strcspn(at, ",");
		if (length < sizeof(copy)) {
			memcpy(copy, at, length);
			copy[length] = '\0';
		}
		if (length >= sizeof(copy) || !add_rule(&next, copy)) {
			snprintf(
				ret_why, SAMPLING_WHY_MAX,
				"'%.*s' is none of parent, errors, slow=pN, floor=N[@GLOB], rate=N, ratio=0..1",
				(int)(length < 64 ? length : 64), at);
			return -EINVAL;
		}
		if (!at[length])
			break;
	}
	next.is_set = true;
	*rules = next;
	return 0;
}

int sampling_rules_read_environment(struct sampling_rules *rules, char *(*get)(const char *name),
				    char ret_why[SAMPLING_WHY_MAX])
{
	static const struct {
		const char *name;
		const char *rules;
		bool takes_ratio;
	} samplers[] = {
		{ "always_on", "ratio=1", false },
		{ "always_off", "ratio=0", false },
		{ "traceidratio", "ratio=1", true },
		{ "parentbased_always_on", "parent,ratio=1", false },
		{ "parentbased_always_off", "parent,ratio=0", false },
		{ "parentbased_traceidratio", "parent,ratio=1", true },
	};
	const char *name = get("OTEL_TRACES_SAMPLER"), *argument = get("OTEL_TRACES_SAMPLER_ARG");
	struct sampling_rules next = *rules;
	size_t i = 0;

	if (!name || !name[0] || rules->has_base)
		return 0;
	while (i < sizeof(samplers) / sizeof(samplers[0]) && strcmp(samplers[i].name, name) != 0)
		i++;
	if (i == sizeof(samplers) / sizeof(samplers[0])) {
		snprintf(ret_why, SAMPLING_WHY_MAX, "OTEL_TRACES_SAMPLER '%.64s' is not known",
			 name);
		return -EINVAL;
	}
	(void)sampling_rules_add(&next, samplers[i].rules, ret_why); /* ours */
	if (samplers[i].takes_ratio && argument && argument[0] && !read_ratio(&next, argument)) {
		snprintf(ret_why, SAMPLING_WHY_MAX,
			 "OTEL_TRACES_SAMPLER_ARG is no number from 0 to 1: '%.64s'", argument);
		return -EINVAL;
	}
	*rules = next;
	return 0;
}
