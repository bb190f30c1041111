/* SPDX-License-Identifier: Apache-2.0 */
/* Ids are random (KIP-516), so one table serves all clusters. */
#include "protocol/kafka_topics.h"

#include <stdlib.h>
#include <string.h>

#include "base/table.h"

struct topic {
	struct table_node node;
	uint8_t id[KAFKA_TOPIC_ID_BYTES];
	char name[];
};

struct kafka_topics {
	struct table by_id;
};

static bool topic_matches(const struct table_node *node, const void *id)
{
	return memcmp(table_entry(node, struct topic, node)->id, id, KAFKA_TOPIC_ID_BYTES) == 0;
}

struct kafka_topics *kafka_topics_new(void)
{
	struct kafka_topics *topics = calloc(1, sizeof(*topics));

	if (topics && table_init(&topics->by_id, KAFKA_TOPICS_MAX, topic_matches) < 0) {
		free(topics);
		return NULL;
	}
	return topics;
}

static void topic_drop(struct kafka_topics *topics, struct table_node *node)
{
	table_remove(&topics->by_id, node);
	free(table_entry(node, struct topic, node));
}

void kafka_topics_free(struct kafka_topics **slot)
{
	struct kafka_topics *topics = *slot;

	*slot = NULL;
	if (!topics)
		return;
	while (topics->by_id.oldest)
		topic_drop(topics, topics->by_id.oldest);
	table_done(&topics->by_id);
	free(topics);
}

static struct table_node *find(struct kafka_topics *topics, const uint8_t *id, uint64_t hash)
{
	return table_find(&topics->by_id, hash, id);
}

void kafka_topics_learn(struct kafka_topics *topics, const uint8_t id[KAFKA_TOPIC_ID_BYTES],
			const char *name)
{
	uint64_t hash = hash_bytes(id, KAFKA_TOPIC_ID_BYTES);
	size_t length = strlen(name);
	struct topic *topic;

	if (!length || length > KAFKA_TOPIC_NAME_MAX || find(topics, id, hash))
		return;
	topic = malloc(sizeof(*topic) + length + 1);
	if (!topic)
		return;
	memcpy(topic->id, id, KAFKA_TOPIC_ID_BYTES);
	memcpy(topic->name, name, length + 1);
	if (topics->by_id.count == topics->by_id.limit)
		topic_drop(topics, topics->by_id.oldest);
	(void)table_insert(&topics->by_id, &topic->node, hash); /* room was made */
}

const char *kafka_topics_find(struct kafka_topics *topics, const uint8_t id[KAFKA_TOPIC_ID_BYTES])
{
	struct table_node *node = find(topics, id, hash_bytes(id, KAFKA_TOPIC_ID_BYTES));

	return node ? table_entry(node, struct topic, node)->name : NULL;
}
