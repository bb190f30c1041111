/* SPDX-License-Identifier: Apache-2.0 */
/* Spans on their way to one exporter: a bounded queue and a thread that empties it, in batches.
 * Every span is exported, dropped and counted by reason, in the queue, or in the spool if there is one. */
#ifndef SONDE_DELIVER_DELIVERY_H
#define SONDE_DELIVER_DELIVERY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "correlate/observation.h"
#include "deliver/spool.h"
#include "export/span_record.h"
#include "export/text_buffer.h"

/* X(NAME, label, meaning) */
#define SPAN_DROPS(X)                                                                      \
	X(QUEUE_FULL, "queue_full", "the newest, while the queue was full")                \
	X(REJECTED, "rejected", "the receiver refused them for good")                      \
	X(PARTIAL_SUCCESS, "partial_success", "the receiver took the others of the batch") \
	X(SPOOL_FULL, "spool_full", "the oldest on disk, while the spool was full")        \
	X(SPOOL_DAMAGED, "spool_damaged", "could not be read from disk again")             \
	X(SHUTDOWN, "shutdown", "not delivered in time when the agent ended")

enum span_drop {
#define X(NAME, label, meaning) SPAN_DROP_##NAME,
	SPAN_DROPS(X)
#undef X
		SPAN_DROP_COUNT,
};

const char *span_drop_name(enum span_drop drop);

/* A batch as the route wrote it: by this process, or by an earlier one. */
struct delivery_body {
	const void *bytes;
	size_t length;
	size_t count;  /* of spans */
	bool is_again; /* the same as the last time */
	/* CLOCK_MONOTONIC at which sending must be over; UINT64_MAX: not yet known. It may come while sending. */
	const _Atomic uint64_t *deadline_ns;
};

struct delivery_outcome {
	bool is_settled;       /* else the same batch is to be sent again */
	uint32_t wait_ms;      /* until then */
	size_t dropped;	       /* of a settled batch */
	enum span_drop reason; /* why those were */
};

/* A way for batches to leave. Each function is called by one thread at a time, but not by the same; both may run at once. */
struct delivery_route {
	const char *name; /* static: label `exporter` */
	/* Into an empty buffer. Returns 0 or -ENOMEM */
	int (*encode)(void *context, struct span_record *const *records, size_t count,
		      struct text_buffer *ret_body);
	void (*send)(void *context, const struct delivery_body *body,
		     struct delivery_outcome *ret_outcome);
	void (*close)(void *context); /* frees the context */
};

struct delivery;

/* Start delivering.
 *
 * route      static
 * context    of the route, which the delivery takes, also when this fails
 * spool      taken in the same way: what waits in it is sent first, and whatever is put goes through it; NULL: none
 * spans_max  in the queue
 * Returns    0 or negative errno */
int delivery_start(const struct delivery_route *route, void *context, struct spool *spool,
		   size_t spans_max, struct delivery **ret_delivery);

/* Copy a request that is a span (span_record_is_wanted) into the queue. Owner thread only. */
void delivery_put(struct delivery *delivery, const struct request *request);

/* Deliver what can be delivered until then, CLOCK_MONOTONIC, or with a spool until a try fails; returns at once. */
void delivery_finish(struct delivery *delivery, uint64_t deadline_ns);

/* Wait for that, and free it. What was not delivered is in the spool, or dropped; the log says so. */
void delivery_free(struct delivery **delivery);

struct delivery_stats {
	const char *exporter;
	uint64_t exported;
	uint64_t dropped[SPAN_DROP_COUNT];
	uint64_t retries; /* batches sent again */
	size_t queued;	  /* those being sent too */
	size_t queue_limit;
	bool has_spool;
	struct spool_figures spool;
	uint64_t spool_errors; /* batches that could not be written to it */
};
/* As of one moment. Owner thread only. */
void delivery_read(struct delivery *delivery, struct delivery_stats *ret_stats);

#endif
