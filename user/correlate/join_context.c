/* SPDX-License-Identifier: Apache-2.0 */
/* Contexts that threads publish (OpenTelemetry enhancement proposal 4947): what a thread's tracer was at when the thread wrote. Whose
 * request the bytes are is only sure of a write that holds one. */
#include <string.h>

#include "correlate/join_state.h"

static struct published *slot_of(struct join *join, uint64_t conn_id)
{
	return &join->published[hash_u64(conn_id) & (PUBLISHED_SLOTS - 1)];
}

void join_take_context(struct engine *engine, const struct event_thread_context *event)
{
	struct join *join = engine->join;
	struct published *published;

	if (!join)
		return;
	published = slot_of(join, event->conn_id);
	if (published->conn_id && !published->is_used)
		join->figures.contexts_evicted++;
	*published = (struct published){ .conn_id = event->conn_id,
					 .ktime_ns = event->header.ktime_ns,
					 .tid = event->tid };
	process_mark_instrumented(engine->processes, event->header.tgid);
	memcpy(published->context.trace_id, event->trace_id, TRACE_ID_BYTES);
	memcpy(published->context.span_id, event->span_id, SPAN_ID_BYTES);
	published->context.flags = event->trace_flags;
}

/* Both events have the time of the call; a write may come in several. */
void join_write(struct engine *engine, const struct event_turn *event)
{
	struct published *published;

	if (!engine->join)
		return;
	engine->join->context = NULL;
	published = slot_of(engine->join, event->conn.conn_id);
	if (published->conn_id != event->conn.conn_id || published->tid != event->tid ||
	    published->ktime_ns != event->header.ktime_ns)
		return;
	published->is_used = true;
	engine->join->context = &published->context;
}

void join_context_note(struct join *join, struct exchange *exchange)
{
	if (!join->context)
		return;
	join->asked = exchange;
	join->asked_count++;
}

static bool is_of_trace(const struct trace *trace, const struct trace_context *context)
{
	return !memcmp(trace->id, context->trace_id, TRACE_ID_BYTES);
}

static void become_child(struct exchange_span *span, const struct trace_context *context)
{
	memcpy(span->parent_span_id, context->span_id, SPAN_ID_BYTES);
	span->join = SPAN_JOIN_THREAD_CONTEXT;
}

/* The trace that a client's span is in becomes the published one. Returns false when it must stay: the other end is in it, or the
 * request itself names it. */
static bool change_trace(struct join *join, struct exchange_span *span,
			 const struct trace_context *context)
{
	struct trace *trace = span->trace;

	if (trace && is_of_trace(trace, context))
		return true;
	if (!trace || !trace->is_ours || trace->is_told) {
		if (trace && (span->is_paired || span->join == SPAN_JOIN_HEADER))
			return false;
		trace = trace_new(join);
		if (!trace)
			return false;
		trace_unref(join, &span->trace);
		span->trace = trace;
	}
	memcpy(trace->id, context->trace_id, TRACE_ID_BYTES);
	trace->flags = context->flags;
	trace->probability = (struct trace_probability){ 0 };
	trace->is_ours = false;
	return true;
}

static void take_client(struct engine *engine, struct exchange_span *span,
			const struct trace_context *context)
{
	if (span->cause && span->join != SPAN_JOIN_HEADER)
		join_adopt(engine, span->cause, context, NULL);
	if (!change_trace(engine->join, span, context))
		return;
	become_child(span, context);
	join_drop_candidates(engine->join, span);
}

/* Requests of several threads may be in one write, of one that collected them. */
static bool is_alone(const struct connection *connection, const struct exchange *exchange)
{
	return connection->oldest == exchange && connection->newest == exchange &&
	       !exchange->stream;
}

static void take_published(struct engine *engine, const struct connection *connection)
{
	struct join *join = engine->join;

	if (join->asked_count > 1 || (join->asked_count && !is_alone(connection, join->asked)))
		join->figures.contexts_shared++;
	else if (join->asked_count)
		take_client(engine, &join->asked->span, join->context);
	join->context = NULL;
	join->asked = NULL;
	join->asked_count = 0;
}

void join_written(struct engine *engine, const struct connection *connection)
{
	join_goroutine_has_read(connection);
	if (engine->join->reading.thread)
		join_loop_end_read(engine, connection);
	if (engine->join->context)
		take_published(engine, connection);
	if (engine->join->due)
		join_unasked_tell(engine, connection);
}

/* A request that names its trace is a child of the span that made it, as the application's own is; where that is not to be told twice,
 * it is a child of the application's own. */
void join_context_answer(struct engine *engine, const struct connection *connection,
			 struct exchange *exchange)
{
	const struct trace_context *context = engine->join->context;
	struct exchange_span *span = &exchange->span;
	struct trace *trace;

	if (!context ||
	    (span->join == SPAN_JOIN_HEADER && engine->join->of_instrumented == INSTRUMENTED_ON))
		return;
	if (!is_alone(connection, exchange)) {
		engine->join->figures.contexts_shared++;
		return;
	}
	trace = trace_of(engine, span->own);
	if (!trace)
		return;
	if (!is_of_trace(trace, context))
		join_adopt(engine, span->own, context, NULL);
	if (is_of_trace(trace, context))
		become_child(span, context);
}
