/* SPDX-License-Identifier: Apache-2.0 */
/* Services whose own tracer makes spans: how they are known, and which spans of ours are beside theirs. */
#include <string.h>

#include "correlate/join_state.h"

void engine_set_spans_of_instrumented(struct engine *engine, enum spans_of_instrumented which)
{
	if (engine->join)
		engine->join->of_instrumented = (uint8_t)which;
}

/* Who only passes a context on names the span that it was given. */
void join_note_call(struct engine *engine, uint32_t tgid, const struct handling *cause,
		    const struct trace_context *wire)
{
	bool was_given_one = !trace_id_is_none(cause->caller_span_id, SPAN_ID_BYTES);

	if (trace_id_is_none(wire->span_id, SPAN_ID_BYTES))
		return;
	if (!was_given_one || (memcmp(cause->trace->id, wire->trace_id, TRACE_ID_BYTES) == 0 &&
			       memcmp(cause->caller_span_id, wire->span_id, SPAN_ID_BYTES) != 0))
		process_mark_instrumented(engine->processes, tgid);
}

/* Children of the application's own spans: a call that names one, and what its thread published. */
static bool is_beside_its_own(const struct exchange_span *span)
{
	if (!span || trace_id_is_none(span->parent_span_id, SPAN_ID_BYTES))
		return false;
	if (span->own)
		return span->own->trace && span->join == SPAN_JOIN_THREAD_CONTEXT;
	return span->trace &&
	       (span->join == SPAN_JOIN_THREAD_CONTEXT || span->join == SPAN_JOIN_HEADER);
}

bool join_is_left_out(const struct engine *engine, const struct process *process,
		      const struct exchange_span *span)
{
	if (!process->is_instrumented || engine->join->of_instrumented == INSTRUMENTED_ON)
		return false;
	return engine->join->of_instrumented == INSTRUMENTED_OFF || !is_beside_its_own(span);
}

bool join_may_have_children(struct engine *engine, const struct exchange *client)
{
	const struct process *process = process_lookup(engine->processes, client->tgid);

	return !process || !join_is_left_out(engine, process, &client->span);
}
