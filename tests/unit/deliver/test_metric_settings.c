/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "deliver/metric_settings.h"
#include "variables.h"

#define INTERVAL "OTEL_METRIC_EXPORT_INTERVAL"
#define TEMPORALITY "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE"
#define AGGREGATION "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION"

static struct metric_settings settings;
static char why[METRIC_SETTINGS_WHY_MAX];

static void defaults(void **state)
{
	(void)state;
	VARIABLES(INTERVAL, "", TEMPORALITY, "", AGGREGATION, "");
	assert_int_equal(metric_settings_read(lookup, &settings, why), 0);
	assert_int_equal(settings.interval_ns, 60000000000);
	assert_false(settings.has_delta_counters || settings.has_delta_histograms ||
		     settings.is_exponential);
}

static void preferences(void **state)
{
	(void)state;
	VARIABLES(INTERVAL, "2500", TEMPORALITY, "Delta", AGGREGATION,
		  "base2_exponential_bucket_histogram");
	assert_int_equal(metric_settings_read(lookup, &settings, why), 0);
	assert_int_equal(settings.interval_ns, 2500000000);
	assert_true(settings.has_delta_counters && settings.has_delta_histograms &&
		    settings.is_exponential);
	VARIABLES(TEMPORALITY, "lowmemory", AGGREGATION, "explicit_bucket_histogram");
	assert_int_equal(metric_settings_read(lookup, &settings, why), 0);
	assert_true(settings.has_delta_histograms);
	assert_false(settings.has_delta_counters || settings.is_exponential);
	VARIABLES(TEMPORALITY, "CUMULATIVE");
	assert_int_equal(metric_settings_read(lookup, &settings, why), 0);
	assert_false(settings.has_delta_counters || settings.has_delta_histograms);
}

static void what_cannot_be_done_is_said(void **state)
{
	static const char *const wrong[][2] = {
		{ INTERVAL, "99" },	  { INTERVAL, "1s" },	  { INTERVAL, "-1" },
		{ INTERVAL, "86400001" }, { TEMPORALITY, "low" }, { AGGREGATION, "drop" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		VARIABLES(wrong[i][0], wrong[i][1]);
		assert_int_equal(metric_settings_read(lookup, &settings, why), -EINVAL);
		assert_non_null(strstr(why, wrong[i][0]));
		assert_non_null(strstr(why, wrong[i][1]));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults),
		cmocka_unit_test(preferences),
		cmocka_unit_test(what_cannot_be_done_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
