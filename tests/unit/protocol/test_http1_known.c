/* SPDX-License-Identifier: Apache-2.0 */
/* Whole messages that are known again, and everything that only looks like one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "transcript.h"

#define GET "GET /a?b HTTP/1.1\r\nHost: localhost:8080\r\n\r\n"
#define OK "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nServer: some\r\n\r\n"

/* In memory that ends with it. */
static bool take(struct transcript *transcript, enum message_side side, const char *bytes,
		 size_t captured, uint64_t length)
{
	uint8_t *copy = malloc(captured);
	bool is_taken;

	assert_non_null(copy);
	memcpy(copy, bytes, captured);
	is_taken = protocol_http1.take_known(transcript->state, side, copy, captured, length,
					     &transcript->facts);
	free(copy);
	return is_taken;
}

static bool take_text(struct transcript *transcript, enum message_side side, const char *text)
{
	return take(transcript, side, text, strlen(text), strlen(text));
}

static void learn(struct transcript *transcript, const char *request, const char *answer)
{
	size_t length = strlen(request);

	transcript_clear(transcript);
	transcript_feed(transcript, SIDE_REQUEST, request, length, length);
	transcript_feed(transcript, SIDE_RESPONSE, answer, strlen(answer), strlen(answer));
	memset(&transcript->facts, 0, sizeof(transcript->facts));
}

static void assert_same_facts(const struct exchange_facts *facts,
			      const struct exchange_facts *expected)
{
	for (size_t i = 0; i < ATTRIBUTE_COUNT; i++) {
		assert_int_equal(!facts->attributes[i], !expected->attributes[i]);
		if (facts->attributes[i])
			assert_string_equal(facts->attributes[i], expected->attributes[i]);
	}
	assert_memory_equal(facts->sides, expected->sides, sizeof(facts->sides));
	assert_int_equal(facts->outcomes, expected->outcomes);
	assert_int_equal(facts->note, expected->note);
}

/* What parse says of the same, and as often as it comes. */
static void knows(const char *request, const char *answer)
{
	static struct transcript parsed, known;

	transcript_clear(&parsed);
	transcript_feed(&parsed, SIDE_REQUEST, request, strlen(request), 1);
	transcript_feed(&parsed, SIDE_RESPONSE, answer, strlen(answer), 1);
	learn(&known, request, answer);
	for (int i = 0; i < 3; i++) {
		memset(&known.facts, 0, sizeof(known.facts));
		assert_true(take_text(&known, SIDE_REQUEST, request));
		assert_true(take_text(&known, SIDE_RESPONSE, answer));
		assert_same_facts(&known.facts, &parsed.facts);
	}
}

static void knows_messages(void **state)
{
	(void)state;
	knows(GET, OK "hello");
	knows("POST /p HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc",
	      "HTTP/1.0 404 No\r\nContent-Length: 0\r\nX: 12345678901234567890\r\n\r\n");
	knows("GET /a/path/of/more/than/thirty-two/bytes HTTP/1.1\r\nX: 1\r\n\r\n",
	      "HTTP/1.1 500 Oops\r\nServer: of-some-make\r\nContent-Length: 2\r\n\r\nno");
	knows(GET, "HTTP/1.1 304 Same\r\nContent-Length: 7\r\nX: 1234567890\r\n\r\n");
}

static void counts_what_is_not_captured(void **state)
{
	static struct transcript transcript;

	(void)state;
	learn(&transcript, GET, OK "hello");
	assert_true(take_text(&transcript, SIDE_REQUEST, GET));
	for (size_t captured = 0; captured < sizeof(OK) - 1; captured++)
		assert_false(take(&transcript, SIDE_RESPONSE, OK, captured, sizeof(OK) + 4));
	assert_true(take(&transcript, SIDE_RESPONSE, OK, sizeof(OK) - 1, sizeof(OK) + 4));
	assert_int_equal(transcript.facts.sides[SIDE_RESPONSE].body_bytes, 5);
}

/* Less, more, and each byte another. */
static void refuses_others(void **state)
{
	static struct transcript transcript;
	char other[] = OK "hello";
	size_t length = sizeof(other) - 1;

	(void)state;
	learn(&transcript, GET, other);
	assert_true(take_text(&transcript, SIDE_REQUEST, GET));
	assert_false(take(&transcript, SIDE_RESPONSE, other, length - 1, length - 1));
	assert_false(take(&transcript, SIDE_RESPONSE, other, length, length + 1));
	for (size_t i = 0; i < sizeof(OK) - 1; i++) {
		other[i] ^= 1;
		assert_false(take_text(&transcript, SIDE_RESPONSE, other));
		other[i] ^= 1;
	}
	assert_true(take_text(&transcript, SIDE_RESPONSE, other));
}

static void refuses_request(const char *request)
{
	static struct transcript transcript;

	learn(&transcript, request, OK "hello");
	assert_false(take_text(&transcript, SIDE_REQUEST, request));
}

static void refuses_answer(const char *answer)
{
	static struct transcript transcript;

	learn(&transcript, GET, answer);
	assert_true(take_text(&transcript, SIDE_REQUEST, GET));
	assert_false(take_text(&transcript, SIDE_RESPONSE, answer));
}

/* Where the head alone does not say how long the message is, or more than the message follows from it. */
static void refuses_what_is_not_plain(void **state)
{
	(void)state;
	refuses_request("HEAD /a/b/c HTTP/1.1\r\nHost: localhost\r\n\r\n");
	refuses_request("CONNECT /a/b/c HTTP/1.1\r\nHost: localhost\r\n\r\n");
	refuses_request("POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
	refuses_answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
	refuses_answer("HTTP/1.1 200 OK\r\nServer: some, until it closes\r\n\r\n");
	refuses_answer("HTTP/1.1 100 Go\r\nX: 1234567890123456789\r\n\r\n");
	refuses_answer("HTTP/1.1 101 Up\r\nX: 1234567890123456789\r\n\r\n");
}

static void refuses_answers_to_head(void **state)
{
	static const char head[] = "HEAD / HTTP/1.1\r\nHost: localhost\r\n\r\n";
	static struct transcript transcript;

	(void)state;
	learn(&transcript, GET, OK "hello");
	transcript_feed(&transcript, SIDE_REQUEST, head, sizeof(head) - 1, sizeof(head));
	assert_false(take_text(&transcript, SIDE_RESPONSE, OK "hello"));
}

static void refuses_in_the_middle(void **state)
{
	static struct transcript transcript;

	(void)state;
	learn(&transcript, GET, OK "hell");
	assert_false(take_text(&transcript, SIDE_RESPONSE, OK "hello"));
	transcript_feed(&transcript, SIDE_REQUEST, "GET", 3, 3);
	assert_false(take_text(&transcript, SIDE_REQUEST, GET));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(knows_messages),
		cmocka_unit_test(counts_what_is_not_captured),
		cmocka_unit_test(refuses_others),
		cmocka_unit_test(refuses_what_is_not_plain),
		cmocka_unit_test(refuses_answers_to_head),
		cmocka_unit_test(refuses_in_the_middle),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
