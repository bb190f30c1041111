/* SPDX-License-Identifier: Apache-2.0 */
/* What was written is read again, by the generated code, and compared with the store's figures. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <math.h>
#include <string.h>

#include "aggregate/series.h"
#include "export/prometheus_protobuf.h"
#include "failing_alloc.h"
#include "metrics.pb-c.h"

#define FAMILIES_MAX 16

typedef Io__Prometheus__Client__MetricFamily proto_family;
typedef Io__Prometheus__Client__Histogram proto_histogram;
typedef Io__Prometheus__Client__Metric proto_metric;

struct page {
	struct snapshot *snapshot;
	struct text_buffer buffer;
	proto_family *families[FAMILIES_MAX];
	size_t count;
};

static const uint64_t durations[] = {
	0, 0, 1, 90000, 90001, 120000, 180000, 1000000000, 60000000001
};

static void fill(struct series_store *store)
{
	label_values get = { "quo\"te", "GET", "200", "", "10.0.0.1", "8080" };
	struct exemplar exemplar = { .unix_ns = 1732222222123456789, .value = 60000000001 };
	struct series_slot slot;

	for (size_t i = 0; i < sizeof(durations) / sizeof(durations[0]); i++)
		(void)series_observe(store, METRIC_HTTP_SERVER_REQUEST_DURATION, get, 0,
				     durations[i]);
	memset(exemplar.trace_id, 0xa1, sizeof(exemplar.trace_id));
	memset(exemplar.span_id, 0xb2, sizeof(exemplar.span_id));
	(void)series_remember(store, METRIC_HTTP_SERVER_REQUEST_DURATION, get, 0, &slot);
	series_exemplify_slot(store, &slot, &exemplar);
	(void)series_add(store, METRIC_TCP_BYTES, (label_values){ "b", "sent" }, 0, 2);
	(void)series_add(store, METRIC_TCP_BYTES, (label_values){ "a", "sent" }, 0, 1);
	(void)series_add(store, METRIC_TCP_BYTES, (label_values){ "c", "sent" }, 0, 3);
	(void)series_set(store, METRIC_BUILD_INFO, (label_values){ "0.1.0", "1", "x86_64" }, 0, 1);
	(void)series_set_total(store, METRIC_CPU_SECONDS, (label_values){ 0 }, 0, 12345678900);
}

static int set_up(void **state)
{
	static struct page page;
	struct series_store *store = series_store_new(2);

	fill(store);
	page = (struct page){ .snapshot = series_snapshot(store) };
	series_store_free(&store);
	*state = &page;
	return prometheus_render_protobuf(page.snapshot, &page.buffer);
}

static int tear_down(void **state)
{
	struct page *page = *state;

	for (size_t i = 0; i < page->count; i++)
		io__prometheus__client__metric_family__free_unpacked(page->families[i], NULL);
	text_buffer_done(&page->buffer);
	snapshot_unref(&page->snapshot);
	return 0;
}

static const proto_family *find(struct page *page, const char *name)
{
	const uint8_t *at = (const uint8_t *)page->buffer.bytes, *end = at + page->buffer.length;

	while (!page->count || at < end) {
		size_t length = 0;
		unsigned shift = 0;

		do {
			assert_true(at < end);
			length |= (size_t)(*at & 0x7f) << shift;
			shift += 7;
		} while (*at++ & 0x80);
		assert_true(length <= (size_t)(end - at) && page->count < FAMILIES_MAX);
		page->families[page->count] =
			io__prometheus__client__metric_family__unpack(NULL, length, at);
		assert_non_null(page->families[page->count++]);
		at += length;
	}
	for (size_t i = 0; i < page->count; i++)
		if (strcmp(page->families[i]->name, name) == 0)
			return page->families[i];
	fail_msg("no family %s", name);
	return NULL;
}

static void assert_label(const proto_metric *metric, size_t at, const char *name, const char *value)
{
	assert_in_range(at, 0, metric->n_label - 1);
	assert_string_equal(metric->label[at]->name, name);
	assert_string_equal(metric->label[at]->value, value);
}

static void counters_gauges_and_infos(void **state)
{
	const proto_family *family = find(*state, "sonde_tcp_bytes_total");

	assert_int_equal(family->type, IO__PROMETHEUS__CLIENT__METRIC_TYPE__COUNTER);
	assert_string_equal(family->unit, "bytes");
	assert_string_equal(family->help, metric_table[METRIC_TCP_BYTES].help);
	assert_int_equal(family->n_metric, 3);
	assert_label(family->metric[0], 0, "service_name", "a");
	assert_float_equal(family->metric[0]->counter->value, 1, 0);
	assert_float_equal(family->metric[1]->counter->value, 2, 0);
	assert_int_equal(family->metric[2]->n_label, 3);
	assert_label(family->metric[2], 0, "service_name", "other");
	assert_label(family->metric[2], 2, "sonde_overflow", "true");
	assert_float_equal(family->metric[2]->counter->value, 3, 0);

	family = find(*state, "sonde_build_info");
	assert_int_equal(family->type, IO__PROMETHEUS__CLIENT__METRIC_TYPE__GAUGE);
	assert_float_equal(family->metric[0]->gauge->value, 1, 0);
	assert_null(family->unit);
	family = find(*state, metric_table[METRIC_CPU_SECONDS].name);
	assert_float_equal(family->metric[0]->counter->value, 12.3456789, 0);
}

static const proto_histogram *find_histogram(struct page *page)
{
	const proto_family *family = find(page, "http_server_request_duration_seconds");

	assert_int_equal(family->type, IO__PROMETHEUS__CLIENT__METRIC_TYPE__HISTOGRAM);
	assert_int_equal(family->n_metric, 1);
	assert_int_equal(family->metric[0]->n_label, 5); /* the empty one is left out */
	assert_label(family->metric[0], 0, "service_name", "quo\"te");
	return family->metric[0]->histogram;
}

static void classic_buckets(void **state)
{
	const proto_histogram *histogram = find_histogram(*state);
	const struct bucket_layout *layout = &bucket_layouts[BUCKETS_REQUEST];

	assert_int_equal(histogram->sample_count, 9);
	assert_float_equal(histogram->sample_sum, 61.000480003, 1e-15);
	assert_int_equal(histogram->n_bucket, layout->bound_count + 1);
	assert_float_equal(histogram->bucket[0]->upper_bound, 0.0001, 0);
	assert_int_equal(histogram->bucket[0]->cumulative_count, 5);
	assert_int_equal(histogram->bucket[1]->cumulative_count, 7);
	assert_int_equal(histogram->bucket[layout->bound_count - 1]->cumulative_count, 8);
	assert_true(isinf(histogram->bucket[layout->bound_count]->upper_bound));
	assert_int_equal(histogram->bucket[layout->bound_count]->cumulative_count, 9);
}

static void exemplars(void **state)
{
	const proto_histogram *histogram = find_histogram(*state);
	const Io__Prometheus__Client__Exemplar *exemplar;

	for (size_t i = 0; i + 1 < histogram->n_bucket; i++)
		assert_null(histogram->bucket[i]->exemplar);
	assert_int_equal(histogram->n_exemplars, 1);
	exemplar = histogram->exemplars[0];
	for (int i = 0; i < 2;
	     i++, exemplar = histogram->bucket[histogram->n_bucket - 1]->exemplar) {
		assert_int_equal(exemplar->n_label, 2);
		assert_string_equal(exemplar->label[0]->name, "trace_id");
		assert_string_equal(exemplar->label[0]->value, "a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1");
		assert_string_equal(exemplar->label[1]->name, "span_id");
		assert_string_equal(exemplar->label[1]->value, "b2b2b2b2b2b2b2b2");
		assert_float_equal(exemplar->value, 60.000000001, 0);
		assert_int_equal(exemplar->timestamp->seconds, 1732222222);
		assert_int_equal(exemplar->timestamp->nanos, 123456789);
	}
}

/* Bucket i holds (base^(i-1), base^i]: each value is put there by the definition, without sonde's own arithmetic. */
static void native_buckets_hold_the_values(void **state)
{
	const proto_histogram *histogram = find_histogram(*state);
	double base = pow(2, pow(2, -histogram->schema));
	size_t at = 0, found = 0, empty = 0;
	int32_t index = 0;
	int64_t count = 0;

	assert_in_range(histogram->schema + 4, 0, 12); /* -4 to 8 */
	assert_int_equal(histogram->zero_count, 2);
	assert_true(histogram->zero_threshold > 0 && histogram->zero_threshold < 1e-30);
	for (size_t i = 0; i < histogram->n_positive_span; i++) {
		index += histogram->positive_span[i]->offset;
		for (uint32_t k = 0; k < histogram->positive_span[i]->length; k++, index++) {
			int64_t inside = 0;

			count += histogram->positive_delta[at++];
			for (size_t v = 0; v < sizeof(durations) / sizeof(durations[0]); v++) {
				double value = (double)durations[v] / 1e9;

				inside += value > pow(base, index - 1) * (1 + 1e-12) &&
					  value <= pow(base, index) * (1 + 1e-12);
			}
			assert_int_equal(count, inside);
			found += (size_t)count;
			empty += !count;
		}
	}
	assert_int_equal(at, histogram->n_positive_delta);
	assert_int_equal(found, 7);
	assert_true(empty > 0);				 /* between 120 and 180 µs */
	assert_int_equal(histogram->n_positive_span, 4); /* 1 ns; 90 to 180 µs; 1 s; 60 s */
}

static void nothing_is_nothing(void **state)
{
	struct series_store *store = series_store_new(1);
	struct snapshot *snapshot = series_snapshot(store);
	struct text_buffer buffer = { 0 };

	(void)state;
	assert_int_equal(prometheus_render_protobuf(snapshot, &buffer), 0);
	assert_int_equal(buffer.length, 0);
	snapshot_unref(&snapshot);
	series_store_free(&store);
}

static void without_memory(void **state)
{
	struct page *page = *state;

	FOR_EACH_FAILING_ALLOC(nth)
	{
		struct text_buffer buffer = { 0 };
		int err = prometheus_render_protobuf(page->snapshot, &buffer);

		assert_int_equal(err, failing_alloc_has_failed() ? -ENOMEM : 0);
		text_buffer_done(&buffer);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(counters_gauges_and_infos),
		TEST(classic_buckets),
		TEST(exemplars),
		TEST(native_buckets_hold_the_values),
		cmocka_unit_test(nothing_is_nothing),
		TEST(without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
