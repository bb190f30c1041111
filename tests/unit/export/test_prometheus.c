/* SPDX-License-Identifier: Apache-2.0 */
/* One store, two golden files. SONDE_UPDATE=1 in the environment writes them anew. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "aggregate/series.h"
#include "expected_file.h"
#include "export/prometheus.h"
#include "failing_alloc.h"

static void fill_requests(struct series_store *store)
{
	label_values get = { "shop", "GET", "200", "/item/{id}", "10.0.0.1", "8080" };
	label_values failed = { "shop", "POST", "500", "/pay", "10.0.0.1", "8080", "500" };
	struct exemplar exemplar = { .unix_ns = 1732222222123456789, .value = 60000000001 };
	struct series_slot slot;

	(void)series_observe(store, METRIC_HTTP_SERVER_REQUEST_DURATION, failed, 0, 0);
	(void)series_observe(store, METRIC_HTTP_SERVER_REQUEST_DURATION, get, 0, 100000);
	(void)series_observe(store, METRIC_HTTP_SERVER_REQUEST_DURATION, get, 0, 100001);
	(void)series_observe(store, METRIC_HTTP_SERVER_REQUEST_DURATION, get, 0, 1000000000);
	(void)series_observe(store, METRIC_HTTP_SERVER_REQUEST_DURATION, get, 0, 60000000001);
	memset(exemplar.trace_id, 0xa1, sizeof(exemplar.trace_id));
	memset(exemplar.span_id, 0xb2, sizeof(exemplar.span_id));
	(void)series_remember(store, METRIC_HTTP_SERVER_REQUEST_DURATION, get, 0, &slot);
	series_exemplify_slot(store, &slot, &exemplar);
	(void)series_observe(store, METRIC_HTTP_SERVER_RESPONSE_BODY_SIZE, get, 0, 1024);
}

/* Inserted out of order; labels that need escaping; more than the limit of 4. */
static void fill_rest(struct series_store *store)
{
	static const char *const services[] = { "b", "a", "quo\"te", "back\\slash", "e", "f" };

	for (size_t i = 0; i < sizeof(services) / sizeof(services[0]); i++) {
		(void)series_add(store, METRIC_TCP_BYTES, (label_values){ services[i], "sent" }, 0,
				 i + 1);
		(void)series_observe(store, METRIC_TCP_ACCEPT_QUEUE, (label_values){ services[i] },
				     0, i * 1000000);
	}
	(void)series_add(store, METRIC_TCP_RETRANSMITS, (label_values){ "new\nline" }, 0, 1);
	(void)series_add(store, METRIC_TCP_RETRANSMITS, (label_values){ NULL }, 0, 3);
	(void)series_set(store, METRIC_TCP_CONNECTIONS, (label_values){ "a", "server" }, 0, 17);
	(void)series_set(store, METRIC_BUILD_INFO, (label_values){ "0.1.0", "1", "x86_64" }, 0, 1);
	(void)series_set_total(store, METRIC_CPU_SECONDS, (label_values){ 0 }, 0, 12345678900);
	(void)series_set(store, METRIC_START_TIME, (label_values){ 0 }, 0, 1732222222.25);
	(void)series_observe(store, METRIC_SCRAPE_DURATION, (label_values){ 0 }, 0, 2000000);
	series_store_report(store);
}

static struct snapshot *example(void)
{
	struct series_store *store = series_store_new(4);
	struct snapshot *snapshot;

	fill_requests(store);
	fill_rest(store);
	snapshot = series_snapshot(store);
	series_store_free(&store);
	return snapshot;
}

static void text_is_golden(void **state)
{
	struct snapshot *snapshot = example();
	struct text_buffer buffer = { 0 };

	(void)state;
	assert_int_equal(prometheus_render_text(snapshot, &buffer), 0);
	assert_file_equal("tests/unit/export/golden/prometheus.txt", buffer.bytes, buffer.length);
	text_buffer_done(&buffer);
	snapshot_unref(&snapshot);
}

static void openmetrics_is_golden(void **state)
{
	struct snapshot *snapshot = example();
	struct text_buffer buffer = { 0 };

	(void)state;
	assert_int_equal(prometheus_render_openmetrics(snapshot, &buffer), 0);
	assert_file_equal("tests/unit/export/golden/openmetrics.txt", buffer.bytes, buffer.length);
	text_buffer_done(&buffer);
	snapshot_unref(&snapshot);
}

static void nothing_is_little(void **state)
{
	struct series_store *store = series_store_new(1);
	struct snapshot *snapshot = series_snapshot(store);
	struct text_buffer buffer = { 0 };

	(void)state;
	assert_int_equal(prometheus_render_text(snapshot, &buffer), 0);
	assert_int_equal(buffer.length, 0);
	assert_int_equal(prometheus_render_openmetrics(snapshot, &buffer), 0);
	assert_int_equal(buffer.length, 6);
	assert_memory_equal(buffer.bytes, "# EOF\n", 6);
	text_buffer_done(&buffer);
	snapshot_unref(&snapshot);
	series_store_free(&store);
}

static void without_memory(void **state)
{
	struct snapshot *snapshot = example();

	(void)state;
	FOR_EACH_FAILING_ALLOC(nth)
	{
		struct text_buffer buffer = { 0 };
		int err = prometheus_render_openmetrics(snapshot, &buffer);

		assert_int_equal(err, failing_alloc_has_failed() ? -ENOMEM : 0);
		text_buffer_done(&buffer);
	}
	snapshot_unref(&snapshot);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_is_golden),
		cmocka_unit_test(openmetrics_is_golden),
		cmocka_unit_test(nothing_is_little),
		cmocka_unit_test(without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
