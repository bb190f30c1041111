/* SPDX-License-Identifier: Apache-2.0 */
/* A snapshot as text: Prometheus text format 0.0.4 and OpenMetrics 1.0. Pure. */
#ifndef SONDE_EXPORT_PROMETHEUS_H
#define SONDE_EXPORT_PROMETHEUS_H

#include "aggregate/snapshot.h"
#include "export/text_buffer.h"

/* Append all series: metrics in the order of their table, series in the order of their label
 * values, so that the same figures give the same bytes. `le` is written alike in both ("1.0"): it
 * is part of the series' name, which must not depend on what a scraper negotiated.
 * Returns  0 or -ENOMEM
 * Source   Prometheus, exposition formats, text 0.0.4; OpenMetrics 1.0, text format */
int prometheus_render_text(const struct snapshot *snapshot, struct text_buffer *buffer);
int prometheus_render_openmetrics(const struct snapshot *snapshot, struct text_buffer *buffer);

#endif
