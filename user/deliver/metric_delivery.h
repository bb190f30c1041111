/* SPDX-License-Identifier: Apache-2.0 */
/* Snapshots on their way to an OTLP receiver, one at a time: while the receiver is away the newest parts of one wait, and the
 * next snapshot is not taken, as it will have all that is counted meanwhile. */
#ifndef SONDE_DELIVER_METRIC_DELIVERY_H
#define SONDE_DELIVER_METRIC_DELIVERY_H

#include <stdbool.h>
#include <stdint.h>

#include "aggregate/snapshot.h"
#include "deliver/delivery.h"
#include "deliver/otlp_client.h"
#include "export/otlp_metrics.h"

struct metric_delivery;

/* Start the thread.
 *
 * client, metrics  taken, also when this fails
 * Returns          0 or negative errno */
int metric_delivery_start(struct otlp_client *client, struct otlp_metrics *metrics,
			  uint64_t interval_ns, struct metric_delivery **ret_delivery);

/* Owner thread: is it time for a snapshot? now_ns: CLOCK_MONOTONIC */
bool metric_delivery_is_due(struct metric_delivery *delivery, uint64_t now_ns);

/* Here it is, taken. NULL: no memory for one, and the next interval begins. Owner thread. */
void metric_delivery_put(struct metric_delivery *delivery, struct snapshot *snapshot,
			 uint64_t now_ns);

/* The last snapshot (taken; NULL: none); deliver what can be delivered until then, CLOCK_MONOTONIC. Returns at once. */
void metric_delivery_finish(struct metric_delivery *delivery, struct snapshot *last,
			    uint64_t deadline_ns);

/* Wait for that, and free it. The log says what was not delivered. */
void metric_delivery_free(struct metric_delivery **delivery);

struct metric_delivery_stats {
	uint64_t exported; /* data points */
	uint64_t dropped[SPAN_DROP_COUNT];
	uint64_t retries; /* parts sent again */
};
void metric_delivery_read(struct metric_delivery *delivery,
			  struct metric_delivery_stats *ret_stats);

#endif
