/* SPDX-License-Identifier: Apache-2.0 */
/* See sql_text.h. */
#include "protocol/sql_text.h"

#include <stdlib.h>
#include <string.h>

_Static_assert(SQL_MASKED_AT > SQL_OWN_AT, "what a protocol keeps of its own has room between");

void sql_text_begin(struct sql_text **slot, enum sql_dialect dialect, bool has_plain_backslash)
{
	if (!*slot)
		*slot = malloc(sizeof(**slot));
	if (!*slot)
		return;
	sql_reader_init(&(*slot)->reader, dialect);
	(*slot)->is_cut = false;
	(*slot)->reader.has_plain_backslash = has_plain_backslash;
	sql_mask_init(&(*slot)->mask, dialect, has_plain_backslash);
}

void sql_text_free(struct sql_text **slot)
{
	free(*slot);
	*slot = NULL;
}

void sql_text_take(struct sql_text *text, const uint8_t *bytes, size_t length)
{
	if (text->is_cut)
		return;
	if (!text->reader.is_over)
		(void)sql_reader_take(&text->reader, bytes, length);
	sql_mask_take(&text->mask, bytes, length);
}

void sql_text_cut(struct sql_text *text)
{
	text->is_cut = true;
	sql_reader_cut(&text->reader);
}

void sql_text_end(struct sql_text *text)
{
	sql_reader_end(&text->reader);
	text->fingerprint = sql_mask_end(&text->mask, text->is_cut);
}

/* A statement of no words is one too. NULL: it was cut before its first one. */
static const char *operation_of(const struct sql_text *text)
{
	const char *operation = sql_reader_operation(&text->reader);

	return operation || text->reader.is_cut ? operation : "other";
}

struct sql_plan *sql_text_plan(const struct sql_text *text)
{
	return sql_plan_new(operation_of(text), sql_reader_table(&text->reader), text->fingerprint,
			    text->mask.text);
}

static const char *or_none(const char *text)
{
	return text ? text : "";
}

struct sql_plan *sql_plan_of(const struct exchange_facts *facts)
{
	return sql_plan_new(facts->attributes[ATTRIBUTE_DB_OPERATION_NAME],
			    or_none(facts->attributes[ATTRIBUTE_DB_COLLECTION_NAME]),
			    facts->statement, or_none(facts->attributes[ATTRIBUTE_DB_QUERY_TEXT]));
}

static void name(struct exchange_facts *facts, const char *table, uint64_t fingerprint,
		 const char *masked)
{
	size_t table_bytes = strlen(table) + 1;

	if (table_bytes > 1 && table_bytes <= SQL_TABLE_MAX) {
		facts->attributes[ATTRIBUTE_DB_COLLECTION_NAME] =
			memcpy(facts->text + SQL_TABLE_AT, table, table_bytes);
	}
	facts->statement = fingerprint;
	facts->attributes[ATTRIBUTE_DB_QUERY_TEXT] =
		strcpy(facts->text + SQL_MASKED_AT, masked); /* at most SQL_MASKED_MAX */
}

void sql_tell_trace(struct exchange_facts *facts, const struct sql_text *text)
{
	sql_comment_tell(&text->mask.comment, &facts->trace, facts->trace_texts);
}

void sql_name_by_text(struct exchange_facts *facts, const struct sql_text *text)
{
	sql_tell_trace(facts, text);
	sql_name_operation(facts, operation_of(text));
	name(facts, sql_reader_table(&text->reader), text->fingerprint, text->mask.text);
}

void sql_name_by_plan(struct exchange_facts *facts, const struct sql_plan *plan)
{
	sql_name_operation(facts, plan->operation);
	name(facts, plan->table, plan->fingerprint, plan->masked);
}

void sql_name_operation(struct exchange_facts *facts, const char *operation)
{
	facts->attributes[ATTRIBUTE_DB_OPERATION_NAME] = operation;
}
