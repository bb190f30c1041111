/* SPDX-License-Identifier: Apache-2.0 */
/* Names of topics by id: found, kept once, forgotten when there are too many; with memory failing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "failing_alloc.h"
#include "protocol/kafka_topics.h"

struct id {
	uint8_t bytes[KAFKA_TOPIC_ID_BYTES];
};

static struct id id_of(uint32_t number)
{
	struct id id = { { 1 } };

	memcpy(id.bytes + 4, &number, sizeof(number));
	return id;
}

static void finds_what_it_learned(void **state)
{
	struct kafka_topics *topics = kafka_topics_new();
	struct id one = id_of(1), two = id_of(2);
	char longest[KAFKA_TOPIC_NAME_MAX + 2];

	(void)state;
	assert_null(kafka_topics_find(topics, one.bytes));
	kafka_topics_learn(topics, one.bytes, "orders");
	kafka_topics_learn(topics, one.bytes, "another");
	kafka_topics_learn(topics, two.bytes, "");
	assert_string_equal(kafka_topics_find(topics, one.bytes), "orders");
	assert_null(kafka_topics_find(topics, two.bytes));
	memset(longest, 'x', sizeof(longest));
	longest[KAFKA_TOPIC_NAME_MAX + 1] = '\0';
	kafka_topics_learn(topics, two.bytes, longest);
	assert_null(kafka_topics_find(topics, two.bytes));
	kafka_topics_learn(topics, two.bytes, longest + 1);
	assert_string_equal(kafka_topics_find(topics, two.bytes), longest + 1);
	kafka_topics_free(&topics);
	assert_null(topics);
	kafka_topics_free(&topics);
}

/* The first is used all the time. */
static void forgets_the_least_used(void **state)
{
	struct kafka_topics *topics = kafka_topics_new();
	struct id first = id_of(0);
	unsigned known = 0;

	(void)state;
	for (uint32_t i = 0; i < KAFKA_TOPICS_MAX + 100; i++) {
		struct id id = id_of(i);

		kafka_topics_learn(topics, id.bytes, "topic");
		assert_non_null(kafka_topics_find(topics, first.bytes));
	}
	for (uint32_t i = 0; i < KAFKA_TOPICS_MAX + 100; i++) {
		struct id id = id_of(i);

		known += kafka_topics_find(topics, id.bytes) != NULL;
	}
	assert_int_equal(known, KAFKA_TOPICS_MAX);
	kafka_topics_free(&topics);
}

static void lives_without_memory(void **state)
{
	(void)state;
	FOR_EACH_FAILING_ALLOC(nth)
	{
		struct kafka_topics *topics = kafka_topics_new();
		struct id id = id_of(1);

		if (!topics)
			continue;
		kafka_topics_learn(topics, id.bytes, "topic");
		if (kafka_topics_find(topics, id.bytes))
			assert_string_equal(kafka_topics_find(topics, id.bytes), "topic");
		else
			assert_true(failing_alloc_has_failed());
		kafka_topics_free(&topics);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_what_it_learned),
		cmocka_unit_test(forgets_the_least_used),
		cmocka_unit_test(lives_without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
