/* SPDX-License-Identifier: Apache-2.0 */
/* Spans on their way to one exporter: a bounded queue and a thread that empties it, in batches.
 * Every span is exported, dropped and counted by reason, or in the queue. */
#ifndef SONDE_DELIVER_DELIVERY_H
#define SONDE_DELIVER_DELIVERY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "correlate/observation.h"
#include "export/span_record.h"

/* X(NAME, label, meaning) */
#define SPAN_DROPS(X)                                                                      \
	X(QUEUE_FULL, "queue_full", "the newest, while the queue was full")                \
	X(REJECTED, "rejected", "the receiver refused them for good")                      \
	X(PARTIAL_SUCCESS, "partial_success", "the receiver took the others of the batch") \
	X(SHUTDOWN, "shutdown", "not delivered in time when the agent ended")

enum span_drop {
#define X(NAME, label, meaning) SPAN_DROP_##NAME,
	SPAN_DROPS(X)
#undef X
		SPAN_DROP_COUNT,
};

const char *span_drop_name(enum span_drop drop);

struct delivery_batch {
	struct span_record *const *records;
	size_t count;
	bool is_again; /* the same records as the last time */
	/* CLOCK_MONOTONIC at which sending must be over; UINT64_MAX: not yet known. It may come while sending. */
	const _Atomic uint64_t *deadline_ns;
};

struct delivery_outcome {
	bool is_settled;       /* else the same batch is to be sent again */
	uint32_t wait_ms;      /* until then */
	size_t dropped;	       /* of a settled batch */
	enum span_drop reason; /* why those were */
};

/* A way for batches to leave. Called on the delivery's own thread. */
struct delivery_route {
	const char *name; /* static: label `exporter` */
	void (*send)(void *context, const struct delivery_batch *batch,
		     struct delivery_outcome *ret_outcome);
	void (*close)(void *context); /* frees the context */
};

struct delivery;

/* Start delivering.
 *
 * route      static
 * context    of the route, which the delivery takes, also when this fails
 * spans_max  in the queue
 * Returns    0 or negative errno */
int delivery_start(const struct delivery_route *route, void *context, size_t spans_max,
		   struct delivery **ret_delivery);

/* Copy a request that is a span (span_record_is_wanted) into the queue. Owner thread only. */
void delivery_put(struct delivery *delivery, const struct request *request);

/* Deliver what can be delivered until then, CLOCK_MONOTONIC; returns at once. */
void delivery_finish(struct delivery *delivery, uint64_t deadline_ns);

/* Wait for that, and free it. What was not delivered is dropped, and logged. */
void delivery_free(struct delivery **delivery);

struct delivery_stats {
	const char *exporter;
	uint64_t exported;
	uint64_t dropped[SPAN_DROP_COUNT];
	uint64_t retries; /* batches sent again */
	size_t queued;	  /* those being sent too */
	size_t queue_limit;
};
/* As of one moment. Owner thread only. */
void delivery_read(struct delivery *delivery, struct delivery_stats *ret_stats);

#endif
