/* SPDX-License-Identifier: Apache-2.0 */
/* The slowest requests of each service in the last minutes, for people. Owner thread only.
 *
 * A service has SLOW_ENTRIES places. A request takes a free one, or that of one that was over SLOW_KEPT_NS before it, or of the
 * fastest that is there, if that was faster. Services: SLOW_SERVICES; the one that was slow the longest ago makes room. */
#ifndef SONDE_AGGREGATE_SLOW_TABLE_H
#define SONDE_AGGREGATE_SLOW_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "correlate/observation.h"

#define SLOW_SERVICES 128
#define SLOW_ENTRIES 16
#define SLOW_KEPT_NS 600000000000ull
#define SLOW_NAME_MAX 96

struct slow_table;

struct slow_request {
	uint64_t end_ns; /* CLOCK_MONOTONIC */
	uint64_t total_ns;
	uint64_t part_ns[TIME_PART_COUNT];
	uint32_t tgid;
	bool has_trace;
	uint8_t trace_id[TRACE_ID_BYTES];
	struct verdict verdict;
	char error_type[32];	  /* "": none; cut */
	char name[SLOW_NAME_MAX]; /* as its span's, cut */
};

struct slow_table *slow_table_new(void); /* NULL: out of memory */
void slow_table_free(struct slow_table **table);

/* A request is over. A new service for which there is no memory is left out.
 * total_ns  with what it waited for before it was read */
void slow_table_put(struct slow_table *table, const struct request *request, uint64_t total_ns,
		    const struct verdict *verdict);

/* Those that were over less than SLOW_KEPT_NS before now_ns, service by service, each service's slowest first. */
void slow_table_each(const struct slow_table *table, uint64_t now_ns,
		     void (*visit)(void *context, const char *service,
				   const struct slow_request *slow),
		     void *context);

struct slow_table_figures {
	size_t services;
	uint64_t evicted; /* services that made room */
};
void slow_table_read(const struct slow_table *table, struct slow_table_figures *ret_figures);

#endif
