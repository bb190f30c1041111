/* SPDX-License-Identifier: Apache-2.0 */
/* Names are found whatever their case, and nothing else is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "protocol/redis_words.h"

static const char *name_of(const char *word)
{
	const struct redis_command *command = redis_command_find(word, strlen(word));

	return command ? command->name : "none";
}

static void finds_commands(void **state)
{
	static const char *const known[] = { "ACL",
					     "EVAL",
					     "EVAL_RO",
					     "EVALSHA",
					     "EVALSHA_RO",
					     "GETEX",
					     "CONFIG GET",
					     "CLIENT REPLY",
					     "ZUNIONSTORE",
					     "CLUSTER BUMPEPOCH",
					     "FUNCTION FLUSH",
					     "SORT_RO" };

	(void)state;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		assert_string_equal(name_of(known[i]), known[i]);
	assert_string_equal(name_of("config get"), "CONFIG GET");
	assert_string_equal(name_of("gEt"), "GET");
}

static void finds_nothing_else(void **state)
{
	static const char *const unknown[] = { "",	  "GE",	 "GETS",  "CONFIG GETS",
					       "CONFIG ", "zzz", "secret" };

	(void)state;
	for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++)
		assert_string_equal(name_of(unknown[i]), "none");
	assert_null(redis_command_find("GET\0x", 5));
}

static void says_what_is_special(void **state)
{
	(void)state;
	assert_int_equal(redis_command_find("get", 3)->note, REDIS_GETS | REDIS_READS);
	assert_int_equal(redis_command_find("del", 3)->note, REDIS_PLAIN);
	assert_int_equal(redis_command_find("mset", 4)->note, REDIS_SENDS_PAIRS);
	assert_int_equal(redis_command_find("CONFIG", 6)->note, REDIS_CONTAINS);
	assert_int_equal(redis_command_find("PSUBSCRIBE", 10)->note, REDIS_SUBSCRIBES);
	assert_int_equal(redis_command_find("monitor", 7)->note, REDIS_FEEDS);
}

static void names_errors(void **state)
{
	(void)state;
	assert_string_equal(redis_error_label("WRONGTYPE", 9), "WRONGTYPE");
	assert_string_equal(redis_error_label("ERR", 3), "ERR");
	assert_string_equal(redis_error_label("MYERR", 5), "_OTHER");
	assert_string_equal(redis_error_label("", 0), "_OTHER");
	assert_string_equal(redis_error_label("ERR\0x", 5), "_OTHER");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_commands),
		cmocka_unit_test(finds_nothing_else),
		cmocka_unit_test(says_what_is_special),
		cmocka_unit_test(names_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
