/* SPDX-License-Identifier: Apache-2.0 */
/* Source: OpenTelemetry metrics data model 1.x; opentelemetry/proto/metrics/v1/metrics.proto. */
#include "export/otlp_points.h"

/* protoc-c joins package and message names. */
#define proto_number Opentelemetry__Proto__Metrics__V1__NumberDataPoint
#define proto_histogram Opentelemetry__Proto__Metrics__V1__HistogramDataPoint
#define proto_exponential Opentelemetry__Proto__Metrics__V1__ExponentialHistogramDataPoint
#define proto_buckets Opentelemetry__Proto__Metrics__V1__ExponentialHistogramDataPoint__Buckets
#define proto_exemplar Opentelemetry__Proto__Metrics__V1__Exemplar

/* What is counted or measured, in the exported unit. Source of seconds: IEEE 754, a quotient is the nearest number */
static double scaled(const struct point_source *source, uint64_t amount)
{
	return source->row->unit == UNIT_SECONDS ? (double)amount / 1e9 : (double)amount;
}

static const struct histogram *histogram_before(const struct point_source *source)
{
	return source->before ? source->before->histogram : NULL;
}

bool otlp_point_has_news(const struct point_source *source)
{
	const struct histogram *before = histogram_before(source);

	if (source->row->type == METRIC_HISTOGRAM)
		return source->sample->histogram->count > (before ? before->count : 0);
	return source->sample->total > (source->before ? source->before->total : 0);
}

struct proto_number *otlp_number_point(struct arena *arena, const struct point_source *source)
{
	struct proto_number *point = arena_take(arena, sizeof(*point));
	uint64_t total;

	if (!point)
		return NULL;
	opentelemetry__proto__metrics__v1__number_data_point__init(point);
	point->time_unix_nano = source->time_unix_ns;
	point->attributes = source->attributes;
	point->n_attributes = source->attribute_count;
	point->value_case = OPENTELEMETRY__PROTO__METRICS__V1__NUMBER_DATA_POINT__VALUE_AS_DOUBLE;
	if (source->row->type != METRIC_COUNTER) {
		point->as_double = source->sample->gauge;
		return point;
	}
	point->start_time_unix_nano = source->start_unix_ns;
	total = source->sample->total - (source->before ? source->before->total : 0);
	if (source->row->unit == UNIT_SECONDS) {
		point->as_double = scaled(source, total);
		return point;
	}
	point->value_case = OPENTELEMETRY__PROTO__METRICS__V1__NUMBER_DATA_POINT__VALUE_AS_INT;
	point->as_int = (int64_t)total;
	return point;
}

static void exemplar_init(const struct point_source *source, const struct exemplar *from,
			  struct proto_exemplar *exemplar)
{
	opentelemetry__proto__metrics__v1__exemplar__init(exemplar);
	exemplar->time_unix_nano = from->unix_ns;
	exemplar->value_case = OPENTELEMETRY__PROTO__METRICS__V1__EXEMPLAR__VALUE_AS_DOUBLE;
	exemplar->as_double = scaled(source, from->value);
	exemplar->trace_id = (ProtobufCBinaryData){ TRACE_ID_BYTES, (uint8_t *)from->trace_id };
	exemplar->span_id = (ProtobufCBinaryData){ SPAN_ID_BYTES, (uint8_t *)from->span_id };
}

/* Those of the time that the point is about. Returns how many. */
static size_t make_exemplars(struct arena *arena, const struct point_source *source,
			     struct proto_exemplar ***ret_list)
{
	const struct histogram *histogram = source->sample->histogram;
	size_t buckets = histogram->layout->bound_count + 1, count = 0;
	struct proto_exemplar **list, *exemplars;

	if (!histogram->exemplars)
		return 0;
	list = arena_take(arena, buckets * sizeof(*list));
	exemplars = arena_take(arena, buckets * sizeof(*exemplars));
	if (!list || !exemplars)
		return 0;
	for (size_t i = 0; i < buckets; i++) {
		const struct exemplar *from = &histogram->exemplars[i];

		if (!from->unix_ns || from->unix_ns < source->start_unix_ns)
			continue;
		exemplar_init(source, from, &exemplars[count]);
		list[count] = &exemplars[count];
		count++;
	}
	*ret_list = list;
	return count;
}

struct proto_histogram *otlp_histogram_point(struct arena *arena, const struct point_source *source)
{
	const struct histogram *histogram = source->sample->histogram;
	const struct histogram *before = histogram_before(source);
	size_t bounds = histogram->layout->bound_count;
	struct proto_histogram *point = arena_take(arena, sizeof(*point));

	if (!point)
		return NULL;
	opentelemetry__proto__metrics__v1__histogram_data_point__init(point);
	point->start_time_unix_nano = source->start_unix_ns;
	point->time_unix_nano = source->time_unix_ns;
	point->attributes = source->attributes;
	point->n_attributes = source->attribute_count;
	point->count = histogram->count - (before ? before->count : 0);
	point->optional_sum_case =
		OPENTELEMETRY__PROTO__METRICS__V1__HISTOGRAM_DATA_POINT__OPTIONAL_SUM_SUM;
	point->sum = scaled(source, histogram->sum - (before ? before->sum : 0));
	point->n_exemplars = make_exemplars(arena, source, &point->exemplars);
	point->bucket_counts = arena_take(arena, (bounds + 1) * sizeof(*point->bucket_counts));
	point->explicit_bounds = arena_take(arena, bounds * sizeof(*point->explicit_bounds));
	if (!point->bucket_counts || !point->explicit_bounds)
		return NULL;
	point->n_bucket_counts = bounds + 1;
	point->n_explicit_bounds = bounds;
	for (size_t i = 0; i <= bounds; i++)
		point->bucket_counts[i] = histogram->classic[i] - (before ? before->classic[i] : 0);
	for (size_t i = 0; i < bounds; i++)
		point->explicit_bounds[i] = scaled(source, histogram->layout->bounds[i]);
	return point;
}

/* A scale only ever falls: buckets of before are merged to the ones of now, which cover them. */
static void take_off(const struct histogram *now, const struct histogram *before, uint64_t *counts)
{
	int shift = before->scale - now->scale;

	for (int32_t i = 0; i < before->length; i++)
		if (before->window[i])
			counts[((before->first + i) >> shift) - now->first] -= before->window[i];
}

static struct proto_buckets *make_buckets(struct arena *arena, const struct histogram *now,
					  const struct histogram *before)
{
	struct proto_buckets *buckets = arena_take(arena, sizeof(*buckets));
	uint64_t *counts = arena_take(arena, now->length * sizeof(*counts));
	size_t first = 0, end = now->length;

	if (!buckets || !counts)
		return NULL;
	for (size_t i = 0; i < end; i++)
		counts[i] = now->window[i];
	if (before)
		take_off(now, before, counts);
	while (end && !counts[end - 1])
		end--;
	while (first < end && !counts[first])
		first++;
	opentelemetry__proto__metrics__v1__exponential_histogram_data_point__buckets__init(buckets);
	if (first == end)
		return buckets;
	buckets->offset = now->first + (int32_t)first;
	buckets->bucket_counts = counts + first;
	buckets->n_bucket_counts = end - first;
	return buckets;
}

struct proto_exponential *otlp_exponential_point(struct arena *arena,
						 const struct point_source *source)
{
	const struct histogram *histogram = source->sample->histogram;
	const struct histogram *before = histogram_before(source);
	struct proto_exponential *point = arena_take(arena, sizeof(*point));

	if (!point)
		return NULL;
	opentelemetry__proto__metrics__v1__exponential_histogram_data_point__init(point);
	point->start_time_unix_nano = source->start_unix_ns;
	point->time_unix_nano = source->time_unix_ns;
	point->attributes = source->attributes;
	point->n_attributes = source->attribute_count;
	point->count = histogram->count - (before ? before->count : 0);
	point->optional_sum_case =
		OPENTELEMETRY__PROTO__METRICS__V1__EXPONENTIAL_HISTOGRAM_DATA_POINT__OPTIONAL_SUM_SUM;
	point->sum = scaled(source, histogram->sum - (before ? before->sum : 0));
	point->scale = histogram->scale;
	point->zero_count = histogram->zero_count - (before ? before->zero_count : 0);
	point->positive = make_buckets(arena, histogram, before);
	point->n_exemplars = make_exemplars(arena, source, &point->exemplars);
	return point;
}
