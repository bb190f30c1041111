/* SPDX-License-Identifier: Apache-2.0 */
/* What services lack and what waits in them: CPUs, their control groups' resources, room in sockets. Read by walks over the
 * kernel's own lists when somebody asks; no hook. Owner thread only. */
#ifndef SONDE_AGENT_SATURATION_H
#define SONDE_AGENT_SATURATION_H

#include <stdbool.h>
#include <stdint.h>

#include "aggregate/series.h"
#include "correlate/process.h"
#include "load/loader.h"

struct saturation;

/* All borrowed. NULL when out of memory. */
struct saturation *saturation_new(const struct loader *loader, struct series_store *store,
				  struct process_table *processes);
void saturation_free(struct saturation **saturation);

/* Bring the series up to date. Reading is put off when nobody asks and it was done in the last ten seconds, and when it
 * would take more than a hundredth of the time. Nothing here is fatal: what the kernel does not have has no series. */
void saturation_refresh(struct saturation *saturation, uint64_t now_ns, bool is_asked);

struct saturation_table {
	const char *name;
	size_t entries;
	size_t limit;
	uint64_t refused;
};
#define SATURATION_TABLES 3
void saturation_tables(const struct saturation *saturation,
		       struct saturation_table ret_tables[SATURATION_TABLES]);

#endif
