/* SPDX-License-Identifier: Apache-2.0 */
/* All of a snapshot lies in a few large blocks: copying is a walk with memcpy, freeing is a handful
 * of calls. */
#include "aggregate/snapshot.h"

#include <assert.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_BYTES (128u * 1024)

struct block {
	struct block *next; /* owned */
	size_t used;
	size_t size;
	uint64_t memory[]; /* 8-byte aligned */
};

struct snapshot {
	atomic_uint references;
	uint64_t taken_ns;
	struct block *blocks; /* owned; the first is being filled */
	struct {
		struct sample *samples; /* in the blocks */
		size_t count;
		size_t reserved;
	} families[METRIC_COUNT];
};

struct snapshot *snapshot_new(uint64_t taken_ns)
{
	struct snapshot *snapshot = calloc(1, sizeof(*snapshot));

	if (!snapshot)
		return NULL;
	atomic_init(&snapshot->references, 1);
	snapshot->taken_ns = taken_ns;
	return snapshot;
}

uint64_t snapshot_taken_ns(const struct snapshot *snapshot)
{
	return snapshot->taken_ns;
}

struct snapshot *snapshot_ref(struct snapshot *snapshot)
{
	atomic_fetch_add_explicit(&snapshot->references, 1, memory_order_relaxed);
	return snapshot;
}

static void snapshot_free(struct snapshot *snapshot)
{
	struct block *block = snapshot->blocks, *next;

	for (; block; block = next) {
		next = block->next;
		free(block);
	}
	free(snapshot);
}

void snapshot_unref(struct snapshot **snapshot)
{
	struct snapshot *mine = *snapshot;

	*snapshot = NULL;
	if (mine && atomic_fetch_sub_explicit(&mine->references, 1, memory_order_acq_rel) == 1)
		snapshot_free(mine);
}

static void *snapshot_alloc(struct snapshot *snapshot, size_t bytes)
{
	struct block *block = snapshot->blocks;
	void *memory;

	bytes = (bytes + 7) & ~(size_t)7;
	if (!block || block->size - block->used < bytes) {
		size_t size = bytes > BLOCK_BYTES ? bytes : BLOCK_BYTES;

		block = malloc(sizeof(*block) + size);
		if (!block)
			return NULL;
		*block = (struct block){ .next = snapshot->blocks, .size = size };
		snapshot->blocks = block;
	}
	memory = (char *)block->memory + block->used;
	block->used += bytes;
	return memory;
}

int snapshot_reserve(struct snapshot *snapshot, enum metric metric, size_t count)
{
	struct sample *samples;

	assert(!snapshot->families[metric].reserved);
	if (!count)
		return 0;
	samples = snapshot_alloc(snapshot, count * sizeof(*samples));
	if (!samples)
		return -ENOMEM;
	snapshot->families[metric].samples = samples;
	snapshot->families[metric].reserved = count;
	return 0;
}

int snapshot_add(struct snapshot *snapshot, enum metric metric, const struct sample *sample)
{
	bool is_histogram = metric_table[metric].type == METRIC_HISTOGRAM;
	struct sample copy = *sample;
	char *values;
	void *memory;

	assert(snapshot->families[metric].count < snapshot->families[metric].reserved);
	values = snapshot_alloc(snapshot, sample->values_bytes);
	if (!values)
		return -ENOMEM;
	if (sample->values_bytes)
		memcpy(values, sample->values, sample->values_bytes);
	copy.values = values;
	if (is_histogram) {
		memory = snapshot_alloc(snapshot, histogram_copy_bytes(sample->histogram));
		if (!memory)
			return -ENOMEM;
		copy.histogram = histogram_copy_to(sample->histogram, memory);
	}
	snapshot->families[metric].samples[snapshot->families[metric].count++] = copy;
	return 0;
}

const struct sample *snapshot_samples(const struct snapshot *snapshot, enum metric metric,
				      size_t *ret_count)
{
	*ret_count = snapshot->families[metric].count;
	return snapshot->families[metric].samples;
}

size_t snapshot_bytes(const struct snapshot *snapshot)
{
	size_t bytes = sizeof(*snapshot);

	for (const struct block *block = snapshot->blocks; block; block = block->next)
		bytes += sizeof(*block) + block->size;
	return bytes;
}
