/* SPDX-License-Identifier: Apache-2.0 */
/* Source: OpenTelemetry semantic conventions 1.37: names, kinds and attributes of HTTP, database, RPC and messaging spans, and of
 * the connection spans of .NET. */
#include "export/span_fields.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "aggregate/observe.h"
#include "correlate/shown_text.h"
#include "correlate/span_name.h"
#include "protocol/facts.h"

#ifndef SONDE_VERSION
#define SONDE_VERSION "unknown"
#endif

static const char *const attribute_names[ATTRIBUTE_COUNT] = {
	[ATTRIBUTE_HTTP_REQUEST_METHOD] = "http.request.method",
	[ATTRIBUTE_HTTP_RESPONSE_STATUS_CODE] = "http.response.status_code",
	[ATTRIBUTE_HTTP_ROUTE] = "http.route",
	[ATTRIBUTE_HTTP_REQUEST_ID] = "http.request.header.x-request-id",
	[ATTRIBUTE_URL_PATH] = "url.path",
	[ATTRIBUTE_NETWORK_PROTOCOL_NAME] = "network.protocol.name",
	[ATTRIBUTE_NETWORK_PROTOCOL_VERSION] = "network.protocol.version",
	[ATTRIBUTE_RPC_SYSTEM_NAME] = "rpc.system.name",
	[ATTRIBUTE_RPC_METHOD] = "rpc.method",
	[ATTRIBUTE_RPC_RESPONSE_STATUS_CODE] = "rpc.response.status_code",
	[ATTRIBUTE_DB_SYSTEM_NAME] = "db.system.name",
	[ATTRIBUTE_DB_OPERATION_NAME] = "db.operation.name",
	[ATTRIBUTE_DB_COLLECTION_NAME] = "db.collection.name",
	[ATTRIBUTE_GRAPHQL_OPERATION_TYPE] = "graphql.operation.type",
	[ATTRIBUTE_GRAPHQL_OPERATION_NAME] = "graphql.operation.name",
	[ATTRIBUTE_DB_QUERY_TEXT] = "db.query.text",
	[ATTRIBUTE_DNS_QUESTION_NAME] = "dns.question.name",
	[ATTRIBUTE_DNS_QUESTION_TYPE] = "dns.question.type",
	[ATTRIBUTE_NETWORK_TRANSPORT] = "network.transport",
	[ATTRIBUTE_MESSAGING_SYSTEM] = "messaging.system",
	[ATTRIBUTE_MESSAGING_OPERATION_NAME] = "messaging.operation.name",
	[ATTRIBUTE_MESSAGING_DESTINATION_NAME] = "messaging.destination.name",
	[ATTRIBUTE_MESSAGING_CONSUMER_GROUP_NAME] = "messaging.consumer.group.name",
	[ATTRIBUTE_ERROR_TYPE] = "error.type",
};

static const char *const join_names[SPAN_JOIN_COUNT] = {
#define X(NAME, value, meaning) [SPAN_JOIN_##NAME] = value,
	SPAN_JOINS(X)
#undef X
};

const char *span_attribute_name(enum attribute attribute)
{
	return attribute_names[attribute];
}

/* Semantic conventions: fields of a header may come several times. */
bool span_attribute_is_list(const struct span_attribute *attribute)
{
	return attribute->key == attribute_names[ATTRIBUTE_HTTP_REQUEST_ID];
}

const char *span_scope_version(void)
{
	return SONDE_VERSION;
}

void span_text_clean(char *text)
{
	size_t length = strlen(text);
	char shown[SPAN_RECORD_MAX];
	bool is_plain = true;

	for (size_t i = 0; i < length; i++)
		is_plain &= text[i] >= ' ' && text[i] <= '~';
	if (is_plain)
		return;
	length = shown_text_copy(shown, sizeof(shown), text, length);
	memcpy(text, shown, length + 1);
}

static char *next_text(char **cursor)
{
	char *text = *cursor;

	*cursor = text + strlen(text) + 1;
	span_text_clean(text);
	return text;
}

static void add_text(struct span_fields *fields, const char *key, const char *text)
{
	if (text && text[0])
		fields->attributes[fields->attribute_count++] =
			(struct span_attribute){ key, text, 0 };
}

static void add_number(struct span_fields *fields, const char *key, uint64_t number)
{
	fields->attributes[fields->attribute_count++] =
		(struct span_attribute){ key, NULL, (int64_t)(number & INT64_MAX) };
}

static void add_attributes(struct span_fields *fields, const char *const texts[ATTRIBUTE_COUNT])
{
	for (unsigned i = 0; i < ATTRIBUTE_COUNT; i++) {
		if (i == ATTRIBUTE_HTTP_RESPONSE_STATUS_CODE && texts[i])
			add_number(fields, attribute_names[i], strtoul(texts[i], NULL, 10));
		else
			add_text(fields, attribute_names[i], texts[i]);
	}
}

static const char *address_text(struct arena *arena, const uint8_t bytes[16], unsigned family)
{
	char *text = arena_take(arena, OBSERVE_ADDRESS_MAX);

	if (text)
		observe_address(text, bytes, family);
	return text;
}

static void add_network(struct span_fields *fields, const struct span_record *record,
			struct arena *arena, const char *socket_path, const char *transport)
{
	const struct conn_tuple *tuple = &record->tuple;
	bool is_server = record->role == ROLE_SERVER;
	const char *remote, *server;

	if (record->has_socket_path) {
		add_text(fields, "network.transport", "unix");
		add_text(fields, "server.address", socket_path);
		return;
	}
	remote = address_text(arena, tuple->remote_addr, tuple->family);
	server = is_server ? address_text(arena, tuple->local_addr, tuple->family) : remote;
	if (!transport)
		add_text(fields, "network.transport", "tcp");
	if (remote)
		add_text(fields, "network.type", strchr(remote, ':') ? "ipv6" : "ipv4");
	add_text(fields, "server.address", server);
	add_number(fields, "server.port", is_server ? tuple->local_port : tuple->remote_port);
	add_text(fields, "network.peer.address", remote);
	add_number(fields, "network.peer.port", tuple->remote_port);
	if (is_server)
		add_text(fields, "client.address", remote);
}

static void add_amounts(struct span_fields *fields, const struct span_record *record,
			const char *const texts[ATTRIBUTE_COUNT])
{
	uint32_t messages =
		record->messages_sent ? record->messages_sent : record->messages_consumed;

	if (texts[ATTRIBUTE_HTTP_REQUEST_METHOD]) {
		add_number(fields, "http.request.body.size", record->request_body_bytes);
		add_number(fields, "http.response.body.size", record->response_body_bytes);
	}
	if (record->has_rows)
		add_number(fields, "db.response.returned_rows", record->rows);
	if (messages > 1)
		add_number(fields, "messaging.batch.message_count", messages);
}

static void add_count(struct span_fields *fields, const char *name, uint64_t count)
{
	if (count)
		add_number(fields, name, count);
}

/* What is none of these is left out. */
static void add_usage(struct span_fields *fields, const struct span_record *record)
{
	static const char *const part_keys[TIME_PART_COUNT] = {
#define X(ID, name, meaning) [TIME_##ID] = "sonde." name "_ns",
		TIME_PARTS(X)
#undef X
	};
	const struct request_usage *usage = &record->usage;

	if (!record->has_usage)
		return;
	for (size_t i = 0; i < TIME_PART_COUNT; i++)
		add_count(fields, part_keys[i], usage->part_ns[i]);
	add_count(fields, "sonde.voluntary_switches", usage->voluntary_switches);
	add_count(fields, "sonde.involuntary_switches", usage->involuntary_switches);
	add_count(fields, "sonde.minor_faults", usage->minor_faults);
	add_count(fields, "sonde.major_faults", usage->major_faults);
	add_text(fields, "sonde.cause", record->cause);
	if (record->cause)
		add_number(fields, "sonde.cause_percent", (uint64_t)(100 * record->cause_share));
}

static void add_tcp(struct span_fields *fields, const struct span_record *record)
{
	const struct request_tcp *tcp = &record->tcp;

	if (!record->has_tcp)
		return;
	add_count(fields, "sonde.tcp.rtt_ns", tcp->rtt_ns);
	add_number(fields, "sonde.tcp.retransmits", tcp->retransmits);
	add_count(fields, "sonde.tcp.rwnd_limited_ns", tcp->rwnd_limited_ns);
	add_count(fields, "sonde.tcp.sndbuf_limited_ns", tcp->sndbuf_limited_ns);
}

static void add_errors(struct span_fields *fields, const struct request_errors *errors,
		       struct arena *arena)
{
	if (!errors->count)
		return;
	add_number(fields, "sonde.syscall.errors", errors->count);
	add_text(fields, "sonde.syscall.error", span_two_words(arena, errors->call, errors->name));
}

static void add_operation_type(struct span_fields *fields, const struct span_record *record)
{
	if (record->is_processing)
		add_text(fields, "messaging.operation.type", "process");
	else if (record->messages_sent)
		add_text(fields, "messaging.operation.type", "send");
	else if (record->messages_consumed)
		add_text(fields, "messaging.operation.type", "receive");
}

static enum span_kind kind_of(const struct span_record *record)
{
	if (record->part == SPAN_PART_CONNECT || record->part == SPAN_PART_ACCEPT_QUEUE ||
	    record->part == SPAN_PART_RECEIVE_QUEUE)
		return SPAN_KIND_INTERNAL;
	if (record->role == ROLE_SERVER)
		return SPAN_KIND_SERVER;
	if (record->is_processing)
		return SPAN_KIND_CONSUMER;
	return record->messages_sent ? SPAN_KIND_PRODUCER : SPAN_KIND_CLIENT;
}

static const char *opening_name(const struct span_record *record, struct arena *arena)
{
	const struct conn_tuple *tuple = &record->tuple;
	char address[OBSERVE_ADDRESS_MAX];
	size_t bytes = OBSERVE_ADDRESS_MAX + sizeof("socket connect []:65535");
	char *name;

	if (record->part == SPAN_PART_ACCEPT_QUEUE)
		return "accept queue";
	if (record->part == SPAN_PART_RECEIVE_QUEUE)
		return "receive queue";
	name = arena_take(arena, bytes);
	if (!name)
		return "socket connect";
	observe_address(address, tuple->remote_addr, tuple->family);
	snprintf(name, bytes,
		 strchr(address, ':') ? "socket connect [%s]:%u" : "socket connect %s:%u", address,
		 tuple->remote_port);
	return name;
}

void span_fields_read(struct span_record *record, struct arena *arena,
		      struct span_fields *ret_fields)
{
	const char *texts[ATTRIBUTE_COUNT] = { 0 }, *socket_path = NULL;
	char *cursor = record->texts;

	ret_fields->links = (const void *)cursor;
	ret_fields->link_count = record->link_count;
	cursor += record->link_count * sizeof(*ret_fields->links);
	ret_fields->service = next_text(&cursor);
	ret_fields->executable = next_text(&cursor);
	if (record->has_socket_path)
		socket_path = next_text(&cursor);
	ret_fields->tracestate = record->has_tracestate ? next_text(&cursor) : NULL;
	for (unsigned i = 0; i < ATTRIBUTE_COUNT; i++)
		texts[i] = record->present >> i & 1 ? next_text(&cursor) : NULL;
	ret_fields->kind = kind_of(record);
	ret_fields->is_error = texts[ATTRIBUTE_ERROR_TYPE] != NULL;
	ret_fields->name = ret_fields->kind == SPAN_KIND_INTERNAL ?
				   opening_name(record, arena) :
				   span_name(record->protocol, texts, arena);
	ret_fields->attribute_count = 0;
	add_attributes(ret_fields, texts);
	add_network(ret_fields, record, arena, socket_path, texts[ATTRIBUTE_NETWORK_TRANSPORT]);
	/* Encrypted requests are not seen. */
	if (texts[ATTRIBUTE_HTTP_REQUEST_METHOD])
		add_text(ret_fields, "url.scheme", "http");
	if (texts[ATTRIBUTE_MESSAGING_SYSTEM])
		add_operation_type(ret_fields, record);
	add_usage(ret_fields, record);
	add_tcp(ret_fields, record);
	add_errors(ret_fields, &record->errors, arena);
	add_amounts(ret_fields, record, texts);
	add_text(ret_fields, "sonde.join", join_names[record->identity.join]);
}

size_t span_resource_read(const struct span_resource *resource, const struct span_record *record,
			  const struct span_fields *fields,
			  struct span_attribute ret_attributes[SPAN_RESOURCE_MAX])
{
	size_t count = 0;

	ret_attributes[count++] = (struct span_attribute){ "service.name", fields->service, 0 };
	ret_attributes[count++] = (struct span_attribute){ "process.pid", NULL, record->tgid };
	ret_attributes[count++] =
		(struct span_attribute){ "process.executable.name", fields->executable, 0 };
	for (size_t i = 0; i < resource->attribute_count && count < SPAN_RESOURCE_MAX; i++)
		ret_attributes[count++] = resource->attributes[i];
	return count;
}
