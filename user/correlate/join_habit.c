/* SPDX-License-Identifier: Apache-2.0 */
/* How many calls the answer to a route takes. A thread that does other work between two answers, which nobody waits for, calls more
 * often than the answer alone takes: of routes that always take as many, an answer with so many is known to have only its own. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "correlate/join_state.h"
#include "correlate/route.h"

/* Answers with as many calls as the one before, until the next one is trusted; twice as many after each
 * change. */
#define SHOWN_FIRST 32
#define SHOWN_MAX 8192 /* so many, and all that was before is forgotten */

struct habit_key {
	uint64_t route; /* a hash */
	uint64_t tgid;
};

struct habit {
	struct table_node node;
	struct habit_key key;
	uint32_t calls; /* of the newest answer */
	uint32_t shown; /* answers with so many, one after the other */
	uint32_t wanted;
};

static bool habit_matches(const struct table_node *node, const void *key)
{
	return !memcmp(&table_entry(node, struct habit, node)->key, key, sizeof(struct habit_key));
}

int join_habits_init(struct join *join)
{
	return table_init(&join->habits, JOIN_HABITS_MAX, habit_matches);
}

static void remove_oldest(struct table *habits)
{
	struct table_node *node = habits->oldest;

	table_remove(habits, node);
	free(table_entry(node, struct habit, node));
}

void join_habits_done(struct join *join)
{
	while (join->habits.oldest)
		remove_oldest(&join->habits);
	table_done(&join->habits);
}

static struct habit_key key_of(const struct exchange *exchange)
{
	const char *const *attributes = exchange->facts.attributes;
	const char *method = attributes[ATTRIBUTE_HTTP_REQUEST_METHOD];
	char words[ROUTE_MAX + 16] = "";

	if (attributes[ATTRIBUTE_URL_PATH])
		route_template(attributes[ATTRIBUTE_URL_PATH], words);
	if (method)
		(void)strncat(words, method, sizeof(words) - strlen(words) - 1);
	return (struct habit_key){ .route = hash_bytes(words, strlen(words)),
				   .tgid = exchange->tgid };
}

static struct habit *habit_of(struct join *join, const struct exchange *exchange)
{
	struct habit_key key = key_of(exchange);
	uint64_t hash = hash_bytes(&key, sizeof(key));
	struct table_node *node = table_find_by(&join->habits, hash, &key, habit_matches);
	struct habit *habit;

	if (node)
		return table_entry(node, struct habit, node);
	habit = calloc(1, sizeof(*habit));
	if (!habit)
		return NULL;
	if (join->habits.count == join->habits.limit) {
		remove_oldest(&join->habits);
		join->figures.habits_evicted++;
	}
	habit->key = key;
	habit->wanted = SHOWN_FIRST;
	(void)table_insert(&join->habits, &habit->node, hash); /* room was made */
	return habit;
}

bool join_habit_is_kept(struct join *join, const struct exchange *exchange, uint32_t calls)
{
	struct habit *habit = habit_of(join, exchange);
	bool is_kept;

	if (!habit)
		return false;
	if (habit->calls != calls) {
		habit->calls = calls;
		habit->wanted *= habit->shown > 1 && habit->wanted < SHOWN_MAX ? 2 : 1;
		habit->shown = 0;
	}
	is_kept = habit->shown >= habit->wanted;
	habit->shown += habit->shown < SHOWN_MAX;
	if (habit->shown == SHOWN_MAX)
		habit->wanted = SHOWN_FIRST;
	return is_kept;
}
