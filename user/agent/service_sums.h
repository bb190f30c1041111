/* SPDX-License-Identifier: Apache-2.0 */
/* What waits in each service at this moment, summed over its processes or connections, and the gauges of it. Owner thread
 * only. */
#ifndef SONDE_AGENT_SERVICE_SUMS_H
#define SONDE_AGENT_SERVICE_SUMS_H

#include <stddef.h>
#include <stdint.h>

#include "aggregate/series.h"

enum service_sum {
	SUM_WAITING_THREADS,
	SUM_RECEIVED_BYTES,
	SUM_SENT_BYTES,
	SUM_RECEIVED_FULL,
	SUM_SENT_FULL,
	SERVICE_SUM_COUNT,
};

struct service_sums;

/* limit: services with anything that waits; further ones are not told, and counted. NULL when out of memory. */
struct service_sums *service_sums_new(struct series_store *store, size_t limit);
void service_sums_free(struct service_sums **sums);

/* Sums [first, behind) of all services are counted anew. */
void service_sums_begin(struct service_sums *sums, enum service_sum first, enum service_sum behind);
void service_sums_add(struct service_sums *sums, const char *service, enum service_sum sum,
		      uint64_t count);
/* Bring the series up to date. 0 is said once and then stands. */
void service_sums_write(struct service_sums *sums);

size_t service_sums_count(const struct service_sums *sums);
uint64_t service_sums_refused(const struct service_sums *sums);

#endif
