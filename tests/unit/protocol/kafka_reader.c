/* SPDX-License-Identifier: Apache-2.0 */
/* See kafka_reader.h. */
#include "kafka_reader.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

struct kafka_reader kafka_reader;

void kafka_reader_feed(enum message_side side, const uint8_t *bytes, size_t length)
{
	uint8_t *copy = malloc(length ? length : 1);
	struct protocol_run run = { .bytes = bytes ? copy : NULL, .length = length };
	enum protocol_step step;

	assert_non_null(copy);
	if (bytes)
		memcpy(copy, bytes, length);
	do {
		step = protocol_kafka.parse(&kafka_reader.state, side, &run, &kafka_reader.facts);
		kafka_reader.ends += step == STEP_END;
		assert_true(step != STEP_BROKEN && step != STEP_NOT_MINE);
	} while (step != STEP_MORE && run.length);
	free(copy);
}

void kafka_reader_begin(enum message_side side)
{
	static struct kafka_shared shared; /* it learns no topics */

	protocol_kafka.release(&kafka_reader.state);
	assert_int_equal(shared.gathered_bytes, 0);
	memset(&kafka_reader, 0, sizeof(kafka_reader));
	kafka_reader.state.shared = &shared;
	kafka_reader.facts.trace_texts = &kafka_reader.texts;
	if (side == SIDE_RESPONSE) /* correlation 1 */
		kafka_reader.facts.note = 2 | 4 << 8 | 1 << 16;
}

void kafka_reader_play(const struct kafka_message *message, enum message_side side, size_t split,
		       size_t hole, size_t hole_end)
{
	kafka_reader_begin(side);
	for (size_t at = 0, next; at < message->length; at = next) {
		next = at < hole ? hole : at < hole_end ? hole_end : message->length;
		if (split && next - at > split)
			next = at + split;
		if (next > message->length)
			next = message->length;
		kafka_reader_feed(side, at >= hole && at < hole_end ? NULL : message->bytes + at,
				  next - at);
	}
	assert_int_equal(kafka_reader.ends, 1);
}

const char *kafka_reader_told(void)
{
	static char text[512];
	const struct exchange_facts *facts = &kafka_reader.facts;
	size_t used = 0;

	text[0] = '\0';
	for (uint32_t i = 0; i < facts->contexts.count && i < TRACE_LINKS_MAX; i++) {
		const struct span_link *link = &kafka_reader.texts.links[i];

		used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s%x/%x",
					 i ? " " : "",
					 trace_context_is_whole(&facts->trace) ? "!" : "",
					 link->trace_id[TRACE_ID_BYTES - 1],
					 link->span_id[SPAN_ID_BYTES - 1]);
	}
	return text;
}
