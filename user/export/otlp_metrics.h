/* SPDX-License-Identifier: Apache-2.0 */
/* Snapshots as OpenTelemetry's protocol has metrics, in protobuf: what is posted, in parts. Pure. */
#ifndef SONDE_EXPORT_OTLP_METRICS_H
#define SONDE_EXPORT_OTLP_METRICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "aggregate/snapshot.h"
#include "base/wall_clock.h"
#include "export/span_fields.h"
#include "export/text_buffer.h"

/* The most data points of a part: at worst some 2 MB, a tenth of what receivers take. */
#define OTLP_POINTS_MAX 1000

struct otlp_metrics_manner {
	const struct span_resource *resource; /* borrowed; of every resource */
	const struct wall_clock *clock;	      /* borrowed */
	uint64_t started_ns;		      /* of the agent, CLOCK_MONOTONIC */
	bool has_delta_counters;	      /* else they are cumulative */
	bool has_delta_histograms;
	bool is_exponential; /* else histograms have the classic buckets */
};

struct otlp_metrics;

/* NULL when out of memory. */
struct otlp_metrics *otlp_metrics_new(const struct otlp_metrics_manner *manner);
void otlp_metrics_free(struct otlp_metrics **metrics);

/* Is anything counted from the snapshot before? */
bool otlp_metrics_has_deltas(const struct otlp_metrics *metrics);

/* Begin with a snapshot. Both are borrowed until the last part was made.
 *
 * before  the one that deltas are counted from; NULL: the first */
void otlp_metrics_begin(struct otlp_metrics *metrics, const struct snapshot *snapshot,
			const struct snapshot *before);

/* Write the next part, an ExportMetricsServiceRequest, into an empty buffer: points of a service together.
 *
 * Returns  how many points are in it; 0: there are no more; -ENOMEM: the same part may be asked for again */
int otlp_metrics_next(struct otlp_metrics *metrics, struct text_buffer *ret_body);

#endif
