/* SPDX-License-Identifier: Apache-2.0 */
/* What PostgreSQL and its clients said, whole, split at every byte, cut at every length, and with holes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "postgresql_talks.h"
#include "protocol/postgresql_state.h"
#include "protocol/protocol.h"

#define TEXT_MAX 4096
#define WAITING_MAX 64

/* Pairs answers with requests as the engine does, and writes down what it comes to. */
struct pairing {
	_Alignas(8) uint8_t state[PROTOCOL_STATE_MAX];
	struct exchange_facts waiting[WAITING_MAX]; /* from `first` to `last`; beyond: nobody */
	size_t first;
	size_t last;
	bool has_orphan;
	bool is_over;
	char text[TEXT_MAX];
};

static struct pairing pairing;

static void put(const char *text)
{
	assert_true(strlen(pairing.text) + strlen(text) < TEXT_MAX);
	strcat(pairing.text, text);
}

static void put_outcomes(uint64_t outcomes)
{
	if (outcomes & 1ull << PARSE_SEVERAL_STATEMENTS)
		put("+");
	if (outcomes & 1ull << PARSE_STATEMENT_UNKNOWN)
		put("?");
	if (outcomes & 1ull << PARSE_ENCRYPTED)
		put("encrypted;");
}

static void put_exchange(const struct exchange_facts *facts)
{
	const char *operation = facts->attributes[ATTRIBUTE_DB_OPERATION_NAME];
	const char *table = facts->attributes[ATTRIBUTE_DB_COLLECTION_NAME];
	const char *error = facts->attributes[ATTRIBUTE_ERROR_TYPE];

	assert_string_equal(facts->attributes[ATTRIBUTE_DB_SYSTEM_NAME], "postgresql");
	assert_int_equal(!error, facts->sides[SIDE_RESPONSE].fault == FAULT_NONE);
	if (facts->is_preparation && !error) {
		put_outcomes(facts->outcomes);
		return;
	}
	put(operation ? operation : "-");
	put(table ? " " : "");
	put(table ? table : "");
	put(error ? "=" : "");
	put(error ? error : "");
	put_outcomes(facts->outcomes);
	put(";");
}

static void retire_oldest(void)
{
	if (pairing.has_orphan)
		put("orphan ");
	put_exchange(&pairing.waiting[pairing.first]);
	pairing.has_orphan = false;
	if (++pairing.first == pairing.last) {
		memset(pairing.waiting, 0, sizeof(pairing.waiting));
		pairing.first = pairing.last = 0;
	}
}

static void take_answer_step(enum protocol_step step)
{
	if (step == STEP_BEGIN && pairing.first == pairing.last) {
		pairing.has_orphan = true;
		pairing.last++;
	}
	if (step == STEP_END || step == STEP_UNSEEN) {
		assert_true(pairing.first < pairing.last);
		retire_oldest();
	}
}

static void take_request_step(enum protocol_step step)
{
	struct exchange_facts *newest = &pairing.waiting[pairing.last ? pairing.last - 1 : 0];

	if (step == STEP_BEGIN)
		assert_true(pairing.last++ < WAITING_MAX - 1);
	if (step == STEP_END && newest->sides[SIDE_REQUEST].is_one_way) {
		memset(newest, 0, sizeof(*newest));
		pairing.last--;
		put("one-way;");
	}
}

static void take_step(enum message_side side, enum protocol_step step)
{
	static const char *const failures[STEP_COUNT] = { [STEP_UNSEEN] = "unseen;",
							  [STEP_NOT_MINE] = "not mine;",
							  [STEP_BROKEN] = "broken;",
							  [STEP_LOST] = "lost;",
							  [STEP_PUSH] = "push;" };

	if (failures[step])
		put(failures[step]);
	pairing.is_over |= failures[step] && step != STEP_UNSEEN && step != STEP_PUSH;
	if (side == SIDE_REQUEST)
		take_request_step(step);
	else
		take_answer_step(step);
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
	while (length && !pairing.is_over) {
		step = protocol_postgresql.parse(pairing.state, side, &run, facts_of(side));
		take_step(side, step);
		if (step == STEP_MORE || (step == STEP_END && !run.length))
			break;
	}
	free(copy);
}

static void *plan_pool;

static void begin(void)
{
	protocol_postgresql.release(pairing.state);
	protocol_postgresql.shared_free(&plan_pool);
	memset(&pairing, 0, sizeof(pairing));
	plan_pool = protocol_postgresql.shared_new();
	memcpy(pairing.state, &plan_pool, sizeof(plan_pool));
}

#define SAY(side, literal) feed(side, literal, sizeof(literal) - 1)

static void expect(const char *text)
{
	assert_string_equal(pairing.text, text);
}

static const char *const expected[TALK_COUNT] = {
	[TALK_SIMPLE] =
		"CREATE t;INSERT t;SELECT t;UPDATE t+;SELECT=22012;other;other;DO;LISTEN;push;NOTIFY;SET;"
		"INSERT t;BEGIN;other=42601;COMMIT;",
	[TALK_COPY] = "CREATE t;COPY t;COPY t;COPY t=42601;",
	[TALK_REFUSED] = "CONNECT=3D000;",
	[TALK_PREPARED] = "SELECT pgbench_accounts;SELECT;SELECT pgbench_accounts;SELECT;",
	[TALK_PIPELINE] = "BEGIN;SELECT pgbench_accounts;END;BEGIN;SELECT pgbench_accounts;END;",
	[TALK_PSYCOPG] =
		"CREATE t;INSERT t;INSERT t;SELECT t;INSERT t;SELECT=22012;INSERT t=pipeline_aborted;COPY t;"
		"COPY t;SELECT t;SELECT t;SELECT t;INSERT t=23505;SELECT;",
	[TALK_ASYNCPG] = "BEGIN;SELECT;SELECT;SELECT;COMMIT;SELECT nope=42P01;SELECT;",
	[TALK_CANCEL] = "BEGIN;SELECT=57014;",
	[TALK_CANCEL_B] = "one-way;",
	[TALK_PG8000] = "BEGIN;SELECT;SELECT;COMMIT;",
};

/* All pieces; the byte numbered `split` begins a piece of its own; nothing after `end`. */
static void play(const struct talk_piece *piece, size_t split, size_t end)
{
	size_t at = 0;

	begin();
	for (; piece->side && at < end; at += piece++->length) {
		enum message_side side = piece->side == 'Q' ? SIDE_REQUEST : SIDE_RESPONSE;
		size_t length = end - at < piece->length ? end - at : piece->length;
		size_t first = split > at && split - at < length ? split - at : length;

		feed(side, piece->bytes, first);
		feed(side, piece->bytes + first, length - first);
	}
}

static size_t length_of(const struct talk_piece *piece)
{
	size_t length = 0;

	for (; piece->side; piece++)
		length += piece->length;
	return length;
}

static void understands_the_real_server(void **state)
{
	(void)state;
	for (size_t i = 0; i < TALK_COUNT; i++) {
		play(postgresql_talks[i], 0, SIZE_MAX);
		expect(expected[i]);
		assert_int_equal(pairing.first, pairing.last);
	}
}

static void understands_every_split(void **state)
{
	(void)state;
	for (size_t i = 0; i < TALK_COUNT; i++)
		for (size_t split = 1; split < length_of(postgresql_talks[i]); split++) {
			play(postgresql_talks[i], split, SIZE_MAX);
			expect(expected[i]);
		}
}

static void understands_single_bytes(void **state)
{
	(void)state;
	for (size_t i = 0; i < TALK_COUNT; i++) {
		begin();
		for (const struct talk_piece *piece = postgresql_talks[i]; piece->side; piece++)
			for (size_t at = 0; at < piece->length; at++)
				feed(piece->side == 'Q' ? SIDE_REQUEST : SIDE_RESPONSE,
				     piece->bytes + at, 1);
		expect(expected[i]);
	}
}

/* What is there is told; nothing more, and never another thing. */
static void tells_what_came_before_a_cut(void **state)
{
	(void)state;
	for (size_t i = 0; i < TALK_COUNT; i++)
		for (size_t end = 0; end < length_of(postgresql_talks[i]); end++) {
			play(postgresql_talks[i], 0, end);
			assert_memory_equal(pairing.text, expected[i], strlen(pairing.text));
			assert_false(pairing.is_over);
		}
}

#define READY "Z\0\0\0\5I"
#define SYNC "S\0\0\0\4"
#define SELECT_TAG "C\0\0\0\15SELECT 1\0"

static void skips_what_needs_no_bytes(void **state)
{
	(void)state;
	begin();
	SAY(SIDE_REQUEST, "Q\0\0\3\xe8UPDATE t SET a = '");
	feed(SIDE_REQUEST, NULL, 996 - 18);
	SAY(SIDE_RESPONSE, "T\0\0\1\0");
	feed(SIDE_RESPONSE, NULL, 252);
	SAY(SIDE_RESPONSE, "D\0\1\0\0");
	feed(SIDE_RESPONSE, NULL, 65532);
	SAY(SIDE_RESPONSE, "C\0\0\0\15UPDATE 1\0" READY);
	expect("UPDATE t;");
	SAY(SIDE_REQUEST, "P\0\0\0\27\0SELECT * FROM u\0\0\0B\0\0\3\xe8\0\0");
	feed(SIDE_REQUEST, NULL, 994);
	SAY(SIDE_REQUEST, "E\0\0\0\11\0\0\0\0\0" SYNC);
	SAY(SIDE_RESPONSE, "1\0\0\0\4"
			   "2\0\0\0\4" SELECT_TAG READY);
	expect("UPDATE t;SELECT u;");
}

static void marks_what_it_cannot_know(void **state)
{
	(void)state;
	begin();
	SAY(SIDE_REQUEST, "Q\0\0\0\20");
	feed(SIDE_REQUEST, NULL, 12);
	SAY(SIDE_RESPONSE, SELECT_TAG READY);
	expect("unseen;SELECT;");
	begin(); /* prepared before we came */
	SAY(SIDE_REQUEST, "B\0\0\0\20\0known\0\0\0\0\0\0"
			  "E\0\0\0\11\0\0\0\0\0" SYNC);
	SAY(SIDE_RESPONSE, "2\0\0\0\4" SELECT_TAG READY);
	expect("SELECT?;");
	begin();
	SAY(SIDE_REQUEST, "Q\0\0\0");
	feed(SIDE_REQUEST, NULL, 1);
	expect("lost;");
	begin();
	SAY(SIDE_REQUEST, "Q\0\0\0\15SELECT 1\0");
	feed(SIDE_RESPONSE, NULL, 1);
	expect("lost;");
}

static void takes_answers_without_requests(void **state)
{
	(void)state;
	begin();
	SAY(SIDE_RESPONSE, "D\0\0\0\4" SELECT_TAG READY);
	expect("orphan SELECT;");
	SAY(SIDE_REQUEST, "Q\0\0\0\15UPDATE t\0");
	SAY(SIDE_RESPONSE, "C\0\0\0\15UPDATE 1\0" READY);
	expect("orphan SELECT;UPDATE t;");
	SAY(SIDE_RESPONSE, "E\0\0\0\15C57P01\0\0\0");
	expect("orphan SELECT;UPDATE t;push;");
}

/* When the server closes with an error nothing says that it is ready. */
static void ends_with_the_connection(void **state)
{
	(void)state;
	begin();
	SAY(SIDE_REQUEST, "Q\0\0\0\15SELECT 1\0");
	SAY(SIDE_RESPONSE, "E\0\0\0\15C57P01\0\0\0");
	expect("");
	take_step(SIDE_RESPONSE,
		  protocol_postgresql.boundary(pairing.state, SIDE_RESPONSE, BOUNDARY_CLOSE, 0));
	expect("SELECT=57P01;");
}

#define ASK_SSL "\0\0\0\10\4\xd2\x16\x2f"

static void leaves_encrypted_connections_alone(void **state)
{
	(void)state;
	begin();
	SAY(SIDE_REQUEST, ASK_SSL);
	SAY(SIDE_RESPONSE, "S");
	expect("encrypted;");
	assert_true(pairing.waiting[0].sides[SIDE_RESPONSE].opens_tunnel || !pairing.last);
	begin();
	SAY(SIDE_REQUEST, ASK_SSL);
	SAY(SIDE_RESPONSE, "E\0\0\0\15C08P01\0\0\0");
	expect("CONNECT=08P01;");
}

static void refuses_what_is_no_postgresql(void **state)
{
	static const struct {
		enum message_side side;
		const char *bytes;
		const char *expected;
	} junk[] = {
		{ SIDE_REQUEST, "\x16\x03\x01", "not mine;" },
		{ SIDE_REQUEST, "GET / HTTP/1.1", "not mine;" },
		{ SIDE_REQUEST, "Q\xff\xff\xff\xff", "broken;" },
		{ SIDE_REQUEST, "X\1\1\1\1", "" },
		{ SIDE_RESPONSE, "HTTP/1.1 200 OK\r\n", "broken;" },
		{ SIDE_RESPONSE, "\n", "not mine;" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(junk) / sizeof(junk[0]); i++) {
		begin();
		feed(junk[i].side, junk[i].bytes, strlen(junk[i].bytes));
		expect(junk[i].expected);
	}
}

#define FIRST(literal, result)                       \
	{                                            \
		literal, sizeof(literal) - 1, result \
	}

static void sniffs(void **state)
{
	static const struct {
		const char *bytes;
		size_t length;
		enum sniff_result expected;
	} firsts[] = {
		FIRST("", SNIFF_MORE),
		FIRST("\0", SNIFF_MORE),
		FIRST("\0\0\0\10\4\xd2\x16", SNIFF_MORE),
		FIRST(ASK_SSL, SNIFF_REQUEST),
		FIRST("\0\0\0\10\4\xd2\x16\x30", SNIFF_REQUEST),
		FIRST("\0\0\0\20\4\xd2\x16\x2e", SNIFF_REQUEST),
		FIRST("\0\0\0\52\0\3\0\0", SNIFF_MORE),
		FIRST("\0\0\0\52\0\3\0\0user", SNIFF_REQUEST),
		FIRST("\0\0\0\52\0\3\0\0\0\0\0\1", SNIFF_NO), /* Kafka */
		FIRST("\0\0\0\52\0\2\0\0user", SNIFF_NO),
		FIRST("\0\1\0\52\0\3\0\0user", SNIFF_NO),
		FIRST("Q\0\0\0\15SELECT", SNIFF_MORE),
		FIRST("Q\0\0\0\15SELECT 1\0", SNIFF_REQUEST),
		FIRST("Q\0\0\0\15SELECT 1x", SNIFF_NO),
		FIRST("Q\0\0\1\15SELECT 1x", SNIFF_REQUEST),
		FIRST("Q\0\0\1\15SE\1ECT 1x", SNIFF_NO),
		FIRST("Q\0\0\0\5\0", SNIFF_REQUEST),
		FIRST("Query", SNIFF_NO),
		FIRST("P\0\0\0\27\0SELECT * FROM", SNIFF_REQUEST),
		FIRST("P\0\0\0\27S_1\0SELECT * FROM", SNIFF_REQUEST),
		FIRST("B\0\0\0\14\0\0\0\0\0\0\0\0", SNIFF_REQUEST),
		FIRST("E\0\0\0\11\0\0\0\0\0", SNIFF_REQUEST),
		FIRST("E\0\0\0\12p\0\0\0\0\0", SNIFF_REQUEST),
		FIRST("E\0\0\0\251SERROR\0VERROR\0C23505\0", SNIFF_NO), /* an answer */
		FIRST("C\0\0\0\10SET\0", SNIFF_NO),			/* the same */
		FIRST("C\0\0\0\16SAVEPOINT\0", SNIFF_NO),
		FIRST("C\0\0\0\10Ss1\0", SNIFF_REQUEST),
		FIRST("D\0\0\0\6S\0", SNIFF_REQUEST),
		FIRST("D\0\0\0\6X\0", SNIFF_NO),
		FIRST(SYNC, SNIFF_REQUEST),
		FIRST("S\0\0\0\5", SNIFF_NO),
		FIRST("X\0\0\0\4", SNIFF_NO),
	};

	(void)state;
	for (size_t i = 0; i < sizeof(firsts) / sizeof(firsts[0]); i++)
		assert_int_equal(protocol_postgresql.sniff((const uint8_t *)firsts[i].bytes,
							   firsts[i].length),
				 firsts[i].expected);
}

/* Every turn of a client that leads to a request begins like one. */
static void sniffs_the_real_clients(void **state)
{
	(void)state;
	for (size_t i = 0; i < TALK_COUNT; i++)
		for (const struct talk_piece *piece = postgresql_talks[i]; piece->side; piece++)
			if (piece->side == 'Q' && !strchr("dXcf", *piece->bytes | !*piece->bytes))
				assert_int_equal(protocol_postgresql.sniff(
							 (const uint8_t *)piece->bytes,
							 piece->length < SNIFF_MAX ? piece->length :
										     SNIFF_MAX),
						 SNIFF_REQUEST);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(understands_the_real_server),
		cmocka_unit_test(understands_every_split),
		cmocka_unit_test(understands_single_bytes),
		cmocka_unit_test(tells_what_came_before_a_cut),
		cmocka_unit_test(skips_what_needs_no_bytes),
		cmocka_unit_test(marks_what_it_cannot_know),
		cmocka_unit_test(takes_answers_without_requests),
		cmocka_unit_test(ends_with_the_connection),
		cmocka_unit_test(leaves_encrypted_connections_alone),
		cmocka_unit_test(refuses_what_is_no_postgresql),
		cmocka_unit_test(sniffs),
		cmocka_unit_test(sniffs_the_real_clients),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	protocol_postgresql.release(pairing.state);
	protocol_postgresql.shared_free(&plan_pool);
	return failed;
}
