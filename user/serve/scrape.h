/* SPDX-License-Identifier: Apache-2.0 */
/* Scrapes on their way to an answer: requests for /metrics gather while one snapshot is fetched,
 * rendered and compressed for all of them by a thread of its own. */
#ifndef SONDE_SERVE_SCRAPE_H
#define SONDE_SERVE_SCRAPE_H

#include <microhttpd.h>
#include <stdbool.h>
#include <stdint.h>

#include "aggregate/series.h"
#include "export/exporter_table.h"
#include "serve/snapshot_exchange.h"

/* One answer for many scrapes. */
struct page;

/* A request for /metrics. */
struct scrape {
	struct scrape *next;
	struct MHD_Connection *connection; /* suspended while the scrape waits */
	struct page *page; /* owned reference; NULL: there is no snapshot, or no memory */
	uint64_t start_ns; /* CLOCK_MONOTONIC */
	enum exporter_id exporter;
	bool is_gzip;
};

struct scrape *scrape_new(struct MHD_Connection *connection);
void scrape_free(struct scrape **scrape);

/* Borrowed; NULL when it could not be made. */
struct MHD_Response *scrape_response(const struct scrape *scrape);

struct scrape_renderer;

/* exchange: borrowed, must outlive the renderer. Returns 0 or a negative errno. */
int scrape_renderer_start(struct exchange *exchange, struct scrape_renderer **ret_renderer);

/* End all waiting and the thread; no scrape is suspended afterwards. Stops the exchange. */
void scrape_renderer_stop(struct scrape_renderer *renderer);
void scrape_renderer_free(struct scrape_renderer **renderer);

/* Suspend the scrape's connection until its page is there. The caller keeps the scrape alive until
 * the connection goes on.
 * Returns  0; -ESHUTDOWN when the renderer has been stopped (not suspended)
 * Threads  those of the HTTP server */
int scrape_submit(struct scrape_renderer *renderer, struct scrape *scrape);

/* Write the figures about scrapes since the last call into the store.
 * Threads  the store's owner */
void scrape_renderer_report(struct scrape_renderer *renderer, struct series_store *store);

#endif
