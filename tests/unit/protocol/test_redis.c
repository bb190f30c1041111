/* SPDX-License-Identifier: Apache-2.0 */
/* What redis-server 7.0.15 and its clients said, whole, split at every byte, cut at every length, and with holes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "protocol/protocol.h"

static const char resp2_requests[] =
	"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n*2\r\n$3\r\nget"
	"\r\n$1\r\nk\r\n*2\r\n$3\r\nGET\r\n$4\r\nnone\r\n*2\r\n$4\r\nINCR"
	"\r\n$1\r\nk\r\n*4\r\n$5\r\nRPUSH\r\n$1\r\nl\r\n$1\r\na\r\n$1\r\nb\r\n*4\r\n$6\r\nLRA"
	"NGE\r\n$1\r\nl\r\n$1\r\n0\r\n$2\r\n-1\r\n*3\r\n$6\r\nCONFIG\r\n$3\r\nGET"
	"\r\n$9\r\nmaxmemory\r\n*3\r\n$4\r\nEVAL\r\n$24\r\nreturn {1,{2,\"x\"},false}"
	"\r\n$1\r\n0\r\n*1\r\n$5\r\nMULTI\r\n*1\r\n$4\r\nPING\r\n*1\r\n$4\r\nEXEC"
	"\r\n*1\r\n$6\r\nNOSUCH\r\nPING\r\n*3\r\n$7\r\nEVALSHA\r\n$40\r\n00000000000000000000"
	"00000000000000000000\r\n$1\r\n0\r\n";

static const char resp2_answers[] =
	"+OK\r\n$1\r\nv\r\n$-1\r\n-ERR value is not an integer or out of range"
	"\r\n:2\r\n*2\r\n$1\r\na\r\n$1\r\nb\r\n*2\r\n$9\r\nmaxmemory"
	"\r\n$1\r\n0\r\n*3\r\n:1\r\n*2\r\n:2\r\n$1\r\nx\r\n$-1\r\n+OK\r\n+QUEUED\r\n*1\r\n+PO"
	"NG\r\n-ERR unknown command 'NOSUCH', with args beginning with: \r\n+PONG\r\n-NOSCRIP"
	"T No matching script. Please use EVAL.\r\n";

static const char resp3_requests[] =
	"*2\r\n$5\r\nHELLO\r\n$1\r\n3\r\n*4\r\n$4\r\nHSET"
	"\r\n$1\r\nh\r\n$1\r\na\r\n$1\r\n1\r\n*2\r\n$7\r\nHGETALL"
	"\r\n$1\r\nh\r\n*4\r\n$4\r\nZADD\r\n$1\r\nz\r\n$3\r\n1.5"
	"\r\n$1\r\nm\r\n*5\r\n$6\r\nZRANGE\r\n$1\r\nz\r\n$1\r\n0\r\n$2\r\n-1\r\n$10\r\nWITHSC"
	"ORES\r\n*2\r\n$3\r\nGET\r\n$4\r\nnone\r\n*3\r\n$9\r\nSISMEMBER\r\n$4\r\nnone"
	"\r\n$1\r\nx\r\n*2\r\n$8\r\nSMEMBERS\r\n$4\r\nnone\r\n*3\r\n$5\r\nDEBUG\r\n$8\r\nPROT"
	"OCOL\r\n$8\r\nverbatim\r\n*3\r\n$9\r\nSUBSCRIBE"
	"\r\n$1\r\nc\r\n$1\r\nd\r\n*1\r\n$4\r\nPING\r\n";

static const char resp3_answers[] =
	"%7\r\n$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nversion\r\n$6\r\n7.0.15\r\n$5\r\nproto"
	"\r\n:3\r\n$2\r\nid\r\n:4\r\n$4\r\nmode\r\n$10\r\nstandalone\r\n$4\r\nrole"
	"\r\n$6\r\nmaster\r\n$7\r\nmodules"
	"\r\n*0\r\n:1\r\n%1\r\n$1\r\na\r\n$1\r\n1\r\n:1\r\n*1\r\n*2\r\n$1\r\nm\r\n,1.5"
	"\r\n_\r\n:0\r\n~0\r\n-ERR DEBUG command not allowed. If the enable-debug-command opt"
	"ion is set to \"local\", you can run it from a local connection, otherwise you n"
	"eed to set this option in the configuration file, and then restart the server."
	"\r\n>3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n>3\r\n$9\r\nsubscribe"
	"\r\n$1\r\nd\r\n:2\r\n+PONG\r\n>3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$5\r\nhello\r\n";

static const char subscriber_requests[] =
	"*3\r\n$9\r\nSUBSCRIBE\r\n$1\r\nc\r\n$1\r\nd\r\n*2\r\n$10\r\nPSUBSCRIBE"
	"\r\n$2\r\np*\r\n";

static const char subscriber_answers[] =
	"*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n*3\r\n$9\r\nsubscribe"
	"\r\n$1\r\nd\r\n:2\r\n*3\r\n$10\r\npsubscribe\r\n$2\r\np*\r\n:3\r\n*3\r\n$7\r\nmessag"
	"e\r\n$1\r\nc\r\n$5\r\nhello\r\n*4\r\n$8\r\npmessage"
	"\r\n$2\r\np*\r\n$2\r\npq\r\n$2\r\nhi\r\n";

static const char unsub_requests[] =
	"*3\r\n$9\r\nSUBSCRIBE\r\n$1\r\nc\r\n$1\r\nd\r\n*1\r\n$4\r\nPING\r\n*1\r\n$11\r\nUNSU"
	"BSCRIBE\r\n*2\r\n$3\r\nGET\r\n$1\r\nk\r\n*1\r\n$5\r\nRESET\r\n*3\r\n$6\r\nCLIENT"
	"\r\n$5\r\nREPLY\r\n$3\r\nOFF\r\n*1\r\n$4\r\nPING\r\n*3\r\n$6\r\nCLIENT\r\n$5\r\nREPL"
	"Y\r\n$2\r\nON\r\n*3\r\n$6\r\nCLIENT\r\n$5\r\nREPLY\r\n$4\r\nSKIP\r\n*1\r\n$4\r\nPING"
	"\r\n*2\r\n$4\r\nECHO\r\n$1\r\nx\r\n";

static const char unsub_answers[] =
	"*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n*3\r\n$9\r\nsubscribe"
	"\r\n$1\r\nd\r\n:2\r\n*2\r\n$4\r\npong\r\n$0\r\n\r\n*3\r\n$11\r\nunsubscribe"
	"\r\n$1\r\nc\r\n:1\r\n*3\r\n$11\r\nunsubscribe\r\n$1\r\nd\r\n:0\r\n$1\r\nv\r\n+RESET"
	"\r\n+OK\r\n$1\r\nx\r\n";

#define TEXT_MAX 2048
#define WAITING_MAX 32

/* Pairs answers with requests as the engine does, and writes down what it comes to. */
struct pairing {
	_Alignas(8) uint8_t state[PROTOCOL_STATE_MAX];
	struct exchange_facts waiting[WAITING_MAX]; /* from `first` to `last`; beyond: nobody */
	size_t first;
	size_t last;
	bool is_over;
	char text[TEXT_MAX];
};

static struct pairing pairing;

static void put(const char *text)
{
	assert_true(strlen(pairing.text) + strlen(text) < TEXT_MAX);
	strcat(pairing.text, text);
}

static void put_exchange(const struct exchange_facts *facts)
{
	const char *error = facts->attributes[ATTRIBUTE_ERROR_TYPE];

	assert_string_equal(facts->attributes[ATTRIBUTE_DB_SYSTEM_NAME], "redis");
	put(facts->attributes[ATTRIBUTE_DB_OPERATION_NAME]);
	put(facts->sides[SIDE_RESPONSE].opens_tunnel ? "!" : "");
	put(error ? "=" : "");
	put(error ? error : "");
	put(";");
}

static void take_step(enum message_side side, enum protocol_step step)
{
	static const char *const failures[STEP_COUNT] = { [STEP_UNSEEN] = "unseen;",
							  [STEP_NOT_MINE] = "not mine;",
							  [STEP_BROKEN] = "broken;",
							  [STEP_LOST] = "lost;" };

	if (failures[step])
		put(failures[step]);
	pairing.is_over |= failures[step] && step != STEP_UNSEEN;
	if (step == STEP_PUSH)
		put("push;");
	if (side == SIDE_REQUEST && step == STEP_BEGIN)
		assert_true(pairing.last++ < WAITING_MAX - 1);
	if (side == SIDE_REQUEST && step == STEP_END &&
	    pairing.waiting[pairing.last - 1].sides[SIDE_REQUEST].is_one_way) {
		memset(&pairing.waiting[--pairing.last], 0, sizeof(pairing.waiting[0]));
		put("mute;");
	}
	if (side == SIDE_RESPONSE && step == STEP_END) {
		assert_true(pairing.first < pairing.last);
		put_exchange(&pairing.waiting[pairing.first++]);
	}
}

static struct exchange_facts *facts_of(enum message_side side)
{
	return &pairing.waiting[side == SIDE_REQUEST && pairing.last ? pairing.last - 1 :
				side == SIDE_REQUEST		     ? 0 :
								       pairing.first];
}

/* In memory that ends with the bytes. */
static void feed(enum message_side side, const char *bytes, size_t length)
{
	uint8_t *copy = malloc(length ? length : 1);
	struct protocol_run run = { .bytes = bytes ? copy : NULL, .length = length };
	enum protocol_step step = STEP_MORE;

	if (bytes)
		memcpy(copy, bytes, length);
	do {
		if (pairing.is_over)
			break;
		step = protocol_redis.parse(pairing.state, side, &run, facts_of(side));
		take_step(side, step);
	} while (step != STEP_MORE);
	free(copy);
}

static void say(enum message_side side, const char *text)
{
	feed(side, text, strlen(text));
}

static void begin(void)
{
	memset(&pairing, 0, sizeof(pairing));
}

static void expect(const char *text)
{
	assert_string_equal(pairing.text, text);
}

static const struct {
	const char *requests;
	const char *answers;
	const char *expected;
} talks[] = {
	{ resp2_requests, resp2_answers,
	  "SET;GET;GET;INCR=ERR;RPUSH;LRANGE;CONFIG GET;EVAL;MULTI;PING;EXEC;other=ERR;PING;"
	  "EVALSHA=NOSCRIPT;" },
	{ resp3_requests, resp3_answers,
	  "HELLO;HSET;HGETALL;ZADD;ZRANGE;GET;SISMEMBER;SMEMBERS;DEBUG=ERR;SUBSCRIBE;push;PING;"
	  "push;" },
	{ subscriber_requests, subscriber_answers, "SUBSCRIBE;push;PSUBSCRIBE;push;push;" },
	{ unsub_requests, unsub_answers,
	  "mute;mute;mute;mute;SUBSCRIBE;push;PING;UNSUBSCRIBE;push;GET;RESET;CLIENT REPLY;ECHO;" },
};

#define TALKS (sizeof(talks) / sizeof(talks[0]))

static void understands_the_real_server(void **state)
{
	(void)state;
	for (size_t i = 0; i < TALKS; i++) {
		begin();
		say(SIDE_REQUEST, talks[i].requests);
		say(SIDE_RESPONSE, talks[i].answers);
		expect(talks[i].expected);
		assert_int_equal(pairing.first, pairing.last);
	}
}

static void feed_split(enum message_side side, const char *bytes, size_t at)
{
	size_t length = strlen(bytes);

	if (at > length)
		at = length;
	feed(side, bytes, at);
	feed(side, bytes + at, length - at);
}

static void understands_every_split(void **state)
{
	(void)state;
	for (size_t i = 0; i < TALKS; i++) {
		for (size_t at = 0;
		     at <= strlen(talks[i].answers) || at <= strlen(talks[i].requests); at++) {
			begin();
			feed_split(SIDE_REQUEST, talks[i].requests, at);
			feed_split(SIDE_RESPONSE, talks[i].answers, at);
			expect(talks[i].expected);
		}
	}
}

static void understands_single_bytes(void **state)
{
	(void)state;
	for (size_t i = 0; i < TALKS; i++) {
		begin();
		for (const char *at = talks[i].requests; *at; at++)
			feed(SIDE_REQUEST, at, 1);
		for (const char *at = talks[i].answers; *at; at++)
			feed(SIDE_RESPONSE, at, 1);
		expect(talks[i].expected);
	}
}

/* What is there is told; nothing more, and never another thing. */
static void tells_what_came_before_a_cut(void **state)
{
	(void)state;
	for (size_t i = 0; i < TALKS; i++) {
		for (size_t length = 0; length < strlen(talks[i].answers); length++) {
			begin();
			say(SIDE_REQUEST, talks[i].requests);
			feed(SIDE_RESPONSE, talks[i].answers, length);
			assert_memory_equal(pairing.text, talks[i].expected, strlen(pairing.text));
		}
		for (size_t length = 0; length < strlen(talks[i].requests); length++) {
			begin();
			feed(SIDE_REQUEST, talks[i].requests, length);
			assert_false(pairing.is_over);
		}
	}
}

static void skips_values_unseen(void **state)
{
	(void)state;
	begin();
	say(SIDE_REQUEST, "*3\r\n$3\r\nSET\r\n$5\r\nsec");
	feed(SIDE_REQUEST, NULL, 4);
	say(SIDE_REQUEST, "$900\r\n");
	feed(SIDE_REQUEST, NULL, 902);
	say(SIDE_REQUEST, "GET x\r\n");
	say(SIDE_RESPONSE, "+OK\r\n$1000\r\n");
	feed(SIDE_RESPONSE, NULL, 1002);
	expect("SET;GET;");
}

static void is_lost_where_messages_begin(void **state)
{
	(void)state;
	begin();
	say(SIDE_REQUEST, "*1\r\n$4\r\nPING\r\n");
	feed(SIDE_REQUEST, NULL, 1);
	expect("lost;");
	begin();
	say(SIDE_REQUEST, "*2\r\n$3\r\n");
	feed(SIDE_REQUEST, NULL, 5);
	say(SIDE_REQUEST, "$1\r\nx\r\n");
	expect("unseen;");
	say(SIDE_RESPONSE, "*2\r\n:1\r\n");
	feed(SIDE_RESPONSE, NULL, 4);
	expect("unseen;lost;");
}

static void refuses_what_is_no_redis(void **state)
{
	static const struct {
		enum message_side side;
		const char *bytes;
		const char *expected;
	} junk[] = {
		{ SIDE_REQUEST, "\x16\x03\x01", "not mine;" },
		{ SIDE_REQUEST, "*x\r\n", "not mine;" },
		{ SIDE_REQUEST, "*1\r\n+OK\r\n", "not mine;" },
		{ SIDE_REQUEST, "*1\r\n$-1\r\n", "not mine;" },
		{ SIDE_REQUEST, "*1\r\n$99999999999999999999\r\n", "not mine;" },
		{ SIDE_REQUEST, "*1\r\n$1\r\nxyz", "broken;" },
		{ SIDE_RESPONSE, "HTTP/1.1 200 OK\r\n", "not mine;" },
		{ SIDE_RESPONSE, "*1\r\nOK\r\n", "broken;" },
		{ SIDE_RESPONSE, "$2\r\nxxyy", "broken;" },
		{ SIDE_RESPONSE, "*99999999999999\r\n", "broken;" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(junk) / sizeof(junk[0]); i++) {
		begin();
		say(junk[i].side, junk[i].bytes);
		expect(junk[i].expected);
	}
}

static void sniffs(void **state)
{
	static const struct {
		const char *bytes;
		enum sniff_result expected;
	} firsts[] = {
		{ "", SNIFF_MORE },
		{ "*", SNIFF_MORE },
		{ "*12\r", SNIFF_MORE },
		{ "*1\r\n$", SNIFF_MORE },
		{ "*1\r\n$4", SNIFF_REQUEST },
		{ "*0\r\n$4", SNIFF_NO },
		{ "*1\r\n+", SNIFF_NO },
		{ "*12345678", SNIFF_NO },
		{ "PI", SNIFF_MORE },
		{ "ping\r\n", SNIFF_REQUEST },
		{ "PINGS", SNIFF_NO },
		{ "GET key\r\n", SNIFF_NO },
		{ "+OK\r\n", SNIFF_NO },
		{ "INFO {", SNIFF_NO },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(firsts) / sizeof(firsts[0]); i++)
		assert_int_equal(protocol_redis.sniff((const uint8_t *)firsts[i].bytes,
						      strlen(firsts[i].bytes)),
				 firsts[i].expected);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(understands_the_real_server),
		cmocka_unit_test(understands_every_split),
		cmocka_unit_test(understands_single_bytes),
		cmocka_unit_test(tells_what_came_before_a_cut),
		cmocka_unit_test(skips_values_unseen),
		cmocka_unit_test(is_lost_where_messages_begin),
		cmocka_unit_test(refuses_what_is_no_redis),
		cmocka_unit_test(sniffs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
