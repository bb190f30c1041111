/* SPDX-License-Identifier: Apache-2.0 */
/* What is remembered of each route: how long its requests take, and how many there were this minute. */
#ifndef SONDE_SAMPLE_ROUTE_MEMORY_H
#define SONDE_SAMPLE_ROUTE_MEMORY_H

#include "correlate/observation.h"
#include "sample/sampling_rules.h"

/* Routes of all services, operations of databases and the like; the least recently used is forgotten for another. */
#define ROUTE_MEMORY_MAX 2048
/* Durations of a route that must be known before any is said to be slow. */
#define ROUTE_MEMORY_LEARNED 200
/* When so many are known, all are halved: the newest count most. */
#define ROUTE_MEMORY_HALVED 4096

struct route_memory;

/* Returns NULL when out of memory. rules: borrowed */
struct route_memory *route_memory_new(const struct sampling_rules *rules);
void route_memory_free(struct route_memory **memory);

struct route_verdict {
	bool is_slow;	     /* slower than most before it */
	bool is_below_floor; /* of the first of this minute */
};

/* Take in a request, and say what it is among those of its route. */
struct route_verdict route_memory_observe(struct route_memory *memory,
					  const struct request *request);

struct route_memory_figures {
	size_t count;
	size_t limit;
	uint64_t evicted;
};

/* memory NULL: none */
void route_memory_read(const struct route_memory *memory, struct route_memory_figures *ret_figures);

#endif
