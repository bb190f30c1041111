/* SPDX-License-Identifier: Apache-2.0 */
/* Commands and answers of memcached by name or number. */
#ifndef SONDE_PROTOCOL_MEMCACHED_WORDS_H
#define SONDE_PROTOCOL_MEMCACHED_WORDS_H

#include <stddef.h>
#include <stdint.h>

/* How the words after a command's name are read. */
enum memcached_shape {
	SHAPE_LINE,	  /* only the last one matters: "noreply" */
	SHAPE_KEYS,	  /* get */
	SHAPE_TIME_KEYS,  /* gat: a time, then keys */
	SHAPE_STORE,	  /* set: a value follows the line */
	SHAPE_META,	  /* mg: flags */
	SHAPE_META_STORE, /* ms: a length, then flags, then a value */
	SHAPE_END,	  /* quit: nothing answers */
	SHAPE_WATCH,	  /* what follows the answer is no answer */
};

/* First words of answers, as a set. */
enum memcached_answer {
	ANSWER_ERROR = 1 << 0, /* ERROR, CLIENT_ERROR, SERVER_ERROR */
	ANSWER_VALUE = 1 << 1,
	ANSWER_END = 1 << 2,
	ANSWER_STORED = 1 << 3, /* or NOT_STORED */
	ANSWER_EXISTS = 1 << 4,
	ANSWER_NOT_FOUND = 1 << 5,
	ANSWER_DELETED = 1 << 6,
	ANSWER_TOUCHED = 1 << 7,
	ANSWER_STAT = 1 << 8,  /* and others of which several come before END */
	ANSWER_OTHER = 1 << 9, /* a line that is all of it: OK, a number, VERSION … */
	ANSWER_HD = 1 << 10,
	ANSWER_VA = 1 << 11,
	ANSWER_EN = 1 << 12,
	ANSWER_NS = 1 << 13,
	ANSWER_EX = 1 << 14,
	ANSWER_NF = 1 << 15,
	ANSWER_MN = 1 << 16,
	ANSWER_ME = 1 << 17,
};

struct memcached_command {
	const char *name; /* static */
	uint8_t shape;	  /* enum memcached_shape */
	uint8_t reads;	  /* whether its keys are looked up: hits and misses */
	uint32_t answers; /* those it can get; 0: all */
	uint32_t loud;	  /* those it gets even when asked to be quiet */
};

/* NULL: none that we know. Case matters, as it does to the server. */
const struct memcached_command *memcached_command_find(const char *word, size_t length);

/* A number from 1 for each row, for exchange_facts.note; 0 for NULL. */
unsigned memcached_command_number(const struct memcached_command *command);
const struct memcached_command *memcached_command_at(unsigned number);

/* ANSWER_OTHER: none of those that have a bit of their own.
 * ret_error  set for errors: the word, static */
enum memcached_answer memcached_answer_find(const char *word, size_t length,
					    const char **ret_error);

/* Of the binary protocol. */
struct memcached_opcode {
	const char *name; /* static: that of the text protocol's command; NULL: none that we know */
	uint8_t reads;
	uint8_t is_quiet;
};

const struct memcached_opcode *memcached_opcode_find(uint8_t opcode);

/* What the text protocol would answer to something of this status; NULL: no error. */
const char *memcached_status_error(uint16_t status);

#endif
