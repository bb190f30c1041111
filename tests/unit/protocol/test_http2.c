/* SPDX-License-Identifier: Apache-2.0 */
/* Talks of real clients and servers, whole, split at every byte, cut at every length, with holes, and joined late. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "http2_talks.h"

#define TEXT_MAX 4096
#define STREAMS 64

static struct {
	_Alignas(8) uint8_t state[PROTOCOL_STATE_MAX];
	struct exchange_facts streams[STREAMS]; /* by number */
	uint32_t current[SIDE_COUNT];
	bool is_over;
	char text[TEXT_MAX];
} talk;

static const struct protocol *const http2 = &protocol_http2;

static void put(const char *text)
{
	assert_true(strlen(talk.text) + strlen(text) < TEXT_MAX);
	strcat(talk.text, text);
}

static void put_fact(const struct exchange_facts *facts, enum attribute attribute)
{
	put(facts->attributes[attribute] ? facts->attributes[attribute] : "-");
	put(" ");
}

static void put_exchange(const struct exchange_facts *facts)
{
	char bodies[64];

	put_fact(facts, ATTRIBUTE_HTTP_REQUEST_METHOD);
	put_fact(facts, ATTRIBUTE_URL_PATH);
	put_fact(facts, ATTRIBUTE_HTTP_RESPONSE_STATUS_CODE);
	if (facts->attributes[ATTRIBUTE_RPC_SYSTEM_NAME]) {
		put_fact(facts, ATTRIBUTE_RPC_METHOD);
		put_fact(facts, ATTRIBUTE_RPC_RESPONSE_STATUS_CODE);
	}
	if (facts->attributes[ATTRIBUTE_ERROR_TYPE]) {
		put("error ");
		put_fact(facts, ATTRIBUTE_ERROR_TYPE);
	}
	if (facts->outcomes & 1ull << PARSE_HEADER_UNKNOWN)
		put(facts->is_kind_unknown ? "unknown " : "partly ");
	(void)snprintf(bodies, sizeof(bodies), "%llu/%llu;",
		       (unsigned long long)facts->sides[SIDE_REQUEST].body_bytes,
		       (unsigned long long)facts->sides[SIDE_RESPONSE].body_bytes);
	put(bodies);
}

static void take_step(enum message_side side, enum protocol_step step)
{
	static const char *const odd[STEP_COUNT] = {
		[STEP_UNSEEN] = "unseen;",  [STEP_NOT_MINE] = "not mine;",
		[STEP_BROKEN] = "broken;",  [STEP_LOST] = "lost;",
		[STEP_PUSH] = "push;",	    [STEP_RESET] = "reset ",
		[STEP_REFUSED] = "refused "
	};
	const struct protocol_stream *about = http2->stream(talk.state, side);

	put(odd[step] ? odd[step] : "");
	talk.is_over |= step == STEP_NOT_MINE || step == STEP_BROKEN || step == STEP_LOST;
	if (step == STEP_BEGIN || step == STEP_STREAM)
		talk.current[side] = about->number < STREAMS ? about->number : 0;
	if (step == STEP_RESET || step == STEP_REFUSED) {
		put(about->error);
		put(";");
	}
	if (step == STEP_END && side == SIDE_RESPONSE)
		put_exchange(&talk.streams[talk.current[side]]);
}

static void feed(enum message_side side, const char *bytes, size_t length)
{
	uint8_t *copy = malloc(length ? length : 1);
	struct protocol_run run = { .bytes = bytes ? copy : NULL, .length = length };
	enum protocol_step step = STEP_MORE;

	if (bytes)
		memcpy(copy, bytes, length);
	while (length && !talk.is_over) {
		step = http2->parse(talk.state, side, &run, &talk.streams[talk.current[side]]);
		take_step(side, step);
		if (step == STEP_MORE || (step == STEP_END && !run.length))
			break;
	}
	free(copy);
}

static void begin(void)
{
	http2->release(talk.state);
	memset(&talk, 0, sizeof(talk));
}

static enum message_side side_of(const struct said *said)
{
	return said->side == 'Q' ? SIDE_REQUEST : SIDE_RESPONSE;
}

static void play(const struct said *said, size_t split, size_t end)
{
	size_t at = 0;

	begin();
	for (; said->side && at < end; at += said++->length) {
		size_t length = end - at < said->length ? end - at : said->length;
		size_t first = split > at && split - at < length ? split - at : length;

		feed(side_of(said), said->bytes, first);
		feed(side_of(said), said->bytes + first, length - first);
	}
}

static size_t length_of(const struct said *said)
{
	size_t length = 0;

	for (; said->side; said++)
		length += said->length;
	return length;
}

static const struct {
	const struct said *said;
	const char *expected;
} talks[] = {
	{ http2_nghttp, "GET /ok 200 0/2;GET /ok 200 0/2;" },
	{ http2_curl, "GET /missing 404 error 404 0/1;" },
	{ http2_h2load,
	  "GET /ok 200 0/2;GET /broken 500 error 500 0/1;GET /ok 200 0/2;"
	  "GET /broken 500 error 500 0/1;GET /ok 200 0/2;GET /broken 500 error 500 0/1;" },
	{ http2_nghttpd, "POST /index.html 200 6/6;" },
	{ http2_grpc, "POST /test.Echo/Unary 200 test.Echo/Unary OK 10/10;"
		      "POST /test.Echo/Unary 200 test.Echo/Unary NOT_FOUND error NOT_FOUND 19/0;"
		      "POST /test.Echo/Both 200 test.Echo/Both OK 12/12;"
		      "POST /test.Echo/Unary 200 test.Echo/Unary OK 10/10;" },
};

#define TALKS (sizeof(talks) / sizeof(talks[0]))

static void says_what_was_said(void **state)
{
	(void)state;
	for (size_t i = 0; i < TALKS; i++) {
		play(talks[i].said, 0, SIZE_MAX);
		assert_string_equal(talk.text, talks[i].expected);
	}
	begin();
}

static void says_the_same_however_split(void **state)
{
	(void)state;
	for (size_t i = 0; i < TALKS; i++) {
		for (size_t at = 1; at < length_of(talks[i].said); at++) {
			play(talks[i].said, at, SIZE_MAX);
			assert_string_equal(talk.text, talks[i].expected);
		}
		begin();
		for (const struct said *said = talks[i].said; said->side; said++)
			for (size_t at = 0; at < said->length; at++)
				feed(side_of(said), said->bytes + at, 1);
		assert_string_equal(talk.text, talks[i].expected);
	}
	begin();
}

static void survives_any_end(void **state)
{
	(void)state;
	for (size_t i = 0; i < TALKS; i++) {
		for (size_t end = 0; end < length_of(talks[i].said); end++) {
			play(talks[i].said, 0, end);
			assert_memory_equal(talk.text, talks[i].expected, strlen(talk.text));
		}
	}
	begin();
}

/* One byte that was not captured: in a body nothing happens, in a block its message is unseen and what the table held later on, in a
 * frame's header the position is lost. Nothing may be told that was not. */
static void marks_what_is_missing(void **state)
{
	size_t told = 0, lost = 0, unseen = 0;

	(void)state;
	for (size_t hole = 0; hole < length_of(http2_h2load); hole++) {
		size_t at = 0;

		begin();
		for (const struct said *said = http2_h2load; said->side; at += said++->length) {
			size_t before = hole - at;

			if (hole < at || before >= said->length) {
				feed(side_of(said), said->bytes, said->length);
				continue;
			}
			feed(side_of(said), said->bytes, before);
			feed(side_of(said), NULL, 1);
			feed(side_of(said), said->bytes + before + 1, said->length - before - 1);
		}
		assert_null(strstr(talk.text, "broken;"));
		assert_null(strstr(talk.text, "not mine"));
		told += strcmp(talk.text, talks[2].expected) == 0;
		lost += strstr(talk.text, "lost") != NULL;
		unseen += strstr(talk.text, "unseen") != NULL;
	}
	assert_true(told > 20 && lost > 100 && unseen > 50);
	begin();
}

#define FRAME(length, type, flags, stream) "\0\0" length type flags "\0\0\0" stream
#define PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" FRAME("\0", "\4", "\0", "\0")
#define SAY(side, text) feed(side, text, sizeof(text) - 1)

/* Streams that are answered in another order, 103 before 200, padding, CONTINUATION, a push, trailers. */
static void follows_streams(void **state)
{
	(void)state;
	begin();
	SAY(SIDE_REQUEST, PREFACE);
	SAY(SIDE_REQUEST, FRAME("\3", "\1", "\5", "\1") "\x82\x86\x84");
	SAY(SIDE_REQUEST, FRAME("\3", "\1", "\4", "\3") "\x83\x86\x85");
	SAY(SIDE_REQUEST,
	    FRAME("\6", "\0", "\x08", "\3") "\2abc\0\0" FRAME("\1", "\0", "\1", "\3") "d");
	SAY(SIDE_RESPONSE,
	    FRAME("\5", "\1", "\4", "\3") "\x08\3"
					  "103" FRAME("\1", "\1", "\0", "\3") "\x88");
	SAY(SIDE_RESPONSE, FRAME("\0", "\x09", "\4", "\3"));
	SAY(SIDE_RESPONSE, FRAME("\7", "\5", "\4",
				 "\3") "\0\0\0\2\x82\x86\x84" FRAME("\1", "\1", "\4", "\2") "\x88");
	SAY(SIDE_RESPONSE, FRAME("\1", "\0", "\1", "\2") "p" FRAME("\1", "\1", "\5", "\1") "\x8d");
	SAY(SIDE_RESPONSE,
	    FRAME("\3", "\0", "\0", "\3") "xyz" FRAME("\4", "\1", "\5", "\3") "\0\1x\0");
	assert_string_equal(talk.text, "push;GET / 404 error 404 0/0;POST /index.html 200 4/3;");
	begin();
}

static void tells_errors(void **state)
{
	(void)state;
	begin();
	SAY(SIDE_REQUEST, PREFACE);
	SAY(SIDE_REQUEST, FRAME("\3", "\1", "\5", "\1") "\x82\x86\x84");
	SAY(SIDE_REQUEST, FRAME("\4", "\3", "\0", "\1") "\0\0\0\x08");
	SAY(SIDE_RESPONSE, FRAME("\x08", "\7", "\0", "\0") "\0\0\0\1\0\0\0\0");
	SAY(SIDE_RESPONSE, FRAME("\x08", "\7", "\0", "\0") "\0\0\0\1\0\0\0\x0b");
	SAY(SIDE_RESPONSE, FRAME("\4", "\3", "\0", "\3") "\0\0\1\0");
	SAY(SIDE_RESPONSE, FRAME("\3", "\x08", "\0", "\3") "\0\0\0");
	assert_string_equal(talk.text,
			    "reset CANCEL;refused REFUSED_STREAM;refused ENHANCE_YOUR_CALM;"
			    "reset _OTHER;broken;");
	begin();
}

/* The table was filled before: what it held is not known, what is added now is, by its right number. */
static void does_not_guess(void **state)
{
	(void)state;
	begin();
	SAY(SIDE_REQUEST, FRAME("\3", "\1", "\5", "\x11") "\x82\x86\xbf");
	SAY(SIDE_RESPONSE, FRAME("\1", "\1", "\5", "\x11") "\x88");
	SAY(SIDE_REQUEST, FRAME("\3", "\1", "\5", "\x13") "\x83\x86\xbe");
	SAY(SIDE_RESPONSE, FRAME("\2", "\1", "\5", "\x13") "\x88\xc0");
	SAY(SIDE_REQUEST, FRAME("\6", "\1", "\5", "\x15") "\x82\x44\2/a\xc0");
	SAY(SIDE_RESPONSE, FRAME("\1", "\1", "\5", "\x15") "\xc4");
	SAY(SIDE_REQUEST, FRAME("\5", "\1", "\5", "\x17") "\x82\x7f\x10\1x");
	SAY(SIDE_RESPONSE, FRAME("\1", "\1", "\5", "\x17") "\x88");
	SAY(SIDE_REQUEST, FRAME("\2", "\1", "\5", "\x19") "\x82\xbf");
	SAY(SIDE_RESPONSE, FRAME("\1", "\1", "\5", "\x19") "\x88");
	assert_string_equal(talk.text,
			    "GET - 200 partly 0/0;POST - 200 unknown 0/0;GET /a - partly 0/0;"
			    "GET - 200 partly 0/0;GET /a 200 0/0;");
	begin();
}

/* In the middle of bytes three frames in a row prove where they begin. */
static void finds_frames(void **state)
{
	(void)state;
	begin();
	SAY(SIDE_REQUEST,
	    "some body \0\0\0\0\0 of before" FRAME("\4", "\x08", "\0", "\0") "\0\0\1\0");
	SAY(SIDE_REQUEST, FRAME("\3", "\1", "\5", "\x11") "\x82\x86\x84" FRAME(
				  "\3", "\1", "\5", "\x13") "\x82\x86\x84");
	SAY(SIDE_RESPONSE, FRAME("\1", "\1", "\5", "\x13") "\x88");
	assert_string_equal(talk.text, "GET / 200 0/0;");
	begin();
}

static void is_recognised(void **state)
{
	static const struct {
		const char *bytes;
		size_t length;
		enum sniff_result result;
	} samples[] = {
#define SAMPLE(text, result) { text, sizeof(text) - 1, result }
		SAMPLE(PREFACE, SNIFF_REQUEST),
		SAMPLE("PRI * HTTP/2", SNIFF_MORE),
		SAMPLE("PRI * HTTP/1.1\r\n", SNIFF_NO),
		SAMPLE(FRAME("\0", "\4", "\0", "\0"), SNIFF_EITHER),
		SAMPLE(FRAME("\5", "\4", "\0", "\0"), SNIFF_NO),
		SAMPLE(FRAME("\3", "\1", "\5", "\1") "\x82", SNIFF_REQUEST),
		SAMPLE(FRAME("\3", "\1", "\5", "\1"), SNIFF_MORE),
		SAMPLE(FRAME("\3", "\1", "\5", "\1") "\x88", SNIFF_RESPONSE),
		SAMPLE(FRAME("\3", "\1", "\5", "\1") "\xbe", SNIFF_EITHER),
		SAMPLE(FRAME("\x09", "\1", "\x25", "\1") "\0\0\0\0\x10\x48", SNIFF_RESPONSE),
		SAMPLE(FRAME("\3", "\1", "\5", "\2") "\x82", SNIFF_NO),
		SAMPLE(FRAME("\4", "\x08", "\0", "\0"), SNIFF_MORE),
		SAMPLE(FRAME("\4", "\x08", "\0", "\0") "\0\1\0\0", SNIFF_EITHER),
		SAMPLE(FRAME("\4", "\x08", "\0", "\0") "\0\0\0\0", SNIFF_NO),
		SAMPLE(FRAME("\x0c", "\4", "\0", "\0") "\0\3\0\0\0\x64\0\4", SNIFF_EITHER),
		SAMPLE(FRAME("\x0c", "\4", "\0", "\0") "\7rdkafka", SNIFF_NO),
		SAMPLE(FRAME("\4", "\3", "\0", "\7") "\0\0\0\x08", SNIFF_EITHER),
		SAMPLE(FRAME("\4", "\3", "\0", "\7") "\0\0\1\0", SNIFF_NO),
		SAMPLE(FRAME("\x08", "\6", "\1", "\0") "anything", SNIFF_EITHER),
		SAMPLE(FRAME("\x08", "\7", "\0", "\0") "\0\0\0\7\0\0\0\0", SNIFF_EITHER),
		SAMPLE(FRAME("\x08", "\7", "\0", "\0") "\xff\0\0\7\0\0\0\0", SNIFF_NO),
		SAMPLE(FRAME("\3", "\1", "\1", "\1") "\x82", SNIFF_NO),
		SAMPLE(FRAME("\0", "\0", "\0", "\1"), SNIFF_NO),
		SAMPLE(FRAME("\x2c", "\0", "\0", "\1") "some body", SNIFF_NO),
		SAMPLE(FRAME("\x2c", "\0", "\0", "\1") "\0\0\0", SNIFF_MORE),
		SAMPLE(FRAME("\x2c", "\0", "\0", "\1") "\0\0\0\0\x27", SNIFF_EITHER), /* gRPC */
		SAMPLE(FRAME("\5", "\0", "\0", "\1") "hello", SNIFF_MORE),
		SAMPLE(FRAME("\5", "\0", "\0", "\1") "hello" FRAME("\1", "\1", "\5", "\3"),
		       SNIFF_EITHER),
		SAMPLE(FRAME("\5", "\0", "\0", "\1") "hello" FRAME("\1", "\1", "\5", "\2"),
		       SNIFF_NO),
		SAMPLE("\0\0\0O\0\0\0\1\0\0\0\0\0\0\0\1\0\0\0\1\0\x09"
		       "127.0.0.1",
		       SNIFF_NO), /* Kafka: an answer of 79 bytes */
		SAMPLE("\0\0\4\x08\0\0\0\0\0\0\0\0\0\0\0\1",
		       SNIFF_NO),				/* the same, of 1032 bytes */
		SAMPLE("\0\0\0\x08\4\xd2\x16\x2f\0", SNIFF_NO), /* PostgreSQL */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++)
		assert_int_equal(http2->sniff((const uint8_t *)samples[i].bytes, samples[i].length),
				 samples[i].result);
}

/* Before a header block was read, what does not go on like HTTP/2 is something else. */
static void is_given_up_unless_it_goes_on(void **state)
{
	(void)state;
	begin();
	SAY(SIDE_RESPONSE, FRAME("\5", "\0", "\0", "\1") "hello" FRAME("\2", "\0", "\0", "\1"));
	SAY(SIDE_RESPONSE, "xy");
	assert_string_equal(talk.text, "");
	SAY(SIDE_RESPONSE, "\0\0\0*some text");
	assert_string_equal(talk.text, "not mine;");
	begin();
	SAY(SIDE_RESPONSE, FRAME("\4", "\x08", "\0", "\0") "\0\1\0\0");
	SAY(SIDE_RESPONSE, "\0\0\0*some text");
	assert_string_equal(talk.text, "not mine;");
	begin();
	SAY(SIDE_RESPONSE,
	    FRAME("\5", "\0", "\0", "\1") "hello" FRAME("\1", "\1", "\5", "\3") "\x88");
	SAY(SIDE_RESPONSE, "\0\0\0\x08some text");
	assert_string_equal(talk.text, "- - 200 0/0;broken;");
	begin();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(says_what_was_said),
		cmocka_unit_test(says_the_same_however_split),
		cmocka_unit_test(survives_any_end),
		cmocka_unit_test(marks_what_is_missing),
		cmocka_unit_test(follows_streams),
		cmocka_unit_test(tells_errors),
		cmocka_unit_test(does_not_guess),
		cmocka_unit_test(finds_frames),
		cmocka_unit_test(is_recognised),
		cmocka_unit_test(is_given_up_unless_it_goes_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
