/* SPDX-License-Identifier: Apache-2.0 */
/* Why a slow request was slow, by a rule that fits on a page (docs/WHY-SLOW.md).
 *
 * Slow is one that took longer, with what it waited for before it was read, than 99 % of its series and than the median by
 * SLOW_MARGIN_NS; while the series has less than SLOW_LEARNED requests, one that took SLOW_UNLEARNED_NS. The cause is the part
 * that has at least half of that time; "retransmits" goes before the parts where it was waited for the other end, segments were sent again,
 * and so many time-outs can take half of that time. */
#ifndef SONDE_AGGREGATE_VERDICT_H
#define SONDE_AGGREGATE_VERDICT_H

#include <stdbool.h>
#include <stdint.h>

#include "aggregate/histogram.h"
#include "correlate/observation.h"

#define SLOW_MARGIN_NS 10000000u
#define RETRANSMIT_NS 200000000u /* the least time-out of the kernel: TCP_RTO_MIN */
#define SLOW_LEARNED 200
#define SLOW_UNLEARNED_NS 1000000000u

/* The request's time with what it waited for before, nanoseconds. */
uint64_t verdict_total_ns(const struct request *request);

/* usual    durations of requests like it, borrowed; NULL: not known
 * total_ns verdict_total_ns, more than SLOW_MARGIN_NS
 * Returns  whether it is slow; the verdict then says why */
bool verdict_read(const struct request *request, const struct histogram *usual, uint64_t total_ns,
		  struct verdict *ret_verdict);

/* Label `cause` of one that was slow: the cause's name, "unaccounted", or "mixed". */
const char *verdict_label(const struct verdict *verdict);

#endif
