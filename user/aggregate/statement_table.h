/* SPDX-License-Identifier: Apache-2.0 */
/* Which statements take the time of each service: the heaviest ones of a bounded number, by fingerprint. Owner thread only.
 *
 * What a statement weighs is the time it took, a failure at least STATEMENT_FAILURE_NS; weights are halved every
 * STATEMENT_AGING_NS. While a group (service, side, database system) has room, a new statement is taken in. Then it adds to
 * `other`, and to a sketch of what is outside; when it weighs twice as much as the lightest inside, it takes its place.
 * Figures of a statement are exact from when it was taken in; what it did before is in `other`, so that nothing is counted twice;
 * of one that gave up its place the count goes to `forgotten`, so that nothing is left out. The sketch may take a light statement for a heavy one, never the other way around: a statement that
 * takes more than about 2/limit of a group's time is inside.
 * Source  G. Einziger et al., "TinyLFU", 2017; A. Metwally et al., "Space-Saving", 2005 */
#ifndef SONDE_AGGREGATE_STATEMENT_TABLE_H
#define SONDE_AGGREGATE_STATEMENT_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "aggregate/series.h"
#include "correlate/observation.h"

#define STATEMENT_FAILURE_NS 100000000ull
#define STATEMENT_AGING_NS 60000000000ull
/* Services, sides and systems with statements of their own; the one used last of all gives up its place. */
#define STATEMENT_GROUPS_MAX 128

struct statement_table;

/* per_group  statements of a service, side and system; 0: none are kept
 * in_all     of all groups together, at least 2 * STATEMENT_GROUPS_MAX
 * Returns    NULL: out of memory */
struct statement_table *statement_table_new(size_t per_group, size_t in_all);
void statement_table_free(struct statement_table **table);

/* A request with a statement is over. */
void statement_observe(struct statement_table *table, const struct request *request,
		       uint64_t duration_ns);

/* Bring the series of what changed up to date, and drop those of what was given up.
 * now_ns  CLOCK_MONOTONIC */
void statement_table_report(struct statement_table *table, struct series_store *store,
			    uint64_t now_ns);

/* What is known of a statement; borrowed. text NULL: `other`, all that have no entry. */
struct statement_view {
	const char *service;
	const char *kind;
	const char *system;
	const char *summary;
	const char *text;
	uint64_t fingerprint;
	uint64_t count;
	uint64_t errors;
	uint64_t rows;
	uint64_t total_ns;
	uint64_t worst_ns;
};
void statement_table_each(const struct statement_table *table,
			  void (*visit)(void *context, const struct statement_view *view),
			  void *context);

/* The most that statement_table_each will tell of; at least 1. */
size_t statement_table_room(const struct statement_table *table);

struct statement_table_stats {
	size_t count;
	size_t limit;
	uint64_t evicted;
};
void statement_table_read(const struct statement_table *table,
			  struct statement_table_stats *ret_stats);

#endif
