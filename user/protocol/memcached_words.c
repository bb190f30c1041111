/* SPDX-License-Identifier: Apache-2.0 */
/* The words of memcached: doc/protocol.txt and protocol_binary.h of 1.6, and proto_text.c for what quiet commands answer. */
#include "protocol/memcached_words.h"

#include <stdlib.h>
#include <string.h>

#define GETS (ANSWER_VALUE | ANSWER_END | ANSWER_ERROR)
#define STORES \
	(ANSWER_STORED | ANSWER_EXISTS | ANSWER_NOT_FOUND | ANSWER_OTHER /* BUSY */ | ANSWER_ERROR)
#define COUNTS (ANSWER_OTHER | ANSWER_NOT_FOUND | ANSWER_ERROR)
#define METAS                                                                                   \
	(ANSWER_HD | ANSWER_VA | ANSWER_EN | ANSWER_NS | ANSWER_EX | ANSWER_NF | ANSWER_OTHER | \
	 ANSWER_ERROR)

/* In the order of strcmp. */
static const struct memcached_command commands[] = {
	{ "add", SHAPE_STORE, 0, STORES, 0 },
	{ "append", SHAPE_STORE, 0, STORES, 0 },
	{ "bget", SHAPE_KEYS, 1, GETS, 0 },
	{ "cache_memlimit", SHAPE_LINE, 0, 0, 0 },
	{ "cas", SHAPE_STORE, 0, STORES, 0 },
	{ "debugtime", SHAPE_LINE, 0, 0, 0 },
	{ "decr", SHAPE_LINE, 0, COUNTS, 0 },
	{ "delete", SHAPE_LINE, 0, ANSWER_DELETED | ANSWER_NOT_FOUND | ANSWER_ERROR, 0 },
	{ "extstore", SHAPE_LINE, 0, 0, 0 },
	{ "flush_all", SHAPE_LINE, 0, ANSWER_OTHER | ANSWER_ERROR, 0 },
	{ "gat", SHAPE_TIME_KEYS, 1, GETS, 0 },
	{ "gats", SHAPE_TIME_KEYS, 1, GETS, 0 },
	{ "get", SHAPE_KEYS, 1, GETS, 0 },
	{ "gets", SHAPE_KEYS, 1, GETS, 0 },
	{ "incr", SHAPE_LINE, 0, COUNTS, 0 },
	{ "lru", SHAPE_LINE, 0, 0, 0 },
	{ "lru_crawler", SHAPE_LINE, 0, 0, 0 },
	{ "ma", SHAPE_META, 0, METAS, METAS & ~(uint32_t)(ANSWER_HD | ANSWER_VA) },
	{ "md", SHAPE_META, 0, METAS, METAS & ~(uint32_t)ANSWER_HD },
	{ "me", SHAPE_META, 0, ANSWER_ME | ANSWER_EN | ANSWER_ERROR, 0 },
	{ "mg", SHAPE_META, 1, METAS, METAS & ~(uint32_t)ANSWER_EN },
	{ "misbehave", SHAPE_LINE, 0, 0, 0 },
	{ "mn", SHAPE_META, 0, ANSWER_MN | ANSWER_ERROR, 0 },
	{ "ms", SHAPE_META_STORE, 0, METAS, METAS & ~(uint32_t)ANSWER_HD },
	{ "prepend", SHAPE_STORE, 0, STORES, 0 },
	{ "quit", SHAPE_END, 0, 0, 0 },
	{ "refresh_certs", SHAPE_LINE, 0, 0, 0 },
	{ "replace", SHAPE_STORE, 0, STORES, 0 },
	{ "set", SHAPE_STORE, 0, STORES, 0 },
	{ "shutdown", SHAPE_END, 0, 0, 0 },
	{ "slabs", SHAPE_LINE, 0, 0, 0 },
	{ "stats", SHAPE_LINE, 0, 0, 0 },
	{ "touch", SHAPE_LINE, 0, ANSWER_TOUCHED | ANSWER_NOT_FOUND | ANSWER_ERROR, 0 },
	{ "verbosity", SHAPE_LINE, 0, ANSWER_OTHER | ANSWER_ERROR, 0 },
	{ "version", SHAPE_LINE, 0, ANSWER_OTHER | ANSWER_ERROR, 0 },
	{ "watch", SHAPE_WATCH, 0, ANSWER_OTHER | ANSWER_ERROR, 0 },
};

#define COMMAND_COUNT (sizeof(commands) / sizeof(commands[0]))

static const struct {
	const char *word;
	enum memcached_answer answer;
} answers[] = {
	{ "VALUE", ANSWER_VALUE },
	{ "END", ANSWER_END },
	{ "STORED", ANSWER_STORED },
	{ "HD", ANSWER_HD },
	{ "VA", ANSWER_VA },
	{ "EN", ANSWER_EN },
	{ "NOT_STORED", ANSWER_STORED },
	{ "EXISTS", ANSWER_EXISTS },
	{ "NOT_FOUND", ANSWER_NOT_FOUND },
	{ "DELETED", ANSWER_DELETED },
	{ "TOUCHED", ANSWER_TOUCHED },
	{ "NS", ANSWER_NS },
	{ "EX", ANSWER_EX },
	{ "NF", ANSWER_NF },
	{ "MN", ANSWER_MN },
	{ "ME", ANSWER_ME },
	{ "STAT", ANSWER_STAT },
	{ "ITEM", ANSWER_STAT },
	{ "PREFIX", ANSWER_STAT },
	{ "ERROR", ANSWER_ERROR },
	{ "CLIENT_ERROR", ANSWER_ERROR },
	{ "SERVER_ERROR", ANSWER_ERROR },
};

static const struct memcached_opcode opcodes[] = {
	[0x00] = { "get", 1, 0 },	[0x01] = { "set", 0, 0 },
	[0x02] = { "add", 0, 0 },	[0x03] = { "replace", 0, 0 },
	[0x04] = { "delete", 0, 0 },	[0x05] = { "incr", 0, 0 },
	[0x06] = { "decr", 0, 0 },	[0x07] = { "quit", 0, 0 },
	[0x08] = { "flush_all", 0, 0 }, [0x09] = { "get", 1, 1 },
	[0x0a] = { "noop", 0, 0 },	[0x0b] = { "version", 0, 0 },
	[0x0c] = { "get", 1, 0 },	[0x0d] = { "get", 1, 1 },
	[0x0e] = { "append", 0, 0 },	[0x0f] = { "prepend", 0, 0 },
	[0x10] = { "stats", 0, 0 },	[0x11] = { "set", 0, 1 },
	[0x12] = { "add", 0, 1 },	[0x13] = { "replace", 0, 1 },
	[0x14] = { "delete", 0, 1 },	[0x15] = { "incr", 0, 1 },
	[0x16] = { "decr", 0, 1 },	[0x17] = { "quit", 0, 1 },
	[0x18] = { "flush_all", 0, 1 }, [0x19] = { "append", 0, 1 },
	[0x1a] = { "prepend", 0, 1 },	[0x1b] = { "verbosity", 0, 0 },
	[0x1c] = { "touch", 0, 0 },	[0x1d] = { "gat", 1, 0 },
	[0x1e] = { "gat", 1, 1 },	[0x20] = { "sasl_list_mechs", 0, 0 },
	[0x21] = { "sasl_auth", 0, 0 }, [0x22] = { "sasl_step", 0, 0 },
	[0x23] = { "gat", 1, 0 },	[0x24] = { "gat", 1, 1 },
};

struct word {
	const char *bytes;
	size_t length;
};

static int compare_command(const void *key, const void *row)
{
	const char *name = ((const struct memcached_command *)row)->name;
	const struct word *word = key;
	int order = strncmp(word->bytes, name, word->length);

	return order ? order : -(name[word->length] != '\0');
}

const struct memcached_command *memcached_command_find(const char *word, size_t length)
{
	struct word key = { word, length };

	if (memchr(word, '\0', length))
		return NULL;
	return bsearch(&key, commands, COMMAND_COUNT, sizeof(commands[0]), compare_command);
}

unsigned memcached_command_number(const struct memcached_command *command)
{
	return command ? (unsigned)(command - commands) + 1 : 0;
}

const struct memcached_command *memcached_command_at(unsigned number)
{
	return number && number <= COMMAND_COUNT ? &commands[number - 1] : NULL;
}

enum memcached_answer memcached_answer_find(const char *word, size_t length, const char **ret_error)
{
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		if (strlen(answers[i].word) != length || memcmp(answers[i].word, word, length) != 0)
			continue;
		if (answers[i].answer == ANSWER_ERROR)
			*ret_error = answers[i].word;
		return answers[i].answer;
	}
	return ANSWER_OTHER;
}

const struct memcached_opcode *memcached_opcode_find(uint8_t opcode)
{
	static const struct memcached_opcode unknown = { NULL, 0, 0 };

	return opcode < sizeof(opcodes) / sizeof(opcodes[0]) ? &opcodes[opcode] : &unknown;
}

/* Source: protocol_binary.h. Not found, exists and not stored are no errors, as in the text protocol. */
const char *memcached_status_error(uint16_t status)
{
	switch (status) {
	case 0x00:
	case 0x01: /* not found */
	case 0x02: /* exists */
	case 0x05: /* not stored */
	case 0x21: /* go on with the authentication */
		return NULL;
	case 0x04: /* invalid arguments */
	case 0x06: /* not a number */
	case 0x20: /* authentication failed */
		return "CLIENT_ERROR";
	case 0x81: /* unknown command */
		return "ERROR";
	default:
		return "SERVER_ERROR";
	}
}
