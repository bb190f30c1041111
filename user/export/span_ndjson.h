/* SPDX-License-Identifier: Apache-2.0 */
/* Spans as lines of JSON: each a TracesData of OTLP/JSON with one span, so that what reads such files reads ours. Pure. */
#ifndef SONDE_EXPORT_SPAN_NDJSON_H
#define SONDE_EXPORT_SPAN_NDJSON_H

#include "base/arena.h"
#include "base/wall_clock.h"
#include "export/span_fields.h"
#include "export/text_buffer.h"

/* Append one line. What fails for want of memory, arena and buffer remember. */
void span_ndjson_append(struct span_record *record, const struct span_resource *resource,
			const struct wall_clock *clock, struct arena *arena,
			struct text_buffer *buffer);

#endif
