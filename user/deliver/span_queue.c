/* SPDX-License-Identifier: Apache-2.0 */
#include "deliver/span_queue.h"

#include <errno.h>
#include <stdlib.h>

#include "export/span_record.h"

#define RECORD_BYTES_USUAL 512
#define ALIGNMENT 8

/* Before each record. */
struct entry {
	uint32_t size;	 /* of all, this included */
	uint32_t is_gap; /* records do not wrap around */
};

_Static_assert(sizeof(struct entry) == ALIGNMENT,
	       "an entry keeps the alignment, and fits into every gap");

int span_queue_init(struct span_queue *queue, size_t spans_max)
{
	size_t size = 4 * SPAN_RECORD_MAX;

	while (size < spans_max * RECORD_BYTES_USUAL)
		size *= 2;
	*queue = (struct span_queue){ .bytes = malloc(size), .size = size, .spans_max = spans_max };
	return queue->bytes ? 0 : -ENOMEM;
}

void span_queue_done(struct span_queue *queue)
{
	free(queue->bytes);
	queue->bytes = NULL;
}

static struct entry *entry_at(const struct span_queue *queue, uint64_t position)
{
	return (struct entry *)(void *)(queue->bytes + (position & (queue->size - 1)));
}

size_t span_queue_count(const struct span_queue *queue)
{
	return (size_t)(queue->put - atomic_load_explicit(&queue->settled, memory_order_acquire));
}

void *span_queue_reserve(struct span_queue *queue)
{
	uint64_t released = atomic_load_explicit(&queue->released, memory_order_acquire);
	size_t room = queue->size - (size_t)(queue->written - released);
	size_t until_end = queue->size - (size_t)(queue->written & (queue->size - 1));
	size_t wanted = sizeof(struct entry) + SPAN_RECORD_MAX;
	size_t gap = until_end < wanted ? until_end : 0;

	if (span_queue_count(queue) >= queue->spans_max || room < gap + wanted)
		return NULL;
	if (gap)
		*entry_at(queue, queue->written) = (struct entry){ (uint32_t)gap, 1 };
	queue->written += gap;
	return entry_at(queue, queue->written) + 1;
}

void span_queue_commit(struct span_queue *queue, size_t bytes)
{
	size_t size = (sizeof(struct entry) + bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;

	*entry_at(queue, queue->written) = (struct entry){ (uint32_t)size, 0 };
	queue->written += size;
	queue->put++;
	atomic_store_explicit(&queue->published, queue->written, memory_order_release);
}

void *span_queue_take(struct span_queue *queue)
{
	uint64_t published = atomic_load_explicit(&queue->published, memory_order_acquire);
	struct entry *entry;

	if (queue->read == published)
		return NULL;
	entry = entry_at(queue, queue->read);
	if (entry->is_gap) {
		queue->read += entry->size;
		entry = entry_at(queue, queue->read);
	}
	queue->read += entry->size;
	queue->taken++;
	return entry + 1;
}

void span_queue_release(struct span_queue *queue)
{
	atomic_store_explicit(&queue->released, queue->read, memory_order_release);
	atomic_store_explicit(&queue->settled, queue->taken, memory_order_release);
}
