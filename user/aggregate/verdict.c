/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregate/verdict.h"

uint64_t verdict_total_ns(const struct request *request)
{
	uint64_t total_ns =
		request->end_ns > request->start_ns ? request->end_ns - request->start_ns : 0;

	for (size_t i = TIME_PARTS_WITHIN; i < TIME_PART_COUNT; i++)
		total_ns += request->usage.part_ns[i];
	return total_ns;
}

static bool is_slow(const struct histogram *usual, uint64_t total_ns)
{
	if (!usual || usual->count < SLOW_LEARNED)
		return total_ns >= SLOW_UNLEARNED_NS;
	return histogram_is_above(usual, total_ns, 990) &&
	       histogram_is_above(usual, total_ns - SLOW_MARGIN_NS, 500);
}

bool verdict_read(const struct request *request, const struct histogram *usual, uint64_t total_ns,
		  struct verdict *ret_verdict)
{
	const uint64_t *part_ns = request->usage.part_ns;
	size_t most = 0;

	if (!is_slow(usual, total_ns))
		return false;
	for (size_t i = 1; i < TIME_PART_COUNT; i++)
		if (part_ns[i] > part_ns[most])
			most = i;
	*ret_verdict = (struct verdict){ .is_slow = true };
	if (part_ns[most] < total_ns - part_ns[most])
		return true;
	ret_verdict->is_unaccounted = most == TIME_UNACCOUNTED;
	ret_verdict->cause = ret_verdict->is_unaccounted ? NULL : time_part_name(most);
	ret_verdict->share = (double)part_ns[most] / (double)total_ns;
	return true;
}

const char *verdict_label(const struct verdict *verdict)
{
	if (verdict->cause)
		return verdict->cause;
	return verdict->is_unaccounted ? time_part_name(TIME_UNACCOUNTED) : "mixed";
}
