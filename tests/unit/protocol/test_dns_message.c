/* SPDX-License-Identifier: Apache-2.0 */
/* Captured messages whole and cut at every length; what breaks the rules, and what only bends them. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dns_talks.h"
#include "protocol/dns_message.h"
#include "protocol/dns_words.h"

/* From memory that ends with what was captured. */
static int read_message(const uint8_t *bytes, size_t captured, size_t length,
			struct dns_message *ret_message)
{
	uint8_t *copy = malloc(captured ? captured : 1);
	int result;

	assert_non_null(copy);
	memcpy(copy, bytes, captured);
	result = dns_message_read(copy, captured, length, ret_message);
	free(copy);
	return result;
}

static void word(const struct dns_message *message, char *text, size_t size)
{
	const char *rcode = dns_rcode_name(message->rcode);

	snprintf(text, size, "%04x %s %s %s%s%s%s%s", message->id,
		 message->is_answer ? "answer" : "query", dns_type_name(message->type),
		 message->name, message->is_truncated ? " truncated" : "",
		 message->has_question ? "" : " nothing", rcode ? " " : "", rcode ? rcode : "");
}

static void expect(const uint8_t *bytes, size_t length, const char *expected)
{
	struct dns_message message;
	char text[400];

	assert_int_equal(read_message(bytes, length, length, &message), 0);
	word(&message, text, sizeof(text));
	assert_string_equal(text, expected);
}

static void reads_what_servers_say(void **state)
{
	uint8_t bytes[DNS_SAID_MAX];

	(void)state;
	for (size_t i = 0; i < dns_datagram_count; i++)
		expect(bytes, dns_unhex(dns_datagrams[i].hex, bytes), dns_datagrams[i].read);
	for (size_t i = 0; i < dns_segment_count; i++) {
		size_t length = dns_unhex(dns_segments[i].hex, bytes);

		assert_int_equal(bytes[0] << 8 | bytes[1], length - 2);
		expect(bytes + 2, length - 2, dns_segments[i].read);
	}
}

/* Not captured is another thing than not there. */
static void knows_where_a_question_ends(void **state)
{
	static const size_t question_ends = 12 + 18 + 4; /* www.example.test */
	uint8_t bytes[DNS_SAID_MAX];
	size_t length = dns_unhex(dns_datagrams[1].hex, bytes);
	struct dns_message message;

	(void)state;
	for (size_t end = 0; end < length; end++) {
		assert_int_equal(read_message(bytes, end, length, &message),
				 end < question_ends ? -ENODATA : 0);
		assert_int_equal(read_message(bytes, end, end, &message),
				 end < question_ends ? -EBADMSG : 0);
	}
}

static void expect_error(const char *hex, int error)
{
	uint8_t bytes[DNS_SAID_MAX];
	struct dns_message message;
	size_t length = dns_unhex(hex, bytes);

	assert_int_equal(read_message(bytes, length, length, &message), error);
}

static void refuses_other_messages(void **state)
{
	(void)state;
	expect_error("123421000001000000000000"
		     "0000020001",
		     -ENOTSUP); /* NOTIFY */
	expect_error("123428000001000000000000"
		     "0000060001",
		     -ENOTSUP); /* UPDATE */
	expect_error("123401000002000000000000"
		     "0000020001",
		     -ENOTSUP); /* two questions */
	expect_error("123401000000000000000000", -ENOTSUP);
	expect_error("123401000001000000000000"
		     "0000020002",
		     -EBADMSG); /* no class */
	expect_error("123401000001000000000000"
		     "c00c00020001",
		     -EBADMSG); /* points at itself */
	expect_error("123401000001000000000000"
		     "4061",
		     -EBADMSG);
}

/* The two highest bits say that it is no label (RFC 1035, section 4.1.4). */
static void refuses_long_labels(void **state)
{
	uint8_t bytes[400] = { 0x12, 0x34, 1, 0, 0, 1 };
	struct dns_message message;

	(void)state;
	for (unsigned label = 60; label < 200; label++) {
		size_t at = 12;

		bytes[at++] = (uint8_t)label;
		memset(bytes + at, 'a', label);
		at += label;
		memcpy(bytes + at, "\0\0\1\0\1", 5);
		assert_int_equal(read_message(bytes, at + 5, at + 5, &message),
				 label < 64 ? 0 : -EBADMSG);
	}
}

static void reads_errors_without_a_question(void **state)
{
	uint8_t bytes[DNS_SAID_MAX];

	(void)state;
	expect(bytes, dns_unhex("123481010000000000000000", bytes),
	       "1234 answer other  nothing FORMERR");
}

static void reads_odd_names(void **state)
{
	uint8_t bytes[DNS_SAID_MAX];

	(void)state;
	expect(bytes,
	       dns_unhex("123403000001000000000000"
			 "054d61492e78"
			 "042a5f2d00"
			 "027AFF"
			 "0000010001",
			 bytes),
	       "1234 query A mai_x.*_-_.z_ truncated");
}

/* 255 bytes with lengths and the root's, no more (RFC 1035, section 2.3.4). */
static void bounds_names(void **state)
{
	uint8_t bytes[400] = { 0x12, 0x34, 1, 0, 0, 1 };
	struct dns_message message;
	size_t at = 12;

	(void)state;
	for (size_t label = 0; label < 127; label++) {
		bytes[at++] = 1;
		bytes[at++] = 'a';
	}
	bytes[at++] = 0;
	memcpy(bytes + at, "\0\1\0\1", 4);
	assert_int_equal(read_message(bytes, at + 4, at + 4, &message), 0);
	assert_int_equal(strlen(message.name), 253);
	bytes[at - 1] = 1;
	bytes[at++] = 'a';
	bytes[at++] = 0;
	memcpy(bytes + at, "\0\1\0\1", 4);
	assert_int_equal(read_message(bytes, at + 4, at + 4, &message), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_what_servers_say),
		cmocka_unit_test(knows_where_a_question_ends),
		cmocka_unit_test(refuses_other_messages),
		cmocka_unit_test(refuses_long_labels),
		cmocka_unit_test(reads_errors_without_a_question),
		cmocka_unit_test(reads_odd_names),
		cmocka_unit_test(bounds_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
