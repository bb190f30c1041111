/* SPDX-License-Identifier: Apache-2.0 */
#include "export/sample_list.h"

#include <stdlib.h>
#include <string.h>

static int sample_compare(const void *left, const void *right)
{
	const struct sample *a = *(const struct sample *const *)left;
	const struct sample *b = *(const struct sample *const *)right;
	size_t common = a->values_bytes < b->values_bytes ? a->values_bytes : b->values_bytes;
	int order;

	if (a->is_overflow != b->is_overflow)
		return a->is_overflow ? 1 : -1;
	order = memcmp(a->values, b->values, common);
	if (order)
		return order;
	return (a->values_bytes > b->values_bytes) - (a->values_bytes < b->values_bytes);
}

const struct sample **sample_list_sorted(const struct sample *samples, size_t count)
{
	const struct sample **sorted = calloc(count, sizeof(*sorted));

	if (!sorted)
		return NULL;
	for (size_t i = 0; i < count; i++)
		sorted[i] = &samples[i];
	qsort(sorted, count, sizeof(*sorted), sample_compare);
	return sorted;
}

const struct sample *sample_list_find(const struct sample *const *sorted, size_t count,
				      const struct sample *like)
{
	const struct sample *const *found =
		count ? bsearch(&like, sorted, count, sizeof(*sorted), sample_compare) : NULL;

	return found ? *found : NULL;
}
