/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "export/metric_names.h"
#include "export/span_fields.h"

static void as_the_conventions_have_them(void **state)
{
	static const struct {
		enum metric metric;
		const char *name, *unit;
	} known[] = {
		{ METRIC_HTTP_SERVER_REQUEST_DURATION, "http.server.request.duration", "s" },
		{ METRIC_HTTP_CLIENT_RESPONSE_BODY_SIZE, "http.client.response.body.size", "By" },
		{ METRIC_RPC_SERVER_CALL_DURATION, "rpc.server.call.duration", "s" },
		{ METRIC_DB_CLIENT_RETURNED_ROWS, "db.client.response.returned_rows", "" },
		{ METRIC_DB_CONNECTIONS, "db.client.connection.count", "" },
		{ METRIC_DNS_LOOKUP_DURATION, "dns.lookup.duration", "s" },
		{ METRIC_MESSAGING_CLIENT_SENT_MESSAGES, "messaging.client.sent.messages", "" },
		{ METRIC_TCP_BYTES, "sonde.tcp_bytes", "By" },
		{ METRIC_BUILD_INFO, "sonde.build_info", "" },
		{ METRIC_DB_STATEMENT_SECONDS, "sonde.db_statement_seconds", "s" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		struct metric_names names;

		metric_names_read(known[i].metric, &names);
		assert_string_equal(names.name, known[i].name);
		assert_string_equal(names.unit, known[i].unit);
	}
}

static void to_prometheus(char *name)
{
	for (; *name; name++)
		if (*name == '.')
			*name = '_';
}

static bool ends_with(const char *name, const char *end)
{
	return strlen(name) > strlen(end) && strcmp(name + strlen(name) - strlen(end), end) == 0;
}

/* What Prometheus makes of the names are the names that it scrapes. Source: OpenTelemetry specification, "Prometheus and OpenMetrics
 * Compatibility" */
static void prometheus_makes_the_same_names(void **state)
{
	(void)state;
	for (enum metric metric = 0; metric < METRIC_COUNT; metric++) {
		const struct metric_row *row = &metric_table[metric];
		char back[2 * METRIC_NAME_MAX];
		struct metric_names names;

		assert_true(strlen(row->name) < METRIC_NAME_MAX);
		metric_names_read(metric, &names);
		strcpy(back, names.name);
		to_prometheus(back);
		if (row->unit == UNIT_SECONDS && !ends_with(back, "_seconds"))
			strcat(back, "_seconds");
		if (row->unit == UNIT_BYTES && !ends_with(back, "_bytes"))
			strcat(back, "_bytes");
		if (row->type == METRIC_COUNTER)
			strcat(back, "_total");
		assert_string_equal(back, row->name);
		for (size_t i = 0; row->labels[i]; i++) {
			strcpy(back, names.labels[i].name);
			to_prometheus(back);
			assert_string_equal(back, row->labels[i]);
		}
	}
}

static void attributes_are_called_as_those_of_spans(void **state)
{
	struct attribute_name name;

	(void)state;
	for (enum attribute attribute = 0; attribute < ATTRIBUTE_COUNT; attribute++) {
		char label[METRIC_NAME_MAX];

		if (attribute == ATTRIBUTE_HTTP_REQUEST_ID || attribute == ATTRIBUTE_URL_PATH)
			continue; /* no labels */
		snprintf(label, sizeof(label), "%s", span_attribute_name(attribute));
		to_prometheus(label);
		attribute_name_read(label, &name);
		assert_string_equal(name.name, span_attribute_name(attribute));
		assert_int_equal(name.is_number, attribute == ATTRIBUTE_HTTP_RESPONSE_STATUS_CODE);
	}
	attribute_name_read("server_port", &name);
	assert_true(name.is_number);
	attribute_name_read("kernel_release", &name);
	assert_string_equal(name.name, "kernel_release");
	attribute_name_read("kind", &name);
	assert_string_equal(name.name, "kind");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(as_the_conventions_have_them),
		cmocka_unit_test(prometheus_makes_the_same_names),
		cmocka_unit_test(attributes_are_called_as_those_of_spans),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
