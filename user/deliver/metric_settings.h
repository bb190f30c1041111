/* SPDX-License-Identifier: Apache-2.0 */
/* How metrics are posted, and how often: OpenTelemetry's environment variables. Where is in otlp_settings.h. */
#ifndef SONDE_DELIVER_METRIC_SETTINGS_H
#define SONDE_DELIVER_METRIC_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

struct metric_settings {
	uint64_t interval_ns;
	bool has_delta_counters;
	bool has_delta_histograms;
	bool is_exponential;
};

/* lookup   getenv(3), or what a test puts in its place
 * why      says what is wrong when this fails
 * Returns  0 or -EINVAL */
#define METRIC_SETTINGS_WHY_MAX 256
int metric_settings_read(char *(*lookup)(const char *name), struct metric_settings *ret_settings,
			 char ret_why[METRIC_SETTINGS_WHY_MAX]);

#endif
