/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "export/accept.h"

static int plain(const char *accept)
{
	return accept_quality(accept, "text/plain", "version=0.0.4");
}

static void absent_or_empty_takes_everything(void **state)
{
	(void)state;
	assert_int_equal(plain(NULL), 1000);
	assert_int_equal(plain(""), 1000);
	assert_int_equal(plain("  "), 1000);
}

static void the_closest_range_decides(void **state)
{
	(void)state;
	assert_int_equal(plain("text/plain"), 1000);
	assert_int_equal(plain("TEXT/Plain;q=0.5"), 500);
	assert_int_equal(plain("text/html"), 0);
	assert_int_equal(plain("*/*;q=0.1"), 100);
	assert_int_equal(plain("text/*;q=0.2, */*;q=0.1"), 200);
	assert_int_equal(plain("text/plain;q=0.3, text/*;q=0.2, */*"), 300);
	assert_int_equal(plain("*/*, text/plain;q=0"), 0);
	assert_int_equal(plain("text/plain;q=0.3, text/plain;version=0.0.4;q=0.4"), 400);
	assert_int_equal(plain("text/plain;version=1.0.0"), 0);
	assert_int_equal(plain("text/plain; version=\"0.0.4\" ; q=0.25"), 250);
	assert_int_equal(plain("text/plain;q=0.1, text/plain;q=0.7"), 700);
	assert_int_equal(plain("texting/*"), 0);
	assert_int_equal(plain("tex/*"), 0);
}

static void malformed_ranges_are_passed_over(void **state)
{
	(void)state;
	assert_int_equal(plain("text/plain;q=2"), 0);
	assert_int_equal(plain("text/plain;q=1.001"), 0);
	assert_int_equal(plain("text/plain;q=.5"), 0);
	assert_int_equal(plain("text/plain;q=-1, */*;q=0.2"), 200);
	assert_int_equal(plain("text/plain;q=0.1234"), 0);
	assert_int_equal(plain("text/plain;q="), 0);
	assert_int_equal(plain("text/plain;q=1.000"), 1000);
	assert_int_equal(plain("text/plain;q=0.999"), 999);
	assert_int_equal(plain(",,;;,=,text/plain;;x;q=0.5,"), 500);
	assert_int_equal(plain("a/b;x=\"text/plain, text/plain\""), 0);
	assert_int_equal(plain("a/b;x=\"\\\",text/plain"), 0);
	assert_int_equal(plain("\""), 0);
}

static void every_truncation_is_read(void **state)
{
	static const char accept[] = "application/openmetrics-text;version=\"1.0\\.0\";q=0.8,"
				     "text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
	(void)state;
	for (size_t length = 0; length <= strlen(accept); length++) {
		char *part = strndup(accept, length); /* its end is the end of the allocation */

		assert_in_range(plain(part), 0, ACCEPT_QUALITY_MAX);
		(void)accept_gzip(part);
		free(part);
	}
}

static void gzip_when_asked_for(void **state)
{
	(void)state;
	assert_false(accept_gzip(NULL));
	assert_false(accept_gzip(""));
	assert_true(accept_gzip("gzip"));
	assert_true(accept_gzip("deflate, GZIP;q=0.5"));
	assert_true(accept_gzip("x-gzip"));
	assert_true(accept_gzip("*"));
	assert_false(accept_gzip("gzip;q=0"));
	assert_false(accept_gzip("gzip;q=0.000, *"));
	assert_false(accept_gzip("*;q=0"));
	assert_false(accept_gzip("br, deflate"));
	assert_false(accept_gzip("identity, gzip;q=0.5"));
	assert_true(accept_gzip("identity;q=0.5, gzip"));
	assert_true(accept_gzip("identity;q=0.5, *;q=0.6"));
	assert_false(accept_gzip("gzip;q=2"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(absent_or_empty_takes_everything),
		cmocka_unit_test(the_closest_range_decides),
		cmocka_unit_test(malformed_ranges_are_passed_over),
		cmocka_unit_test(every_truncation_is_read),
		cmocka_unit_test(gzip_when_asked_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
