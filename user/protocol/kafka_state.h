/* SPDX-License-Identifier: Apache-2.0 */
/* State of a Kafka connection, and what the files kafka*.c share. */
#ifndef SONDE_PROTOCOL_KAFKA_STATE_H
#define SONDE_PROTOCOL_KAFKA_STATE_H

#include <stdbool.h>

#include "protocol/kafka_topics.h"
#include "protocol/kafka_words.h"
#include "protocol/protocol.h"

/* Size, API key, version, correlation id; an answer has size and correlation id. */
#define KAFKA_SIZE_BYTES 4
#define KAFKA_REQUEST_HEADER_BYTES 12
#define KAFKA_ANSWER_HEADER_BYTES 8
/* Of a record batch up to the number of its records; of a message of the older forms up to its attributes. */
#define KAFKA_BATCH_HEADER_BYTES 61
#define KAFKA_OLD_MESSAGE_BYTES 18
/* Arrays inside arrays: groups, topics, partitions, and what is in these. */
#define KAFKA_LOOPS_MAX 4
/* socket.request.max.bytes is 100 MiB unless it is set. */
#define KAFKA_SIZE_MAX (1u << 28)
/* A compressed batch that is larger is not unpacked: message.max.bytes is 1 MiB unless it is set. */
#define KAFKA_COMPRESSED_MAX (1u << 20)
/* What all connections have gathered of such batches, at most; a batch for which there is no room is not unpacked. Both count as
 * records_compressed. */
#define KAFKA_GATHERED_MAX (8u << 20)

/* To go on with the next place. */
#define STEP_ONWARD STEP_COUNT

enum kafka_place {
	KAFKA_AT_START, /* between messages */
	KAFKA_IN_HEADER,
	KAFKA_AT_ANSWER, /* an answer's header is whole, and it answers the oldest request */
	KAFKA_AT_HEAD,	 /* it is begun, its head is to be told */
	KAFKA_IN_BODY,	 /* `left` bytes */
};

/* What of a field is being read. */
enum kafka_reading {
	READING_NUMBER, /* a number, a length, how many elements or tagged fields there are */
	READING_TEXT,	/* `skip` bytes */
	READING_RECORDS,
	READING_TAG_NUMBER,
	READING_TAG_SIZE,
	READING_TAG, /* `skip` bytes */
};

struct kafka_loop {
	uint32_t left; /* elements, the one under way included */
	uint32_t at;   /* of the array */
};

/* A record as it is read; a number is followed by what it tells the length of. */
enum kafka_record_part {
	RECORD_UNREAD, /* the rest of the batch is passed over */
	RECORD_LENGTH,
	RECORD_ATTRIBUTES,
	RECORD_TIME,
	RECORD_OFFSET,
	RECORD_KEY_LENGTH,
	RECORD_KEY,
	RECORD_VALUE_LENGTH,
	RECORD_VALUE,
	RECORD_HEADERS, /* how many there are */
	HEADER_NAME_LENGTH,
	HEADER_NAME,
	HEADER_VALUE_LENGTH,
	HEADER_VALUE,
	RECORD_REST, /* nothing, in records as we know them */
};

/* No field that tells of a trace has a longer name. */
#define KAFKA_HEADER_NAME_MAX 22

struct kafka_record {
	struct trace_context context;
	uint64_t number;
	uint32_t left;	    /* bytes of the record */
	uint32_t part_left; /* bytes of the key, the value … */
	uint32_t headers_left;
	uint8_t part; /* enum kafka_record_part */
	uint8_t shift;
	uint8_t name_length;
	uint8_t value_have; /* bytes of a header's value that are gathered */
	bool is_wanted;	    /* the header may tell of a trace */
	bool is_value_cut;
};

/* Bytes of a compressed batch, until all of them are there. */
struct kafka_gathered {
	uint32_t room; /* of what all connections may have; it grows with what comes */
	uint32_t have;
	uint8_t bytes[];
};

struct kafka_side {
	const struct kafka_field *fields; /* static; NULL: the rest of the message is not read */
	struct kafka_gathered *gathered;  /* owned; NULL: nothing */
	uint32_t left;			  /* bytes of the message, behind its header */
	uint32_t skip;
	uint32_t number;
	uint32_t tags_left;
	uint32_t records_left; /* bytes of the partition's records */
	uint32_t correlation;
	uint16_t key;
	uint16_t version;
	uint16_t text_length; /* of facts->text */
	uint8_t place;	      /* enum kafka_place */
	uint8_t reading;      /* enum kafka_reading */
	uint8_t at;	      /* of fields */
	uint8_t depth;	      /* of loops */
	uint8_t have;	      /* bytes of the number, the id, the header */
	uint8_t batch_have;   /* bytes of a batch's header */
	uint8_t codec;	      /* of a batch that is to be unpacked; 0: none is under way */
	bool is_flexible;     /* the version has compact lengths and tagged fields */
	bool is_stray;	      /* answers a request that was not seen */
	bool has_topic;
	bool has_records;
	bool is_unread; /* fields of it were not captured, or make no sense */
	struct kafka_loop loops[KAFKA_LOOPS_MAX];
	struct kafka_record record; /* of the batch under way, as far as its headers are read */
	uint8_t bytes[KAFKA_BATCH_HEADER_BYTES + 3]; /* of a header or an id */
};

struct kafka_shared {
	struct kafka_topics *topics; /* owned; NULL: none */
	uint32_t gathered_bytes;     /* room that gathered batches have */
};

struct kafka_state {
	struct kafka_shared *shared; /* borrowed, of all connections; NULL: memory was short */
	struct kafka_side sides[SIDE_COUNT];
	bool is_raw;	/* SaslHandshake 0: tokens without headers follow */
	bool is_paired; /* an answer had the correlation id of its request */
};
_Static_assert(sizeof(struct kafka_state) <= PROTOCOL_STATE_MAX, "raise PROTOCOL_STATE_MAX");

/* exchange_facts.note: the API key + 1 in the low byte, the version, and half of the correlation id. */
#define NOTE_KEY 0xffu
#define NOTE_RAW 0xfeu /* instead of a key: a token */
#define NOTE_VERSION_SHIFT 8
#define NOTE_VERSION_MAX 0xffu
#define NOTE_CORRELATION_SHIFT 16

/* One call of the parser. */
struct kafka_parse {
	struct kafka_state *state;
	struct kafka_side *side;
	struct protocol_run *run;
	struct exchange_facts *facts;
	enum message_side which;
};

static inline void kafka_take(struct protocol_run *run, uint64_t count)
{
	if (run->bytes)
		run->bytes += count;
	run->length -= count;
}

static inline uint32_t kafka_be32(const uint8_t *bytes)
{
	return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 |
	       bytes[3];
}

static inline uint16_t kafka_be16(const uint8_t *bytes)
{
	return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

/* Begin with the first field. */
void kafka_fields_begin(struct kafka_parse *parse, const struct kafka_field *fields,
			bool is_flexible);

/* Take what there is of the body, up to the message's end. */
void kafka_fields_read(struct kafka_parse *parse);

/* Take bytes of a partition's records: how many there are is in the headers of their batches.
 * available  bytes of the run that are the message's
 * Returns    true when the records are over */
bool kafka_records_read(struct kafka_parse *parse, uint32_t available);

/* Look at the next bytes of a batch's records; begun with its first, and ended with its last.
 * bytes  NULL: not captured */
void kafka_headers_begin(struct kafka_parse *parse);
void kafka_headers_read(struct kafka_parse *parse, const uint8_t *bytes, uint32_t count);
void kafka_headers_end(struct kafka_parse *parse);

/* The same of a compressed batch of side->skip bytes: they are unpacked, and looked at, with the last one. */
void kafka_gather_begin(struct kafka_parse *parse, uint8_t codec);
void kafka_gather_read(struct kafka_parse *parse, const uint8_t *bytes, uint32_t count);

/* Give up the compressed batch that is under way, if any. */
void kafka_gather_stop(struct kafka_state *state, struct kafka_side *side);

#endif
