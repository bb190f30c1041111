/* SPDX-License-Identifier: Apache-2.0 */
/* The fields that tell of a trace, one row each, and which of several counts. */
#include "protocol/trace_context.h"

#include <string.h>
#include <strings.h>

#include "protocol/trace_words.h"

struct field {
	const char *name;
	size_t length;
	/* NULL: see trace_context_take */
	bool (*read)(struct trace_word value, struct trace_context *context);
	enum trace_format format;
	bool is_piece; /* one of several that make the context */
};

#define FIELD(name, read, format, is_piece)                    \
	{                                                      \
		name, sizeof(name) - 1, read, format, is_piece \
	}

static const struct field fields[] = {
	FIELD("traceparent", trace_w3c_read, TRACE_FORMAT_W3C, false),
	FIELD("tracestate", NULL, TRACE_FORMAT_W3C, true),
	FIELD("b3", trace_b3_read, TRACE_FORMAT_B3, false),
	FIELD("x-b3-traceid", trace_b3_read_trace_id, TRACE_FORMAT_B3_MULTI, true),
	FIELD("x-b3-spanid", trace_b3_read_span_id, TRACE_FORMAT_B3_MULTI, true),
	FIELD("x-b3-sampled", trace_b3_read_sampled, TRACE_FORMAT_B3_MULTI, true),
	FIELD("x-b3-flags", trace_b3_read_flags, TRACE_FORMAT_B3_MULTI, true),
	FIELD("uber-trace-id", trace_jaeger_read, TRACE_FORMAT_JAEGER, false),
	FIELD("sw8", trace_skywalking_read, TRACE_FORMAT_SKYWALKING, false),
	FIELD("x-amzn-trace-id", trace_amazon_read, TRACE_FORMAT_AMAZON, false),
	FIELD("x-cloud-trace-context", trace_google_read, TRACE_FORMAT_GOOGLE, false),
	FIELD("x-request-id", NULL, TRACE_FORMAT_COUNT, true),
};

bool trace_context_may_begin(uint8_t letter)
{
	static const bool letters[32] = { ['t' & 31] = true,
					  ['b' & 31] = true,
					  ['x' & 31] = true,
					  ['u' & 31] = true,
					  ['s' & 31] = true };

	return letters[letter & 31];
}

static const struct field *field_of(const uint8_t *name, size_t length)
{
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		if (fields[i].length == length &&
		    strncasecmp(fields[i].name, (const char *)name, length) == 0)
			return &fields[i];
	return NULL;
}

/* Shown as an attribute: visible characters only. */
static void keep_request_id(struct trace_word value, struct trace_context *context,
			    struct trace_texts *texts)
{
	if (!value.length || value.length > REQUEST_ID_MAX)
		return;
	for (size_t i = 0; i < value.length; i++)
		if (value.at[i] < ' ' || value.at[i] > '~')
			return;
	memcpy(texts->request_id, value.at, value.length);
	texts->request_id[value.length] = '\0';
	context->request_id_bytes = (uint8_t)value.length;
}

static bool has_context(const struct trace_context *context)
{
	return context->pieces & (TRACE_HAS_TRACE_ID | TRACE_HAS_SPAN_ID);
}

/* The context of the fields read before, or an empty one; what is known beside the context stays. */
static struct trace_context start_from(const struct trace_context *context,
				       const struct field *field)
{
	struct trace_context next = *context;

	if (field->is_piece && (next.format == field->format || !has_context(context))) {
		next.format = (uint8_t)field->format;
		return next;
	}
	memset(next.trace_id, 0, sizeof(next.trace_id));
	memset(next.span_id, 0, sizeof(next.span_id));
	next.flags = TRACE_FLAG_SAMPLED;
	next.format = (uint8_t)field->format;
	next.pieces = TRACE_HAS_FIELDS;
	return next;
}

/* Twice the same field: nobody can say which is right (W3C §3.2.1 restarts the trace then). */
static void take_context(struct trace_context *context, const struct field *field,
			 struct trace_word value)
{
	struct trace_context next = start_from(context, field);
	bool is_again =
		has_context(context) && context->format == field->format && !field->is_piece;

	if (has_context(context) && context->format < field->format)
		return;
	if (is_again || !field->read(value, &next)) {
		context->ignored |= (uint8_t)(1u << field->format);
		if (context->format == field->format)
			context->pieces = TRACE_HAS_FIELDS;
		return;
	}
	if (!has_context(&next) &&
	    has_context(context)) /* a decision alone, beside a whole context */
		return;
	*context = next;
}

void trace_context_take(struct trace_context *context, struct trace_texts *texts,
			const uint8_t *name, size_t name_length, const uint8_t *value,
			size_t length, bool is_cut)
{
	const struct field *field = texts ? field_of(name, name_length) : NULL;
	struct trace_word word = { value, length };

	if (!field)
		return;
	if (!(context->pieces & TRACE_HAS_FIELDS)) {
		context->flags = TRACE_FLAG_SAMPLED;
		context->pieces = TRACE_HAS_FIELDS;
	}
	if (field->format == TRACE_FORMAT_COUNT) {
		if (!is_cut)
			keep_request_id(word, context, texts);
	} else if (!field->read) {
		trace_w3c_keep_state(word, is_cut, context, texts->tracestate);
	} else if (is_cut) {
		context->ignored |= (uint8_t)(1u << field->format);
	} else {
		take_context(context, field, word);
	}
}

void trace_context_take_line(struct trace_context *context, struct trace_texts *texts,
			     const uint8_t *line, size_t length, bool is_cut)
{
	const uint8_t *colon = memchr(line, ':', length), *value, *end = line + length;

	if (!colon)
		return;
	value = colon + 1;
	while (value < end && (*value == ' ' || *value == '\t'))
		value++;
	while (end > value && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	trace_context_take(context, texts, line, (size_t)(colon - line), value,
			   (size_t)(end - value), is_cut);
}
