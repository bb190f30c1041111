/* SPDX-License-Identifier: Apache-2.0 */
/* X-Amzn-Trace-Id, of AWS X-Ray: Root=1-TIME-UNIQUE;Parent=SPAN;Sampled=1, in any order.
 * Source: docs.aws.amazon.com/xray, Tracing header */
#include <string.h>

#include "protocol/trace_words.h"

#define TIME_DIGITS 8
#define UNIQUE_DIGITS 24

static bool read_root(struct trace_word word, struct trace_context *context)
{
	uint8_t digits[TIME_DIGITS + UNIQUE_DIGITS];
	struct trace_word version, time;

	if (!trace_word_next(&word, '-', &version) || !trace_word_is(version, "1") ||
	    !trace_word_next(&word, '-', &time) || time.length != TIME_DIGITS ||
	    word.length != UNIQUE_DIGITS)
		return false;
	memcpy(digits, time.at, TIME_DIGITS);
	memcpy(digits + TIME_DIGITS, word.at, UNIQUE_DIGITS);
	if (!trace_word_hex((struct trace_word){ digits, sizeof(digits) }, context->trace_id,
			    TRACE_ID_BYTES))
		return false;
	context->pieces |= TRACE_HAS_TRACE_ID;
	return true;
}

static bool read_parent(struct trace_word word, struct trace_context *context)
{
	if (word.length != 2 * SPAN_ID_BYTES ||
	    !trace_word_hex(word, context->span_id, SPAN_ID_BYTES))
		return false;
	context->pieces |= TRACE_HAS_SPAN_ID;
	return true;
}

/* Load balancers send a root alone, or with a `Self` of their own; `Sampled=?` asks the answer to say. */
static bool read_member(struct trace_word name, struct trace_word value,
			struct trace_context *context)
{
	if (trace_word_is(name, "Root"))
		return read_root(value, context);
	if (trace_word_is(name, "Parent"))
		return read_parent(value, context);
	if (trace_word_is(name, "Sampled"))
		trace_context_set_sampled(context, !trace_word_is(value, "0"));
	return true;
}

bool trace_amazon_read(struct trace_word value, struct trace_context *context)
{
	struct trace_word member, name;

	while (trace_word_next(&value, ';', &member)) {
		while (member.length && *member.at == ' ') {
			member.at++;
			member.length--;
		}
		if (!trace_word_next(&member, '=', &name))
			return false;
		if (member.at && !read_member(name, member, context))
			return false;
	}
	return context->pieces & TRACE_HAS_TRACE_ID;
}
