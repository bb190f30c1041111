/* SPDX-License-Identifier: Apache-2.0 */
/* What nginx and php-fpm said, whole, split at every byte, cut at every length, and with holes; and what they do not say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "fastcgi_talks.h"
#include "pairing.h"
#include "protocol/protocol.h"

#define BEGIN "\1\1\0\1\0\10\0\0\0\1\0\0\0\0\0\0"
#define GET_A "\1\4\0\1\0\42\5\0\16\3REQUEST_METHODGET\13\2REQUEST_URI/a\0\0\0\0\0"
#define LAST_PARAMS "\1\4\0\1\0\0\0\0"
#define LAST_STDIN "\1\5\0\1\0\0\0\0"
#define ASK BEGIN GET_A LAST_PARAMS LAST_STDIN
#define END "\1\3\0\1\0\10\0\0\0\0\0\0\0\0\0\0"

static const char *const expected[] = {
	"GET /item/1 200;GET /err 500=500;GET /nf 404=404;POST /up 200;HEAD /head 200;GET /big 200;",
};

static const struct said *const said[] = { fastcgi_talk };

static const struct talk_set talks = { &protocol_fastcgi, said, expected, 1 };

static void begin(void)
{
	pairing_begin(&protocol_fastcgi);
}

static void reads_the_status(void **state)
{
	static const struct {
		const char *header;
		const char *text;
	} answers[] = {
		{ "\n", "GET /a 200;" },
		{ "A: b\r\n\r\n", "GET /a 200;" },
		{ "sTATUS:404\r\n\r\n", "GET /a 404=404;" },
		{ "Status: 503 No\n\n", "GET /a 503=503;" },
		{ "Status: 50\r\n\r\n", "GET /a 200;" },
		{ "Status: 099\r\n\r\n", "GET /a 200;" },
		{ "Location: /b\r\n\r\n", "GET /a 302;" },
		{ "Location: /b\r\nStatus: 301\r\n\r\nStatus: 500\r\n\r\n", "GET /a 301;" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		size_t length = strlen(answers[i].header);
		char header[8] = { 1, 6, 0, 1, 0, (char)length, 0, 0 };

		begin();
		PAIRING_SAY(SIDE_REQUEST, ASK);
		pairing_feed(SIDE_RESPONSE, header, sizeof(header));
		pairing_feed(SIDE_RESPONSE, answers[i].header, length);
		PAIRING_SAY(SIDE_RESPONSE, END);
		pairing_expect(answers[i].text);
	}
}

/* The protocol's own errors, and the program's. */
static void tells_refusals(void **state)
{
	(void)state;
	begin();
	PAIRING_SAY(SIDE_REQUEST, ASK);
	PAIRING_SAY(SIDE_RESPONSE, "\1\3\0\1\0\10\0\0\0\0\0\0\2\0\0\0");
	PAIRING_SAY(SIDE_REQUEST, ASK);
	PAIRING_SAY(SIDE_RESPONSE, "\1\3\0\1\0\10\0\0\0\0\0\0\11\0\0\0");
	PAIRING_SAY(SIDE_REQUEST, ASK);
	PAIRING_SAY(SIDE_RESPONSE, "\1\6\0\1\0\1\0\0\n\1\3\0\1\0\10\0\0\0\0\0\3\0\0\0\0");
	pairing_expect("GET /a=overloaded;GET /a=_OTHER;GET /a 200=app_status;");
}

static void knows_no_status_without_a_header(void **state)
{
	(void)state;
	begin();
	PAIRING_SAY(SIDE_REQUEST, ASK);
	PAIRING_SAY(SIDE_RESPONSE, "\1\7\0\1\0\2\0\0no" END);
	pairing_expect("GET /a;");
}

/* Of contents only the number of bytes counts, once what is in front of them is known. */
static void skips_what_was_not_captured(void **state)
{
	(void)state;
	begin();
	PAIRING_SAY(SIDE_REQUEST, BEGIN GET_A LAST_PARAMS "\1\5\0\1\2\0\3\0");
	pairing_feed(SIDE_REQUEST, NULL, 515);
	PAIRING_SAY(SIDE_REQUEST, LAST_STDIN);
	PAIRING_SAY(SIDE_RESPONSE, "\1\6\0\1\2\0\3\0\r\n\r\n");
	pairing_feed(SIDE_RESPONSE, NULL, 511);
	PAIRING_SAY(SIDE_RESPONSE, END);
	pairing_expect("GET /a 200;");
}

static void marks_heads_that_were_not_captured(void **state)
{
	(void)state;
	begin();
	PAIRING_SAY(SIDE_REQUEST, BEGIN "\1\4\0\1\0\4\0\0");
	pairing_feed(SIDE_REQUEST, NULL, 4);
	PAIRING_SAY(SIDE_REQUEST, GET_A LAST_PARAMS LAST_STDIN);
	PAIRING_SAY(SIDE_RESPONSE, "\1\6\0\1\0\4\0\0\r\n\r\n" END);
	PAIRING_SAY(SIDE_REQUEST, ASK "");
	PAIRING_SAY(SIDE_RESPONSE, "\1\6\0\1\0\4\0\0");
	pairing_feed(SIDE_RESPONSE, NULL, 4);
	PAIRING_SAY(SIDE_RESPONSE, END);
	pairing_expect("- 200~;GET /a~;");
}

static void is_lost_where_records_begin(void **state)
{
	(void)state;
	begin();
	PAIRING_SAY(SIDE_REQUEST, BEGIN);
	pairing_feed(SIDE_REQUEST, NULL, 1);
	pairing_expect("lost;");
}

static void lets_management_pass(void **state)
{
	(void)state;
	begin();
	PAIRING_SAY(SIDE_REQUEST, "\1\11\0\0\0\2\1\0..." ASK);
	PAIRING_SAY(SIDE_RESPONSE, "\1\12\0\0\0\0\0\0\1\6\0\1\0\1\0\0\n" END);
	pairing_expect("GET /a 200;");
}

/* Authorizers get no input. */
static void ends_an_authorizers_request(void **state)
{
	(void)state;
	begin();
	PAIRING_SAY(SIDE_REQUEST, "\1\1\0\1\0\10\0\0\0\2\0\0\0\0\0\0" GET_A LAST_PARAMS);
	PAIRING_SAY(SIDE_REQUEST, BEGIN);
	assert_false(pairing_is_over());
	assert_int_equal(pairing_waiting(), 2);
}

static void refuses_what_breaks_the_rules(void **state)
{
	static const struct said wrong[] = {
		{ 'Q', 24, BEGIN "\2\4\0\1\0\0\0\0" }, /* version */
		{ 'Q', 24, BEGIN "\1\4\0\2\0\0\0\0" }, /* another request's */
		{ 'Q', 24, BEGIN "\1\6\0\1\0\0\0\0" }, /* the other side's */
		{ 'Q', 32, BEGIN BEGIN },
		{ 'Q', 8, LAST_STDIN }, /* of no request */
		{ 'Q', 8, "\1\1\0\1\0\11\0\0" },
		{ 'A', 8, "\1\3\0\1\0\7\0\0" },
		{ 'A', 8, "\1\1\0\1\0\10\0\0" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		begin();
		pairing_feed(wrong[i].side == 'Q' ? SIDE_REQUEST : SIDE_RESPONSE, wrong[i].bytes,
			     wrong[i].length);
		assert_non_null(strstr(pairing_text(), "broken;"));
	}
}

static void sniffs_the_first_record(void **state)
{
	static const char asked[] = ASK;
	uint8_t bytes[16];

	(void)state;
	for (size_t length = 0; length < 16; length++)
		assert_int_equal(protocol_fastcgi.sniff((const uint8_t *)asked, length),
				 SNIFF_MORE);
	assert_int_equal(protocol_fastcgi.sniff((const uint8_t *)asked, 32), SNIFF_REQUEST);
	for (size_t at = 0; at < 16; at++) {
		memcpy(bytes, asked, sizeof(bytes));
		bytes[at] = 0xfe;
		assert_int_equal(protocol_fastcgi.sniff(bytes, sizeof(bytes)),
				 at == 2 || at == 3 || at == 6 ? SNIFF_REQUEST : SNIFF_NO);
	}
	memcpy(bytes, asked, sizeof(bytes));
	bytes[3] = 0;
	assert_int_equal(protocol_fastcgi.sniff(bytes, sizeof(bytes)), SNIFF_NO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TALK_TESTS(talks),
		cmocka_unit_test(reads_the_status),
		cmocka_unit_test(tells_refusals),
		cmocka_unit_test(knows_no_status_without_a_header),
		cmocka_unit_test(skips_what_was_not_captured),
		cmocka_unit_test(marks_heads_that_were_not_captured),
		cmocka_unit_test(is_lost_where_records_begin),
		cmocka_unit_test(lets_management_pass),
		cmocka_unit_test(ends_an_authorizers_request),
		cmocka_unit_test(refuses_what_breaks_the_rules),
		cmocka_unit_test(sniffs_the_first_record),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
