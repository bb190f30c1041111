/* SPDX-License-Identifier: Apache-2.0 */
/* Header blocks: the examples of RFC 7541, appendix C, and tables of which the beginning was not seen. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "failing_alloc.h"
#include "protocol/hpack.h"

static char text[1024];

static void write_down(void *context, struct hpack_text name, struct hpack_text value)
{
	size_t used = strlen(text);

	(void)context;
	(void)snprintf(text + used, sizeof(text) - used, "%.*s=%.*s;", (int)name.length, name.bytes,
		       (int)value.length, value.bytes);
}

static int decode(struct hpack *hpack, const char *block, size_t length)
{
	text[0] = '\0';
	return hpack_decode(hpack, (const uint8_t *)block, length, write_down, NULL);
}

#define DECODE(hpack, block) decode(hpack, block, sizeof(block) - 1)

static void decodes_the_standards_examples(void **state)
{
	struct hpack *hpack = hpack_new();

	(void)state;
	assert_int_equal(DECODE(hpack, "\x82\x86\x84\x41\x0fwww.example.com"), 0);
	assert_string_equal(text, ":method=GET;:scheme=http;:path=/;:authority=www.example.com;");
	assert_int_equal(DECODE(hpack, "\x82\x86\x84\xbe\x58\x86\xa8\xeb\x10\x64\x9c\xbf"), 0);
	assert_string_equal(text, ":method=GET;:scheme=http;:path=/;:authority=www.example.com;"
				  "cache-control=no-cache;");
	assert_int_equal(DECODE(hpack,
				"\x82\x87\x85\xbf\x40\x88\x25\xa8\x49\xe9\x5b\xa9\x7d\x7f\x89"
				"\x25\xa8\x49\xe9\x5b\xb8\xe8\xb4\xbf"),
			 0);
	assert_string_equal(text, ":method=GET;:scheme=https;:path=/index.html;"
				  ":authority=www.example.com;custom-key=custom-value;");
	hpack_free(&hpack);
}

/* An entry whose name is not known takes its place, so that those before and after have their numbers. */
static void keeps_the_numbers_of_what_it_knows(void **state)
{
	struct hpack *hpack = hpack_new();

	(void)state;
	assert_int_equal(DECODE(hpack, "\x44\2/a"), 0);
	assert_int_equal(DECODE(hpack, "\x7f\x01\1x"), 1); /* name 64 */
	assert_int_equal(DECODE(hpack, "\x44\2/b"), 0);
	assert_int_equal(DECODE(hpack, "\xbe\xbf\xc0\xc1"), 2);
	assert_string_equal(text, ":path=/b;:path=/a;");
	assert_int_equal(DECODE(hpack, "\x0f\x40\1y\x1f\x40\1y\x7e\2/c"), 2);
	assert_string_equal(text, ":path=/c;");
	hpack_free(&hpack);
}

/* A sender may use a larger table than we keep: what we have let go is not known. */
static void bounds_the_table(void **state)
{
	struct hpack *hpack = hpack_new();
	static char block[3 + 4 + 30000];

	(void)state;
	assert_int_equal(DECODE(hpack, "\x3f\xe1\xff\x7f"), 0);
	memcpy(block, "\x44\x7f\xb1\xe9\x01", 5); /* 30000 bytes */
	memset(block + 5, 'p', 30000);
	for (int i = 0; i < 3; i++)
		assert_int_equal(decode(hpack, block, 5 + 30000), 0);
	assert_int_equal(DECODE(hpack, "\xbe\xbf"), 0);
	assert_int_equal(DECODE(hpack, "\xc0"), 1);
	hpack_free(&hpack);
}

static void refuses_what_is_broken(void **state)
{
	static const struct {
		const char *block;
		size_t length;
	} broken[] = {
		{ "\x80", 1 },
		{ "\xff", 1 },
		{ "\xff\xff\xff\xff\xff\xff", 6 },
		{ "\x41\x05x", 3 },
		{ "\x40", 1 },
		{ "\x00\1x", 3 },
		{ "\x44\x81\x00", 3 } /* padding of zeros */,
		{ "\x82\x20", 2 } /* a size in the middle */,
		{ "\xff\x80\x80\x80\x80\x01", 6 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
		struct hpack *hpack = hpack_new();

		assert_int_equal(decode(hpack, broken[i].block, broken[i].length), -EBADMSG);
		hpack_free(&hpack);
	}
}

static void says_when_memory_is_short(void **state)
{
	(void)state;
	FOR_EACH_FAILING_ALLOC(nth)
	{
		struct hpack *hpack = hpack_new();

		assert_true(hpack || failing_alloc_has_failed());
		hpack_free(&hpack);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(decodes_the_standards_examples),
		cmocka_unit_test(keeps_the_numbers_of_what_it_knows),
		cmocka_unit_test(bounds_the_table),
		cmocka_unit_test(refuses_what_is_broken),
		cmocka_unit_test(says_when_memory_is_short),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
