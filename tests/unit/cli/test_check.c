/* SPDX-License-Identifier: Apache-2.0 */
/* What is printed and returned for machines that can do all, some and nothing. */
#include "cli/check.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/command_table.h"

static struct check_report *make_report(bool first_works, bool second_works)
{
	struct check_report *report = calloc(1, sizeof(*report) + 2 * sizeof(report->signals[0]));

	assert_non_null(report);
	strcpy(report->kernel, "6.1.0 x86_64");
	report->signal_count = 2;
	report->signals[0] = (struct signal_report){
		.signal = "tcp_state",
		.target = "inet_sock_set_state",
		.hook = first_works ? "raw_tp" : NULL,
		.loses = "connect latency",
		.alternative_count = 2,
		.alternatives = { { "tp_btf", true, false, "no BTF" },
				  { "raw_tp", true, first_works, "" } },
	};
	report->signals[1] = (struct signal_report){
		.signal = "retransmit",
		.target = "tcp_retransmit_skb",
		.hook = second_works ? "tp_btf" : NULL,
		.loses = "retransmits",
		.alternative_count = 2,
		.alternatives = { { "tp_btf", true, second_works, "" },
				  { "raw_tp", !second_works, false, "" } },
	};
	return report;
}

static void assert_printed(const struct check_report *report, const char *expected)
{
	char *text = NULL;
	size_t length;
	FILE *file = open_memstream(&text, &length);

	assert_int_equal(check_print(file, report, false, 0), 0);
	fclose(file);
	assert_string_equal(text, expected);
	free(text);
}

static void test_all(void **state)
{
	struct check_report *report = make_report(true, true);

	(void)state;
	assert_int_equal(check_status(report), STATUS_OK);
	assert_printed(report, "kernel 6.1.0 x86_64\n\n"
			       "SIGNAL      KERNEL PLACE         HOOK    TRIED\n"
			       "tcp_state   inet_sock_set_state  raw_tp  tp_btf failed, raw_tp\n"
			       "retransmit  tcp_retransmit_skb   tp_btf  tp_btf\n"
			       "\ntcp_state: tp_btf: no BTF\n"
			       "\nAll 2 signals work.\n");
	free(report);
}

static void test_some(void **state)
{
	struct check_report *report = make_report(true, false);

	(void)state;
	assert_int_equal(check_status(report), STATUS_DEGRADED);
	assert_printed(report,
		       "kernel 6.1.0 x86_64\n\n"
		       "SIGNAL      KERNEL PLACE         HOOK    TRIED\n"
		       "tcp_state   inet_sock_set_state  raw_tp  tp_btf failed, raw_tp\n"
		       "retransmit  tcp_retransmit_skb   none    tp_btf failed, raw_tp failed\n"
		       "\ntcp_state: tp_btf: no BTF\n"
		       "retransmit: no hook works; you lose: retransmits\n"
		       "\n1 of 2 signals work.\n");
	free(report);
}

static void test_none(void **state)
{
	struct check_report *report = make_report(false, false);
	char *text = NULL;
	size_t length;
	FILE *file = open_memstream(&text, &length);

	(void)state;
	assert_int_equal(check_status(report), STATUS_FAILED);
	strcpy(report->fatal, "not root: run it with sudo");
	assert_int_equal(check_print(file, report, false, 0), 0);
	fclose(file);
	assert_non_null(strstr(text, "\nsonde cannot work here: not root: run it with sudo\n"));
	free(text);
	free(report);
	report = make_report(true, true);
	strcpy(report->fatal, "x");
	assert_int_equal(check_status(report), STATUS_FAILED);
	free(report);
}

static void test_json(void **state)
{
	struct check_report *report = make_report(true, false);
	json_t *expected, *printed;
	char *text = NULL;
	size_t length;
	FILE *file = open_memstream(&text, &length);

	(void)state;
	assert_int_equal(check_print(file, report, true, 10), 0);
	fclose(file);
	printed = json_loads(text, 0, NULL);
	expected = json_loads(
		"{\"status\":\"degraded\",\"kernel\":\"6.1.0 x86_64\",\"fatal\":null,\"signals\":["
		"{\"signal\":\"tcp_state\",\"target\":\"inet_sock_set_state\",\"hook\":\"raw_tp\",\"loses\":null,"
		"\"alternatives\":[{\"hook\":\"tp_btf\",\"tried\":true,\"ok\":false,\"reason\":\"no BTF\"},"
		"{\"hook\":\"raw_tp\",\"tried\":true,\"ok\":true,\"reason\":\"\"}]},"
		"{\"signal\":\"retransmit\",\"target\":\"tcp_retransmit_skb\",\"hook\":null,\"loses\":\"retransmits\","
		"\"alternatives\":[{\"hook\":\"tp_btf\",\"tried\":true,\"ok\":false,\"reason\":\"\"},"
		"{\"hook\":\"raw_tp\",\"tried\":true,\"ok\":false,\"reason\":\"\"}]}]}",
		0, NULL);
	assert_non_null(expected);
	assert_true(json_equal(printed, expected));
	json_decref(printed);
	json_decref(expected);
	free(text);
	free(report);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all),
		cmocka_unit_test(test_some),
		cmocka_unit_test(test_none),
		cmocka_unit_test(test_json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
