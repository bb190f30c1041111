/* SPDX-License-Identifier: Apache-2.0 */
#include "export/metric_docs.h"

#include "aggregate/metric_table.h"

static const char introduction[] =
	"# Metrics\n"
	"\n"
	"What `/metrics` shows. Printed from `user/aggregate/metric_table.inc`; a unit test compares the two\n"
	"(`SONDE_UPDATE=1 build/asan/tests/unit/export/test_metric_docs` writes this page anew).\n"
	"\n"
	"* Formats: Prometheus text 0.0.4, OpenMetrics 1.0 and Prometheus' protobuf, by `Accept`; gzip, by `Accept-Encoding`.\n"
	"* For those who do not scrape: the same series [over OTLP](OTLP-METRICS.md).\n"
	"* A label without a value is left out.\n"
	"* A metric that names a service has a limit of series. What comes after that adds up in one series\n"
	"  with `sonde_overflow=\"true\"` and every label `other`; `sonde_series_refused_total` counts it.\n"
	"* A series goes away some time after its process (or the last process of its service) has ended.\n"
	"* Histograms have the classic buckets listed at the end, upper bounds inclusive, and keep base-2\n"
	"  exponential buckets (at most 160, relative error at most 2.2 % over ten octaves) inside. These are the native\n"
	"  histograms of the protobuf format. Prometheus asks for it where native histograms are switched on, and keeps those\n"
	"  alone unless told otherwise. Read from protobuf, bounds are spelled by Prometheus 2: `le=\"1e-05\"`, not `0.00001`.\n"
	"* Durations of requests have [exemplars](TRACING.md#exemplars) when there are spans.\n"
	"\n"
	"| metric | type | buckets | labels | meaning |\n"
	"| --- | --- | --- | --- | --- |\n";

static const char *const bucket_names[BUCKETS_COUNT] = {
	[BUCKETS_NONE] = "",	 [BUCKETS_REQUEST] = "request", [BUCKETS_CONNECT] = "connect",
	[BUCKETS_RTT] = "rtt",	 [BUCKETS_SIZE] = "size",	[BUCKETS_SESSION] = "session",
	[BUCKETS_ROWS] = "rows",
};

static void row_write(struct text_buffer *out, const struct metric_row *row)
{
	text_append_string(out, "| `");
	text_append_string(out, row->name);
	text_append_string(out, "` | ");
	text_append_string(out, metric_type_name(row->type));
	text_append_string(out, " | ");
	text_append_string(out, bucket_names[row->buckets]);
	text_append_string(out, " | ");
	for (size_t i = 0; row->labels[i]; i++) {
		text_append_string(out, i ? ", `" : "`");
		text_append_string(out, row->labels[i]);
		text_append_string(out, "`");
	}
	text_append_string(out, " | ");
	text_append_string(out, row->help);
	text_append_string(out, " |\n");
}

static void layout_write(struct text_buffer *out, enum bucket_layout_id id)
{
	const struct bucket_layout *layout = &bucket_layouts[id];

	text_append_string(out, "| ");
	text_append_string(out, bucket_names[id]);
	text_append_string(out, " | ");
	for (size_t i = 0; i < layout->bound_count; i++) {
		if (i)
			text_append_string(out, ", ");
		text_append_double(out, (double)layout->bounds[i] / layout->divisor);
	}
	text_append_string(out, " |\n");
}

int metric_docs_render(struct text_buffer *buffer)
{
	text_append_string(buffer, introduction);
	for (enum metric metric = 0; metric < METRIC_COUNT; metric++)
		row_write(buffer, &metric_table[metric]);
	text_append_string(buffer,
			   "\n## Classic buckets\n\n"
			   "| buckets | upper bounds, seconds, bytes or rows |\n| --- | --- |\n");
	for (enum bucket_layout_id id = BUCKETS_NONE + 1; id < BUCKETS_COUNT; id++)
		layout_write(buffer, id);
	return text_buffer_error(buffer);
}
