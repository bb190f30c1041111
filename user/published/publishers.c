/* SPDX-License-Identifier: Apache-2.0 */
#include "published/publishers.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/table.h"

/* A look takes some tenths of a millisecond where many libraries are loaded. */
#define LOOKS_A_ROUND 32
#define INTERVAL_FIRST_NS NS_PER_SECOND
#define INTERVAL_MAX_NS (64ull * NS_PER_SECOND)

struct publisher {
	struct table_node node;
	uint64_t identity;
	uint64_t due_ns;
	uint64_t interval_ns;
	uint64_t round; /* it was offered in */
	uint32_t tgid;
	bool is_placed;
	bool is_unplaced;
};

struct publishers {
	struct table table; /* owns its nodes */
	struct publishers_feedback feedback;
	struct publishers_figures figures;
	uint64_t round;
	unsigned looks; /* left in this round */
};

static bool publisher_matches(const struct table_node *node, const void *key)
{
	return table_entry(node, struct publisher, node)->tgid == *(const uint32_t *)key;
}

struct publishers *publishers_new(size_t limit, const struct publishers_feedback *feedback)
{
	struct publishers *publishers = calloc(1, sizeof(*publishers));

	if (!publishers)
		return NULL;
	publishers->feedback = *feedback;
	publishers->figures.limit = limit;
	if (table_init(&publishers->table, limit, publisher_matches)) {
		free(publishers);
		return NULL;
	}
	return publishers;
}

/* It publishes nothing that we could read, as far as we know. */
static void unset(struct publishers *publishers, struct publisher *publisher)
{
	if (publisher->is_placed) {
		(void)publishers->feedback.set(publishers->feedback.context, publisher->tgid,
					       NULL); /* it may be gone */
		publishers->figures.placed--;
	}
	if (publisher->is_unplaced)
		publishers->figures.unplaced--;
	publisher->is_placed = publisher->is_unplaced = false;
}

static void forget(struct publishers *publishers, struct publisher *publisher)
{
	unset(publishers, publisher);
	table_remove(&publishers->table, &publisher->node);
	free(publisher);
}

void publishers_free(struct publishers **slot)
{
	struct publishers *publishers = *slot;

	*slot = NULL;
	if (!publishers)
		return;
	while (publishers->table.oldest)
		forget(publishers, table_entry(publishers->table.oldest, struct publisher, node));
	table_done(&publishers->table);
	free(publishers);
}

static struct publisher *publisher_of(struct publishers *publishers, uint32_t tgid)
{
	struct table_node *node =
		table_find_by(&publishers->table, hash_u64(tgid), &tgid, publisher_matches);
	struct publisher *publisher;

	if (node)
		return table_entry(node, struct publisher, node);
	if (publishers->table.count >= publishers->table.limit) {
		publishers->figures.refused++;
		return NULL;
	}
	publisher = calloc(1, sizeof(*publisher));
	if (!publisher)
		return NULL;
	publisher->tgid = tgid;
	(void)table_insert(&publishers->table, &publisher->node,
			   hash_u64(tgid)); /* room is there */
	return publisher;
}

/* The kernel side forgets a process that runs another program: it is told again each time. */
static void set(struct publishers *publishers, struct publisher *publisher,
		const struct thread_place *place)
{
	unset(publishers, publisher);
	if (publishers->feedback.set(publishers->feedback.context, publisher->tgid, place)) {
		publisher->is_unplaced = true;
		publishers->figures.unplaced++;
		return;
	}
	publisher->is_placed = true;
	publishers->figures.placed++;
}

static void look(struct publishers *publishers, struct publisher *publisher)
{
	bool was_unplaced = publisher->is_unplaced;
	struct thread_place place;
	int error =
		publishers->feedback.find(publishers->feedback.context, publisher->tgid, &place);

	if (!error) {
		set(publishers, publisher, &place);
		return;
	}
	unset(publishers, publisher);
	if (error == -ENOTSUP) {
		publisher->is_unplaced = true;
		publishers->figures.unplaced++;
		if (!was_unplaced)
			publishers->feedback.unplaced(publishers->feedback.context,
						      publisher->tgid);
	} else if (error == -EAGAIN) {
		publisher->interval_ns = INTERVAL_FIRST_NS;
	} else if (error != -ENOENT && error != -ESRCH) {
		publishers->figures.unreadable++;
	}
}

void publishers_begin(struct publishers *publishers)
{
	publishers->round++;
	publishers->looks = LOOKS_A_ROUND;
}

void publishers_offer(struct publishers *publishers, uint32_t tgid, uint64_t identity,
		      uint64_t now_ns)
{
	struct publisher *publisher = publisher_of(publishers, tgid);

	if (!publisher)
		return;
	publisher->round = publishers->round;
	if (publisher->identity != identity) {
		publisher->identity = identity;
		publisher->interval_ns = INTERVAL_FIRST_NS;
		publisher->due_ns = now_ns;
	}
	if (now_ns < publisher->due_ns || !publishers->looks)
		return;
	publishers->looks--;
	publisher->due_ns = now_ns + publisher->interval_ns;
	if (publisher->interval_ns < INTERVAL_MAX_NS)
		publisher->interval_ns *= 2;
	look(publishers, publisher);
}

void publishers_end(struct publishers *publishers)
{
	struct table_node *node = publishers->table.oldest, *newer;

	for (; node; node = newer) {
		struct publisher *publisher = table_entry(node, struct publisher, node);

		newer = node->newer;
		if (publisher->round != publishers->round)
			forget(publishers, publisher);
	}
}

void publishers_read(const struct publishers *publishers, struct publishers_figures *ret_figures)
{
	*ret_figures = publishers->figures;
	ret_figures->held = publishers->table.count;
}
