/* SPDX-License-Identifier: Apache-2.0 */
/* The part of a tracer that publishes a thread's span (OpenTelemetry enhancement proposal 4947). Built into the server, or as a
 * library, with one access model or another. */
#include "publisher.h"

#include <string.h>

struct record {
	unsigned char trace_id[16];
	unsigned char span_id[8];
	unsigned char valid;
	unsigned char flags;
	unsigned short attrs_bytes;
} __attribute__((packed, aligned(2)));

extern __thread struct record *otel_thread_ctx_v1;
__attribute__((visibility("default"))) __thread struct record *otel_thread_ctx_v1;

static __thread struct record record;

#ifdef ROOM
__attribute__((visibility("default"))) __thread char room[ROOM];
#endif

void publish(unsigned long trace_high, unsigned long trace, unsigned long span, int valid)
{
	otel_thread_ctx_v1 = 0;
	if (!span)
		return;
	memset(&record, 0, sizeof(record));
	for (int i = 0; i < 8; i++) {
		record.trace_id[7 - i] = (unsigned char)(trace_high >> (8 * i));
		record.trace_id[15 - i] = (unsigned char)(trace >> (8 * i));
		record.span_id[7 - i] = (unsigned char)(span >> (8 * i));
	}
	record.valid = (unsigned char)valid;
	record.flags = 1;
	otel_thread_ctx_v1 = valid == AWAY ? (void *)8 : &record;
}
