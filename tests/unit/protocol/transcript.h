/* SPDX-License-Identifier: Apache-2.0 */
/* What a parser comes to, as text: "Q" and "A" for the sides, then begin, head, end, unseen, not mine, broken. */
#ifndef SONDE_TESTS_TRANSCRIPT_H
#define SONDE_TESTS_TRANSCRIPT_H

#include "protocol/protocol.h"

#define TRANSCRIPT_MAX 2048

struct transcript {
	_Alignas(8) uint8_t state[PROTOCOL_STATE_MAX];
	struct exchange_facts facts; /* of all exchanges: enough for one at a time */
	char text[TRANSCRIPT_MAX];
	size_t bytes;
	bool is_over;
};

void transcript_clear(struct transcript *transcript);

/* bytes NULL: not captured. In pieces of at most `piece` bytes, each in memory that ends with it. */
void transcript_feed(struct transcript *transcript, enum message_side side, const char *bytes,
		     size_t length, size_t piece);

void transcript_boundary(struct transcript *transcript, enum message_side side,
			 enum protocol_boundary boundary, uint64_t tail);

#endif
