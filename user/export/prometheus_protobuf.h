/* SPDX-License-Identifier: Apache-2.0 */
/* A snapshot in Prometheus' protobuf format. Pure. */
#ifndef SONDE_EXPORT_PROMETHEUS_PROTOBUF_H
#define SONDE_EXPORT_PROMETHEUS_PROTOBUF_H

#include "aggregate/snapshot.h"
#include "export/text_buffer.h"

/* Append all series, in the order of the text formats: a MetricFamily a metric, its length in front. Histograms have their
 * classic buckets and native ones.
 * Returns  0 or -ENOMEM
 * Source   Prometheus, exposition formats, protobuf; client model, metrics.proto; native histograms 1.0 */
int prometheus_render_protobuf(const struct snapshot *snapshot, struct text_buffer *buffer);

#endif
