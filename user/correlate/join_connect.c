/* SPDX-License-Identifier: Apache-2.0 */
/* Connects that failed: a span each, by itself, as no request follows. The event comes when it is known that it failed; whose work it
 * was is what its thread did when it connected. */
#include "correlate/join_state.h"
#include "correlate/request.h"
#include "decode/call_name.h"

/* A trace that is told is not changed any more: as long as this the application may still name it. */
#define KEEP_NS 2000000000u

/* NULL: the process gave it up by itself, which is no error. */
static const char *error_of(const struct event_tcp_connect *event)
{
	if (event->error > 0 && event->error <= UINT16_MAX)
		return errno_name((uint16_t)event->error);
	return event->outcome == CONNECT_TIMEOUT ? "timeout" : NULL;
}

static void tell_oldest(struct engine *engine)
{
	struct join *join = engine->join;
	struct failed_connect *connect = &join->connects[join->connect_first];
	const struct process *process = selected_process(engine, connect->tgid);
	struct exchange exchange = { .tgid = connect->tgid, .span = connect->span };
	struct joined joined;
	struct request request = { .start_ns = connect->start_ns,
				   .end_ns = connect->end_ns,
				   .tuple = &connect->tuple,
				   .process = process,
				   .role = ROLE_CLIENT,
				   .part = SPAN_PART_CONNECT };

	request.attributes[ATTRIBUTE_ERROR_TYPE] = connect->error;
	if (process && join_finish(engine, process, &exchange, &joined)) {
		request.span = &joined.span;
		request.span_links = joined.links;
		request.span_link_count = joined.link_count;
		request.upstream = joined.has_upstream ? &joined.upstream : NULL;
		engine->sink->request(engine->sink->context, &request);
	}
	join_forget(engine, &exchange);
	join->connect_first = (join->connect_first + 1) % FAILED_CONNECTS;
	join->connect_count--;
}

static struct failed_connect *next_place(struct engine *engine)
{
	struct join *join = engine->join;

	if (join->connect_count == FAILED_CONNECTS) {
		join->figures.connects_evicted++;
		tell_oldest(engine);
	}
	return &join->connects[(join->connect_first + join->connect_count++) % FAILED_CONNECTS];
}

static void find_cause(struct engine *engine, uint32_t tid, struct failed_connect *connect)
{
	const struct join_thread *thread = join_thread_find(engine->join, connect->tgid, tid);
	struct candidates candidates;
	struct handling *cause;

	if (!thread)
		return;
	cause = join_thread_cause_since(engine->join, thread, connect->start_ns, &candidates);
	join_take_cause(engine, &connect->span, cause, &candidates);
}

void join_connect_failed(struct engine *engine, const struct event *event)
{
	const struct event_tcp_connect *failed = event->tcp_connect;
	const struct connect_caller *caller = (const void *)event->payload;
	struct failed_connect *connect;

	if (!engine->join || failed->outcome == CONNECT_ESTABLISHED || !failed->start_ns ||
	    failed->start_ns > failed->header.ktime_ns || !error_of(failed))
		return;
	connect = next_place(engine);
	*connect = (struct failed_connect){ .tuple = failed->conn.tuple,
					    .start_ns = failed->start_ns,
					    .end_ns = failed->header.ktime_ns,
					    .tgid = failed->header.tgid,
					    .error = error_of(failed),
					    .span.join = SPAN_JOIN_GENERATED };
	if (event->payload_bytes)
		find_cause(engine, caller->tid, connect);
}

/* Those of requests that are over are told, and those of nobody. */
static bool may_wait(const struct failed_connect *connect, uint64_t now_ns)
{
	const struct exchange_span *span = &connect->span;

	return ((span->cause && span->cause->thread) || span->candidates) &&
	       connect->end_ns + KEEP_NS >= now_ns;
}

void join_connects_tick(struct engine *engine, uint64_t now_ns)
{
	struct join *join = engine->join;

	while (join->connect_count && !may_wait(&join->connects[join->connect_first], now_ns))
		tell_oldest(engine);
}
