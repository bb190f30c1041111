/* SPDX-License-Identifier: Apache-2.0 */
/* The rules that every row keeps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "aggregate/metric_table.h"

static bool ends_with(const char *text, const char *end)
{
	size_t length = strlen(text), end_length = strlen(end);

	return length >= end_length && strcmp(text + length - end_length, end) == 0;
}

/* Source: Prometheus data model; colons are for recording rules. */
static bool is_name(const char *name)
{
	return *name && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == strlen(name) &&
	       !(*name >= '0' && *name <= '9') && strncmp(name, "__", 2) != 0;
}

static void names_are_valid_and_unique(void **state)
{
	(void)state;
	for (enum metric i = 0; i < METRIC_COUNT; i++) {
		assert_true(is_name(metric_table[i].name));
		for (enum metric j = 0; j < i; j++)
			assert_string_not_equal(metric_table[i].name, metric_table[j].name);
	}
}

static void suffixes_follow_type_and_unit(void **state)
{
	(void)state;
	for (enum metric i = 0; i < METRIC_COUNT; i++) {
		const struct metric_row *row = &metric_table[i];
		const char *unit = metric_unit_name(row->unit);
		char end[32] = "";

		assert_int_equal(ends_with(row->name, "_total"), row->type == METRIC_COUNTER);
		assert_int_equal(ends_with(row->name, "_info"), row->type == METRIC_INFO);
		if (row->unit != UNIT_NONE) /* OpenMetrics 1.0: the unit is the end of the name */
			strcat(strcat(end, "_"), unit);
		if (row->type == METRIC_COUNTER)
			strcat(end, "_total");
		assert_true(ends_with(row->name, end));
	}
}

/* Source: OpenMetrics 1.0, "Counter": a name may not be another's with a suffix of its samples. */
static void no_metric_is_named_like_a_sample_of_another(void **state)
{
	static const char *const suffixes[] = { "_total",  "_count", "_sum",
						"_bucket", "_info",  "_created" };
	(void)state;
	for (enum metric i = 0; i < METRIC_COUNT; i++) {
		for (enum metric j = 0; j < METRIC_COUNT; j++) {
			size_t length = strlen(metric_table[i].name);

			if (i == j ||
			    strncmp(metric_table[j].name, metric_table[i].name, length) != 0)
				continue;
			for (size_t k = 0; k < sizeof(suffixes) / sizeof(suffixes[0]); k++)
				assert_string_not_equal(metric_table[j].name + length, suffixes[k]);
		}
	}
}

static void labels_are_valid_and_services_come_first(void **state)
{
	(void)state;
	for (enum metric i = 0; i < METRIC_COUNT; i++) {
		const char *const *labels = metric_table[i].labels;

		assert_true(metric_label_count(i) <= METRIC_LABELS_MAX);
		for (size_t j = 0; labels[j]; j++) {
			assert_true(is_name(labels[j]));
			assert_string_not_equal(labels[j], "le");
			assert_string_not_equal(labels[j], "sonde_overflow");
			if (j)
				assert_string_not_equal(labels[j], "service_name");
			for (size_t k = 0; k < j; k++)
				assert_string_not_equal(labels[j], labels[k]);
		}
		assert_int_equal(metric_has_service(i),
				 labels[0] && strcmp(labels[0], "service_name") == 0);
	}
}

static void help_needs_no_escaping(void **state)
{
	(void)state;
	for (enum metric i = 0; i < METRIC_COUNT; i++) {
		assert_true(ends_with(metric_table[i].help, "."));
		assert_null(
			strpbrk(metric_table[i].help, "\\\n|")); /* text format; docs/METRICS.md */
	}
}

static void histograms_have_rising_buckets(void **state)
{
	(void)state;
	for (enum metric i = 0; i < METRIC_COUNT; i++) {
		const struct metric_row *row = &metric_table[i];
		const struct bucket_layout *layout = &bucket_layouts[row->buckets];

		assert_int_equal(row->type == METRIC_HISTOGRAM, row->buckets != BUCKETS_NONE);
		assert_true(layout->bound_count <= BUCKET_BOUNDS_MAX);
		for (size_t j = 1; j < layout->bound_count; j++)
			assert_true(layout->bounds[j - 1] < layout->bounds[j]);
		if (row->type == METRIC_HISTOGRAM)
			assert_true((layout->divisor > 1) == (row->unit == UNIT_SECONDS));
	}
	assert_int_equal(bucket_layouts[BUCKETS_REQUEST].bounds[17], 7500000000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_valid_and_unique),
		cmocka_unit_test(suffixes_follow_type_and_unit),
		cmocka_unit_test(no_metric_is_named_like_a_sample_of_another),
		cmocka_unit_test(labels_are_valid_and_services_come_first),
		cmocka_unit_test(help_needs_no_escaping),
		cmocka_unit_test(histograms_have_rising_buckets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
