/* SPDX-License-Identifier: Apache-2.0 */
/* A statement must be masked the same whole and byte by byte, in both dialects; and with other literals in the places where
 * PostgreSQL and MySQL certainly see one, nothing of them comes out. Input: the statement. */
#include <stdlib.h>
#include <string.h>

#include "protocol/sql_mask.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t mask_in_pieces(struct sql_mask *mask, enum sql_dialect dialect, const uint8_t *data,
			       size_t size, size_t piece)
{
	uint64_t fingerprint;

	memset(mask, 0xa5, sizeof(*mask));
	sql_mask_init(mask, dialect, false);
	for (size_t at = 0; at < size; at += piece)
		sql_mask_take(mask, data + at, size - at < piece ? size - at : piece);
	fingerprint = sql_mask_end(mask, false);
	if (!fingerprint || strnlen(mask->text, SQL_MASKED_MAX) >= SQL_MASKED_MAX)
		abort();
	return fingerprint;
}

/* The trace that a comment names. */
static struct trace_context trace_of(const struct sql_mask *mask)
{
	struct trace_context context = { 0 };
	struct trace_texts texts;

	sql_comment_tell(&mask->comment, &context, &texts);
	if (context.tracestate_bytes && strlen(texts.tracestate) != context.tracestate_bytes)
		abort();
	return context;
}

static void mask_both_ways(enum sql_dialect dialect, const uint8_t *data, size_t size)
{
	struct trace_context context, again;
	struct sql_mask whole, bytewise;
	uint64_t fingerprint = mask_in_pieces(&whole, dialect, data, size, size + 1);

	if (fingerprint != mask_in_pieces(&bytewise, dialect, data, size, 1) ||
	    strcmp(whole.text, bytewise.text) != 0)
		abort();
	context = trace_of(&whole);
	again = trace_of(&bytewise);
	if (memcmp(&context, &again, sizeof(context)) != 0)
		abort();
}

/* Digits that are part of no word and no name, as far as no quote is near, must be gone. */
static void has_no_numbers(enum sql_dialect dialect, const uint8_t *data, size_t size)
{
	struct sql_mask mask;

	if (memchr(data, '"', size) || memchr(data, '`', size))
		return;
	(void)mask_in_pieces(&mask, dialect, data, size, size + 1);
	for (const char *at = mask.text; *at; at++) {
		bool begins = at == mask.text || strchr(" (,=+-*/<>", at[-1]);

		if (begins && *at >= '0' && *at <= '9')
			abort();
		if (*at == '\'')
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	mask_both_ways(SQL_POSTGRESQL, data, size);
	mask_both_ways(SQL_MYSQL, data, size);
	has_no_numbers(SQL_POSTGRESQL, data, size);
	has_no_numbers(SQL_MYSQL, data, size);
	return 0;
}
