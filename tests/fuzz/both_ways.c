/* SPDX-License-Identifier: Apache-2.0 */
/* See both_ways.h. */
#include "both_ways.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TRANSCRIPT_MAX 65536

struct parser {
	const struct protocol *protocol;
	void *shared; /* owned */
	_Alignas(8) uint8_t state[PROTOCOL_STATE_MAX];
	struct exchange_facts facts;
	struct trace_texts texts;
	bool is_over;
	bool is_answered; /* an answer has begun since the request did */
	bool is_asked;	  /* the request is whole and not answered */
	size_t fed;	  /* bytes; what they begin may end later, all at once */
	char transcript[TRANSCRIPT_MAX];
	size_t written;
};

static void clear_facts(struct parser *parser)
{
	memset(&parser->facts, 0, sizeof(parser->facts));
	parser->facts.trace_texts = &parser->texts;
}

static void write_facts(struct parser *parser)
{
	const struct exchange_facts *facts = &parser->facts;

	for (int i = 0; i < ATTRIBUTE_COUNT; i++)
		if (facts->attributes[i] && parser->written < TRANSCRIPT_MAX - 512)
			parser->written += (size_t)snprintf(parser->transcript + parser->written,
							    300, "%d=%s ", i, facts->attributes[i]);
	if (parser->written < TRANSCRIPT_MAX - 512)
		parser->written += (size_t)snprintf(parser->transcript + parser->written, 100,
						    "%llx %x %u %llu %llu\n",
						    (unsigned long long)facts->outcomes,
						    facts->note, facts->contexts.count,
						    (unsigned long long)facts->sides[0].body_bytes,
						    (unsigned long long)facts->sides[1].body_bytes);
}

static void take_step(struct parser *parser, enum message_side side, enum protocol_step step)
{
	if (step == STEP_MORE)
		return;
	if (step >= STEP_COUNT)
		abort();
	if (parser->written < TRANSCRIPT_MAX - 512)
		parser->written += (size_t)snprintf(parser->transcript + parser->written, 20,
						    "%d:%d ", side, step);
	if (step == STEP_HEAD || step == STEP_END || step == STEP_MESSAGE || step == STEP_EXCHANGE)
		write_facts(parser);
	if (step == STEP_MESSAGE && !parser->facts.message_type)
		abort();
	if ((step == STEP_BEGIN && side == SIDE_REQUEST) || step == STEP_SILENT ||
	    step == STEP_MESSAGE || step == STEP_EXCHANGE)
		clear_facts(parser);
	if (step == STEP_BEGIN)
		parser->is_answered = side == SIDE_RESPONSE;
	if (step == STEP_BEGIN || step == STEP_END)
		parser->is_asked = step == STEP_END && side == SIDE_REQUEST && !parser->is_answered;
	parser->is_over |= step == STEP_BROKEN || step == STEP_NOT_MINE || step == STEP_LOST;
}

static void feed(struct parser *parser, enum message_side side, const uint8_t *bytes, size_t length)
{
	struct protocol_run run = { .bytes = bytes, .length = length };
	size_t steps = 0;
	enum protocol_step step;

	parser->fed += length;
	do {
		step = parser->protocol->parse(parser->state, side, &run, &parser->facts);
		take_step(parser, side, step);
		if (run.length > length || ++steps > 4 * parser->fed + 8)
			abort();
	} while (step != STEP_MORE && !parser->is_over);
	if (!parser->is_over && run.length)
		abort();
}

/* Tell what take_known leaves out. */
static void take_known_steps(struct parser *parser, enum message_side side)
{
	struct message *message = &parser->facts.sides[side];
	uint64_t body_bytes = message->body_bytes;

	message->body_bytes = 0;
	parser->is_answered = side == SIDE_RESPONSE;
	parser->written += (size_t)snprintf(parser->transcript + parser->written, 20, "%d:%d ",
					    side, STEP_BEGIN);
	take_step(parser, side, STEP_HEAD);
	message->body_bytes = body_bytes;
	take_step(parser, side, STEP_END);
}

static bool feed_known(struct parser *parser, enum message_side side, const uint8_t *bytes,
		       size_t captured, size_t length)
{
	struct exchange_facts facts = parser->facts;
	uint8_t state[PROTOCOL_STATE_MAX];

	if (!parser->protocol->take_known || (side == SIDE_RESPONSE && !parser->is_asked) ||
	    parser->written >= TRANSCRIPT_MAX - 4096)
		return false;
	memcpy(state, parser->state, sizeof(state));
	if (side == SIDE_REQUEST)
		clear_facts(parser);
	if (parser->protocol->take_known(parser->state, side, bytes, captured, length,
					 &parser->facts)) {
		take_known_steps(parser, side);
		return true;
	}
	if (memcmp(parser->state, state, sizeof(state)) != 0)
		abort();
	parser->facts = facts;
	return false;
}

static void feed_whole(struct parser *parser, enum message_side side, const uint8_t *bytes,
		       size_t length, size_t unseen)
{
	if (bytes && feed_known(parser, side, bytes, length, length + unseen))
		return;
	feed(parser, side, bytes, length);
	if (unseen && !parser->is_over)
		feed(parser, side, NULL, unseen);
}

static void feed_bytes(struct parser *parser, enum message_side side, const uint8_t *bytes,
		       size_t length)
{
	for (size_t i = 0; i < length && !parser->is_over; i++) {
		uint8_t *one = malloc(1);

		if (one && bytes)
			*one = bytes[i];
		feed(parser, side, bytes ? one : NULL, 1);
		free(one);
	}
}

static void boundary(struct parser *parser, enum message_side side, uint8_t which)
{
	static const enum protocol_boundary boundaries[] = { BOUNDARY_PROGRESS, BOUNDARY_TURN,
							     BOUNDARY_IDLE, BOUNDARY_CLOSE,
							     BOUNDARY_RESYNC };

	take_step(parser, side,
		  parser->protocol->boundary(parser->state, side, boundaries[which % 5],
					     0x0a0d0a0d300a0d00));
}

static void give_up(struct parser *parser, bool is_closed)
{
	if (!parser->protocol->give_up)
		return;
	while (parser->protocol->give_up(parser->state, is_closed, &parser->facts) == STEP_EXCHANGE)
		take_step(parser, SIDE_RESPONSE, STEP_EXCHANGE);
}

static void check_sniff(const struct protocol *protocol, const uint8_t *bytes, size_t length)
{
	for (size_t i = 0; protocol->sniff && i <= length && i < SNIFF_MAX; i++) {
		enum sniff_result now = protocol->sniff(bytes, i);

		if (now != SNIFF_MORE && i + 1 <= length && protocol->sniff(bytes, i + 1) != now)
			abort(); /* a verdict stands whatever follows */
	}
}

static void share(struct parser *parser)
{
	if (parser->protocol->shared_new)
		parser->shared = parser->protocol->shared_new();
	if (parser->shared)
		memcpy(parser->state, &parser->shared, sizeof(parser->shared));
}

static void release(struct parser *parser)
{
	if (parser->protocol->release)
		parser->protocol->release(parser->state);
	if (parser->shared)
		parser->protocol->shared_free(&parser->shared);
}

void both_ways(const struct protocol *protocol, const uint8_t *data, size_t size)
{
	static struct parser whole, bytewise;
	bool is_closed = size & 1;

	memset(&whole, 0, sizeof(whole));
	memset(&bytewise, 0, sizeof(bytewise));
	whole.protocol = bytewise.protocol = protocol;
	clear_facts(&whole);
	clear_facts(&bytewise);
	share(&whole);
	share(&bytewise);
	while (size >= 2 && !whole.is_over) {
		uint8_t control = data[0];
		size_t length = data[1] <= size - 2 ? data[1] : size - 2;
		enum message_side side = control & 1;

		if (control >> 2 & 7) {
			boundary(&whole, side, control >> 2 & 7);
			boundary(&bytewise, side, control >> 2 & 7);
			length = 0;
		} else if (length) {
			uint8_t *bytes = malloc(length);

			if (!bytes)
				return;
			memcpy(bytes, data + 2, length);
			check_sniff(protocol, bytes, length);
			feed_whole(&whole, side, control & 2 ? NULL : bytes, length, control >> 5);
			feed_bytes(&bytewise, side, control & 2 ? NULL : bytes, length);
			feed_bytes(&bytewise, side, NULL, control >> 5);
			free(bytes);
		}
		data += 2 + length;
		size -= 2 + length;
	}
	give_up(&whole, is_closed);
	give_up(&bytewise, is_closed);
	release(&whole);
	release(&bytewise);
	if (strcmp(whole.transcript, bytewise.transcript) != 0)
		abort();
}
