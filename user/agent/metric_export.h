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

/* For what is left to be delivered; see metric_delivery.h. */
bool metric_export_is_due(struct metric_export *export, uint64_t now_ns);
void metric_export_put(struct metric_export *export, struct snapshot *snapshot, uint64_t now_ns);
void metric_export_finish(struct metric_export *export, struct snapshot *last,
			  uint64_t deadline_ns);
void metric_export_free(struct metric_export **export);
void metric_export_read(struct metric_export *export, struct metric_delivery_stats *ret_stats);

#endif
