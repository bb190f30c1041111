/* SPDX-License-Identifier: Apache-2.0 */
/* Which statement a prepared name stands for: operation and table, bounded for each connection. Names are kept as hashes. */
#ifndef SONDE_PROTOCOL_SQL_PLANS_H
#define SONDE_PROTOCOL_SQL_PLANS_H

#include <stdint.h>

/* Names of a connection fall into so many lists; of a full one the least recently used name is forgotten. */
#define SQL_PLAN_LISTS 16
#define SQL_PLAN_LIST_MAX 32

/* What a statement does. */
struct sql_plan {
	uint32_t holders;
	const char *operation; /* static */
	char table[];
};

struct sql_plans;

/* NULL: out of memory. The caller holds it. */
struct sql_plan *sql_plan_new(const char *operation, const char *table);
struct sql_plan *sql_plan_hold(struct sql_plan *plan);
void sql_plan_release(struct sql_plan **plan);

struct sql_plans *sql_plans_new(void);
void sql_plans_free(struct sql_plans **plans);

/* Give a name another plan; plan NULL: forget it. Out of memory it is forgotten too. */
void sql_plans_put(struct sql_plans *plans, uint64_t name, struct sql_plan *plan);

/* Borrowed; NULL: not known. */
struct sql_plan *sql_plans_find(struct sql_plans *plans, uint64_t name);

#endif
