/* SPDX-License-Identifier: Apache-2.0 */
/* The `ot` member of a tracestate: how probable it was that a span is kept. Pure.
 * Source: OpenTelemetry specification, TraceState: Probability Sampling, and TraceState Handling */
#ifndef SONDE_PROTOCOL_TRACE_PROBABILITY_H
#define SONDE_PROTOCOL_TRACE_PROBABILITY_H

#include "protocol/trace_context.h"

/* A span is kept when its randomness is not below the threshold; both have 56 bits. */
#define TRACE_THRESHOLD_NEVER (1ull << 56)

struct trace_probability {
	uint64_t threshold;  /* th */
	uint64_t randomness; /* rv, instead of the trace ID's */
	bool has_threshold;  /* else what a span counts for is not known */
	bool has_randomness;
};

/* What the member says; nothing, where it is malformed. tracestate: NULL: none */
void trace_probability_read(const char *tracestate, struct trace_probability *ret_probability);

/* The trace ID's last 7 bytes (W3C Trace Context Level 2, section 5.2.2). */
uint64_t trace_randomness(const uint8_t trace_id[TRACE_ID_BYTES]);

/* The same list with this probability in it, in front (W3C Trace Context, section 3.5). What else `ot` and others said is kept,
 * from the front, as much as has room.
 *
 * tracestate  NULL: none
 * Returns     its bytes; 0: there is nothing to say */
size_t trace_probability_write(const char *tracestate, const struct trace_probability *probability,
			       char ret_text[TRACESTATE_MAX + 1]);

#endif
