/* SPDX-License-Identifier: Apache-2.0 */
/* Work that a thread was handed: one thread reads requests, others work on them and answer. What a thread calls between two
 * answers is for the second one. That is known when this answer begins, so calls that are over are held until then. It is sure of
 * processes whose threads keep to this, as far as is seen: who reads requests makes no calls, who works does one thing after the other,
 * and several do; and of routes that always take as many calls (join_habit.c). */
#include <stdlib.h>

#include "correlate/join_state.h"
#include "correlate/request.h"

/* Without an answer: a thread that still works after so long is not waited for. */
#define HELD_NS 100000000u
/* Calls that waited, before any thread gave an answer to its calls, until nobody waits any more: who makes them does not answer. */
#define VAIN_MAX 64

static void unlink_held(struct join *join, struct handed_call *call)
{
	*(call->held_older ? &call->held_older->held_newer : &join->handed_oldest) =
		call->held_newer;
	*(call->held_newer ? &call->held_newer->held_older : &join->handed_newest) =
		call->held_older;
	call->connection->held_calls--;
	call->connection = NULL;
	join->handed_count--;
}

void join_handed_forget(struct join *join, struct exchange *exchange)
{
	struct handed_call *call = exchange->span.handed, **link;

	exchange->span.handed = NULL;
	if (!call)
		return;
	if (call->connection)
		unlink_held(join, call);
	join_lone_forget(call);
	for (link = &call->thread->calls; *link != call;)
		link = &(*link)->next;
	*link = call->next;
	call->thread->call_count--;
	free(call);
}

void join_handed_let_go(struct engine *engine, struct handed_call *call)
{
	struct connection *connection = call->connection;
	struct exchange *exchange = call->exchange;

	join_lone_give_up(call);
	join_handed_forget(engine->join, exchange);
	if (!connection)
		return;
	exchange_report(engine, connection, exchange);
	conn_exchange_free(engine, exchange);
	if (connection->is_gone && !connection->held_calls)
		connection_put(engine, connection);
}

/* What the thread answered before was over when it began with this. */
static bool is_after_answer(const struct join_thread *thread)
{
	const struct handling *before = thread->answered;

	return !before || (before->end_ns && before->end_ns <= thread->first_call_ns);
}

/* Calls for one answer are in one trace: both ends of each may be told before the answer. */
static void share_trace(const struct join_thread *thread, struct exchange_span *span)
{
	const struct handed_call *call = thread->calls;

	if (!thread->was_sure || span->trace || !is_after_answer(thread))
		return;
	while (call && !call->exchange->span.trace)
		call = call->next;
	if (call && call->exchange->span.trace->is_ours)
		span->trace = trace_ref(call->exchange->span.trace);
}

static void track(struct engine *engine, struct join_process *process, struct join_thread *thread,
		  struct exchange *exchange)
{
	struct handed_call *call =
		thread->call_count < HANDED_CALLS_OF_THREAD ? calloc(1, sizeof(*call)) : NULL;

	if (!call) {
		engine->join->figures.handed_evicted++;
		return;
	}
	*call = (struct handed_call){ .next = thread->calls,
				      .thread = thread,
				      .exchange = exchange,
				      .used = exchange->begun.used,
				      .waited_ns = exchange->begun.waited_ns };
	thread->calls = call;
	thread->call_count++;
	exchange->span.handed = call;
	join_lone_take(engine, process, call);
}

/* Of a thread that was started for a request. */
static void begin_started(struct engine *engine, struct join_process *process,
			  struct join_thread *thread, struct exchange *exchange)
{
	struct trace *trace = NULL;

	if (thread->is_starter_sure && process->started == JOIN_STARTED_SHOWN)
		trace = trace_of(engine, thread->starter);
	if (trace && !exchange->span.trace)
		exchange->span.trace = trace_ref(trace);
	track(engine, process, thread, exchange);
}

/* Nothing tells by its threads what it works on. */
static void begin_unruly(struct engine *engine, struct join_process *process,
			 struct join_thread *thread, struct exchange *exchange)
{
	if (exchange->span.cause || exchange->span.candidates)
		return;
	if (process->lone)
		track(engine, process, thread, exchange);
	else
		join_lone_guess(engine->join, process, &exchange->span);
}

void join_handed_begin(struct engine *engine, struct connection *connection,
		       struct exchange *exchange)
{
	struct join_process *process = join_process_find(engine->join, connection->tgid);
	struct join_thread *thread =
		join_thread_find(engine->join, connection->tgid, connection->tid);
	bool is_started = thread && join_started_for(engine->join, thread);

	if (!process)
		return;
	join_lone_begin(process, exchange->start_ns);
	thread = exchange->stream ? NULL :
				    join_thread_of(engine->join, connection->tgid, connection->tid);
	if (!thread)
		return;
	if (!process->is_unruly || is_started)
		process->is_unruly |= thread->is_reader;
	if (thread->is_reader || (process->is_unruly && !is_started)) {
		begin_unruly(engine, process, thread, exchange);
		return;
	}
	thread->is_worker = true;
	if (!thread->made++)
		thread->first_call_ns = exchange->start_ns;
	if (is_started) {
		begin_started(engine, process, thread, exchange);
	} else if (process->waiting) {
		share_trace(thread, &exchange->span);
		track(engine, process, thread, exchange);
	}
}

bool join_handed_hold(struct engine *engine, struct connection *connection,
		      struct exchange *exchange)
{
	struct join *join = engine->join;
	struct handed_call *call = exchange->span.handed;

	if (exchange->failure != PARSE_OK || exchange->span.cause) {
		join_handed_forget(join, exchange);
		return false;
	}
	if (join->handed_count == JOIN_HANDED_MAX) {
		join->figures.handed_evicted++;
		join_handed_let_go(engine, join->handed_oldest);
	}
	call->connection = connection;
	connection->held_calls++;
	call->held_older = join->handed_newest;
	*(join->handed_newest ? &join->handed_newest->held_newer : &join->handed_oldest) = call;
	join->handed_newest = call;
	join->handed_count++;
	return true;
}

/* An answer that is read by somebody else than who asked: threads share their calls. */
void join_handed_read(struct engine *engine, const struct connection *connection,
		      const struct exchange *exchange)
{
	uint32_t asked = exchange->span.handed->thread->tid;
	struct join_process *process;

	if (asked == connection->tid || (asked ^ connection->tid) & GOROUTINE_BIT)
		return; /* of goroutines nobody says which one reads */
	process = join_process_find(engine->join, connection->tgid);
	if (process)
		process->is_unruly = true;
}

static bool has_open_call(const struct join_thread *thread)
{
	for (const struct handed_call *call = thread->calls; call; call = call->next)
		if (!call->exchange->has_response)
			return true;
	return false;
}

/* One thread that works may have done something else before each answer, always: it takes several to tell. */
static void note_worker(struct join_process *process, const struct join_thread *thread)
{
	process->has_workers |= process->worker && process->worker != thread->tid;
	process->worker = thread->tid;
}

/* Whether what the thread called is sure to be for this answer. */
static bool is_sure(struct join *join, const struct exchange *answered,
		    const struct join_thread *thread)
{
	return join_habit_is_kept(join, answered, thread->made) &&
	       answered->span.own->process->has_workers && is_after_answer(thread);
}

static void settle(struct engine *engine, const struct join_thread *thread,
		   struct handling *handling, bool is_it)
{
	struct exchange *exchange = thread->calls->exchange;
	bool is_its_own =
		exchange->start_ns >= thread->first_call_ns; /* its number may be used anew */

	if (is_it && is_its_own)
		join_make_cause(engine, exchange, handling);
	if (is_its_own && is_after_answer(thread))
		join_add_candidate(&exchange->span, handling);
	join_handed_let_go(engine, thread->calls);
}

/* From its first call on all that the thread did was for this answer. */
static void account(const struct join_thread *thread, struct exchange *answered)
{
	for (const struct handed_call *call = thread->calls; call; call = call->next) {
		if (call->exchange->start_ns < thread->first_call_ns)
			continue;
		answered->begun.used = call->used;
		answered->begun.waited_ns = call->waited_ns;
	}
}

void join_handed_answer(struct engine *engine, struct join_thread *thread,
			struct exchange *answered)
{
	struct handling *handling = answered->span.own;
	struct join_process *process = handling->process;
	bool is_handed, was_sure = false;

	if (!process || !thread->is_worker)
		return;
	is_handed = handling->thread && handling->thread != thread && !answered->stream;
	if (is_handed && thread->made &&
	    (thread->first_call_ns < handling->start_ns || has_open_call(thread)))
		process->is_unruly = true;
	is_handed = is_handed && !process->is_unruly;
	if (is_handed) {
		note_worker(process, thread);
		was_sure = is_sure(engine->join, answered, thread);
	}
	if (was_sure && !answered->has_figures)
		account(thread, answered);
	while (thread->calls) {
		if (is_handed)
			settle(engine, thread, handling, was_sure);
		else
			join_handed_let_go(engine, thread->calls);
	}
	thread->made = 0;
	thread->was_sure = was_sure;
	handling_unref(engine->join, &thread->answered);
	thread->answered = handling_ref(handling);
}

void join_handed_end(struct engine *engine, struct join_thread *thread)
{
	while (thread->calls) {
		struct exchange *exchange = thread->calls->exchange;

		if (thread->starter && thread->is_starter_sure && thread->calls->connection)
			join_make_cause(engine, exchange, thread->starter);
		if (thread->starter)
			join_add_candidate(&exchange->span, thread->starter);
		join_handed_let_go(engine, thread->calls);
	}
}

/* A thread that goes on is of a pool, which may do anybody's work. */
static void note_vain_start(struct join_process *process, struct handed_call *call)
{
	if (process)
		process->started = 0;
	if (process && !process->is_unruly)
		join_add_candidate(&call->exchange->span, call->thread->starter);
}

static void note_vain(struct join_process *process)
{
	if (process && !process->worker && ++process->handed_in_vain == VAIN_MAX)
		process->is_unruly = true;
}

void join_handed_tick(struct engine *engine, uint64_t now_ns)
{
	struct join_process *process;
	struct handed_call *call;

	while ((call = engine->join->handed_oldest) && call->exchange->end_ns + HELD_NS < now_ns) {
		process = join_process_find(engine->join, call->exchange->tgid);
		if (call->thread->starter)
			note_vain_start(process, call);
		else
			note_vain(process);
		join_handed_let_go(engine, call);
	}
}
