/* SPDX-License-Identifier: Apache-2.0 */
/* Compressed batches: they are unpacked as a whole. One that comes in one run is unpacked where it is; of others the pieces are gathered,
 * in memory that all connections have a share of (KAFKA_GATHERED_MAX). */
#include <stdlib.h>
#include <string.h>

#include "protocol/kafka_compression.h"
#include "protocol/kafka_state.h"

void kafka_gather_stop(struct kafka_state *state, struct kafka_side *side)
{
	side->codec = 0;
	if (!side->gathered)
		return;
	state->shared->gathered_bytes -= side->gathered->room;
	free(side->gathered);
	side->gathered = NULL;
}

static void stop(struct kafka_parse *parse, enum parse_outcome why)
{
	if (parse->facts->trace_texts) /* else nobody's: whose they were was given up meanwhile */
		parse->facts->outcomes |= 1ull << why;
	kafka_gather_stop(parse->state, parse->side);
}

void kafka_gather_begin(struct kafka_parse *parse, uint8_t codec)
{
	struct kafka_side *side = parse->side;

	side->codec = codec;
	if (!side->skip || side->skip > KAFKA_COMPRESSED_MAX)
		stop(parse, PARSE_RECORDS_COMPRESSED);
}

/* Returns false when there is no room, or no memory. */
static bool make_room(struct kafka_shared *shared, struct kafka_side *side, uint32_t count)
{
	uint32_t room = side->gathered ? side->gathered->room : 0;
	uint32_t have = side->gathered ? side->gathered->have : 0;
	uint32_t whole = have + side->skip, wanted = have + count;
	struct kafka_gathered *gathered;

	if (side->gathered && wanted <= room)
		return true;
	if (wanted < 2 * room)
		wanted = 2 * room < whole ? 2 * room : whole;
	if (!shared || wanted - room > KAFKA_GATHERED_MAX - shared->gathered_bytes)
		return false;
	gathered = realloc(side->gathered, sizeof(*gathered) + wanted);
	if (!gathered)
		return false;
	shared->gathered_bytes += wanted - room;
	gathered->room = wanted;
	gathered->have = have;
	side->gathered = gathered;
	return true;
}

static bool take_unpacked(void *opaque, const uint8_t *bytes, size_t length)
{
	struct kafka_parse *parse = opaque;

	kafka_headers_read(parse, bytes, (uint32_t)length);
	return parse->side->record.part != RECORD_UNREAD;
}

/* Where it cannot be unpacked as a whole, what came out stands. */
static void unpack(struct kafka_parse *parse, const uint8_t *bytes, size_t length)
{
	struct kafka_side *side = parse->side;

	kafka_headers_begin(parse);
	if (kafka_unpack(side->codec, bytes, length, take_unpacked, parse) < 0) {
		side->record.part = RECORD_UNREAD;
		stop(parse, PARSE_RECORDS_COMPRESSED);
	}
	kafka_gather_stop(parse->state, side);
}

void kafka_gather_read(struct kafka_parse *parse, const uint8_t *bytes, uint32_t count)
{
	struct kafka_side *side = parse->side;

	if (!bytes || !parse->facts->trace_texts) {
		stop(parse, PARSE_RECORD_HEADERS_UNSEEN);
	} else if (!side->gathered && count == side->skip) {
		unpack(parse, bytes, count);
	} else if (!make_room(parse->state->shared, side, count)) {
		stop(parse, PARSE_RECORDS_COMPRESSED);
	} else {
		memcpy(side->gathered->bytes + side->gathered->have, bytes, count);
		side->gathered->have += count;
		if (count == side->skip)
			unpack(parse, side->gathered->bytes, side->gathered->have);
	}
}
