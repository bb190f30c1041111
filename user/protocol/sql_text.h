/* SPDX-License-Identifier: Apache-2.0 */
/* What is learnt of a statement while it passes by, and how that is told of a request. */
#ifndef SONDE_PROTOCOL_SQL_TEXT_H
#define SONDE_PROTOCOL_SQL_TEXT_H

#include "protocol/protocol.h"
#include "protocol/sql_mask.h"
#include "protocol/sql_plans.h"
#include "protocol/sql_words.h"

struct sql_text {
	struct sql_reader reader;
	struct sql_mask mask;
	uint64_t fingerprint; /* once it has ended */
	bool is_cut;
};

/* Where the names of a request are in its facts' text; the protocol may use what is between. */
#define SQL_TABLE_AT 0
#define SQL_OWN_AT (SQL_TABLE_AT + SQL_TABLE_MAX)
#define SQL_MASKED_AT (FACTS_TEXT_MAX - SQL_MASKED_MAX)

/* A statement begins. Makes the text when there is none; that fails out of memory, and *text stays NULL. */
void sql_text_begin(struct sql_text **text, enum sql_dialect dialect, bool has_plain_backslash);
void sql_text_free(struct sql_text **text);

void sql_text_take(struct sql_text *text, const uint8_t *bytes, size_t length);

/* What follows was not captured; nothing more may be taken. */
void sql_text_cut(struct sql_text *text);
void sql_text_end(struct sql_text *text);

/* Of a text that has ended. NULL: out of memory. The caller holds it. */
struct sql_plan *sql_text_plan(const struct sql_text *text);

/* Of a request that was named: what it prepared. NULL: out of memory. */
struct sql_plan *sql_plan_of(const struct exchange_facts *facts);

/* Say in which trace the statement is run now, when a comment in it says so: not when it is run again. */
void sql_tell_trace(struct exchange_facts *facts, const struct sql_text *text);

/* Say which operation a request is, and in which trace. */
void sql_name_by_text(struct exchange_facts *facts, const struct sql_text *text);
/* The same of one that was prepared, in whatever trace. */
void sql_name_by_plan(struct exchange_facts *facts, const struct sql_plan *plan);
void sql_name_operation(struct exchange_facts *facts, const char *operation);

#endif
