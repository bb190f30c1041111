/* SPDX-License-Identifier: Apache-2.0 */
/* The engine's outside: life cycle, one row an event kind, time, figures. Turns are turn.c's, requests request.c's. */
#include "correlate/engine.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "correlate/connection.h"
#include "correlate/join.h"
#include "correlate/lookup.h"
#include "correlate/request.h"
#include "correlate/shown_text.h"
#include "correlate/tcp_part.h"
#include "correlate/tunnel.h"
#include "correlate/turn.h"

/* A tick looks at no more connections than these, and asks the kernel after no more. */
#define VISITS_A_TICK 1024
#define QUESTIONS_A_TICK 256

static size_t at_least_one(size_t limit)
{
	return limit ? limit : 1;
}

struct engine *engine_new(const struct engine_limits *limits, struct process_table *processes,
			  const struct observation_sink *sink,
			  const struct engine_feedback *feedback)
{
	struct engine *engine = calloc(1, sizeof(*engine));

	if (!engine)
		return NULL;
	engine->processes = processes;
	engine->sink = sink;
	if (feedback)
		engine->feedback = *feedback;
	if (engine->feedback.random)
		engine->join = join_new(at_least_one(limits->connections));
	engine->watched = (struct watch_link){ &engine->watched, &engine->watched };
	engine->routes = route_table_new(at_least_one(limits->services),
					 at_least_one(limits->routes_per_service));
	engine->collections = route_table_new(at_least_one(limits->services),
					      at_least_one(limits->routes_per_service));
	engine->socket_paths = route_table_new(at_least_one(limits->services),
					       at_least_one(limits->routes_per_service));
	engine->names = route_table_new(at_least_one(limits->services),
					at_least_one(limits->routes_per_service));
	engine->lookups = lookup_table_new();
	if (!engine->routes || !engine->collections || !engine->socket_paths || !engine->names ||
	    !engine->lookups || (engine->feedback.random && !engine->join) ||
	    pools_init(&engine->pools) < 0 ||
	    connections_init(engine, at_least_one(limits->connections)) < 0)
		engine_free(&engine);
	return engine;
}

void engine_free(struct engine **slot)
{
	struct engine *engine = *slot;

	*slot = NULL;
	if (!engine)
		return;
	join_end_calls(engine);
	connections_done(engine);
	join_end(engine);
	join_free(&engine->join);
	pools_done(&engine->pools);
	route_table_free(&engine->routes);
	route_table_free(&engine->collections);
	route_table_free(&engine->socket_paths);
	route_table_free(&engine->names);
	lookup_table_free(&engine->lookups);
	free(engine);
}

void engine_set_dialects(struct engine *engine, const struct dialect_rule *rules, size_t count)
{
	engine->dialects = rules;
	engine->dialect_count = count;
}

static int take_process(struct engine *engine, const struct event *event)
{
	return process_table_feed(engine->processes, event);
}

static int take_tcp_connect(struct engine *engine, const struct event *event)
{
	const struct process *process = selected_process(engine, event->header->tgid);

	if (!process)
		return 0;
	join_connected(engine, event->tcp_connect);
	join_connect_failed(engine, event);
	engine->sink->tcp_connect(engine->sink->context, event->tcp_connect, process);
	return 0;
}

static int take_tcp_accept(struct engine *engine, const struct event *event)
{
	const struct process *process = selected_process(engine, event->header->tgid);

	if (!process)
		return 0;
	join_accepted(engine, event->tcp_accept);
	tcp_part_accepted(engine, event->tcp_accept);
	engine->sink->tcp_accept(engine->sink->context, event->tcp_accept, process);
	return 0;
}

/* What the kernel does not know of a connection we may: its side, and whose it is. */
static void send_stats(struct engine *engine, const struct event_header *header,
		       const struct conn_ref *conn, const struct tcp_stats *stats)
{
	struct connection *connection = connection_find(engine, conn, header->ktime_ns);
	bool is_close = header->kind == EVENT_TCP_CLOSE;
	uint32_t tgid = header->tgid ? header->tgid : connection ? connection->tgid : 0;
	const struct process *process = selected_process(engine, tgid);
	struct conn_ref resolved = *conn;

	if (connection && resolved.role == ROLE_UNKNOWN)
		resolved.role = connection->role;
	if (connection && connection->tunnel)
		tunnel_take_stats(engine, connection, stats, is_close ? header->ktime_ns : 0);
	if (process)
		engine->sink->tcp_stats(engine->sink->context, &resolved, stats, process);
}

static int take_tcp_close(struct engine *engine, const struct event *event)
{
	const struct event_tcp_close *close = event->tcp_close;

	send_stats(engine, &close->header, &close->conn, &close->stats);
	return turn_take_close(engine, event, &close->conn, &close->turn);
}

/* An abstract name as other tools show it: with an @ for its NUL. */
static char *socket_path_new(const uint8_t *bytes, size_t length)
{
	char path[UNIX_PATH_MAX + 1];

	if (length &&
	    bytes[0]) /* the kernel counts the NUL behind a path, and what callers passed behind it */
		length = strnlen((const char *)bytes, length);
	shown_text_copy(path, sizeof(path), (const char *)bytes, length);
	if (length && !bytes[0])
		path[0] = '@';
	return strdup(path);
}

static int take_unix_open(struct engine *engine, const struct event *event)
{
	const struct event_unix_open *open = event->unix_open;
	struct connection *connection = connection_find(engine, &open->conn, open->header.ktime_ns);

	if (connection)
		return 0;
	connection = connection_add(engine, &open->conn);
	if (!connection)
		return -ENOMEM;
	connection->tgid = open->header.tgid;
	connection->last_ns = open->header.ktime_ns;
	connection->orphan_outcome =
		open->conn.flags & CONN_PREEXISTING ? PARSE_PARTIAL : PARSE_UNMATCHED_RESPONSE;
	connection->socket_path = socket_path_new(event->payload, event->payload_bytes);
	return connection->socket_path ? 0 : -ENOMEM;
}

static int take_unix_close(struct engine *engine, const struct event *event)
{
	const struct event_unix_close *close = event->unix_close;

	return turn_take_close(engine, event, &close->conn, &close->turn);
}

static int take_tcp_sample(struct engine *engine, const struct event *event)
{
	const struct event_tcp_sample *sample = event->tcp_sample;

	send_stats(engine, &sample->header, &sample->conn, &sample->stats);
	return 0;
}

static int take_syscall_error(struct engine *engine, const struct event *event)
{
	const struct process *process = selected_process(engine, event->header->tgid);

	if (process)
		engine->sink->syscall_error(engine->sink->context, event->syscall_error, process);
	return 0;
}

static int take_thread_context(struct engine *engine, const struct event *event)
{
	join_take_context(engine, event->thread_context);
	return 0;
}

static int take_goroutine(struct engine *engine, const struct event *event)
{
	join_take_goroutine(engine, event->goroutine);
	return 0;
}

static int take_thread(struct engine *engine, const struct event *event)
{
	join_take_thread(engine, event->thread);
	return 0;
}

int engine_feed(struct engine *engine, const struct event *event)
{
	static int (*const take[EVENT_KIND_COUNT])(struct engine * engine,
						   const struct event *event) = {
		[EVENT_PROCESS_EXEC] = take_process,
		[EVENT_PROCESS_FORK] = take_process,
		[EVENT_PROCESS_EXIT] = take_process,
		[EVENT_TCP_CONNECT] = take_tcp_connect,
		[EVENT_TCP_ACCEPT] = take_tcp_accept,
		[EVENT_TCP_CLOSE] = take_tcp_close,
		[EVENT_TCP_SAMPLE] = take_tcp_sample,
		[EVENT_TURN] = turn_take,
		[EVENT_TURN_PROGRESS] = turn_take_progress,
		[EVENT_SYSCALL_ERROR] = take_syscall_error,
		[EVENT_UNIX_OPEN] = take_unix_open,
		[EVENT_UNIX_CLOSE] = take_unix_close,
		[EVENT_DATAGRAM] = lookup_take_datagram,
		[EVENT_THREAD_CONTEXT] = take_thread_context,
		[EVENT_THREAD] = take_thread,
		[EVENT_GOROUTINE] = take_goroutine,
	};

	return take[event->header->kind](engine, event);
}

void engine_tick(struct engine *engine, uint64_t now_ns)
{
	size_t visits =
		engine->watched_count < VISITS_A_TICK ? engine->watched_count : VISITS_A_TICK;
	size_t questions = 0;

	lookup_tick(engine, now_ns);
	join_tick(engine, now_ns);
	while (visits--) {
		struct watch_link *link = engine->watched.next;
		struct connection *connection = table_entry(link, struct connection, watch);

		if (link == &engine->watched)
			return;
		connection_unwatch(engine, connection); /* and to the end of the ring */
		connection_watch(engine, connection);
		questions += turn_visit(engine, connection, now_ns, questions < QUESTIONS_A_TICK);
	}
}

void engine_stats_read(const struct engine *engine, struct engine_stats *ret_stats)
{
	*ret_stats = (struct engine_stats){
		.connections = engine->connections.count,
		.connections_evicted = engine->connections_evicted,
		.requests = engine->exchange_count,
		.requests_max = IN_FLIGHT_MAX,
		.routes_refused = route_table_refused(engine->routes),
		.collections_refused = route_table_refused(engine->collections),
		.pools = engine->pools.table.count,
		.pools_limit = engine->pools.table.limit,
		.pools_refused = engine->pools.refused,
		.socket_paths_refused = route_table_refused(engine->socket_paths),
		.turns_missed = engine->turns_missed,
		.accepted_evicted = engine->accepted_evicted,
		.lookups = lookup_count(engine->lookups),
		.lookups_max = LOOKUPS_MAX,
		.lookups_evicted = lookup_evicted(engine->lookups),
		.names_refused = route_table_refused(engine->names),
	};
	join_figures_read(engine->join, &ret_stats->join);
}

static const char *protocol_label(const struct connection *connection)
{
	if (connection->protocol)
		return connection->protocol->name;
	return connection->sync == SYNC_DONE ? "none" : "unknown";
}

void engine_each_connection(struct engine *engine,
			    int (*visit)(void *context, const struct engine_conn_view *),
			    void *context)
{
	for (struct table_node *node = engine->connections.newest; node; node = node->older) {
		struct connection *connection = table_entry(node, struct connection, node);
		struct conn_ref ref = connection->ref;
		struct engine_conn_view view = {
			.conn = &ref,
			.process = process_lookup(engine->processes, connection->tgid),
			.socket_path = connection->socket_path ? connection->socket_path : "",
			.protocol = protocol_label(connection),
			.last_ns = connection->last_ns,
			.requests = connection->requests,
		};

		ref.role = connection->role;
		ref.turn_no = connection->turn_no;
		if (visit(context, &view))
			return;
	}
}
