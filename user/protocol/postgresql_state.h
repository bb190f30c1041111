/* SPDX-License-Identifier: Apache-2.0 */
/* State of a PostgreSQL connection, and what the postgresql*.c share. */
#ifndef SONDE_PROTOCOL_POSTGRESQL_STATE_H
#define SONDE_PROTOCOL_POSTGRESQL_STATE_H

#include <stdbool.h>

#include "protocol/protocol.h"
#include "protocol/sql_text.h"

/* PostgreSQL 15: the server takes no start-up packet beyond 10000 bytes (MAX_STARTUP_PACKET_LENGTH) and no message beyond 1 GiB. */
#define PG_STARTUP_MAX 10000
#define PG_LENGTH_MAX (1u << 30)

/* Codes in the place of a version: protocol.h's NEGOTIATE_SSL_CODE, NEGOTIATE_GSS_CODE, CANCEL_REQUEST_CODE. */
#define PG_CODE_SSL 0x04d2162fu
#define PG_CODE_GSS 0x04d21630u
#define PG_CODE_CANCEL 0x04d2162eu

/* As much of a command tag as holds its words and numbers. */
#define PG_TAG_MAX 32

/* To go on with the next place. */
#define STEP_ONWARD STEP_COUNT

enum pg_place {
	PG_AT_START, /* between messages */
	PG_IN_HEADER,
	PG_IN_BODY,
	PG_IN_END,	   /* the head of what ended was told: so is the end, next */
	PG_IN_SETTLE,	   /* the server is ready: what it did not answer is over */
	PG_IN_NEGOTIATION, /* an answer of one byte */
};

/* exchange_facts.note: what the request is, bits, and from bit 16 on the number of its batch: of what one ReadyForQuery ends. */
enum pg_note {
	PG_QUERY = 1,	  /* over when the server is ready */
	PG_EXECUTE = 2,	  /* over when its own answer is */
	PG_PREPARE = 3,	  /* Parse, Bind, Describe, Close without Execute */
	PG_CONNECT = 4,	  /* a start-up packet */
	PG_NEGOTIATE = 5, /* may the connection be encrypted? */
	PG_NOTE_KIND = 7,
	PG_NOTE_PRESENT = 1 << 3,
	PG_NOTE_COMPLETE = 1 << 4,  /* the request has ended */
	PG_NOTE_ANSWERED = 1 << 5,  /* its answer has begun */
	PG_NOTE_HEAD = 1 << 6,	    /* … and its head was told */
	PG_NOTE_ORPHAN = 1 << 7,    /* an answer whose request was not seen (yet) */
	PG_NOTE_COMPLETED = 1 << 8, /* a CommandComplete of it was seen */
};
#define PG_NOTE_BATCH_SHIFT 16

struct pg_side {
	uint64_t portal; /* named by the message; hashes */
	uint64_t statement;
	uint32_t left; /* of the message's body */
	uint16_t batch;
	uint8_t place; /* enum pg_place */
	uint8_t type;  /* 0: a start-up packet */
	uint8_t header_bytes;
	uint8_t field;	 /* of the message, as far as it was read */
	uint8_t resume;	 /* enum pg_place: after PG_IN_END */
	bool is_begun;	 /* STEP_BEGIN was the newest step */
	bool is_unseen;	 /* what is looked for in the message was not captured */
	bool is_portal;	 /* what Close names */
	bool is_push;	 /* the message answers nothing */
	bool is_settled; /* of ReadyForQuery: what it ends was told */
	bool is_mine;	 /* the facts are those of what it answers */
	uint8_t header[8];
};

struct pg_state {
	struct sql_plan_pool *pool; /* borrowed, shared by all connections; NULL: none */
	struct pg_side sides[SIDE_COUNT];
	struct sql_text *statement; /* owned: the one under way; NULL: none yet */
	struct sql_plans *plans;    /* owned; NULL: none yet */
	struct sql_plan *unit_plan; /* owned: of the unit under way, as far as it is known */
	uint32_t waiting;	    /* units without an answer */
	uint16_t copy_batch;
	bool is_unit_open;     /* messages of a unit were seen, its Execute was not */
	bool has_batch_units;  /* since the newest Sync */
	bool has_copy;	       /* COPY FROM STDIN by Execute: the server ignores the first Sync */
	bool is_ready;	       /* the newest message of the server was ReadyForQuery */
	bool has_batch_failed; /* what follows in the batch is not done */
	uint8_t text_bytes;
	char text[PG_TAG_MAX]; /* command tag, or error code */
};
_Static_assert(sizeof(struct pg_state) <= PROTOCOL_STATE_MAX, "raise PROTOCOL_STATE_MAX");

/* One call of the parser. */
struct pg_parse {
	struct pg_state *state;
	struct pg_side *side;
	struct protocol_run *run;
	struct exchange_facts *facts;
	enum message_side which;
};

static inline void pg_take(struct protocol_run *run, uint64_t count)
{
	if (run->bytes)
		run->bytes += count;
	run->length -= count;
}

/* Whether a batch comes before another, or is it. */
static inline bool pg_is_until(uint16_t batch, uint16_t other)
{
	return (int16_t)(uint16_t)(batch - other) <= 0;
}

static inline uint16_t pg_batch(const struct exchange_facts *facts)
{
	return (uint16_t)(facts->note >> PG_NOTE_BATCH_SHIFT);
}

static inline unsigned pg_kind(const struct exchange_facts *facts)
{
	return facts->note & PG_NOTE_KIND;
}

/* The message's type is known and nothing of it was taken. Returns STEP_ONWARD to take it. */
enum protocol_step pg_request_begins(struct pg_parse *parse, uint8_t type);
enum protocol_step pg_answer_begins(struct pg_parse *parse, uint8_t type);

/* A message of the client is about to be read. */
void pg_request_opens(struct pg_parse *parse);

/* The next bytes of the message's body; at least one and no more than there are of it. NULL: not
 * captured. */
void pg_request_body(struct pg_parse *parse, const uint8_t *bytes, size_t length);
void pg_answer_body(struct pg_parse *parse, const uint8_t *bytes, size_t length);

/* The message is whole. */
enum protocol_step pg_request_ends(struct pg_parse *parse);
enum protocol_step pg_answer_ends(struct pg_parse *parse);

/* Step at PG_IN_SETTLE and PG_IN_NEGOTIATION. */
enum protocol_step pg_settle(struct pg_parse *parse);
enum protocol_step pg_negotiated(struct pg_parse *parse);

/* After STEP_BEGIN: the facts are those of what began. */
void pg_request_begun(struct pg_parse *parse);
void pg_answer_begun(struct pg_parse *parse);

/* The label of an SQLSTATE, "_OTHER" when PostgreSQL has none such. */
const char *pg_error_label(const char code[5]);

#endif
