/* SPDX-License-Identifier: Apache-2.0 */
/* Spans as OpenTelemetry's protocol has them, in protobuf: what is posted, and what comes back. Pure. */
#ifndef SONDE_EXPORT_OTLP_H
#define SONDE_EXPORT_OTLP_H

#include "base/arena.h"
#include "base/wall_clock.h"
#include "export/span_fields.h"
#include "export/text_buffer.h"

/* Write an ExportTraceServiceRequest into an empty buffer, spans of a process together.
 *
 * arena    empty; its memory may be let go when this returns
 * Returns  0 or -ENOMEM */
int otlp_encode(struct span_record *const *records, size_t count,
		const struct span_resource *resource, const struct wall_clock *clock,
		struct arena *arena, struct text_buffer *ret_body);

/* How many of `count` spans a server says it did not take; a message that cannot be read rejects none.
 *
 * bytes  an ExportTraceServiceResponse, as a stranger may send it
 * why    filled with what the server says, "" when it says nothing */
#define OTLP_WHY_MAX 192
size_t otlp_read_rejected(const uint8_t *bytes, size_t length, size_t count,
			  char ret_why[OTLP_WHY_MAX]);

#endif
