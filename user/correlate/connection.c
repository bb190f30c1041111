/* SPDX-License-Identifier: Apache-2.0 */
/* The table of connections, its pools, and the ring of connections that time must be told to. */
#include "correlate/connection.h"

#include <stdlib.h>
#include <string.h>

#include "correlate/join.h"
#include "correlate/lookup.h"
#include "correlate/request.h"
#include "correlate/streams.h"
#include "correlate/tunnel.h"

/* Kept for the next one instead of being freed. */
#define SPARE_CONNECTIONS_MAX 1024
/* Thousands of pipelined requests come and go with each turn of an event loop: to give them back each time costs a seventh of what a
 * Redis request takes. */
#define SPARE_EXCHANGES_MAX 16384
/* The order of use is kept this well: to move a connection in it touches three others. */
#define TOUCH_INTERVAL_NS 10000000u

static bool connection_matches(const struct table_node *node, const void *key)
{
	return table_entry(node, struct connection, node)->ref.conn_id == *(const uint64_t *)key;
}

int connections_init(struct engine *engine, size_t limit)
{
	return table_init(&engine->connections, limit, connection_matches);
}

struct connection *connection_find(struct engine *engine, const struct conn_ref *ref,
				   uint64_t ktime_ns)
{
	struct table_node *node = table_peek_by(&engine->connections, hash_u64(ref->conn_id),
						&ref->conn_id, connection_matches);
	struct connection *connection;

	if (!node)
		return NULL;
	connection = table_entry(node, struct connection, node);
	if (ktime_ns - connection->touched_ns >= TOUCH_INTERVAL_NS) { /* also when it is earlier */
		connection->touched_ns = ktime_ns;
		table_touch(&engine->connections, node);
	}
	return connection;
}

void connection_watch(struct engine *engine, struct connection *connection)
{
	struct watch_link *head = &engine->watched, *link = &connection->watch;

	if (connection_is_watched(connection))
		return;
	link->prev = head->prev;
	link->next = head;
	head->prev->next = link;
	head->prev = link;
	engine->watched_count++;
}

void connection_unwatch(struct engine *engine, struct connection *connection)
{
	struct watch_link *link = &connection->watch;

	if (!connection_is_watched(connection))
		return;
	link->prev->next = link->next;
	link->next->prev = link->prev;
	link->next = link->prev = NULL;
	engine->watched_count--;
}

void connection_set_mode(struct engine *engine, struct connection *connection, enum conn_mode mode)
{
	if (connection->mode == mode)
		return;
	connection->mode = (uint8_t)mode;
	if (engine->feedback.set_mode)
		engine->feedback.set_mode(engine->feedback.context, connection->ref.sock,
					  connection->ref.conn_id, mode);
}

void connection_share(struct engine *engine, struct connection *connection)
{
	const struct protocol *protocol = connection->protocol;
	size_t index = 0;

	if (!protocol->shared_new)
		return;
	while (protocol_table[index] != protocol)
		index++;
	if (!engine->shared[index])
		engine->shared[index] = protocol->shared_new();
	memcpy(connection->state, &engine->shared[index], sizeof(engine->shared[index]));
}

static void free_shared(struct engine *engine)
{
	for (size_t i = 0; i < protocol_table_length; i++)
		if (engine->shared[i])
			protocol_table[i]->shared_free(&engine->shared[i]);
}

void connection_clear_state(struct connection *connection)
{
	if (!connection->protocol)
		return;
	if (connection->protocol->release)
		connection->protocol->release(connection->state);
	memset(connection->state, 0, connection->protocol->state_bytes);
}

void connection_succeed(struct engine *engine, struct connection *connection,
			const struct protocol *protocol)
{
	connection_clear_state(connection);
	connection->protocol = protocol;
	connection->wanted_mode = (uint8_t)protocol->mode;
	connection->lone_turns = 0;
	connection_set_mode(engine, connection, protocol->mode);
}

void connection_drop(struct engine *engine, struct connection *connection)
{
	connection_unwatch(engine, connection);
	pool_leave(connection);
	join_drop(engine, connection);
	lookup_end_connection(engine, connection, PARSE_LOST);
	connection_clear_state(connection);
	tunnel_drop(connection);
	table_remove(&engine->connections, &connection->node);
	connection->is_gone = true;
	if (!connection->held_calls)
		connection_put(engine, connection);
}

void connection_put(struct engine *engine, struct connection *connection)
{
	free(connection->socket_path);
	if (engine->spare_connection_count == SPARE_CONNECTIONS_MAX) {
		free(connection);
		return;
	}
	connection->next_spare = engine->spare_connections;
	engine->spare_connections = connection;
	engine->spare_connection_count++;
}

static struct connection *connection_new(struct engine *engine)
{
	struct connection *connection = engine->spare_connections;

	if (!connection)
		return calloc(1, sizeof(*connection));
	engine->spare_connections = connection->next_spare;
	engine->spare_connection_count--;
	memset(connection, 0, sizeof(*connection));
	return connection;
}

static void evict_oldest(struct engine *engine)
{
	struct connection *oldest =
		table_entry(engine->connections.oldest, struct connection, node);

	requests_abandon(engine, oldest, PARSE_LOST);
	connection_drop(engine, oldest);
	engine->connections_evicted++;
}

struct connection *connection_add(struct engine *engine, const struct conn_ref *ref)
{
	struct connection *connection;

	if (engine->connections.count >= engine->connections.limit)
		evict_oldest(engine);
	connection = connection_new(engine);
	if (!connection)
		return NULL;
	connection->ref = *ref;
	connection->role = ref->role;
	(void)table_insert(&engine->connections, &connection->node,
			   hash_u64(ref->conn_id)); /* room was made */
	return connection;
}

struct exchange *conn_exchange_new(struct engine *engine)
{
	struct exchange *exchange = engine->spare_exchanges;
	size_t texts_bytes = engine->feedback.random ? sizeof(struct trace_texts) : 0;

	if (engine->exchange_count >= IN_FLIGHT_MAX)
		return NULL;
	if (exchange) {
		engine->spare_exchanges = exchange->next;
		engine->spare_exchange_count--;
		memset(exchange, 0, offsetof(struct exchange, facts.text));
	} else {
		exchange = calloc(1, sizeof(*exchange) + texts_bytes);
	}
	if (exchange && texts_bytes)
		exchange->facts.trace_texts = (void *)(exchange + 1);
	engine->exchange_count += exchange != NULL;
	return exchange;
}

void conn_exchange_free(struct engine *engine, struct exchange *exchange)
{
	if (exchange->stream)
		streams_forget(engine, exchange);
	if (engine->join)
		join_forget(engine, exchange);
	engine->exchange_count--;
	if (engine->spare_exchange_count == SPARE_EXCHANGES_MAX) {
		free(exchange);
		return;
	}
	exchange->next = engine->spare_exchanges;
	engine->spare_exchanges = exchange;
	engine->spare_exchange_count++;
}

static void free_exchanges(struct engine *engine, struct exchange *exchange)
{
	while (exchange) {
		struct exchange *next = exchange->next;

		join_forget(engine, exchange);
		free(exchange);
		exchange = next;
	}
}

static void free_connection(struct engine *engine, struct connection *connection)
{
	if (connection->incoming && connection->incoming->is_reported) {
		connection->incoming->next = NULL;
		free_exchanges(engine, connection->incoming);
	}
	free_exchanges(engine, connection->oldest);
	connection_clear_state(connection);
	tunnel_drop(connection);
	free(connection->socket_path);
	free(connection);
}

void connections_done(struct engine *engine)
{
	while (engine->connections.oldest) {
		struct table_node *node = engine->connections.oldest;

		table_remove(&engine->connections, node);
		free_connection(engine, table_entry(node, struct connection, node));
	}
	while (engine->spare_connections) {
		struct connection *connection = engine->spare_connections;

		engine->spare_connections = connection->next_spare;
		free(connection);
	}
	free_shared(engine);
	free_exchanges(engine, engine->spare_exchanges);
	engine->spare_exchanges = NULL;
	table_done(&engine->connections);
}
