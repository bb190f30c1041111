/* SPDX-License-Identifier: Apache-2.0 */
/* Which spans are kept, as an operator says it. */
#ifndef SONDE_SAMPLE_SAMPLING_RULES_H
#define SONDE_SAMPLE_SAMPLING_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SAMPLING_FLOORS_MAX 16
#define SAMPLING_GLOB_MAX 128
#define SAMPLING_WHY_MAX 256

/* Of the routes whose span names match, the first so many of each minute. */
struct sampling_floor {
	uint32_t per_minute;
	char glob[SAMPLING_GLOB_MAX]; /* fnmatch(3) */
};

struct sampling_rules {
	uint64_t threshold; /* of what no rule keeps; trace_probability.h */
	bool is_set;	    /* somebody asked for sampling: spans say what they count for */
	bool has_base;	    /* the ratio or the parent was spoken of */
	bool is_parent_based;
	bool keeps_errors;
	uint16_t slow_permille; /* keep what is slower than so many of a route; 0: no such rule */
	uint32_t spans_per_second; /* 0: any number */
	size_t floor_count;
	struct sampling_floor floors[SAMPLING_FLOORS_MAX];
};

/* Everything is kept. */
void sampling_rules_init(struct sampling_rules *rules);

/* Add rules: `errors,slow=p99,floor=10@GET /pay*,rate=200,parent,ratio=0.05`.
 * Returns 0; -EINVAL with what is wrong in ret_why */
int sampling_rules_add(struct sampling_rules *rules, const char *text,
		       char ret_why[SAMPLING_WHY_MAX]);

/* What OTEL_TRACES_SAMPLER and _ARG say, unless the rules speak of that themselves. Other rules stay beside it.
 * Source   OpenTelemetry specification, SDK environment variables
 * Returns  0; -EINVAL with what is wrong in ret_why: the rules are as if it had not been said */
int sampling_rules_read_environment(struct sampling_rules *rules, char *(*get)(const char *name),
				    char ret_why[SAMPLING_WHY_MAX]);

#endif
