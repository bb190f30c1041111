/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <string.h>

#include "export/span_ndjson.h"
#include "failing_alloc.h"
#include "sample_request.h"

static const struct span_attribute extra[] = { { "host.name", "node \"7\"\\", 0 } };
static const struct span_resource resource = { extra, 1 };
static const struct wall_clock wall = { 1000000 };

static void write_line(struct sample_request *sample, struct arena *arena,
		       struct text_buffer *buffer)
{
	_Alignas(8) char record[SPAN_RECORD_MAX];

	(void)span_record_write(&sample->request, record);
	span_ndjson_append((struct span_record *)record, &resource, &wall, arena, buffer);
}

static json_t *first(json_t *object, const char *key)
{
	json_t *list = json_object_get(object, key);

	assert_int_equal(json_array_size(list), 1);
	return json_array_get(list, 0);
}

static const char *text_of(json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

/* The value of an attribute, as OTLP/JSON types it. */
static const char *attribute_of(json_t *object, const char *key, const char *type)
{
	json_t *attribute;
	size_t i;

	json_array_foreach(json_object_get(object, "attributes"), i, attribute)
		if (strcmp(text_of(attribute, "key"), key) == 0)
			return text_of(json_object_get(attribute, "value"), type);
	return NULL;
}

static void a_line_is_a_message_of_one_span(void **state)
{
	struct text_buffer buffer = { 0 };
	struct arena arena = { 0 };
	struct sample_request sample;
	json_t *line, *of_resource, *of_scope, *span, *link;

	(void)state;
	sample_request_init(&sample);
	sample.request.attributes[ATTRIBUTE_ERROR_TYPE] = "500";
	write_line(&sample, &arena, &buffer);
	assert_int_equal(buffer.bytes[buffer.length - 1], '\n');
	line = json_loadb(buffer.bytes, buffer.length, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(line);
	of_resource = first(line, "resourceSpans");
	assert_string_equal(attribute_of(json_object_get(of_resource, "resource"), "host.name",
					 "stringValue"),
			    "node \"7\"\\");
	assert_string_equal(attribute_of(json_object_get(of_resource, "resource"), "process.pid",
					 "intValue"),
			    "77");
	of_scope = first(of_resource, "scopeSpans");
	assert_string_equal(text_of(json_object_get(of_scope, "scope"), "name"), "sonde");
	span = first(of_scope, "spans");
	assert_string_equal(text_of(span, "traceId"), "a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1");
	assert_string_equal(text_of(span, "spanId"), "b2b2b2b2b2b2b2b2");
	assert_string_equal(text_of(span, "parentSpanId"), "c3c3c3c3c3c3c3c3");
	assert_string_equal(text_of(span, "traceState"), "vendor=\"1\"");
	assert_int_equal(json_array_size(json_object_get(span, "links")), 2);
	assert_int_equal(json_integer_value(json_object_get(span, "droppedLinksCount")), 5);
	link = json_array_get(json_object_get(span, "links"), 1);
	assert_string_equal(text_of(link, "traceId"), "03000000000000000000000000000000");
	assert_string_equal(text_of(link, "spanId"), "0400000000000000");
	assert_string_equal(text_of(span, "startTimeUnixNano"), "1001000");
	assert_string_equal(text_of(span, "endTimeUnixNano"), "1003000");
	assert_int_equal(json_integer_value(json_object_get(span, "kind")), 2);
	assert_int_equal(json_integer_value(json_object_get(span, "flags")), 1);
	assert_int_equal(
		json_integer_value(json_object_get(json_object_get(span, "status"), "code")), 2);
	assert_string_equal(attribute_of(span, "http.response.status_code", "intValue"), "200");
	assert_string_equal(attribute_of(span, "error.type", "stringValue"), "500");
	json_decref(line);
	arena_done(&arena);
	text_buffer_done(&buffer);
}

static void a_trace_may_begin_here(void **state)
{
	struct text_buffer buffer = { 0 };
	struct arena arena = { 0 };
	struct sample_request sample;

	(void)state;
	sample_request_init(&sample);
	memset(sample.span.parent_span_id, 0, SPAN_ID_BYTES);
	write_line(&sample, &arena, &buffer);
	text_append(&buffer, "", 1);
	assert_null(strstr(buffer.bytes, "parentSpanId"));
	assert_non_null(strstr(buffer.bytes, "\"status\":{}"));
	arena_done(&arena);
	text_buffer_done(&buffer);
}

static void memory_may_be_short(void **state)
{
	struct sample_request sample;

	(void)state;
	sample_request_init(&sample);
	FOR_EACH_FAILING_ALLOC(nth)
	{
		struct text_buffer buffer = { 0 };
		struct arena arena = { 0 };

		write_line(&sample, &arena, &buffer);
		assert_int_equal(arena.has_failed || buffer.has_failed, failing_alloc_has_failed());
		arena_done(&arena);
		text_buffer_done(&buffer);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_is_a_message_of_one_span),
		cmocka_unit_test(a_trace_may_begin_here),
		cmocka_unit_test(memory_may_be_short),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
