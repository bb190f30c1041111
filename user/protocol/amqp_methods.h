/* SPDX-License-Identifier: Apache-2.0 */
/* Methods and reply codes of AMQP 0-9-1 by number, and where in a method's arguments the wanted ones are. */
#ifndef SONDE_PROTOCOL_AMQP_METHODS_H
#define SONDE_PROTOCOL_AMQP_METHODS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Who may send a method. */
enum amqp_sender {
	AMQP_BY_CLIENT = 1,
	AMQP_BY_SERVER = 2,
	AMQP_BY_BOTH = 3,
};

/* Those that are more than a call or the answer to one. */
enum amqp_meaning {
	AMQP_PLAIN,
	AMQP_OPEN_CHANNEL,
	AMQP_CLOSE,
	AMQP_CLOSE_OK,
	AMQP_CONSUME,
	AMQP_CONSUME_OK,
	AMQP_CANCEL,
	AMQP_CANCEL_OK,
	AMQP_PUBLISH,
	AMQP_RETURN,
	AMQP_DELIVER,
	AMQP_GET,
	AMQP_GET_OK,
	AMQP_ACK,
	AMQP_NACK,
	AMQP_REJECT,
	AMQP_SELECT_CONFIRMS,
	AMQP_MEANING_COUNT,
};

struct amqp_method {
	uint32_t number;  /* class << 16 | method */
	uint32_t answers; /* the number of the method that it answers; 0: none */
	const char *name;
	const char *layout; /* of the arguments, as far as they matter: see amqp_arguments_read */
	uint8_t sender;	    /* enum amqp_sender */
	uint8_t meaning;    /* enum amqp_meaning */
	bool is_call;	    /* of its sender; the other side answers */
	uint8_t no_wait;    /* bits of B: it is not answered when one is set */
};

/* NULL: there is none. */
const struct amqp_method *amqp_method_find(uint32_t number);

/* The reply code as text, "_OTHER" when AMQP has it not. */
const char *amqp_reply_code(unsigned code);

/* Bytes on the wire, not ended by a zero. */
struct amqp_text {
	const uint8_t *bytes;
	uint8_t length;
};

struct amqp_arguments {
	struct amqp_text name;	/* exchange or queue */
	struct amqp_text route; /* routing key */
	struct amqp_text consumer;
	uint64_t tag;
	uint32_t culprit; /* the method's number for which something is closed */
	uint16_t code;
	uint8_t bits;
};

/* Read a method's arguments from what there is of them. Layout: N name, R routing key, T consumer tag, D delivery tag, B
 * bits, C reply code, M culprit; s, w, l a short string, two, four bytes that nobody wants.
 * Returns false when they end before all that the layout names. */
bool amqp_arguments_read(const struct amqp_method *method, const uint8_t *bytes, size_t length,
			 struct amqp_arguments *ret_arguments);

#endif
