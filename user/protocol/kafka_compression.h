/* SPDX-License-Identifier: Apache-2.0 */
/* Codecs of record batches: what compressed records are, in pieces. Gathering them is left to kafka_gather.c. */
#ifndef SONDE_PROTOCOL_KAFKA_COMPRESSION_H
#define SONDE_PROTOCOL_KAFKA_COMPRESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What comes out of a batch, at most: this, and less where the batch is so small that it would be more than
 * KAFKA_UNPACKED_LEAST and KAFKA_UNPACKED_RATIO times its size. What clients send is within that (1 MiB by default, before it is
 * compressed, which is seldom to a hundredth); what is made to keep readers busy is not. */
#define KAFKA_UNPACKED_MAX (4u << 20)
#define KAFKA_UNPACKED_LEAST (64u << 10)
#define KAFKA_UNPACKED_RATIO 256u

/* Returns false when no more is wanted. The bytes are valid until it returns. */
typedef bool (*kafka_unpacked_visit)(void *context, const uint8_t *bytes, size_t length);

/* Unpack the records of a batch, and hand them on piece by piece, as far as they can be read.
 *
 * codec    as the batch's attributes have it
 * Returns  0, also when no more was wanted; -EBADMSG: malformed, cut, of an unknown codec, or of a window beyond 8 MiB (zstd); -EFBIG:
 *          more would come out than may; -ENOMEM
 * Source   Kafka's CompressionType; RFC 1952 (gzip), LZ4 frame format 1.6, RFC 8878 (zstd), Snappy's format description */
int kafka_unpack(unsigned codec, const uint8_t *bytes, size_t length, kafka_unpacked_visit visit,
		 void *context);

#endif
