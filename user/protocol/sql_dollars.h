/* SPDX-License-Identifier: Apache-2.0 */
/* Text between dollar quotes, $$ and $$ or $tag$ and $tag$ (PostgreSQL), and where it ends. */
#ifndef SONDE_PROTOCOL_SQL_DOLLARS_H
#define SONDE_PROTOCOL_SQL_DOLLARS_H

#include <stdbool.h>
#include <stdint.h>

/* Zeroed when a dollar may begin one. */
struct sql_dollars {
	uint16_t tag;  /* hash */
	uint16_t seen; /* of the tag that may be the last, while is_tag */
	bool is_tag;
};

static inline bool sql_is_word_byte(uint8_t byte)
{
	return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
	       (byte >= '0' && byte <= '9') || byte == '_' || byte >= 0x80;
}

static inline uint16_t sql_tag_hash(uint16_t tag, uint8_t byte)
{
	return (uint16_t)(tag * 31 + byte + 1);
}

/* A byte after the first dollar. Returns whether it is one of the tag: a digit at its beginning is that of a parameter. */
static inline bool sql_dollars_add(struct sql_dollars *dollars, uint8_t byte)
{
	if (!sql_is_word_byte(byte) || (!dollars->tag && byte >= '0' && byte <= '9'))
		return false;
	dollars->tag = sql_tag_hash(dollars->tag, byte);
	return true;
}

/* A byte of the text. Returns whether the text ends with it. */
static inline bool sql_dollars_end(struct sql_dollars *dollars, uint8_t byte)
{
	if (byte == '$') {
		if (dollars->is_tag && dollars->seen == dollars->tag)
			return true;
		dollars->is_tag = true;
		dollars->seen = 0;
	} else if (dollars->is_tag) {
		dollars->seen = sql_tag_hash(dollars->seen, byte);
		dollars->is_tag = sql_is_word_byte(byte);
	}
	return false;
}

#endif
