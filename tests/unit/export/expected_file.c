/* SPDX-License-Identifier: Apache-2.0 */
#include "expected_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

/* Compiled as TOP/tests/unit/export/expected_file.c, TOP being empty when built from the top. */
static const char here[] = __FILE__;
static const char below_top[] = "tests/unit/export/expected_file.c";

static FILE *file_open(const char *path, const char *mode)
{
	size_t top = sizeof(here) - sizeof(below_top);
	char whole[512];
	FILE *file;

	snprintf(whole, sizeof(whole), "%.*s%s", (int)top, here, path);
	file = fopen(whole, mode);
	if (!file)
		fail_msg("cannot open %s", whole);
	return file;
}

static size_t first_difference(const char *a, size_t a_length, const char *b, size_t b_length)
{
	size_t at = 0;

	while (at < a_length && at < b_length && a[at] == b[at])
		at++;
	return at;
}

void assert_file_equal(const char *path, const char *bytes, size_t length)
{
	_cleanup_fclose_ FILE *file = file_open(path, getenv("SONDE_UPDATE") ? "w" : "r");
	_cleanup_free_ char *expected = malloc(length + 1);
	size_t expected_length, at;

	if (getenv("SONDE_UPDATE")) {
		assert_int_equal(fwrite(bytes, 1, length, file), length);
		return;
	}
	expected_length = fread(expected, 1, length + 1, file);
	at = first_difference(expected, expected_length, bytes, length);
	if (at != length || at != expected_length)
		fail_msg("%s differs from byte %zu: «%.*s» is expected, «%.*s» came", path, at,
			 (int)(expected_length - at < 200 ? expected_length - at : 200),
			 expected + at, (int)(length - at < 200 ? length - at : 200), bytes + at);
}
