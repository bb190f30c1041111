/* SPDX-License-Identifier: Apache-2.0 */
/* State of an AMQP connection, and what amqp.c and amqp_talk.c share. */
#ifndef SONDE_PROTOCOL_AMQP_STATE_H
#define SONDE_PROTOCOL_AMQP_STATE_H

#include <stdbool.h>

#include "protocol/amqp_ledger.h"
#include "protocol/protocol.h"

#define AMQP_HEADER_BYTES 7
#define AMQP_NUMBER_BYTES 4 /* class and method */
#define AMQP_METHOD_SHOWN (AMQP_HEADER_BYTES + AMQP_NUMBER_BYTES)

/* Kept of a method's arguments when they come in pieces: the longest that matters is a delivery's, 4 + 3 * 256 + 9. */
#define AMQP_ARGUMENTS_MAX 800

/* To go on with the next place. */
#define STEP_ONWARD STEP_COUNT

enum amqp_place {
	AMQP_SEARCHING, /* for the beginning of a method's frame, or for the protocol's header */
	AMQP_IN_HEADER, /* of a frame */
	AMQP_IN_METHOD,
	AMQP_IN_CONTENT,
	AMQP_AT_FRAME_END,
};

struct amqp_side {
	uint64_t left;	   /* of the frame, without its end */
	uint64_t began_ns; /* of the frame */
	uint16_t channel;
	uint16_t argument_bytes;
	uint8_t place;	      /* enum amqp_place */
	uint8_t type;	      /* of the frame */
	uint8_t header_bytes; /* while searching: the last bytes, where a method may have begun */
	uint8_t first_bytes;  /* looked at since the connection began; stops when they are enough */
	bool is_unseen;	      /* some of what is wanted of the method */
	uint8_t header[AMQP_METHOD_SHOWN];
	uint8_t arguments[AMQP_ARGUMENTS_MAX]; /* class and method first */
};

/* Entries that are over, one step each. */
struct amqp_settling {
	uint64_t tag;
	const char *error; /* static, or NULL */
	uint16_t channel;
	uint8_t kinds;	 /* bits 1 << enum amqp_entry_kind; 0: nothing is being settled */
	uint8_t failure; /* enum parse_outcome */
	bool is_any_channel;
	bool is_any_tag;
	bool is_multiple; /* all up to the tag */
};

struct amqp_connection {
	struct amqp_side sides[SIDE_COUNT];
	struct amqp_settling settling;
	struct amqp_ledger ledger;
	bool has_begun; /* the protocol's header was seen */
};

/* What the engine keeps. */
struct amqp_state {
	struct amqp_connection *connection; /* owned; NULL: nothing came yet, or out of memory */
};

/* One call of the parser. */
struct amqp_parse {
	struct amqp_connection *connection;
	struct amqp_side *side;
	struct protocol_run *run;
	struct exchange_facts *facts;
	enum message_side which;
};

/* May that side send it? */
static inline bool amqp_may_send(const struct amqp_method *method, enum message_side which)
{
	return method->sender & (which == SIDE_REQUEST ? AMQP_BY_CLIENT : AMQP_BY_SERVER);
}

/* A method is whole: what it begins and ends. STEP_ONWARD: nothing to tell. */
enum protocol_step amqp_take_method(struct amqp_parse *parse, const struct amqp_method *method,
				    const uint8_t *arguments, size_t length);

/* Tell the next of those that are being settled, or go onward. */
enum protocol_step amqp_settle_next(struct amqp_parse *parse);

/* Tell of one that is in flight, which it then is no more. STEP_MORE: none is. */
enum protocol_step amqp_give_up_next(struct amqp_connection *connection, bool is_closed,
				     struct exchange_facts *facts);

#endif
