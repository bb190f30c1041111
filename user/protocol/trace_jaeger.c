/* SPDX-License-Identifier: Apache-2.0 */
/* uber-trace-id, of Jaeger: TRACE:SPAN:PARENT:FLAGS. Source: www.jaegertracing.io, Client Libraries, Propagation Format */
#include <string.h>

#include "protocol/trace_words.h"

#define VALUE_MAX 128
#define FLAG_SAMPLED 1
#define FLAG_DEBUG 2

/* Clients may write it percent-encoded, which changes the colons only. */
static struct trace_word decoded(struct trace_word value, uint8_t room[VALUE_MAX])
{
	size_t used = 0;

	if (!memchr(value.at, '%', value.length))
		return value;
	for (size_t i = 0; i < value.length && used < VALUE_MAX; i++) {
		bool is_colon = value.length - i >= 3 && value.at[i] == '%' &&
				value.at[i + 1] == '3' && (value.at[i + 2] | 0x20) == 'a';

		room[used++] = is_colon ? ':' : value.at[i];
		i += is_colon ? 2 : 0;
	}
	return (struct trace_word){ room, used };
}

static bool is_hex(struct trace_word word)
{
	for (size_t i = 0; i < word.length; i++)
		if (!memchr("0123456789abcdefABCDEF", word.at[i], 22))
			return false;
	return word.length && word.length <= 2 * SPAN_ID_BYTES;
}

/* The IDs may lack their leading zeros. The parent is deprecated, and ignored. */
bool trace_jaeger_read(struct trace_word value, struct trace_context *context)
{
	uint8_t room[VALUE_MAX], flags = 0;
	struct trace_word word;

	if (!value.length || value.length > VALUE_MAX)
		return false;
	value = decoded(value, room);
	if (!trace_word_next(&value, ':', &word) ||
	    !trace_word_hex(word, context->trace_id, TRACE_ID_BYTES) ||
	    !trace_word_next(&value, ':', &word) ||
	    !trace_word_hex(word, context->span_id, SPAN_ID_BYTES) ||
	    !trace_word_next(&value, ':', &word) || !is_hex(word) ||
	    !trace_word_next(&value, ':', &word) || !is_hex(word) || word.length > 2 || value.at)
		return false;
	(void)trace_word_hex(word, &flags, 1); /* 0: nothing but zeros */
	trace_context_set_sampled(context, flags & (FLAG_SAMPLED | FLAG_DEBUG));
	context->pieces |= TRACE_HAS_TRACE_ID | TRACE_HAS_SPAN_ID;
	return true;
}
