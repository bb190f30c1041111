/* SPDX-License-Identifier: Apache-2.0 */
/* Observations in, samples out: metric by metric, label by label. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aggregate/labels.h"
#include "aggregate/observe.h"
#include "aggregate/request_memory.h"
#include "aggregate/statement_table.h"
#include "base/wall_clock.h"
#include "failing_alloc.h"
#include "protocol/protocol.h"

static const struct protocol http = { .name = "http" };
static const struct protocol other_protocol = { .name = "gopher" };

static const struct process process = {
	.tgid = 4711,
	.executable = "nginx",
	.service = "front",
};

struct fixture {
	struct series_store *store;
	struct observer *observer;
	const struct observation_sink *sink;
	struct snapshot *snapshot;
};

static int set_up(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	fixture->store = series_store_new(100);
	fixture->observer = observer_new(fixture->store, NULL, NULL);
	fixture->sink = observer_sink(fixture->observer);
	*state = fixture;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;

	snapshot_unref(&fixture->snapshot);
	observer_free(&fixture->observer);
	series_store_free(&fixture->store);
	free(fixture);
	return 0;
}

/* The only sample of a metric, its labels as "name=value …". */
static const struct sample *only(struct fixture *fixture, enum metric metric, const char *labels)
{
	const char *const *names = metric_table[metric].labels;
	const struct sample *samples;
	char text[512] = "";
	const char *value;
	size_t count;

	snapshot_unref(&fixture->snapshot);
	fixture->snapshot = series_snapshot(fixture->store);
	samples = snapshot_samples(fixture->snapshot, metric, &count);
	assert_int_equal(count, 1);
	value = samples[0].values;
	for (size_t i = 0; names[i]; i++, value = labels_next(value)) {
		if (!*value)
			continue;
		if (*text)
			strcat(text, " ");
		strcat(strcat(strcat(text, names[i]), "="), value);
	}
	assert_string_equal(text, labels);
	return samples;
}

static size_t count_of(struct fixture *fixture, enum metric metric)
{
	struct series_family_view view;

	series_family_read(fixture->store, metric, &view);
	return view.count;
}

static struct conn_tuple tuple_v4(void)
{
	struct conn_tuple tuple = { .family = AF_INET, .local_port = 80, .remote_port = 54321 };

	inet_pton(AF_INET, "10.0.0.1", tuple.local_addr);
	inet_pton(AF_INET, "192.168.255.34", tuple.remote_addr);
	return tuple;
}

static struct request request_make(const struct conn_tuple *tuple, enum conn_role role)
{
	return (struct request){
		.start_ns = 1000000,
		.end_ns = 3500000,
		.protocol = &http,
		.process = &process,
		.tuple = tuple,
		.request_body_bytes = 10,
		.response_body_bytes = 2000,
		.attributes = {
			[ATTRIBUTE_HTTP_REQUEST_METHOD] = "GET",
			[ATTRIBUTE_HTTP_RESPONSE_STATUS_CODE] = "200",
			[ATTRIBUTE_HTTP_ROUTE] = "/item/{id}",
			[ATTRIBUTE_URL_PATH] = "/item/17",
		},
		.role = role,
	};
}

static void served_requests(void **state)
{
	struct fixture *fixture = *state;
	struct conn_tuple tuple = tuple_v4();
	struct request request = request_make(&tuple, ROLE_SERVER);
	const struct sample *sample;

	fixture->sink->request(fixture->sink->context, &request);
	sample = only(fixture, METRIC_HTTP_SERVER_REQUEST_DURATION,
		      "service_name=front http_request_method=GET http_response_status_code=200 "
		      "http_route=/item/{id} server_address=10.0.0.1 server_port=80");
	assert_int_equal(sample->histogram->sum, 2500000);
	sample = only(fixture, METRIC_HTTP_SERVER_REQUEST_BODY_SIZE,
		      "service_name=front http_request_method=GET http_response_status_code=200 "
		      "http_route=/item/{id}");
	assert_int_equal(sample->histogram->sum, 10);
	sample = only(fixture, METRIC_HTTP_SERVER_RESPONSE_BODY_SIZE,
		      "service_name=front http_request_method=GET http_response_status_code=200 "
		      "http_route=/item/{id}");
	assert_int_equal(sample->histogram->sum, 2000);
	sample = only(fixture, METRIC_PROCESS_REQUEST_DURATION,
		      "service_name=front kind=server protocol=http process_pid=4711 "
		      "process_executable_name=nginx");
	assert_int_equal(sample->histogram->sum, 2500000);
	assert_int_equal(count_of(fixture, METRIC_HTTP_CLIENT_REQUEST_DURATION), 0);
}

/* What is remembered of a request must be everything that its labels depend on. */
static void requests_that_differ_are_told_apart(void **state)
{
	struct fixture *fixture = *state;
	struct conn_tuple tuple = tuple_v4(), elsewhere = tuple_v4();
	struct request request = request_make(&tuple, ROLE_SERVER);
	struct process renamed = process;
	size_t expected = 1;

	for (int i = 0; i < 3; i++)
		fixture->sink->request(fixture->sink->context, &request);
	assert_int_equal(only(fixture, METRIC_HTTP_SERVER_REQUEST_DURATION,
			      "service_name=front http_request_method=GET "
			      "http_response_status_code=200 http_route=/item/{id} "
			      "server_address=10.0.0.1 server_port=80")
				 ->histogram->count,
			 3);
	request.attributes[ATTRIBUTE_HTTP_REQUEST_METHOD] = "PUT";
	fixture->sink->request(fixture->sink->context, &request);
	assert_int_equal(count_of(fixture, METRIC_HTTP_SERVER_REQUEST_DURATION), ++expected);
	request.attributes[ATTRIBUTE_HTTP_RESPONSE_STATUS_CODE] = "201";
	fixture->sink->request(fixture->sink->context, &request);
	assert_int_equal(count_of(fixture, METRIC_HTTP_SERVER_REQUEST_DURATION), ++expected);
	request.attributes[ATTRIBUTE_HTTP_ROUTE] = "/other";
	fixture->sink->request(fixture->sink->context, &request);
	assert_int_equal(count_of(fixture, METRIC_HTTP_SERVER_REQUEST_DURATION), ++expected);
	request.attributes[ATTRIBUTE_ERROR_TYPE] = "reset";
	fixture->sink->request(fixture->sink->context, &request);
	assert_int_equal(count_of(fixture, METRIC_HTTP_SERVER_REQUEST_DURATION), ++expected);
	elsewhere.local_port = 81;
	request.tuple = &elsewhere;
	fixture->sink->request(fixture->sink->context, &request);
	assert_int_equal(count_of(fixture, METRIC_HTTP_SERVER_REQUEST_DURATION), ++expected);
	elsewhere.local_addr[0]++;
	fixture->sink->request(fixture->sink->context, &request);
	assert_int_equal(count_of(fixture, METRIC_HTTP_SERVER_REQUEST_DURATION), ++expected);
	elsewhere.remote_port++; /* the client's side is no label of a server's metrics */
	fixture->sink->request(fixture->sink->context, &request);
	assert_int_equal(count_of(fixture, METRIC_HTTP_SERVER_REQUEST_DURATION), expected);
	strcpy(renamed.service, "back");
	renamed.identity = process.identity + 1;
	request.process = &renamed;
	fixture->sink->request(fixture->sink->context, &request);
	assert_int_equal(count_of(fixture, METRIC_HTTP_SERVER_REQUEST_DURATION), ++expected);
}

static void operations_that_differ_are_told_apart(void **state)
{
	static const enum attribute labels[] = { ATTRIBUTE_DB_OPERATION_NAME, ATTRIBUTE_ERROR_TYPE,
						 ATTRIBUTE_DB_SYSTEM_NAME };
	struct fixture *fixture = *state;
	struct conn_tuple tuple = tuple_v4();
	struct request request = request_make(&tuple, ROLE_SERVER);
	size_t expected = 1;

	memset(request.attributes, 0, sizeof(request.attributes));
	request.protocol = &protocol_redis;
	for (int i = 0; i < 2; i++)
		fixture->sink->request(fixture->sink->context, &request);
	assert_int_equal(count_of(fixture, METRIC_DB_SERVER_OPERATION_DURATION), expected);
	for (size_t i = 0; i < sizeof(labels) / sizeof(labels[0]); i++) {
		request.attributes[labels[i]] = "other";
		fixture->sink->request(fixture->sink->context, &request);
		assert_int_equal(count_of(fixture, METRIC_DB_SERVER_OPERATION_DURATION),
				 ++expected);
	}
	request.attributes[ATTRIBUTE_URL_PATH] = "/a"; /* the label of no metric */
	fixture->sink->request(fixture->sink->context, &request);
	assert_int_equal(count_of(fixture, METRIC_DB_SERVER_OPERATION_DURATION), expected);
}

/* Routes and texts of a request are gone after it: another text may come to lie in the same place. */
static void text_that_changes_in_place_is_told_apart(void **state)
{
	struct fixture *fixture = *state;
	struct conn_tuple tuple = tuple_v4();
	struct request request = request_make(&tuple, ROLE_SERVER);
	char route[] = "/a", text[FACTS_TEXT_MAX] = "E1";

	request.attributes[ATTRIBUTE_HTTP_ROUTE] = route;
	request.attributes[ATTRIBUTE_ERROR_TYPE] = text;
	request.text = text;
	fixture->sink->request(fixture->sink->context, &request);
	route[1] = 'b';
	fixture->sink->request(fixture->sink->context, &request);
	assert_int_equal(count_of(fixture, METRIC_HTTP_SERVER_REQUEST_DURATION), 2);
	text[1] = '2';
	fixture->sink->request(fixture->sink->context, &request);
	assert_int_equal(count_of(fixture, METRIC_HTTP_SERVER_REQUEST_DURATION), 3);
	fixture->sink->request(fixture->sink->context, &request);
	assert_int_equal(count_of(fixture, METRIC_HTTP_SERVER_REQUEST_DURATION), 3);
}

static void requests_made(void **state)
{
	struct fixture *fixture = *state;
	struct conn_tuple tuple = tuple_v4();
	struct request request = request_make(&tuple, ROLE_CLIENT);

	request.attributes[ATTRIBUTE_HTTP_RESPONSE_STATUS_CODE] = "503";
	request.attributes[ATTRIBUTE_ERROR_TYPE] = "503";
	fixture->sink->request(fixture->sink->context, &request);
	only(fixture, METRIC_HTTP_CLIENT_REQUEST_DURATION,
	     "service_name=front http_request_method=GET http_response_status_code=503 "
	     "server_address=192.168.255.34 server_port=54321 error_type=503");
	only(fixture, METRIC_HTTP_CLIENT_REQUEST_BODY_SIZE,
	     "service_name=front http_request_method=GET http_response_status_code=503");
	only(fixture, METRIC_HTTP_CLIENT_RESPONSE_BODY_SIZE,
	     "service_name=front http_request_method=GET http_response_status_code=503");
	only(fixture, METRIC_PROCESS_REQUEST_DURATION,
	     "service_name=front kind=client protocol=http process_pid=4711 "
	     "process_executable_name=nginx");
	assert_int_equal(count_of(fixture, METRIC_HTTP_SERVER_REQUEST_DURATION), 0);
}

static void address_is(struct fixture *fixture, const char *address, const char *expected)
{
	struct conn_tuple tuple = { .family = AF_INET6, .local_port = 443 };
	struct request request = request_make(&tuple, ROLE_SERVER);
	const struct sample *samples;
	const char *value;
	size_t count;

	assert_int_equal(inet_pton(AF_INET6, address, tuple.local_addr), 1);
	series_store_free(&fixture->store);
	observer_free(&fixture->observer);
	fixture->store = series_store_new(100);
	fixture->observer = observer_new(fixture->store, NULL, NULL);
	fixture->sink = observer_sink(fixture->observer);
	fixture->sink->request(fixture->sink->context, &request);
	snapshot_unref(&fixture->snapshot);
	fixture->snapshot = series_snapshot(fixture->store);
	samples = snapshot_samples(fixture->snapshot, METRIC_HTTP_SERVER_REQUEST_DURATION, &count);
	value = samples[0].values;
	for (int i = 0; i < 4; i++)
		value = labels_next(value);
	assert_string_equal(value, expected);
}

static void addresses_of_ipv6(void **state)
{
	address_is(*state, "2001:db8::5", "2001:db8::5");
	address_is(*state, "::1", "::1");
	address_is(*state, "::ffff:127.0.0.1", "127.0.0.1");
	address_is(*state, "2001:db8:1111:2222:3333:4444:5555:6666",
		   "2001:db8:1111:2222:3333:4444:5555:6666");
}

static void partial_requests_are_only_counted(void **state)
{
	struct fixture *fixture = *state;
	struct conn_tuple tuple = tuple_v4();
	struct request request = request_make(&tuple, ROLE_SERVER);

	request.is_partial = true;
	fixture->sink->request(fixture->sink->context, &request);
	fixture->sink->request(fixture->sink->context, &request);
	assert_int_equal(only(fixture, METRIC_REQUESTS_PARTIAL,
			      "service_name=front kind=server protocol=http")
				 ->total,
			 2);
	assert_int_equal(count_of(fixture, METRIC_HTTP_SERVER_REQUEST_DURATION), 0);
	assert_int_equal(count_of(fixture, METRIC_PROCESS_REQUEST_DURATION), 0);
}

static void a_protocol_without_a_row_has_the_process_metric(void **state)
{
	struct fixture *fixture = *state;
	struct conn_tuple tuple = tuple_v4();
	struct request request = request_make(&tuple, ROLE_SERVER);

	request.protocol = &other_protocol;
	request.end_ns = request.start_ns - 1; /* clocks of two CPUs */
	fixture->sink->request(fixture->sink->context, &request);
	assert_int_equal(only(fixture, METRIC_PROCESS_REQUEST_DURATION,
			      "service_name=front kind=server protocol=gopher process_pid=4711 "
			      "process_executable_name=nginx")
				 ->histogram->zero_count,
			 1);
	assert_int_equal(count_of(fixture, METRIC_HTTP_SERVER_REQUEST_DURATION), 0);
}

static struct request messaging_make(const struct conn_tuple *tuple, enum conn_role role)
{
	struct request request = request_make(tuple, role);

	request.protocol = &protocol_amqp;
	memset(request.attributes, 0, sizeof(request.attributes));
	request.attributes[ATTRIBUTE_MESSAGING_SYSTEM] = "rabbitmq";
	request.attributes[ATTRIBUTE_MESSAGING_OPERATION_NAME] = "publish";
	request.attributes[ATTRIBUTE_MESSAGING_DESTINATION_NAME] = "orders";
	return request;
}

/* Also those of a request that has no duration, or is partial. */
static void messages_of_both_sides(void **state)
{
	static const enum metric sent[] = { [ROLE_SERVER] =
						    METRIC_MESSAGING_SERVER_PUBLISHED_MESSAGES,
					    [ROLE_CLIENT] = METRIC_MESSAGING_CLIENT_SENT_MESSAGES };
	static const enum metric consumed[] = { [ROLE_SERVER] =
							METRIC_MESSAGING_SERVER_DELIVERED_MESSAGES,
						[ROLE_CLIENT] =
							METRIC_MESSAGING_CLIENT_CONSUMED_MESSAGES };
	static const char labels[] = "service_name=front messaging_system=rabbitmq "
				     "messaging_destination_name=orders";
	struct fixture *fixture = *state;
	struct conn_tuple tuple = { .family = AF_UNIX };

	for (enum conn_role role = ROLE_CLIENT; role <= ROLE_SERVER; role++) {
		struct request request = messaging_make(&tuple, role);

		request.socket_path = "";
		request.messages_sent = 2;
		request.messages_consumed = 5;
		fixture->sink->request(fixture->sink->context, &request);
		request.is_partial = true;
		fixture->sink->request(fixture->sink->context, &request);
		request.is_partial = false;
		request.is_untimed = true;
		fixture->sink->request(fixture->sink->context, &request);
		assert_int_equal(only(fixture, sent[role], labels)->total, 6);
		assert_int_equal(only(fixture, consumed[role], labels)->total, 15);
	}
	assert_int_equal(count_of(fixture, METRIC_MESSAGING_PROCESS_DURATION), 0);
	assert_int_equal(
		only(fixture, METRIC_MESSAGING_CLIENT_OPERATION_DURATION,
		     "service_name=front messaging_system=rabbitmq messaging_operation_name=publish "
		     "messaging_destination_name=orders")
			->histogram->sum,
		2500000);
}

static void work_on_messages_has_its_own_metric(void **state)
{
	struct fixture *fixture = *state;
	struct conn_tuple tuple = tuple_v4();
	struct request request = messaging_make(&tuple, ROLE_CLIENT);

	request.is_processing = true;
	request.attributes[ATTRIBUTE_MESSAGING_OPERATION_NAME] = "process";
	fixture->sink->request(fixture->sink->context, &request);
	assert_int_equal(count_of(fixture, METRIC_MESSAGING_PROCESS_DURATION), 1);
	assert_int_equal(count_of(fixture, METRIC_MESSAGING_CLIENT_OPERATION_DURATION), 0);
	assert_int_equal(count_of(fixture, METRIC_MESSAGING_CLIENT_SENT_MESSAGES), 0);
}

static void parse_outcomes(void **state)
{
	struct fixture *fixture = *state;

	fixture->sink->parse_outcome(fixture->sink->context, "http", PARSE_HEADER_TRUNCATED);
	assert_int_equal(only(fixture, METRIC_PARSE_OUTCOMES,
			      "protocol=http outcome=header_truncated")
				 ->total,
			 1);
}

static void connections(void **state)
{
	struct fixture *fixture = *state;
	struct event_tcp_connect connect = {
		.header = { .ktime_ns = 5000000 },
		.start_ns = 3000000,
		.outcome = CONNECT_REFUSED,
	};
	struct event_tcp_accept accept = {
		.header = { .ktime_ns = 9000 },
		.established_ns = 2000,
	};
	void *context = fixture->sink->context;

	fixture->sink->tcp_connect(context, &connect, &process);
	connect.start_ns = 0;
	fixture->sink->tcp_connect(context, &connect, &process);
	assert_int_equal(only(fixture, METRIC_TCP_CONNECT_DURATION,
			      "service_name=front outcome=refused")
				 ->histogram->sum,
			 2000000);
	assert_int_equal(fixture->snapshot ? 1 : 0, 1);
	fixture->sink->tcp_accept(context, &accept, &process);
	accept.established_ns = 0;
	fixture->sink->tcp_accept(context, &accept, &process);
	accept.established_ns = 10000;
	fixture->sink->tcp_accept(context, &accept, &process);
	assert_int_equal(
		only(fixture, METRIC_TCP_ACCEPT_QUEUE, "service_name=front")->histogram->count, 2);
	assert_int_equal(
		only(fixture, METRIC_TCP_ACCEPT_QUEUE, "service_name=front")->histogram->sum, 7000);
}

static void round_trips(void **state)
{
	struct fixture *fixture = *state;
	struct conn_ref conn = { .role = ROLE_CLIENT };
	struct tcp_stats stats = { .srtt_us = 250, .min_rtt_us = 0 };
	void *context = fixture->sink->context;

	fixture->sink->tcp_stats(context, &conn, &stats, &process);
	assert_int_equal(count_of(fixture, METRIC_TCP_MIN_RTT), 0);
	stats = (struct tcp_stats){ .min_rtt_us = UINT32_MAX };
	fixture->sink->tcp_stats(context, &conn, &stats, &process);
	assert_int_equal(
		only(fixture, METRIC_TCP_RTT, "service_name=front role=client")->histogram->sum,
		250000);
	assert_int_equal(
		only(fixture, METRIC_TCP_MIN_RTT, "service_name=front role=client")->histogram->sum,
		UINT32_MAX * 1000ull);
}

static void names_of_numbers(void **state)
{
	(void)state;
	assert_string_equal(observe_role_name(ROLE_CLIENT), "client");
	assert_string_equal(observe_role_name(200), "unknown");
	assert_string_equal(observe_outcome_name(CONNECT_UNREACHABLE), "unreachable");
	assert_string_equal(observe_outcome_name(200), "other");
	assert_string_equal(observe_parse_outcome_name(PARSE_OK), "ok");
	assert_string_equal(observe_parse_outcome_name(200), "unknown");
	for (unsigned i = 0; i < PARSE_OUTCOME_COUNT; i++)
		assert_non_null(observe_parse_outcome_name(i));
}

static const struct protocol store_protocol = { .name = "redis" };

static struct request operation_make(const struct conn_tuple *tuple)
{
	return (struct request){ .start_ns = 1000,
				 .end_ns = 3000,
				 .protocol = &store_protocol,
				 .process = &process,
				 .tuple = tuple,
				 .role = ROLE_CLIENT,
				 .attributes = { [ATTRIBUTE_DB_SYSTEM_NAME] = "redis",
						 [ATTRIBUTE_DB_OPERATION_NAME] = "MGET" } };
}

/* What only some requests have goes to its own metrics, whether their like was seen before or not. */
static void figures_of_some_requests(void **state)
{
	struct fixture *fixture = *state;
	const struct observation_sink *sink = fixture->sink;
	struct conn_tuple tuple = tuple_v4();
	struct request request = operation_make(&tuple);
	const char *labels = "service_name=front db_system_name=redis db_operation_name=MGET "
			     "server_address=192.168.255.34 server_port=54321";
	const struct histogram *histogram;
	const struct sample *samples;
	size_t count;

	for (int round = 0; round < 2; round++) {
		sink->request(sink->context, &request);
		assert_int_equal(count_of(fixture, METRIC_DB_CLIENT_RETURNED_ROWS), round);
		request.rows_kind = ROWS_AFFECTED;
		request.rows = 1000;
		sink->request(sink->context, &request);
		request.rows_kind = ROWS_RETURNED;
		request.rows = 7;
		request.has_value = true;
		request.value_bytes = 5000;
		request.reads = 5;
		request.read_hits = 2;
		sink->request(sink->context, &request);
		request = operation_make(&tuple);
	}
	histogram = only(fixture, METRIC_DB_CLIENT_RETURNED_ROWS, labels)->histogram;
	assert_int_equal(histogram->count, 2);
	assert_int_equal(histogram->sum, 14);
	histogram =
		only(fixture, METRIC_DB_VALUE_SIZE,
		     "service_name=front kind=client db_system_name=redis db_operation_name=MGET")
			->histogram;
	assert_int_equal(histogram->count, 2);
	assert_int_equal(histogram->sum, 10000);
	assert_int_equal(
		only(fixture, METRIC_DB_CLIENT_OPERATION_DURATION, labels)->histogram->count, 6);
	samples = snapshot_samples(fixture->snapshot, METRIC_DB_READS, &count);
	assert_int_equal(count, 2);
	assert_int_equal(samples[0].total + samples[1].total, 10);
	assert_true(samples[0].total == 4 || samples[0].total == 6);
	assert_int_equal(count_of(fixture, METRIC_DB_SERVER_RETURNED_ROWS), 0);
}

/* Requests with a statement reach the table; partial ones, and all without, do not. */
static void statements_go_to_their_table(void **state)
{
	struct statement_table *table = statement_table_new(10, 300);
	struct series_store *store = series_store_new(10);
	struct observer *observer = observer_new(store, table, NULL);
	const struct observation_sink *sink = observer_sink(observer);
	struct conn_tuple tuple = tuple_v4();
	struct request request = operation_make(&tuple);
	struct statement_table_stats stats;

	(void)state;
	sink->request(sink->context, &request);
	request.statement = 5;
	request.is_partial = true;
	sink->request(sink->context, &request);
	statement_table_read(table, &stats);
	assert_int_equal(stats.count, 0);
	request.is_partial = false;
	sink->request(sink->context, &request);
	statement_table_read(table, &stats);
	assert_int_equal(stats.count, 1);
	observer_free(&observer);
	statement_table_free(&table);
	series_store_free(&store);
}

/* Else requests that differ by a label would be taken for the same. The text of a statement is a label in its table only. */
static void all_labels_are_remembered(void **state)
{
	static const char *const names[ATTRIBUTE_COUNT] = {
#define X(NAME, label) label,
		ATTRIBUTES(X)
#undef X
	};

	(void)state;
	for (enum metric metric = 0; metric < METRIC_COUNT; metric++)
		for (size_t i = 0; i < metric_label_count(metric); i++)
			for (enum attribute attribute = LABELLED_COUNT; attribute < ATTRIBUTE_COUNT;
			     attribute++)
				if (strcmp(metric_table[metric].labels[i], names[attribute]) == 0 &&
				    metric != METRIC_DB_STATEMENT_INFO)
					fail_msg("%s of %s", names[attribute],
						 metric_table[metric].name);
}

static void without_memory(void **state)
{
	struct conn_tuple tuple = tuple_v4();
	struct request request = request_make(&tuple, ROLE_SERVER);

	(void)state;
	FOR_EACH_FAILING_ALLOC(nth)
	{
		struct series_store *store = series_store_new(10);
		struct observer *observer = store ? observer_new(store, NULL, NULL) : NULL;
		const struct observation_sink *sink;

		if (observer) {
			sink = observer_sink(observer);
			sink->request(sink->context, &request);
			sink->parse_outcome(sink->context, "http", PARSE_OK);
		}
		observer_free(&observer);
		series_store_free(&store);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

static const struct histogram *histogram_of(struct fixture *fixture, enum metric metric)
{
	size_t count;

	snapshot_unref(&fixture->snapshot);
	fixture->snapshot = series_snapshot(fixture->store);
	return snapshot_samples(fixture->snapshot, metric, &count)[0].histogram;
}

/* Newly found, remembered, and not to be remembered: all the same. */
static void spans_are_exemplars(void **state)
{
	static const struct wall_clock clock = { .offset_ns = 1000000000 };
	struct fixture *fixture = *state;
	struct conn_tuple tuple = tuple_v4();
	struct request request = request_make(&tuple, ROLE_SERVER);
	struct span_identity span = { .trace_id = { 1 }, .span_id = { 2 }, .is_sampled = true };
	char long_method[MEMORY_TEXT_MAX + 8];
	const struct exemplar *exemplar;

	request.span = &span;
	fixture->sink->request(fixture->sink->context, &request);
	assert_null(histogram_of(fixture, METRIC_HTTP_SERVER_REQUEST_DURATION)->exemplars);
	observer_set_exemplars(fixture->observer, &clock);
	span.is_sampled = false;
	fixture->sink->request(fixture->sink->context, &request);
	request.span = NULL;
	fixture->sink->request(fixture->sink->context, &request);
	assert_null(histogram_of(fixture, METRIC_HTTP_SERVER_REQUEST_DURATION)->exemplars);
	request.span = &span;
	span.is_sampled = true;
	fixture->sink->request(fixture->sink->context, &request);
	exemplar = &histogram_of(fixture, METRIC_HTTP_SERVER_REQUEST_DURATION)->exemplars[4];
	assert_int_equal(exemplar->value, 2500000);
	assert_int_equal(exemplar->unix_ns, 1003500000);
	assert_memory_equal(exemplar->trace_id, span.trace_id, TRACE_ID_BYTES);
	assert_memory_equal(exemplar->span_id, span.span_id, SPAN_ID_BYTES);
	assert_null(histogram_of(fixture, METRIC_PROCESS_REQUEST_DURATION)->exemplars);

	memset(long_method, 'X', sizeof(long_method) - 1);
	long_method[sizeof(long_method) - 1] = '\0';
	request.attributes[ATTRIBUTE_HTTP_REQUEST_METHOD] = long_method;
	request.role = ROLE_CLIENT;
	fixture->sink->request(fixture->sink->context, &request);
	exemplar = &histogram_of(fixture, METRIC_HTTP_CLIENT_REQUEST_DURATION)->exemplars[4];
	assert_int_equal(exemplar->unix_ns, 1003500000);
}

/* What it waited for is told by part, what it did is not. */
static void waits_of_requests_served(void **state)
{
	struct fixture *fixture = *state;
	struct conn_tuple tuple = tuple_v4();
	struct request request = request_make(&tuple, ROLE_SERVER);

	request.has_usage = true;
	request.usage.part_ns[TIME_ON_CPU] = 2000000;
	for (unsigned i = 0; i < 3; i++) /* by labels, then remembered */
		fixture->sink->request(fixture->sink->context, &request);
	assert_int_equal(count_of(fixture, METRIC_REQUEST_WAIT), 0);
	request.usage.part_ns[TIME_RUN_QUEUE] = 500000;
	for (unsigned i = 0; i < 3; i++)
		fixture->sink->request(fixture->sink->context, &request);
	assert_int_equal(
		only(fixture, METRIC_REQUEST_WAIT,
		     "service_name=front protocol=http http_route=/item/{id} part=run_queue")
			->histogram->sum,
		1500000);
	request.role = ROLE_CLIENT;
	fixture->sink->request(fixture->sink->context, &request);
	assert_int_equal(
		only(fixture, METRIC_REQUEST_WAIT,
		     "service_name=front protocol=http http_route=/item/{id} part=run_queue")
			->histogram->count,
		3);
}

/* By labels, then remembered. */
static void waits_have_exemplars_of_their_own(void **state)
{
	static const struct wall_clock clock = { .offset_ns = 1000000000 };
	struct fixture *fixture = *state;
	struct conn_tuple tuple = tuple_v4();
	struct request request = request_make(&tuple, ROLE_SERVER);
	struct span_identity span = { .trace_id = { 1 }, .span_id = { 2 }, .is_sampled = true };

	request.has_usage = true;
	request.span = &span;
	observer_set_exemplars(fixture->observer, &clock);
	for (uint64_t ns = 1500000; ns < 1500003; ns++) {
		const struct histogram *waits;
		uint64_t told = 0;

		request.usage.part_ns[TIME_DISK] = ns;
		fixture->sink->request(fixture->sink->context, &request);
		waits = histogram_of(fixture, METRIC_REQUEST_WAIT);
		for (size_t i = 0; i <= waits->layout->bound_count; i++)
			told += waits->exemplars[i].value;
		assert_int_equal(told, ns);
	}
}

static void slow_calls_by_cause(void **state)
{
	struct fixture *fixture = *state;
	struct conn_tuple tuple = tuple_v4();
	struct request request = request_make(&tuple, ROLE_CLIENT);
	struct verdict verdict = { 0 };

	request.has_usage = request.has_tcp = true;
	request.ret_verdict = &verdict;
	for (unsigned i = 0; i < 300; i++)
		fixture->sink->request(fixture->sink->context, &request);
	assert_int_equal(count_of(fixture, METRIC_SLOW_CALLS), 0);
	request.end_ns = request.start_ns + 210000000;
	request.usage.part_ns[TIME_NETWORK] = 209000000;
	request.tcp.retransmits = 1;
	fixture->sink->request(fixture->sink->context, &request);
	assert_int_equal(
		only(fixture, METRIC_SLOW_CALLS,
		     "service_name=front protocol=http server_address=192.168.255.34 server_port=54321 cause=retransmits")
			->total,
		1);
	assert_string_equal(verdict.cause, "retransmits");
	assert_int_equal(count_of(fixture, METRIC_SLOW_REQUESTS), 0);
}

static void slow_requests_by_cause(void **state)
{
	struct fixture *fixture = *state;
	struct conn_tuple tuple = tuple_v4();
	struct request request = request_make(&tuple, ROLE_SERVER);
	struct verdict verdict = { .is_slow = true };

	request.has_usage = true;
	request.ret_verdict = &verdict;
	for (unsigned i = 0; i < 300; i++)
		fixture->sink->request(fixture->sink->context, &request);
	assert_int_equal(count_of(fixture, METRIC_SLOW_REQUESTS), 0);
	request.end_ns = request.start_ns + 90000000;
	request.usage.part_ns[TIME_THROTTLED] = 80000000;
	fixture->sink->request(fixture->sink->context, &request);
	assert_int_equal(
		only(fixture, METRIC_SLOW_REQUESTS,
		     "service_name=front protocol=http http_route=/item/{id} cause=throttled")
			->total,
		1);
	assert_string_equal(verdict.cause, "throttled");
}

/* Of a request that was hit by one of them. */
static void assert_hit(const struct request *request, const char *by)
{
	struct fixture *fixture;
	void *state;
	char labels[128];

	set_up(&state);
	fixture = state;
	fixture->sink->request(fixture->sink->context, request);
	snprintf(labels, sizeof(labels),
		 "service_name=front protocol=http http_route=/item/{id} by=%s", by);
	assert_int_equal(only(fixture, METRIC_REQUESTS_HIT, labels)->total, 1);
	tear_down(&state);
}

static void requests_by_what_hit_them(void **state)
{
	struct conn_tuple tuple = tuple_v4();
	struct request plain = request_make(&tuple, ROLE_SERVER), request;

	(void)state;
	plain.has_usage = plain.has_tcp = true;
	request = plain;
	request.usage.major_faults = 3;
	assert_hit(&request, "major_faults");
	request = plain;
	request.usage.part_ns[TIME_THROTTLED] = 1;
	assert_hit(&request, "throttling");
	request = plain;
	request.tcp.retransmits = 2;
	assert_hit(&request, "retransmits");
	request = plain;
	request.errors = (struct request_errors){ "connect", "ECONNREFUSED", 300 };
	assert_hit(&request, "ECONNREFUSED");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(served_requests),
		TEST(requests_that_differ_are_told_apart),
		TEST(operations_that_differ_are_told_apart),
		TEST(text_that_changes_in_place_is_told_apart),
		TEST(requests_made),
		TEST(addresses_of_ipv6),
		TEST(partial_requests_are_only_counted),
		TEST(a_protocol_without_a_row_has_the_process_metric),
		TEST(messages_of_both_sides),
		TEST(work_on_messages_has_its_own_metric),
		TEST(parse_outcomes),
		TEST(connections),
		TEST(round_trips),
		TEST(figures_of_some_requests),
		cmocka_unit_test(statements_go_to_their_table),
		cmocka_unit_test(all_labels_are_remembered),
		cmocka_unit_test(names_of_numbers),
		cmocka_unit_test(without_memory),
		cmocka_unit_test_setup_teardown(spans_are_exemplars, set_up, tear_down),
		cmocka_unit_test_setup_teardown(waits_of_requests_served, set_up, tear_down),
		cmocka_unit_test_setup_teardown(slow_requests_by_cause, set_up, tear_down),
		cmocka_unit_test_setup_teardown(slow_calls_by_cause, set_up, tear_down),
		cmocka_unit_test_setup_teardown(waits_have_exemplars_of_their_own, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(requests_by_what_hit_them, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
