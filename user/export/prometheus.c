/* SPDX-License-Identifier: Apache-2.0 */
/* The two formats differ in the lines about a metric, in exemplars and in the last line; the samples
 * are the same. */
#include "export/prometheus.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "aggregate/labels.h"
#include "base/cleanup.h"
#include "base/hex.h"
#include "export/sample_list.h"

struct family_writer {
	struct text_buffer *out;    /* borrowed */
	struct text_buffer *labels; /* borrowed; those of the sample that is being written */
	const struct metric_row *row;
	bool has_exemplars; /* the format knows them */
};

/* Source: text format 0.0.4 and OpenMetrics 1.0 alike: \\, \n and \" in label values. */
static void append_escaped(struct text_buffer *out, const char *text)
{
	for (;;) {
		size_t plain = strcspn(text, "\\\"\n");

		text_append(out, text, plain);
		text += plain;
		if (!*text)
			return;
		text_append(out, "\\", 1);
		text_append(out, *text == '\n' ? "n" : text, 1);
		text++;
	}
}

static void append_label(struct text_buffer *labels, const char *name, const char *value)
{
	if (!*value)
		return;
	if (labels->length)
		text_append(labels, ",", 1);
	text_append_string(labels, name);
	text_append(labels, "=\"", 2);
	append_escaped(labels, value);
	text_append(labels, "\"", 1);
}

static void labels_write(struct family_writer *writer, const struct sample *sample)
{
	const char *const *names = writer->row->labels;
	const char *value = sample->values;

	writer->labels->length = 0;
	for (size_t i = 0; names[i]; i++) {
		append_label(writer->labels, names[i],
			     sample->is_overflow ? OVERFLOW_VALUE : value);
		if (!sample->is_overflow)
			value = labels_next(value);
	}
	if (!sample->is_overflow)
		return;
	append_label(writer->labels, OVERFLOW_LABEL, "true");
}

/* name and labels of one line, up to the value */
static void line_begin(const struct family_writer *writer, const char *suffix)
{
	text_append_string(writer->out, writer->row->name);
	text_append_string(writer->out, suffix);
	if (writer->labels->length) {
		text_append(writer->out, "{", 1);
		text_append(writer->out, writer->labels->bytes, writer->labels->length);
		text_append(writer->out, "}", 1);
	}
	text_append(writer->out, " ", 1);
}

static void append_amount(struct text_buffer *out, enum metric_unit unit, uint64_t amount)
{
	if (unit == UNIT_SECONDS)
		text_append_seconds(out, amount);
	else
		text_append_u64(out, amount);
}

static void append_bound(struct text_buffer *out, enum metric_unit unit, uint64_t bound)
{
	append_amount(out, unit, bound);
	if (unit != UNIT_SECONDS || bound % 1000000000 == 0)
		text_append(out, ".0", 2); /* OpenMetrics: `le` is a float */
}

/* Source  OpenMetrics 1.0, Exemplars: names and values of the labels have at most 128 characters; these have 63 */
static void exemplar_write(const struct family_writer *writer, const struct exemplar *exemplar)
{
	struct text_buffer *out = writer->out;
	char id[2 * TRACE_ID_BYTES + 1];

	text_append_string(out, " # {trace_id=\"");
	hex_write(id, exemplar->trace_id, TRACE_ID_BYTES);
	text_append_string(out, id);
	text_append_string(out, "\",span_id=\"");
	hex_write(id, exemplar->span_id, SPAN_ID_BYTES);
	text_append_string(out, id);
	text_append_string(out, "\"} ");
	append_amount(out, writer->row->unit, exemplar->value);
	text_append(out, " ", 1);
	text_append_seconds(out, exemplar->unix_ns);
}

static void bucket_write(const struct family_writer *writer, const struct histogram *histogram,
			 size_t bucket, uint64_t below)
{
	const struct bucket_layout *layout = histogram->layout;
	struct text_buffer *out = writer->out;

	text_append_string(out, writer->row->name);
	text_append_string(out, "_bucket{");
	text_append(out, writer->labels->bytes, writer->labels->length);
	if (writer->labels->length)
		text_append(out, ",", 1);
	text_append_string(out, "le=\"");
	if (bucket < layout->bound_count)
		append_bound(out, writer->row->unit, layout->bounds[bucket]);
	else
		text_append_string(out, "+Inf");
	text_append_string(out, "\"} ");
	text_append_u64(out, below);
	if (writer->has_exemplars && histogram->exemplars && histogram->exemplars[bucket].unix_ns)
		exemplar_write(writer, &histogram->exemplars[bucket]);
	text_append(out, "\n", 1);
}

static void histogram_write(const struct family_writer *writer, const struct histogram *histogram)
{
	uint64_t below = 0;

	for (size_t i = 0; i <= histogram->layout->bound_count; i++) {
		below += histogram->classic[i];
		bucket_write(writer, histogram, i, below);
	}
	line_begin(writer, "_sum");
	append_amount(writer->out, writer->row->unit, histogram->sum);
	text_append(writer->out, "\n", 1);
	line_begin(writer, "_count");
	text_append_u64(writer->out, histogram->count);
	text_append(writer->out, "\n", 1);
}

static void sample_write(struct family_writer *writer, const struct sample *sample)
{
	labels_write(writer, sample);
	if (writer->row->type == METRIC_HISTOGRAM) {
		histogram_write(writer, sample->histogram);
		return;
	}
	line_begin(writer, "");
	if (writer->row->type == METRIC_COUNTER)
		append_amount(writer->out, writer->row->unit, sample->total);
	else
		text_append_double(writer->out, sample->gauge);
	text_append(writer->out, "\n", 1);
}

static void comment_write(struct text_buffer *out, const char *keyword, const char *name,
			  size_t name_length, const char *text)
{
	text_append_string(out, keyword);
	text_append(out, name, name_length);
	text_append(out, " ", 1);
	text_append_string(out, text);
	text_append(out, "\n", 1);
}

static void help_write(struct text_buffer *out, const char *name, size_t name_length,
		       const char *help, bool is_openmetrics)
{
	text_append_string(out, "# HELP ");
	text_append(out, name, name_length);
	text_append(out, " ", 1);
	if (is_openmetrics) /* escapes quotes too; text 0.0.4 would show the backslash */
		append_escaped(out, help);
	else
		text_append_string(out,
				   help); /* ours, without backslash or newline: see the tests */
	text_append(out, "\n", 1);
}

static void head_text(struct text_buffer *out, const struct metric_row *row)
{
	const char *type = metric_type_name(row->type == METRIC_INFO ? METRIC_GAUGE : row->type);

	help_write(out, row->name, strlen(row->name), row->help, false);
	comment_write(out, "# TYPE ", row->name, strlen(row->name), type);
}

/* The name of a family is that of its samples without the suffix that its type brings. */
static size_t family_name_length(const struct metric_row *row)
{
	size_t length = strlen(row->name);

	if (row->type == METRIC_COUNTER)
		return length - strlen("_total");
	if (row->type == METRIC_INFO)
		return length - strlen("_info");
	return length;
}

static void head_openmetrics(struct text_buffer *out, const struct metric_row *row)
{
	size_t length = family_name_length(row);

	comment_write(out, "# TYPE ", row->name, length, metric_type_name(row->type));
	if (row->unit != UNIT_NONE)
		comment_write(out, "# UNIT ", row->name, length, metric_unit_name(row->unit));
	help_write(out, row->name, length, row->help, true);
}

static int family_write(struct family_writer *writer, const struct sample *samples, size_t count)
{
	_cleanup_free_ const struct sample **sorted = sample_list_sorted(samples, count);

	if (!sorted)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		sample_write(writer, sorted[i]);
	return text_buffer_error(writer->labels);
}

static int render(const struct snapshot *snapshot, struct text_buffer *out, bool has_exemplars,
		  void (*head)(struct text_buffer *out, const struct metric_row *row))
{
	_cleanup_(text_buffer_done) struct text_buffer labels = { 0 };
	int err = 0;

	for (enum metric metric = 0; metric < METRIC_COUNT && err == 0; metric++) {
		struct family_writer writer = { out, &labels, &metric_table[metric],
						has_exemplars };
		const struct sample *samples;
		size_t count;

		samples = snapshot_samples(snapshot, metric, &count);
		if (!count)
			continue;
		head(out, &metric_table[metric]);
		err = family_write(&writer, samples, count);
	}
	return err ? err : text_buffer_error(out);
}

int prometheus_render_text(const struct snapshot *snapshot, struct text_buffer *buffer)
{
	return render(snapshot, buffer, false, head_text);
}

int prometheus_render_openmetrics(const struct snapshot *snapshot, struct text_buffer *buffer)
{
	int err = render(snapshot, buffer, true, head_openmetrics);

	if (err < 0)
		return err;
	text_append_string(buffer, "# EOF\n");
	return text_buffer_error(buffer);
}
