/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/metric_export.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/resource.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/wall_clock.h"
#include "deliver/metric_settings.h"

struct metric_export {
	struct metric_delivery *delivery; /* owned */
	struct resource_settings resource;
	struct span_resource resource_view; /* of the above */
	struct wall_clock clock;
};

static const char *resource_text(const struct resource_settings *resource, const char *key)
{
	for (size_t i = 0; i < resource->count; i++)
		if (strcmp(resource->attributes[i].key, key) == 0)
			return resource->attributes[i].text;
	return NULL;
}

/* Receivers that keep no more of a resource than what names it (Prometheus: `job` and `instance`) would take the series of
 * several machines for one. An operator's own goes before ours. */
static void add_instance(struct resource_settings *resource)
{
	const char *host_name = resource_text(resource, "host.name");

	if (!host_name || resource_text(resource, "service.instance.id"))
		return;
	resource->attributes[resource->count++] =
		(struct span_attribute){ "service.instance.id", host_name, 0 };
}

static int start_delivery(struct metric_export *export, const struct metric_settings *settings,
			  struct otlp_settings *receiver)
{
	const struct otlp_metrics_manner manner = {
		.resource = &export->resource_view,
		.clock = &export->clock,
		.started_ns = monotonic_ns(),
		.has_delta_counters = settings->has_delta_counters,
		.has_delta_histograms = settings->has_delta_histograms,
		.is_exponential = settings->is_exponential,
	};
	struct otlp_metrics *metrics = otlp_metrics_new(&manner);
	struct otlp_client *client;
	int error = metrics ? otlp_client_new(receiver, &client) : -ENOMEM;

	if (error) {
		otlp_metrics_free(&metrics);
		return error;
	}
	return metric_delivery_start(client, metrics, settings->interval_ns, &export->delivery);
}

static int start(const struct metric_settings *settings, struct otlp_settings *receiver,
		 struct metric_export **ret_export)
{
	struct metric_export *export = calloc(1, sizeof(*export));
	int error = export ? resource_read(&export->resource) : -ENOMEM;

	if (!error) {
		add_instance(&export->resource);
		export->resource_view = (struct span_resource){ export->resource.attributes,
								export->resource.count };
		export->clock = wall_clock_anchor();
		error = start_delivery(export, settings, receiver);
	}
	if (error)
		metric_export_free(&export);
	*ret_export = export;
	return error;
}

int metric_export_start(const struct metric_options *options, struct metric_export **ret_export)
{
	char why[OTLP_SETTINGS_WHY_MAX];
	struct otlp_settings receiver;
	struct metric_settings settings;
	int error = otlp_settings_read(OTLP_METRICS, options->otlp_endpoint,
				       options->otlp_headers_file, getenv, &receiver, why);

	*ret_export = NULL;
	if (!error && receiver.url)
		error = metric_settings_read(getenv, &settings, why);
	if (error) {
		log_error("%s", why);
	} else if (receiver.url) {
		log_info("metrics go to %s every %llu ms", receiver.shown_url,
			 (unsigned long long)(settings.interval_ns / NS_PER_MS));
		error = start(&settings, &receiver, ret_export);
		if (error)
			log_error("cannot post metrics: %s", strerror(-error));
	}
	otlp_settings_done(&receiver);
	return error;
}

void metric_export_free(struct metric_export **export)
{
	struct metric_export *mine = *export;

	*export = NULL;
	if (!mine)
		return;
	metric_delivery_free(&mine->delivery);
	resource_settings_done(&mine->resource);
	free(mine);
}

struct metric_delivery *metric_export_delivery(const struct metric_export *export)
{
	return export->delivery;
}
