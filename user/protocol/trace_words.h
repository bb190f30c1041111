/* SPDX-License-Identifier: Apache-2.0 */
/* What the formats of trace contexts are made of. For trace_*.c. */
#ifndef SONDE_PROTOCOL_TRACE_WORDS_H
#define SONDE_PROTOCOL_TRACE_WORDS_H

#include "protocol/trace_context.h"

/* A piece of a value. */
struct trace_word {
	const uint8_t *at;
	size_t length;
};

/* Take what is in front of the next `separator`, or all that is left, off the value. Returns false when nothing is left: a
 * separator at the end has an empty word behind it. */
bool trace_word_next(struct trace_word *rest, char separator, struct trace_word *ret_word);

/* Read hexadecimal digits, of either case, into all of ret_bytes, with zeros in front when there are fewer.
 * Returns false when there is none, one too many, another character, or nothing but zeros. */
bool trace_word_hex(struct trace_word word, uint8_t *ret_bytes, size_t count);

/* A decimal number without sign. Returns false when it is none or does not fit. */
bool trace_word_number(struct trace_word word, uint64_t *ret_number);

bool trace_word_is(struct trace_word word, const char *text);

void trace_context_set_sampled(struct trace_context *context, bool is_sampled);

/* One field a format. They are given an empty context; false: the value is malformed. What says nothing of a trace but is right
 * leaves it empty. */
bool trace_w3c_read(struct trace_word value, struct trace_context *context);
bool trace_b3_read(struct trace_word value, struct trace_context *context);
bool trace_jaeger_read(struct trace_word value, struct trace_context *context);
bool trace_skywalking_read(struct trace_word value, struct trace_context *context);
bool trace_amazon_read(struct trace_word value, struct trace_context *context);
bool trace_google_read(struct trace_word value, struct trace_context *context);

/* Several fields, in any order: they add to the context. */
bool trace_b3_read_trace_id(struct trace_word value, struct trace_context *context);
bool trace_b3_read_span_id(struct trace_word value, struct trace_context *context);
bool trace_b3_read_sampled(struct trace_word value, struct trace_context *context);
bool trace_b3_read_flags(struct trace_word value, struct trace_context *context);

/* Keep the list that goes with traceparent, as much of it as has room, whole members only. Several fields are one list. */
void trace_w3c_keep_state(struct trace_word value, bool is_cut, struct trace_context *context,
			  char text[TRACESTATE_MAX + 1]);

#endif
