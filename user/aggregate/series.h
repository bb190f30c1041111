/* SPDX-License-Identifier: Apache-2.0 */
/* Metrics in memory: one family per row of metric_table.inc, one series per set of label values.
 * Bounded: a family has at most its limit of series, further label sets add up in one overflow
 * series (labels all "other", sonde_overflow="true") and are counted. Owner thread only; a scrape
 * works on a snapshot. */
#ifndef SONDE_AGGREGATE_SERIES_H
#define SONDE_AGGREGATE_SERIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "aggregate/exemplar.h"
#include "aggregate/metric_table.h"
#include "aggregate/snapshot.h"

/* The most series of a metric about the agent itself, whatever limit services have: their labels
 * come from sonde's own tables. */
#define SERIES_LIMIT_AGENT 512

struct series_store;

/* Label values in the order of the metric's row; NULL or "" leaves a label out. Borrowed. */
typedef const char *label_values[METRIC_LABELS_MAX];

/* series_limit: label sets per metric that names a service. NULL when out of memory. */
struct series_store *series_store_new(size_t series_limit);
void series_store_free(struct series_store **store);

/* All of these: the metric is of the right type (assert).
 * owner    a tgid the series belongs to, 0 for none: such series expire after it is gone
 * Returns  0; -ENOSPC when it went to the overflow series; -ENOMEM when it was dropped (both
 *          counted) */

/* Histogram. value: nanoseconds or bytes, as the row says. */
int series_observe(struct series_store *store, enum metric metric, const label_values values,
		   uint32_t owner, uint64_t value);
/* Counter. delta: nanoseconds where the row says seconds. */
int series_add(struct series_store *store, enum metric metric, const label_values values,
	       uint32_t owner, uint64_t delta);
/* A series that was found once, to be found again without its labels. Zeroed at first. Good until any series of the store
 * is dropped; the overflow series is never remembered. */
struct series_slot {
	struct series *series; /* borrowed from the store */
	uint64_t generation;
};

/* Like series_observe for the histograms remembered in the slots, each with its value. Returns a bit for each slot that is
 * empty or out of date: nothing was done for it. */
unsigned series_observe_slots(struct series_store *store, const struct series_slot *slots,
			      const uint64_t *values, size_t count);
/* What was observed last in the slot's histogram is this span's; nothing happens when the slot is empty or out of date. */
void series_exemplify_slot(struct series_store *store, const struct series_slot *slot,
			   const struct exemplar *exemplar);
/* The slot's histogram, until anything else is done to the store; NULL when the slot is empty or out of date. */
const struct histogram *series_slot_histogram(const struct series_store *store,
					      const struct series_slot *slot);
/* Like series_add; -ENOENT when the slot is empty or out of date. */
int series_add_slot(struct series_store *store, const struct series_slot *slot, uint64_t delta);

/* Remember the series of these labels, which is made if there is none.
 * Returns as series_observe does, without an observation; on an error the slot is left empty. */
int series_remember(struct series_store *store, enum metric metric, const label_values values,
		    uint32_t owner, struct series_slot *ret_slot);

/* A counter whose total is kept elsewhere (a kernel map). It may not be mixed with series_add. */
int series_set_total(struct series_store *store, enum metric metric, const label_values values,
		     uint32_t owner, uint64_t total);
/* Gauge or info, in the exported unit. */
int series_set(struct series_store *store, enum metric metric, const label_values values,
	       uint32_t owner, double value);

/* A new round of series_set_total and series_set begins: overflow series, which are the sums over
 * the label sets that have no room, start over (a sum of totals never falls, though). Once before
 * each refresh. */
void series_begin_round(struct series_store *store);
/* The refresh is over: what series count that come from now on came after the store's time. */
void series_end_round(struct series_store *store);

/* Drop a series; nothing happens when there is none. For gauges whose object is gone. */
void series_remove(struct series_store *store, enum metric metric, const label_values values);

/* Drop series not touched since now_ns - ttl_ns whose owner is gone, or that have none and whose
 * service_name is of a service without live processes. Series of neither kind stay. Each is asked
 * about at most once per ttl, so one goes between one and two ttl after it was touched last. Of a metric that has used
 * three quarters of its series they go after crowded_ttl_ns, if that is less: short-lived processes bring series by
 * the thousand, and those that live must still find room for theirs. */
struct series_liveness {
	void *context;
	bool (*owner_is_gone)(void *context, uint32_t tgid);
	bool (*service_is_gone)(void *context, const char *service_name);
};
void series_store_expire(struct series_store *store, uint64_t now_ns, uint64_t ttl_ns,
			 uint64_t crowded_ttl_ns, const struct series_liveness *liveness);
/* Series are sent to somebody: those touched after this, when a snapshot for that was taken, do not expire unless their metric has
 * used three quarters of its series, and then are counted. */
void series_store_set_sent(struct series_store *store, uint64_t taken_ns);
/* The time that further changes count as touched at. Never goes back. */
void series_store_set_now(struct series_store *store, uint64_t now_ns);

/* Write sonde_series and its kin, about the store, into the store. */
void series_store_report(struct series_store *store);

/* For `sonde dump series`. */
struct series_family_view {
	size_t count;
	size_t limit;
	uint64_t refused_limit;
	uint64_t refused_memory;
	uint64_t expired;
	uint64_t unsent;
};
void series_family_read(const struct series_store *store, enum metric metric,
			struct series_family_view *ret_view);

/* An immutable copy for rendering in another thread. NULL: out of memory. */
struct snapshot *series_snapshot(const struct series_store *store);

#endif
