/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes of real conversations, ends marked by a side of 0. */
#ifndef SONDE_TESTS_KAFKA_TALKS_H
#define SONDE_TESTS_KAFKA_TALKS_H

#include "pairing.h"

enum kafka_talk {
	KAFKA_RDKAFKA_PRODUCER,
	KAFKA_RDKAFKA_CONSUMER,
	KAFKA_PYTHON_PRODUCER,
	KAFKA_PYTHON_CONSUMER,
	KAFKA_JAVA_PRODUCER,
	KAFKA_JAVA_CONSUMER,
	KAFKA_JAVA_GROUP,
	KAFKA_TALK_COUNT,
};

extern const struct said *const kafka_talks[KAFKA_TALK_COUNT];

extern const struct said kafka_java_producer[];
extern const struct said
	kafka_java_consumer[]; /* a connection that asks about the topic, then one that fetches */
extern const struct said kafka_java_group[];

#endif
