/* SPDX-License-Identifier: Apache-2.0 */
/* A set of label values as one run of bytes: the key of a series. Each value ends with NUL, in the
 * order of the metric's row; an empty one means that the label is left out. */
#ifndef SONDE_AGGREGATE_LABELS_H
#define SONDE_AGGREGATE_LABELS_H

#include <stddef.h>

#include "aggregate/metric_table.h"

/* Longer values are cut: room enough for a path of eight segments, and a key stays small. */
#define LABEL_VALUE_MAX 255
#define LABELS_PACKED_MAX (METRIC_LABELS_MAX * (LABEL_VALUE_MAX + 1))

/* Pack values and make each valid UTF-8 (one bad byte would make Prometheus refuse the whole
 * scrape).
 *
 * values   `count` of them; NULL counts as ""
 * Returns  bytes used in ret_packed */
size_t labels_pack(const char *const *values, size_t count, char ret_packed[LABELS_PACKED_MAX]);

/* The value after this one; reading past the row's last label is the caller's mistake. */
const char *labels_next(const char *value);

#endif
