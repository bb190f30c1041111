/* SPDX-License-Identifier: Apache-2.0 */
/* See sql_plans.h. Lists in order of last use. */
#include "protocol/sql_plans.h"

#include <stdlib.h>
#include <string.h>

struct named_plan {
	struct named_plan *next;
	uint64_t name;
	struct sql_plan *plan; /* held */
};

struct sql_plans {
	struct named_plan *lists[SQL_PLAN_LISTS]; /* owned */
};

struct sql_plan *sql_plan_new(const char *operation, const char *table)
{
	size_t bytes = strlen(table) + 1;
	struct sql_plan *plan = malloc(sizeof(*plan) + bytes);

	if (!plan)
		return NULL;
	plan->holders = 1;
	plan->operation = operation;
	memcpy(plan->table, table, bytes);
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

struct sql_plans *sql_plans_new(void)
{
	return calloc(1, sizeof(struct sql_plans));
}

static void drop(struct named_plan **link)
{
	struct named_plan *named = *link;

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
			drop(&plans->lists[i]);
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

static void drop_last(struct named_plan **list)
{
	while ((*list)->next)
		list = &(*list)->next;
	drop(list);
}

void sql_plans_put(struct sql_plans *plans, uint64_t name, struct sql_plan *plan)
{
	struct named_plan **list = list_of(plans, name);
	size_t length;
	struct named_plan *named = find(list, name, &length);

	if (named && !plan) {
		drop(list);
		return;
	}
	if (!plan)
		return;
	if (!named) {
		if (length >= SQL_PLAN_LIST_MAX)
			drop_last(list);
		named = calloc(1, sizeof(*named));
		if (!named)
			return;
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
