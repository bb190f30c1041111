/* SPDX-License-Identifier: Apache-2.0 */
/* What was written is read again, by the generated code, and compared with the store's figures. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "aggregate/series.h"
#include "export/otlp_metrics.h"
#include "failing_alloc.h"
#include "metrics_service.pb-c.h"

typedef Opentelemetry__Proto__Collector__Metrics__V1__ExportMetricsServiceRequest proto_request;
typedef Opentelemetry__Proto__Metrics__V1__ResourceMetrics proto_resource_metrics;
typedef Opentelemetry__Proto__Metrics__V1__Metric proto_metric;
typedef Opentelemetry__Proto__Metrics__V1__HistogramDataPoint proto_histogram;
typedef Opentelemetry__Proto__Metrics__V1__ExponentialHistogramDataPoint proto_exponential;
typedef Opentelemetry__Proto__Metrics__V1__NumberDataPoint proto_number;
typedef Opentelemetry__Proto__Common__V1__AnyValue proto_any_value;
typedef Opentelemetry__Proto__Common__V1__KeyValue proto_key_value;

#define STARTED 1000
#define WALL 5000000
#define DURATION METRIC_HTTP_SERVER_REQUEST_DURATION
#define DELTA \
	OPENTELEMETRY__PROTO__METRICS__V1__AGGREGATION_TEMPORALITY__AGGREGATION_TEMPORALITY_DELTA
#define CUMULATIVE \
	OPENTELEMETRY__PROTO__METRICS__V1__AGGREGATION_TEMPORALITY__AGGREGATION_TEMPORALITY_CUMULATIVE

static const struct span_attribute extra[] = { { "host.name", "node-7", 0 } };
static const struct span_resource resource = { extra, 1 };
static const struct wall_clock wall = { WALL };
static const label_values get = { "shop", "GET", "200", "/a", "10.0.0.1", "8080" };

struct scene {
	struct series_store *store;
	struct otlp_metrics *metrics;
	struct snapshot *before, *now;
	proto_request *request;
};

static void manner(struct scene *scene, bool is_delta, bool is_exponential)
{
	const struct otlp_metrics_manner wanted = { &resource, &wall,	 STARTED,
						    is_delta,  is_delta, is_exponential };

	otlp_metrics_free(&scene->metrics);
	scene->metrics = otlp_metrics_new(&wanted);
	assert_non_null(scene->metrics);
}

/* At that time all series are as they are; those that come later came later. */
static void take(struct scene *scene, uint64_t now_ns)
{
	if (scene->before)
		snapshot_unref(&scene->before);
	scene->before = scene->now;
	series_store_set_now(scene->store, now_ns);
	scene->now = series_snapshot(scene->store);
	series_end_round(scene->store);
}

static void forget(struct scene *scene)
{
	if (scene->request)
		opentelemetry__proto__collector__metrics__v1__export_metrics_service_request__free_unpacked(
			scene->request, NULL);
	scene->request = NULL;
}

static int next_part(struct scene *scene)
{
	struct text_buffer body = { 0 };
	int points = otlp_metrics_next(scene->metrics, &body);

	forget(scene);
	if (points > 0) {
		scene->request =
			opentelemetry__proto__collector__metrics__v1__export_metrics_service_request__unpack(
				NULL, body.length, (const uint8_t *)body.bytes);
		assert_non_null(scene->request);
	} else {
		assert_null(body.bytes);
	}
	text_buffer_done(&body);
	return points;
}

/* The one part that there is. Returns how many points are in it. */
static int encode(struct scene *scene)
{
	struct text_buffer nothing = { 0 };
	int points;

	otlp_metrics_begin(scene->metrics, scene->now, scene->before);
	points = next_part(scene);
	assert_int_equal(otlp_metrics_next(scene->metrics, &nothing), 0);
	return points;
}

static int set_up(void **state)
{
	static struct scene scene;

	scene = (struct scene){ .store = series_store_new(2000) };
	series_store_set_now(scene.store, 2000);
	series_end_round(scene.store);
	*state = &scene;
	return 0;
}

static int tear_down(void **state)
{
	struct scene *scene = *state;

	forget(scene);
	otlp_metrics_free(&scene->metrics);
	if (scene->before)
		snapshot_unref(&scene->before);
	if (scene->now)
		snapshot_unref(&scene->now);
	series_store_free(&scene->store);
	return 0;
}

static const proto_any_value *value_of(proto_key_value *const *attributes, size_t count,
				       const char *key)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(attributes[i]->key, key) == 0)
			return attributes[i]->value;
	fail_msg("no %s", key);
	return NULL;
}

static const proto_metric *find(const struct scene *scene, const char *service, const char *name)
{
	for (size_t i = 0; i < scene->request->n_resource_metrics; i++) {
		const proto_resource_metrics *of = scene->request->resource_metrics[i];
		const Opentelemetry__Proto__Metrics__V1__ScopeMetrics *scope = of->scope_metrics[0];

		assert_int_equal(of->resource->n_attributes, 2);
		assert_string_equal(
			value_of(of->resource->attributes, 2, "host.name")->string_value, "node-7");
		if (strcmp(value_of(of->resource->attributes, 2, "service.name")->string_value,
			   service) != 0)
			continue;
		assert_int_equal(of->n_scope_metrics, 1);
		assert_string_equal(scope->scope->name, "sonde");
		for (size_t j = 0; j < scope->n_metrics; j++)
			if (strcmp(scope->metrics[j]->name, name) == 0)
				return scope->metrics[j];
	}
	return NULL;
}

static const proto_number *sum_of(const struct scene *scene, const char *service, const char *name,
				  int temporality)
{
	const proto_metric *metric = find(scene, service, name);

	assert_non_null(metric);
	assert_int_equal(metric->data_case, OPENTELEMETRY__PROTO__METRICS__V1__METRIC__DATA_SUM);
	assert_true(metric->sum->is_monotonic);
	assert_int_equal(metric->sum->aggregation_temporality, temporality);
	assert_int_equal(metric->sum->n_data_points, 1);
	return metric->sum->data_points[0];
}

static void counters_gauges_and_infos(void **state)
{
	struct scene *scene = *state;
	const proto_metric *metric;
	const proto_number *point;

	(void)series_add(scene->store, METRIC_TCP_BYTES, (label_values){ "shop", "sent" }, 0, 7);
	(void)series_set(scene->store, METRIC_TCP_CONNECTIONS, (label_values){ "shop", "client" },
			 0, 3);
	(void)series_set(scene->store, METRIC_BUILD_INFO, (label_values){ "0.1.0", "1", "x86_64" },
			 0, 1);
	(void)series_set_total(scene->store, METRIC_CPU_SECONDS, (label_values){ 0 }, 0,
			       12345678900);
	take(scene, 9000);
	manner(scene, false, false);
	assert_int_equal(encode(scene), 4);

	point = sum_of(scene, "shop", "sonde.tcp_bytes", CUMULATIVE);
	assert_int_equal(point->value_case,
			 OPENTELEMETRY__PROTO__METRICS__V1__NUMBER_DATA_POINT__VALUE_AS_INT);
	assert_int_equal(point->as_int, 7);
	assert_int_equal(point->n_attributes, 1);
	assert_string_equal(value_of(point->attributes, 1, "direction")->string_value, "sent");
	assert_int_equal(point->start_time_unix_nano, WALL + 2000);
	assert_int_equal(point->time_unix_nano, WALL + 9000);
	metric = find(scene, "shop", "sonde.tcp_bytes");
	assert_string_equal(metric->unit, "By");
	assert_string_equal(metric->description, metric_table[METRIC_TCP_BYTES].help);

	metric = find(scene, "shop", "sonde.tcp_connections");
	assert_int_equal(metric->data_case, OPENTELEMETRY__PROTO__METRICS__V1__METRIC__DATA_GAUGE);
	assert_true(metric->gauge->data_points[0]->as_double == 3);
	assert_int_equal(metric->gauge->data_points[0]->start_time_unix_nano, 0);
	metric = find(scene, "sonde", "sonde.build_info");
	assert_true(metric->gauge->data_points[0]->as_double == 1);
	assert_int_equal(metric->gauge->data_points[0]->n_attributes, 3);
	point = sum_of(scene, "sonde", "process.cpu", CUMULATIVE);
	assert_true(point->as_double == 12.3456789);
}

static void attributes_that_are_numbers(void **state)
{
	struct scene *scene = *state;
	const label_values odd = { "shop", "GET", "", "", "10.0.0.1", "other" };
	const proto_histogram *const *points;
	const proto_any_value *value;

	(void)series_observe(scene->store, DURATION, get, 0, 5);
	(void)series_observe(scene->store, DURATION, odd, 0, 5);
	take(scene, 9000);
	manner(scene, false, false);
	assert_int_equal(encode(scene), 2);
	points =
		(void *)find(scene, "shop", "http.server.request.duration")->histogram->data_points;
	assert_int_equal(points[1]->n_attributes, 5);
	value = value_of(points[1]->attributes, 5, "http.response.status_code");
	assert_int_equal(value->int_value, 200);
	assert_int_equal(value_of(points[1]->attributes, 5, "server.port")->int_value, 8080);
	assert_string_equal(value_of(points[1]->attributes, 5, "http.route")->string_value, "/a");
	assert_int_equal(points[0]->n_attributes, 3);
	assert_string_equal(value_of(points[0]->attributes, 3, "server.port")->string_value,
			    "other");
}

static const proto_histogram *histogram_of(const struct scene *scene, int temporality)
{
	const proto_metric *metric = find(scene, "shop", "http.server.request.duration");

	assert_non_null(metric);
	assert_int_equal(metric->data_case,
			 OPENTELEMETRY__PROTO__METRICS__V1__METRIC__DATA_HISTOGRAM);
	assert_int_equal(metric->histogram->aggregation_temporality, temporality);
	assert_int_equal(metric->histogram->n_data_points, 1);
	return metric->histogram->data_points[0];
}

static void observe(struct scene *scene, const uint64_t *values, size_t count)
{
	for (size_t i = 0; i < count; i++)
		(void)series_observe(scene->store, DURATION, get, 0, values[i]);
}

static const uint64_t early[] = { 0, 0, 90000, 100000, 100001, 1000000000 };
static const uint64_t late[] = { 0, 1, 90000, 300000, 60000000001, 1ull << 60 };

#define OBSERVE(scene, values) observe(scene, values, sizeof(values) / sizeof((values)[0]))

static void exemplify(struct scene *scene, uint64_t unix_ns)
{
	struct exemplar exemplar = { .unix_ns = unix_ns, .value = 1500000000 };
	struct series_slot slot;

	memset(exemplar.trace_id, 0xa1, TRACE_ID_BYTES);
	memset(exemplar.span_id, 0xb2, SPAN_ID_BYTES);
	(void)series_remember(scene->store, DURATION, get, 0, &slot);
	series_exemplify_slot(scene->store, &slot, &exemplar);
}

static void classic_buckets(void **state)
{
	const struct bucket_layout *layout = &bucket_layouts[BUCKETS_REQUEST];
	struct scene *scene = *state;
	const proto_histogram *point;

	OBSERVE(scene, early);
	exemplify(scene, WALL + 2500);
	take(scene, 3000);
	OBSERVE(scene, late);
	take(scene, 9000);
	manner(scene, false, false);
	assert_int_equal(encode(scene), 1);
	point = histogram_of(scene, CUMULATIVE);
	assert_int_equal(point->start_time_unix_nano, WALL + 2000);
	assert_int_equal(point->count, 12);
	assert_int_equal(point->n_explicit_bounds, layout->bound_count);
	assert_int_equal(point->n_bucket_counts, layout->bound_count + 1);
	assert_true(point->explicit_bounds[0] == 1e-4);
	assert_int_equal(point->bucket_counts[0], 7); /* up to 100 µs, that inclusive */
	assert_int_equal(point->bucket_counts[layout->bound_count], 2);
	assert_int_equal(point->n_exemplars, 1);
	assert_true(point->exemplars[0]->as_double == 1.5);
	assert_int_equal(point->exemplars[0]->time_unix_nano, WALL + 2500);
	assert_int_equal(point->exemplars[0]->trace_id.data[0], 0xa1);
	assert_int_equal(point->exemplars[0]->span_id.len, SPAN_ID_BYTES);
}

static void deltas_of_classic_buckets(void **state)
{
	struct scene *scene = *state;
	const proto_histogram *point;

	manner(scene, true, false);
	OBSERVE(scene, early);
	exemplify(scene, WALL + 2500);
	take(scene, 3000);
	assert_int_equal(encode(scene), 1);
	point = histogram_of(scene, DELTA);
	assert_int_equal(point->start_time_unix_nano, WALL + STARTED);
	assert_int_equal(point->time_unix_nano, WALL + 3000);
	assert_int_equal(point->count, 6);
	assert_int_equal(point->n_exemplars, 1);
	OBSERVE(scene, late);
	take(scene, 9000);
	assert_int_equal(encode(scene), 1);
	point = histogram_of(scene, DELTA);
	assert_int_equal(point->start_time_unix_nano, WALL + 3000);
	assert_int_equal(point->time_unix_nano, WALL + 9000);
	assert_int_equal(point->count, 6);
	assert_true(point->sum == (double)(60000390002 + (1ull << 60)) / 1e9);
	assert_int_equal(point->bucket_counts[0], 3);
	assert_int_equal(point->n_exemplars, 0); /* it was told */
}

/* An empty sum is one that was told. */
static void sums_of_nothing(void **state)
{
	static const uint64_t nothing[] = { 0 };
	struct scene *scene = *state;

	OBSERVE(scene, nothing);
	take(scene, 3000);
	manner(scene, false, false);
	(void)encode(scene);
	assert_int_equal(histogram_of(scene, CUMULATIVE)->optional_sum_case,
			 OPENTELEMETRY__PROTO__METRICS__V1__HISTOGRAM_DATA_POINT__OPTIONAL_SUM_SUM);
	assert_true(histogram_of(scene, CUMULATIVE)->sum == 0);
}

static const proto_exponential *exponential_of(const struct scene *scene, int temporality)
{
	const proto_metric *metric = find(scene, "shop", "http.server.request.duration");

	assert_non_null(metric);
	assert_int_equal(metric->data_case,
			 OPENTELEMETRY__PROTO__METRICS__V1__METRIC__DATA_EXPONENTIAL_HISTOGRAM);
	assert_int_equal(metric->exponential_histogram->aggregation_temporality, temporality);
	return metric->exponential_histogram->data_points[0];
}

/* Each bucket as a histogram of these values alone has it, at the scale of the point. */
static void assert_buckets(const proto_exponential *point, const uint64_t *values, size_t count)
{
	const struct octave *octave = bucket_layouts[BUCKETS_REQUEST].octave;
	uint64_t told = point->zero_count, zeros = 0;

	for (size_t i = 0; i < point->positive->n_bucket_counts; i++) {
		int32_t index = point->positive->offset + (int32_t)i;
		uint64_t want = 0;

		for (size_t j = 0; j < count; j++)
			want += values[j] && octave_index(octave, values[j]) >>
							     (HISTOGRAM_SCALE_MAX - point->scale) ==
						     index;
		assert_int_equal(point->positive->bucket_counts[i], want);
		told += want;
	}
	for (size_t j = 0; j < count; j++)
		zeros += !values[j];
	assert_int_equal(point->zero_count, zeros);
	assert_int_equal(point->count, count);
	assert_int_equal(told, count);
}

static void exponential_buckets(void **state)
{
	struct scene *scene = *state;
	const proto_exponential *point;
	uint64_t all[12];

	memcpy(all, early, sizeof(early));
	memcpy(all + 6, late, sizeof(late));
	manner(scene, false, true);
	OBSERVE(scene, early);
	OBSERVE(scene, late);
	take(scene, 3000);
	assert_int_equal(encode(scene), 1);
	point = exponential_of(scene, CUMULATIVE);
	assert_int_equal(
		point->optional_sum_case,
		OPENTELEMETRY__PROTO__METRICS__V1__EXPONENTIAL_HISTOGRAM_DATA_POINT__OPTIONAL_SUM_SUM);
	assert_buckets(point, all, 12);
}

/* The late values need a coarser scale: what was told before is merged to be taken off. */
static void deltas_of_exponential_buckets(void **state)
{
	struct scene *scene = *state;

	manner(scene, true, true);
	OBSERVE(scene, early);
	take(scene, 3000);
	assert_int_equal(encode(scene), 1);
	assert_int_equal(exponential_of(scene, DELTA)->scale, 3);
	assert_buckets(exponential_of(scene, DELTA), early, 6);
	OBSERVE(scene, late);
	take(scene, 9000);
	assert_int_equal(encode(scene), 1);
	assert_true(exponential_of(scene, DELTA)->scale < 3);
	assert_buckets(exponential_of(scene, DELTA), late, 6);
	assert_true(exponential_of(scene, DELTA)->positive->bucket_counts[0] > 0);
}

static void counters_in_deltas(void **state)
{
	struct scene *scene = *state;
	const label_values sent = { "shop", "sent" }, received = { "shop", "received" };
	const proto_number *point;

	manner(scene, true, false);
	(void)series_add(scene->store, METRIC_TCP_BYTES, sent, 0, 7);
	(void)series_add(scene->store, METRIC_TCP_BYTES, received, 0, 9);
	take(scene, 3000);
	assert_int_equal(encode(scene), 2);
	(void)series_add(scene->store, METRIC_TCP_BYTES, sent, 0, 4);
	take(scene, 9000);
	assert_int_equal(encode(scene), 1); /* nothing is no point */
	point = sum_of(scene, "shop", "sonde.tcp_bytes", DELTA);
	assert_int_equal(point->as_int, 4);
	assert_string_equal(value_of(point->attributes, 1, "direction")->string_value, "sent");
	assert_int_equal(point->start_time_unix_nano, WALL + 3000);
	take(scene, 9500);
	otlp_metrics_begin(scene->metrics, scene->now, scene->before);
	assert_int_equal(next_part(scene), 0);
}

static bool is_gone(void *context, const char *service)
{
	(void)context;
	return strcmp(service, "shop") == 0;
}

/* A series that went and came again has nothing to take off, nor has a total that fell. */
static void what_began_anew(void **state)
{
	const struct series_liveness liveness = { NULL, NULL, is_gone };
	struct scene *scene = *state;
	const label_values sent = { "shop", "sent" };

	manner(scene, true, false);
	(void)series_add(scene->store, METRIC_TCP_BYTES, sent, 0, 7);
	(void)series_set_total(scene->store, METRIC_SNAPSHOTS, (label_values){ 0 }, 0, 50);
	take(scene, 3000);
	assert_int_equal(encode(scene), 2);
	series_store_expire(scene->store, 8000, 10, 10, &liveness);
	(void)series_add(scene->store, METRIC_TCP_BYTES, sent, 0, 8);
	(void)series_set_total(scene->store, METRIC_SNAPSHOTS, (label_values){ 0 }, 0, 3);
	take(scene, 9000);
	assert_int_equal(encode(scene), 2);
	assert_int_equal(sum_of(scene, "shop", "sonde.tcp_bytes", DELTA)->as_int, 8);
	assert_int_equal(sum_of(scene, "sonde", "sonde.snapshots", DELTA)->as_int, 3);
	manner(scene, false, false);
	(void)encode(scene);
	assert_int_equal(sum_of(scene, "shop", "sonde.tcp_bytes", CUMULATIVE)->start_time_unix_nano,
			 WALL + 3000);
}

static void overflow_is_marked(void **state)
{
	struct scene *scene = *state;
	const proto_number *point;

	series_store_free(&scene->store);
	scene->store = series_store_new(1);
	(void)series_add(scene->store, METRIC_TCP_BYTES, (label_values){ "a", "sent" }, 0, 1);
	(void)series_add(scene->store, METRIC_TCP_BYTES, (label_values){ "b", "sent" }, 0, 2);
	(void)series_add(scene->store, METRIC_TCP_BYTES, (label_values){ "c", "sent" }, 0, 3);
	take(scene, 3000);
	manner(scene, false, false);
	assert_int_equal(encode(scene), 2);
	point = sum_of(scene, "other", "sonde.tcp_bytes", CUMULATIVE);
	assert_int_equal(point->as_int, 5);
	assert_int_equal(point->n_attributes, 1);
	assert_true(value_of(point->attributes, 1, "otel.metric.overflow")->bool_value);
}

static void fill_many(struct scene *scene, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		char service[24];

		snprintf(service, sizeof(service), "s%zu", i / 2);
		(void)series_add(scene->store, i % 2 ? METRIC_TCP_BYTES : METRIC_TCP_RESETS,
				 (label_values){ service, "sent" }, 0, i + 1);
	}
	take(scene, 3000);
}

/* Every point is in one part. */
static void parts_are_bounded(void **state)
{
	struct scene *scene = *state;
	uint64_t sum = 0;
	size_t points = 0;

	fill_many(scene, 2500);
	manner(scene, false, false);
	otlp_metrics_begin(scene->metrics, scene->now, NULL);
	for (int part = 0; part < 3; part++) {
		int count = next_part(scene);

		assert_int_equal(count, part < 2 ? OTLP_POINTS_MAX : 500);
		for (size_t i = 0; i < scene->request->n_resource_metrics; i++) {
			const Opentelemetry__Proto__Metrics__V1__ScopeMetrics *scope =
				scene->request->resource_metrics[i]->scope_metrics[0];

			for (size_t j = 0; j < scope->n_metrics; j++, points++) {
				assert_int_equal(scope->metrics[j]->sum->n_data_points, 1);
				sum += (uint64_t)scope->metrics[j]->sum->data_points[0]->as_int;
			}
		}
	}
	assert_int_equal(next_part(scene), 0);
	assert_int_equal(points, 2500);
	assert_int_equal(sum, 2500ull * 2501 / 2);
}

static int encode_failing(struct scene *scene)
{
	struct text_buffer body = { 0 };
	int points;

	otlp_metrics_begin(scene->metrics, scene->now, scene->before);
	points = otlp_metrics_next(scene->metrics, &body);
	if (points < 0) {
		assert_int_equal(points, -ENOMEM);
		assert_null(body.bytes);
		points = otlp_metrics_next(scene->metrics, &body); /* the same part again */
	}
	text_buffer_done(&body);
	return points;
}

static void memory_runs_out(void **state)
{
	struct scene *scene = *state;

	OBSERVE(scene, early);
	exemplify(scene, WALL + 2500);
	fill_many(scene, 900);
	OBSERVE(scene, late);
	fill_many(scene, 900);
	for (int exponential = 0; exponential < 2; exponential++) {
		const struct otlp_metrics_manner any = { &resource, &wall, STARTED,
							 true,	    true,  exponential };

		FOR_EACH_FAILING_ALLOC(nth)
		{
			otlp_metrics_free(&scene->metrics);
			scene->metrics = otlp_metrics_new(&any);
			if (scene->metrics)
				assert_int_equal(encode_failing(scene), 901);
			else
				assert_true(failing_alloc_has_failed());
		}
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(counters_gauges_and_infos),
		TEST(attributes_that_are_numbers),
		TEST(classic_buckets),
		TEST(deltas_of_classic_buckets),
		TEST(sums_of_nothing),
		TEST(exponential_buckets),
		TEST(deltas_of_exponential_buckets),
		TEST(counters_in_deltas),
		TEST(what_began_anew),
		TEST(overflow_is_marked),
		TEST(parts_are_bounded),
		TEST(memory_runs_out),
	};
#undef TEST

	return cmocka_run_group_tests(tests, NULL, NULL);
}
