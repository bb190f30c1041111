/* SPDX-License-Identifier: Apache-2.0 */
/* Records compressed as clients of Kafka do it. */
#ifndef SONDE_TESTS_KAFKA_PACKING_H
#define SONDE_TESTS_KAFKA_PACKING_H

#include "kafka_message.h"

enum kafka_packing {
	PACK_GZIP,
	PACK_SNAPPY, /* librdkafka's: one block */
	PACK_XERIAL, /* Java's: a header, then blocks of 100 bytes here */
	PACK_LZ4,
	PACK_ZSTD,
	PACK_COUNT,
};

/* As the attributes of a batch have it. */
extern const uint8_t kafka_packing_codec[PACK_COUNT];

/* Returns the bytes of `packed` that are taken; it has `room` of them, which must do. */
size_t kafka_pack(enum kafka_packing how, const uint8_t *bytes, size_t length, uint8_t *packed,
		  size_t room);

/* A zstd frame that asks for a window of 2^window_log bytes. */
size_t kafka_pack_with_window(int window_log, const uint8_t *bytes, size_t length, uint8_t *packed,
			      size_t room);

/* Compress the records of the batch under way, and end it. */
void kafka_end_packed_batch(struct kafka_message *message, enum kafka_packing how);

#endif
