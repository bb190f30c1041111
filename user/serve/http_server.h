/* SPDX-License-Identifier: Apache-2.0 */
/* /metrics, /healthz and /readyz over HTTP, on threads of their own. */
#ifndef SONDE_SERVE_HTTP_SERVER_H
#define SONDE_SERVE_HTTP_SERVER_H

#include "aggregate/series.h"
#include "serve/snapshot_exchange.h"

struct http_server;

/* Start serving.
 *
 * listen    ADDR:PORT, see listen_address.h
 * exchange  borrowed, must outlive the server
 * Returns   0; -EINVAL for an address that cannot be read; the negative errno of the socket or of a
 *           thread */
int http_server_start(const char *listen, struct exchange *exchange,
		      struct http_server **ret_server);

/* Answer what waits (503), close all connections, end the threads, stop the exchange. */
void http_server_stop(struct http_server **server);

/* Where it listens, as ADDR:PORT with the port really taken. Lives as long as the server. */
const char *http_server_address(const struct http_server *server);

/* Write the figures about scrapes since the last call into the store. Owner thread, before a
 * snapshot. */
void http_server_report(struct http_server *server, struct series_store *store);

#endif
