/* SPDX-License-Identifier: Apache-2.0 */
/* Observations to series: the sink of the correlation engine. */
#ifndef SONDE_AGGREGATE_OBSERVE_H
#define SONDE_AGGREGATE_OBSERVE_H

#include "aggregate/series.h"
#include "correlate/observation.h"

struct observer;
struct slow_table;
struct statement_table;
struct wall_clock;

/* An observer that writes into the store, and into the statements and the slow requests (NULL: nobody wants them), which must
 * outlive it. NULL when out of memory. */
struct observer *observer_new(struct series_store *store, struct statement_table *statements,
			      struct slow_table *slow);
void observer_free(struct observer **observer);

/* From now on the spans of requests are examples in the buckets of their durations: one a bucket, the newest.
 * clock  borrowed, which tells the spans' times; lives as long as requests come */
void observer_set_exemplars(struct observer *observer, const struct wall_clock *clock);

/* What to give to the engine; lives as long as the observer. What finds no room is counted in the
 * store. */
const struct observation_sink *observer_sink(const struct observer *observer);

/* An address as labels spell it; IPv4 in IPv6 is IPv4. */
#define OBSERVE_ADDRESS_MAX 46
void observe_address(char ret_text[OBSERVE_ADDRESS_MAX], const uint8_t bytes[16], unsigned family);

/* "client", "server" or "unknown": values of the labels `role` and `kind`. */
const char *observe_role_name(unsigned role);

/* "established", "refused" …: values of the label `outcome`. */
const char *observe_outcome_name(unsigned outcome);

/* "ok", "header_truncated" …: values of the label `outcome` of sonde_parse_outcomes_total. */
const char *observe_parse_outcome_name(unsigned outcome);

#endif
