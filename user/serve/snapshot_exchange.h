/* SPDX-License-Identifier: Apache-2.0 */
/* Where the thread that owns the series and the threads that serve them meet: servers ask, the
 * owner publishes a snapshot when it comes by. Neither ever waits for the other's work. */
#ifndef SONDE_SERVE_SNAPSHOT_EXCHANGE_H
#define SONDE_SERVE_SNAPSHOT_EXCHANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "aggregate/snapshot.h"

/* Snapshots are at least this far apart: a storm of scrapes costs the owner no more than 20 a
 * second. */
#define EXCHANGE_INTERVAL_MS 50

struct exchange;

/* NULL with errno set when there is no memory or no descriptor. */
struct exchange *exchange_new(void);
/* Nobody may be waiting: exchange_stop first. */
void exchange_free(struct exchange **exchange);

/* Owner: readable while a snapshot is asked for. Then drain, bring the counters up to date,
 * publish. */
int exchange_fd(const struct exchange *exchange);

/* Owner: the answer; takes the reference. NULL: no memory for one, those who wait get the one
 * before. */
void exchange_publish(struct exchange *exchange, struct snapshot *snapshot);

/* Server: ask for a snapshot that is taken after this call and wait for it.
 *
 * ret_snapshot  a reference for the caller; the newest there is, also with -ETIMEDOUT
 * Returns       0; -ETIMEDOUT when the owner did not answer in time and an older one is given;
 *               -EAGAIN when there is none at all; -ESHUTDOWN after exchange_stop
 * Threads       one at a time waits; a second one would share the first's answer */
int exchange_wait(struct exchange *exchange, unsigned timeout_ms, struct snapshot **ret_snapshot);

/* End all waiting, now and later. */
void exchange_stop(struct exchange *exchange);

/* Any thread: what /readyz says. reason: a static text, shown while not ready; NULL: ready. */
void exchange_set_ready(struct exchange *exchange, bool is_ready, const char *reason);
/* NULL when ready. Not ready at first. */
const char *exchange_unready_reason(struct exchange *exchange);

/* True when the owner did not answer the newest request in time. */
bool exchange_is_stale(struct exchange *exchange);

/* Snapshots published so far. */
uint64_t exchange_published(struct exchange *exchange);

#endif
