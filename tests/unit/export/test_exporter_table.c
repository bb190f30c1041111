/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "export/exporter_table.h"

static void every_row_is_filled(void **state)
{
	(void)state;
	for (enum exporter_id id = 0; id < EXPORTER_COUNT; id++) {
		assert_non_null(exporter_table[id].render);
		assert_non_null(exporter_table[id].content_type);
		assert_ptr_equal(exporter_find(exporter_table[id].name), &exporter_table[id]);
	}
	assert_null(exporter_find("nonsense"));
}

static void what_scrapers_send(void **state)
{
	(void)state;
	assert_int_equal(exporter_choose(NULL), EXPORTER_PROMETHEUS);
	assert_int_equal(exporter_choose("*/*"), EXPORTER_PROMETHEUS); /* curl */
	/* Prometheus 2.42 */
	assert_int_equal(exporter_choose("application/openmetrics-text;version=1.0.0;q=0.8,"
					 "application/openmetrics-text;version=0.0.1;q=0.75,"
					 "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"),
			 EXPORTER_OPENMETRICS);
	/* Prometheus 2.42 with native histograms */
	assert_int_equal(
		exporter_choose(
			"application/vnd.google.protobuf;proto=io.prometheus.client."
			"MetricFamily;encoding=delimited,application/openmetrics-text;"
			"version=1.0.0;q=0.8,application/openmetrics-text;version=0.0.1;q=0.75,"
			"text/plain;version=0.0.4;q=0.5,*/*;q=0.1"),
		EXPORTER_PROTOBUF);
	/* Prometheus 3 with native histograms */
	assert_int_equal(
		exporter_choose(
			"application/vnd.google.protobuf;proto=io.prometheus.client."
			"MetricFamily;encoding=delimited;q=0.6,application/openmetrics-text;"
			"version=1.0.0;escaping=allow-utf-8;q=0.5,application/openmetrics-text;"
			"version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,"
			"text/plain;version=0.0.4;q=0.2,*/*;q=0.1"),
		EXPORTER_PROTOBUF);
	assert_int_equal(exporter_choose("application/vnd.google.protobuf;"
					 "proto=io.prometheus.client.MetricFamily;encoding=text,"
					 "application/openmetrics-text;q=0.1"),
			 EXPORTER_OPENMETRICS);
	assert_int_equal(exporter_choose("application/vnd.google.protobuf;proto=other,*/*;q=0.1"),
			 EXPORTER_PROMETHEUS);
	/* Firefox */
	assert_int_equal(exporter_choose("text/html,application/xhtml+xml,application/xml;q=0.9,"
					 "image/avif,image/webp,*/*;q=0.8"),
			 EXPORTER_PROMETHEUS);
	assert_int_equal(exporter_choose("text/plain;version=0.0.4;q=0.9,"
					 "application/openmetrics-text;version=1.0.0;q=0.3"),
			 EXPORTER_PROMETHEUS);
	assert_int_equal(exporter_choose("application/openmetrics-text"), EXPORTER_OPENMETRICS);
	assert_int_equal(exporter_choose("application/openmetrics-text;version=0.0.1"),
			 EXPORTER_PROMETHEUS);
	assert_int_equal(exporter_choose("image/png"), EXPORTER_PROMETHEUS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row_is_filled),
		cmocka_unit_test(what_scrapers_send),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
