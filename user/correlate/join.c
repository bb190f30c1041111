/* SPDX-License-Identifier: Apache-2.0 */
/* Whose trace a request belongs to: a new one. */
#include "correlate/join.h"

/* All zeros are no ID (W3C Trace Context, sections 3.2.2.3 and 3.2.2.4). */
static void make_id(struct engine *engine, uint8_t *ret_id, size_t bytes)
{
	engine->feedback.random(engine->feedback.context, ret_id, bytes);
	for (size_t i = 0; i < bytes; i++)
		if (ret_id[i])
			return;
	ret_id[bytes - 1] = 1;
}

bool join_request(struct engine *engine, struct span_identity *ret_span)
{
	if (!engine->feedback.random)
		return false;
	*ret_span = (struct span_identity){ .flags = TRACE_FLAG_SAMPLED | TRACE_FLAG_RANDOM,
					    .join = SPAN_JOIN_GENERATED };
	make_id(engine, ret_span->trace_id, sizeof(ret_span->trace_id));
	make_id(engine, ret_span->span_id, sizeof(ret_span->span_id));
	return true;
}
