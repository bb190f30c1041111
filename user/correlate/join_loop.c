/* SPDX-License-Identifier: Apache-2.0 */
/* Event loops: one thread answers many requests at a time. A call is a request's when both ends of a chain are seen: the thread made
 * it right after it had read that request, or the answer to such a call, and so on; and began the request's answer right after it had
 * read the last one's. The second end is only known in the end: join_hold.c keeps what is over until then. */
#include <stdlib.h>

#include "correlate/join_state.h"

static enum join_step step_after(const struct join_thread *thread, enum join_step step,
				 uint64_t conn_id)
{
	bool is_more = thread->step == STEP_READ_PART && thread->read_conn_id == conn_id;

	if (thread->has_written || is_more)
		return step;
	if (step == STEP_READ_PART &&
	    (thread->step == STEP_READ_PART || thread->step == STEP_READ_PARTS))
		return STEP_READ_PARTS;
	/* What was read together with something else, and nothing was done about either, tells nothing: `await`. */
	return STEP_READ_SEVERAL;
}

static void set_step(struct join_thread *thread, enum join_step step, uint64_t conn_id)
{
	thread->step = (uint8_t)step_after(thread, step, conn_id);
	thread->read_conn_id = conn_id;
	thread->has_written = false;
	thread->read_call = NULL;
	thread->guessed = NULL;
}

void join_loop_reads(struct engine *engine, struct join_thread *thread)
{
	struct loop_call *call = thread->read_call;

	thread->read_call = NULL;
	if (call && call->client.connection && !call->followers)
		join_loop_let_go(engine, call);
}

void join_loop_read_request(struct join_thread *thread, uint64_t conn_id)
{
	set_step(thread, STEP_READ_REQUEST, conn_id);
}

void join_loop_read_other(struct engine *engine, struct join_thread *thread, uint64_t conn_id)
{
	join_loop_reads(engine, thread);
	set_step(thread, STEP_READ_SEVERAL, conn_id);
}

/* A call that is sure to be for its request is none of the chain, but its answer may be followed as well. */
static struct handling *handling_of(const struct exchange_span *span,
				    const struct join_thread *thread)
{
	struct handling *handling = span->loop ? span->loop->handling : span->cause;

	return handling && handling->thread == thread ? handling : NULL;
}

void join_loop_begin_read(struct engine *engine, struct join_thread *thread,
			  const struct connection *connection, const struct exchange *exchange)
{
	join_loop_reads(engine, thread);
	engine->join->reading = (struct join_reading){
		.thread = thread,
		.exchange = exchange,
		.handling = handling_of(&exchange->span, thread),
		.call = exchange->span.loop,
		.conn_id = connection->ref.conn_id,
		/* Which stream is answered is not known yet. */
		.is_several = exchange->stream && exchange->next,
	};
}

void join_loop_answered(struct join *join, const struct exchange *exchange)
{
	if (join->reading.thread && join->reading.exchange != exchange)
		join->reading.is_several = true;
}

bool join_loop_may_follow(const struct join *join, const struct connection *connection,
			  const struct exchange *exchange)
{
	const struct join_reading *reading = &join->reading;

	return reading->thread && reading->exchange == exchange && !reading->is_several &&
	       step_after(reading->thread, STEP_READ_ANSWER, connection->ref.conn_id) ==
		       STEP_READ_ANSWER;
}

void join_loop_end_read(struct engine *engine, const struct connection *connection)
{
	struct join_reading reading = engine->join->reading;
	struct join_thread *thread = reading.thread;
	enum join_step step = reading.is_several ? STEP_READ_SEVERAL :
			      reading.is_whole	 ? STEP_READ_ANSWER :
						   STEP_READ_PART;

	engine->join->reading = (struct join_reading){ NULL };
	if (connection->oldest)
		join_part_note(engine->join, thread, connection->oldest);
	set_step(thread, step, reading.conn_id);
	if (thread->step == STEP_READ_SEVERAL) {
		if (reading.call && reading.call->client.connection)
			join_loop_let_go(engine, reading.call);
		return;
	}
	if (thread->step == STEP_READ_PARTS)
		return;
	thread->guessed = reading.handling;
	thread->read_call = reading.handling ? reading.call : NULL;
}

/* The request that a call of now follows. */
static struct handling *followed(const struct join_thread *thread)
{
	if (thread->step == STEP_READ_REQUEST)
		return thread->current;
	return thread->step == STEP_READ_ANSWER ? thread->guessed : NULL;
}

void join_loop_confirm(struct engine *engine, struct handling *handling, struct loop_call *call)
{
	struct join_process *process = join_process_find(engine->join, call->client.exchange->tgid);

	if (process && process->chains < JOIN_LOOP_SHOWN)
		process->chains++;
	for (; call; call = call->before)
		join_make_cause(engine, call->client.exchange, handling);
}

static void track(struct join_thread *thread, struct exchange *exchange, struct handling *handling)
{
	struct loop_call *call = calloc(1, sizeof(*call));

	if (!call)
		return;
	call->handling = handling_ref(handling);
	call->client.exchange = exchange;
	call->next = handling->loop_calls;
	handling->loop_calls = call;
	if (thread->step == STEP_READ_ANSWER)
		call->before = thread->read_call;
	if (call->before)
		call->before->followers++;
	exchange->span.loop = call;
}

/* Both the call's trace and the request's may be told before it is known whose it is: then it is too late to make them one. The first
 * call on a connection waited until that was there, and follows nothing. */
static void share_trace(struct engine *engine, const struct connection *connection,
			struct exchange *exchange)
{
	const struct loop_call *call = exchange->span.loop;
	const struct join_process *process = join_process_find(engine->join, connection->tgid);
	struct trace *trace = NULL;

	if (call && !call->before && process && process->chains == JOIN_LOOP_SHOWN &&
	    connection->turn_no > 1 && !exchange->span.trace)
		trace = trace_of(engine, call->handling);
	if (trace)
		exchange->span.trace = trace_ref(trace);
}

void join_loop_call(struct engine *engine, struct join_thread *thread,
		    const struct connection *connection, struct exchange *exchange)
{
	struct handling *handling = followed(thread);
	bool is_first = !thread->has_written;

	thread->has_written = true;
	thread->wrote_ns = connection->last_ns;
	if (!handling || !exchange->span.candidates)
		return;
	track(thread, exchange, handling);
	if (is_first)
		share_trace(engine, connection, exchange);
}

void join_loop_serve(struct exchange *client, struct exchange *server)
{
	struct loop_call *call = client->span.loop;

	if (!call || server->stream || !server->span.own || server->span.loop)
		return;
	call->server.exchange = server;
	server->span.loop = call;
}

static bool is_its_thread(const struct join_thread *thread, const struct handling *handling)
{
	return handling->thread == thread && handling->process && !handling->process->is_mixed;
}

/* Whether the thread has read nothing since it wrote but parts of answers, one of which is the call's. */
static bool may_follow_parts(const struct join_thread *thread)
{
	return thread->has_written || thread->step == STEP_READ_PART ||
	       thread->step == STEP_READ_PARTS;
}

/* What followed one request is followed by another one's answer. */
static void note_astray(const struct join_thread *thread, const struct handling *handling)
{
	const struct loop_call *call = thread->read_call;

	if (call && !call->before && call->handling != handling && handling->process)
		handling->process->chains = 0;
}

void join_loop_answer(struct engine *engine, struct join_thread *thread, struct exchange *answered,
		      uint64_t now_ns)
{
	struct handling *handling = answered->span.own;
	bool is_read = thread->step == STEP_READ_ANSWER || thread->step == STEP_READ_PART;
	bool is_its = is_its_thread(thread, handling), waits = false;

	if (thread->step == STEP_READ_ANSWER && !thread->has_written)
		note_astray(thread, handling);
	if (is_its && is_read && !thread->has_written && thread->guessed == handling &&
	    thread->read_call)
		join_loop_confirm(engine, handling, thread->read_call);
	else if (is_its && may_follow_parts(thread))
		waits = join_part_await(thread, answered, now_ns, engine->join);
	thread->has_written = true;
	thread->wrote_ns = now_ns;
	if (!waits)
		join_loop_let_go_all(engine, handling);
}
