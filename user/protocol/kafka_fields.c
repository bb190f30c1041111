/* SPDX-License-Identifier: Apache-2.0 */
/* Fields of Kafka's messages, one after the other, as the tables of kafka_words.c list them (Kafka protocol guide; KIP-482 for
 * compact lengths and tagged fields). Where something makes no sense the rest of the message is left unread: its end is known
 * from its size. */
#include <ctype.h>
#include <string.h>

#include "protocol/kafka_state.h"

static const struct kafka_field *field_now(const struct kafka_side *side)
{
	return &side->fields[side->at];
}

static void leave_unread(struct kafka_side *side)
{
	side->fields = NULL;
	side->skip = 0;
	side->is_unread = true;
}

/* Behind the end of the array that begins at `at`. */
static uint8_t array_end(const struct kafka_field *fields, uint8_t at)
{
	unsigned open = 0;

	do {
		if (fields[at].kind == FIELD_ARRAY)
			open++;
		else if (fields[at].kind == FIELD_ARRAY_END)
			open--;
		at++;
	} while (open && fields[at].kind != FIELD_END);
	return at;
}

static bool is_absent(const struct kafka_side *side, const struct kafka_field *field)
{
	if (field->kind == FIELD_TAGS)
		return !side->is_flexible;
	return side->version < field->from || side->version > field->until;
}

/* Go to the field that is read next. An element takes a byte at least, so this ends with the message. */
static void settle(struct kafka_side *side)
{
	const struct kafka_field *field;

	side->reading = READING_NUMBER;
	side->number = 0;
	side->have = 0;
	for (field = field_now(side); field->kind != FIELD_END; field = field_now(side)) {
		if (field->kind == FIELD_ARRAY_END) {
			struct kafka_loop *loop = &side->loops[side->depth - 1];

			if (--loop->left) {
				side->at = (uint8_t)(loop->at + 1);
			} else {
				side->depth--;
				side->at++;
			}
		} else if (!is_absent(side, field)) {
			return;
		} else {
			side->at = field->kind == FIELD_ARRAY ? array_end(side->fields, side->at) :
								(uint8_t)(side->at + 1);
		}
	}
	side->fields = NULL;
}

static void go_on(struct kafka_side *side)
{
	side->at++;
	settle(side);
}

void kafka_fields_begin(struct kafka_parse *parse, const struct kafka_field *fields,
			bool is_flexible)
{
	struct kafka_side *side = parse->side;

	side->fields = fields;
	side->is_flexible = is_flexible;
	side->at = 0;
	side->depth = 0;
	if (fields)
		settle(side);
}

static void tell_destination(struct kafka_parse *parse, const char *name)
{
	struct exchange_facts *facts = parse->facts;

	if (name != facts->text)
		strcpy(facts->text, name); /* KAFKA_TOPIC_NAME_MAX fits */
	facts->attributes[ATTRIBUTE_MESSAGING_DESTINATION_NAME] = facts->text;
	facts->outcomes &= ~(1ull << PARSE_DESTINATION_UNKNOWN);
	parse->side->has_topic = true;
}

/* Topic.validate of Kafka; others the broker refuses. */
static bool is_topic_name(const char *name)
{
	size_t length = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "0123456789._-");

	return length && length <= KAFKA_TOPIC_NAME_MAX && !name[length];
}

static bool is_shown(const char *name)
{
	while (isprint((unsigned char)*name))
		name++;
	return !*name;
}

/* Of several topics the first names the message. */
static bool is_text_wanted(const struct kafka_side *side)
{
	unsigned meaning = field_now(side)->meaning;

	return meaning && !(meaning == MEANS_TOPIC && side->has_topic);
}

static void text_ends(struct kafka_parse *parse)
{
	struct exchange_facts *facts = parse->facts;
	struct kafka_side *side = parse->side;
	unsigned meaning = field_now(side)->meaning;

	if (is_text_wanted(side)) {
		facts->text[side->text_length] = '\0';
		if (meaning == MEANS_TOPIC && is_topic_name(facts->text))
			tell_destination(parse, facts->text);
		else if (meaning == MEANS_GROUP && side->text_length && is_shown(facts->text))
			facts->attributes[ATTRIBUTE_MESSAGING_CONSUMER_GROUP_NAME] = facts->text;
	}
	go_on(side);
}

static void take_text(struct kafka_parse *parse, const uint8_t *bytes, uint32_t length)
{
	struct kafka_side *side = parse->side;
	uint32_t room = (uint32_t)(FACTS_TEXT_MAX - 1 - side->text_length);

	if (length > room)
		length = room;
	memcpy(parse->facts->text + side->text_length, bytes, length);
	side->text_length = (uint16_t)(side->text_length + length);
}

static void id_ends(struct kafka_parse *parse)
{
	static const uint8_t none[KAFKA_TOPIC_ID_BYTES];
	struct kafka_topics *topics = parse->state->shared ? parse->state->shared->topics : NULL;
	struct exchange_facts *facts = parse->facts;
	struct kafka_side *side = parse->side;
	unsigned meaning = field_now(side)->meaning;
	bool is_set = memcmp(side->bytes, none, sizeof(none)) != 0;
	const char *name;

	if (meaning == MEANS_LEARNED_ID && topics && is_set && is_topic_name(facts->text))
		kafka_topics_learn(topics, side->bytes, facts->text);
	if (meaning == MEANS_TOPIC_ID && is_set && !side->has_topic) {
		name = topics ? kafka_topics_find(topics, side->bytes) : NULL;
		facts->attributes[ATTRIBUTE_MESSAGING_DESTINATION_NAME] = NULL;
		if (name)
			tell_destination(parse, name);
		else
			facts->outcomes |= 1ull << PARSE_DESTINATION_UNKNOWN;
		side->has_topic = true;
	}
}

static void number_ends(struct kafka_parse *parse)
{
	struct exchange_facts *facts = parse->facts;
	struct kafka_side *side = parse->side;
	int16_t error = (int16_t)side->number;

	switch (field_now(side)->meaning) {
	case MEANS_ACKS:
		facts->sides[SIDE_REQUEST].is_one_way = !side->number;
		break;
	case MEANS_ERROR:
		if (!error || facts->attributes[ATTRIBUTE_ERROR_TYPE])
			break;
		facts->attributes[ATTRIBUTE_ERROR_TYPE] = kafka_error_name(error);
		facts->sides[SIDE_RESPONSE].fault = FAULT_SERVER;
		break;
	}
}

static void array_begins(struct kafka_parse *parse, uint32_t count)
{
	struct kafka_side *side = parse->side;
	bool is_topics = field_now(side)->meaning == MEANS_TOPICS;

	if (count > side->left || (count && side->depth == KAFKA_LOOPS_MAX)) {
		leave_unread(side);
		return;
	}
	if (is_topics && count)
		parse->facts->outcomes &= ~(1ull << PARSE_SEVERAL_DESTINATIONS);
	if (is_topics && count > 1)
		parse->facts->outcomes |= 1ull << PARSE_SEVERAL_DESTINATIONS;
	if (!count) {
		side->at = array_end(side->fields, side->at);
		settle(side);
		return;
	}
	side->loops[side->depth++] = (struct kafka_loop){ count, side->at };
	go_on(side);
}

/* What follows a length. Null is as good as empty. */
static void length_ends(struct kafka_parse *parse, uint32_t length)
{
	struct kafka_side *side = parse->side;
	unsigned kind = field_now(side)->kind;

	if (kind == FIELD_ARRAY) {
		array_begins(parse, length);
		return;
	}
	if (length > side->left) {
		leave_unread(side);
		return;
	}
	if (kind == FIELD_RECORDS) {
		side->records_left = length;
		side->batch_have = 0;
		side->has_records |= length > 0;
		side->reading = READING_RECORDS;
		return;
	}
	if (is_text_wanted(side)) {
		side->text_length = 0;
		if (field_now(side)->meaning == MEANS_TOPIC)
			parse->facts->attributes[ATTRIBUTE_MESSAGING_DESTINATION_NAME] = NULL;
	}
	side->skip = length;
	side->reading = READING_TEXT;
}

static bool is_compact(const struct kafka_side *side)
{
	unsigned kind = field_now(side)->kind;

	if (side->reading != READING_NUMBER || kind == FIELD_TAGS)
		return true;
	return side->is_flexible &&
	       (kind == FIELD_STRING || kind == FIELD_RECORDS || kind == FIELD_ARRAY);
}

static uint8_t width_of(unsigned kind)
{
	static const uint8_t widths[] = {
		[FIELD_I8] = 1,	     [FIELD_I16] = 2,	    [FIELD_I32] = 4,
		[FIELD_I64] = 8,     [FIELD_UUID] = 16,	    [FIELD_STRING] = 2,
		[FIELD_RECORDS] = 4, [FIELD_CLIENT_ID] = 2, [FIELD_ARRAY] = 4,
	};

	return widths[kind];
}

static void next_tag(struct kafka_side *side)
{
	if (!side->tags_left--) {
		go_on(side);
		return;
	}
	side->reading = READING_TAG_NUMBER;
	side->number = 0;
	side->have = 0;
}

/* A number of tagged fields is whole. */
static void tag_number_ends(struct kafka_side *side)
{
	uint32_t number = side->number;

	side->number = 0;
	side->have = 0;
	if (side->reading == READING_TAG_NUMBER) {
		side->reading = READING_TAG_SIZE;
	} else if (number > side->left) {
		leave_unread(side);
	} else if (side->reading == READING_TAG_SIZE) {
		side->skip = number;
		side->reading = READING_TAG;
	} else {
		side->tags_left = number;
		next_tag(side);
	}
}

static void value_ends(struct kafka_parse *parse)
{
	struct kafka_side *side = parse->side;
	unsigned kind = field_now(side)->kind;
	uint32_t length = side->number;

	if (side->reading != READING_NUMBER || kind == FIELD_TAGS) {
		tag_number_ends(side);
		return;
	}
	if (kind < FIELD_STRING) {
		if (kind == FIELD_UUID)
			id_ends(parse);
		else
			number_ends(parse);
		go_on(side);
		return;
	}
	if (is_compact(side))
		length = length ? length - 1 : 0;
	else if (length >> (8 * width_of(kind) - 1)) /* negative: null */
		length = 0;
	length_ends(parse, length);
}

/* A byte of a number, most significant first, or, where it is compact, seven bits, least significant first. */
static void take_byte(struct kafka_parse *parse, uint8_t byte)
{
	struct kafka_side *side = parse->side;
	unsigned kind = field_now(side)->kind;

	if (is_compact(side)) {
		side->number |= (uint32_t)(byte & 0x7f) << 7 * side->have;
		if (byte & 0x80 && side->have == 4)
			leave_unread(side);
		else if (byte & 0x80)
			side->have++;
		else
			value_ends(parse);
		return;
	}
	if (kind == FIELD_UUID)
		side->bytes[side->have] = byte;
	else
		side->number = side->number << 8 | byte;
	if (++side->have == width_of(kind))
		value_ends(parse);
}

static void take(struct kafka_parse *parse, uint32_t count)
{
	kafka_take(parse->run, count);
	parse->side->left -= count;
}

/* Take of the bytes that are passed over. Returns false when more of them must come. */
static bool pass_over(struct kafka_parse *parse, uint32_t available)
{
	struct kafka_side *side = parse->side;
	uint32_t count = side->skip < available ? side->skip : available;

	if (count && side->reading == READING_TEXT && is_text_wanted(side)) {
		if (!parse->run->bytes) {
			leave_unread(side);
			return true;
		}
		take_text(parse, parse->run->bytes, count);
	}
	take(parse, count);
	side->skip -= count;
	if (side->skip)
		return false;
	if (side->reading == READING_TEXT)
		text_ends(parse);
	else
		next_tag(side);
	return true;
}

/* One thing of the message. Returns false when more of the run is needed. */
static bool read_some(struct kafka_parse *parse)
{
	struct kafka_side *side = parse->side;
	struct protocol_run *run = parse->run;
	uint32_t available = run->length < side->left ? (uint32_t)run->length : side->left;

	if (side->fields && side->reading == READING_RECORDS) {
		if (!kafka_records_read(parse, available))
			return available > 0;
		go_on(side);
		return true;
	}
	if (side->fields && (side->reading == READING_TEXT || side->reading == READING_TAG))
		return pass_over(parse, available);
	if (!available)
		return false;
	if (side->fields && !run->bytes)
		leave_unread(side);
	if (!side->fields) {
		take(parse, available);
		return false;
	}
	side->left--; /* first: lengths are compared with what follows them */
	take_byte(parse, *run->bytes);
	kafka_take(run, 1);
	return true;
}

void kafka_fields_read(struct kafka_parse *parse)
{
	while (read_some(parse))
		continue;
}
