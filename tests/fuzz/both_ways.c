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
	_Alignas(8) uint8_t state[PROTOCOL_STATE_MAX];
	struct exchange_facts facts;
	bool is_over;
	char transcript[TRANSCRIPT_MAX];
	size_t written;
};

static void write_facts(struct parser *parser)
{
	const struct exchange_facts *facts = &parser->facts;

	for (int i = 0; i < ATTRIBUTE_COUNT; i++)
		if (facts->attributes[i] && parser->written < TRANSCRIPT_MAX - 512)
			parser->written += (size_t)snprintf(parser->transcript + parser->written,
							    300, "%d=%s ", i, facts->attributes[i]);
	if (parser->written < TRANSCRIPT_MAX - 512)
		parser->written +=
			(size_t)snprintf(parser->transcript + parser->written, 100,
					 "%x %x %llu %llu\n", facts->outcomes, facts->note,
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
	if (step == STEP_HEAD || step == STEP_END)
		write_facts(parser);
	if ((step == STEP_BEGIN && side == SIDE_REQUEST) || step == STEP_SILENT)
		memset(&parser->facts, 0, sizeof(parser->facts));
	parser->is_over |= step == STEP_BROKEN || step == STEP_NOT_MINE || step == STEP_LOST;
}

static void feed(struct parser *parser, enum message_side side, const uint8_t *bytes, size_t length)
{
	struct protocol_run run = { bytes, length };
	size_t steps = 0;
	enum protocol_step step;

	do {
		step = parser->protocol->parse(parser->state, side, &run, &parser->facts);
		take_step(parser, side, step);
		if (run.length > length || ++steps > 4 * length + 8)
			abort();
	} while (step != STEP_MORE && !parser->is_over);
	if (!parser->is_over && run.length)
		abort();
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

static void check_sniff(const struct protocol *protocol, const uint8_t *bytes, size_t length)
{
	for (size_t i = 0; i <= length && i < SNIFF_MAX; i++) {
		enum sniff_result now = protocol->sniff(bytes, i);

		if (now != SNIFF_MORE && i + 1 <= length && protocol->sniff(bytes, i + 1) != now)
			abort(); /* a verdict stands whatever follows */
	}
}

void both_ways(const struct protocol *protocol, const uint8_t *data, size_t size)
{
	static struct parser whole, bytewise;

	memset(&whole, 0, sizeof(whole));
	memset(&bytewise, 0, sizeof(bytewise));
	whole.protocol = bytewise.protocol = protocol;
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
			feed(&whole, side, control & 2 ? NULL : bytes, length);
			feed_bytes(&bytewise, side, control & 2 ? NULL : bytes, length);
			free(bytes);
		}
		data += 2 + length;
		size -= 2 + length;
	}
	if (protocol->release) {
		protocol->release(whole.state);
		protocol->release(bytewise.state);
	}
	if (strcmp(whole.transcript, bytewise.transcript) != 0)
		abort();
}
