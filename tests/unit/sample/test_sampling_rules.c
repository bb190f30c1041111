/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "protocol/trace_probability.h"
#include "sample/sampling_rules.h"

static const char *sampler, *argument;
static char why[SAMPLING_WHY_MAX];

static char *lookup(const char *name)
{
	return (char *)(strcmp(name, "OTEL_TRACES_SAMPLER") == 0     ? sampler :
			strcmp(name, "OTEL_TRACES_SAMPLER_ARG") == 0 ? argument :
								       NULL);
}

static void nothing_said_keeps_all(void **state)
{
	struct sampling_rules rules;

	(void)state;
	sampling_rules_init(&rules);
	sampler = argument = NULL;
	assert_int_equal(sampling_rules_read_environment(&rules, lookup, why), 0);
	assert_false(rules.is_set);
	assert_int_equal(rules.threshold, 0);
}

static void rules_are_read(void **state)
{
	struct sampling_rules rules;

	(void)state;
	sampling_rules_init(&rules);
	assert_int_equal(
		sampling_rules_add(
			&rules,
			"errors,slow=p99.5,floor=10@GET /pay*,floor=2,rate=200,parent,ratio=0.25",
			why),
		0);
	assert_true(rules.is_set && rules.keeps_errors && rules.is_parent_based);
	assert_int_equal(rules.slow_permille, 995);
	assert_int_equal(rules.spans_per_second, 200);
	assert_int_equal(rules.threshold, 0xc0000000000000);
	assert_int_equal(rules.floor_count, 2);
	assert_int_equal(rules.floors[0].per_minute, 10);
	assert_string_equal(rules.floors[0].glob, "GET /pay*");
	assert_string_equal(rules.floors[1].glob, "*");
}

/* The specification's own example: 1 % is fd70a4, where five digits are told; the sixth is rounded. */
static void ratios_become_short_thresholds(void **state)
{
	static const struct {
		const char *text;
		uint64_t threshold;
	} rows[] = {
		{ "ratio=1", 0 },
		{ "ratio=0", TRACE_THRESHOLD_NEVER },
		{ "ratio=0.5", 0x80000000000000 },
		{ "ratio=0.01", 0xfd70a400000000 },
		{ "ratio=1e-20", TRACE_THRESHOLD_NEVER },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct sampling_rules rules;

		sampling_rules_init(&rules);
		assert_int_equal(sampling_rules_add(&rules, rows[i].text, why), 0);
		assert_int_equal(rules.threshold, rows[i].threshold);
	}
}

static void what_is_wrong_is_said(void **state)
{
	static const char *const wrong[] = { "",
					     "ratio",
					     "ratio=",
					     "ratio=1.1",
					     "ratio=-0.1",
					     "ratio=nan",
					     "ratio=0.1x",
					     "errors=1",
					     "parent=1",
					     "slow=99",
					     "slow=p",
					     "slow=p100",
					     "slow=p0",
					     "floor=0",
					     "floor=x",
					     "floor=5@",
					     "rate=0",
					     "rate=-1",
					     "rate=2000000",
					     "errors,",
					     "errors,nonsense" };
	struct sampling_rules rules, before;
	char text[SAMPLING_GLOB_MAX + 64];

	(void)state;
	sampling_rules_init(&rules);
	before = rules;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		assert_int_equal(sampling_rules_add(&rules, wrong[i], why), -EINVAL);
		assert_non_null(strstr(why, "is none of"));
		assert_memory_equal(&rules, &before, sizeof(rules));
	}
	memset(text, 'x', sizeof(text));
	memcpy(text, "floor=1@", 8);
	text[8 + SAMPLING_GLOB_MAX] = '\0';
	assert_int_equal(sampling_rules_add(&rules, text, why), -EINVAL);
	text[7 + SAMPLING_GLOB_MAX] = '\0';
	assert_int_equal(sampling_rules_add(&rules, text, why), 0);
	while (rules.floor_count < SAMPLING_FLOORS_MAX)
		assert_int_equal(sampling_rules_add(&rules, "floor=1", why), 0);
	assert_int_equal(sampling_rules_add(&rules, "floor=1", why), -EINVAL);
}

static void the_environment_is_read(void **state)
{
	static const struct {
		const char *sampler;
		const char *argument;
		int error;
		bool is_parent_based;
		uint64_t threshold;
	} rows[] = {
		{ "", "0.5", 0, false, 0 },
		{ "always_on", NULL, 0, false, 0 },
		{ "always_off", NULL, 0, false, TRACE_THRESHOLD_NEVER },
		{ "traceidratio", "0.5", 0, false, 0x80000000000000 },
		{ "traceidratio", NULL, 0, false, 0 },
		{ "parentbased_always_on", "0.5", 0, true, 0 },
		{ "parentbased_always_off", NULL, 0, true, TRACE_THRESHOLD_NEVER },
		{ "parentbased_traceidratio", "0.75", 0, true, 0x40000000000000 },
		{ "parentbased_traceidratio", "2", -EINVAL, false, 0 },
		{ "xray", NULL, -EINVAL, false, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct sampling_rules rules;

		sampling_rules_init(&rules);
		sampler = rows[i].sampler;
		argument = rows[i].argument;
		assert_int_equal(sampling_rules_read_environment(&rules, lookup, why),
				 rows[i].error);
		assert_int_equal(rules.is_parent_based, rows[i].is_parent_based);
		assert_int_equal(rules.threshold, rows[i].threshold);
		assert_int_equal(rules.is_set, !rows[i].error && sampler[0]);
	}
}

static void the_command_line_goes_first(void **state)
{
	struct sampling_rules rules;

	(void)state;
	sampler = "parentbased_traceidratio";
	argument = "0.5";
	sampling_rules_init(&rules);
	assert_int_equal(sampling_rules_add(&rules, "errors,ratio=0.75", why), 0);
	assert_int_equal(sampling_rules_read_environment(&rules, lookup, why), 0);
	assert_int_equal(rules.threshold, 0x40000000000000);
	assert_false(rules.is_parent_based);
	sampling_rules_init(&rules);
	assert_int_equal(sampling_rules_add(&rules, "errors", why), 0);
	assert_int_equal(sampling_rules_read_environment(&rules, lookup, why), 0);
	assert_int_equal(rules.threshold, 0x80000000000000);
	assert_true(rules.is_parent_based && rules.keeps_errors);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_said_keeps_all),
		cmocka_unit_test(rules_are_read),
		cmocka_unit_test(ratios_become_short_thresholds),
		cmocka_unit_test(what_is_wrong_is_said),
		cmocka_unit_test(the_environment_is_read),
		cmocka_unit_test(the_command_line_goes_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
