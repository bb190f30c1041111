/* SPDX-License-Identifier: Apache-2.0 */
/* DNS over TCP: captured messages whole, split at every byte, with holes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dns_talks.h"
#include "failing_alloc.h"
#include "protocol/dns.h"

static struct {
	_Alignas(8) uint8_t state[PROTOCOL_STATE_MAX];
	struct exchange_facts facts;
	char log[1024];
} talk;

static void begin(void)
{
	protocol_dns.release(talk.state);
	memset(&talk, 0, sizeof(talk));
}

static void note(enum message_side side, enum protocol_step step)
{
	size_t used = strlen(talk.log);
	const struct dns_message *message;

	if (step == STEP_MORE)
		return;
	if (step != STEP_APART) {
		snprintf(talk.log + used, sizeof(talk.log) - used, "%s;",
			 step == STEP_LOST ? "lost" : "not mine");
		return;
	}
	message = dns_newest_message(talk.state, side);
	snprintf(talk.log + used, sizeof(talk.log) - used, "%x %s;", message->id, message->name);
}

static void feed(enum message_side side, const uint8_t *bytes, size_t length)
{
	uint8_t *copy = bytes ? malloc(length) : NULL;
	struct protocol_run run = { .bytes = copy, .length = length };
	enum protocol_step step;

	if (bytes) {
		assert_non_null(copy);
		memcpy(copy, bytes, length);
	}
	do {
		step = protocol_dns.parse(talk.state, side, &run, &talk.facts);
		note(side, step);
	} while (step == STEP_APART);
	free(copy);
}

/* All segments, the queries and the answers as one run each, split at `split`. */
static void play(size_t split)
{
	uint8_t said[SIDE_COUNT][2048];
	size_t length[SIDE_COUNT] = { 0, 0 };

	for (size_t i = 0; i < dns_segment_count; i++)
		length[i % 2] += dns_unhex(dns_segments[i].hex, said[i % 2] + length[i % 2]);
	begin();
	for (unsigned side = 0; side < SIDE_COUNT; side++) {
		size_t first = split < length[side] ? split : length[side];

		feed(side, said[side], first);
		if (first < length[side])
			feed(side, said[side] + first, length[side] - first);
	}
}

#define ALL "aa52 www.example.test;ac30 www.example.test;60c9 nope.example.test;"

static void tells_messages_apart(void **state)
{
	(void)state;
	play(SIZE_MAX);
	assert_string_equal(talk.log, ALL ALL);
}

static void understands_every_split(void **state)
{
	(void)state;
	for (size_t split = 1; split < 200; split++) {
		play(split);
		assert_string_equal(talk.log, ALL ALL);
	}
}

static void recognises_queries_and_answers(void **state)
{
	uint8_t bytes[DNS_SAID_MAX];

	(void)state;
	for (size_t i = 0; i < dns_segment_count; i++) {
		size_t length = dns_unhex(dns_segments[i].hex, bytes);

		for (size_t end = 0; end < SNIFF_MAX && end < length; end++) {
			enum sniff_result result = protocol_dns.sniff(bytes, end);

			if (end < 15u + bytes[14])
				assert_int_equal(result, SNIFF_MORE);
			else
				assert_int_equal(result, i % 2 ? SNIFF_RESPONSE : SNIFF_REQUEST);
		}
	}
}

static void leaves_others_alone(void **state)
{
	static const char *const others[] = {
		"474554202f20485454502f312e310d0a", "160301020001",	  "0000000804d2162f",
		"0039aa522120000100000000000103",   "0010aa5201200001",	  "0039aa520120000200",
		"0039aa52012000010000000000010301", "0539aa520120000100", "0401aa5201200001",
	};
	uint8_t bytes[DNS_SAID_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		assert_int_equal(protocol_dns.sniff(bytes, dns_unhex(others[i], bytes)), SNIFF_NO);
}

/* Records beyond the question nobody needs. */
static void skips_the_rest_unseen(void **state)
{
	uint8_t bytes[DNS_SAID_MAX] = { 0 };
	size_t length = dns_unhex(dns_segments[3].hex, bytes);

	(void)state;
	begin();
	bytes[0] = 1000 >> 8;
	bytes[1] = 1000 & 0xff;
	feed(SIDE_RESPONSE, bytes, length < 300 ? 300 : length);
	feed(SIDE_RESPONSE, NULL, 1002 - 300);
	bytes[0] = 0;
	bytes[1] = (uint8_t)(length - 2);
	feed(SIDE_RESPONSE, bytes, length);
	assert_string_equal(talk.log, "ac30 www.example.test;ac30 www.example.test;");
}

static void is_lost_without_a_question(void **state)
{
	uint8_t bytes[DNS_SAID_MAX];
	size_t length = dns_unhex(dns_segments[0].hex, bytes);

	(void)state;
	begin();
	feed(SIDE_REQUEST, bytes, 20);
	feed(SIDE_REQUEST, NULL, length - 20);
	assert_string_equal(talk.log, "lost;");
	(void)protocol_dns.boundary(talk.state, SIDE_REQUEST, BOUNDARY_RESYNC, 0);
	feed(SIDE_REQUEST, bytes, length);
	assert_string_equal(talk.log, "lost;aa52 www.example.test;");
}

static void passes_over_other_opcodes(void **state)
{
	uint8_t bytes[DNS_SAID_MAX];
	size_t length = dns_unhex(dns_segments[0].hex, bytes);

	(void)state;
	begin();
	bytes[4] |= 0x20;
	feed(SIDE_REQUEST, bytes, length);
	bytes[4] &= (uint8_t)~0x20;
	feed(SIDE_REQUEST, bytes, length);
	assert_string_equal(talk.log, "aa52 www.example.test;");
	bytes[14] = 0xff;
	feed(SIDE_REQUEST, bytes, length);
	assert_string_equal(talk.log, "aa52 www.example.test;not mine;");
}

static void without_memory(void **state)
{
	(void)state;
	begin();
	failing_alloc_at(0);
	note(SIDE_REQUEST, protocol_dns.parse(talk.state, SIDE_REQUEST,
					      &(struct protocol_run){
						      .bytes = (const uint8_t *)"\0", .length = 1 },
					      &talk.facts));
	assert_true(failing_alloc_stop());
	assert_string_equal(talk.log, "lost;");
}

static int end(void **state)
{
	(void)state;
	protocol_dns.release(talk.state);
	memset(&talk, 0, sizeof(talk));
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(tells_messages_apart, end),
		cmocka_unit_test_teardown(understands_every_split, end),
		cmocka_unit_test(recognises_queries_and_answers),
		cmocka_unit_test(leaves_others_alone),
		cmocka_unit_test_teardown(skips_the_rest_unseen, end),
		cmocka_unit_test_teardown(is_lost_without_a_question, end),
		cmocka_unit_test_teardown(passes_over_other_opcodes, end),
		cmocka_unit_test_teardown(without_memory, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
