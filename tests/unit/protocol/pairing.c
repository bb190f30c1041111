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
	bool has_orphan;
	bool is_over;
	bool is_over_well; /* what follows is another protocol */
	char text[TEXT_MAX];
} pairing;

static void put(const char *text)
{
	assert_true(strlen(pairing.text) + strlen(text) < TEXT_MAX);
	strcat(pairing.text, text);
}

static void put_outcomes(uint32_t outcomes)
{
	static const struct {
		enum parse_outcome outcome;
		const char *text;
	} marks[] = { { PARSE_SEVERAL_STATEMENTS, "+" },
		      { PARSE_STATEMENT_UNKNOWN, "?" },
		      { PARSE_FEED, "!" },
		      { PARSE_ENCRYPTED, "encrypted" },
		      { PARSE_COMPRESSED, "compressed" },
		      { PARSE_SEVERAL_DESTINATIONS, "+" },
		      { PARSE_DESTINATION_UNKNOWN, "?" },
		      { PARSE_RECORDS_UNSEEN, "~" },
		      { PARSE_VERSION_UNKNOWN, "#" } };

	for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++)
		if (outcomes & 1u << marks[i].outcome)
			put(marks[i].text);
}

static const char *first_of(const struct exchange_facts *facts, enum attribute one,
			    enum attribute other)
{
	return facts->attributes[one] ? facts->attributes[one] : facts->attributes[other];
}

static void put_exchange(const struct exchange_facts *facts)
{
	const char *operation =
		first_of(facts, ATTRIBUTE_DB_OPERATION_NAME, ATTRIBUTE_MESSAGING_OPERATION_NAME);
	const char *table =
		first_of(facts, ATTRIBUTE_DB_COLLECTION_NAME, ATTRIBUTE_MESSAGING_DESTINATION_NAME);
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
	else if (facts->messages_sent || facts->messages_consumed)
		(void)snprintf(reads, sizeof(reads), " %u>%u", facts->messages_sent,
			       facts->messages_consumed);
	put(operation ? operation : "-");
	put(table ? " " : "");
	put(table ? table : "");
	put(group ? " @" : "");
	put(group ? group : "");
	put(reads);
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

	return &pairing.waiting[side == SIDE_REQUEST ? newest : pairing.first];
}

/* In memory that ends with the bytes. */
void pairing_feed(enum message_side side, const char *bytes, size_t length)
{
	uint8_t *copy = malloc(length ? length : 1);
	struct protocol_run run = { bytes ? copy : NULL, length };
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
