/* SPDX-License-Identifier: Apache-2.0 */
/* Which statement a prepared name stands for: operation, table and masked text, bounded for each connection and for all of them. Names
 * are kept as hashes. What is forgotten counts when it is used (PARSE_STATEMENT_UNKNOWN). */
#ifndef SONDE_PROTOCOL_SQL_PLANS_H
#define SONDE_PROTOCOL_SQL_PLANS_H

#include <stdint.h>

/* Names of a connection fall into so many lists; of a full one the least recently used name is forgotten. */
#define SQL_PLAN_LISTS 16
#define SQL_PLAN_LIST_MAX 32

/* Names of all connections of a protocol, with half a kilobyte each at most. When there are so many a connection forgets one of its
 * own for a new one, or, without any, does not keep it. */
#define SQL_PLANS_MAX 32768

/* What a statement does. */
struct sql_plan {
	uint32_t holders;
	const char *operation; /* static */
	uint64_t fingerprint;  /* of sql_mask.h, like masked */
	const char *masked;    /* behind the table */
	char table[];
};

struct sql_plans;
struct sql_plan_pool;

/* NULL: out of memory. The caller holds it. */
struct sql_plan *sql_plan_new(const char *operation, const char *table, uint64_t fingerprint,
			      const char *masked);
struct sql_plan *sql_plan_hold(struct sql_plan *plan);
void sql_plan_release(struct sql_plan **plan);

/* What all connections of a protocol share, as struct protocol wants it. */
void *sql_plan_pool_new(void);
void sql_plan_pool_free(void **pool);

/* pool  borrowed, lives longer. Returns NULL: out of memory. */
struct sql_plans *sql_plans_new(struct sql_plan_pool *pool);
void sql_plans_free(struct sql_plans **plans);

/* Give a name another plan; plan NULL: forget it. Out of memory it is forgotten too. */
void sql_plans_put(struct sql_plans *plans, uint64_t name, struct sql_plan *plan);

/* Borrowed; NULL: not known. */
struct sql_plan *sql_plans_find(struct sql_plans *plans, uint64_t name);

#endif
