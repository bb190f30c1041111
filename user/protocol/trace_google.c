/* SPDX-License-Identifier: Apache-2.0 */
/* X-Cloud-Trace-Context, of Google Cloud: TRACE[/SPAN][;o=OPTIONS], the span as a decimal number.
 * Source: cloud.google.com/trace/docs/trace-context */
#include "protocol/trace_words.h"

#define OPTION_TRACED 1

static bool read_span_id(struct trace_word word, struct trace_context *context)
{
	uint64_t number;

	if (!trace_word_number(word, &number))
		return false;
	if (!number)
		return true;
	for (unsigned i = 0; i < SPAN_ID_BYTES; i++)
		context->span_id[i] = (uint8_t)(number >> (56 - 8 * i));
	context->pieces |= TRACE_HAS_SPAN_ID;
	return true;
}

static bool read_options(struct trace_word word, struct trace_context *context)
{
	struct trace_word name;
	uint64_t options;

	if (!trace_word_next(&word, '=', &name) || !trace_word_is(name, "o") || !word.at ||
	    !trace_word_number(word, &options))
		return false;
	trace_context_set_sampled(context, options & OPTION_TRACED);
	return true;
}

bool trace_google_read(struct trace_word value, struct trace_context *context)
{
	struct trace_word ids, trace;

	if (!trace_word_next(&value, ';', &ids) || !trace_word_next(&ids, '/', &trace) ||
	    trace.length != 2 * TRACE_ID_BYTES ||
	    !trace_word_hex(trace, context->trace_id, TRACE_ID_BYTES))
		return false;
	context->pieces |= TRACE_HAS_TRACE_ID;
	if (ids.at && !read_span_id(ids, context))
		return false;
	return !value.at || read_options(value, context);
}
