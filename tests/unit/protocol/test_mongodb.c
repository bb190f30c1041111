/* SPDX-License-Identifier: Apache-2.0 */
/* What a server and its client said, whole, split at every byte, cut at every length, with holes; and what is rarely said. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "failing_alloc.h"
#include "mongodb_talks.h"
#include "pairing.h"
#include "protocol/protocol.h"

#define CLIENT SIDE_REQUEST
#define SERVER SIDE_RESPONSE
#define OP_REPLY 1
#define OP_INSERT 2002
#define OP_QUERY 2004
#define OP_COMPRESSED 2012
#define OP_MSG 2013

static const char *const expected[] = {
	"isMaster;insert talk;insert talk=11000;find talk;find talk;ping;other=59;find talk=14;getMore talk=43;update talk;"
	"aggregate talk;drop talk;",
};

static const struct said *const said[] = { mongodb_talk };

static const struct talk_set talks = { &protocol_mongodb, said, expected, 1 };

static size_t put32(char *out, uint32_t number)
{
	for (size_t i = 0; i < 4; i++)
		out[i] = (char)(number >> 8 * i);
	return 4;
}

/* A message; its body follows `flags` when it is an OP_MSG. */
static void say(enum message_side side, uint32_t opcode, uint32_t id, uint32_t to, uint32_t flags,
		const char *body, size_t length)
{
	char message[600];
	size_t at = 4;

	at += put32(message + at, id);
	at += put32(message + at, to);
	at += put32(message + at, opcode);
	if (opcode == OP_MSG)
		at += put32(message + at, flags);
	memcpy(message + at, body, length);
	at += length;
	(void)put32(message, (uint32_t)at);
	pairing_feed(side, message, at);
}

#define ASK(id, flags, body) say(CLIENT, OP_MSG, id, 0, flags, body, sizeof(body) - 1)
#define ANSWER(id, to, flags, body) say(SERVER, OP_MSG, id, to, flags, body, sizeof(body) - 1)

/* {ping: 1}, {insert: "c"}, {ok: 1.0} */
#define PING "\0\17\0\0\0\20ping\0\1\0\0\0\0"
#define INSERT "\0\24\0\0\0\2insert\0\2\0\0\0c\0\0"
#define OK "\0\21\0\0\0\1ok\0\0\0\0\0\0\0\360\77\0"
/* {ok: 0.0, code: n} */
#define FAILED(code) "\0\33\0\0\0\1ok\0\0\0\0\0\0\0\0\0\20code\0" code "\0\0\0"

static void tells_errors(void **state)
{
	(void)state;
	pairing_begin(&protocol_mongodb);
	ASK(1, 0, PING);
	ANSWER(7, 1, 0, FAILED("\15\0"));
	ASK(2, 0, PING);
	ANSWER(8, 2, 0, FAILED("\370\52")); /* 11000 */
	ASK(3, 0, PING);
	ANSWER(9, 3, 0, FAILED("\370\53"));
	ASK(4, 0, INSERT); /* {writeConcernError: {code: 64}, ok: 1.0} */
	ANSWER(10, 4, 0,
	       "\0\66\0\0\0\3writeConcernError\0\17\0\0\0\20code\0\100\0\0\0\0\1ok\0\0\0\0\0\0\0\360\77\0");
	pairing_expect("ping=13;ping=11000;ping=_OTHER;insert c=64;");
}

static void leaves_one_way_alone(void **state)
{
	(void)state;
	pairing_begin(&protocol_mongodb);
	ASK(1, 2, INSERT);
	ASK(2, 2, INSERT);
	say(CLIENT, OP_INSERT, 3, 0, 0, "\0\0\0\0db.c\0", 9);
	ASK(4, 0, PING);
	ANSWER(9, 4, 0, OK);
	pairing_expect("one-way;one-way;one-way;ping;");
}

/* Each answer is to the one before it. */
static void pushes_streamed_answers(void **state)
{
	(void)state;
	pairing_begin(&protocol_mongodb);
	ASK(1, 1 << 16, PING);
	ANSWER(10, 1, 2, OK);
	ANSWER(11, 10, 2, OK);
	ANSWER(12, 11, 0, OK);
	ASK(2, 0, INSERT);
	ANSWER(13, 2, 0, OK);
	pairing_expect("ping;push;push;insert c;");
}

/* Whether a compressed request wants an answer is not seen. */
static void marks_compressed(void **state)
{
	(void)state;
	pairing_begin(&protocol_mongodb);
	say(CLIENT, OP_COMPRESSED, 1, 0, 0, "\335\7\0\0\1\0\0\0\1x", 10);
	say(SERVER, OP_COMPRESSED, 9, 1, 0, "\335\7\0\0\1\0\0\0\1x", 10);
	say(CLIENT, OP_COMPRESSED, 2, 0, 0, "\335\7\0\0\1\0\0\0\1x", 10);
	ASK(3, 0, PING);
	ANSWER(10, 3, 0, OK);
	pairing_expect("-compressed;silent -compressed;ping;");
}

static void reads_old_messages(void **state)
{
	(void)state;
	pairing_begin(&protocol_mongodb);
	say(CLIENT, OP_QUERY, 1, 0, 0, "\0\0\0\0db.c.d\0\0\0\0\0\1\0\0\0\5\0\0\0\0", 24);
	say(SERVER, OP_REPLY, 9, 1, 0, "\2\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\0\0\0\5\0\0\0\0", 25);
	pairing_expect("find c.d=_OTHER;");
}

/* Documents first, then what is to be done with them. */
static void finds_the_body_behind_documents(void **state)
{
	(void)state;
	pairing_begin(&protocol_mongodb);
	ASK(1, 0, "\1\23\0\0\0documents\0\5\0\0\0\0" INSERT);
	pairing_expect("");
	ANSWER(2, 1, 0, OK);
	pairing_expect("insert c;");
}

static void skips_what_is_not_captured(void **state)
{
	char head[20 + 21];

	(void)state;
	pairing_begin(&protocol_mongodb);
	(void)put32(head, 5000);
	(void)put32(head + 4, 1);
	(void)put32(head + 8, 0);
	(void)put32(head + 12, OP_MSG);
	memcpy(head + 16, "\0\0\0\0" INSERT, 25);
	pairing_feed(CLIENT, head, 16 + 4 + 21);
	pairing_feed(CLIENT, NULL, 5000 - 41);
	ANSWER(2, 1, 0, OK);
	pairing_feed(CLIENT, head, 16 + 4);
	pairing_feed(CLIENT, NULL, 5000 - 20);
	ANSWER(3, 1, 0, OK);
	ASK(4, 0, PING);
	ANSWER(5, 4, 0, OK);
	pairing_expect("insert c;unseen;-;ping;");
	pairing_feed(CLIENT, NULL, 1);
	pairing_expect("insert c;unseen;-;ping;lost;");
}

static void refuses_what_is_none(void **state)
{
	(void)state;
	pairing_begin(&protocol_mongodb);
	say(CLIENT, OP_REPLY, 1, 0, 0, "", 0);
	pairing_expect("broken;");
	pairing_begin(&protocol_mongodb);
	PAIRING_SAY(CLIENT, "\17\0\0\0\1\0\0\0\0\0\0\0\335\7\0\0");
	pairing_expect("broken;");
	pairing_begin(&protocol_mongodb);
	ASK(1, 0, PING);
	ANSWER(2, 3, 0, OK); /* to another one */
	pairing_expect("broken;");
	pairing_begin(&protocol_mongodb);
	ASK(1, 0, "\0\377\377\377\177\2insert\0\377\377\377\377c");
	ANSWER(2, 1, 0, "\0\1\0\0\0\4writeErrors\0\3\0\0\0");
	ASK(3, 0, "\7");
	ANSWER(4, 3, 0, "");
	pairing_expect("insert;other;");
}

static void sniffs(void **state)
{
	static const struct {
		const char *bytes;
		size_t length;
		enum sniff_result expected;
	} firsts[] = {
		{ "", 0, SNIFF_MORE },
		{ "\60\0\0\0", 4, SNIFF_MORE },
		{ "\20\0\0\0", 4, SNIFF_NO },
		{ "GET ", 4, SNIFF_NO },
		{ "\60\0\0\0\1\0\0\0\0\0\0\0\335\7\0\0", 16, SNIFF_REQUEST },
		{ "\60\0\0\0\1\0\0\0\1\0\0\0\335\7\0\0", 16, SNIFF_RESPONSE },
		{ "\60\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0", 16, SNIFF_NO },
		{ "\60\0\0\0\1\0\0\0\0\0\0\0\324\7\0\0", 16, SNIFF_REQUEST },
		{ "\60\0\0\0\1\0\0\0\0\0\0\0\325\7\0\0", 16, SNIFF_NO },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(firsts) / sizeof(firsts[0]); i++)
		assert_int_equal(protocol_mongodb.sniff((const uint8_t *)firsts[i].bytes,
							firsts[i].length),
				 firsts[i].expected);
}

static void without_memory(void **state)
{
	_Alignas(8) uint8_t memory[PROTOCOL_STATE_MAX] = { 0 };
	struct exchange_facts facts = { 0 };
	struct protocol_run run = { .bytes = (const uint8_t *)mongodb_talk[0].bytes,
				    .length = mongodb_talk[0].length };

	(void)state;
	FOR_EACH_FAILING_ALLOC(nth)
	{
		enum protocol_step step =
			protocol_mongodb.parse(memory, SIDE_REQUEST, &run, &facts);

		assert_int_equal(step, nth ? STEP_BEGIN : STEP_LOST);
		protocol_mongodb.release(memory);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TALK_TESTS(talks),
		cmocka_unit_test(tells_errors),
		cmocka_unit_test(leaves_one_way_alone),
		cmocka_unit_test(pushes_streamed_answers),
		cmocka_unit_test(marks_compressed),
		cmocka_unit_test(reads_old_messages),
		cmocka_unit_test(finds_the_body_behind_documents),
		cmocka_unit_test(skips_what_is_not_captured),
		cmocka_unit_test(refuses_what_is_none),
		cmocka_unit_test(sniffs),
		cmocka_unit_test(without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
