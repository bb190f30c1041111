/* SPDX-License-Identifier: Apache-2.0 */
/* Protocols inside the bodies of HTTP/1: switched on for a service, read beside the HTTP that carries them, and told beside it. */
#ifndef SONDE_PROTOCOL_HTTP_DIALECT_H
#define SONDE_PROTOCOL_HTTP_DIALECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/protocol.h"

/* X(NAME, label) */
#define HTTP_DIALECTS(X)                  \
	X(JSONRPC, "jsonrpc")             \
	X(GRAPHQL, "graphql")             \
	X(ELASTICSEARCH, "elasticsearch") \
	X(OPENSEARCH, "opensearch")

enum http_dialect {
#define X(NAME, label) HTTP_DIALECT_##NAME,
	HTTP_DIALECTS(X)
#undef X
		HTTP_DIALECT_COUNT,
};

/* Of what a client calls its methods, operations and indices so much is kept; a longer name is cut. */
#define HTTP_DIALECT_NAME_MAX 95

/* What is known of a request in a dialect. Valid where exchange_facts.dialect is set, in its text. */
struct http_dialect_facts {
	const char *operation;	  /* of a table; NULL: not known */
	const char *error;	  /* of a table; NULL: none was seen */
	uint64_t took_ns;	  /* what the server says it took */
	uint32_t items_succeeded; /* of several that a request carries */
	uint32_t items_failed;
	bool has_took;
	char name[HTTP_DIALECT_NAME_MAX + 1]; /* method, operation or index; empty: none */
};

/* Returns the dialect, or -1 when there is none of that name. */
int http_dialect_find(const char *name, size_t length);

/* The dialect as a protocol: its name is the label. */
const struct protocol *http_dialect_protocol(enum http_dialect dialect);

/* The labels of the request inside, which carries none of HTTP's but error_type. The name comes from the wire: the caller
 * bounds it. */
void http_dialect_tell(const struct exchange_facts *facts,
		       const char *ret_attributes[ATTRIBUTE_COUNT]);
const struct http_dialect_facts *http_dialect_facts_of(const struct exchange_facts *facts);

/* For http1.c: what reads the bodies of one connection. */
struct http_dialect_reader;

/* dialects: bits 1 << enum http_dialect. NULL: out of memory, or none is asked for. */
struct http_dialect_reader *http_dialect_reader_new(unsigned dialects);

/* A message's head is known. Returns whether its body is to be read. */
bool http_dialect_begin(struct http_dialect_reader *reader, enum message_side side,
			struct exchange_facts *facts);

/* Bytes of that body, in order; NULL: not captured. */
void http_dialect_take(struct http_dialect_reader *reader, enum message_side side,
		       const uint8_t *bytes, uint64_t length, struct exchange_facts *facts);

/* The body is over, or will not be seen any more. */
void http_dialect_end(struct http_dialect_reader *reader, enum message_side side,
		      struct exchange_facts *facts);

#endif
