/* SPDX-License-Identifier: Apache-2.0 */
/* See pairing.h. */
#include "pairing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define TEXT_MAX 4096
#define WAITING_MAX 64

static struct {
	const struct protocol *protocol;
	_Alignas(8) uint8_t state[PROTOCOL_STATE_MAX];
	void *shared;
	struct exchange_facts waiting[WAITING_MAX]; /* from `first` to `last`; beyond: nobody */
	size_t first;
	size_t last;
	struct exchange_facts paired; /* of a protocol that pairs by itself */
	bool has_orphan;
	bool is_over;
	bool is_over_well; /* what follows is another protocol */
	char text[TEXT_MAX];
} pairing;

static bool is_telling_figures;

void pairing_tell_figures(bool is_telling)
{
	is_telling_figures = is_telling;
}

static void put(const char *text)
{
	assert_true(strlen(pairing.text) + strlen(text) < TEXT_MAX);
	strcat(pairing.text, text);
}

static void put_outcomes(uint64_t outcomes)
{
	static const struct {
		enum parse_outcome outcome;
		const char *text;
	} marks[] = { { PARSE_SEVERAL_STATEMENTS, "+" },
		      { PARSE_STATEMENT_UNKNOWN, "?" },
		      { PARSE_FEED, "!" },
		      { PARSE_ENCRYPTED, "encrypted" },
		      { PARSE_COMPRESSED, "compressed" },
		      { PARSE_HEADER_TRUNCATED, "~" },
		      { PARSE_SEVERAL_DESTINATIONS, "+" },
		      { PARSE_DESTINATION_UNKNOWN, "?" },
		      { PARSE_RECORDS_UNSEEN, "~" },
		      { PARSE_VERSION_UNKNOWN, "#" } };

	for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++)
		if (outcomes & 1ull << marks[i].outcome)
			put(marks[i].text);
}

static void put_number(const char *name, uint64_t number)
{
	char text[48];

	(void)snprintf(text, sizeof(text), " %s=%llu", name, (unsigned long long)number);
	put(text);
}

static void put_figures(const struct exchange_facts *facts)
{
	const char *statement = facts->attributes[ATTRIBUTE_DB_QUERY_TEXT];

	assert_true(!statement == !facts->statement);
	if (!is_telling_figures)
		return;
	if (facts->rows_kind)
		put_number(facts->rows_kind == ROWS_RETURNED ? "rows" : "affected", facts->rows);
	if (facts->has_value)
		put_number("value", facts->value_bytes);
	if (facts->outcomes & 1ull << PARSE_ROWS_UNSEEN)
		put(" rows?");
	put(statement ? " <" : "");
	put(statement ? statement : "");
	put(statement ? ">" : "");
}

static const char *first_of(const struct exchange_facts *facts, enum attribute one,
			    enum attribute two, enum attribute three)
{
	if (facts->attributes[one])
		return facts->attributes[one];
	return facts->attributes[two] ? facts->attributes[two] : facts->attributes[three];
}

static void put_exchange(const struct exchange_facts *facts)
{
	const char *operation =
		first_of(facts, ATTRIBUTE_HTTP_REQUEST_METHOD, ATTRIBUTE_MESSAGING_OPERATION_NAME,
			 ATTRIBUTE_DB_OPERATION_NAME);
	const char *table =
		first_of(facts, ATTRIBUTE_URL_PATH, ATTRIBUTE_MESSAGING_DESTINATION_NAME,
			 ATTRIBUTE_DB_COLLECTION_NAME);
	const char *status = facts->attributes[ATTRIBUTE_HTTP_RESPONSE_STATUS_CODE];
	const char *group = facts->attributes[ATTRIBUTE_MESSAGING_CONSUMER_GROUP_NAME];
	const char *error = facts->attributes[ATTRIBUTE_ERROR_TYPE];
	char reads[32] = "";

	assert_int_equal(!error, facts->sides[SIDE_RESPONSE].fault == FAULT_NONE);
	assert_true(facts->read_hits <= facts->reads);
	if (facts->is_preparation && !error) {
		put_outcomes(facts->outcomes);
		return;
	}
	if (facts->reads)
		(void)snprintf(reads, sizeof(reads), " %u/%u", facts->read_hits, facts->reads);
	else if (facts != &pairing.paired && (facts->messages_sent || facts->messages_consumed))
		(void)snprintf(reads, sizeof(reads), " %u>%u", facts->messages_sent,
			       facts->messages_consumed);
	put(operation ? operation : "-");
	put(table ? " " : "");
	put(table ? table : "");
	put(group ? " @" : "");
	put(group ? group : "");
	put(reads);
	put_figures(facts);
	put(status ? " " : "");
	put(status ? status : "");
	put(error ? "=" : "");
	put(error ? error : "");
	put_outcomes(facts->outcomes);
	put(";");
}

static void put_failure(const struct exchange_facts *facts)
{
	static const struct {
		enum parse_outcome failure;
		const char *text;
	} failures[] = { { PARSE_LOST, "lost " },
			 { PARSE_PARTIAL, "partial " },
			 { PARSE_UNMATCHED_RESPONSE, "unmatched " },
			 { PARSE_NO_RESPONSE, "unanswered " } };

	for (size_t i = 0; i < sizeof(failures) / sizeof(failures[0]); i++)
		if (facts->failure == failures[i].failure)
			put(failures[i].text);
}

/* What pairs by itself tells all at once. */
static void put_paired(void)
{
	struct exchange_facts *facts = &pairing.paired;

	put_failure(facts);
	put(facts->is_untimed ? "~" : "");
	put(facts->is_preparation ? "left;" : "");
	put(facts->messages_sent ? "sent " : "");
	put(facts->messages_consumed ? "got " : "");
	put_exchange(facts);
	memset(facts, 0, sizeof(*facts));
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
	if (step == STEP_HEAD && pairing.waiting[pairing.first].sides[SIDE_RESPONSE].opens_tunnel) {
		pairing.is_over_well = true;
		retire_oldest();
	}
	if (step == STEP_END || step == STEP_UNSEEN || step == STEP_SILENT) {
		assert_true(pairing.first < pairing.last);
		put(step == STEP_SILENT ? "silent " : "");
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
	static const char *const failures[STEP_COUNT] = {
		[STEP_UNSEEN] = "unseen;", [STEP_NOT_MINE] = "not mine;", [STEP_BROKEN] = "broken;",
		[STEP_LOST] = "lost;",	   [STEP_PUSH] = "push;",	  [STEP_STRAY] = "stray;"
	};

	if (step == STEP_EXCHANGE) {
		put_paired();
		return;
	}
	if (failures[step])
		put(failures[step]);
	pairing.is_over |=
		failures[step] && step != STEP_UNSEEN && step != STEP_PUSH && step != STEP_STRAY;
	if (side == SIDE_REQUEST)
		take_request_step(step);
	else
		take_answer_step(step);
}

static struct exchange_facts *facts_of(enum message_side side)
{
	size_t newest = pairing.last ? pairing.last - 1 : 0;

	if (pairing.protocol->give_up)
		return &pairing.paired;
	return &pairing.waiting[side == SIDE_REQUEST ? newest : pairing.first];
}

/* In memory that ends with the bytes. */
void pairing_feed(enum message_side side, const char *bytes, size_t length)
{
	uint8_t *copy = malloc(length ? length : 1);
	struct protocol_run run = { .bytes = bytes ? copy : NULL, .length = length };
	enum protocol_step step = STEP_MORE;

	if (bytes)
		memcpy(copy, bytes, length);
	while (length && !pairing.is_over && !pairing.is_over_well) {
		step = pairing.protocol->parse(pairing.state, side, &run, facts_of(side));
		take_step(side, step);
		if (step == STEP_MORE || (step == STEP_END && !run.length))
			break;
	}
	free(copy);
}

void pairing_boundary(enum message_side side, enum protocol_boundary boundary, uint64_t tail)
{
	if (!pairing.is_over && !pairing.is_over_well)
		take_step(side, pairing.protocol->boundary(pairing.state, side, boundary, tail));
}

void pairing_give_up(bool is_closed)
{
	while (pairing.protocol->give_up(pairing.state, is_closed, &pairing.paired) ==
	       STEP_EXCHANGE)
		put_paired();
}

void pairing_begin(const struct protocol *protocol)
{
	if (pairing.protocol && pairing.protocol->release)
		pairing.protocol->release(pairing.state);
	if (pairing.shared)
		pairing.protocol->shared_free(&pairing.shared);
	memset(&pairing, 0, sizeof(pairing));
	pairing.protocol = protocol;
	if (protocol && protocol->shared_new) {
		pairing.shared = protocol->shared_new();
		memcpy(pairing.state, &pairing.shared, sizeof(pairing.shared));
	}
}

static enum message_side side_of(const struct said *said)
{
	return said->side == 'Q' ? SIDE_REQUEST : SIDE_RESPONSE;
}

void pairing_play(const struct protocol *protocol, const struct said *said, size_t split,
		  size_t end)
{
	size_t at = 0;

	pairing_begin(protocol);
	for (; said->side && at < end; at += said++->length) {
		size_t length = end - at < said->length ? end - at : said->length;
		size_t first = split > at && split - at < length ? split - at : length;

		pairing_feed(side_of(said), said->bytes, first);
		pairing_feed(side_of(said), said->bytes + first, length - first);
	}
}

void pairing_play_bytes(const struct protocol *protocol, const struct said *said)
{
	pairing_begin(protocol);
	for (; said->side; said++)
		for (size_t at = 0; at < said->length; at++)
			pairing_feed(side_of(said), said->bytes + at, 1);
}

static uint64_t tail_of(const struct said *said)
{
	uint64_t tail = 0;

	for (size_t at = said->length < 8 ? 0 : said->length - 8; at < said->length; at++)
		tail = tail >> 8 | (uint64_t)(uint8_t)said->bytes[at] << 56;
	return tail;
}

void pairing_play_prefixes(const struct protocol *protocol, const struct said *said, size_t shown)
{
	pairing_begin(protocol);
	for (; said->side; said++) {
		size_t first = said->length < shown ? said->length : shown;

		pairing_feed(side_of(said), said->bytes, first);
		pairing_feed(side_of(said), NULL, said->length - first);
		pairing_boundary(side_of(said), BOUNDARY_TURN, tail_of(said));
	}
}

size_t said_length(const struct said *said)
{
	size_t length = 0;

	for (; said->side; said++)
		length += said->length;
	return length;
}

void pairing_clear_text(void)
{
	pairing.text[0] = '\0';
}

const char *pairing_text(void)
{
	return pairing.text;
}

bool pairing_is_over(void)
{
	return pairing.is_over;
}

size_t pairing_waiting(void)
{
	return pairing.last - pairing.first;
}

void pairing_expect(const char *text)
{
	assert_string_equal(pairing.text, text);
}

void understands_the_real_server(void **state)
{
	const struct talk_set *set = *state;

	for (size_t i = 0; i < set->count; i++) {
		pairing_play(set->protocol, set->said[i], 0, SIZE_MAX);
		assert_int_equal(pairing_waiting(), 0);
		if (set->protocol->give_up)
			pairing_give_up(true);
		pairing_expect(set->expected[i]);
	}
}

void understands_every_split(void **state)
{
	const struct talk_set *set = *state;

	for (size_t i = 0; i < set->count; i++)
		for (size_t split = 1; split < said_length(set->said[i]); split++) {
			pairing_play(set->protocol, set->said[i], split, SIZE_MAX);
			pairing_expect(set->expected[i]);
		}
}

void understands_single_bytes(void **state)
{
	const struct talk_set *set = *state;

	for (size_t i = 0; i < set->count; i++) {
		pairing_play_bytes(set->protocol, set->said[i]);
		pairing_expect(set->expected[i]);
	}
}

void tells_what_came_before_a_cut(void **state)
{
	const struct talk_set *set = *state;

	for (size_t i = 0; i < set->count; i++)
		for (size_t end = 0; end < said_length(set->said[i]); end++) {
			pairing_play(set->protocol, set->said[i], 0, end);
			assert_memory_equal(pairing.text, set->expected[i], strlen(pairing.text));
			assert_false(pairing.is_over);
		}
}
