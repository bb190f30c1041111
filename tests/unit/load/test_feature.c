/* SPDX-License-Identifier: Apache-2.0 */
/* What a person is told who has to repair something first. */
#include "load/feature.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "fake_libbpf.h"
#include "fake_system.h"

#define CONFIDENTIAL "none integrity [confidentiality]\n"

static char text[640];

static const char *explain(int load_error)
{
	memset(text, 'x', sizeof(text));
	feature_explain(load_error, text, sizeof(text));
	return text;
}

static int setup(void **state)
{
	(void)state;
	fake_reset();
	return 0;
}

static void test_nothing_known(void **state)
{
	(void)state;
	assert_string_equal(explain(0), "");
}

static void expect_missing(const char *effective, bool bpf, bool perfmon)
{
	fake_file(FAKE_STATUS, effective);
	(void)explain(EPERM);
	assert_int_equal(strstr(text, "CAP_BPF (") != NULL, bpf);
	assert_int_equal(strstr(text, "CAP_PERFMON (") != NULL, perfmon);
}

/* capabilities(7): CAP_SYS_ADMIN is bit 21, CAP_PERFMON 38, CAP_BPF 39. */
static void test_capabilities(void **state)
{
	(void)state;
	expect_missing("CapEff:\t0000000000000000\n", true, true);
	expect_missing("CapEff:\t0000008000000000\n", false, true);
	expect_missing("CapEff:\t0000004000000000\n", true, false);
	expect_missing("CapEff:\t000000c000000000\n", false, false);
	expect_missing("CapEff:\t0000000000200000\n", false, false);
	/* The bounding set is not what we have. */
	expect_missing("CapBnd:\t000001ffffffffff\nCapEff:\t0000000000000000\n", true, true);
}

/* Who cannot see what he has is told as if he had none. */
static void test_no_proc(void **state)
{
	(void)state;
	expect_missing(NULL, true, true);
	expect_missing("", true, true);
	expect_missing("CapEff:\n", true, true);
}

static void test_no_btf(void **state)
{
	(void)state;
	fake_file(FAKE_BTF, NULL);
	assert_non_null(strstr(explain(ESRCH), FAKE_BTF ": No such file or directory"));
	assert_non_null(strstr(text, "CONFIG_DEBUG_INFO_BTF=y"));
}

static void test_lockdown(void **state)
{
	(void)state;
	fake_file(FAKE_LOCKDOWN, CONFIDENTIAL);
	assert_non_null(strstr(explain(EPERM), "lockdown"));
	fake_file(FAKE_LOCKDOWN, "none [integrity] confidentiality\n");
	assert_null(strstr(explain(EPERM), "lockdown"));
	fake_file(FAKE_LOCKDOWN, NULL);
	assert_null(strstr(explain(EPERM), "lockdown"));
	fake_file(FAKE_LOCKDOWN, "");
	assert_null(strstr(explain(EPERM), "lockdown"));
}

static void test_refused(void **state)
{
	(void)state;
	assert_non_null(strstr(explain(EPERM), "seccomp"));
	assert_non_null(strstr(explain(ENOMEM), strerror(ENOMEM)));
}

/* The first thing to repair comes first. */
static void test_order(void **state)
{
	(void)state;
	fake_file(FAKE_STATUS, "CapEff:\t0000000000000000\n");
	fake_file(FAKE_BTF, NULL);
	fake_file(FAKE_LOCKDOWN, CONFIDENTIAL);
	assert_non_null(strstr(explain(EPERM), "CAP_BPF"));
	fake_file(FAKE_STATUS, FAKE_ALL_CAPABILITIES);
	assert_non_null(strstr(explain(EPERM), "BTF"));
	fake_file(FAKE_BTF, "btf");
	assert_non_null(strstr(explain(EPERM), "lockdown"));
}

/* Cut, but ended, whatever the room. */
static void test_little_room(void **state)
{
	(void)state;
	fake_file(FAKE_STATUS, "CapEff:\t0000000000000000\n");
	for (size_t size = 1; size < 200; size++) {
		memset(text, 'x', sizeof(text));
		feature_explain(EPERM, text, size);
		assert_true(strlen(text) < size);
		assert_int_equal(text[size], 'x');
	}
}

static void test_memlock(void **state)
{
	(void)state;
	assert_int_equal(feature_lift_memlock(), 0);
	fake_fail(FAKE_MEMLOCK, NULL, EPERM);
	assert_int_equal(feature_lift_memlock(), -EPERM);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_nothing_known, setup),
		cmocka_unit_test_setup(test_capabilities, setup),
		cmocka_unit_test_setup(test_no_proc, setup),
		cmocka_unit_test_setup(test_no_btf, setup),
		cmocka_unit_test_setup(test_lockdown, setup),
		cmocka_unit_test_setup(test_refused, setup),
		cmocka_unit_test_setup(test_order, setup),
		cmocka_unit_test_setup(test_little_room, setup),
		cmocka_unit_test_setup(test_memlock, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
