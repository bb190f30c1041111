/* SPDX-License-Identifier: Apache-2.0 */
/* Source: OpenTelemetry specification 1.x, "Metrics Exporter - OTLP" and "Environment Variable Specification". */
#include "deliver/metric_settings.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "base/clock.h"

#define INTERVAL "OTEL_METRIC_EXPORT_INTERVAL"
#define INTERVAL_MS 60000
#define INTERVAL_LEAST_MS 100
#define INTERVAL_MOST_MS 86400000
#define TEMPORALITY "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE"
#define AGGREGATION "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION"

struct choice {
	const char *word;
	struct metric_settings settings;
};

/* Low memory: what is counted elsewhere and read, as counters are, is not kept from one export to the next. */
static const struct choice temporalities[] = {
	{ "cumulative", { 0 } },
	{ "delta", { .has_delta_counters = true, .has_delta_histograms = true } },
	{ "lowmemory", { .has_delta_histograms = true } },
	{ 0 },
};

static const struct choice aggregations[] = {
	{ "explicit_bucket_histogram", { 0 } },
	{ "base2_exponential_bucket_histogram", { .is_exponential = true } },
	{ 0 },
};

static int choose(const char *name, const char *value, const struct choice *choices,
		  struct metric_settings *settings, char *why)
{
	if (!value || !*value)
		return 0;
	for (; choices->word; choices++) {
		if (strcasecmp(choices->word, value) != 0)
			continue;
		settings->has_delta_counters |= choices->settings.has_delta_counters;
		settings->has_delta_histograms |= choices->settings.has_delta_histograms;
		settings->is_exponential |= choices->settings.is_exponential;
		return 0;
	}
	snprintf(why, METRIC_SETTINGS_WHY_MAX, "%s: '%s' is not known", name, value);
	return -EINVAL;
}

static int read_interval(const char *value, struct metric_settings *settings, char *why)
{
	unsigned long ms = INTERVAL_MS;
	char *end = NULL;

	if (value && *value)
		ms = strtoul(value, &end, 10);
	if ((end && *end) || ms < INTERVAL_LEAST_MS || ms > INTERVAL_MOST_MS) {
		snprintf(why, METRIC_SETTINGS_WHY_MAX,
			 INTERVAL ": milliseconds from %d to %d, not '%s'", INTERVAL_LEAST_MS,
			 INTERVAL_MOST_MS, value);
		return -EINVAL;
	}
	settings->interval_ns = (uint64_t)ms * NS_PER_MS;
	return 0;
}

int metric_settings_read(char *(*lookup)(const char *name), struct metric_settings *ret_settings,
			 char ret_why[METRIC_SETTINGS_WHY_MAX])
{
	int error;

	*ret_settings = (struct metric_settings){ 0 };
	error = read_interval(lookup(INTERVAL), ret_settings, ret_why);
	if (!error)
		error = choose(TEMPORALITY, lookup(TEMPORALITY), temporalities, ret_settings,
			       ret_why);
	if (!error)
		error = choose(AGGREGATION, lookup(AGGREGATION), aggregations, ret_settings,
			       ret_why);
	return error;
}
