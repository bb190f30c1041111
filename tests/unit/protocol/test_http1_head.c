/* SPDX-License-Identifier: Apache-2.0 */
/* Heads: what is taken, what is refused, and what does not depend on how the bytes come. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "transcript.h"

#define A100 \
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define A50 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define OK_HEAD "HTTP/1.1 200 OK\r\n"
#define REQUEST(method, path, version) "Q-begin Q-head(" method " " path " " version ") Q-end"

static const struct {
	const char *bytes;
	const char *expected;
} requests[] = {
	{ "GET / HTTP/1.1\r\n\r\n", REQUEST("GET", "/", "1.1") },
	{ "GET / HTTP/1.0\n\n", REQUEST("GET", "/", "1.0") },
	{ "GET / HTTP/1.7\r\n\r\n", REQUEST("GET", "/", "1.7") },
	{ "\n\r\nGET  /  HTTP/1.1  \r\n\r\n", REQUEST("GET", "/", "1.1") },
	{ "GET /a/b?c=/d HTTP/1.1\r\n\r\n", REQUEST("GET", "/a/b", "1.1") },
	{ "GET /a#b?c HTTP/1.1\r\n\r\n", REQUEST("GET", "/a", "1.1") },
	{ "GET /\xc3\x84 HTTP/1.1\r\n\r\n", REQUEST("GET", "/\xc3\x84", "1.1") },
	{ "GET http://localhost/a?b HTTP/1.1\r\n\r\n", REQUEST("GET", "/a", "1.1") },
	{ "GET http://localhost?b/c HTTP/1.1\r\n\r\n", REQUEST("GET", "/", "1.1") },
	{ "GET http://localhost HTTP/1.1\r\n\r\n", REQUEST("GET", "/", "1.1") },
	{ "GET /a?b#c?d HTTP/1.1\r\n\r\n", REQUEST("GET", "/a", "1.1") },
	{ "HEAD /a HTTP/1.1\r\n\r\n", REQUEST("HEAD", "/a", "1.1") },
	{ "CONNECT /a HTTP/1.1\r\n\r\n", REQUEST("CONNECT", "-", "1.1") },
	{ "GETX /a HTTP/1.1\r\n\r\n", REQUEST("_OTHER", "/a", "1.1") },
	{ "GET /" A100 A100 A100 " HTTP/1.1\r\n\r\n",
	  REQUEST("GET", "/" A100 A100 A50 "aaaa", "1.1") },
	{ "OPTIONS * HTTP/1.1\r\n\r\n", REQUEST("OPTIONS", "*", "1.1") },
	{ "CONNECT h:443 HTTP/1.1\r\n\r\n", REQUEST("CONNECT", "-", "1.1") },
	{ "get / HTTP/1.1\r\n\r\n", REQUEST("_OTHER", "/", "1.1") },
	{ "M-SEARCH * HTTP/1.1\r\n\r\n", REQUEST("_OTHER", "*", "1.1") },
	{ "GET / HTTP/1.1\r\nno field\r\n: x\r\n folded\r\nX:\r\n\r\n",
	  REQUEST("GET", "/", "1.1") },
	{ "GET / HTTP/1.1\r\ncontent-LENGTH: \t0 \r\n\r\n", REQUEST("GET", "/", "1.1") },
	{ "GET / HTTP/1.1\r\nContent-Length: 2, 2\r\nContent-Length: 2\r\n\r\nab",
	  REQUEST("GET", "/", "1.1") "(2)" },
	{ "GET / HTTP/1.1\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	  REQUEST("GET", "/", "1.1") },
	{ "GET / HTTP/1.1\r\nX: " A100 A100 "\r\n\r\n", REQUEST("GET", "/", "1.1") },
	{ "GET / HTTP/1.1\r\nContent-Lengt\x0d: 9\r\n\r\n", REQUEST("GET", "/", "1.1") },
	{ "GET / HTTP/1.1\r\nContent\x0dLength: 9\r\n\r\n", REQUEST("GET", "/", "1.1") },
	{ "GET / HTTP/1.1\r\n\tfolded\r\nContent-Length: 1\r\n\r\na",
	  REQUEST("GET", "/", "1.1") "(1)" },

	{ "\x16\x03\x01", "Q-begin Q-not-mine" },
	{ " GET / HTTP/1.1\r\n", "Q-begin Q-not-mine" },
	{ "GET\t/ HTTP/1.1\r\n", "Q-begin Q-not-mine" },
	{ "GE(T / HTTP/1.1\r\n", "Q-begin Q-not-mine" },
	{ "AAAAAAAAAAAAAAAAAAAAAAAAA / HTTP/1.1\r\n", "Q-begin Q-not-mine" },
	{ "GET /\r\n", "Q-begin Q-not-mine" },
	{ "GET / HTTP/1.1 x\r\n\r\n", "Q-begin Q-not-mine" },
	{ "GET /?\x01 HTTP/1.1\r\n\r\n", "Q-begin Q-not-mine" },
	{ "GET /\x01 HTTP/1.1\r\n", "Q-begin Q-not-mine" },
	{ "GET /\x7f HTTP/1.1\r\n", "Q-begin Q-not-mine" },
	{ "GET / HTTP/2.0\r\n", "Q-begin Q-not-mine" },
	{ "GET / HTTP/1.x\r\n", "Q-begin Q-not-mine" },
	{ "GET / HTTP/1.10\r\n", "Q-begin Q-not-mine" },
	{ "GET / FTP/1.1\r\n", "Q-begin Q-not-mine" },
	{ "GET / a HTTP/1.1\r\n", "Q-begin Q-not-mine" },
	{ "GET / HTTP/1.1\r\nContent-Length: x\r\n", "Q-begin Q-broken" },
	{ "GET / HTTP/1.1\r\nContent-Length:\r\n", "Q-begin Q-broken" },
	{ "GET / HTTP/1.1\r\nContent-Length: -1\r\n", "Q-begin Q-broken" },
	{ "GET / HTTP/1.1\r\nContent-Length: +1\r\n", "Q-begin Q-broken" },
	{ "GET / HTTP/1.1\r\nContent-Length: 1 2\r\n", "Q-begin Q-broken" },
	{ "GET / HTTP/1.1\r\nContent-Length: 1, 2\r\n", "Q-begin Q-broken" },
	{ "GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n", "Q-begin Q-broken" },
	{ "GET / HTTP/1.1\r\nContent-Length: 9223372036854775808\r\n", "Q-begin Q-broken" },
	{ "GET / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n", "Q-begin Q-broken" },
	{ "GET / HTTP/1.1\r\nTransfer-Encoding: chunked, gzip\r\n\r\n", "Q-begin Q-broken" },
};

#define ANSWER(what) "A-begin A-head(" what ")"

static const struct {
	const char *bytes;
	const char *expected;
} answers[] = {
	{ OK_HEAD "Content-Length: 0\r\n\r\n", ANSWER("200") " A-end" },
	{ "HTTP/1.0 404\nContent-Length: 0\n\n", ANSWER("404") " A-end" },
	{ "HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n", ANSWER("200") " A-end" },
	{ "HTTP/1.1 599 " A100 A100 "\r\nContent-Length: 0\r\n\r\n", ANSWER("599") " A-end" },
	{ "HTTP/1.1 204 No\r\nContent-Length: 5\r\n\r\n", ANSWER("204") " A-end" },
	{ "HTTP/1.1 304 Same\r\nTransfer-Encoding: chunked\r\n\r\n", ANSWER("304") " A-end" },
	{ "HTTP/1.1 100 Go\r\n\r\nHTTP/1.1 204 No\r\n\r\n",
	  ANSWER("100 interim") " " ANSWER("204") " A-end" },
	{ "HTTP/1.1 101 Up\r\n\r\n\x81\x02", ANSWER("101 tunnel") },
	{ OK_HEAD "\r\nbody", ANSWER("200") },
	{ OK_HEAD "Transfer-Encoding: gzip\r\nContent-Length: 1\r\n\r\nbody", ANSWER("200") },
	{ "HTTP/2 200\r\n", "A-begin A-not-mine" },
	{ "HTTP/1.1 20\r\n", "A-begin A-not-mine" },
	{ "HTTP/1.1 099 x\r\n", "A-begin A-not-mine" },
	{ "HTTP/1.1 2000\r\n", "A-begin A-not-mine" },
	{ "HTTP/1.1  200\r\n", "A-begin A-not-mine" },
	{ "ICY 200 OK\r\n", "A-begin A-not-mine" },
	{ "hello", "A-begin A-not-mine" },
	{ OK_HEAD "Content-Length: 1\r\nContent-Length: 2\r\n", "A-begin A-broken" },
};

static void check(enum message_side side, const char *bytes, const char *expected)
{
	static struct transcript transcript;
	size_t length = strlen(bytes);

	for (size_t piece = length; piece; piece--) {
		transcript_clear(&transcript);
		transcript_feed(&transcript, side, bytes, length, piece);
		assert_string_equal(transcript.text, expected);
	}
}

static void reads_requests(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++)
		check(SIDE_REQUEST, requests[i].bytes, requests[i].expected);
}

static void reads_answers(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++)
		check(SIDE_RESPONSE, answers[i].bytes, answers[i].expected);
}

/* Each sample three times, as the heads of a connection repeat, with the next sample's in between. */
static void check_again(enum message_side side, const char *bytes, const char *other)
{
	const char *const messages[] = { bytes, bytes, other, bytes };
	static struct transcript whole, bytewise;

	transcript_clear(&whole);
	transcript_clear(&bytewise);
	for (size_t i = 0; i < sizeof(messages) / sizeof(messages[0]); i++) {
		size_t length = strlen(messages[i]);

		transcript_feed(&whole, side, messages[i], length, length);
		transcript_feed(&bytewise, side, messages[i], length, 1);
	}
	assert_string_equal(whole.text, bytewise.text);
}

static void knows_heads_again(void **state)
{
	size_t request_count = sizeof(requests) / sizeof(requests[0]);
	size_t answer_count = sizeof(answers) / sizeof(answers[0]);

	(void)state;
	for (size_t i = 0; i < request_count; i++)
		for (size_t j = 0; j < request_count; j++)
			check_again(SIDE_REQUEST, requests[i].bytes, requests[j].bytes);
	for (size_t i = 0; i < answer_count; i++)
		for (size_t j = 0; j < answer_count; j++)
			check_again(SIDE_RESPONSE, answers[i].bytes, answers[j].bytes);
}

/* The same answer says something else to HEAD. */
static void knows_answers_again_but_to_what(void **state)
{
	static const char get[] = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
	static const char head[] = "HEAD / HTTP/1.0\r\nHost: localhost\r\n\r\n";
	static const char answer[] = OK_HEAD "Content-Length: 2\r\nServer: x\r\n\r\n";
	static struct transcript transcript;

	(void)state;
	transcript_clear(&transcript);
	for (int i = 0; i < 2; i++) {
		transcript_feed(&transcript, SIDE_REQUEST, get, sizeof(get) - 1, 100);
		transcript_feed(&transcript, SIDE_RESPONSE, answer, sizeof(answer) - 1, 100);
		transcript_feed(&transcript, SIDE_RESPONSE, "ab", 2, 100);
		transcript_feed(&transcript, SIDE_REQUEST, head, sizeof(head) - 1, 100);
		transcript_feed(&transcript, SIDE_RESPONSE, answer, sizeof(answer) - 1, 100);
	}
	assert_string_equal(
		transcript.text,
		REQUEST("GET", "/", "1.1") " " ANSWER("200") " A-end(2) " REQUEST("HEAD", "/", "1.0") " " ANSWER("200") " A-end " REQUEST(
			"GET", "/",
			"1.1") " " ANSWER("200") " A-end(2) " REQUEST("HEAD", "/",
								      "1.0") " " ANSWER("200") " A-end");
}

/* Less than all of it is never more than "begun", and never wrong. */
static void waits_for_the_rest(void **state)
{
	static const char request[] = "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc";
	static struct transcript transcript;

	(void)state;
	for (size_t length = 1; length < sizeof(request) - 1; length++) {
		transcript_clear(&transcript);
		transcript_feed(&transcript, SIDE_REQUEST, request, length, length);
		assert_string_equal(transcript.text, length < sizeof(request) - 4 ?
							     "Q-begin" :
							     "Q-begin Q-head(POST /a 1.1)");
	}
}

static void refuses_a_null_byte(void **state)
{
	static struct transcript transcript;

	(void)state;
	transcript_clear(&transcript);
	transcript_feed(&transcript, SIDE_REQUEST, "GET / HTTP/1.1\r\nX: \0\r\n", 22, 22);
	assert_string_equal(transcript.text, "Q-begin Q-broken");
	transcript_clear(&transcript);
	transcript_feed(&transcript, SIDE_REQUEST, "GET\0 / HTTP/1.1\r\n\r\n", 19, 19);
	assert_string_equal(transcript.text, "Q-begin Q-not-mine");
	transcript_clear(&transcript); /* in a body it is nothing special */
	transcript_feed(&transcript, SIDE_REQUEST,
			"PUT / HTTP/1.1\r\nContent-Length: 2\r\nX: y\r\n\r\n\0\0", 45, 45);
	assert_string_equal(transcript.text, REQUEST("PUT", "/", "1.1") "(2)");
}

/* Where the capture ends in the head, and what is left of it. */
static void cuts_heads(void **state)
{
	static const struct {
		const char *seen;
		const char *expected;
	} cuts[] = {
		{ "GE", "Q-begin Q-unseen" },
		{ "GET ", "Q-begin Q-head(GET - -)" },
		{ "GET /long?x", "Q-begin Q-head(GET /long -)" },
		{ "GET /long HTT", "Q-begin Q-head(GET /long -)" },
		{ "GET /long HTTP/1.1\r\nCoo", "Q-begin Q-head(GET /long 1.1)" },
		{ "BREW /tea HTTP/1.1\r\nCoo", "Q-begin Q-head(_OTHER /tea 1.1)" },
		{ "BREW /tea", "Q-begin Q-not-mine" },
	};
	static struct transcript transcript;

	(void)state;
	for (size_t i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++) {
		transcript_clear(&transcript);
		transcript_feed(&transcript, SIDE_REQUEST, cuts[i].seen, strlen(cuts[i].seen), 100);
		transcript_feed(&transcript, SIDE_REQUEST, NULL, 5000, 100);
		assert_string_equal(transcript.text, cuts[i].expected);
		assert_int_equal(transcript.facts.outcomes >> PARSE_HEADER_TRUNCATED & 1,
				 strstr(cuts[i].expected, "head") != NULL);
	}
}

static void bounds_paths(void **state)
{
	static const char request[] = "GET /" A100 A100 A100 " HTTP/1.1\r\n\r\n";
	static struct transcript transcript;

	(void)state;
	transcript_clear(&transcript);
	transcript_feed(&transcript, SIDE_REQUEST, request, sizeof(request) - 1, 50);
	assert_int_equal(strlen(transcript.facts.attributes[ATTRIBUTE_URL_PATH]), URL_PATH_MAX);
}

static void sniffs(void **state)
{
	static const struct {
		const char *bytes;
		enum sniff_result result;
	} firsts[] = {
		{ "", SNIFF_MORE },	     { "G", SNIFF_MORE },
		{ "GET", SNIFF_MORE },	     { "GET ", SNIFF_MORE },
		{ "GET /", SNIFF_REQUEST },  { "\r\nGET /", SNIFF_REQUEST },
		{ "BREW *", SNIFF_REQUEST }, { "H", SNIFF_MORE },
		{ "HEAD /", SNIFF_REQUEST }, { "HTTP/1.", SNIFF_RESPONSE },
		{ "HTTP/1", SNIFF_MORE },    { "HTTP/2", SNIFF_NO },
		{ "\x16\x03", SNIFF_NO },    { "*1\r\n", SNIFF_NO },
		{ "GET \x01", SNIFF_NO },    { "{\"a\"", SNIFF_NO },
		{ "+PONG\r", SNIFF_NO },     { " GET /", SNIFF_NO },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(firsts) / sizeof(firsts[0]); i++)
		assert_int_equal(protocol_http1.sniff((const uint8_t *)firsts[i].bytes,
						      strlen(firsts[i].bytes)),
				 firsts[i].result);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_requests),
		cmocka_unit_test(reads_answers),
		cmocka_unit_test(knows_heads_again),
		cmocka_unit_test(knows_answers_again_but_to_what),
		cmocka_unit_test(waits_for_the_rest),
		cmocka_unit_test(refuses_a_null_byte),
		cmocka_unit_test(cuts_heads),
		cmocka_unit_test(bounds_paths),
		cmocka_unit_test(sniffs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
