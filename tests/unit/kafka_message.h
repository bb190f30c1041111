/* SPDX-License-Identifier: Apache-2.0 */
/* Kafka's Produce and Fetch, with records of one's own making. */
#ifndef SONDE_TESTS_KAFKA_MESSAGE_H
#define SONDE_TESTS_KAFKA_MESSAGE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define KAFKA_MESSAGE_MAX 8192

struct kafka_message {
	uint8_t bytes[KAFKA_MESSAGE_MAX];
	size_t length;
	size_t batch; /* where the batch under way begins */
	uint32_t records;
};

static inline void kafka_put(struct kafka_message *message, const void *bytes, size_t length)
{
	if (length > sizeof(message->bytes) - message->length)
		return;
	memcpy(message->bytes + message->length, bytes, length);
	message->length += length;
}

static inline void kafka_put_number(struct kafka_message *message, uint64_t number, size_t bytes)
{
	while (bytes--)
		kafka_put(message, &(uint8_t){ (uint8_t)(number >> 8 * bytes) }, 1);
}

static inline void kafka_set_number(struct kafka_message *message, size_t at, uint32_t number)
{
	for (size_t i = 0; i < 4; i++)
		message->bytes[at + i] = (uint8_t)(number >> (24 - 8 * i));
}

/* As in records: seven bits at a time, the sign last. */
static inline void kafka_put_varint(struct kafka_message *message, int64_t number)
{
	uint64_t bits = (uint64_t)number << 1 ^ (uint64_t)(number >> 63);

	for (; bits >= 0x80; bits >>= 7)
		kafka_put(message, &(uint8_t){ (uint8_t)(bits | 0x80) }, 1);
	kafka_put(message, &(uint8_t){ (uint8_t)bits }, 1);
}

/* Produce 3, or the answer to Fetch 4: both have one partition of the topic "t". */
static inline void kafka_begin(struct kafka_message *message, int is_answer, uint32_t correlation)
{
	message->length = 0;
	kafka_put_number(message, 0, 4);
	if (is_answer) {
		kafka_put_number(message, correlation, 4);
		kafka_put_number(message, 0, 4);
	} else {
		kafka_put(message, "\0\0\0\3", 4);
		kafka_put_number(message, correlation, 4);
		kafka_put(message, "\0\1c\377\377\0\1\0\0\0\1", 11);
	}
	kafka_put(message, "\0\0\0\1\0\1t\0\0\0\1\0\0\0\0", 15);
	if (is_answer) {
		kafka_put_number(message, 0, 2);
		kafka_put_number(message, 0, 8);
		kafka_put_number(message, 0, 8);
		kafka_put_number(message, 0, 4);
	}
	kafka_put_number(message, 0, 4); /* bytes of records */
	message->batch = message->length;
}

static inline void kafka_begin_batch(struct kafka_message *message, unsigned attributes)
{
	message->batch = message->length;
	message->records = 0;
	kafka_put_number(message, 0, 8);
	kafka_put_number(message, 0, 4); /* length */
	kafka_put_number(message, 0, 4);
	kafka_put_number(message, 2, 1);
	kafka_put_number(message, 0, 4);
	kafka_put_number(message, attributes, 2);
	for (unsigned i = 0; i < 34; i++)
		kafka_put_number(message, 0, 1);
	kafka_put_number(message, 0, 4); /* records */
}

static inline void kafka_end_batch(struct kafka_message *message)
{
	kafka_set_number(message, message->batch + 8,
			 (uint32_t)(message->length - message->batch - 12));
	kafka_set_number(message, message->batch + 57, message->records);
}

/* first_batch: where the first one began */
static inline void kafka_end(struct kafka_message *message, size_t first_batch)
{
	kafka_set_number(message, 0, (uint32_t)message->length - 4);
	kafka_set_number(message, first_batch - 4, (uint32_t)(message->length - first_batch));
}

struct kafka_header {
	const char *name;
	const char *value; /* NULL: none */
};

/* A record without a key, and with a value of so many bytes; the list of headers ends with one without a name. */
static inline void kafka_put_record(struct kafka_message *message, size_t value_bytes,
				    const struct kafka_header *headers)
{
	struct kafka_message record = { .length = 0 };
	unsigned count = 0;

	kafka_put_number(&record, 0, 1);
	kafka_put_varint(&record, 1234567);
	kafka_put_varint(&record, message->records++);
	kafka_put_varint(&record, -1);
	kafka_put_varint(&record, (int64_t)value_bytes);
	for (size_t i = 0; i < value_bytes; i++)
		kafka_put(&record, "v", 1);
	while (headers[count].name)
		count++;
	kafka_put_varint(&record, count);
	for (; headers->name; headers++) {
		kafka_put_varint(&record, (int64_t)strlen(headers->name));
		kafka_put(&record, headers->name, strlen(headers->name));
		kafka_put_varint(&record, headers->value ? (int64_t)strlen(headers->value) : -1);
		if (headers->value)
			kafka_put(&record, headers->value, strlen(headers->value));
	}
	kafka_put_varint(message, (int64_t)record.length);
	kafka_put(message, record.bytes, record.length);
}

#endif
