/* SPDX-License-Identifier: Apache-2.0 */
/* One sample is a tree of messages at a time, and one family a run of bytes: its length goes in front. */
#include "export/prometheus_protobuf.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "aggregate/labels.h"
#include "base/arena.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/hex.h"
#include "export/sample_list.h"
#include "metrics.pb-c.h"

/* protoc-c joins package and message names. */
#define proto_label Io__Prometheus__Client__LabelPair
#define proto_gauge Io__Prometheus__Client__Gauge
#define proto_counter Io__Prometheus__Client__Counter
#define proto_bucket Io__Prometheus__Client__Bucket
#define proto_span Io__Prometheus__Client__BucketSpan
#define proto_exemplar Io__Prometheus__Client__Exemplar
#define proto_timestamp Google__Protobuf__Timestamp
#define proto_histogram Io__Prometheus__Client__Histogram
#define proto_metric Io__Prometheus__Client__Metric
#define proto_family Io__Prometheus__Client__MetricFamily

/* Only values of 0 are in the zero bucket; what is between is none of ours. The width that Prometheus' own library has by
 * default, 2^-128: with 0 a histogram without other values would not be seen to be a native one. */
#define ZERO_THRESHOLD 0x1p-128
/* So many empty buckets are less than another span (as in Prometheus' own library). */
#define GAP_MAX 2

struct family_writer {
	ProtobufCBuffer base; /* what is packed goes to the family's bytes */
	struct text_buffer bytes;
	struct arena arena; /* the tree of one sample */
	const struct metric_row *row;
};

struct exemplar_tree {
	struct proto_exemplar exemplar;
	struct proto_label labels[2];
	struct proto_label *label_list[2];
	struct proto_timestamp time;
	char trace_id[2 * TRACE_ID_BYTES + 1];
	char span_id[2 * SPAN_ID_BYTES + 1];
};

struct bucket_tree {
	struct proto_bucket bucket;
	struct exemplar_tree exemplar;
};

static void append_packed(ProtobufCBuffer *buffer, size_t length, const uint8_t *bytes)
{
	struct family_writer *writer = (struct family_writer *)(void *)buffer;

	text_append(&writer->bytes, (const char *)bytes, length);
}

/* Source: Protocol Buffers, encoding, base 128 varints */
static void append_varint(struct text_buffer *out, uint64_t number)
{
	char byte;

	do {
		byte = (char)(number & 0x7f);
		number >>= 7;
		if (number)
			byte = (char)(byte | 0x80);
		text_append(out, &byte, 1);
	} while (number);
}

static void label_init(struct proto_label *label, const char *name, const char *value)
{
	io__prometheus__client__label_pair__init(label);
	label->name = (char *)name;
	label->value = (char *)value;
}

static void add_label(struct proto_metric *metric, struct proto_label *labels, const char *name,
		      const char *value)
{
	struct proto_label *label = &labels[metric->n_label];

	if (!*value)
		return;
	label_init(label, name, value);
	metric->label[metric->n_label++] = label;
}

static void put_labels(struct family_writer *writer, const struct sample *sample,
		       struct proto_metric *metric)
{
	const char *const *names = writer->row->labels;
	const char *value = sample->values;
	struct proto_label *labels =
		arena_take(&writer->arena, (METRIC_LABELS_MAX + 1) * sizeof(*labels));

	metric->label =
		arena_take(&writer->arena, (METRIC_LABELS_MAX + 1) * sizeof(*metric->label));
	if (!labels || !metric->label)
		return;
	for (size_t i = 0; names[i]; i++) {
		add_label(metric, labels, names[i], sample->is_overflow ? OVERFLOW_VALUE : value);
		if (!sample->is_overflow)
			value = labels_next(value);
	}
	if (sample->is_overflow)
		add_label(metric, labels, OVERFLOW_LABEL, "true");
}

/* What is counted or measured, in the exported unit. Source of seconds: IEEE 754, a quotient is the nearest number */
static double scaled(const struct family_writer *writer, uint64_t amount)
{
	return writer->row->unit == UNIT_SECONDS ? (double)amount / 1e9 : (double)amount;
}

static void exemplar_init(const struct family_writer *writer, const struct exemplar *exemplar,
			  struct exemplar_tree *tree)
{
	hex_write(tree->trace_id, exemplar->trace_id, TRACE_ID_BYTES);
	hex_write(tree->span_id, exemplar->span_id, SPAN_ID_BYTES);
	label_init(&tree->labels[0], "trace_id", tree->trace_id);
	label_init(&tree->labels[1], "span_id", tree->span_id);
	tree->label_list[0] = &tree->labels[0];
	tree->label_list[1] = &tree->labels[1];
	google__protobuf__timestamp__init(&tree->time);
	tree->time.seconds = (int64_t)(exemplar->unix_ns / NS_PER_SECOND);
	tree->time.nanos = (int32_t)(exemplar->unix_ns % NS_PER_SECOND);
	io__prometheus__client__exemplar__init(&tree->exemplar);
	tree->exemplar.label = tree->label_list;
	tree->exemplar.n_label = 2;
	tree->exemplar.has_value = true;
	tree->exemplar.value = scaled(writer, exemplar->value);
	tree->exemplar.timestamp = &tree->time;
}

/* Their exemplars are those of the native buckets too. */
static void put_classic(struct family_writer *writer, const struct histogram *histogram,
			struct proto_histogram *to)
{
	size_t count = histogram->layout->bound_count + 1;
	struct bucket_tree *trees = arena_take(&writer->arena, count * sizeof(*trees));
	uint64_t below = 0;

	to->bucket = arena_take(&writer->arena, count * sizeof(*to->bucket));
	to->exemplars = arena_take(&writer->arena, count * sizeof(*to->exemplars));
	if (!trees || !to->bucket || !to->exemplars)
		return;
	for (size_t i = 0; i < count; i++) {
		struct proto_bucket *bucket = &trees[i].bucket;

		io__prometheus__client__bucket__init(bucket);
		below += histogram->classic[i];
		bucket->has_cumulative_count = bucket->has_upper_bound = true;
		bucket->cumulative_count = below;
		bucket->upper_bound =
			i + 1 < count ? scaled(writer, histogram->layout->bounds[i]) : INFINITY;
		to->bucket[to->n_bucket++] = bucket;
		if (!histogram->exemplars || !histogram->exemplars[i].unix_ns)
			continue;
		exemplar_init(writer, &histogram->exemplars[i], &trees[i].exemplar);
		bucket->exemplar = &trees[i].exemplar.exemplar;
		to->exemplars[to->n_exemplars++] = bucket->exemplar;
	}
}

static void add_delta(struct proto_histogram *to, int64_t delta)
{
	to->positive_delta[to->n_positive_delta++] = delta;
	to->positive_span[to->n_positive_span - 1]->length++;
}

static void add_span(struct proto_histogram *to, struct proto_span *spans, int32_t offset)
{
	struct proto_span *span = &spans[to->n_positive_span];

	io__prometheus__client__bucket_span__init(span);
	span->has_offset = span->has_length = true;
	span->offset = offset;
	to->positive_span[to->n_positive_span++] = span;
}

/* Bucket i of Prometheus ends at base^i, OpenTelemetry's, which ours is, begins there. */
static void put_native(struct family_writer *writer, const struct histogram *histogram,
		       struct proto_histogram *to)
{
	size_t length = histogram->length;
	struct proto_span *spans = arena_take(&writer->arena, length * sizeof(*spans));
	uint64_t before = 0;
	size_t next = 0;

	to->positive_span = arena_take(&writer->arena, length * sizeof(*to->positive_span));
	to->positive_delta = arena_take(&writer->arena, length * sizeof(*to->positive_delta));
	if (!spans || !to->positive_span || !to->positive_delta)
		return;
	for (size_t i = 0; i < length; i++) {
		uint64_t count = histogram->window[i];

		if (!count)
			continue;
		if (!to->n_positive_span)
			add_span(to, spans, histogram->first + 1 + (int32_t)i);
		else if (i - next > GAP_MAX)
			add_span(to, spans, (int32_t)(i - next));
		else
			for (; next < i; next++, before = 0)
				add_delta(to, -(int64_t)before);
		add_delta(to, (int64_t)(count - before));
		before = count;
		next = i + 1;
	}
}

static void put_histogram(struct family_writer *writer, const struct histogram *histogram,
			  struct proto_metric *metric)
{
	struct proto_histogram *to = arena_take(&writer->arena, sizeof(*to));

	if (!to)
		return;
	io__prometheus__client__histogram__init(to);
	to->has_sample_count = to->has_sample_sum = to->has_schema = true;
	to->has_zero_threshold = to->has_zero_count = true;
	to->sample_count = histogram->count;
	to->sample_sum = scaled(writer, histogram->sum);
	to->schema = histogram->scale;
	to->zero_threshold = ZERO_THRESHOLD;
	to->zero_count = histogram->zero_count;
	put_classic(writer, histogram, to);
	put_native(writer, histogram, to);
	metric->histogram = to;
}

static void put_counter(struct family_writer *writer, uint64_t total, struct proto_metric *metric)
{
	metric->counter = arena_take(&writer->arena, sizeof(*metric->counter));
	if (!metric->counter)
		return;
	io__prometheus__client__counter__init(metric->counter);
	metric->counter->has_value = true;
	metric->counter->value = scaled(writer, total);
}

static void put_gauge(struct family_writer *writer, double value, struct proto_metric *metric)
{
	metric->gauge = arena_take(&writer->arena, sizeof(*metric->gauge));
	if (!metric->gauge)
		return;
	io__prometheus__client__gauge__init(metric->gauge);
	metric->gauge->has_value = true;
	metric->gauge->value = value;
}

/* Messages that follow one another are one message with all their fields: a family with one metric, and nothing else, is that
 * metric in the family (Protocol Buffers, encoding, "Last One Wins"). */
static void sample_write(struct family_writer *writer, const struct sample *sample)
{
	struct proto_metric metric, *list[] = { &metric };
	struct proto_family family;

	io__prometheus__client__metric__init(&metric);
	put_labels(writer, sample, &metric);
	if (writer->row->type == METRIC_HISTOGRAM)
		put_histogram(writer, sample->histogram, &metric);
	else if (writer->row->type == METRIC_COUNTER)
		put_counter(writer, sample->total, &metric);
	else
		put_gauge(writer, sample->gauge, &metric);
	io__prometheus__client__metric_family__init(&family);
	family.metric = list;
	family.n_metric = 1;
	if (writer->arena.has_failed)
		writer->bytes.has_failed = true;
	else
		protobuf_c_message_pack_to_buffer(&family.base, &writer->base);
	arena_clear(&writer->arena);
}

static void head_write(struct family_writer *writer)
{
	static const Io__Prometheus__Client__MetricType types[METRIC_TYPE_COUNT] = {
		[METRIC_COUNTER] = IO__PROMETHEUS__CLIENT__METRIC_TYPE__COUNTER,
		[METRIC_GAUGE] = IO__PROMETHEUS__CLIENT__METRIC_TYPE__GAUGE,
		[METRIC_INFO] = IO__PROMETHEUS__CLIENT__METRIC_TYPE__GAUGE,
		[METRIC_HISTOGRAM] = IO__PROMETHEUS__CLIENT__METRIC_TYPE__HISTOGRAM,
	};
	struct proto_family family;

	io__prometheus__client__metric_family__init(&family);
	family.name = (char *)writer->row->name;
	family.help = (char *)writer->row->help;
	family.has_type = true;
	family.type = types[writer->row->type];
	if (writer->row->unit != UNIT_NONE)
		family.unit = (char *)metric_unit_name(writer->row->unit);
	protobuf_c_message_pack_to_buffer(&family.base, &writer->base);
}

static int family_write(struct family_writer *writer, const struct sample *samples, size_t count,
			struct text_buffer *out)
{
	_cleanup_free_ const struct sample **sorted = sample_list_sorted(samples, count);

	if (!sorted)
		return -ENOMEM;
	writer->bytes.length = 0;
	head_write(writer);
	for (size_t i = 0; i < count; i++)
		sample_write(writer, sorted[i]);
	append_varint(out, writer->bytes.length);
	text_append(out, writer->bytes.bytes, writer->bytes.length);
	return text_buffer_error(&writer->bytes);
}

static void family_writer_done(struct family_writer *writer)
{
	text_buffer_done(&writer->bytes);
	arena_done(&writer->arena);
}

int prometheus_render_protobuf(const struct snapshot *snapshot, struct text_buffer *buffer)
{
	_cleanup_(family_writer_done) struct family_writer writer = {
		.base = { append_packed },
	};
	int err = 0;

	for (enum metric metric = 0; metric < METRIC_COUNT && err == 0; metric++) {
		const struct sample *samples;
		size_t count;

		samples = snapshot_samples(snapshot, metric, &count);
		writer.row = &metric_table[metric];
		if (count)
			err = family_write(&writer, samples, count, buffer);
	}
	return err ? err : text_buffer_error(buffer);
}
