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

static size_t addresses(const uint8_t *bytes, size_t captured, struct dns_addresses *ret_addresses)
{
	uint8_t *copy = malloc(captured ? captured : 1);

	assert_non_null(copy);
	memcpy(copy, bytes, captured);
	dns_message_addresses(copy, captured, ret_addresses);
	free(copy);
	return ret_addresses->count;
}

/* As far as they were captured; of the other records nothing. */
static void finds_addresses(void **state)
{
	static const uint8_t mixed[] = {
		0,    1,   0x81, 0x80, 0, 1, 0, 4, 0, 0, 0, 0, /* four records */
		1,    'a', 0,	 0,    1, 0, 1,		       /* a */
		0xc0, 12,  0,	 5,    0, 1, 0, 0, 0, 1, 0, 4,	1,    'b', 0xc0, 14,	  /* is b */
		1,    'b', 0,	 0,    1, 0, 1, 0, 0, 0, 1, 0,	4,    192, 0,	 2,    1, /* at 36 */
		0xc0, 12,  0,	 1,    0, 1, 0, 0, 0, 1, 0, 3,	1,    2,   3, /* too short */
		0xc0, 12,  0,	 28,   0, 1, 0, 0, 0, 1, 0, 16, 0x20, 1,   13,	 0xb8, 0, 0,
		0,    0,   0,	 0,    0, 0, 0, 0, 0, 7,
	};
	static const uint8_t first[16] = { 192, 0, 2, 1 };
	static const uint8_t second[16] = { 0x20, 1, 13, 0xb8, [15] = 7 };
	struct dns_addresses found;
	uint8_t bytes[DNS_SAID_MAX];
	size_t total = 0;

	(void)state;
	assert_int_equal(addresses(mixed, sizeof(mixed), &found), 2);
	assert_memory_equal(found.bytes[0], first, 16);
	assert_memory_equal(found.bytes[1], second, 16);
	for (size_t cut = 0; cut < sizeof(mixed); cut++)
		assert_int_equal(addresses(mixed, cut, &found), cut >= 52);
	for (size_t i = 0; i < dns_datagram_count; i++) {
		size_t length = dns_unhex(dns_datagrams[i].hex, bytes), all;

		all = addresses(bytes, length, &found);
		total += all;
		for (size_t cut = 0; cut < length; cut++)
			assert_in_range(addresses(bytes, cut, &found), 0, all);
	}
	assert_in_range(total, 1, 100);
}

/* No more than there is room for, whatever the header says. */
static void bounds_addresses(void **state)
{
	uint8_t bytes[12 + 5 + 6 * 16] = { 0, 1, 0x81, 0x80, 0, 1, 0xff, 0xff };
	struct dns_addresses found;
	static const uint8_t record[16] = { 0xc0, 12, 0, 1, 0, 1, [11] = 4, 10, 0, 0, 1 };

	(void)state;
	for (size_t i = 0; i < 6; i++)
		memcpy(bytes + 17 + 16 * i, record, sizeof(record));
	assert_int_equal(addresses(bytes, sizeof(bytes), &found), DNS_ADDRESSES_MAX);
	bytes[5] = 0; /* no question */
	assert_int_equal(addresses(bytes, sizeof(bytes), &found), 0);
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
		cmocka_unit_test(finds_addresses),
		cmocka_unit_test(bounds_addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
