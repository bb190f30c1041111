/* SPDX-License-Identifier: Apache-2.0 */
/* What a request is called where people read it. */
#ifndef SONDE_CORRELATE_SPAN_NAME_H
#define SONDE_CORRELATE_SPAN_NAME_H

#include "base/arena.h"
#include "protocol/facts.h"

/* What the span of a request with these attributes is called. Of the arena, or borrowed. */
const char *span_name(const char *protocol, const char *const texts[ATTRIBUTE_COUNT],
		      struct arena *arena);

/* Both with a space between, from the arena; the first alone where there is no second, or no memory. */
const char *span_two_words(struct arena *arena, const char *first, const char *second);

#endif
