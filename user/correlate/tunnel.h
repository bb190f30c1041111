/* SPDX-License-Identifier: Apache-2.0 */
/* What follows an Upgrade or CONNECT on a connection: how long, how many bytes, and messages when its protocol is known.
 * For the files of this room. */
#ifndef SONDE_CORRELATE_TUNNEL_H
#define SONDE_CORRELATE_TUNNEL_H

#include "correlate/connection.h"

/* The connection's answer opened one.
 *
 * facts  of the exchange that ends with it
 * rest   bytes that are at hand of the side of the answer, and are the tunnel's */
void tunnel_open(struct engine *engine, struct connection *connection,
		 const struct exchange_facts *facts, uint64_t rest, uint64_t time_ns);

/* A message of the protocol inside ended; what the parser said of it is in `facts`, and is wiped. */
void tunnel_take_message(struct engine *engine, struct connection *connection,
			 enum message_side side, struct exchange_facts *facts);

/* The figures of the connection's socket, which may be its last ones: close_ns is not 0 then. */
void tunnel_take_stats(struct engine *engine, struct connection *connection,
		       const struct tcp_stats *stats, uint64_t close_ns);

/* Forget it. */
void tunnel_drop(struct connection *connection);

#endif
