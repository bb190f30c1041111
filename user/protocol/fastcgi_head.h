/* SPDX-License-Identifier: Apache-2.0 */
/* What FastCGI records say of a request and its answer: the request's parameters, and the header that answers begin with.
 * For fastcgi.c. */
#ifndef SONDE_PROTOCOL_FASTCGI_HEAD_H
#define SONDE_PROTOCOL_FASTCGI_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/protocol.h"

/* The names looked for, the longest of them REQUEST_METHOD. */
#define FASTCGI_NAME_MAX 14
#define FASTCGI_METHOD_MAX 16
/* Of a line: "status:", blanks, three digits. */
#define FASTCGI_LINE_MAX 24

/* Where in the name-value pairs the bytes are; they go on over records and calls. */
struct fastcgi_params {
	uint32_t lengths[2]; /* of the name and the value under way */
	uint32_t taken;	     /* of the part under way */
	uint16_t path_bytes; /* in the text of the facts */
	uint8_t part;	     /* lengths, name, value */
	uint8_t length_left; /* bytes of a length of four that are to come */
	uint8_t name_bytes;  /* kept below; above FASTCGI_NAME_MAX: none that matters */
	uint8_t method_bytes;
	uint8_t wanted;	   /* what the value under way is for */
	uint8_t path_rank; /* of the newest path: REQUEST_URI is what was asked for */
	bool is_path_over; /* the query has begun */
	bool is_cut;	   /* a part was not captured, and with it where pairs begin */
	char name[FASTCGI_NAME_MAX];
	char method[FASTCGI_METHOD_MAX];
};

void fastcgi_params_take(struct fastcgi_params *params, struct exchange_facts *facts,
			 const uint8_t *bytes, size_t length);
/* There are no more: fill the facts. */
void fastcgi_params_end(struct fastcgi_params *params, struct exchange_facts *facts);

/* The header of an answer (RFC 3875, 6.2), line by line. */
struct fastcgi_header {
	uint16_t status;
	uint8_t line_bytes; /* kept below; as many as there are or FASTCGI_LINE_MAX */
	bool has_location;
	char line[FASTCGI_LINE_MAX];
};

/* Returns how many bytes belong to the header; *ret_is_over when it ends with them. */
size_t fastcgi_header_take(struct fastcgi_header *header, const uint8_t *bytes, size_t length,
			   bool *ret_is_over);
/* The status that it comes to. */
void fastcgi_header_end(const struct fastcgi_header *header, struct exchange_facts *facts);

#endif
