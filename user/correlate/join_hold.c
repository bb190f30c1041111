/* SPDX-License-Identifier: Apache-2.0 */
/* Calls of event loops wait until it is known whose they are: what is over of one, on either end of its connection, is told then. The
 * end that serves it, too: once it is told, its trace cannot become the request's. */
#include <stdlib.h>

#include "correlate/join_state.h"
#include "correlate/request.h"

/* Since the first end was over: an answer that waits for something else is none that follows. Whether one in parts was read to its end,
 * the kernel is asked after 0.1 s, and has answered by the next tick. */
#define HELD_NS 250000000u

static void unlink_waiting(struct join *join, struct loop_call *call)
{
	if (!call->waits_since_ns)
		return;
	*(call->older ? &call->older->newer : &join->loop_oldest) = call->newer;
	*(call->newer ? &call->newer->older : &join->loop_newest) = call->older;
	call->older = call->newer = NULL;
	call->waits_since_ns = 0;
	join->loop_count--;
}

/* What followed its answer follows nothing any more that is known. */
static void unlink_call(struct loop_call *call)
{
	struct loop_call **link = &call->handling->loop_calls, *other;

	while (*link != call)
		link = &(*link)->next;
	*link = call->next;
	for (other = call->handling->loop_calls; call->followers && other; other = other->next) {
		if (other->before != call)
			continue;
		other->before = NULL;
		call->followers--;
	}
}

/* Report what is over. */
static void release(struct engine *engine, struct loop_end *end)
{
	struct connection *connection = end->connection;

	if (end->exchange)
		end->exchange->span.loop = NULL;
	if (!connection)
		return;
	exchange_report(engine, connection, end->exchange);
	conn_exchange_free(engine, end->exchange);
	connection->held_calls--;
	if (connection->is_gone && !connection->held_calls)
		connection_put(engine, connection);
}

/* Returns the call whose answer it followed, where nothing else did that may still come to something; else NULL. */
static struct loop_call *let_go_one(struct engine *engine, struct loop_call *call)
{
	struct join *join = engine->join;
	struct loop_call *before = call->before, ended = *call;
	struct join_thread *thread = call->handling->thread;

	unlink_waiting(join, call);
	unlink_call(call);
	join_part_forget(call);
	if (thread && thread->read_call == call)
		thread->read_call = NULL;
	if (join->reading.call == call)
		join->reading.call = NULL;
	free(call);
	release(engine, &ended.client);
	release(engine, &ended.server);
	handling_unref(join, &ended.handling);
	return before && !--before->followers && before->client.connection ? before : NULL;
}

void join_loop_let_go(struct engine *engine, struct loop_call *call)
{
	while (call)
		call = let_go_one(engine, call);
}

/* A call that is under way may still be known in the end; who serves it is not waited for. */
static void give_up(struct engine *engine, struct loop_call *call)
{
	struct loop_end server = call->server;

	if (call->window) {
		join_loop_let_go_all(engine, call->handling);
		return;
	}
	if (call->client.connection) {
		join_loop_let_go(engine, call);
		return;
	}
	unlink_waiting(engine->join, call);
	call->server = (struct loop_end){ NULL };
	release(engine, &server);
}

void join_loop_let_go_all(struct engine *engine, struct handling *handling)
{
	struct handling *kept = handling_ref(handling);

	while (kept->loop_calls)
		join_loop_let_go(engine, kept->loop_calls);
	handling_unref(engine->join, &kept);
}

/* Returns false when the call itself was given up to make room. */
static bool make_room(struct engine *engine, const struct loop_call *call,
		      const struct exchange *exchange)
{
	struct join *join = engine->join;

	if (call->waits_since_ns || join->loop_count < JOIN_LOOP_CALLS_MAX)
		return true;
	join->figures.loop_evicted++;
	give_up(engine, join->loop_oldest);
	return exchange->span.loop == call;
}

static bool keep(struct engine *engine, struct connection *connection, struct loop_end *end,
		 struct loop_call *call)
{
	struct join *join = engine->join;

	if (!make_room(engine, call, end->exchange))
		return false;
	end->connection = connection;
	connection->held_calls++;
	if (call->waits_since_ns)
		return true;
	call->waits_since_ns = end->exchange->end_ns;
	call->older = join->loop_newest;
	*(join->loop_newest ? &join->loop_newest->newer : &join->loop_oldest) = call;
	join->loop_newest = call;
	join->loop_count++;
	return true;
}

static bool hold_server(struct engine *engine, struct connection *connection,
			struct exchange *exchange)
{
	struct loop_call *call = exchange->span.loop;

	if (!call || exchange->failure != PARSE_OK)
		return false;
	if (call->window && join_await(engine, connection, exchange)) {
		exchange->span.loop = NULL;
		call->server.exchange = NULL;
		return true;
	}
	join_thread_leave(exchange->span.own);
	join_request_id_leave(engine->join, exchange->span.own);
	return keep(engine, connection, &call->server, call);
}

static bool hold_client(struct engine *engine, struct connection *connection,
			struct exchange *exchange)
{
	struct loop_call *call;

	if (engine->join->reading.exchange == exchange)
		engine->join->reading.is_whole = true;
	if (exchange->span.part_reader)
		join_part_end(engine, connection, exchange);
	call = exchange->span.loop;
	if (!call || exchange->span.cause || exchange->failure != PARSE_OK ||
	    (!call->window && !join_loop_may_follow(engine->join, connection, exchange)))
		return false;
	return keep(engine, connection, &call->client, call);
}

bool join_hold(struct engine *engine, struct connection *connection, struct exchange *exchange)
{
	if (exchange->span.own && exchange->failure == PARSE_OK)
		exchange->span.own->end_ns = exchange->end_ns;
	if (exchange->span.handed)
		return join_handed_hold(engine, connection, exchange);
	return exchange->span.own ? hold_server(engine, connection, exchange) :
				    hold_client(engine, connection, exchange);
}

void join_loop_forget(struct engine *engine, struct exchange *exchange)
{
	struct loop_call *call = exchange->span.loop;

	if (!call)
		return;
	exchange->span.loop = NULL;
	if (call->server.exchange == exchange) {
		call->server = (struct loop_end){ NULL };
		return;
	}
	call->client = (struct loop_end){ NULL };
	join_loop_let_go(engine, call);
}

static void loop_tick(struct engine *engine, uint64_t now_ns)
{
	struct loop_call *call;

	while ((call = engine->join->loop_oldest) && call->waits_since_ns + HELD_NS < now_ns)
		give_up(engine, call);
}

void join_tick(struct engine *engine, uint64_t now_ns)
{
	if (!engine->join)
		return;
	join_lookups_tick(engine, now_ns);
	join_handed_tick(engine, now_ns);
	join_unasked_tick(engine, now_ns);
	join_connects_tick(engine, now_ns);
	loop_tick(engine, now_ns);
}

void join_end_calls(struct engine *engine)
{
	if (!engine->join)
		return;
	join_handed_tick(engine, UINT64_MAX);
	loop_tick(engine, UINT64_MAX);
	join_unasked_end(engine);
}
