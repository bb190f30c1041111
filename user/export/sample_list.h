/* SPDX-License-Identifier: Apache-2.0 */
/* What all formats of a snapshot have in common. For the files of this room. */
#ifndef SONDE_EXPORT_SAMPLE_LIST_H
#define SONDE_EXPORT_SAMPLE_LIST_H

#include "aggregate/snapshot.h"

/* Every label of an overflow series, and what tells it from others. */
#define OVERFLOW_VALUE "other"
#define OVERFLOW_LABEL "sonde_overflow"

/* The samples in the order of their label values, overflow last: the same figures give the same bytes.
 * Returns an array to free, of what is borrowed; NULL when out of memory. count: at least 1 */
const struct sample **sample_list_sorted(const struct sample *samples, size_t count);

/* The one of a sorted list with the same label values; NULL: there is none. */
const struct sample *sample_list_find(const struct sample *const *sorted, size_t count,
				      const struct sample *like);

#endif
