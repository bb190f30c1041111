/* SPDX-License-Identifier: Apache-2.0 */
/* Every byte string becomes well-formed, printable and short enough. */
#include "correlate/shown_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void assert_shown(const char *text, size_t size, const char *expected)
{
	char shown[64];

	memset(shown, 'x', sizeof(shown));
	assert_int_equal(shown_text_copy(shown, size, text, strlen(text)), strlen(expected));
	assert_string_equal(shown, expected);
	assert_int_equal(shown[size], 'x');
}

static void test_copies(void **state)
{
	(void)state;
	assert_shown("", 8, "");
	assert_shown("shop", 8, "shop");
	assert_shown("shop", 5, "shop");
	assert_shown("shop", 4, "sho");
	assert_shown("shop", 1, "");
	assert_shown("\xc3\xa9\xe2\x82\xac", 6, "\xc3\xa9\xe2\x82\xac");
	assert_shown("\xc3\xa9\xe2\x82\xac", 5, "\xc3\xa9"); /* no half characters */
	assert_shown("\xc3\xa9\xe2\x82\xac", 2, "");
	assert_shown("\t\x1b\x7f", 8, "___");
	assert_shown("\xc2\x9b\xc2\xa0", 8,
		     "_\xc2\xa0"); /* C1 is control, the space behind it is not */
}

/* The first and last of each well-formed range, and their neighbours. Source: Unicode 15, table 3-7. */
static void test_well_formed(void **state)
{
	static const char *const good[] = {
		"\xc2\xa1",	    "\xdf\xbf",		"\xe0\xa0\x80",	    "\xe0\xbf\xbf",
		"\xe1\x80\x80",	    "\xed\x9f\xbf",	"\xee\x80\x80",	    "\xef\xbf\xbf",
		"\xf0\x90\x80\x80", "\xf1\x80\x80\x80", "\xf3\xbf\xbf\xbf", "\xf4\x8f\xbf\xbf",
	};
	static const char *const bad[] = {
		"\x80",
		"\xbf",
		"\xc0\x80",
		"\xc1\xbf",
		"\xc2\x7f"
		"x",
		"\xe0\x9f\xbf",
		"\xed\xa0\x80",
		"\xf0\x8f\xbf\xbf",
		"\xf4\x90\x80\x80",
		"\xf5\x80\x80\x80",
		"\xff",
		"\xe2\x82",
		"\xf0\x9f\x8d",
	};
	char shown[16];

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		(void)shown_text_copy(shown, sizeof(shown), good[i], strlen(good[i]));
		assert_string_equal(shown, good[i]);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		(void)shown_text_copy(shown, sizeof(shown), bad[i], strlen(bad[i]));
		assert_int_equal(shown[0], '_');
		assert_int_equal(strlen(shown), strlen(bad[i]));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_copies),
		cmocka_unit_test(test_well_formed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
