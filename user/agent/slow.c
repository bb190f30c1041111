/* SPDX-License-Identifier: Apache-2.0 */
/* The slowest requests, for people: the newest services' first, each service's slowest first. */
#include <errno.h>

#include "agent/state.h"
#include "aggregate/slow_table.h"
#include "base/clock.h"
#include "base/hex.h"

struct listing {
	json_t *array;
	uint64_t now_ns;
	size_t limit;
	size_t total;
};

static json_t *parts_json(const struct slow_request *slow)
{
	json_t *parts = json_object();

	for (size_t i = 0; i < TIME_PART_COUNT; i++)
		if (slow->part_ns[i])
			(void)json_object_set_new(parts, time_part_name(i),
						  json_real((double)slow->part_ns[i] / 1e9));
	return parts;
}

static void add(void *context, const char *service, const struct slow_request *slow)
{
	struct listing *listing = context;
	char trace[2 * TRACE_ID_BYTES + 1] = "";
	json_t *row;

	if (listing->total++ >= listing->limit)
		return;
	if (slow->has_trace)
		hex_write(trace, slow->trace_id, TRACE_ID_BYTES);
	row = json_pack("{s:s, s:I, s:s, s:s, s:f, s:f, s:s?, s:f, s:o, s:s}", "service", service,
			"pid", (json_int_t)slow->tgid, "request", slow->name, "error",
			slow->error_type, "age_seconds",
			(double)(listing->now_ns - slow->end_ns) / 1e9, "took_seconds",
			(double)slow->total_ns / 1e9, "cause", slow->verdict.cause, "share",
			slow->verdict.share, "parts", parts_json(slow), "trace_id", trace);
	(void)json_array_append_new(listing->array, row); /* the size tells */
}

int slow_write(void *context, size_t limit, json_t **ret_array, size_t *ret_total)
{
	struct agent *agent = context;
	struct listing listing = { .array = json_array(),
				   .now_ns = monotonic_ns(),
				   .limit = limit };

	if (!listing.array)
		return -ENOMEM;
	slow_table_each(agent->slow, listing.now_ns, add, &listing);
	*ret_array = listing.array;
	*ret_total = listing.total;
	return 0;
}
