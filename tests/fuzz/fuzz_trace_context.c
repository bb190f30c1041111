/* SPDX-License-Identifier: Apache-2.0 */
/* Fields of a request, a line each, through the table of trace contexts. */
#include <stdlib.h>
#include <string.h>

#include "protocol/trace_probability.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_zero(const uint8_t *bytes, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (bytes[i])
			return false;
	return true;
}

/* What is written is read again. */
static void check_probability(const char *tracestate)
{
	struct trace_probability probability, again;
	char text[TRACESTATE_MAX + 1];

	trace_probability_read(tracestate, &probability);
	if (probability.threshold >= TRACE_THRESHOLD_NEVER)
		abort();
	if (trace_probability_write(tracestate, &probability, text) != strlen(text))
		abort();
	trace_probability_read(text, &again);
	if (again.has_threshold != probability.has_threshold ||
	    again.has_randomness != probability.has_randomness ||
	    (again.has_threshold && again.threshold != probability.threshold) ||
	    (again.has_randomness && again.randomness != probability.randomness))
		abort();
}

static void check(const struct trace_context *context, const struct trace_texts *texts)
{
	if (context->tracestate_bytes && strlen(texts->tracestate) != context->tracestate_bytes)
		abort();
	if (context->tracestate_bytes)
		check_probability(texts->tracestate);
	if (context->request_id_bytes && strlen(texts->request_id) != context->request_id_bytes)
		abort();
	if (!trace_context_is_whole(context))
		return;
	if (context->format >= TRACE_FORMAT_COUNT || is_zero(context->trace_id, TRACE_ID_BYTES))
		abort();
	if (context->pieces & TRACE_HAS_SPAN_ID && is_zero(context->span_id, SPAN_ID_BYTES))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct trace_context context = { 0 };
	struct trace_texts texts;

	while (size) {
		const uint8_t *end = memchr(data, '\n', size);
		size_t length = end ? (size_t)(end - data) : size;
		uint8_t *copy = malloc(length + !length);

		if (!copy)
			abort();
		memcpy(copy, data, length);
		trace_context_take_line(&context, &texts, copy, length, length % 16 == 15);
		free(copy);
		check(&context, &texts);
		data += length + (end != NULL);
		size -= length + (end != NULL);
	}
	return 0;
}
