/* SPDX-License-Identifier: Apache-2.0 */
#include "export/exporter_table.h"

#include <string.h>

#include "export/accept.h"
#include "export/prometheus.h"
#include "export/prometheus_protobuf.h"

const struct exporter exporter_table[EXPORTER_COUNT] = {
	[EXPORTER_PROMETHEUS] = {
		.name = "prometheus",
		.media_type = "text/plain",
		.parameters = "version=0.0.4",
		.content_type = "text/plain; version=0.0.4; charset=utf-8",
		.render = prometheus_render_text,
	},
	[EXPORTER_OPENMETRICS] = {
		.name = "openmetrics",
		.media_type = "application/openmetrics-text",
		.parameters = "version=1.0.0",
		.content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8",
		.render = prometheus_render_openmetrics,
	},
	[EXPORTER_PROTOBUF] = {
		.name = "protobuf",
		.media_type = "application/vnd.google.protobuf",
		.parameters = "proto=io.prometheus.client.MetricFamily;encoding=delimited",
		.content_type = "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited",
		.render = prometheus_render_protobuf,
	},
};

enum exporter_id exporter_choose(const char *accept)
{
	enum exporter_id chosen = EXPORTER_PROMETHEUS;
	int best = 0;

	for (enum exporter_id id = 0; id < EXPORTER_COUNT; id++) {
		const struct exporter *exporter = &exporter_table[id];
		int quality = accept_quality(accept, exporter->media_type, exporter->parameters);

		if (quality > best) {
			best = quality;
			chosen = id;
		}
	}
	return chosen;
}

const struct exporter *exporter_find(const char *name)
{
	for (enum exporter_id id = 0; id < EXPORTER_COUNT; id++)
		if (strcmp(exporter_table[id].name, name) == 0)
			return &exporter_table[id];
	return NULL;
}
