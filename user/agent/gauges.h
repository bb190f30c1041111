/* SPDX-License-Identifier: Apache-2.0 */
/* What is so at this moment: open connections by service, queues of listening sockets. Counted anew in each round, from
 * the kernel's tables. Owner thread only. */
#ifndef SONDE_AGENT_GAUGES_H
#define SONDE_AGENT_GAUGES_H

#include <stdint.h>

#include "aggregate/series.h"
#include "config_abi.h"
#include "correlate/process.h"
#include "load/loader.h"

struct gauges;

/* All borrowed. NULL when out of memory. */
struct gauges *gauges_new(const struct loader *loader, struct series_store *store,
			  struct process_table *processes);
void gauges_free(struct gauges **gauges);

/* A round: begin, everything there is, end. */
void gauges_begin(struct gauges *gauges);
void gauges_connection(struct gauges *gauges, const struct conn_state *conn);
void gauges_listener(struct gauges *gauges, uint64_t sock);
void gauges_end(struct gauges *gauges);

#endif
