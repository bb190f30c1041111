/* SPDX-License-Identifier: Apache-2.0 */
/* Record batches (Kafka protocol guide, "Record Batch"): the number of records is in the header, which is never compressed. What is in
 * records is left to kafka_headers.c, what is in compressed ones to kafka_gather.c. */
#include <string.h>

#include "protocol/kafka_state.h"

/* Where fields are in a batch's header, and in that of a message of the older forms; big-endian. */
enum batch_offset {
	AT_LENGTH = 8, /* of what follows it */
	AT_MAGIC = 16,
	AT_OLD_ATTRIBUTES = 17,
	AT_ATTRIBUTES = 21,
	AT_COUNT = 57,
};

#define BEFORE_LENGTH_ENDS 12u
#define IS_CONTROL 0x20 /* a marker of transactions, which consumers are not shown */
#define COMPRESSION 0x07

static void count_records(struct kafka_parse *parse, uint32_t count)
{
	if (parse->which == SIDE_REQUEST)
		parse->facts->messages_sent += count;
	else
		parse->facts->messages_consumed += count;
}

static void records_unseen(struct kafka_parse *parse)
{
	struct kafka_side *side = parse->side;

	parse->facts->outcomes |= 1ull << PARSE_RECORDS_UNSEEN;
	side->skip = side->records_left;
	side->batch_have = 0;
	side->record.part = RECORD_UNREAD;
}

static bool is_old(const struct kafka_side *side)
{
	return side->batch_have > AT_MAGIC && side->bytes[AT_MAGIC] < 2;
}

static uint8_t header_wanted(const struct kafka_side *side)
{
	if (side->batch_have <= AT_MAGIC)
		return AT_MAGIC + 1;
	return is_old(side) ? KAFKA_OLD_MESSAGE_BYTES : KAFKA_BATCH_HEADER_BYTES;
}

/* The header of a batch that is whole, and not a marker. */
static void batch_begins(struct kafka_parse *parse, uint32_t count)
{
	uint8_t codec = parse->side->bytes[AT_ATTRIBUTES + 1] & COMPRESSION;

	count_records(parse, count);
	if (!parse->facts->trace_texts || !count)
		return;
	if (codec)
		kafka_gather_begin(parse, codec);
	else
		kafka_headers_begin(parse);
}

/* The broker cuts what it sends where the client's room ends; the client asks again for a batch that is cut. */
static void header_ends(struct kafka_parse *parse)
{
	struct kafka_side *side = parse->side;
	uint32_t length = kafka_be32(side->bytes + AT_LENGTH);
	uint32_t known = side->batch_have - BEFORE_LENGTH_ENDS, count = 1;
	bool is_cut;

	if (length < known) {
		records_unseen(parse);
		return;
	}
	side->record.part = RECORD_UNREAD;
	is_cut = length - known > side->records_left;
	side->skip = is_cut ? side->records_left : length - known;
	if (is_old(side)) {
		if (side->bytes[AT_OLD_ATTRIBUTES] & COMPRESSION)
			parse->facts->outcomes |= 1ull << PARSE_RECORDS_UNSEEN;
		else if (!is_cut)
			count_records(parse, 1);
	} else {
		count = kafka_be32(side->bytes + AT_COUNT);
		if (!is_cut && count <= length && !(side->bytes[AT_ATTRIBUTES + 1] & IS_CONTROL))
			batch_begins(parse, count);
	}
	side->batch_have = 0;
}

static uint32_t take(struct kafka_parse *parse, uint32_t count)
{
	kafka_take(parse->run, count);
	parse->side->left -= count;
	parse->side->records_left -= count;
	return count;
}

static void read_records(struct kafka_parse *parse, uint32_t count)
{
	if (parse->side->codec)
		kafka_gather_read(parse, parse->run->bytes, count);
	else
		kafka_headers_read(parse, parse->run->bytes, count);
}

bool kafka_records_read(struct kafka_parse *parse, uint32_t available)
{
	struct kafka_side *side = parse->side;
	uint32_t count = side->records_left < available ? side->records_left : available;

	if (!side->records_left)
		return true;
	if (!count)
		return false;
	if (side->skip) {
		count = side->skip < count ? side->skip : count;
		read_records(parse, count);
		side->skip -= take(parse, count);
		if (!side->skip)
			kafka_headers_end(parse);
	} else if (!parse->run->bytes) {
		records_unseen(parse);
	} else {
		uint32_t missing = header_wanted(side) - (uint32_t)side->batch_have;

		if (missing < count)
			count = missing;
		memcpy(side->bytes + side->batch_have, parse->run->bytes, count);
		side->batch_have = (uint8_t)(side->batch_have + count);
		(void)take(parse, count);
		if (side->batch_have == header_wanted(side))
			header_ends(parse);
	}
	return !side->records_left;
}
