/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "export/span_fields.h"
#include "failing_alloc.h"
#include "protocol/protocol.h"
#include "sample_request.h"

/* What a test looks at. */
struct told {
	struct sample_request sample;
	struct arena arena;
	struct span_fields fields;
	_Alignas(8) char record[SPAN_RECORD_MAX];
	size_t bytes;
};

static struct span_record *record_of(struct told *told)
{
	return (struct span_record *)told->record;
}

static void tell(struct told *told)
{
	told->bytes = span_record_write(&told->sample.request, told->record);
	arena_clear(&told->arena);
	span_fields_read(record_of(told), &told->arena, &told->fields);
}

static int setup(void **state)
{
	struct told *told = calloc(1, sizeof(*told));

	sample_request_init(&told->sample);
	*state = told;
	return 0;
}

static int teardown(void **state)
{
	struct told *told = *state;

	arena_done(&told->arena);
	free(told);
	return 0;
}

static const struct span_attribute *find(const struct told *told, const char *key)
{
	const struct span_attribute *found = NULL;

	for (size_t i = 0; i < told->fields.attribute_count; i++) {
		if (strcmp(told->fields.attributes[i].key, key) != 0)
			continue;
		assert_null(found);
		found = &told->fields.attributes[i];
	}
	return found;
}

static void assert_text(const struct told *told, const char *key, const char *text)
{
	const struct span_attribute *found = find(told, key);

	if (!text) {
		assert_null(found);
		return;
	}
	assert_non_null(found);
	assert_non_null(found->text);
	assert_string_equal(found->text, text);
}

static void assert_number(const struct told *told, const char *key, int64_t number)
{
	const struct span_attribute *found = find(told, key);

	assert_non_null(found);
	assert_null(found->text);
	assert_int_equal(found->number, number);
}

/* The labels of metrics are the same words. */
static void names_are_those_of_labels(void **state)
{
	static const char *const labels[ATTRIBUTE_COUNT] = {
#define X(NAME, label) [ATTRIBUTE_##NAME] = label,
		ATTRIBUTES(X)
#undef X
	};

	(void)state;
	for (unsigned i = 0; i < ATTRIBUTE_COUNT; i++) {
		char name[64];

		assert_non_null(span_attribute_name(i));
		snprintf(name, sizeof(name), "%s", span_attribute_name(i));
		for (char *mark = strpbrk(name, ".-"); mark; mark = strpbrk(mark, ".-"))
			*mark = '_';
		assert_string_equal(name, labels[i]);
	}
}

static void a_server_tells_both_ends(void **state)
{
	struct told *told = *state;

	tell(told);
	assert_int_equal(told->fields.kind, SPAN_KIND_SERVER);
	assert_string_equal(told->fields.name, "GET /items/{id}");
	assert_string_equal(told->fields.service, "shop");
	assert_string_equal(told->fields.executable, "nginx");
	assert_false(told->fields.is_error);
	assert_text(told, "http.request.method", "GET");
	assert_number(told, "http.response.status_code", 200);
	assert_text(told, "http.route", "/items/{id}");
	assert_text(told, "url.path", "/items/17");
	assert_text(told, "url.scheme", "http");
	assert_text(told, "network.transport", "tcp");
	assert_text(told, "network.type", "ipv4");
	assert_text(told, "server.address", "10.0.0.1");
	assert_number(told, "server.port", 80);
	assert_text(told, "client.address", "10.0.0.2");
	assert_text(told, "network.peer.address", "10.0.0.2");
	assert_number(told, "network.peer.port", 4000);
	assert_number(told, "http.request.body.size", 5);
	assert_number(told, "http.response.body.size", 7);
	assert_text(told, "sonde.join", "header");
	assert_text(told, "error.type", NULL);
}

static void a_client_has_no_route_and_may_fail(void **state)
{
	struct told *told = *state;
	struct request *request = &told->sample.request;

	request->role = ROLE_CLIENT;
	request->attributes[ATTRIBUTE_HTTP_ROUTE] = NULL;
	request->attributes[ATTRIBUTE_HTTP_REQUEST_METHOD] = "_OTHER";
	request->attributes[ATTRIBUTE_ERROR_TYPE] = "404";
	told->sample.tuple.family = AF_INET6;
	told->sample.tuple.remote_addr[15] = 9;
	tell(told);
	assert_int_equal(told->fields.kind, SPAN_KIND_CLIENT);
	assert_string_equal(told->fields.name, "HTTP");
	assert_true(told->fields.is_error);
	assert_text(told, "error.type", "404");
	assert_text(told, "server.address", "a00:2::9");
	assert_number(told, "server.port", 4000);
	assert_text(told, "network.type", "ipv6");
	assert_text(told, "client.address", NULL);
}

/* Clears what HTTP says. */
static const char **attributes_of(struct told *told)
{
	memset(told->sample.request.attributes, 0, sizeof(told->sample.request.attributes));
	return told->sample.request.attributes;
}

static void databases_name_operation_and_table(void **state)
{
	struct told *told = *state;
	const char **attributes = attributes_of(told);

	told->sample.request.role = ROLE_CLIENT;
	told->sample.request.rows_kind = ROWS_RETURNED;
	told->sample.request.rows = 42;
	attributes[ATTRIBUTE_DB_SYSTEM_NAME] = "postgresql";
	tell(told);
	assert_string_equal(told->fields.name, "postgresql");
	assert_number(told, "db.response.returned_rows", 42);
	assert_null(find(told, "http.request.body.size"));
	assert_null(find(told, "url.scheme"));
	attributes[ATTRIBUTE_DB_OPERATION_NAME] = "SELECT";
	tell(told);
	assert_string_equal(told->fields.name, "SELECT");
	attributes[ATTRIBUTE_DB_COLLECTION_NAME] = "orders";
	tell(told);
	assert_string_equal(told->fields.name, "SELECT orders");
}

static void brokers_clients_send_receive_and_process(void **state)
{
	struct told *told = *state;
	const char **attributes = attributes_of(told);

	told->sample.request.role = ROLE_CLIENT;
	told->sample.request.messages_sent = 3;
	attributes[ATTRIBUTE_MESSAGING_SYSTEM] = "kafka";
	attributes[ATTRIBUTE_MESSAGING_OPERATION_NAME] = "Produce";
	attributes[ATTRIBUTE_MESSAGING_DESTINATION_NAME] = "orders";
	tell(told);
	assert_string_equal(told->fields.name, "Produce orders");
	assert_int_equal(told->fields.kind, SPAN_KIND_PRODUCER);
	assert_text(told, "messaging.operation.type", "send");
	assert_number(told, "messaging.batch.message_count", 3);
	told->sample.request.messages_sent = 0;
	told->sample.request.messages_consumed = 1;
	tell(told);
	assert_int_equal(told->fields.kind, SPAN_KIND_CLIENT);
	assert_text(told, "messaging.operation.type", "receive");
	assert_null(find(told, "messaging.batch.message_count"));
	told->sample.request.is_processing = true;
	tell(told);
	assert_int_equal(told->fields.kind, SPAN_KIND_CONSUMER);
	assert_text(told, "messaging.operation.type", "process");
	told->sample.request.role = ROLE_SERVER;
	tell(told);
	assert_int_equal(told->fields.kind, SPAN_KIND_SERVER);
}

static void calls_lookups_and_others_have_names(void **state)
{
	struct told *told = *state;
	const char **attributes = attributes_of(told);

	tell(told);
	assert_string_equal(told->fields.name, "http");
	attributes[ATTRIBUTE_DNS_QUESTION_NAME] = "example.com";
	attributes[ATTRIBUTE_DNS_QUESTION_TYPE] = "AAAA";
	attributes[ATTRIBUTE_NETWORK_TRANSPORT] = "udp";
	tell(told);
	assert_string_equal(told->fields.name, "DNS AAAA");
	assert_text(told, "network.transport", "udp");
	attributes[ATTRIBUTE_RPC_SYSTEM_NAME] = "grpc";
	tell(told);
	assert_string_equal(told->fields.name, "grpc");
	attributes[ATTRIBUTE_RPC_METHOD] = "shop.Cart/Add";
	tell(told);
	assert_string_equal(told->fields.name, "shop.Cart/Add");
}

static void sockets_in_the_file_system_have_no_ports(void **state)
{
	struct told *told = *state;

	told->sample.request.socket_path = "/run/php.sock";
	told->sample.tuple = (struct conn_tuple){ .family = AF_UNIX };
	tell(told);
	assert_text(told, "server.address", "/run/php.sock");
	assert_text(told, "network.transport", "unix");
	assert_null(find(told, "server.port"));
	assert_null(find(told, "network.peer.address"));
	assert_text(told, "url.path", "/items/17");
	told->sample.request.socket_path = "";
	tell(told);
	assert_null(find(told, "server.address"));
	assert_text(told, "url.path", "/items/17");
}

static void texts_are_made_utf8(void **state)
{
	struct told *told = *state;

	told->sample.request.attributes[ATTRIBUTE_URL_PATH] = "/\xff\xc3\xa9\n\xc3";
	tell(told);
	assert_text(told, "url.path", "/_\xc3\xa9__");
	assert_text(told, "sonde.join", "header");
}

/* More than requests can say: what does not fit is left out, the rest is whole. */
static void a_record_has_a_bound(void **state)
{
	struct told *told = *state;
	char huge[3000];

	memset(huge, 'h', sizeof(huge));
	huge[sizeof(huge) - 1] = '\0';
	told->sample.request.attributes[ATTRIBUTE_HTTP_ROUTE] = huge;
	told->sample.request.attributes[ATTRIBUTE_URL_PATH] = huge;
	tell(told);
	assert_true(told->bytes <= SPAN_RECORD_MAX);
	assert_text(told, "http.route", huge);
	assert_text(told, "url.path", NULL);
	assert_text(told, "http.request.method", "GET");
}

static void memory_may_be_short(void **state)
{
	struct told *told = *state;

	FOR_EACH_FAILING_ALLOC(nth)
	{
		arena_done(&told->arena);
		told->bytes = span_record_write(&told->sample.request, told->record);
		span_fields_read(record_of(told), &told->arena, &told->fields);
		assert_int_equal(told->arena.has_failed, failing_alloc_has_failed());
		assert_non_null(told->fields.name);
	}
}

static void only_timed_requests_are_spans(void **state)
{
	struct told *told = *state;
	struct request *request = &told->sample.request;

	assert_true(span_record_is_wanted(request));
	request->is_partial = true;
	assert_false(span_record_is_wanted(request));
	request->is_partial = false;
	request->is_untimed = true;
	assert_false(span_record_is_wanted(request));
	request->is_untimed = false;
	request->span = NULL;
	assert_false(span_record_is_wanted(request));
}

static void tells_the_connections_part(void **state)
{
	struct told *told = *state;
	struct request *request = &told->sample.request;

	request->tcp = (struct request_tcp){ .rtt_ns = 40000, .rwnd_limited_ns = 8000000 };
	tell(told);
	assert_null(find(told, "sonde.tcp.retransmits"));
	request->has_tcp = true;
	tell(told);
	assert_number(told, "sonde.tcp.rtt_ns", 40000);
	assert_number(told, "sonde.tcp.retransmits", 0);
	assert_number(told, "sonde.tcp.rwnd_limited_ns", 8000000);
	assert_null(find(told, "sonde.tcp.sndbuf_limited_ns"));
}

/* Its request's other fields are not its own. */
static void parts_are_internal(void **state)
{
	struct told *told = *state;
	struct request *request = &told->sample.request;

	(void)attributes_of(told);
	request->protocol = NULL;
	request->span_link_count = 0;
	request->part = SPAN_PART_ACCEPT_QUEUE;
	tell(told);
	assert_int_equal(told->fields.kind, SPAN_KIND_INTERNAL);
	assert_string_equal(told->fields.name, "accept queue");
	assert_text(told, "client.address", "10.0.0.2");
	assert_text(told, "server.address", "10.0.0.1");
	assert_text(told, "sonde.join", "header");
	request->part = SPAN_PART_RECEIVE_QUEUE;
	tell(told);
	assert_int_equal(told->fields.kind, SPAN_KIND_INTERNAL);
	assert_string_equal(told->fields.name, "receive queue");
	request->role = ROLE_CLIENT;
	request->part = SPAN_PART_CONNECT;
	tell(told);
	assert_int_equal(told->fields.kind, SPAN_KIND_INTERNAL);
	assert_string_equal(told->fields.name, "socket connect 10.0.0.2:4000");
	assert_text(told, "network.peer.address", "10.0.0.2");
	assert_number(told, "network.peer.port", 4000);
	assert_text(told, "network.transport", "tcp");
	told->sample.tuple.family = AF_INET6;
	told->sample.tuple.remote_addr[15] = 9;
	tell(told);
	assert_string_equal(told->fields.name, "socket connect [a00:2::9]:4000");
}

static void a_span_begins_with_its_connection(void **state)
{
	struct told *told = *state;

	tell(told);
	assert_int_equal(record_of(told)->start_ns, 1000);
	told->sample.request.span_start_ns = 400;
	tell(told);
	assert_int_equal(record_of(told)->start_ns, 400);
	assert_int_equal(record_of(told)->end_ns, 3000);
}

int main(void)
{
#define TOLD(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TOLD(names_are_those_of_labels),
		TOLD(a_server_tells_both_ends),
		TOLD(a_client_has_no_route_and_may_fail),
		TOLD(databases_name_operation_and_table),
		TOLD(brokers_clients_send_receive_and_process),
		TOLD(calls_lookups_and_others_have_names),
		TOLD(sockets_in_the_file_system_have_no_ports),
		TOLD(tells_the_connections_part),
		TOLD(parts_are_internal),
		TOLD(a_span_begins_with_its_connection),
		TOLD(texts_are_made_utf8),
		TOLD(a_record_has_a_bound),
		TOLD(memory_may_be_short),
		TOLD(only_timed_requests_are_spans),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
