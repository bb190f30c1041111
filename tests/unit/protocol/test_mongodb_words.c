/* SPDX-License-Identifier: Apache-2.0 */
/* Commands and codes: what is in the tables is found, what is not is told as such. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "protocol/mongodb_words.h"

/* First, last and some between: they are found only when the table is sorted. */
static void finds_commands(void **state)
{
	static const char *const names[] = {
		"abortTransaction", "aggregate",    "buildInfo", "buildinfo",	  "createIndexes",
		"dropIndexes",	    "endSessions",  "find",	 "findAndModify", "findandmodify",
		"getMore",	    "getParameter", "hello",	 "insert",	  "isMaster",
		"killCursors",	    "listIndexes",  "logout",	 "ping",	  "saslContinue",
		"saslStart",	    "serverStatus", "update",	 "usersInfo",	  "whatsmyuri"
	};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_string_equal(mongodb_command_name(names[i]), names[i]);
	assert_string_equal(mongodb_command_name("ismaster"), "isMaster");
	assert_string_equal(mongodb_command_name("Find"), "other");
	assert_string_equal(mongodb_command_name("fin"), "other");
	assert_string_equal(mongodb_command_name(""), "other");
}

static void knows_codes(void **state)
{
	char text[MONGODB_CODE_BYTES];

	(void)state;
	mongodb_code_text(1, text);
	assert_string_equal(text, "1");
	mongodb_code_text(11000, text);
	assert_string_equal(text, "11000");
	mongodb_code_text(5867501, text);
	assert_string_equal(text, "5867501");
	for (int64_t code = -1; code < 100000000000; code += 49999999999) {
		mongodb_code_text(code, text);
		assert_string_equal(text, "_OTHER");
	}
	mongodb_code_text(0, text);
	assert_string_equal(text, "_OTHER");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_commands),
		cmocka_unit_test(knows_codes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
