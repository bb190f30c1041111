/* SPDX-License-Identifier: Apache-2.0 */
/* Kafka (protocol guide, kafka.apache.org/protocol): messages begin with their size, so a side keeps its place whatever is not captured
 * or not understood of them. The broker answers a connection's requests in their order. */
#include <stdlib.h>
#include <string.h>

#include "config_abi.h"
#include "protocol/kafka_state.h"

static void side_clear(struct kafka_state *state, struct kafka_side *side)
{
	kafka_gather_stop(state, side);
	memset(side, 0, sizeof(*side));
}

/* Versions of all APIs are far below this. */
#define VERSION_MAX 31

static bool is_known_key(uint16_t key)
{
	return kafka_api_find(key)->name;
}

/* A token of SaslHandshake 0 instead of a request. Source: SaslServerAuthenticator of Kafka, which looks at the same fields. */
static bool is_token(const struct kafka_side *side)
{
	return side->have < KAFKA_REQUEST_HEADER_BYTES || !is_known_key(side->key) ||
	       side->version > VERSION_MAX;
}

static enum protocol_step tell_token(struct kafka_parse *parse)
{
	struct exchange_facts *facts = parse->facts;

	facts->attributes[ATTRIBUTE_MESSAGING_SYSTEM] = "kafka";
	facts->attributes[ATTRIBUTE_MESSAGING_OPERATION_NAME] =
		kafka_api_find(KAFKA_SASL_AUTHENTICATE)->name;
	facts->is_preparation = true;
	facts->note = NOTE_RAW;
	parse->side->left -= parse->side->have - (uint32_t)KAFKA_SIZE_BYTES;
	parse->side->fields = NULL;
	parse->side->place = KAFKA_IN_BODY;
	return STEP_HEAD;
}

static enum protocol_step tell_request(struct kafka_parse *parse)
{
	struct exchange_facts *facts = parse->facts;
	struct kafka_side *side = parse->side;
	const struct kafka_api *api = kafka_api_find(side->key);
	uint16_t version = side->version < NOTE_VERSION_MAX ? side->version : NOTE_VERSION_MAX;
	bool is_known = version <= api->newest;

	facts->attributes[ATTRIBUTE_MESSAGING_SYSTEM] = "kafka";
	facts->attributes[ATTRIBUTE_MESSAGING_OPERATION_NAME] = api->name ? api->name : "other";
	facts->note = (api->name ? side->key + 1u : NOTE_KEY) |
		      (uint32_t)version << NOTE_VERSION_SHIFT |
		      side->correlation << NOTE_CORRELATION_SHIFT;
	if (!is_known)
		facts->outcomes |= 1ull << PARSE_VERSION_UNKNOWN;
	side->left -= KAFKA_REQUEST_HEADER_BYTES - KAFKA_SIZE_BYTES;
	kafka_fields_begin(parse, is_known ? api->request : NULL, version >= api->flexible);
	side->place = KAFKA_IN_BODY;
	return STEP_HEAD;
}

static enum protocol_step request_header_ends(struct kafka_parse *parse)
{
	struct kafka_side *side = parse->side;

	side->key = kafka_be16(side->bytes + 4);
	side->version = kafka_be16(side->bytes + 6);
	side->correlation = kafka_be32(side->bytes + 8);
	if (parse->state->is_raw) {
		if (is_token(side))
			return tell_token(parse);
		parse->state->is_raw = false;
	}
	if (side->left < KAFKA_REQUEST_HEADER_BYTES - KAFKA_SIZE_BYTES ||
	    side->left > KAFKA_SIZE_MAX || side->version > NOTE_VERSION_MAX ||
	    side->key > INT16_MAX)
		return STEP_NOT_MINE;
	return tell_request(parse);
}

/* Whose answer begins here? Answers come in order, but the first ones may belong to requests from before sonde. */
static enum protocol_step answer_header_ends(struct kafka_parse *parse)
{
	struct kafka_state *state = parse->state;
	struct kafka_side *side = parse->side;
	uint32_t note = parse->facts->note;
	uint16_t expected = (uint16_t)(note >> NOTE_CORRELATION_SHIFT);
	int16_t ahead;

	side->correlation = kafka_be32(side->bytes + KAFKA_SIZE_BYTES);
	ahead = (int16_t)((uint16_t)side->correlation - expected);
	if (side->left < KAFKA_ANSWER_HEADER_BYTES - KAFKA_SIZE_BYTES ||
	    side->left > KAFKA_SIZE_MAX)
		return STEP_BROKEN;
	side->left -= KAFKA_ANSWER_HEADER_BYTES - KAFKA_SIZE_BYTES;
	side->place = KAFKA_AT_ANSWER;
	if (!note || !ahead) { /* the caller knows what an answer without a request is */
		state->is_paired |= note != 0;
		return STEP_ONWARD;
	}
	if (state->is_paired || ahead > 0)
		return STEP_BROKEN;
	side->is_stray = true;
	side->fields = NULL;
	side->place = KAFKA_IN_BODY;
	return STEP_ONWARD;
}

/* How much of a header there must be, as far as it is known. */
static uint32_t header_wanted(const struct kafka_parse *parse)
{
	const struct kafka_side *side = parse->side;
	uint32_t wanted = parse->which == SIDE_REQUEST ? KAFKA_REQUEST_HEADER_BYTES :
							 KAFKA_ANSWER_HEADER_BYTES;

	if (side->have < KAFKA_SIZE_BYTES)
		return KAFKA_SIZE_BYTES;
	if (parse->which == SIDE_RESPONSE && parse->facts->note == NOTE_RAW)
		return KAFKA_SIZE_BYTES;
	if (parse->which == SIDE_REQUEST && parse->state->is_raw &&
	    side->left < wanted - KAFKA_SIZE_BYTES)
		return KAFKA_SIZE_BYTES;
	return wanted;
}

static enum protocol_step header_ends(struct kafka_parse *parse)
{
	if (parse->which == SIDE_REQUEST)
		return request_header_ends(parse);
	if (parse->facts->note != NOTE_RAW)
		return answer_header_ends(parse);
	parse->side->place = KAFKA_AT_ANSWER;
	return STEP_ONWARD;
}

static enum protocol_step in_header(struct kafka_parse *parse)
{
	struct kafka_side *side = parse->side;
	struct protocol_run *run = parse->run;
	uint32_t wanted = header_wanted(parse);

	while (side->have < wanted) {
		uint32_t missing = wanted - side->have;
		uint32_t taken = run->length < missing ? (uint32_t)run->length : missing;

		if (!taken)
			return STEP_MORE;
		if (!run->bytes)
			return STEP_LOST;
		memcpy(side->bytes + side->have, run->bytes, taken);
		side->have = (uint8_t)(side->have + taken);
		kafka_take(run, taken);
		if (side->have == KAFKA_SIZE_BYTES)
			side->left = kafka_be32(side->bytes);
		wanted = header_wanted(parse);
	}
	return header_ends(parse);
}

static enum protocol_step start(struct kafka_parse *parse)
{
	side_clear(parse->state, parse->side);
	if (!parse->run->length)
		return STEP_MORE;
	if (!parse->run->bytes)
		return STEP_LOST;
	parse->side->place = KAFKA_IN_HEADER;
	return parse->which == SIDE_REQUEST ? STEP_BEGIN : STEP_ONWARD;
}

static enum protocol_step at_head(struct kafka_parse *parse)
{
	struct kafka_side *side = parse->side;
	uint32_t note = parse->facts->note;
	const struct kafka_api *api = kafka_api_find((uint16_t)((note & NOTE_KEY) - 1));

	side->version = (uint8_t)(note >> NOTE_VERSION_SHIFT);
	if (note == NOTE_RAW || !(note & NOTE_KEY) || side->version > api->newest)
		side->fields = NULL;
	else
		kafka_fields_begin(parse, api->answer, side->version >= api->flexible);
	side->place = KAFKA_IN_BODY;
	return STEP_HEAD;
}

/* A Fetch that brought nothing has waited for as long as the client asked, which is no figure of the broker's: it has
 * a name of its own. */
static void answer_ends(struct kafka_parse *parse)
{
	struct exchange_facts *facts = parse->facts;
	struct kafka_side *side = parse->side;
	uint32_t key = (facts->note & NOTE_KEY) - 1u;
	bool is_understood = !facts->attributes[ATTRIBUTE_ERROR_TYPE] && !side->is_unread &&
			     !(facts->outcomes & 1ull << PARSE_VERSION_UNKNOWN);

	if (key == KAFKA_FETCH && is_understood && !side->has_records)
		facts->attributes[ATTRIBUTE_MESSAGING_OPERATION_NAME] = "Fetch_empty";
	if (key == KAFKA_SASL_HANDSHAKE && is_understood &&
	    !(facts->note >> NOTE_VERSION_SHIFT & NOTE_VERSION_MAX))
		parse->state->is_raw = true;
}

static enum protocol_step in_body(struct kafka_parse *parse)
{
	struct kafka_side *side = parse->side;
	struct message *message = &parse->facts->sides[parse->which];
	uint64_t before = parse->run->length;

	if (side->left) {
		kafka_fields_read(parse);
		if (!side->is_stray)
			message->body_bytes += before - parse->run->length;
		if (side->left)
			return STEP_MORE;
	}
	side->place = KAFKA_AT_START;
	if (side->is_stray)
		return STEP_STRAY;
	if (parse->which == SIDE_RESPONSE)
		answer_ends(parse);
	return STEP_END;
}

static enum protocol_step step_once(struct kafka_parse *parse)
{
	switch ((enum kafka_place)parse->side->place) {
	case KAFKA_AT_START:
		return start(parse);
	case KAFKA_IN_HEADER:
		return in_header(parse);
	case KAFKA_AT_ANSWER:
		parse->side->place = KAFKA_AT_HEAD;
		return STEP_BEGIN;
	case KAFKA_AT_HEAD:
		return at_head(parse);
	case KAFKA_IN_BODY:
		return in_body(parse);
	}
	return STEP_BROKEN;
}

static enum protocol_step kafka_parse(void *opaque, enum message_side which,
				      struct protocol_run *run, struct exchange_facts *facts)
{
	struct kafka_state *state = opaque;
	struct kafka_parse parse = { .state = state,
				     .side = &state->sides[which],
				     .run = run,
				     .facts = facts,
				     .which = which };
	enum protocol_step step;

	do
		step = step_once(&parse);
	while (step == STEP_ONWARD);
	return step;
}

/* Messages say where they end; nothing else does. */
static enum protocol_step kafka_boundary(void *opaque, enum message_side which,
					 enum protocol_boundary boundary, uint64_t tail)
{
	struct kafka_state *state = opaque;

	(void)tail;
	if (boundary == BOUNDARY_RESYNC) {
		side_clear(state, &state->sides[which]);
		state->is_paired = false;
		state->is_raw = false;
	}
	return STEP_MORE;
}

/* A client may go without a name, but then there is little to tell its requests by. */
static bool is_client_id(uint16_t key, const uint8_t *bytes, size_t length, uint32_t size)
{
	uint32_t id_length = kafka_be16(bytes + 12);

	if (id_length == UINT16_MAX)
		return true;
	if (!id_length)
		return key == KAFKA_API_VERSIONS;
	if (id_length > UINT8_MAX || id_length + 10 > size)
		return false;
	for (size_t i = 14; i < length && i < 14 + id_length; i++)
		if (bytes[i] < ' ' || bytes[i] > '~')
			return false;
	return true;
}

/* Size, API, version, correlation id, length of the client id, the id. */
static enum sniff_result kafka_sniff(const uint8_t *bytes, size_t length)
{
	uint32_t id_length;

	if (length > 0 && bytes[0]) /* 16 MiB */
		return SNIFF_NO;
	if (length > 5 && !is_known_key(kafka_be16(bytes + 4)))
		return SNIFF_NO;
	if (length > 7 && kafka_be16(bytes + 6) > VERSION_MAX)
		return SNIFF_NO;
	if (length > 8 && bytes[8] > INT8_MAX)
		return SNIFF_NO;
	if (length > 7 && !kafka_be32(bytes + 4)) /* Produce 0, or HTTP/2's SETTINGS */
		return SNIFF_NO;
	if (length < 14)
		return SNIFF_MORE;
	if (kafka_be32(bytes) < 10 ||
	    !is_client_id(kafka_be16(bytes + 4), bytes, length, kafka_be32(bytes)))
		return SNIFF_NO;
	id_length = kafka_be16(bytes + 12);
	if (id_length == UINT16_MAX || length >= SNIFF_MAX || length >= 14 + id_length)
		return SNIFF_REQUEST;
	return SNIFF_MORE;
}

static void kafka_release(void *opaque)
{
	struct kafka_state *state = opaque;

	for (size_t i = 0; i < SIDE_COUNT; i++)
		kafka_gather_stop(state, &state->sides[i]);
}

static void *shared_new(void)
{
	struct kafka_shared *shared = calloc(1, sizeof(*shared));

	if (shared)
		shared->topics = kafka_topics_new();
	return shared;
}

static void shared_free(void **slot)
{
	struct kafka_shared *shared = *slot;

	kafka_topics_free(&shared->topics);
	free(shared);
	*slot = NULL;
}

const struct protocol protocol_kafka = {
	.name = "kafka",
	.mode = MODE_STREAM,
	.state_bytes = sizeof(struct kafka_state),
	.sniff = kafka_sniff,
	.parse = kafka_parse,
	.boundary = kafka_boundary,
	.release = kafka_release,
	.shared_new = shared_new,
	.shared_free = shared_free,
};
