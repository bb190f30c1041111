/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "serve/listen_address.h"

static void assert_parsed(const char *text, const char *expected)
{
	char formatted[LISTEN_ADDRESS_TEXT_MAX];
	struct sockaddr_storage address;
	socklen_t length;

	assert_int_equal(listen_address_parse(text, &address, &length), 0);
	listen_address_format(&address, formatted);
	assert_string_equal(formatted, expected);
	assert_true(length > 0);
}

static void what_people_type(void **state)
{
	(void)state;
	assert_parsed("127.0.0.1:9464", "127.0.0.1:9464");
	assert_parsed("localhost:9464", "127.0.0.1:9464");
	assert_parsed("0.0.0.0:0", "0.0.0.0:0");
	assert_parsed("[::1]:9464", "[::1]:9464");
	assert_parsed("[2001:db8:0:0:0:0:0:1]:65535", "[2001:db8::1]:65535");
	assert_parsed("[::ffff:255.255.255.255]:1", "[::ffff:255.255.255.255]:1");
	assert_parsed(":9464", "[::]:9464");
}

static void what_is_no_address(void **state)
{
	static const char *const bad[] = {
		"",
		"9464",
		"127.0.0.1",
		"127.0.0.1:",
		"127.0.0.1:x",
		"127.0.0.1:-1",
		"127.0.0.1:65536",
		"127.0.0.1:100000",
		"127.0.0.1:+80",
		"127.0.0.1: 80",
		"256.0.0.1:80",
		"::1:9464",
		"[::1]",
		"[::1]9464",
		"[]:80",
		"[127.0.0.1]:80",
		"[localhost]:80",
		"example.org:80",
		"[::1:80",
		"::1]:80",
		"0123456789012345678901234567890123456789012345678901234567890123456789:80",
	};
	struct sockaddr_storage address;
	socklen_t length;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (listen_address_parse(bad[i], &address, &length) != -EINVAL)
			fail_msg("«%s» is taken for an address", bad[i]);
}

static void every_truncation_is_read(void **state)
{
	static const char text[] = "[2001:db8:1111:2222:3333:4444:5555:6666]:9464";
	struct sockaddr_storage address;
	socklen_t length;

	(void)state;
	for (size_t cut = 0; cut < strlen(text); cut++) {
		char *part = strndup(text, cut);
		int err = listen_address_parse(part, &address, &length);

		assert_int_equal(err, cut > strcspn(text, "]") + 2 ? 0 : -EINVAL);
		free(part);
	}
}

static void a_taken_port_is_an_error(void **state)
{
	struct sockaddr_storage address;
	socklen_t length;
	int first;

	(void)state;
	assert_int_equal(listen_address_parse("127.0.0.1:0", &address, &length), 0);
	first = listen_address_open(&address, length);
	assert_true(first >= 0);
	assert_int_equal(getsockname(first, (struct sockaddr *)&address, &length), 0);
	assert_int_equal(listen_address_open(&address, length), -EADDRINUSE);
	close(first);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_people_type),
		cmocka_unit_test(what_is_no_address),
		cmocka_unit_test(every_truncation_is_read),
		cmocka_unit_test(a_taken_port_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
