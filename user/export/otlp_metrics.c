/* SPDX-License-Identifier: Apache-2.0 */
/* Builds the tree of messages that protobuf-c packs. Its texts stay where they are, in the snapshot. */
#include "export/otlp_metrics.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "aggregate/labels.h"
#include "export/metric_names.h"
#include "export/otlp_attributes.h"
#include "export/otlp_points.h"
#include "export/sample_list.h"
#include "metrics_service.pb-c.h"

/* protoc-c joins package and message names. */
#define proto_metric Opentelemetry__Proto__Metrics__V1__Metric
#define proto_gauge Opentelemetry__Proto__Metrics__V1__Gauge
#define proto_sum Opentelemetry__Proto__Metrics__V1__Sum
#define proto_histogram Opentelemetry__Proto__Metrics__V1__Histogram
#define proto_exponential Opentelemetry__Proto__Metrics__V1__ExponentialHistogram
#define proto_resource_metrics Opentelemetry__Proto__Metrics__V1__ResourceMetrics
#define proto_scope_metrics Opentelemetry__Proto__Metrics__V1__ScopeMetrics
#define proto_resource Opentelemetry__Proto__Resource__V1__Resource
#define proto_scope Opentelemetry__Proto__Common__V1__InstrumentationScope
#define proto_request Opentelemetry__Proto__Collector__Metrics__V1__ExportMetricsServiceRequest
#define proto_temporality Opentelemetry__Proto__Metrics__V1__AggregationTemporality

/* What the agent itself is called. */
#define AGENT_SERVICE "sonde"
/* Source: OpenTelemetry specification, metrics SDK, "Overflow attribute" */
#define OVERFLOW_ATTRIBUTE "otel.metric.overflow"

struct list {
	void **items;
	size_t count;
	size_t room;
};

/* The points of one metric and one service. */
struct family {
	struct proto_metric metric;
	union {
		struct proto_gauge gauge;
		struct proto_sum sum;
		struct proto_histogram histogram;
		struct proto_exponential exponential;
	} data;
	const struct metric_row *row;
	struct list points;
};

/* What a service has in this part. */
struct group {
	struct proto_resource_metrics metrics;
	struct proto_scope_metrics scope_metrics;
	struct proto_scope_metrics *scope_list[1];
	struct proto_resource resource;
	const char *service;
	struct list families;
};

/* Where the next part begins. */
struct cursor {
	enum metric metric;
	size_t index;
};

struct sorted {
	const struct sample **samples; /* owned; NULL: not of this metric yet */
	size_t count;
};

struct otlp_metrics {
	struct otlp_metrics_manner manner;
	const struct snapshot *snapshot; /* borrowed */
	const struct snapshot *before;	 /* borrowed; NULL: none */
	struct cursor next;
	enum metric sorted_metric;
	struct sorted now, past; /* of that metric */
	struct arena arena;	 /* the tree of a part */
	struct proto_scope scope;
	struct list groups;
	struct metric_names names[METRIC_COUNT];
};

/* What a list outgrew stays in the arena: all of them together are no longer than the last. */
static void list_add(struct arena *arena, struct list *list, void *item)
{
	if (list->count == list->room) {
		size_t room = list->room ? list->room * 2 : 8;
		void **items = arena_take(arena, room * sizeof(*items));

		if (!items)
			return;
		if (list->count)
			memcpy(items, list->items, list->count * sizeof(*items));
		list->items = items;
		list->room = room;
	}
	list->items[list->count++] = item;
}

static void forget_sorted(struct otlp_metrics *metrics)
{
	free(metrics->now.samples);
	free(metrics->past.samples);
	metrics->now = metrics->past = (struct sorted){ 0 };
}

struct otlp_metrics *otlp_metrics_new(const struct otlp_metrics_manner *manner)
{
	struct otlp_metrics *metrics = calloc(1, sizeof(*metrics));

	if (!metrics)
		return NULL;
	metrics->manner = *manner;
	metrics->next.metric = METRIC_COUNT;
	otlp_scope_init(&metrics->scope);
	for (enum metric metric = 0; metric < METRIC_COUNT; metric++)
		metric_names_read(metric, &metrics->names[metric]);
	return metrics;
}

void otlp_metrics_free(struct otlp_metrics **metrics)
{
	if (*metrics) {
		forget_sorted(*metrics);
		arena_done(&(*metrics)->arena);
	}
	free(*metrics);
	*metrics = NULL;
}

void otlp_metrics_begin(struct otlp_metrics *metrics, const struct snapshot *snapshot,
			const struct snapshot *before)
{
	forget_sorted(metrics);
	metrics->snapshot = snapshot;
	metrics->before = before;
	metrics->next = (struct cursor){ 0 };
}

bool otlp_metrics_has_deltas(const struct otlp_metrics *metrics)
{
	return metrics->manner.has_delta_counters || metrics->manner.has_delta_histograms;
}

static bool is_delta(const struct otlp_metrics *metrics, const struct metric_row *row)
{
	if (row->type == METRIC_COUNTER)
		return metrics->manner.has_delta_counters;
	return row->type == METRIC_HISTOGRAM && metrics->manner.has_delta_histograms;
}

static bool sort_one(const struct snapshot *snapshot, enum metric metric, struct sorted *sorted)
{
	const struct sample *samples = snapshot_samples(snapshot, metric, &sorted->count);

	if (sorted->count)
		sorted->samples = sample_list_sorted(samples, sorted->count);
	return !sorted->count || sorted->samples;
}

static int sort_metric(struct otlp_metrics *metrics, enum metric metric)
{
	bool has_past = metrics->before && is_delta(metrics, &metric_table[metric]);

	if (metrics->now.samples && metrics->sorted_metric == metric)
		return 0;
	forget_sorted(metrics);
	metrics->sorted_metric = metric;
	if (sort_one(metrics->snapshot, metric, &metrics->now) &&
	    (!has_past || sort_one(metrics->before, metric, &metrics->past)))
		return 0;
	forget_sorted(metrics);
	return -ENOMEM;
}

/* The same series as of before, if it is the same: one that went and came again began anew. */
static const struct sample *find_past(const struct otlp_metrics *metrics,
				      const struct sample *sample)
{
	const struct sample *past =
		sample_list_find(metrics->past.samples, metrics->past.count, sample);

	return past && past->began_ns == sample->began_ns ? past : NULL;
}

static bool is_digits(const char *text)
{
	size_t length = strspn(text, "0123456789");

	return length && length < 10 && !text[length];
}

static void read_attributes(struct otlp_metrics *metrics, const struct metric_names *names,
			    struct point_source *source)
{
	const char *const *labels = source->row->labels;
	const char *value = source->sample->values;
	struct span_attribute attributes[METRIC_LABELS_MAX];
	size_t count = 0;

	if (source->sample->is_overflow) {
		source->attributes = otlp_flag(&metrics->arena, OVERFLOW_ATTRIBUTE);
		source->attribute_count = source->attributes ? 1 : 0;
		return;
	}
	for (size_t i = 0; labels[i]; i++, value = labels_next(value)) {
		const struct attribute_name *name = &names->labels[i];

		/* The first of a service's is in the resource. */
		if (!*value || (i == 0 && strcmp(labels[0], "service_name") == 0))
			continue;
		attributes[count++] = (struct span_attribute){ name->name, value, 0 };
		if (name->is_number && is_digits(value))
			attributes[count - 1] = (struct span_attribute){ name->name, NULL,
									 strtol(value, NULL, 10) };
	}
	source->attributes = otlp_attributes(&metrics->arena, attributes, count);
	source->attribute_count = source->attributes ? count : 0;
}

static const char *service_of(enum metric metric, const struct sample *sample)
{
	if (!metric_has_service(metric))
		return AGENT_SERVICE;
	return sample->is_overflow ? OVERFLOW_VALUE : sample->values;
}

static struct group *group_new(struct otlp_metrics *metrics, const char *service)
{
	const struct span_resource *resource = metrics->manner.resource;
	struct span_attribute attributes[SPAN_RESOURCE_MAX] = { { "service.name", service, 0 } };
	struct group *group = arena_take(&metrics->arena, sizeof(*group));
	size_t count = 1;

	if (!group)
		return NULL;
	for (size_t i = 0; i < resource->attribute_count && count < SPAN_RESOURCE_MAX; i++)
		attributes[count++] = resource->attributes[i];
	opentelemetry__proto__metrics__v1__resource_metrics__init(&group->metrics);
	opentelemetry__proto__metrics__v1__scope_metrics__init(&group->scope_metrics);
	opentelemetry__proto__resource__v1__resource__init(&group->resource);
	group->service = service;
	group->resource.attributes = otlp_attributes(&metrics->arena, attributes, count);
	group->resource.n_attributes = group->resource.attributes ? count : 0;
	group->scope_metrics.scope = &metrics->scope;
	group->scope_list[0] = &group->scope_metrics;
	group->metrics.resource = &group->resource;
	group->metrics.scope_metrics = group->scope_list;
	group->metrics.n_scope_metrics = 1;
	list_add(&metrics->arena, &metrics->groups, group);
	return group;
}

/* Newest first: series come in the order of their services. */
static struct group *group_of(struct otlp_metrics *metrics, const char *service)
{
	for (size_t i = metrics->groups.count; i-- > 0;) {
		struct group *group = metrics->groups.items[i];

		if (strcmp(group->service, service) == 0)
			return group;
	}
	return group_new(metrics, service);
}

static void sum_init(struct family *family, struct proto_sum *sum, proto_temporality temporality)
{
	opentelemetry__proto__metrics__v1__sum__init(sum);
	sum->aggregation_temporality = temporality;
	sum->is_monotonic = true;
	family->metric.data_case = OPENTELEMETRY__PROTO__METRICS__V1__METRIC__DATA_SUM;
	family->metric.sum = sum;
}

static void histogram_init(struct family *family, struct proto_histogram *histogram,
			   proto_temporality temporality)
{
	opentelemetry__proto__metrics__v1__histogram__init(histogram);
	histogram->aggregation_temporality = temporality;
	family->metric.data_case = OPENTELEMETRY__PROTO__METRICS__V1__METRIC__DATA_HISTOGRAM;
	family->metric.histogram = histogram;
}

static void exponential_init(struct family *family, struct proto_exponential *exponential,
			     proto_temporality temporality)
{
	opentelemetry__proto__metrics__v1__exponential_histogram__init(exponential);
	exponential->aggregation_temporality = temporality;
	family->metric.data_case =
		OPENTELEMETRY__PROTO__METRICS__V1__METRIC__DATA_EXPONENTIAL_HISTOGRAM;
	family->metric.exponential_histogram = exponential;
}

static void gauge_init(struct family *family, struct proto_gauge *gauge)
{
	opentelemetry__proto__metrics__v1__gauge__init(gauge);
	family->metric.data_case = OPENTELEMETRY__PROTO__METRICS__V1__METRIC__DATA_GAUGE;
	family->metric.gauge = gauge;
}

static struct family *family_new(struct otlp_metrics *metrics, struct group *group,
				 enum metric metric)
{
	const struct metric_row *row = &metric_table[metric];
	struct family *family = arena_take(&metrics->arena, sizeof(*family));
	proto_temporality temporality =
		is_delta(metrics, row) ?
			OPENTELEMETRY__PROTO__METRICS__V1__AGGREGATION_TEMPORALITY__AGGREGATION_TEMPORALITY_DELTA :
			OPENTELEMETRY__PROTO__METRICS__V1__AGGREGATION_TEMPORALITY__AGGREGATION_TEMPORALITY_CUMULATIVE;

	if (!family)
		return NULL;
	opentelemetry__proto__metrics__v1__metric__init(&family->metric);
	family->row = row;
	family->metric.name = metrics->names[metric].name;
	family->metric.description = (char *)row->help;
	family->metric.unit = (char *)metrics->names[metric].unit;
	if (row->type == METRIC_COUNTER)
		sum_init(family, &family->data.sum, temporality);
	else if (row->type != METRIC_HISTOGRAM)
		gauge_init(family, &family->data.gauge);
	else if (metrics->manner.is_exponential)
		exponential_init(family, &family->data.exponential, temporality);
	else
		histogram_init(family, &family->data.histogram, temporality);
	list_add(&metrics->arena, &group->families, family);
	return family;
}

/* A part goes through the metrics in their order. */
static struct family *family_of(struct otlp_metrics *metrics, struct group *group,
				enum metric metric)
{
	struct list *families = &group->families;
	struct family *newest = families->count ? families->items[families->count - 1] : NULL;

	if (newest && newest->row == &metric_table[metric])
		return newest;
	return family_new(metrics, group, metric);
}

static void *make_point(struct otlp_metrics *metrics, const struct point_source *source)
{
	if (source->row->type != METRIC_HISTOGRAM)
		return otlp_number_point(&metrics->arena, source);
	if (metrics->manner.is_exponential)
		return otlp_exponential_point(&metrics->arena, source);
	return otlp_histogram_point(&metrics->arena, source);
}

static uint64_t later(uint64_t left, uint64_t right)
{
	return left > right ? left : right;
}

/* Deltas count from one snapshot to the next, also of a series that came between the two. */
static uint64_t start_of(const struct otlp_metrics *metrics, const struct point_source *source)
{
	uint64_t start_ns = source->sample->began_ns;

	if (is_delta(metrics, source->row))
		start_ns = metrics->before ? snapshot_taken_ns(metrics->before) : 0;
	return wall_clock_ns(metrics->manner.clock, later(start_ns, metrics->manner.started_ns));
}

/* Returns whether there is a point: a delta of nothing is none. */
static bool add_sample(struct otlp_metrics *metrics, enum metric metric,
		       const struct sample *sample)
{
	struct point_source source = { .row = &metric_table[metric], .sample = sample };
	struct group *group;
	struct family *family;
	void *point;

	if (is_delta(metrics, source.row)) {
		source.before = find_past(metrics, sample);
		if (!otlp_point_has_news(&source))
			return false;
	}
	source.start_unix_ns = start_of(metrics, &source);
	source.time_unix_ns =
		wall_clock_ns(metrics->manner.clock, snapshot_taken_ns(metrics->snapshot));
	read_attributes(metrics, &metrics->names[metric], &source);
	group = group_of(metrics, service_of(metric, sample));
	family = group ? family_of(metrics, group, metric) : NULL;
	point = make_point(metrics, &source);
	if (family && point)
		list_add(&metrics->arena, &family->points, point);
	return true;
}

/* Returns how many points were added. */
static size_t fill_part(struct otlp_metrics *metrics, struct cursor *cursor)
{
	size_t points = 0;

	for (; cursor->metric < METRIC_COUNT; cursor->metric++, cursor->index = 0) {
		if (sort_metric(metrics, cursor->metric)) {
			metrics->arena.has_failed = true;
			return 0;
		}
		while (cursor->index < metrics->now.count) {
			if (points == OTLP_POINTS_MAX)
				return points;
			points += add_sample(metrics, cursor->metric,
					     metrics->now.samples[cursor->index++]);
		}
	}
	return points;
}

static void close_family(struct family *family)
{
	switch (family->metric.data_case) {
	case OPENTELEMETRY__PROTO__METRICS__V1__METRIC__DATA_SUM:
		family->data.sum.data_points = (void *)family->points.items;
		family->data.sum.n_data_points = family->points.count;
		break;
	case OPENTELEMETRY__PROTO__METRICS__V1__METRIC__DATA_HISTOGRAM:
		family->data.histogram.data_points = (void *)family->points.items;
		family->data.histogram.n_data_points = family->points.count;
		break;
	case OPENTELEMETRY__PROTO__METRICS__V1__METRIC__DATA_EXPONENTIAL_HISTOGRAM:
		family->data.exponential.data_points = (void *)family->points.items;
		family->data.exponential.n_data_points = family->points.count;
		break;
	default:
		family->data.gauge.data_points = (void *)family->points.items;
		family->data.gauge.n_data_points = family->points.count;
	}
}

static int pack(struct otlp_metrics *metrics, struct text_buffer *ret_body)
{
	struct proto_request request;

	for (size_t i = 0; i < metrics->groups.count; i++) {
		struct group *group = metrics->groups.items[i];

		for (size_t j = 0; j < group->families.count; j++)
			close_family(group->families.items[j]);
		group->scope_metrics.metrics = (void *)group->families.items;
		group->scope_metrics.n_metrics = group->families.count;
	}
	opentelemetry__proto__collector__metrics__v1__export_metrics_service_request__init(
		&request);
	request.resource_metrics = (void *)metrics->groups.items;
	request.n_resource_metrics = metrics->groups.count;
	return otlp_pack(&request.base, ret_body);
}

int otlp_metrics_next(struct otlp_metrics *metrics, struct text_buffer *ret_body)
{
	struct cursor cursor = metrics->next;
	size_t points;
	int error = 0;

	_Static_assert(offsetof(struct group, metrics) == 0 && offsetof(struct family, metric) == 0,
		       "lists of these are lists of their messages");
	points = fill_part(metrics, &cursor);
	if (metrics->arena.has_failed)
		error = -ENOMEM;
	else if (points)
		error = pack(metrics, ret_body);
	metrics->groups = (struct list){ 0 };
	arena_clear(&metrics->arena);
	if (error)
		return error;
	metrics->next = cursor;
	return (int)points;
}
