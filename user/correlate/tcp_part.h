/* SPDX-License-Identifier: Apache-2.0 */
/* What a request's connection had part in how long it took. For the files of this room. */
#ifndef SONDE_CORRELATE_TCP_PART_H
#define SONDE_CORRELATE_TCP_PART_H

#include "correlate/connection.h"
#include "correlate/observation.h"
#include "decode/event.h"

/* A call's event has come, which is not taken in yet. */
void tcp_part_note(struct connection *connection, const struct event *event);

/* The figures of a turn have come by themselves, of its newest call. */
void tcp_part_note_newest(struct connection *connection, const struct turn_summary *turn,
			  const struct call_use *newest);

/* The request's first byte is in the event in hand. */
void tcp_part_begin(struct engine *engine, const struct connection *connection,
		    struct exchange *exchange);

/* The two are of one request: it cannot have come before it was sent. */
void tcp_part_pair(const struct exchange *client, struct exchange *server);

/* A connection was accepted. */
void tcp_part_accepted(struct engine *engine, const struct event_tcp_accept *event);

/* The exchange is over. What is not known, because the connection is none of TCP or nobody has told how it stood, is left out. */
void tcp_part_end(const struct connection *connection, const struct exchange_begun *begun,
		  struct exchange *exchange);

#endif
