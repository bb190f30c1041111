/* SPDX-License-Identifier: Apache-2.0 */
/* Names of Kafka topics by their ids, learned from answers to Metadata on any connection, for messages that name topics by id
 * only. */
#ifndef SONDE_PROTOCOL_KAFKA_TOPICS_H
#define SONDE_PROTOCOL_KAFKA_TOPICS_H

#include <stddef.h>
#include <stdint.h>

#define KAFKA_TOPIC_ID_BYTES 16
#define KAFKA_TOPIC_NAME_MAX 249
/* The topic used least recently is forgotten when there are more. Requests for it then count as destination_unknown. */
#define KAFKA_TOPICS_MAX 4096

struct kafka_topics;

struct kafka_topics *kafka_topics_new(void); /* NULL: out of memory */
void kafka_topics_free(struct kafka_topics **topics);

/* name  with its NUL; longer ones than KAFKA_TOPIC_NAME_MAX, and all when memory is short, are not kept */
void kafka_topics_learn(struct kafka_topics *topics, const uint8_t id[KAFKA_TOPIC_ID_BYTES],
			const char *name);

/* NULL: not known. Valid until the next call. */
const char *kafka_topics_find(struct kafka_topics *topics, const uint8_t id[KAFKA_TOPIC_ID_BYTES]);

#endif
