/* SPDX-License-Identifier: Apache-2.0 */
/* Which statement a prepared name stands for: operation and table, bounded for each connection. Names are kept as hashes. */
#ifndef SONDE_PROTOCOL_POSTGRESQL_PLANS_H
#define SONDE_PROTOCOL_POSTGRESQL_PLANS_H

#include <stdint.h>

/* Names of a connection fall into so many lists; of a full one the least recently used name is forgotten. */
#define PG_PLAN_LISTS 16
#define PG_PLAN_LIST_MAX 32

/* What a statement does. */
struct pg_plan {
	uint32_t holders;
	const char *operation; /* static */
	char table[];
};

struct pg_plans;

/* NULL: out of memory. The caller holds it. */
struct pg_plan *pg_plan_new(const char *operation, const char *table);
struct pg_plan *pg_plan_hold(struct pg_plan *plan);
void pg_plan_release(struct pg_plan **plan);

struct pg_plans *pg_plans_new(void);
void pg_plans_free(struct pg_plans **plans);

/* Give a name another plan; plan NULL: forget it. Out of memory it is forgotten too. */
void pg_plans_put(struct pg_plans *plans, uint64_t name, struct pg_plan *plan);

/* Borrowed; NULL: not known. */
struct pg_plan *pg_plans_find(struct pg_plans *plans, uint64_t name);

#endif
