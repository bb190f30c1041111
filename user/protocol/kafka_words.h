/* SPDX-License-Identifier: Apache-2.0 */
/* Kafka's APIs by number, the fields of those messages that are read, and errors by number. */
#ifndef SONDE_PROTOCOL_KAFKA_WORDS_H
#define SONDE_PROTOCOL_KAFKA_WORDS_H

#include <stdint.h>

enum kafka_api_key {
	KAFKA_PRODUCE = 0,
	KAFKA_FETCH = 1,
	KAFKA_SASL_HANDSHAKE = 17,
	KAFKA_API_VERSIONS = 18,
	KAFKA_SASL_AUTHENTICATE = 36,
};

enum kafka_field_kind {
	FIELD_END, /* what follows is not read */
	FIELD_I8,
	FIELD_I16,
	FIELD_I32,
	FIELD_I64,
	FIELD_UUID,
	FIELD_STRING,
	FIELD_CLIENT_ID, /* a string that is never compact */
	FIELD_RECORDS,
	FIELD_TAGS, /* tagged fields; only in flexible versions */
	FIELD_ARRAY, /* the fields up to its end are an element: one of them at least is there in all versions of it */
	FIELD_ARRAY_END,
};

enum kafka_meaning {
	MEANS_NOTHING,
	MEANS_ACKS,
	MEANS_ERROR,
	MEANS_TOPICS, /* the array of topics */
	MEANS_TOPIC,
	MEANS_TOPIC_ID,
	MEANS_GROUP,
	MEANS_LEARNED_NAME,
	MEANS_LEARNED_ID, /* of the name before */
};

struct kafka_field {
	uint8_t kind;	 /* enum kafka_field_kind */
	uint8_t meaning; /* enum kafka_meaning */
	uint8_t from;	 /* first version that has it */
	uint8_t until;	 /* last one */
};

struct kafka_api {
	const char *name; /* static; NULL: none that we know */
	uint8_t newest;	  /* version whose fields are known */
	uint8_t flexible; /* first version with compact lengths and tagged fields */
	const struct kafka_field *request; /* NULL: not read */
	const struct kafka_field *answer;  /* NULL: not read */
};

/* Never NULL. */
const struct kafka_api *kafka_api_find(uint16_t key);

/* Static; "_OTHER" for numbers that we do not know. */
const char *kafka_error_name(int16_t code);

#endif
