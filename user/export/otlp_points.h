/* SPDX-License-Identifier: Apache-2.0 */
/* Data points of OTLP metrics, each of one series. For the files of this room. */
#ifndef SONDE_EXPORT_OTLP_POINTS_H
#define SONDE_EXPORT_OTLP_POINTS_H

#include "aggregate/snapshot.h"
#include "base/arena.h"
#include "otlp_metrics.pb-c.h"

/* What a point is made of. */
struct point_source {
	const struct metric_row *row;
	const struct sample *sample;
	const struct sample *before; /* what is taken off it; NULL: nothing */
	uint64_t start_unix_ns;
	uint64_t time_unix_ns;
	Opentelemetry__Proto__Common__V1__KeyValue **attributes;
	size_t attribute_count;
};

/* Has anything been counted since? */
bool otlp_point_has_news(const struct point_source *source);

/* A point of the arena; NULL when out of memory. */
Opentelemetry__Proto__Metrics__V1__NumberDataPoint *otlp_number_point(
	struct arena *arena, const struct point_source *source);
Opentelemetry__Proto__Metrics__V1__HistogramDataPoint *otlp_histogram_point(
	struct arena *arena, const struct point_source *source);
Opentelemetry__Proto__Metrics__V1__ExponentialHistogramDataPoint *otlp_exponential_point(
	struct arena *arena, const struct point_source *source);

#endif
