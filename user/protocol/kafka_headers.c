/* SPDX-License-Identifier: Apache-2.0 */
/* Headers of the records of a batch, as they are when it is not compressed (Kafka protocol guide, "Record"): of them those that name a
 * trace. Keys, values and other headers are passed over. */
#include <string.h>

#include "protocol/kafka_state.h"

/* A field whose value comes in pieces is gathered behind the topic's name. */
#define NAME_AT (KAFKA_TOPIC_NAME_MAX + 1)
#define VALUE_AT (NAME_AT + KAFKA_HEADER_NAME_MAX)
#define VALUE_ROOM (FACTS_TEXT_MAX - VALUE_AT)
_Static_assert(VALUE_ROOM == 128, "as long as in HTTP/1; kafka_record.value_have");

/* Of the last byte of a number of 64 bits. */
#define NUMBER_SHIFT_MAX 63

static void stop(struct kafka_parse *parse)
{
	parse->side->record.part = RECORD_UNREAD;
	parse->facts->outcomes |= 1ull << PARSE_RECORD_HEADERS_UNSEEN;
}

void kafka_headers_begin(struct kafka_parse *parse)
{
	parse->side->record = (struct kafka_record){ .part = RECORD_LENGTH };
}

void kafka_headers_end(struct kafka_parse *parse)
{
	unsigned part = parse->side->record.part;

	if (part != RECORD_UNREAD && part != RECORD_LENGTH)
		stop(parse);
	parse->side->record.part = RECORD_UNREAD;
}

static bool is_same(const struct span_link *link, const struct trace_context *context)
{
	return memcmp(link->span_id, context->span_id, SPAN_ID_BYTES) == 0 &&
	       memcmp(link->trace_id, context->trace_id, TRACE_ID_BYTES) == 0;
}

/* What is sent with one span's context is part of its trace; with several, of none of them. */
static void add_context(struct kafka_parse *parse, const struct trace_context *context)
{
	struct exchange_facts *facts = parse->facts;
	struct span_link *links;
	uint32_t kept =
		facts->contexts.count < TRACE_LINKS_MAX ? facts->contexts.count : TRACE_LINKS_MAX;

	if (!facts->trace_texts) /* nobody's: whose they were was given up meanwhile */
		return;
	links = facts->trace_texts->links;
	for (uint32_t i = 0; i < kept; i++)
		if (is_same(&links[i], context))
			return;
	if (kept < TRACE_LINKS_MAX) {
		memcpy(links[kept].trace_id, context->trace_id, TRACE_ID_BYTES);
		memcpy(links[kept].span_id, context->span_id, SPAN_ID_BYTES);
	}
	if (parse->which == SIDE_REQUEST && !facts->contexts.count)
		facts->trace = *context;
	else
		facts->trace.pieces = 0;
	facts->contexts.count++;
}

static void record_ends(struct kafka_parse *parse)
{
	struct trace_context *context = &parse->side->record.context;

	parse->facts->contexts.ignored |= context->ignored;
	context->ignored = 0;
	context->request_id_bytes = 0;
	if (trace_context_is_whole(context) && !trace_id_is_none(context->span_id, SPAN_ID_BYTES))
		add_context(parse, context);
	kafka_headers_begin(parse);
}

static void take_header(struct kafka_parse *parse, const void *value, size_t length, bool is_cut)
{
	struct kafka_record *record = &parse->side->record;
	struct exchange_facts *facts = parse->facts;
	struct trace_texts of_others; /* the first one's tracestate is kept */

	trace_context_take(&record->context,
			   facts->contexts.count ? &of_others : facts->trace_texts,
			   (const uint8_t *)facts->text + NAME_AT, record->name_length, value,
			   length, is_cut);
	record->is_wanted = false;
}

/* Of a header's name, or of a value that is ours. */
static void gather(struct kafka_parse *parse, const uint8_t *bytes, uint32_t count)
{
	struct kafka_record *record = &parse->side->record;
	uint32_t room = VALUE_ROOM - (uint32_t)record->value_have;

	if (record->part == HEADER_NAME) {
		memcpy(parse->facts->text + NAME_AT + record->name_length, bytes, count);
		record->name_length = (uint8_t)(record->name_length + count);
	} else if (!record->value_have && count == record->part_left) {
		take_header(parse, bytes, count < TRACESTATE_MAX ? count : TRACESTATE_MAX,
			    count > TRACESTATE_MAX);
	} else {
		record->is_value_cut |= count > room;
		count = count < room ? count : room;
		memcpy(parse->facts->text + VALUE_AT + record->value_have, bytes, count);
		record->value_have = (uint8_t)(record->value_have + count);
	}
}

static void record_rest(struct kafka_parse *parse)
{
	struct kafka_record *record = &parse->side->record;

	record->part = RECORD_REST;
	record->part_left = record->left;
	if (!record->left)
		record_ends(parse);
}

static void next_header(struct kafka_parse *parse)
{
	struct kafka_record *record = &parse->side->record;

	if (!record->headers_left) {
		record_rest(parse);
		return;
	}
	record->headers_left--;
	record->part = HEADER_NAME_LENGTH;
}

/* All bytes of a key, a value or a name are taken. */
static void part_ends(struct kafka_parse *parse)
{
	struct kafka_record *record = &parse->side->record;
	const char *text = parse->facts->text;

	switch ((enum kafka_record_part)record->part) {
	case RECORD_REST:
		record_ends(parse);
		break;
	case HEADER_NAME:
		record->is_wanted &= trace_context_may_begin((uint8_t)text[NAME_AT]);
		record->part = HEADER_VALUE_LENGTH;
		break;
	case HEADER_VALUE:
		if (record->is_wanted)
			take_header(parse, text + VALUE_AT, record->value_have,
				    record->is_value_cut);
		next_header(parse);
		break;
	default:
		record->part++;
	}
}

/* Null, which is negative, is as good as empty. */
static void part_begins(struct kafka_parse *parse, int64_t length)
{
	struct kafka_record *record = &parse->side->record;

	if (length > record->left) {
		stop(parse);
		return;
	}
	record->part++;
	record->part_left = length > 0 ? (uint32_t)length : 0;
	if (!record->part_left)
		part_ends(parse);
}

static void number_ends(struct kafka_parse *parse, int64_t number)
{
	struct kafka_record *record = &parse->side->record;

	switch ((enum kafka_record_part)record->part) {
	case RECORD_LENGTH:
		if (number <= 0 || number > INT32_MAX) {
			stop(parse);
			return;
		}
		record->left = (uint32_t)number;
		part_begins(parse, 1); /* attributes */
		break;
	case RECORD_TIME:
	case RECORD_OFFSET:
		record->part++;
		break;
	case RECORD_HEADERS:
		if (number < 0 || number > record->left) {
			stop(parse);
			return;
		}
		record->headers_left = (uint32_t)number;
		next_header(parse);
		break;
	case HEADER_NAME_LENGTH:
		if (number < 0) {
			stop(parse);
			return;
		}
		record->is_wanted = number && number <= KAFKA_HEADER_NAME_MAX;
		record->name_length = 0;
		record->value_have = 0;
		record->is_value_cut = false;
		part_begins(parse, number);
		break;
	default:
		part_begins(parse, number);
	}
}

/* Of a number: seven bits, least significant first; its sign is the last one. */
static void take_byte(struct kafka_parse *parse, uint8_t byte)
{
	struct kafka_record *record = &parse->side->record;
	uint64_t number;

	if (record->part != RECORD_LENGTH && !record->left--) {
		stop(parse);
		return;
	}
	record->number |= (uint64_t)(byte & 0x7f) << record->shift;
	if (byte & 0x80) {
		record->shift = (uint8_t)(record->shift + 7);
		if (record->shift > NUMBER_SHIFT_MAX)
			stop(parse);
		return;
	}
	number = record->number;
	record->number = 0;
	record->shift = 0;
	number_ends(parse, (int64_t)(number >> 1) ^ -(int64_t)(number & 1));
}

static bool is_number(unsigned part)
{
	static const bool numbers[] = {
		[RECORD_LENGTH] = true,	     [RECORD_TIME] = true,	   [RECORD_OFFSET] = true,
		[RECORD_KEY_LENGTH] = true,  [RECORD_VALUE_LENGTH] = true, [RECORD_HEADERS] = true,
		[HEADER_NAME_LENGTH] = true, [HEADER_VALUE_LENGTH] = true, [RECORD_REST] = false,
	};

	return numbers[part];
}

/* Returns how many of the bytes were taken. */
static uint32_t take_part(struct kafka_parse *parse, const uint8_t *bytes, uint32_t count)
{
	struct kafka_record *record = &parse->side->record;
	bool is_read =
		is_number(record->part) || (record->is_wanted && record->part >= HEADER_NAME);

	if (is_read && !bytes) {
		stop(parse);
		return count;
	}
	if (is_number(record->part)) {
		take_byte(parse, *bytes);
		return 1;
	}
	if (count > record->part_left)
		count = record->part_left;
	if (is_read)
		gather(parse, bytes, count);
	record->left -= count;
	record->part_left -= count;
	if (!record->part_left)
		part_ends(parse);
	return count;
}

void kafka_headers_read(struct kafka_parse *parse, const uint8_t *bytes, uint32_t count)
{
	uint32_t taken = 0;

	while (taken < count && parse->side->record.part != RECORD_UNREAD)
		taken += take_part(parse, bytes ? bytes + taken : NULL, count - taken);
}
