/* SPDX-License-Identifier: Apache-2.0 */
/* Answers to an event loop's calls that come in parts. The first part is an event, the others mostly are none: when the last one was
 * read, the connection's next event tells. A request's answer that begins meanwhile waits for that: it follows the call's when this
 * was read since the thread had last written, and no other one was read to its end. */
#include <stdlib.h>

#include "correlate/join_state.h"

/* What is known of an answer that seems to follow parts of others. */
struct loop_window {
	struct loop_window *next; /* of the thread */
	struct join_thread *thread;
	struct loop_call *answer; /* whose window it is */
	struct loop_call *call;	  /* whose answer it may follow; NULL: it was given up */
	uint64_t since_ns;	  /* the thread had written last */
	uint64_t until_ns;	  /* the answer began */
	uint32_t part_no;	  /* of the newest answer that came in parts by then */
	uint32_t open;		  /* of these, not known to be over */
	bool is_read;		  /* the call's answer was, by the end of the window */
	bool is_other_read;	  /* the same of another one, or nobody can say */
};

void join_part_note(struct join *join, struct join_thread *thread, struct exchange *exchange)
{
	struct exchange_span *span = &exchange->span;

	if (span->part_reader || exchange->stream || !exchange->has_response ||
	    exchange->has_response_end)
		return;
	span->part_reader = thread->tid;
	span->part_no = ++join->part_no;
	thread->parts++;
}

/* The request's call of whose answer the thread has read a part, when there is one only. */
static struct loop_call *call_in_parts(const struct handling *handling,
				       const struct join_thread *thread)
{
	struct loop_call *found = NULL;

	for (struct loop_call *call = handling->loop_calls; call; call = call->next) {
		const struct exchange *exchange = call->client.exchange;

		if (call->client.connection || !exchange ||
		    exchange->span.part_reader != thread->tid)
			continue;
		if (found)
			return NULL;
		found = call;
	}
	return found;
}

bool join_part_await(struct join_thread *thread, struct exchange *answered, uint64_t now_ns,
		     const struct join *join)
{
	struct handling *handling = answered->span.own;
	struct loop_call *call = call_in_parts(handling, thread), *answer;
	struct loop_window *window;

	if (!call || !thread->parts)
		return false;
	answer = calloc(1, sizeof(*answer));
	window = calloc(1, sizeof(*window));
	if (!answer || !window) {
		free(answer);
		free(window);
		return false;
	}
	*window = (struct loop_window){ .next = thread->windows,
					.thread = thread,
					.answer = answer,
					.call = call,
					.since_ns = thread->wrote_ns,
					.until_ns = now_ns,
					.part_no = join->part_no,
					.open = thread->parts };
	thread->windows = window;
	call->window = answer->window = window;
	answer->handling = handling_ref(handling);
	answer->next = handling->loop_calls;
	handling->loop_calls = answer;
	if (!answered->span.loop) {
		answered->span.loop = answer;
		answer->server.exchange = answered;
	}
	return true;
}

void join_part_forget(struct loop_call *call)
{
	struct loop_window *window = call->window, **link;

	call->window = NULL;
	if (window && window->answer != call)
		window->call = NULL;
	if (!window || window->answer != call)
		return;
	if (window->call)
		window->call->window = NULL;
	for (link = &window->thread->windows; *link != window;)
		link = &(*link)->next;
	*link = window->next;
	free(window);
}

/* Whether the thread that read the first part has read the last one, as far as is known. */
static bool is_read_by(const struct connection *connection, const struct exchange *exchange)
{
	const struct thread_use *used = &connection->used[DIR_READ];

	return used->time_ns != exchange->end_ns || !used->usage.tid ||
	       used->usage.tid == exchange->span.part_reader;
}

static void judge(struct loop_window *window, const struct connection *connection,
		  const struct exchange *exchange)
{
	bool is_it = window->call && window->call->client.exchange == exchange;
	bool is_inside = exchange->end_ns > window->since_ns && exchange->end_ns < window->until_ns;

	if (!connection || exchange->failure != PARSE_OK)
		window->is_other_read = true;
	else if (is_it)
		window->is_read = is_inside && is_read_by(connection, exchange);
	else
		window->is_other_read |= is_inside;
}

static void decide(struct engine *engine, struct loop_window *window)
{
	struct handling *handling = window->answer->handling;

	if (window->call && window->is_read && !window->is_other_read)
		join_loop_confirm(engine, handling, window->call);
	join_loop_let_go_all(engine, handling);
}

static struct loop_window *decided(struct join_thread *thread)
{
	struct loop_window *window = thread->windows;

	while (window && window->open)
		window = window->next;
	return window;
}

void join_part_end(struct engine *engine, const struct connection *connection,
		   struct exchange *exchange)
{
	struct exchange_span *span = &exchange->span;
	struct join_thread *thread =
		span->part_reader ?
			join_thread_find(engine->join, exchange->tgid, span->part_reader) :
			NULL;
	struct loop_window *window;

	if (thread && thread->parts)
		thread->parts--;
	for (window = thread ? thread->windows : NULL; window; window = window->next) {
		if (span->part_no - window->part_no - 1 <= INT32_MAX)
			continue; /* it began after that */
		judge(window, connection, exchange);
		window->open--;
	}
	span->part_reader = 0;
	while (thread && (window = decided(thread)))
		decide(engine, window);
}

void join_part_leave(struct engine *engine, struct join_thread *thread)
{
	while (thread->windows)
		join_loop_let_go_all(engine, thread->windows->answer->handling);
}
