/* SPDX-License-Identifier: Apache-2.0 */
/* What a client and server of Python's `websockets` said, whole, split at every byte, cut and with holes; and frames that
 * RFC 6455 allows or forbids. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "protocol/protocol.h"

struct said {
	enum message_side side;
	size_t length;
	const char *bytes;
};
#define Q(text)                                      \
	{                                            \
		SIDE_REQUEST, sizeof(text) - 1, text \
	}
#define A(text)                                       \
	{                                             \
		SIDE_RESPONSE, sizeof(text) - 1, text \
	}

/* Compressed: text, binary, a text of two fragments; ping and pong; closed by the client with 1001. */
static const struct said talk[] = {
	Q("\301\207\145\221\061\074\227\331\374\365\254\226\061"),
	A("\301\007\362\110\315\311\311\007\000"),
	Q("\302\207\110\112\054\301\002\120\051\205\113\112\054"),
	A("\302\007\112\032\005\104\003\000\000"),
	Q("\101\212\306\311\032\206\214\342\120\312\301\311\032\206\071\066\000\212\126\234\035\123"
	  "\234\321\320\170\127\234\035\123\251\143\200\201\145\340\147\060\145"),
	A("\301\012\112\053\112\114\317\115\315\053\001\000"),
	Q("\211\201\253\031\151\325\333"),
	A("\212\001\160"),
	Q("\210\205\213\072\232\174\210\323\370\005\356"),
	A("\210\005\003\351\142\171\145"),
};
#define TALK_LENGTH (sizeof(talk) / sizeof(talk[0]))
#define TALKED                                                                                      \
	"Q text 7 compressed;A text 7;Q binary 7;A binary 7;Q text 21;A text 10;Q ping 1;A pong 1;" \
	"Q close 5 1001;A close 5 1001;"

static struct {
	_Alignas(8) uint8_t state[PROTOCOL_STATE_MAX];
	char text[1024];
	struct exchange_facts facts; /* of no exchange */
	enum protocol_step end;	     /* how it ended, or STEP_MORE */
} talker;

static void begin(void)
{
	memset(&talker, 0, sizeof(talker));
	talker.end = STEP_MORE;
}

static void put_message(enum message_side side, const struct exchange_facts *facts)
{
	const char *code = facts->attributes[ATTRIBUTE_ERROR_TYPE];
	size_t at = strlen(talker.text);

	(void)snprintf(talker.text + at, sizeof(talker.text) - at, "%c %s %llu%s%s%s;",
		       side == SIDE_REQUEST ? 'Q' : 'A', facts->message_type,
		       (unsigned long long)facts->sides[side].body_bytes, code ? " " : "",
		       code ? code : "",
		       facts->outcomes & 1ull << PARSE_COMPRESSED ? " compressed" : "");
}

/* In memory that ends with the bytes. */
static void feed(enum message_side side, const char *bytes, size_t length)
{
	uint8_t *copy = malloc(length ? length : 1);
	struct protocol_run run = { .bytes = bytes ? copy : NULL, .length = length };
	enum protocol_step step = STEP_MESSAGE;

	if (bytes)
		memcpy(copy, bytes, length);
	while (talker.end == STEP_MORE && step == STEP_MESSAGE) {
		step = protocol_websocket.parse(talker.state, side, &run, &talker.facts);
		if (step == STEP_MESSAGE) {
			put_message(side, &talker.facts);
			memset(&talker.facts, 0, sizeof(talker.facts));
		} else if (step != STEP_MORE) {
			talker.end = step;
		}
	}
	free(copy);
}

/* The byte numbered `split` begins a piece of its own; nothing after `end`. */
static void play(size_t split, size_t end)
{
	size_t at = 0;

	begin();
	for (size_t i = 0; i < TALK_LENGTH && at < end; at += talk[i++].length) {
		size_t length = end - at < talk[i].length ? end - at : talk[i].length;
		size_t first = split > at && split - at < length ? split - at : length;

		feed(talk[i].side, talk[i].bytes, first);
		feed(talk[i].side, talk[i].bytes + first, length - first);
	}
}

static size_t talk_bytes(void)
{
	size_t bytes = 0;

	for (size_t i = 0; i < TALK_LENGTH; i++)
		bytes += talk[i].length;
	return bytes;
}

static void understands_every_split(void **state)
{
	(void)state;
	for (size_t split = 0; split < talk_bytes(); split++) {
		play(split, SIZE_MAX);
		assert_string_equal(talker.text, TALKED);
		assert_int_equal(talker.end, STEP_MORE);
	}
}

static void tells_nothing_that_was_not_said(void **state)
{
	(void)state;
	for (size_t end = 0; end < talk_bytes(); end++) {
		play(0, end);
		assert_memory_equal(talker.text, TALKED, strlen(talker.text));
		assert_int_equal(talker.end, STEP_MORE);
	}
}

static void skips_payload_unseen(void **state)
{
	(void)state;
	begin();
	feed(SIDE_RESPONSE, "\x82\x7f\0\0\0\x01\0\0\0\0", 10);
	feed(SIDE_RESPONSE, NULL, 0xfffffffful);
	assert_string_equal(talker.text, "");
	feed(SIDE_RESPONSE, NULL, 1);
	feed(SIDE_RESPONSE, "\x81\x7e\x01\x00", 4);
	feed(SIDE_RESPONSE, NULL, 256);
	assert_string_equal(talker.text, "A binary 4294967296;A text 256;");
	feed(SIDE_REQUEST, "\x88\x82", 2);
	feed(SIDE_REQUEST, "abcd", 4);
	feed(SIDE_REQUEST, NULL, 2);
	assert_string_equal(talker.text, "A binary 4294967296;A text 256;Q close 2 other;");
}

static void loses_the_position_in_a_header(void **state)
{
	(void)state;
	for (size_t seen = 0; seen < 14; seen++) {
		begin();
		feed(SIDE_REQUEST, "\x82\xff\0\0\0\0\0\x01\0\0abcd", seen);
		feed(SIDE_REQUEST, NULL, 1);
		assert_int_equal(talker.end, STEP_LOST);
	}
}

static void knows_what_is_sound(void **state)
{
	static const struct {
		struct said said;
		const char *expected; /* NULL: broken */
	} frames[] = {
		{ Q("\x81\x80mask"), "Q text 0;" },
		{ A("\x01\x00\x00\x00\x80\x00"), "A text 0;" },
		{ A("\x02\x01x\x89\x00\x80\x01y"), "A ping 0;A binary 2;" },
		{ A("\x88\x00"), "A close 0 1005;" },
		{ A("\x88\x01x"), "A close 1 other;" },
		{ A("\x88\x02\x03\xe8"), "A close 2 1000;" },
		{ A("\x88\x02\x03\xf7"), "A close 2 other;" },
		{ A("\x88\x02\x0b\xb8"), "A close 2 application;" },
		{ A("\x88\x02\x13\x88"), "A close 2 other;" },
		{ A("\x80\x00"), NULL },	 /* goes on with nothing */
		{ A("\x01\x00\x81\x00"), NULL }, /* begins in another */
		{ A("\x83\x00"), NULL },	 /* no such type */
		{ A("\x8b\x00"), NULL },
		{ A("\xa1\x00"), NULL }, /* reserved bits */
		{ A("\x91\x00"), NULL },
		{ A("\x01\x00\xc0\x00"), NULL }, /* only the first frame says compressed */
		{ A("\x09\x00"), NULL },	 /* control frames are whole */
		{ A("\x88\x7e\x00\x7e"), NULL }, /* and short */
		{ A("\x82\x7f\x80\0\0\0\0\0\0\0"), NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(frames) / sizeof(frames[0]); i++) {
		begin();
		feed(frames[i].said.side, frames[i].said.bytes, frames[i].said.length);
		if (frames[i].expected)
			assert_string_equal(talker.text, frames[i].expected);
		assert_int_equal(talker.end, frames[i].expected ? STEP_MORE : STEP_BROKEN);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(understands_every_split),
		cmocka_unit_test(tells_nothing_that_was_not_said),
		cmocka_unit_test(skips_payload_unseen),
		cmocka_unit_test(loses_the_position_in_a_header),
		cmocka_unit_test(knows_what_is_sound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
