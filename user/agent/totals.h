/* SPDX-License-Identifier: Apache-2.0 */
/* The counts that the kernel side keeps exactly, brought over into series. Owner thread only. */
#ifndef SONDE_AGENT_TOTALS_H
#define SONDE_AGENT_TOTALS_H

#include <stddef.h>
#include <stdint.h>

#include "aggregate/series.h"
#include "correlate/process.h"
#include "load/loader.h"

struct totals;

/* All borrowed; they must outlive it. NULL when out of memory. */
struct totals *totals_new(const struct loader *loader, struct series_store *store,
			  struct process_table *processes);
void totals_free(struct totals **totals);

/* Read the kernel's tables and bring the series up to date; then drop the kernel's entries of processes that are gone.
 * now_ns  CLOCK_MONOTONIC
 * Returns 0 or negative errno (the series keep what they had). */
int totals_refresh(struct totals *totals, uint64_t now_ns);

/* The kernel's counts of a process as of the newest refresh; NULL when it has none. Borrowed until the next. */
const struct process_state *totals_process(struct totals *totals, uint32_t tgid);

/* How full the kernel's tables were at the newest refresh. */
struct totals_fill {
	const char *map;
	size_t entries;
	size_t max_entries;
};
size_t totals_fill_read(const struct totals *totals, struct totals_fill *ret_fill, size_t room);

#endif
