/* SPDX-License-Identifier: Apache-2.0 */
/* Commands and errors of Redis by name. */
#ifndef SONDE_PROTOCOL_REDIS_WORDS_H
#define SONDE_PROTOCOL_REDIS_WORDS_H

#include <stddef.h>

/* What is special about a command. */
enum redis_note {
	REDIS_PLAIN,
	REDIS_CONTAINS,	  /* its second word says what it does: CONFIG GET */
	REDIS_SUBSCRIBES, /* messages about the subscriptions answer it */
	REDIS_FEEDS,	  /* what follows the answer is no answer: MONITOR, replication */
	REDIS_PINGS,
	REDIS_RESETS,  /* makes the connection what it was at first */
	REDIS_REPLIES, /* CLIENT REPLY: answers on and off */
};

/* Bits beside it: which arguments are values (the command is the first one, its key the second) … */
enum redis_sends {
	REDIS_SENDS_THIRD = 1 << 3,
	REDIS_SENDS_FOURTH = 2 << 3,
	REDIS_SENDS_REST = 3 << 3,   /* from the third on */
	REDIS_SENDS_PAIRS = 4 << 3,  /* the third, the fifth … */
	REDIS_SENDS_FIELDS = 5 << 3, /* the fourth, the sixth … */
};
#define REDIS_NOTE_BITS 7
#define REDIS_SENDS_BITS (7 << 3)
/* … what the answer holds is a value, and null in it says that there was none to be read. */
#define REDIS_GETS (1 << 6)
#define REDIS_READS (1 << 7)

struct redis_command {
	const char *name; /* upper case; static */
	int note;	  /* enum redis_note, and bits */
};

/* Longer than every name, both words and the space. */
#define REDIS_NAME_MAX 32

/* Look up a command, or two words with a space between. Case does not matter. NULL: none that we know. */
const struct redis_command *redis_command_find(const char *name, size_t length);

/* The error's first word, when it is one that Redis has, else "_OTHER". */
const char *redis_error_label(const char *word, size_t length);

#endif
