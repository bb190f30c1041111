/* SPDX-License-Identifier: Apache-2.0 */
/* b3 and X-B3-*, of Zipkin. Source: github.com/openzipkin/b3-propagation, README */
#include "protocol/trace_words.h"

#define B3_ID_DIGITS 16

static bool read_trace_id(struct trace_word word, struct trace_context *context)
{
	if (word.length != B3_ID_DIGITS && word.length != 2 * B3_ID_DIGITS)
		return false;
	if (!trace_word_hex(word, context->trace_id, TRACE_ID_BYTES))
		return false;
	context->pieces |= TRACE_HAS_TRACE_ID | TRACE_WANTS_SPAN_ID;
	return true;
}

static bool read_span_id(struct trace_word word, struct trace_context *context)
{
	if (word.length != B3_ID_DIGITS || !trace_word_hex(word, context->span_id, SPAN_ID_BYTES))
		return false;
	context->pieces |= TRACE_HAS_SPAN_ID | TRACE_WANTS_SPAN_ID;
	return true;
}

/* "true" and "false": from before the specification, which asks that they be understood. */
static bool read_state(struct trace_word word, struct trace_context *context)
{
	bool is_accepted =
		trace_word_is(word, "1") || trace_word_is(word, "d") || trace_word_is(word, "true");

	if (!is_accepted && !trace_word_is(word, "0") && !trace_word_is(word, "false"))
		return false;
	if (!(context->pieces & TRACE_IS_FORCED))
		trace_context_set_sampled(context, is_accepted);
	return true;
}

/* TRACE-SPAN[-STATE[-PARENT]], or a state alone: a decision without a trace. */
bool trace_b3_read(struct trace_word value, struct trace_context *context)
{
	struct trace_word word, parent;
	uint8_t parent_id[SPAN_ID_BYTES];

	if (value.length == 1)
		return read_state(value, context);
	if (!trace_word_next(&value, '-', &word) || !read_trace_id(word, context) ||
	    !trace_word_next(&value, '-', &word) || !read_span_id(word, context))
		return false;
	if (!trace_word_next(&value, '-', &word))
		return true;
	if (!read_state(word, context))
		return false;
	return !trace_word_next(&value, '-', &parent) ||
	       (parent.length == B3_ID_DIGITS && trace_word_hex(parent, parent_id, SPAN_ID_BYTES) &&
		!value.at);
}

bool trace_b3_read_trace_id(struct trace_word value, struct trace_context *context)
{
	return read_trace_id(value, context);
}

bool trace_b3_read_span_id(struct trace_word value, struct trace_context *context)
{
	return read_span_id(value, context);
}

bool trace_b3_read_sampled(struct trace_word value, struct trace_context *context)
{
	return read_state(value, context);
}

/* 1: debug, which implies sampled. */
bool trace_b3_read_flags(struct trace_word value, struct trace_context *context)
{
	if (trace_word_is(value, "0"))
		return true;
	if (!trace_word_is(value, "1"))
		return false;
	context->pieces |= TRACE_IS_FORCED;
	trace_context_set_sampled(context, true);
	return true;
}
