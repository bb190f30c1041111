/* SPDX-License-Identifier: Apache-2.0 */
/* Memory for many small things that go together. Running out is remembered: callers go on and ask once, at the end. */
#ifndef SONDE_BASE_ARENA_H
#define SONDE_BASE_ARENA_H

#include <stdbool.h>
#include <stddef.h>

/* Zeroed memory is an empty arena. */
struct arena {
	struct arena_block *newest; /* owned, like those before it */
	size_t used;		    /* of the newest */
	bool has_failed;
};

/* Zeroed bytes, aligned for anything; NULL when out of memory. */
void *arena_take(struct arena *arena, size_t bytes);

/* Forget what was taken; one block is kept for what comes. */
void arena_clear(struct arena *arena);

void arena_done(struct arena *arena);

#endif
