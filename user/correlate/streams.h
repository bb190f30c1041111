/* SPDX-License-Identifier: Apache-2.0 */
/* Exchanges of protocols with streams: answers are paired with requests by number, not by order. For the files of this room. */
#ifndef SONDE_CORRELATE_STREAMS_H
#define SONDE_CORRELATE_STREAMS_H

#include "correlate/connection.h"

/* requests_feed for a protocol with streams. */
bool streams_feed(struct engine *engine, struct connection *connection, enum message_side side,
		  struct protocol_run *run, uint64_t time_ns);

/* The answer to the only request under way says that streams follow, of which the first is that request (RFC 7540 §3.2). Returns
 * false, with nothing done, when it is not the only one, or not whole yet. */
bool streams_succeed(struct engine *engine, struct connection *connection);

/* What it speaks is something else. */
void streams_clear(struct connection *connection);

/* Bytes of the connection were lost, and its exchanges are settled. */
void streams_lose(struct connection *connection);

/* NULL: there is none. */
struct exchange *streams_find(struct engine *engine, const struct connection *connection,
			      uint32_t number);

/* The exchange, which has a stream, is about to be freed. */
void streams_forget(struct engine *engine, struct exchange *exchange);

#endif
