/* SPDX-License-Identifier: Apache-2.0 */
/* Memcached's binary protocol: a header of 24 bytes says all that is wanted of a message. */
#include <string.h>

#include "protocol/memcached_state.h"

#define OPCODE_STATS 0x10
#define QUIET_QUIT 0x17

/* Where fields are in the header; big-endian. */
enum header_offset {
	AT_OPCODE = 1,
	AT_KEY_LENGTH = 2,
	AT_EXTRAS_LENGTH = 4,
	AT_STATUS = 6,
	AT_BODY_LENGTH = 8,
	AT_OPAQUE = 12,
};

static uint32_t header_number(const struct memcached_side *side, size_t at, size_t bytes)
{
	uint32_t number = 0;

	while (bytes--)
		number = number << 8 | (uint8_t)side->word[at++];
	return number;
}

/* The whole opaque is 32 bits; what is compared of it is 16. */
static void keep_opaque(struct memcached_side *side)
{
	uint32_t opaque = header_number(side, AT_OPAQUE, 4);

	side->opaque = (opaque ^ opaque >> 16) & 0xffff;
	side->has_opaque = true;
}

static enum protocol_step request_header_ends(struct memcached_parse *parse)
{
	struct memcached_side *side = parse->side;
	const struct memcached_opcode *opcode = memcached_opcode_find(side->opcode);

	side->is_one_way = side->opcode == QUIET_QUIT;
	side->is_quiet = opcode->is_quiet;
	side->keys = opcode->reads;
	return memcached_tell_request(parse, opcode->name, side->opcode + 1u);
}

/* Statistics come one a packet, until one without a name. */
static void take_answer_header(struct memcached_parse *parse)
{
	const struct memcached_opcode *opcode = memcached_opcode_find(parse->side->opcode);
	struct memcached_side *side = parse->side;

	side->error = memcached_status_error(side->status);
	memcached_tell_answer(parse, side->status == 0 && opcode->reads);
	side->goes_on = side->opcode == OPCODE_STATS && !side->status &&
			header_number(side, AT_KEY_LENGTH, 2);
	side->place = MEMCACHED_IN_VALUE;
}

enum protocol_step memcached_in_header(struct memcached_parse *parse)
{
	struct memcached_side *side = parse->side;
	size_t missing = (size_t)(MEMCACHED_HEADER_BYTES - side->word_bytes);
	size_t taken = parse->run->length < missing ? (size_t)parse->run->length : missing;

	memcpy(side->word + side->word_bytes, parse->run->bytes, taken);
	side->word_bytes = (uint16_t)(side->word_bytes + taken);
	memcached_take(parse->run, taken);
	if (side->word_bytes < MEMCACHED_HEADER_BYTES)
		return STEP_MORE;
	side->left = header_number(side, AT_BODY_LENGTH, 4);
	if (side->left < header_number(side, AT_KEY_LENGTH, 2) +
				 header_number(side, AT_EXTRAS_LENGTH, 1) ||
	    (uint8_t)side->word[0] != (parse->which == SIDE_REQUEST ? 0x80 : 0x81))
		return STEP_BROKEN;
	side->opcode = (uint8_t)side->word[AT_OPCODE];
	side->status = (uint16_t)header_number(side, AT_STATUS, 2);
	keep_opaque(side);
	if (parse->which == SIDE_REQUEST)
		return request_header_ends(parse);
	if (side->has_begun)
		take_answer_header(parse);
	else
		side->place = MEMCACHED_AT_ANSWER;
	return STEP_ONWARD;
}

bool memcached_binary_fits(const struct memcached_parse *parse)
{
	const struct memcached_side *side = parse->side;
	uint32_t note = parse->facts->note;

	if (!(note & NOTE_COMMAND))
		return true;
	return (note & NOTE_COMMAND) == side->opcode + 1u && memcached_opaque_fits(side, note);
}

enum protocol_step memcached_binary_head(struct memcached_parse *parse)
{
	take_answer_header(parse);
	return STEP_HEAD;
}
