/* SPDX-License-Identifier: Apache-2.0 */
/* State of a memcached connection, and what memcached.c, memcached_text.c and memcached_binary.c share. */
#ifndef SONDE_PROTOCOL_MEMCACHED_STATE_H
#define SONDE_PROTOCOL_MEMCACHED_STATE_H

#include <stdbool.h>

#include "protocol/memcached_words.h"
#include "protocol/protocol.h"

/* Longer than every word that matters, opaque tokens (32) included. */
#define MEMCACHED_WORD_MAX 36
#define MEMCACHED_HEADER_BYTES 24

/* To go on with the next place. */
#define STEP_ONWARD STEP_COUNT

enum memcached_place {
	MEMCACHED_AT_START, /* between messages */
	MEMCACHED_IN_LINE,
	MEMCACHED_IN_HEADER,
	MEMCACHED_AT_ANSWER, /* an answer's line or header is whole: what does it answer? */
	MEMCACHED_AT_HEAD,   /* it is begun, its head is to be told */
	MEMCACHED_IN_VALUE,  /* `left` bytes, then what follows_value says */
};

struct memcached_side {
	uint64_t left;	 /* bytes of the value, its CRLF included */
	uint64_t length; /* of the value, as the line says; UINT64_MAX: it says nothing */
	uint32_t keys;
	uint32_t opaque;     /* hash of what the message carries */
	uint32_t answer;     /* enum memcached_answer */
	uint16_t status;     /* binary answer */
	uint16_t word_bytes; /* of the word under way, as long as it is */
	uint8_t place;	     /* enum memcached_place */
	uint8_t words;	     /* before it; stops at its maximum */
	uint8_t command;     /* text: memcached_command_number */
	uint8_t opcode;
	bool has_begun;	   /* told */
	bool has_opaque;   /* a hash of it is in `opaque` */
	bool is_quiet;	   /* silence may answer */
	bool is_one_way;   /* nothing answers */
	bool is_malformed; /* the server takes no value for it */
	bool goes_on;	   /* another line or packet of the message follows the value */
	const char *error; /* static; the answer is this error */
	char word[MEMCACHED_WORD_MAX];
};

struct memcached_state {
	struct memcached_side sides[SIDE_COUNT];
	bool is_binary;
	bool has_form; /* which of both is known */
};
_Static_assert(sizeof(struct memcached_state) <= PROTOCOL_STATE_MAX, "raise PROTOCOL_STATE_MAX");

/* exchange_facts.note: the command's number or opcode + 1 in the low byte, these bits, and the opaque's hash above. */
#define NOTE_COMMAND 0xffu
#define NOTE_QUIET (1u << 8)
#define NOTE_OPAQUE (1u << 9)
#define NOTE_OPAQUE_SHIFT 16

/* One call of the parser. */
struct memcached_parse {
	struct memcached_state *state;
	struct memcached_side *side;
	struct protocol_run *run;
	struct exchange_facts *facts;
	struct message *message;
	enum message_side which;
};

static inline void memcached_take(struct protocol_run *run, uint64_t count)
{
	if (run->bytes)
		run->bytes += count;
	run->length -= count;
}

/* Whether an answer carries the opaque of the request in hand, or none as that does. */
static inline bool memcached_opaque_fits(const struct memcached_side *side, uint32_t note)
{
	if (!side->has_opaque || !(note & NOTE_OPAQUE))
		return side->has_opaque == ((note & NOTE_OPAQUE) != 0);
	return (uint16_t)side->opaque == note >> NOTE_OPAQUE_SHIFT;
}

/* The request's head is known: fill the facts. */
enum protocol_step memcached_tell_request(struct memcached_parse *parse, const char *name,
					  unsigned number);

/* The answer's head is known: fill the facts.
 * hits  keys found */
void memcached_tell_answer(struct memcached_parse *parse, uint32_t hits);

/* One step in a line, or in a header; and what the whole of it is in an answer. */
enum protocol_step memcached_in_line(struct memcached_parse *parse);
enum protocol_step memcached_in_header(struct memcached_parse *parse);
/* Can what begins here be the answer to the request in hand? */
bool memcached_text_fits(const struct memcached_parse *parse);
bool memcached_binary_fits(const struct memcached_parse *parse);
enum protocol_step memcached_text_head(struct memcached_parse *parse);
enum protocol_step memcached_binary_head(struct memcached_parse *parse);

#endif
