/* SPDX-License-Identifier: Apache-2.0 */
/* From sql_mask.c, which cuts a statement into tokens, to sql_mask_tokens.c, which tells them. For these two. */
#ifndef SONDE_PROTOCOL_SQL_MASK_TOKENS_H
#define SONDE_PROTOCOL_SQL_MASK_TOKENS_H

#include "protocol/sql_mask.h"

#define SQL_HASH_START 0x6a09e667f3bcc908u
#define SQL_HASH_FACTOR 0x9e3779b97f4a7c15u

enum byte_kind {
	OTHER_BYTE,
	SPACE_BYTE,
	WORD_BYTE,
	UPPER_BYTE,
	DIGIT_BYTE,
};

extern const uint8_t sql_byte_kinds[256]; /* enum byte_kind */

enum token {
	NO_TOKEN,
	WORD_TOKEN,
	NAME_TOKEN,
	VALUE_TOKEN, /* ? */
	SIGN_TOKEN,
	OPEN_TOKEN,
	CLOSE_TOKEN,
};

/* Does the byte go on with a word? */
static inline bool sql_is_part(uint8_t byte)
{
	return sql_byte_kinds[byte] >= WORD_BYTE;
}

/* What was held back stands for itself: another token follows. */
void sql_mask_settle(struct sql_mask *mask);

void sql_mask_value(struct sql_mask *mask);

/* A word from its first byte on; then the bytes that go on with it, returning how many these are; and its end. */
void sql_mask_begin_word(struct sql_mask *mask, uint8_t byte);
size_t sql_mask_word_run(struct sql_mask *mask, const uint8_t *bytes, size_t length);
void sql_mask_end_word(struct sql_mask *mask);
/* It was none, or it is not whole. */
void sql_mask_forget_word(struct sql_mask *mask);

/* A quoted name, its quotes included. */
void sql_mask_name_byte(struct sql_mask *mask, uint8_t byte);
void sql_mask_end_name(struct sql_mask *mask);

/* Anything that is no word, quote or comment. */
void sql_mask_sign(struct sql_mask *mask, uint8_t byte);

/* No token follows. Returns the fingerprint. */
uint64_t sql_mask_close(struct sql_mask *mask, bool is_cut);

#endif
