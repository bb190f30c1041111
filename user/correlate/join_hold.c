/* SPDX-License-Identifier: Apache-2.0 */
/* Event loops: one thread answers many requests at a time. A call is a request's when the thread made it right after it had read
 * that request, and the request's answer follows right after it had read the call's. The second half is only known when the call is
 * over: it is held until the thread has done one more thing. */
#include <string.h>

#include "correlate/join_state.h"
#include "correlate/request.h"

/* Without a sign of its thread: an answer that waits for something else is none that follows. */
#define HELD_NS 100000000u

void join_thread_read(struct join_thread *thread, enum join_step step)
{
	/* What was read together with something else, and nothing was done about either, tells nothing: `await`. */
	thread->step = (uint8_t)(thread->step == STEP_WROTE ? step : STEP_READ_SEVERAL);
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

void join_confirm(struct engine *engine, struct handling *handling)
{
	if (handling->guessed)
		join_make_cause(engine, handling->guessed, handling);
}

static void unlink_held(struct join *join, struct join_thread *thread)
{
	*(thread->held_older ? &thread->held_older->held_newer : &join->held_oldest) =
		thread->held_newer;
	*(thread->held_newer ? &thread->held_newer->held_older : &join->held_newest) =
		thread->held_older;
	thread->held_older = thread->held_newer = NULL;
	thread->held->held_by = NULL;
	thread->held = NULL;
}

void join_release(struct engine *engine, struct join_thread *thread)
{
	struct connection *connection = thread->held;
	struct exchange *exchange;

	if (!connection)
		return;
	exchange = connection->held;
	connection->held = NULL;
	unlink_held(engine->join, thread);
	exchange_report(engine, connection, exchange);
	conn_exchange_free(engine, exchange);
}

bool join_hold(struct engine *engine, struct connection *connection, struct exchange *exchange)
{
	struct join *join = engine->join;
	struct handling *guess = exchange->span.guess;
	struct join_thread *thread;

	if (exchange->span.own && exchange->failure == PARSE_OK)
		exchange->span.own->end_ns = exchange->end_ns;
	if (exchange->span.handed)
		return join_handed_hold(engine, connection, exchange);
	if (!guess || exchange->span.cause || exchange->failure != PARSE_OK)
		return false;
	thread = join_thread_find(join, connection->tid);
	if (!thread || thread->step != STEP_READ_ANSWER || thread->guessed != guess)
		return false;
	join_release(engine, thread);
	if (connection->held)
		join_release(engine, connection->held_by);
	connection->held = exchange;
	connection->held_by = thread;
	thread->held = connection;
	thread->held_older = join->held_newest;
	*(join->held_newest ? &join->held_newest->held_newer : &join->held_oldest) = thread;
	join->held_newest = thread;
	return true;
}

void join_tick(struct engine *engine, uint64_t now_ns)
{
	struct join_thread *thread;

	if (!engine->join)
		return;
	join_lookups_tick(engine, now_ns);
	join_handed_tick(engine, now_ns);
	join_unasked_tick(engine, now_ns);
	join_connects_tick(engine, now_ns);
	while ((thread = engine->join->held_oldest) &&
	       thread->held->held->end_ns + HELD_NS < now_ns)
		join_release(engine, thread);
}

void join_end_calls(struct engine *engine)
{
	if (!engine->join)
		return;
	join_handed_tick(engine, UINT64_MAX);
	join_unasked_end(engine);
}
