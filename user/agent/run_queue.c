/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/run_queue.h"

#include <stdlib.h>

#include "base/table.h"

struct entry {
	struct table_node node;
	uint64_t start_ns;
	uint64_t last_ns; /* waited, as was told */
	uint64_t now_ns;  /* as of the walk under way */
	uint64_t cgroup_id;
	uint32_t tgid;
	uint32_t waiting;
	uint32_t flags; /* of its first thread */
	bool is_met;	/* in the walk under way */
	bool is_new;
};

struct run_queue {
	struct table entries; /* owns its nodes */
	uint64_t refused;
	bool has_walked;
};

static bool match_tgid(const struct table_node *node, const void *key)
{
	return table_entry(node, struct entry, node)->tgid == *(const uint32_t *)key;
}

struct run_queue *run_queue_new(size_t limit)
{
	struct run_queue *queue = calloc(1, sizeof(*queue));

	if (queue && table_init(&queue->entries, limit, match_tgid))
		run_queue_free(&queue);
	return queue;
}

static void forget(struct run_queue *queue, struct entry *entry)
{
	table_remove(&queue->entries, &entry->node);
	free(entry);
}

void run_queue_free(struct run_queue **queue_slot)
{
	struct run_queue *queue = *queue_slot;

	if (!queue)
		return;
	while (queue->entries.oldest)
		forget(queue, table_entry(queue->entries.oldest, struct entry, node));
	table_done(&queue->entries);
	free(queue);
	*queue_slot = NULL;
}

void run_queue_begin(struct run_queue *queue)
{
	for (struct table_node *node = queue->entries.oldest; node; node = node->newer) {
		struct entry *entry = table_entry(node, struct entry, node);

		entry->now_ns = 0;
		entry->waiting = 0;
		entry->is_met = false;
	}
}

/* Find or make; NULL when there is no room. */
static struct entry *find(struct run_queue *queue, uint32_t tgid)
{
	uint64_t hash = hash_u64(tgid);
	struct table_node *node = table_find(&queue->entries, hash, &tgid);
	struct entry *entry =
		node ? table_entry(node, struct entry, node) : calloc(1, sizeof(*entry));

	if (node || !entry)
		return entry;
	entry->tgid = tgid;
	entry->is_new = true;
	if (table_insert(&queue->entries, &entry->node, hash) == 0)
		return entry;
	free(entry);
	return NULL;
}

/* The number of a process that has ended may be given out again between two walks. */
static void note_first(struct entry *entry, const struct walked_thread *thread)
{
	if (entry->start_ns != thread->start_ns && !entry->is_new)
		entry->last_ns = 0;
	entry->start_ns = thread->start_ns;
	entry->cgroup_id = thread->cgroup_id;
	entry->flags = thread->flags;
}

void run_queue_thread(struct run_queue *queue, const struct walked_thread *thread)
{
	struct entry *entry = find(queue, thread->tgid);

	if (!entry) {
		queue->refused += thread->flags & WALKED_FIRST ? 1 : 0;
		return;
	}
	entry->is_met = true;
	entry->now_ns += thread->run_delay_ns + thread->ended_delay_ns;
	if (thread->flags & WALKED_WAITS)
		entry->waiting++;
	if (thread->flags & WALKED_FIRST)
		note_first(entry, thread);
}

/* Where the kernel keeps what ended threads have waited, the sum falls only for a moment: while one ends, and when the
 * process itself does. Elsewhere it is lower for good, and grows from there. */
static uint64_t delay_of(struct entry *entry)
{
	if (entry->now_ns < entry->last_ns) {
		if (!(entry->flags & WALKED_ENDED_KEPT))
			entry->last_ns = entry->now_ns;
		return 0;
	}
	return entry->now_ns - entry->last_ns;
}

void run_queue_end(struct run_queue *queue,
		   bool (*visit)(void *context, const struct process_wait *wait), void *context)
{
	struct table_node *next;

	for (struct table_node *node = queue->entries.oldest; node; node = next) {
		struct entry *entry = table_entry(node, struct entry, node);
		struct process_wait wait;

		next = node->newer;
		if (!entry->is_met) {
			forget(queue, entry);
			continue;
		}
		if (entry->is_new && !queue->has_walked)
			entry->last_ns = entry->now_ns;
		entry->is_new = false;
		wait = (struct process_wait){ entry->tgid, entry->waiting, delay_of(entry),
					      entry->cgroup_id };
		if (visit(context, &wait))
			entry->last_ns += wait.delay_ns;
	}
	queue->has_walked = true;
}

size_t run_queue_count(const struct run_queue *queue)
{
	return queue->entries.count;
}

uint64_t run_queue_refused(const struct run_queue *queue)
{
	return queue->refused;
}
