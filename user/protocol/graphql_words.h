/* SPDX-License-Identifier: Apache-2.0 */
/* The operations of a GraphQL document, character by character: types and names, nothing else is kept. */
#ifndef SONDE_PROTOCOL_GRAPHQL_WORDS_H
#define SONDE_PROTOCOL_GRAPHQL_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GRAPHQL_NAME_MAX 63
#define GRAPHQL_OPERATIONS_MAX 4 /* of a document; later ones are only counted */

struct graphql_operation {
	const char *type;		 /* static: "query", "mutation" or "subscription" */
	char name[GRAPHQL_NAME_MAX + 1]; /* empty: it has none */
};

struct graphql_document {
	struct graphql_operation operations[GRAPHQL_OPERATIONS_MAX];
	uint32_t operation_count;
	uint32_t depth; /* of braces and parentheses */
	uint8_t state;	/* in a comment, a string, or neither */
	uint8_t quotes; /* in a row */
	uint8_t awaits; /* what the next word is */
	uint8_t word_bytes;
	char word[GRAPHQL_NAME_MAX + 1];
};

/* The document is zero at first. */
void graphql_take(struct graphql_document *document, uint8_t character);

/* The operation that is run: that of the name, or the only one; NULL when nobody can say. name: NULL or empty for none. */
const struct graphql_operation *graphql_operation(const struct graphql_document *document,
						  const char *name);

#endif
