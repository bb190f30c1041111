/* SPDX-License-Identifier: Apache-2.0 */
/* GraphQL's October 2021 specification, §2: strings and comments hide braces; a selection set without a word before it is a query. */
#include "protocol/graphql_words.h"

#include <string.h>

enum graphql_state {
	IN_TEXT,
	IN_COMMENT,
	IN_QUOTED,
	IN_QUOTED_ESCAPE,
	IN_BLOCK, /* three quotes */
	IN_BLOCK_ESCAPE,
};

/* What a word or brace outside all braces is. */
enum graphql_awaits {
	AWAITS_DEFINITION,
	AWAITS_NAME, /* of an operation */
	AWAITS_BODY, /* of anything */
};

static bool is_word(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_';
}

static struct graphql_operation *begin_operation(struct graphql_document *document,
						 const char *type)
{
	uint32_t number = document->operation_count;

	if (number < UINT32_MAX)
		document->operation_count++;
	if (number >= GRAPHQL_OPERATIONS_MAX)
		return NULL;
	document->operations[number].type = type;
	return &document->operations[number];
}

static void begin_definition(struct graphql_document *document)
{
	static const char *const types[] = { "query", "mutation", "subscription" };

	document->awaits = AWAITS_BODY; /* a fragment */
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (strcmp(document->word, types[i]) == 0) {
			(void)begin_operation(document, types[i]);
			document->awaits = AWAITS_NAME;
		}
}

static void word_ends(struct graphql_document *document)
{
	uint32_t number = document->operation_count - 1;

	if (!document->word_bytes)
		return;
	document->word[document->word_bytes] = '\0';
	document->word_bytes = 0;
	if (document->depth)
		return;
	if (document->awaits == AWAITS_DEFINITION) {
		begin_definition(document);
	} else if (document->awaits == AWAITS_NAME) {
		if (number < GRAPHQL_OPERATIONS_MAX)
			memcpy(document->operations[number].name, document->word,
			       sizeof(document->word));
		document->awaits = AWAITS_BODY;
	}
}

static void take_bracket(struct graphql_document *document, uint8_t c)
{
	bool is_open = c == '{' || c == '(' || c == '[';

	if (!is_open) {
		document->depth -= document->depth > 0;
		if (!document->depth && c == '}')
			document->awaits = AWAITS_DEFINITION;
		return;
	}
	if (!document->depth && c == '{' && document->awaits == AWAITS_DEFINITION)
		(void)begin_operation(document, "query");
	if (document->depth < UINT32_MAX)
		document->depth++;
	document->awaits = AWAITS_BODY;
}

static void take_text(struct graphql_document *document, uint8_t c)
{
	if (is_word(c)) {
		if (document->word_bytes < GRAPHQL_NAME_MAX)
			document->word[document->word_bytes++] = (char)c;
		return;
	}
	word_ends(document);
	if (c == '#')
		document->state = IN_COMMENT;
	else if (c == '"')
		document->state = IN_QUOTED;
	else if (c == '@' && !document->depth)
		document->awaits = AWAITS_BODY; /* a directive */
	else if (strchr("{}()[]", c) && c)
		take_bracket(document, c);
}

/* Two quotes are an empty string, three begin a block. */
static bool takes_quotes(struct graphql_document *document, uint8_t c)
{
	if (c != '"') {
		bool is_empty = document->state == IN_QUOTED && document->quotes == 2;

		document->quotes = 0;
		if (is_empty)
			document->state = IN_TEXT;
		return false;
	}
	document->quotes++;
	return true;
}

static void take_quoted(struct graphql_document *document, uint8_t c)
{
	if (c == '"')
		document->state = IN_TEXT;
	else if (c == '\\')
		document->state = IN_QUOTED_ESCAPE;
	else if (c == '\n')
		document->state = IN_TEXT; /* strings have one line: this was none */
}

static void take_block(struct graphql_document *document, uint8_t c)
{
	document->quotes = c == '"' ? (uint8_t)(document->quotes + 1) : 0;
	if (document->quotes == 3) {
		document->quotes = 0;
		document->state = IN_TEXT;
	} else if (c == '\\') {
		document->state = IN_BLOCK_ESCAPE;
	}
}

void graphql_take(struct graphql_document *document, uint8_t character)
{
	switch ((enum graphql_state)document->state) {
	case IN_COMMENT:
		if (character == '\n')
			document->state = IN_TEXT;
		return;
	case IN_QUOTED_ESCAPE:
		document->state = IN_QUOTED;
		return;
	case IN_BLOCK_ESCAPE:
		document->state = IN_BLOCK;
		return;
	case IN_BLOCK:
		take_block(document, character);
		return;
	case IN_QUOTED:
	case IN_TEXT:
		break;
	}
	if (document->quotes || (character == '"' && document->state == IN_TEXT)) {
		word_ends(document);
		document->state = IN_QUOTED;
		if (takes_quotes(document, character)) {
			if (document->quotes == 3) {
				document->quotes = 0;
				document->state = IN_BLOCK;
			}
			return;
		}
	}
	if (document->state == IN_QUOTED)
		take_quoted(document, character);
	else
		take_text(document, character);
}

const struct graphql_operation *graphql_operation(const struct graphql_document *document,
						  const char *name)
{
	uint32_t count = document->operation_count;

	if (!name || !*name)
		return count == 1 ? &document->operations[0] : NULL;
	for (uint32_t i = 0; i < count && i < GRAPHQL_OPERATIONS_MAX; i++)
		if (strncmp(document->operations[i].name, name, GRAPHQL_NAME_MAX) == 0)
			return &document->operations[i];
	return NULL;
}
