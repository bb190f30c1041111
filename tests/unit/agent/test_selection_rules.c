/* SPDX-License-Identifier: Apache-2.0 */
/* Rules: what is understood, what is refused and with which words, and who satisfies what. */
#include "agent/selection_rules.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const uint16_t ports[] = { 80, 8443 };
static const struct selection_facts shop = {
	.path = "/srv/shop/bin/shop",
	.service = "shop",
	.cgroup = "/kubepods/pod1/abc",
	.ports = ports,
	.port_count = 2,
	.age_ns = 10000000000,
	.owner = 1001,
};

static const struct {
	const char *rule;
	bool holds;
	unsigned needs;
} samples[] = {
	{ "exe=/srv/*", true, 0 },
	{ "exe=/srv", false, 0 },
	{ "service=sh?p", true, 0 },
	{ "service=shop2", false, 0 },
	{ "cgroup=/kubepods/*", true, SELECTION_NEEDS_CGROUP },
	{ "cgroup=/system.slice/*", false, SELECTION_NEEDS_CGROUP },
	{ "port=80", true, SELECTION_NEEDS_PORTS },
	{ "port=8000-8999", true, SELECTION_NEEDS_PORTS },
	{ "port=81-8442", false, SELECTION_NEEDS_PORTS },
	{ "owner=1001", true, SELECTION_NEEDS_OWNER },
	{ "owner=root", false, SELECTION_NEEDS_OWNER },
	{ "age=10", true, SELECTION_NEEDS_AGE },
	{ "age=11", false, SELECTION_NEEDS_AGE },
	{ "exe=/srv/*,port=80,age=0", true, SELECTION_NEEDS_PORTS | SELECTION_NEEDS_AGE },
	{ "exe=/srv/*,port=81", false, SELECTION_NEEDS_PORTS },
};

static void add(struct selection_rules *rules, enum selection_list list, const char *text)
{
	char why[256] = "";

	if (selection_rules_add(rules, list, text, why, sizeof(why)))
		fail_msg("%s: %s", text, why);
}

static void test_conditions(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
		struct selection_rules *only = selection_rules_new(), *skip = selection_rules_new();

		add(only, SELECTION_ONLY, samples[i].rule);
		add(skip, SELECTION_SKIP, samples[i].rule);
		if (selection_rules_want(only, &shop) != samples[i].holds ||
		    selection_rules_want(skip, &shop) == samples[i].holds)
			fail_msg("%s", samples[i].rule);
		assert_int_equal(selection_rules_need(only), samples[i].needs);
		assert_string_equal(selection_rules_text(skip, SELECTION_SKIP, 0), samples[i].rule);
		assert_null(selection_rules_text(skip, SELECTION_SKIP, 1));
		selection_rules_free(&only);
		selection_rules_free(&skip);
	}
}

static void test_lists(void **state)
{
	struct selection_rules *rules = selection_rules_new();

	(void)state;
	assert_true(selection_rules_are_none(rules));
	assert_true(selection_rules_want(rules, &shop));
	add(rules, SELECTION_ONLY, "service=till");
	assert_false(selection_rules_are_none(rules));
	assert_false(selection_rules_want(rules, &shop));
	add(rules, SELECTION_ONLY, "service=shop");
	assert_true(selection_rules_want(rules, &shop));
	add(rules, SELECTION_SKIP, "owner=1001");
	assert_false(selection_rules_want(rules, &shop));
	selection_rules_free(&rules);
}

static void test_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"exe",
		"exe=",
		"=",
		"colour=red",
		"port=",
		"port=0",
		"port=65536",
		"port=9-8",
		"port=80-",
		"port=80x",
		"port=-1",
		"owner=",
		"age=",
		"age=1.5",
		"age=-1",
		"age=1e3",
		"exe=a,",
		",exe=a",
		"exe=a,exe=b",
		"exe=a,,b=",
		"owner=no_such_user_here",
		"age=99999999999999999999",
	};
	struct selection_rules *rules = selection_rules_new();
	char why[64];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		why[0] = '\0';
		if (selection_rules_add(rules, SELECTION_ONLY, bad[i], why, sizeof(why)) !=
			    -EINVAL ||
		    !why[0])
			fail_msg("%s", bad[i]);
	}
	assert_true(selection_rules_are_none(rules));
	assert_int_equal(selection_rules_add(rules, SELECTION_ONLY, "port=x", why, sizeof(why)),
			 -EINVAL);
	assert_non_null(strstr(why, "'port=x': port wants a port"));
	selection_rules_free(&rules);
}

static void test_bounds(void **state)
{
	struct selection_rules *rules = selection_rules_new();
	char text[SELECTION_RULE_BYTES + 1] = "exe=", why[64];

	(void)state;
	memset(text + 4, 'x', sizeof(text) - 5);
	text[SELECTION_RULE_BYTES] = '\0';
	assert_int_equal(selection_rules_add(rules, SELECTION_SKIP, text, why, sizeof(why)),
			 -EINVAL);
	text[SELECTION_RULE_BYTES - 1] = '\0';
	for (int i = 0; i < SELECTION_RULES_MAX; i++)
		add(rules, SELECTION_SKIP, text);
	assert_int_equal(selection_rules_add(rules, SELECTION_SKIP, "age=1", why, sizeof(why)),
			 -ENOSPC);
	assert_string_equal(why, "at most 64 rules of a kind");
	add(rules, SELECTION_ONLY, "age=1");
	selection_rules_free(&rules);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_conditions),
		cmocka_unit_test(test_lists),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
