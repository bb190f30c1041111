/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "export/otlp.h"
#include "failing_alloc.h"
#include "sample_request.h"
#include "trace_service.pb-c.h"

#define SPANS 12

typedef Opentelemetry__Proto__Collector__Trace__V1__ExportTraceServiceRequest proto_request;
typedef Opentelemetry__Proto__Collector__Trace__V1__ExportTraceServiceResponse proto_response;
typedef Opentelemetry__Proto__Common__V1__KeyValue proto_key_value;

static const struct span_attribute extra[] = { { "host.name", "node-7", 0 } };
static const struct span_resource resource = { extra, 1 };
static const struct wall_clock wall = { 1000000 };

struct batch {
	_Alignas(8) char bytes[SPANS][SPAN_RECORD_MAX];
	struct span_record *records[SPANS];
	struct arena arena;
	struct text_buffer body;
};

/* Spans of two processes in turns. */
static void fill(struct batch *batch)
{
	for (size_t i = 0; i < SPANS; i++) {
		struct sample_request sample;

		sample_request_init(&sample);
		sample.span.span_id[0] = (uint8_t)i;
		if (i % 2)
			sample.process.tgid = 99;
		if (i == 1)
			sample.request.attributes[ATTRIBUTE_ERROR_TYPE] = "500";
		if (i == 2)
			memset(sample.span.parent_span_id, 0, SPAN_ID_BYTES);
		(void)span_record_write(&sample.request, batch->bytes[i]);
		batch->records[i] = (struct span_record *)batch->bytes[i];
	}
}

static int setup(void **state)
{
	*state = calloc(1, sizeof(struct batch));
	fill(*state);
	return 0;
}

static int teardown(void **state)
{
	struct batch *batch = *state;

	arena_done(&batch->arena);
	text_buffer_done(&batch->body);
	free(batch);
	return 0;
}

static proto_request *encode(struct batch *batch)
{
	assert_int_equal(otlp_encode(batch->records, SPANS, &resource, &wall, &batch->arena,
				     &batch->body),
			 0);
	return opentelemetry__proto__collector__trace__v1__export_trace_service_request__unpack(
		NULL, batch->body.length, (const uint8_t *)batch->body.bytes);
}

static const Opentelemetry__Proto__Common__V1__AnyValue *value_of(
	proto_key_value *const *attributes, size_t count, const char *key)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(attributes[i]->key, key) == 0)
			return attributes[i]->value;
	fail_msg("no %s", key);
	return NULL;
}

static void assert_resource(const Opentelemetry__Proto__Resource__V1__Resource *read, int64_t pid)
{
	proto_key_value *const *list = read->attributes;
	size_t count = read->n_attributes;

	assert_int_equal(count, 4);
	assert_string_equal(value_of(list, count, "service.name")->string_value, "shop");
	assert_string_equal(value_of(list, count, "process.executable.name")->string_value,
			    "nginx");
	assert_string_equal(value_of(list, count, "host.name")->string_value, "node-7");
	assert_int_equal(value_of(list, count, "process.pid")->int_value, pid);
}

static void assert_bytes(ProtobufCBinaryData read, const uint8_t *bytes, size_t count)
{
	assert_int_equal(read.len, count);
	if (count)
		assert_memory_equal(read.data, bytes, count);
}

/* Span `number` of the batch. */
static void assert_span(const struct batch *batch, size_t number,
			const Opentelemetry__Proto__Trace__V1__Span *span)
{
	const struct span_identity *identity = &batch->records[number]->identity;
	proto_key_value *const *list = span->attributes;

	assert_bytes(span->trace_id, identity->trace_id, TRACE_ID_BYTES);
	assert_bytes(span->span_id, identity->span_id, SPAN_ID_BYTES);
	assert_bytes(span->parent_span_id, identity->parent_span_id,
		     number == 2 ? 0 : SPAN_ID_BYTES);
	assert_string_equal(span->trace_state, "vendor=\"1\"");
	assert_int_equal(span->n_links, 2);
	assert_int_equal(span->dropped_links_count, 5);
	assert_int_equal(span->links[1]->trace_id.len, TRACE_ID_BYTES);
	assert_int_equal(span->links[1]->trace_id.data[0], 3);
	assert_int_equal(span->links[1]->span_id.len, SPAN_ID_BYTES);
	assert_int_equal(span->links[1]->span_id.data[0], 4);
	assert_string_equal(span->name, "GET /items/{id}");
	assert_int_equal(span->kind, 2);
	assert_int_equal(span->start_time_unix_nano, 1001000);
	assert_int_equal(span->end_time_unix_nano, 1003000);
	assert_int_equal(span->flags, TRACE_FLAG_SAMPLED);
	assert_int_equal(span->status ? span->status->code : 0, number == 1 ? 2 : 0);
	assert_string_equal(value_of(list, span->n_attributes, "url.path")->string_value,
			    "/items/17");
	assert_int_equal(value_of(list, span->n_attributes, "http.response.status_code")->int_value,
			 200);
	assert_string_equal(value_of(list, span->n_attributes, "sonde.join")->string_value,
			    "header");
}

static void spans_are_told_by_process(void **state)
{
	struct batch *batch = *state;
	proto_request *request = encode(batch);

	assert_non_null(request);
	assert_int_equal(request->n_resource_spans, 2);
	for (size_t i = 0; i < 2; i++) {
		const Opentelemetry__Proto__Trace__V1__ResourceSpans *group =
			request->resource_spans[i];

		assert_resource(group->resource, i ? 99 : 77);
		assert_int_equal(group->n_scope_spans, 1);
		assert_string_equal(group->scope_spans[0]->scope->name, "sonde");
		assert_string_equal(group->scope_spans[0]->scope->version, span_scope_version());
		assert_int_equal(group->scope_spans[0]->n_spans, SPANS / 2);
		for (size_t j = 0; j < SPANS / 2; j++)
			assert_span(batch, 2 * j + i, group->scope_spans[0]->spans[j]);
	}
	opentelemetry__proto__collector__trace__v1__export_trace_service_request__free_unpacked(
		request, NULL);
}

static void memory_may_be_short(void **state)
{
	struct batch *batch = *state;

	FOR_EACH_FAILING_ALLOC(nth)
	{
		int error;

		arena_done(&batch->arena);
		text_buffer_done(&batch->body);
		error = otlp_encode(batch->records, SPANS, &resource, &wall, &batch->arena,
				    &batch->body);
		assert_int_equal(error, failing_alloc_has_failed() ? -ENOMEM : 0);
	}
}

static size_t rejected_of(int64_t rejected, const char *why, char ret_why[OTLP_WHY_MAX])
{
	Opentelemetry__Proto__Collector__Trace__V1__ExportTracePartialSuccess partial =
		OPENTELEMETRY__PROTO__COLLECTOR__TRACE__V1__EXPORT_TRACE_PARTIAL_SUCCESS__INIT;
	proto_response response =
		OPENTELEMETRY__PROTO__COLLECTOR__TRACE__V1__EXPORT_TRACE_SERVICE_RESPONSE__INIT;
	uint8_t bytes[512];
	size_t length;

	partial.rejected_spans = rejected;
	partial.error_message = (char *)why;
	response.partial_success = &partial;
	length = opentelemetry__proto__collector__trace__v1__export_trace_service_response__pack(
		&response, bytes);
	return otlp_read_rejected(bytes, length, 10, ret_why);
}

static void answers_say_what_was_rejected(void **state)
{
	static const uint8_t nonsense[] = { 0x0a, 0xff, 0xff };
	char why[OTLP_WHY_MAX];

	(void)state;
	assert_int_equal(otlp_read_rejected((const uint8_t *)"", 0, 10, why), 0);
	assert_string_equal(why, "");
	assert_int_equal(otlp_read_rejected(nonsense, sizeof(nonsense), 10, why), 0);
	assert_int_equal(rejected_of(3, "too old\n", why), 3);
	assert_string_equal(why, "too old_");
	assert_int_equal(rejected_of(11, "", why), 10);
	assert_int_equal(rejected_of(-1, "", why), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(spans_are_told_by_process, setup, teardown),
		cmocka_unit_test_setup_teardown(memory_may_be_short, setup, teardown),
		cmocka_unit_test(answers_say_what_was_rejected),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
