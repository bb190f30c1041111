/* SPDX-License-Identifier: Apache-2.0 */
/* Metrics for those who do not scrape: the same series, posted now and then. For the files of this room. */
#ifndef SONDE_AGENT_METRIC_EXPORT_H
#define SONDE_AGENT_METRIC_EXPORT_H

#include "agent/agent.h"
#include "deliver/metric_delivery.h"

struct metric_export;

/* Start it if the options or the environment name a receiver; else it is NULL. Logs what is wrong with them.
 * Returns 0 or negative errno */
int metric_export_start(const struct metric_options *options, struct metric_export **ret_export);

/* Wait until the last snapshot is delivered, if the delivery was told that it is the last, and end. */
void metric_export_free(struct metric_export **export);

/* Where snapshots are to be put. Borrowed. */
struct metric_delivery *metric_export_delivery(const struct metric_export *export);

#endif
