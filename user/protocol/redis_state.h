/* SPDX-License-Identifier: Apache-2.0 */
/* State of a Redis connection, and what redis.c, redis_request.c and redis_answer.c share. */
#ifndef SONDE_PROTOCOL_REDIS_STATE_H
#define SONDE_PROTOCOL_REDIS_STATE_H

#include <stdbool.h>

#include "protocol/protocol.h"
#include "protocol/redis_words.h"

/* Looked at of a line: types, lengths and the first word of an error. */
#define LINE_MAX_BYTES 40
/* Longer than a command's name: no command that we know. */
#define WORD_MAX_BYTES 24
/* Numbers beyond are no Redis: its own limits are 512 MiB a value and 2^31 elements. */
#define LENGTH_MAX (1ll << 40)

/* To go on with the next place. */
#define STEP_ONWARD STEP_COUNT

enum place {
	AT_START, /* between messages */
	IN_COUNT, /* of a request: *3 */
	IN_ARGUMENT_LENGTH,
	IN_ARGUMENT,
	IN_INLINE, /* a request without any of that: PING */
	IN_ELEMENT,
	IN_VALUE,
	IN_ANSWER_LATE, /* a push turned out to answer: its head is to be told */
	PLACE_COUNT,
};

/* What a message of the answering side is. */
enum answer_kind {
	ANSWER_CERTAIN,
	ANSWER_UNDECIDED, /* its first element says whether it answers anything */
	ANSWER_PUSH,
};

struct redis_side {
	uint64_t pending; /* elements until the message ends */
	uint64_t left;	  /* bytes of the value, its CRLF included */
	uint8_t place;	  /* enum place */
	uint8_t line_bytes;
	uint8_t word_bytes[2];
	uint8_t arguments; /* begun, as far as they matter */
	uint8_t note;	   /* enum redis_note */
	uint8_t kind;	   /* enum answer_kind */
	bool has_begun;	   /* told, as all has_ */
	bool has_head;
	bool has_count; /* of the outermost elements */
	bool is_word_unseen;
	bool is_form_2;	     /* a push in the form of RESP2 */
	bool is_last_zero;   /* the newest number was 0 */
	bool is_unsubscribe; /* and what it may end */
	char line[LINE_MAX_BYTES];
	char words[2][WORD_MAX_BYTES + 1]; /* one byte more shows that it is longer */
};

struct redis_state {
	struct redis_side sides[SIDE_COUNT];
	uint32_t confirmations; /* to come after the first one, which answered */
	/* What outlives a loss of position. */
	bool is_subscribed; /* RESP2: arrays may be messages to subscribers */
	bool is_mute;	    /* CLIENT REPLY OFF */
	bool is_next_mute;  /* CLIENT REPLY SKIP */
};
_Static_assert(sizeof(struct redis_state) <= PROTOCOL_STATE_MAX, "raise PROTOCOL_STATE_MAX");

/* exchange_facts.note: enum redis_note and its bits, and from this bit on how many channels a subscription names. */
#define NOTE_CHANNELS_SHIFT 8
#define CHANNELS_MAX (1u << 20)

static inline unsigned redis_note_of(const struct exchange_facts *facts)
{
	return facts->note & REDIS_NOTE_BITS;
}

static inline void redis_note_value(struct exchange_facts *facts, uint64_t bytes)
{
	facts->has_value = true;
	if (facts->value_bytes < bytes)
		facts->value_bytes = bytes;
}

/* One call of the parser. */
struct redis_parse {
	struct redis_state *state;
	struct redis_side *side;
	struct protocol_run *run;
	struct exchange_facts *facts;
	struct message *message;
	enum message_side which;
};

static inline void redis_take(struct protocol_run *run, uint64_t count)
{
	if (run->bytes)
		run->bytes += count;
	run->length -= count;
}

/* Forget the message; the next one is at `place`. */
void redis_message_clear(struct redis_side *side, enum place place);

/* Keep as much of the bytes as the line has room for. */
void redis_line_keep(struct redis_side *side, const uint8_t *bytes, size_t length);

/* Take a line off the run, into side->line; its end is cut off. Returns false when that is not there yet. */
bool redis_take_line(struct redis_parse *parse);

/* The number after the line's type. Returns false when it is none. */
bool redis_line_number(const struct redis_side *side, int64_t *ret_number);

/* Take bytes of a value, and keep them if it is a word. Returns STEP_ONWARD when it is whole, and no longer pending;
 * STEP_MORE; or STEP_BROKEN when its end, which is to be CRLF, is not what it must be. */
enum protocol_step redis_take_value(struct redis_parse *parse, bool is_word);

/* One step at the place where the side is; the request's and the answer's places. */
enum protocol_step redis_request_start(struct redis_parse *parse);
enum protocol_step redis_in_count(struct redis_parse *parse);
enum protocol_step redis_in_argument_length(struct redis_parse *parse);
enum protocol_step redis_in_argument(struct redis_parse *parse);
enum protocol_step redis_in_inline(struct redis_parse *parse);
enum protocol_step redis_next_argument(struct redis_parse *parse);
enum protocol_step redis_answer_start(struct redis_parse *parse);
enum protocol_step redis_in_element(struct redis_parse *parse);
enum protocol_step redis_in_value(struct redis_parse *parse);
enum protocol_step redis_in_answer_late(struct redis_parse *parse);
enum protocol_step redis_end_answer(struct redis_parse *parse);

#endif
