/* SPDX-License-Identifier: Apache-2.0 */
/* One message at a time through the parser, and what it knows then of its records. */
#ifndef SONDE_TESTS_KAFKA_READER_H
#define SONDE_TESTS_KAFKA_READER_H

#include "kafka_message.h"
#include "protocol/kafka_state.h"

#define IDS(trace, span) "000000000000000000000000000000" trace "-00000000000000" span
#define TRACEPARENT(trace, span)                            \
	{                                                   \
		"traceparent", "00-" IDS(trace, span) "-01" \
	}
#define END_OF_LIST  \
	{            \
		NULL \
	}

struct kafka_reader {
	struct kafka_state state;
	struct exchange_facts facts;
	struct trace_texts texts;
	unsigned ends;
};

extern struct kafka_reader kafka_reader;

/* Forget what was read; a Fetch 4 is what the answer that comes answers. */
void kafka_reader_begin(enum message_side side);

/* bytes  NULL: not captured */
void kafka_reader_feed(enum message_side side, const uint8_t *bytes, size_t length);

/* A whole message, in pieces that end at `split` and at `split` bytes more; what is from `hole` to `hole_end` is not captured. */
void kafka_reader_play(const struct kafka_message *message, enum message_side side, size_t split,
		       size_t hole, size_t hole_end);

/* "a1/b2 …", and "!" in front when the request is part of that trace. */
const char *kafka_reader_told(void);

#endif
