/* SPDX-License-Identifier: Apache-2.0 */
/* Builds the tree of messages that protobuf-c packs. Its texts stay where they are, in the records. */
#include "export/otlp.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "correlate/shown_text.h"
#include "export/otlp_attributes.h"
#include "trace_service.pb-c.h"

/* protoc-c joins package and message names. */
#define proto_scope Opentelemetry__Proto__Common__V1__InstrumentationScope
#define proto_resource Opentelemetry__Proto__Resource__V1__Resource
#define proto_resource_spans Opentelemetry__Proto__Trace__V1__ResourceSpans
#define proto_scope_spans Opentelemetry__Proto__Trace__V1__ScopeSpans
#define proto_span Opentelemetry__Proto__Trace__V1__Span
#define proto_link Opentelemetry__Proto__Trace__V1__Span__Link
#define proto_status Opentelemetry__Proto__Trace__V1__Status
#define proto_request Opentelemetry__Proto__Collector__Trace__V1__ExportTraceServiceRequest
#define proto_response Opentelemetry__Proto__Collector__Trace__V1__ExportTraceServiceResponse

/* The spans of one process. */
struct group {
	struct proto_resource_spans spans;
	struct proto_scope_spans scope_spans;
	struct proto_scope_spans *scope_list[1];
	struct proto_resource resource;
	const char *service;
	uint32_t tgid;
	size_t room; /* of scope_spans.spans */
};

struct tree {
	struct arena *arena;
	const struct span_resource *resource;
	const struct wall_clock *clock;
	struct proto_scope scope;
	struct group **groups;
	size_t group_count;
	size_t span_count;
};

static bool is_group_of(const struct group *group, const struct span_record *record,
			const struct span_fields *fields)
{
	return group->tgid == record->tgid && strcmp(group->service, fields->service) == 0;
}

static struct group *group_new(struct tree *tree, const struct span_record *record,
			       const struct span_fields *fields)
{
	struct span_attribute attributes[SPAN_RESOURCE_MAX];
	size_t count = span_resource_read(tree->resource, record, fields, attributes);
	struct group *group = arena_take(tree->arena, sizeof(*group));

	if (!group)
		return NULL;
	opentelemetry__proto__trace__v1__resource_spans__init(&group->spans);
	opentelemetry__proto__trace__v1__scope_spans__init(&group->scope_spans);
	opentelemetry__proto__resource__v1__resource__init(&group->resource);
	group->service = fields->service;
	group->tgid = record->tgid;
	group->resource.attributes = otlp_attributes(tree->arena, attributes, count);
	group->resource.n_attributes = group->resource.attributes ? count : 0;
	group->scope_list[0] = &group->scope_spans;
	group->scope_spans.scope = &tree->scope;
	group->spans.resource = &group->resource;
	group->spans.scope_spans = group->scope_list;
	group->spans.n_scope_spans = 1;
	tree->groups[tree->group_count++] = group;
	return group;
}

/* Newest first: requests of a process come together. */
static struct group *group_of(struct tree *tree, const struct span_record *record,
			      const struct span_fields *fields)
{
	for (size_t i = tree->group_count; i-- > 0;)
		if (is_group_of(tree->groups[i], record, fields))
			return tree->groups[i];
	return group_new(tree, record, fields);
}

/* What a list outgrew stays in the arena: all of them together are no longer than the last. */
static void group_add(struct tree *tree, struct group *group, struct proto_span *span)
{
	struct proto_scope_spans *list = &group->scope_spans;

	if (list->n_spans == group->room) {
		size_t room = group->room ? group->room * 2 : 8;
		struct proto_span **spans = arena_take(tree->arena, room * sizeof(span));

		if (!spans)
			return;
		if (list->n_spans)
			memcpy(spans, list->spans, list->n_spans * sizeof(span));
		list->spans = spans;
		group->room = room;
	}
	list->spans[list->n_spans++] = span;
}

/* Returns how many could be made. */
static size_t make_links(struct arena *arena, const struct span_fields *fields,
			 struct proto_link ***ret_links)
{
	struct proto_link **list = arena_take(arena, fields->link_count * sizeof(*list));
	struct proto_link *links = arena_take(arena, fields->link_count * sizeof(*links));

	if (!list || !links)
		return 0;
	for (size_t i = 0; i < fields->link_count; i++) {
		const struct span_link *link = &fields->links[i];

		opentelemetry__proto__trace__v1__span__link__init(&links[i]);
		links[i].trace_id =
			(ProtobufCBinaryData){ TRACE_ID_BYTES, (uint8_t *)link->trace_id };
		links[i].span_id = (ProtobufCBinaryData){ SPAN_ID_BYTES, (uint8_t *)link->span_id };
		list[i] = &links[i];
	}
	*ret_links = list;
	return fields->link_count;
}

static struct proto_span *make_span(struct tree *tree, struct span_record *record,
				    const struct span_fields *fields)
{
	struct proto_span *span = arena_take(tree->arena, sizeof(*span));
	struct proto_status *status = arena_take(tree->arena, sizeof(*status));
	struct span_identity *identity = &record->identity;

	if (!span || !status)
		return NULL;
	opentelemetry__proto__trace__v1__span__init(span);
	span->trace_id = (ProtobufCBinaryData){ TRACE_ID_BYTES, identity->trace_id };
	span->span_id = (ProtobufCBinaryData){ SPAN_ID_BYTES, identity->span_id };
	if (!trace_id_is_none(identity->parent_span_id, SPAN_ID_BYTES))
		span->parent_span_id =
			(ProtobufCBinaryData){ SPAN_ID_BYTES, identity->parent_span_id };
	if (fields->tracestate)
		span->trace_state = (char *)fields->tracestate;
	if (fields->link_count)
		span->n_links = make_links(tree->arena, fields, &span->links);
	span->dropped_links_count = record->links_dropped;
	span->name = (char *)fields->name;
	span->kind = (Opentelemetry__Proto__Trace__V1__Span__SpanKind)fields->kind;
	span->start_time_unix_nano = wall_clock_ns(tree->clock, record->start_ns);
	span->end_time_unix_nano = wall_clock_ns(tree->clock, record->end_ns);
	span->flags = identity->flags;
	span->attributes =
		otlp_attributes(tree->arena, fields->attributes, fields->attribute_count);
	span->n_attributes = span->attributes ? fields->attribute_count : 0;
	if (fields->is_error) {
		opentelemetry__proto__trace__v1__status__init(status);
		status->code =
			OPENTELEMETRY__PROTO__TRACE__V1__STATUS__STATUS_CODE__STATUS_CODE_ERROR;
		span->status = status;
	}
	return span;
}

static void add_record(struct tree *tree, struct span_record *record)
{
	struct span_fields fields;
	struct proto_span *span;
	struct group *group;

	span_fields_read(record, tree->arena, &fields);
	group = group_of(tree, record, &fields);
	span = make_span(tree, record, &fields);
	if (group && span)
		group_add(tree, group, span);
}

static int pack(const struct tree *tree, struct text_buffer *ret_body)
{
	struct proto_request request;

	opentelemetry__proto__collector__trace__v1__export_trace_service_request__init(&request);
	request.resource_spans = (struct proto_resource_spans **)tree->groups;
	request.n_resource_spans = tree->group_count;
	return otlp_pack(&request.base, ret_body);
}

int otlp_encode(struct span_record *const *records, size_t count,
		const struct span_resource *resource, const struct wall_clock *clock,
		struct arena *arena, struct text_buffer *ret_body)
{
	struct tree tree = { .arena = arena, .resource = resource, .clock = clock };

	_Static_assert(offsetof(struct group, spans) == 0,
		       "a list of groups is one of their spans");
	otlp_scope_init(&tree.scope);
	tree.groups = arena_take(arena, count * sizeof(struct group *));
	if (!tree.groups)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		add_record(&tree, records[i]);
	return arena->has_failed ? -ENOMEM : pack(&tree, ret_body);
}

size_t otlp_read_rejected(const uint8_t *bytes, size_t length, size_t count,
			  char ret_why[OTLP_WHY_MAX])
{
	struct proto_response *response =
		opentelemetry__proto__collector__trace__v1__export_trace_service_response__unpack(
			NULL, length, bytes);
	size_t rejected = 0;

	ret_why[0] = '\0';
	if (response && response->partial_success) {
		int64_t said = response->partial_success->rejected_spans;
		const char *why = response->partial_success->error_message;

		rejected = said < 0 ? 0 : (uint64_t)said > count ? count : (size_t)said;
		(void)shown_text_copy(ret_why, OTLP_WHY_MAX, why, strlen(why));
	}
	if (response)
		opentelemetry__proto__collector__trace__v1__export_trace_service_response__free_unpacked(
			response, NULL);
	return rejected;
}
