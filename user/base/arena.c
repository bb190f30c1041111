/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"

#include <stdlib.h>
#include <string.h>

#define BLOCK_BYTES ((size_t)256 * 1024)
#define ALIGNMENT _Alignof(max_align_t)

struct arena_block {
	struct arena_block *before; /* owned */
	size_t size;
	_Alignas(max_align_t) unsigned char bytes[];
};

static bool add_block(struct arena *arena, size_t bytes)
{
	size_t size = bytes > BLOCK_BYTES ? bytes : BLOCK_BYTES;
	struct arena_block *block = malloc(sizeof(*block) + size);

	if (!block) {
		arena->has_failed = true;
		return false;
	}
	block->before = arena->newest;
	block->size = size;
	arena->newest = block;
	arena->used = 0;
	return true;
}

void *arena_take(struct arena *arena, size_t bytes)
{
	size_t rounded = (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
	void *taken;

	if ((!arena->newest || arena->newest->size - arena->used < rounded) &&
	    !add_block(arena, rounded))
		return NULL;
	taken = arena->newest->bytes + arena->used;
	arena->used += rounded;
	memset(taken, 0, bytes);
	return taken;
}

static void free_until(struct arena *arena, const struct arena_block *last)
{
	while (arena->newest != last) {
		struct arena_block *block = arena->newest;

		arena->newest = block->before;
		free(block);
	}
}

void arena_clear(struct arena *arena)
{
	struct arena_block *first = arena->newest;

	while (first && first->before)
		first = first->before;
	free_until(arena, first);
	arena->used = 0;
	arena->has_failed = false;
}

void arena_done(struct arena *arena)
{
	free_until(arena, NULL);
	*arena = (struct arena){ 0 };
}
