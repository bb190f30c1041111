/* SPDX-License-Identifier: Apache-2.0 */
/* See sql_plans.h. Lists in order of last use. */
#include "protocol/sql_plans.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct named_plan {
	struct named_plan *next;
	uint64_t name;
	struct sql_plan *plan; /* held */
};

struct sql_plan_pool {
	size_t names;
};

struct sql_plans {
	struct sql_plan_pool *pool;		  /* borrowed */
	struct named_plan *lists[SQL_PLAN_LISTS]; /* owned */
};

struct sql_plan *sql_plan_new(const char *operation, const char *table, uint64_t fingerprint,
			      const char *masked)
{
	size_t table_bytes = strlen(table) + 1, masked_bytes = strlen(masked) + 1;
	struct sql_plan *plan = malloc(sizeof(*plan) + table_bytes + masked_bytes);

	if (!plan)
		return NULL;
	plan->holders = 1;
	plan->operation = operation;
	plan->fingerprint = fingerprint;
	memcpy(plan->table, table, table_bytes);
	plan->masked = memcpy(plan->table + table_bytes, masked, masked_bytes);
	return plan;
}

struct sql_plan *sql_plan_hold(struct sql_plan *plan)
{
	if (plan)
		plan->holders++;
	return plan;
}

void sql_plan_release(struct sql_plan **slot)
{
	struct sql_plan *plan = *slot;

	*slot = NULL;
	if (plan && !--plan->holders)
		free(plan);
}

void *sql_plan_pool_new(void)
{
	return calloc(1, sizeof(struct sql_plan_pool));
}

void sql_plan_pool_free(void **pool)
{
	free(*pool);
	*pool = NULL;
}

struct sql_plans *sql_plans_new(struct sql_plan_pool *pool)
{
	struct sql_plans *plans = calloc(1, sizeof(*plans));

	if (plans)
		plans->pool = pool;
	return plans;
}

static void drop(struct sql_plans *plans, struct named_plan **link)
{
	struct named_plan *named = *link;

	plans->pool->names--;
	*link = named->next;
	sql_plan_release(&named->plan);
	free(named);
}

void sql_plans_free(struct sql_plans **slot)
{
	struct sql_plans *plans = *slot;

	*slot = NULL;
	if (!plans)
		return;
	for (size_t i = 0; i < SQL_PLAN_LISTS; i++)
		while (plans->lists[i])
			drop(plans, &plans->lists[i]);
	free(plans);
}

static struct named_plan **list_of(struct sql_plans *plans, uint64_t name)
{
	return &plans->lists[(name ^ name >> 32) % SQL_PLAN_LISTS];
}

/* Moves what it finds to the front. */
static struct named_plan *find(struct named_plan **list, uint64_t name, size_t *ret_length)
{
	struct named_plan **link = list, *named;
	size_t length = 0;

	for (; *link && (*link)->name != name; link = &(*link)->next)
		length++;
	*ret_length = length;
	named = *link;
	if (!named)
		return NULL;
	*link = named->next;
	named->next = *list;
	*list = named;
	return named;
}

static void drop_last(struct sql_plans *plans, struct named_plan **list)
{
	while ((*list)->next)
		list = &(*list)->next;
	drop(plans, list);
}

/* For one more name in a list that has `length`. Returns false when there is none. */
static bool make_room(struct sql_plans *plans, struct named_plan **list, size_t length)
{
	if (length >= SQL_PLAN_LIST_MAX) {
		drop_last(plans, list);
		return true;
	}
	for (size_t i = 0; plans->pool->names >= SQL_PLANS_MAX && i < SQL_PLAN_LISTS; i++)
		if (plans->lists[i])
			drop_last(plans, &plans->lists[i]);
	return plans->pool->names < SQL_PLANS_MAX;
}

void sql_plans_put(struct sql_plans *plans, uint64_t name, struct sql_plan *plan)
{
	struct named_plan **list = list_of(plans, name);
	size_t length;
	struct named_plan *named = find(list, name, &length);

	if (named && !plan) {
		drop(plans, list);
		return;
	}
	if (!plan)
		return;
	if (!named) {
		named = make_room(plans, list, length) ? calloc(1, sizeof(*named)) : NULL;
		if (!named)
			return;
		plans->pool->names++;
		named->name = name;
		named->next = *list;
		*list = named;
	}
	sql_plan_hold(plan);
	sql_plan_release(&named->plan);
	named->plan = plan;
}

struct sql_plan *sql_plans_find(struct sql_plans *plans, uint64_t name)
{
	size_t length;
	struct named_plan *named = plans ? find(list_of(plans, name), name, &length) : NULL;

	return named ? named->plan : NULL;
}
