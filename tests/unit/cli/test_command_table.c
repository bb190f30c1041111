/* SPDX-License-Identifier: Apache-2.0 */
/* Names of commands, and what is said to those who mistype them. */
#include "cli/command_table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void test_find(void **state)
{
	(void)state;
	for (size_t i = 0; i < command_table_length; i++) {
		assert_ptr_equal(command_find(command_table[i].name), &command_table[i]);
		assert_non_null(command_table[i].run);
		assert_true(strlen(command_table[i].summary) > 0);
	}
	assert_null(command_find("dum"));
	assert_null(command_find(""));
}

static void test_suggest(void **state)
{
	static const struct {
		const char *typed;
		const char *meant;
	} samples[] = {
		{ "dmup", "dump" },
		{ "dumb", "dump" },
		{ "agnet", "agent" },
		{ "chekc", "check" },
		{ "ver", "version" },
		{ "verison", "version" },
		{ "reply", "replay" },
		{ "recrod", "record" },
		{ "", NULL },
		{ "frobnicate", NULL },
		{ "xyz", NULL },
		{ "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
		const struct command *command = command_suggest(samples[i].typed);

		if (!samples[i].meant)
			assert_null(command);
		else if (!command || strcmp(command->name, samples[i].meant) != 0)
			fail_msg("%s: %s", samples[i].typed, command ? command->name : "nothing");
	}
}

static void test_exit_status(void **state)
{
	char *none[] = { (char *)"sonde", NULL };
	char *unknown[] = { (char *)"sonde", (char *)"frobnicate", NULL };
	char *help[] = { (char *)"sonde", (char *)"help", NULL };
	char *version[] = { (char *)"sonde", (char *)"--version", NULL };

	(void)state;
	assert_int_equal(command_main(1, none), STATUS_USAGE);
	assert_int_equal(command_main(2, unknown), STATUS_USAGE);
	assert_int_equal(command_main(2, help), STATUS_OK);
	assert_int_equal(command_main(2, version), STATUS_OK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_suggest),
		cmocka_unit_test(test_exit_status),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
