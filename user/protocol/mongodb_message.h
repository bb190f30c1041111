/* SPDX-License-Identifier: Apache-2.0 */
/* What a MongoDB message says, as far as its first bytes show it: a command and its collection, or how a command ended. */
#ifndef SONDE_PROTOCOL_MONGODB_MESSAGE_H
#define SONDE_PROTOCOL_MONGODB_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum mongodb_opcode {
	MONGODB_REPLY = 1,
	MONGODB_UPDATE = 2001,
	MONGODB_INSERT = 2002,
	MONGODB_QUERY = 2004,
	MONGODB_GET_MORE = 2005,
	MONGODB_DELETE = 2006,
	MONGODB_KILL_CURSORS = 2007,
	MONGODB_COMPRESSED = 2012,
	MONGODB_MSG = 2013,
};

/* Flags of OP_MSG. */
#define MONGODB_MORE_TO_COME 2u

struct mongodb_request {
	const char *command;	   /* static; NULL: not seen */
	const uint8_t *collection; /* in the message; NULL: none */
	size_t collection_bytes;
	bool is_one_way;
};

/* Read a request from the first bytes behind its header. */
void mongodb_request_read(uint32_t opcode, const uint8_t *bytes, size_t length,
			  struct mongodb_request *ret_request);

struct mongodb_answer {
	int64_t code; /* of the error, 0: it has none, or that was not seen */
	bool is_error;
	bool is_known; /* whether it is one was seen; without that it is none, as what is long is none */
	bool has_more; /* another answer to the same request follows unasked */
};

/* Read an answer from the first bytes behind its header. */
void mongodb_answer_read(uint32_t opcode, const uint8_t *bytes, size_t length,
			 struct mongodb_answer *ret_answer);

#endif
