/* SPDX-License-Identifier: Apache-2.0 */
/* Source: OTLP specification 1.x, "JSON Protobuf Encoding": names in lowerCamelCase, IDs in hex, enums as numbers, 64-bit
 * numbers as strings. */
#include "export/span_ndjson.h"

#include <stdio.h>
#include <string.h>

#include "base/hex.h"

static void append_text(struct text_buffer *buffer, const char *text)
{
	text_append(buffer, "\"", 1);
	while (*text) {
		size_t plain = strcspn(text, "\"\\");

		text_append(buffer, text, plain);
		text += plain;
		if (*text) {
			text_append(buffer, "\\", 1);
			text_append(buffer, text++, 1);
		}
	}
	text_append(buffer, "\"", 1);
}

static void append_id(struct text_buffer *buffer, const char *key, const uint8_t *id, size_t bytes)
{
	char text[2 * TRACE_ID_BYTES + 1]; /* the longest of them */

	text_append_string(buffer, key);
	hex_write(text, id, bytes);
	text_append_string(buffer, text);
	text_append(buffer, "\"", 1);
}

static void append_number(struct text_buffer *buffer, const char *key, uint64_t number)
{
	text_append_string(buffer, key);
	text_append_u64(buffer, number);
}

static void append_attributes(struct text_buffer *buffer, const struct span_attribute *attributes,
			      size_t count)
{
	text_append_string(buffer, "\"attributes\":[");
	for (size_t i = 0; i < count; i++) {
		text_append_string(buffer, i ? ",{\"key\":\"" : "{\"key\":\"");
		text_append_string(buffer, attributes[i].key);
		text_append_string(buffer, "\",\"value\":{");
		if (span_attribute_is_list(&attributes[i])) {
			text_append_string(buffer, "\"arrayValue\":{\"values\":[{\"stringValue\":");
			append_text(buffer, attributes[i].text);
			text_append_string(buffer, "}]}");
		} else if (attributes[i].text) {
			text_append_string(buffer, "\"stringValue\":");
			append_text(buffer, attributes[i].text);
		} else {
			append_number(buffer, "\"intValue\":\"", (uint64_t)attributes[i].number);
			text_append(buffer, "\"", 1);
		}
		text_append_string(buffer, "}}");
	}
	text_append(buffer, "]", 1);
}

static void append_links(struct text_buffer *buffer, const struct span_fields *fields)
{
	text_append_string(buffer, ",\"links\":[");
	for (size_t i = 0; i < fields->link_count; i++) {
		append_id(buffer, i ? ",{\"traceId\":\"" : "{\"traceId\":\"",
			  fields->links[i].trace_id, TRACE_ID_BYTES);
		append_id(buffer, ",\"spanId\":\"", fields->links[i].span_id, SPAN_ID_BYTES);
		text_append(buffer, "}", 1);
	}
	text_append(buffer, "]", 1);
}

static void append_span(struct text_buffer *buffer, const struct span_record *record,
			const struct span_fields *fields, const struct wall_clock *clock)
{
	static const uint8_t none[SPAN_ID_BYTES];
	const struct span_identity *identity = &record->identity;

	append_id(buffer, "{\"traceId\":\"", identity->trace_id, TRACE_ID_BYTES);
	append_id(buffer, ",\"spanId\":\"", identity->span_id, SPAN_ID_BYTES);
	if (memcmp(identity->parent_span_id, none, SPAN_ID_BYTES))
		append_id(buffer, ",\"parentSpanId\":\"", identity->parent_span_id, SPAN_ID_BYTES);
	if (fields->tracestate) {
		text_append_string(buffer, ",\"traceState\":");
		append_text(buffer, fields->tracestate);
	}
	if (fields->link_count)
		append_links(buffer, fields);
	if (record->links_dropped)
		append_number(buffer, ",\"droppedLinksCount\":", record->links_dropped);
	append_number(buffer, ",\"flags\":", identity->flags);
	text_append_string(buffer, ",\"name\":");
	append_text(buffer, fields->name);
	append_number(buffer, ",\"kind\":", (uint64_t)fields->kind);
	append_number(buffer, ",\"startTimeUnixNano\":\"", wall_clock_ns(clock, record->start_ns));
	append_number(buffer, "\",\"endTimeUnixNano\":\"", wall_clock_ns(clock, record->end_ns));
	text_append_string(buffer, "\",");
	append_attributes(buffer, fields->attributes, fields->attribute_count);
	text_append_string(buffer,
			   fields->is_error ? ",\"status\":{\"code\":2}}" : ",\"status\":{}}");
}

void span_ndjson_append(struct span_record *record, const struct span_resource *resource,
			const struct wall_clock *clock, struct arena *arena,
			struct text_buffer *buffer)
{
	struct span_attribute attributes[SPAN_RESOURCE_MAX];
	struct span_fields fields;

	span_fields_read(record, arena, &fields);
	text_append_string(buffer, "{\"resourceSpans\":[{\"resource\":{");
	append_attributes(buffer, attributes,
			  span_resource_read(resource, record, &fields, attributes));
	text_append_string(buffer, "},\"scopeSpans\":[{\"scope\":{\"name\":\"" SPAN_SCOPE
				   "\",\"version\":");
	append_text(buffer, span_scope_version());
	text_append_string(buffer, "},\"spans\":[");
	append_span(buffer, record, &fields, clock);
	text_append_string(buffer, "]}]}]}\n");
}
