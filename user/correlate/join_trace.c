/* SPDX-License-Identifier: Apache-2.0 */
/* Traces and requests that are being answered, counted by who refers to them. */
#include <stdlib.h>
#include <string.h>

#include "correlate/join_state.h"

/* Kept for the next one instead of being freed. */
#define SPARE_MAX 1024

void join_make_id(struct engine *engine, uint8_t *ret_id, size_t bytes)
{
	engine->feedback.random(engine->feedback.context, ret_id, bytes);
	if (trace_id_is_none(ret_id, bytes))
		ret_id[bytes - 1] = 1;
}

struct trace *trace_new(struct join *join)
{
	struct trace *trace = join->spare_traces;

	if (trace) {
		join->spare_traces = trace->next_spare;
		join->spare_trace_count--;
		memset(trace, 0, sizeof(*trace));
	} else {
		trace = calloc(1, sizeof(*trace));
	}
	if (trace)
		trace->references = 1;
	return trace;
}

struct trace *trace_ref(struct trace *trace)
{
	trace->references++;
	return trace;
}

void trace_unref(struct join *join, struct trace **slot)
{
	struct trace *trace = *slot;

	*slot = NULL;
	if (!trace || --trace->references)
		return;
	if (join->spare_trace_count == SPARE_MAX) {
		free(trace);
		return;
	}
	trace->next_spare = join->spare_traces;
	join->spare_traces = trace;
	join->spare_trace_count++;
}

struct handling *handling_new(struct join *join)
{
	struct handling *handling = join->spare_handlings;

	if (handling) {
		join->spare_handlings = handling->older;
		join->spare_handling_count--;
		memset(handling, 0, sizeof(*handling));
	} else {
		handling = calloc(1, sizeof(*handling));
	}
	if (handling)
		handling->references = 1;
	return handling;
}

struct handling *handling_ref(struct handling *handling)
{
	handling->references++;
	return handling;
}

void handling_unref(struct join *join, struct handling **slot)
{
	struct handling *handling = *slot;

	*slot = NULL;
	if (!handling || --handling->references)
		return;
	trace_unref(join, &handling->trace);
	if (join->spare_handling_count == SPARE_MAX) {
		free(handling);
		return;
	}
	handling->older = join->spare_handlings;
	join->spare_handlings = handling;
	join->spare_handling_count++;
}

struct trace *trace_made_up(struct engine *engine)
{
	struct trace *trace = trace_new(engine->join);

	if (!trace)
		return NULL;
	join_make_id(engine, trace->id, sizeof(trace->id));
	trace->flags = TRACE_FLAG_SAMPLED | TRACE_FLAG_RANDOM;
	trace->is_ours = true;
	return trace;
}

struct trace *trace_of(struct engine *engine, struct handling *handling)
{
	if (!handling->trace)
		handling->trace = trace_made_up(engine);
	return handling->trace;
}

/* Both become one; neither is moved again by what is learnt later. */
static void move_trace(struct trace *trace, struct trace *into)
{
	memcpy(trace->id, into->id, TRACE_ID_BYTES);
	trace->flags = into->flags;
	trace->probability = into->probability;
	trace->is_ours = into->is_ours;
	trace->is_adopted = into->is_adopted;
	trace->is_told = into->is_told = true;
}

bool join_unite_traces(struct trace *above, struct trace *below)
{
	if (above == below)
		return true;
	if (below->is_ours && !below->is_told)
		move_trace(below, above);
	else if (above->is_ours && !above->is_told)
		move_trace(above, below);
	else
		return memcmp(above->id, below->id, TRACE_ID_BYTES) == 0;
	return true;
}

bool join_unite(struct handling *handling, struct exchange_span *call)
{
	if (!call->trace)
		return true;
	if (handling->trace)
		return join_unite_traces(handling->trace, call->trace);
	handling->trace = trace_ref(call->trace);
	return true;
}
