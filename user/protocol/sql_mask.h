/* SPDX-License-Identifier: Apache-2.0 */
/* A statement without its literals, and a number that says which statement it is: text for people, fingerprint for tables. What
 * is kept never holds a literal, whatever the bytes; names, quoted or not, stay. */
#ifndef SONDE_PROTOCOL_SQL_MASK_H
#define SONDE_PROTOCOL_SQL_MASK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/sql_comment.h"
#include "protocol/sql_dollars.h"
#include "protocol/sql_words.h"

/* Kept of the masked text, with its NUL and the mark of what is missing; it is a label, which has 255 bytes. */
#define SQL_MASKED_MAX 240
/* Looked at of a statement: bulk inserts have no end. */
#define SQL_MASK_READ_MAX 16384

/* A statement being masked. */
struct sql_mask {
	uint64_t hash;
	uint64_t kept_hash; /* when the text still had room for all */
	uint64_t word;	    /* the newest bytes of the word, in lower case */
	uint32_t read_bytes;
	uint32_t word_bytes;
	uint32_t depth;	     /* of parentheses */
	uint32_t list_depth; /* one more than where the commas of a list are; 0: none */
	uint32_t skip_depth; /* inside the row that is left out; 0: none */
	struct sql_dollars dollars;
	uint8_t dialect; /* enum sql_dialect */
	uint8_t place;	 /* enum place of sql_mask.c */
	uint8_t newest;	 /* enum token of sql_mask.c: the last one told */
	uint8_t before;	 /* the word */
	uint8_t quote;
	uint8_t last;	   /* the byte before, where two together mean something */
	uint8_t sign;	   /* a sign whose next byte says what it is; 0: none */
	uint8_t separator; /* a comma or semicolon that may be dropped; 0: none */
	uint8_t comments;
	uint8_t text_bytes;
	uint8_t word_at;	  /* where in the text the word begins */
	bool has_plain_backslash; /* MySQL with NO_BACKSLASH_ESCAPES */
	bool has_backslash;	  /* the text quoted may have escapes */
	bool is_space_due;
	bool is_list_next;  /* after IN */
	bool is_value_next; /* a sign would be the number's own: after SELECT, AND … */
	bool is_value_row;  /* the list's rows are VALUES' */
	bool has_more_rows; /* told */
	bool is_full;	    /* the text has no room for the next token */
	bool is_cut;	    /* not all of the statement was read */
	char text[SQL_MASKED_MAX];
	struct sql_comment comment;
};

/* has_plain_backslash: no escapes in literals where MySQL has them. */
void sql_mask_init(struct sql_mask *mask, enum sql_dialect dialect, bool has_plain_backslash);

/* Take the statement's next bytes. */
void sql_mask_take(struct sql_mask *mask, const uint8_t *bytes, size_t length);

/* The statement is over: the text is whole, and ends with "…" if there was more.
 *
 * is_cut   not all of it was captured
 * Returns  the fingerprint, never 0. The same for the same statement with other literals, spaces, comments, lengths of IN
 *          lists, and parameters in place of literals, whatever the case of words. Of a statement that was cut, of what the text
 *          holds */
uint64_t sql_mask_end(struct sql_mask *mask, bool is_cut);

#endif
