/* SPDX-License-Identifier: Apache-2.0 */
/* Whose trace a request belongs to: what it says itself, else what its application said elsewhere, else whose work it is,
 * else a new one. */
#include <stdlib.h>
#include <string.h>

#include "correlate/join_state.h"
#include "correlate/tcp_part.h"

struct join *join_new(size_t connections)
{
	struct join *join = calloc(1, sizeof(*join));

	if (join &&
	    (join_threads_init(join) || join_peers_init(join, connections) ||
	     join_request_ids_init(join) || join_unasked_init(join) || join_habits_init(join)))
		join_free(&join);
	return join;
}

void join_free(struct join **slot)
{
	struct join *join = *slot;

	*slot = NULL;
	if (!join)
		return;
	join_threads_done(join);
	join_peers_done(join);
	join_request_ids_done(join);
	join_habits_done(join);
	table_done(&join->unasked);
	while (join->spare_handlings) {
		struct handling *next = join->spare_handlings->older;

		free(join->spare_handlings);
		join->spare_handlings = next;
	}
	while (join->spare_traces) {
		struct trace *next = join->spare_traces->next_spare;

		free(join->spare_traces);
		join->spare_traces = next;
	}
	free(join);
}

void join_figures_read(const struct join *join, struct join_figures *ret_figures)
{
	*ret_figures = join ? join->figures : (struct join_figures){ 0 };
	ret_figures->threads_limit = JOIN_THREADS_MAX;
	ret_figures->request_ids_limit = JOIN_REQUEST_IDS_MAX;
	ret_figures->handed_limit = JOIN_HANDED_MAX;
	ret_figures->loop_limit = JOIN_LOOP_CALLS_MAX;
	ret_figures->habits_limit = JOIN_HABITS_MAX;
	ret_figures->openings_limit = OPENED_SLOTS;
	ret_figures->lookups_limit = KEPT_LOOKUPS;
	ret_figures->unasked_limit = UNASKED_MAX;
	ret_figures->connects_limit = FAILED_CONNECTS;
	if (!join)
		return;
	ret_figures->threads = join->threads.count;
	ret_figures->request_ids = join->request_ids.count;
	ret_figures->handed = join->handed_count;
	ret_figures->loop = join->loop_count;
	ret_figures->habits = join->habits.count;
	ret_figures->lookups = join->kept_count;
	ret_figures->unasked = join->unasked.count;
	ret_figures->connects = join->connect_count;
}

static void name_span(struct engine *engine, uint8_t span_id[SPAN_ID_BYTES])
{
	if (trace_id_is_none(span_id, SPAN_ID_BYTES))
		join_make_id(engine, span_id, SPAN_ID_BYTES);
}

static void set_cause(struct engine *engine, struct exchange_span *span, struct handling *cause)
{
	struct trace *trace = trace_of(engine, cause);

	if (!trace)
		return;
	name_span(engine, cause->span_id);
	span->cause = handling_ref(cause);
	if (!span->trace)
		span->trace = trace_ref(trace);
	memcpy(span->parent_span_id, cause->span_id, SPAN_ID_BYTES);
	span->join = SPAN_JOIN_PARENT;
}

void join_take_cause(struct engine *engine, struct exchange_span *span, struct handling *cause,
		     const struct candidates *candidates)
{
	if (cause) {
		set_cause(engine, span, cause);
		return;
	}
	if (candidates->count)
		span->candidates = malloc(sizeof(*candidates));
	if (!span->candidates)
		return;
	*span->candidates = *candidates;
	for (size_t i = 0; i < candidates->count; i++)
		(void)handling_ref(candidates->handlings[i]);
}

static void find_cause(struct engine *engine, const struct join_thread *thread,
		       struct exchange_span *span)
{
	struct candidates candidates;
	struct handling *cause = join_thread_cause(engine->join, thread, &candidates);

	join_take_cause(engine, span, cause, &candidates);
}

void join_add_candidate(struct exchange_span *call, struct handling *handling)
{
	if (call->cause || call->join != SPAN_JOIN_GENERATED)
		return;
	if (!call->candidates)
		call->candidates = calloc(1, sizeof(*call->candidates));
	if (call->candidates && call->candidates->count < SPAN_CANDIDATES_MAX)
		call->candidates->handlings[call->candidates->count++] = handling_ref(handling);
}

void join_drop_candidates(struct join *join, struct exchange_span *span)
{
	struct candidates *candidates = span->candidates;

	span->candidates = NULL;
	for (size_t i = 0; candidates && i < candidates->count; i++)
		handling_unref(join, &candidates->handlings[i]);
	free(candidates);
}

static bool share_trace(struct engine *engine, struct trace **client, struct trace **server)
{
	if (*client && *server)
		return join_unite_traces(*client, *server);
	if (*server)
		*client = trace_ref(*server);
	else if (!*client)
		*client = trace_made_up(engine);
	if (*client && !*server)
		*server = trace_ref(*client);
	return *client != NULL;
}

/* The server's request is what the client asks. Traces that are told stay as they are. */
static void become_child(struct engine *engine, struct exchange *asking,
			 struct exchange_span *server)
{
	struct exchange_span *client = &asking->span;
	struct handling *handling = server->own;

	if (!handling || server->join == SPAN_JOIN_HEADER ||
	    !join_may_have_children(engine, asking) ||
	    !share_trace(engine, &client->trace, &handling->trace))
		return;
	name_span(engine, client->span_id);
	memcpy(server->parent_span_id, client->span_id, SPAN_ID_BYTES);
	server->join = SPAN_JOIN_PARENT;
}

void join_pair(struct engine *engine, struct exchange *client, struct exchange *server)
{
	client->span.is_paired = server->span.is_paired = true;
	join_loop_serve(client, server);
	if (server->start_ns < client->start_ns)
		client->span.read_ns = server->start_ns;
	become_child(engine, client, &server->span);
	join_opening_pair(client, server);
	tcp_part_pair(client, server);
}

static void find_peer(struct engine *engine, struct connection *connection,
		      struct exchange *exchange)
{
	struct exchange *other = join_peer_exchange(engine, connection, exchange);

	if (connection->role != ROLE_CLIENT) {
		if (other)
			join_pair(engine, other, exchange);
	} else if (other) {
		join_pair(engine, exchange, other);
	} else if (engine->join->unasked.count) {
		join_unasked_note(engine->join, connection, exchange);
	}
}

/* Once for a connection. */
static void note_speaking(struct engine *engine, const struct connection *connection)
{
	process_mark_speaking(engine->processes, connection->tgid);
}

void join_begin(struct engine *engine, struct connection *connection, struct exchange *exchange)
{
	struct exchange_span *span = &exchange->span;
	struct join_thread *thread;

	if (!engine->join || span->own || span->cause || span->loop)
		return;
	span->join = SPAN_JOIN_GENERATED;
	thread = join_thread_find(engine->join, connection->tgid, connection->tid);
	if (thread && connection->role != ROLE_CLIENT)
		join_loop_reads(engine, thread);
	if (!connection->is_peer_known)
		note_speaking(engine, connection);
	if (!connection->is_peer_known || connection->has_opening)
		join_opening_take(engine, connection, exchange);
	if (connection->role == ROLE_CLIENT && thread) {
		find_cause(engine, thread, span);
		join_loop_call(engine, thread, connection, exchange);
		thread->acted_ns = connection->last_ns;
	} else if (connection->role == ROLE_SERVER) {
		span->own = handling_new(engine->join);
		if (span->own) {
			span->own->start_ns = exchange->start_ns;
			join_thread_enter(engine->join, span->own, connection);
			if (span->own->thread)
				span->own->thread->acted_ns = connection->last_ns;
		}
	}
	if (connection->role == ROLE_CLIENT)
		join_handed_begin(engine, connection, exchange);
	find_peer(engine, connection, exchange);
	if (connection->role == ROLE_CLIENT)
		join_context_note(engine->join, exchange);
}

void join_drop(struct engine *engine, struct connection *connection)
{
	if (!engine->join)
		return;
	join_peer_leave(engine->join, connection);
}

void join_adopt(struct engine *engine, struct handling *cause, const struct trace_context *wire,
		const struct trace_probability *probability)
{
	struct trace *trace = trace_of(engine, cause);

	if (!trace || !trace->is_ours)
		return;
	if (trace->is_told) {
		cause->has_late = true;
		memcpy(cause->late.trace_id, wire->trace_id, TRACE_ID_BYTES);
		memcpy(cause->late.span_id, wire->span_id, SPAN_ID_BYTES);
		return;
	}
	memcpy(trace->id, wire->trace_id, TRACE_ID_BYTES);
	trace->flags = wire->flags;
	if (probability)
		trace->probability = *probability;
	trace->is_ours = false;
	trace->is_adopted = true;
}

void join_give_cause(struct engine *engine, struct exchange_span *call, struct handling *cause)
{
	if (!join_unite(cause, call))
		return;
	join_drop_candidates(engine->join, call);
	set_cause(engine, call, cause);
}

void join_make_cause(struct engine *engine, struct exchange *exchange, struct handling *cause)
{
	struct exchange_span *call = &exchange->span;

	if (call->cause)
		return;
	if (call->join == SPAN_JOIN_HEADER) {
		join_note_call(engine, exchange->tgid, cause, &exchange->facts.trace);
		join_adopt(engine, cause, &exchange->facts.trace, &call->trace->probability);
	} else if (call->join == SPAN_JOIN_GENERATED) {
		join_give_cause(engine, call, cause);
	}
}

/* That of the fields that counted; NULL: none. */
static const char *tracestate_of(const struct exchange *exchange)
{
	const struct trace_context *wire = &exchange->facts.trace;

	return wire->tracestate_bytes && wire->format == TRACE_FORMAT_W3C &&
			       trace_context_is_whole(wire) ?
		       exchange->facts.trace_texts->tracestate :
		       NULL;
}

static void take_wire(struct engine *engine, struct exchange *exchange)
{
	const struct trace_context *wire = &exchange->facts.trace;
	struct exchange_span *span = &exchange->span;
	struct trace *trace = trace_new(engine->join), **slot = &span->trace;

	if (!trace)
		return;
	memcpy(trace->id, wire->trace_id, TRACE_ID_BYTES);
	trace->flags = wire->flags;
	trace_probability_read(tracestate_of(exchange), &trace->probability);
	if (span->own) {
		slot = &span->own->trace;
		memcpy(span->own->caller_span_id, wire->span_id, SPAN_ID_BYTES);
	}
	if (span->cause) {
		join_note_call(engine, exchange->tgid, span->cause, wire);
		join_adopt(engine, span->cause, wire, &trace->probability);
	}
	trace_unref(engine->join, slot);
	*slot = trace;
	memcpy(span->parent_span_id, wire->span_id, SPAN_ID_BYTES);
	span->join = SPAN_JOIN_HEADER;
	join_drop_candidates(engine->join, span);
}

void join_head(struct engine *engine, struct exchange *exchange)
{
	const struct trace_context *wire = &exchange->facts.trace;

	if (!engine->join || !wire->pieces)
		return;
	for (unsigned bits = wire->ignored; bits; bits &= bits - 1)
		engine->join->figures.ignored[__builtin_ctz(bits)]++;
	if (trace_context_is_whole(wire))
		take_wire(engine, exchange);
	if (wire->request_id_bytes)
		join_request_id_take(engine, exchange);
}

void join_answer(struct engine *engine, struct connection *connection, struct exchange *exchange)
{
	struct handling *handling = exchange->span.own;
	struct join_thread *thread;

	if (!engine->join)
		return;
	if (!handling) {
		join_loop_answered(engine->join, exchange);
		return;
	}
	thread = join_thread_find(engine->join, connection->tgid, connection->tid);
	if (thread) {
		join_loop_answer(engine, thread, exchange, connection->last_ns);
		join_handed_answer(engine, thread, exchange);
		thread->acted_ns = connection->last_ns;
	}
	join_lone_answer(engine, exchange, thread, connection->last_ns);
	if (handling->process)
		handling->process->answered_ns = connection->last_ns;
	join_thread_answer(handling, connection->tid);
	join_context_answer(engine, connection, exchange);
}

static struct handling *of_thread(struct handling *handling, const struct join_thread *thread)
{
	return handling && handling->thread == thread ? handling : NULL;
}

void join_read(struct engine *engine, struct connection *connection)
{
	const struct exchange *exchange = connection->oldest;
	struct join_thread *thread;

	if (!engine->join || !exchange)
		return;
	if (connection->role != ROLE_CLIENT) {
		join_goroutine_read(engine->join, connection);
		return;
	}
	if (exchange->span.handed)
		join_handed_read(engine, connection, exchange);
	thread = join_thread_find(engine->join, connection->tgid, connection->tid);
	if (!thread)
		return;
	thread->acted_ns = connection->last_ns;
	thread->current = of_thread(exchange->span.cause, thread);
	join_loop_begin_read(engine, thread, connection, exchange);
}

void join_forget(struct engine *engine, struct exchange *exchange)
{
	struct exchange_span *span = &exchange->span;

	if (!engine->join)
		return;
	join_lookups_drop(engine, span);
	join_handed_forget(engine->join, exchange);
	if (span->part_reader)
		join_part_end(engine, NULL, exchange);
	join_loop_forget(engine, exchange);
	if (span->own) {
		if (exchange->failure == PARSE_OK)
			span->own->end_ns = exchange->end_ns;
		if (span->own->process) /* it has had no answer */
			span->own->process->answered_ns = exchange->end_ns;
		join_thread_leave(span->own);
		join_request_id_leave(engine->join, span->own);
	}
	handling_unref(engine->join, &span->own);
	handling_unref(engine->join, &span->cause);
	trace_unref(engine->join, &span->trace);
	join_drop_candidates(engine->join, span);
}

static void add_link(struct joined *joined, const uint8_t trace_id[TRACE_ID_BYTES],
		     const uint8_t span_id[SPAN_ID_BYTES])
{
	struct span_link *link;

	if (joined->link_count == SPAN_LINKS_MAX) {
		joined->links_dropped++;
		return;
	}
	link = &joined->links[joined->link_count++];
	memcpy(link->trace_id, trace_id, TRACE_ID_BYTES);
	memcpy(link->span_id, span_id, SPAN_ID_BYTES);
}

static void tell_links(struct engine *engine, const struct exchange_span *span,
		       struct joined *joined)
{
	const struct candidates *candidates = span->candidates;

	for (size_t i = 0; candidates && i < candidates->count; i++) {
		struct handling *handling = candidates->handlings[i];
		struct trace *trace = trace_of(engine, handling);

		if (!trace)
			continue;
		name_span(engine, handling->span_id);
		trace->is_told = true;
		add_link(joined, trace->id, handling->span_id);
	}
	if (!span->own || !span->own->has_late)
		return;
	engine->join->figures.late++;
	add_link(joined, span->own->late.trace_id, span->own->late.span_id);
}

/* Spans that messages name, unless their one is the parent. */
static void tell_messages(struct join *join, const struct exchange_facts *facts,
			  struct joined *joined)
{
	uint32_t count = facts->contexts.count;

	for (unsigned bits = facts->contexts.ignored; bits; bits &= bits - 1)
		join->figures.ignored[__builtin_ctz(bits)]++;
	if (!count || trace_context_is_whole(&facts->trace))
		return;
	for (uint32_t i = 0; i < count && i < TRACE_LINKS_MAX; i++)
		add_link(joined, facts->trace_texts->links[i].trace_id,
			 facts->trace_texts->links[i].span_id);
	if (count > TRACE_LINKS_MAX)
		joined->links_dropped += count - TRACE_LINKS_MAX;
	join->figures.links_dropped += joined->links_dropped;
}

static void tell_span(const struct exchange_span *known, struct trace *trace, struct joined *joined)
{
	struct span_identity *span = &joined->span;

	memcpy(span->trace_id, trace->id, TRACE_ID_BYTES);
	memcpy(span->parent_span_id, known->parent_span_id, SPAN_ID_BYTES);
	span->flags = trace->flags;
	span->join = known->join;
	if (trace->is_adopted && span->join == SPAN_JOIN_GENERATED)
		span->join = SPAN_JOIN_ADOPTED;
	joined->has_upstream = !trace->is_ours;
	joined->upstream = trace->probability;
	trace->is_told = true;
}

static void tell_texts(const struct exchange *exchange, struct joined *joined)
{
	const struct trace_context *wire = &exchange->facts.trace;

	if (wire->request_id_bytes)
		joined->request_id = exchange->facts.trace_texts->request_id;
	joined->tracestate = tracestate_of(exchange);
}

/* A call that is told later may name it. */
static struct trace *own_trace(struct engine *engine, struct handling *own)
{
	return own->references > 1 ? trace_of(engine, own) : own->trace;
}

bool join_finish(struct engine *engine, const struct process *process,
		 const struct exchange *exchange, struct joined *ret_joined)
{
	const struct exchange_span *known = exchange ? &exchange->span : NULL;
	struct span_identity *span = &ret_joined->span;
	struct trace *trace = NULL;

	if (!engine->join)
		return false;
	if (join_is_left_out(engine, process, known)) {
		engine->join->figures.left_out++;
		return false;
	}
	ret_joined->link_count = 0;
	ret_joined->links_dropped = 0;
	ret_joined->tracestate = ret_joined->request_id = NULL;
	ret_joined->has_upstream = false;
	ret_joined->opening.end_ns = ret_joined->begin_ns = 0;
	ret_joined->lookup_count = 0;
	*span = (struct span_identity){ .flags = TRACE_FLAG_SAMPLED | TRACE_FLAG_RANDOM,
					.join = SPAN_JOIN_GENERATED,
					.is_sampled = true };
	if (known) {
		trace = known->own ? own_trace(engine, known->own) : known->trace;
		memcpy(span->span_id, known->own ? known->own->span_id : known->span_id,
		       SPAN_ID_BYTES);
		join_opening_tell(known, ret_joined);
		tell_links(engine, known, ret_joined);
		tell_messages(engine->join, &exchange->facts, ret_joined);
		tell_texts(exchange, ret_joined);
	}
	if (trace)
		tell_span(known, trace, ret_joined);
	else
		join_make_id(engine, span->trace_id, TRACE_ID_BYTES);
	name_span(engine, span->span_id);
	if (known && known->own)
		memcpy(known->own->span_id, span->span_id, SPAN_ID_BYTES);
	if (known && known->candidates)
		engine->join->figures.ambiguous++;
	else
		engine->join->figures.spans[span->join]++;
	return true;
}
