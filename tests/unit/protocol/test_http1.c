/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies, and ends that are not in the bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "transcript.h"

#define CHUNKED "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
#define LENGTH_9 "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"
#define BEGUN "A-begin A-head(200)"
#define TAIL_LAST_CHUNK 0x0a0d0a0d300a0d63 /* "c\r\n0\r\n\r\n", oldest first */
#define TAIL_ALONE 0x0a0d0a0d30000000
#define TAIL_DATA 0x0a0d0a0d30313233
#define TAIL_TRAILER 0x0a0d0a0d79203a78

static struct transcript transcript;

static int setup(void **state)
{
	(void)state;
	transcript_clear(&transcript);
	return 0;
}

static void answer(const char *bytes)
{
	transcript_feed(&transcript, SIDE_RESPONSE, bytes, strlen(bytes), 1000);
}

static void answer_unseen(size_t length)
{
	transcript_feed(&transcript, SIDE_RESPONSE, NULL, length, length);
}

static void boundary(enum protocol_boundary what, uint64_t tail)
{
	transcript_boundary(&transcript, SIDE_RESPONSE, what, tail);
}

static void expect(const char *text)
{
	assert_string_equal(transcript.text, text);
}

static void decodes_chunks(void **state)
{
	static const struct {
		const char *body;
		const char *expected;
	} bodies[] = {
		{ "0\r\n\r\n", BEGUN " A-end" },
		{ "5\r\nhello\r\n0\r\n\r\n", BEGUN " A-end(5)" },
		{ "0005 ; a=\"b\"\r\nhello\r\naA\r\n"
		  "----------------------------------------------------------------------------------------------------"
		  "----------------------------------------------------------------------\r\n0\r\n\r\n",
		  BEGUN " A-end(175)" },
		{ "5\nhello\n0\n\n", BEGUN " A-end(5)" },
		{ "0\r\nA: b\r\nC: d\r\n\r\n", BEGUN " A-end" },
		{ "5\r\nhello\r\n0\r\n", BEGUN },
		{ "5\r\nhell", BEGUN },
		{ "x\r\n", BEGUN " A-broken" },
		{ "\r\n", BEGUN " A-broken" },
		{ "5x\r\n", BEGUN " A-broken" },
		{ "fffffffffffffffff\r\n", BEGUN " A-broken" },
		{ "5\r\nhello0\r\n", BEGUN " A-broken" },
		{ "5\r\nhello\rx", BEGUN " A-broken" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
		for (size_t piece = 1; piece <= strlen(bodies[i].body); piece++) {
			transcript_clear(&transcript);
			answer(CHUNKED);
			transcript_feed(&transcript, SIDE_RESPONSE, bodies[i].body,
					strlen(bodies[i].body), piece);
			expect(bodies[i].expected);
		}
	}
}

static void skips_lengths_unseen(void **state)
{
	(void)state;
	answer(LENGTH_9 "abc");
	answer_unseen(5);
	expect(BEGUN);
	answer("i" LENGTH_9);
	answer_unseen(9);
	expect(BEGUN " A-end(9) " BEGUN " A-end(18)");
}

static void skips_chunk_data_unseen(void **state)
{
	(void)state;
	answer(CHUNKED "9\r\nabc");
	answer_unseen(5);
	answer("i\r\n0\r\n\r\n");
	expect(BEGUN " A-end(9)");
}

static void ends_in_the_dark_by_tail(void **state)
{
	static const struct {
		uint64_t tail;
		bool is_end;
	} tails[] = {
		{ 0, false },	      { TAIL_DATA, false },	 { TAIL_TRAILER, false },
		{ TAIL_ALONE, true }, { TAIL_LAST_CHUNK, true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(tails) / sizeof(tails[0]); i++) {
		transcript_clear(&transcript);
		answer(CHUNKED);
		boundary(BOUNDARY_PROGRESS, TAIL_LAST_CHUNK); /* not in the dark yet */
		answer_unseen(100);
		assert_int_equal(transcript.facts.sides[SIDE_RESPONSE].end, END_UNFRAMED);
		boundary(BOUNDARY_PROGRESS, tails[i].tail);
		expect(tails[i].is_end ? BEGUN " A-end(100)" : BEGUN);
	}
}

static void ends_in_the_dark_otherwise(void **state)
{
	static const enum protocol_boundary ends[] = { BOUNDARY_TURN, BOUNDARY_IDLE,
						       BOUNDARY_CLOSE };

	(void)state;
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		transcript_clear(&transcript);
		answer(CHUNKED);
		answer_unseen(100);
		boundary(ends[i], TAIL_TRAILER);
		answer(LENGTH_9 "abcdefghi");
		expect(BEGUN " A-end(100) " BEGUN " A-end(109)");
	}
}

static void ends_nothing_that_is_framed(void **state)
{
	static const enum protocol_boundary none[] = { BOUNDARY_PROGRESS, BOUNDARY_TURN,
						       BOUNDARY_IDLE, BOUNDARY_CLOSE };

	(void)state;
	answer(LENGTH_9 "abc");
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
		boundary(none[i], TAIL_LAST_CHUNK);
	expect(BEGUN);
	assert_int_equal(transcript.facts.sides[SIDE_RESPONSE].end, END_FRAMED);
	boundary(BOUNDARY_RESYNC, 0);
	answer(LENGTH_9);
	expect(BEGUN " " BEGUN);
}

static void ends_with_the_connection(void **state)
{
	(void)state;
	answer("HTTP/1.0 200 OK\r\n\r\nabc");
	answer_unseen(5);
	assert_int_equal(transcript.facts.sides[SIDE_RESPONSE].end, END_AT_CLOSE);
	boundary(BOUNDARY_TURN, 0);
	boundary(BOUNDARY_IDLE, 0);
	expect(BEGUN);
	boundary(BOUNDARY_CLOSE, 0);
	expect(BEGUN " A-end(8)");
}

/* The head's length is not known, the body's is. */
static void guesses_the_end_after_a_cut_head(void **state)
{
	(void)state;
	answer("HTTP/1.1 200 OK\r\nContent-Length: 9\r\nX: y");
	answer_unseen(8);
	assert_int_equal(transcript.facts.sides[SIDE_RESPONSE].end, END_UNFRAMED);
	answer_unseen(1);
	assert_int_equal(transcript.facts.sides[SIDE_RESPONSE].end, END_LIKELY);
	boundary(BOUNDARY_PROGRESS, TAIL_LAST_CHUNK); /* not chunked */
	expect(BEGUN);
	boundary(BOUNDARY_IDLE, 0);
	expect(BEGUN " A-end");
}

static void gives_HEAD_no_body(void **state)
{
	(void)state;
	transcript_feed(&transcript, SIDE_REQUEST, "HEAD / HTTP/1.1\r\n\r\n", 19, 19);
	answer(LENGTH_9);
	expect("Q-begin Q-head(HEAD / 1.1) Q-end " BEGUN " A-end");
	assert_true(transcript.facts.outcomes & 1ull << PARSE_HEAD);
}

static void opens_a_tunnel_to_CONNECT(void **state)
{
	(void)state;
	transcript_feed(&transcript, SIDE_REQUEST, "CONNECT a:1 HTTP/1.1\r\n\r\n", 24, 24);
	answer("HTTP/1.1 200 OK\r\n\r\n");
	expect("Q-begin Q-head(CONNECT - 1.1) Q-end A-begin A-head(200 tunnel)");
	assert_true(transcript.facts.outcomes & 1ull << PARSE_CONNECT);
}

static void finds_faults(void **state)
{
	static const struct {
		const char *head;
		enum message_fault fault;
	} heads[] = {
		{ "HTTP/1.1 399 x\r\n\r\n", FAULT_NONE },
		{ "HTTP/1.1 400 x\r\n\r\n", FAULT_CLIENT },
		{ "HTTP/1.1 500 x\r\n\r\n", FAULT_SERVER },
		{ "HTTP/1.1 999 x\r\n\r\n", FAULT_SERVER },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
		transcript_clear(&transcript);
		answer(heads[i].head);
		assert_int_equal(transcript.facts.sides[SIDE_RESPONSE].fault, heads[i].fault);
		assert_int_equal(transcript.facts.attributes[ATTRIBUTE_ERROR_TYPE] != NULL,
				 heads[i].fault != FAULT_NONE);
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, setup)
	const struct CMUnitTest tests[] = {
		TEST(decodes_chunks),
		TEST(skips_lengths_unseen),
		TEST(skips_chunk_data_unseen),
		TEST(ends_in_the_dark_by_tail),
		TEST(ends_in_the_dark_otherwise),
		TEST(ends_nothing_that_is_framed),
		TEST(ends_with_the_connection),
		TEST(guesses_the_end_after_a_cut_head),
		TEST(gives_HEAD_no_body),
		TEST(opens_a_tunnel_to_CONNECT),
		TEST(finds_faults),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
