/* SPDX-License-Identifier: Apache-2.0 */
/* The words alone; lines as heads bring them are in test_http1_head.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>

#include "protocol/http1_words.h"

static const uint8_t *bytes(const char *text)
{
	return (const uint8_t *)text;
}

static void knows_methods(void **state)
{
	(void)state;
	assert_string_equal(http1_method_label(bytes("GET"), 3), "GET");
	assert_string_equal(http1_method_label(bytes("GETX"), 3), "GET");
	assert_string_equal(http1_method_label(bytes("GE"), 2), "_OTHER");
	assert_string_equal(http1_method_label(bytes("get"), 3), "_OTHER");
	assert_string_equal(http1_method_label(bytes("OPTIONS"), 7), "OPTIONS");
}

static void knows_token_characters(void **state)
{
	unsigned count = 0;

	(void)state;
	for (unsigned c = 0; c < 256; c++)
		count += http1_is_token_char((uint8_t)c);
	assert_int_equal(count, 77); /* RFC 9110: 15 signs, digits, letters */
	assert_false(http1_is_token_char(':'));
	assert_false(http1_is_token_char(' '));
	assert_false(http1_is_token_char('/'));
}

static void knows_versions(void **state)
{
	(void)state;
	assert_string_equal(http1_version_label(bytes("HTTP/1.1"), 8), "1.1");
	assert_null(http1_version_label(bytes("HTTP/1.1"), 7));
	assert_null(http1_version_label(bytes("HTTP/1.a"), 8));
	assert_null(http1_version_label(bytes("http/1.1"), 8));
}

static void knows_statuses(void **state)
{
	(void)state;
	for (unsigned status = 100; status <= 999; status++) {
		const uint8_t digits[3] = { (uint8_t)('0' + status / 100),
					    (uint8_t)('0' + status / 10 % 10),
					    (uint8_t)('0' + status % 10) };

		assert_int_equal(strlen(http1_status_label(status)), 3);
		assert_memory_equal(http1_status_label(status), digits, 3);
	}
}

static int add(struct http1_framing *framing, const char *line)
{
	return http1_framing_add(framing, bytes(line), strlen(line));
}

static void reads_the_framing(void **state)
{
	struct http1_framing framing = { 0 };

	(void)state;
	assert_int_equal(add(&framing, "Content-Lengthy: 5"), 0);
	assert_int_equal(add(&framing, "Content-Length"), 0);
	assert_int_equal(add(&framing, "X-Content-Length: 5"), 0);
	assert_false(framing.has_length);
	assert_int_equal(add(&framing, "CONTENT-length:9223372036854775790"), 0);
	assert_true(framing.content_length == 9223372036854775790u);
	assert_int_equal(add(&framing, "Transfer-Encoding: chunked, gzip"), 0);
	assert_true(framing.has_coding && !framing.is_chunked);
	assert_int_equal(add(&framing, "Transfer-Encoding:gzip, x,CHUNKED "), 0);
	assert_true(framing.is_chunked);
	assert_int_equal(add(&framing, "Content-Length: 9223372036854775807"), -EBADMSG);
}

static void reads_chunk_sizes(void **state)
{
	uint64_t size = 1;

	(void)state;
	assert_int_equal(http1_chunk_size(bytes("0"), 1, &size), 0);
	assert_int_equal(size, 0);
	assert_int_equal(http1_chunk_size(bytes("aF0;x"), 5, &size), 0);
	assert_int_equal(size, 0xaf0);
	assert_int_equal(http1_chunk_size(bytes("7fffffffffffffff"), 16, &size), 0);
	assert_int_equal(http1_chunk_size(bytes("8000000000000000"), 16, &size), -EBADMSG);
	assert_int_equal(http1_chunk_size(bytes("80000000000000000"), 17, &size), -EBADMSG);
	assert_int_equal(http1_chunk_size(bytes(""), 0, &size), -EBADMSG);
	assert_int_equal(http1_chunk_size(bytes(";x"), 2, &size), -EBADMSG);
	assert_int_equal(http1_chunk_size(bytes("1-"), 2, &size), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(knows_methods),	  cmocka_unit_test(knows_statuses),
		cmocka_unit_test(knows_token_characters), cmocka_unit_test(knows_versions),
		cmocka_unit_test(reads_the_framing),	  cmocka_unit_test(reads_chunk_sizes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
