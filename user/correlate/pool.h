/* SPDX-License-Identifier: Apache-2.0 */
/* The connections of a service to a database, and how many of them have a request under way: is its pool used up? For the files
 * of this room only; others see engine.h. */
#ifndef SONDE_CORRELATE_POOL_H
#define SONDE_CORRELATE_POOL_H

#include "base/table.h"
#include "correlate/engine.h"

struct connection;
struct exchange;

/* Pools at once; connections of further ones are in none (counted). */
#define POOLS_MAX 1024
/* A pool without connections is forgotten this long after the last one. */
#define POOL_KEEP_NS 300000000000ull
/* The peak is of the newest two of these. */
#define POOL_PEAK_NS 60000000000ull

struct pools {
	struct table table; /* owns its nodes */
	uint64_t refused;
};

/* Returns 0 or -ENOMEM. */
int pools_init(struct pools *pools);
void pools_done(struct pools *pools);

/* The first request of a connection is known: when a client makes it of a database, its pool has one connection more. */
void pool_join(struct engine *engine, struct connection *connection,
	       const struct exchange *exchange);

/* The connection is closed, or is forgotten. */
void pool_leave(struct connection *connection);

/* The connection's first request under way, its last one. */
void pool_use(struct connection *connection);
void pool_rest(struct connection *connection);

#endif
