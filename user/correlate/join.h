/* SPDX-License-Identifier: Apache-2.0 */
/* Whose trace a request belongs to. For the files of this room.
 *
 * A server's request that is being answered is a `handling`: known by the thread that read it, referred to by the calls that are
 * made meanwhile. Spans of one trace share a `trace`, so that all of them are told when an application names it later. */
#ifndef SONDE_CORRELATE_JOIN_H
#define SONDE_CORRELATE_JOIN_H

#include "correlate/connection.h"
#include "correlate/span.h"
#include "protocol/dns_message.h"
#include "protocol/trace_probability.h"

/* Threads that read requests, and processes that they are of; beyond, requests have no calls (counted). */
#define JOIN_THREADS_MAX 16384
#define JOIN_PROCESSES_MAX 4096
/* Requests to answer that have an X-Request-ID; beyond, it joins nothing (counted). */
#define JOIN_REQUEST_IDS_MAX 16384
/* Calls that are over and wait for the answer that their thread gives next; beyond, the oldest joins nothing (counted). The same of
 * a thread's calls for one answer. */
#define JOIN_HANDED_MAX 4096
#define HANDED_CALLS_OF_THREAD 64
/* Calls of event loops of which an end is over, and of which it is not known whose they are; beyond, the oldest joins nothing (counted). */
#define JOIN_LOOP_CALLS_MAX 4096
/* Routes of processes that hand work over; beyond, the least recently used one is forgotten (counted), and must be learnt anew. */
#define JOIN_HABITS_MAX 4096
/* Chains of a process' calls that were seen from end to end, before calls that follow a request are in its trace at once. */
#define JOIN_LOOP_SHOWN 32
/* Requests that a process had alone, and all whose calls fell between the request and its answer, before those of the next one are its. */
#define JOIN_LONE_SHOWN 32
/* Threads of a process that were started for a request and ended in time, before calls of further ones are in its trace at once. */
#define JOIN_STARTED_SHOWN 32

/* Returns the state of all that is here, or NULL. */
struct join *join_new(size_t connections);
void join_free(struct join **join);

/* join NULL: all zeros but for the limits */
void join_figures_read(const struct join *join, struct join_figures *ret_figures);

/* All of these do nothing where nobody wants spans: engine->join is NULL, which whoever calls them for each event asks first. */

/* The request's first byte was seen, of a connection whose role and protocol are known. */
void join_begin(struct engine *engine, struct connection *connection, struct exchange *exchange);
/* What the request is, is known, or what its messages say of traces. */
void join_head(struct engine *engine, struct exchange *exchange);
/* The answer's first byte was seen. */
void join_answer(struct engine *engine, struct connection *connection, struct exchange *exchange);
/* An exchange that the protocol paired by itself is over, by a call of the connection's thread, and is reported next. */
void join_paired(struct engine *engine, const struct connection *connection,
		 struct exchange *exchange);
/* A thread has read from the connection; to be told before what the bytes say. */
void join_read(struct engine *engine, struct connection *connection);
/* A finished exchange: when a client has read all of an answer, the server is done with it, whatever its own call still does. */
void join_answered(struct engine *engine, const struct connection *connection,
		   const struct exchange *exchange);
/* A finished exchange, which its connection is to forget then: what its thread, or its caller's, does next will tell whose call it was.
 * Returns true when it stays here until then, for 0.4 s at most: then it is reported and freed. */
bool join_hold(struct engine *engine, struct connection *connection, struct exchange *exchange);
/* A finished exchange, which its connection is to forget then: the span that is its parent may be another connection's that is not
 * seen yet. Returns true when it stays here until then, for a second at most: then it is reported and freed. */
bool join_await(struct engine *engine, struct connection *connection, struct exchange *exchange);
/* Every lookup and failed connect that waits is told. */
void join_end(struct engine *engine);
/* The same of calls of threads that were handed their work, and of what waits for its client: before their connections go. */
void join_end_calls(struct engine *engine);
/* Once a tick. */
void join_tick(struct engine *engine, uint64_t now_ns);
/* A thread has published a context, and writes. */
void join_take_context(struct engine *engine, const struct event_thread_context *event);
/* A goroutine of a Go program reads or writes. */
void join_take_goroutine(struct engine *engine, const struct event_goroutine *event);
/* Who reads or writes: the thread, or the goroutine that was told, whose number no thread has. */
uint32_t join_runner(struct engine *engine, const struct event_turn *event);
/* A thread began, or has ended. */
void join_take_thread(struct engine *engine, const struct event_thread *event);
/* The write of a thread that published one: before, and after its bytes are taken in. */
void join_write(struct engine *engine, const struct event_turn *event);
void join_written(struct engine *engine, const struct connection *connection);
/* A connection was established, or accepted. */
void join_connected(struct engine *engine, const struct event_tcp_connect *event);
void join_accepted(struct engine *engine, const struct event_tcp_accept *event);
/* The connection was not established: a span of its own, as soon as the request is over that the thread answers. */
void join_connect_failed(struct engine *engine, const struct event *event);
/* A lookup is over. When a connect may follow, its span is told with the request of that connection, or later by itself:
 * the request that is told now has none. Returns false: no connect follows, its span is told now. */
bool join_keep_lookup(struct engine *engine, const struct request *lookup, uint64_t socket,
		      const struct dns_addresses *addresses);
/* The exchange is not told: how its connection was opened is for the next one to tell. */
void join_pass_opening(struct engine *engine, struct connection *connection,
		       const struct exchange *exchange);
/* The connection is forgotten; its exchanges are over. */
void join_drop(struct engine *engine, struct connection *connection);
/* The lookups of a finished request are told with it. */
void join_lookups_told(const struct exchange *exchange);
/* It is over. */
void join_forget(struct engine *engine, struct exchange *exchange);

/* What is told of a finished request. */
struct joined {
	struct span_identity span;
	struct span_link links[SPAN_LINKS_MAX];
	size_t link_count;
	struct span_opening opening; /* end_ns 0: none */
	struct span_lookup lookups[SPAN_LOOKUPS_MAX];
	size_t lookup_count;
	uint64_t begin_ns;	/* with these, or as the other end read it; 0: as the request */
	uint32_t links_dropped; /* beyond these */
	const char *tracestate;
	const char *request_id;
	struct trace_probability upstream;
	bool has_upstream;
};

/* Give a finished request its identity; exchange NULL: it has none to go by. Returns false when nobody wants spans, or not
 * this one (counted). */
bool join_finish(struct engine *engine, const struct process *process,
		 const struct exchange *exchange, struct joined *ret_joined);

#endif
