/* SPDX-License-Identifier: Apache-2.0 */
/* Pairs answers with requests as the engine does, and writes down what it comes to: "SELECT t=1054;" is an operation, its
 * table and its error, "GET /a 404=404;" a method, path, status and error; "+" several statements or topics, "?" an unknown one, "~" a head that
 * is cut or messages not all seen, "#" a version unknown, "2/3" keys found of keys looked up, "5>0" messages sent and consumed, "@g" a consumer
 * group. What a protocol paired by itself: "~" before it has no duration, "sent" and "got" are messages, "left" is what nobody settled. */
#ifndef SONDE_TESTS_PAIRING_H
#define SONDE_TESTS_PAIRING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/protocol.h"

/* Bytes of one side, until the other one spoke. */
struct said {
	char side; /* 'Q' asked or 'A' answered; 0: the end */
	size_t length;
	const char *bytes;
};

#define SAID(side, literal)                         \
	{                                           \
		side, sizeof(literal) - 1, literal, \
	}

/* Forget what was; the next bytes are a connection's first. NULL: free all. */
void pairing_begin(const struct protocol *protocol);

/* bytes NULL: not captured. */
void pairing_feed(enum message_side side, const char *bytes, size_t length);
/* What is in flight of a protocol that pairs by itself. */
void pairing_give_up(bool is_closed);
void pairing_boundary(enum message_side side, enum protocol_boundary boundary, uint64_t tail);

/* All pieces; the byte numbered `split` begins a piece of its own; nothing after `end`. */
void pairing_play(const struct protocol *protocol, const struct said *said, size_t split,
		  size_t end);
void pairing_play_bytes(const struct protocol *protocol, const struct said *said);
/* As the kernel shows it: of each piece the first `shown` bytes. */
void pairing_play_prefixes(const struct protocol *protocol, const struct said *said, size_t shown);

size_t said_length(const struct said *said);

/* Tell rows, values and statements too, in what is played from now on. */
void pairing_tell_figures(bool is_telling);

const char *pairing_text(void);
void pairing_expect(const char *text);
void pairing_clear_text(void);
bool pairing_is_over(void);
size_t pairing_waiting(void);

/* Tests of what a real server and its clients said, each with what it comes to. Their state is a set. */
struct talk_set {
	const struct protocol *protocol;
	const struct said *const *said;
	const char *const *expected;
	size_t count;
};

void understands_the_real_server(void **state);
void understands_every_split(void **state);
void understands_single_bytes(void **state);
/* What is there is told; nothing more, and never another thing. */
void tells_what_came_before_a_cut(void **state);

#define TALK_TEST(test, set)                            \
	{                                               \
#test, test, NULL, NULL, (void *)&(set) \
	}
#define TALK_TESTS(set)                                                                       \
	TALK_TEST(understands_the_real_server, set), TALK_TEST(understands_every_split, set), \
		TALK_TEST(understands_single_bytes, set),                                     \
		TALK_TEST(tells_what_came_before_a_cut, set)

#define PAIRING_SAY(side, literal) pairing_feed(side, literal, sizeof(literal) - 1)

#endif
