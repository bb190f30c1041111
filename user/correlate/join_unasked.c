/* SPDX-License-Identifier: Apache-2.0 */
/* Calls are seen as they return. A client that loses its CPU between the bytes' way into the socket and the end of its call is seen
 * to ask when the server may have answered: what was served waits for it here, as the span of that call is its parent. */
#include <stdlib.h>

#include "correlate/join_state.h"
#include "correlate/request.h"
#include "correlate/streams.h"

/* Since the answer. Where all CPUs are taken a client may wait for its own about as long as this. */
#define UNASKED_NS 1000000000u

static uint64_t hash_of(const struct unasked_key *key)
{
	return hash_u64(key->client_id ^ (uint64_t)key->number << 32);
}

static bool matches(const struct table_node *node, const void *wanted)
{
	const struct unasked_key *own = &table_entry(node, const struct unasked, node)->key;
	const struct unasked_key *key = wanted;

	return own->client_id == key->client_id && own->number == key->number &&
	       own->is_stream == key->is_stream;
}

int join_unasked_init(struct join *join)
{
	return table_init(&join->unasked, UNASKED_MAX, matches);
}

static struct unasked_key key_of(uint64_t client_id, const struct exchange *exchange)
{
	return (struct unasked_key){ .client_id = client_id,
				     .number = exchange->stream ? exchange->stream :
								  exchange->position,
				     .is_stream = exchange->stream != 0 };
}

/* Out of the table. */
static void tell(struct engine *engine, struct unasked *unasked)
{
	exchange_report(engine, &unasked->connection, unasked->exchange);
	conn_exchange_free(engine, unasked->exchange);
	free(unasked);
}

static void tell_oldest(struct engine *engine)
{
	struct table_node *oldest = engine->join->unasked.oldest;

	table_remove(&engine->join->unasked, oldest);
	tell(engine, table_entry(oldest, struct unasked, node));
}

static bool is_placed(const struct connection *connection, const struct exchange *exchange)
{
	return exchange->has_position && !(connection->ref.flags & CONN_PREEXISTING);
}

/* The other end is here, and has not been seen to write so far. */
static bool is_peer_behind(const struct connection *peer, const struct exchange *exchange)
{
	if (exchange->stream)
		return peer->newest_stream < exchange->stream;
	return !(peer->ref.flags & CONN_PREEXISTING) &&
	       peer->position[DIR_WRITE] - exchange->position - 1 > INT32_MAX;
}

/* conn_id of the client that is still to be seen to ask; 0: none. */
static uint64_t missing_client(const struct connection *connection, const struct exchange *exchange)
{
	const struct exchange_span *span = &exchange->span;

	if (!span->own || span->is_paired || span->join == SPAN_JOIN_HEADER ||
	    exchange->failure != PARSE_OK || exchange->facts.is_preparation ||
	    (!exchange->stream && !is_placed(connection, exchange)))
		return 0;
	if (!connection->peer)
		return connection->client_id;
	return is_peer_behind(connection->peer, exchange) ? connection->peer->ref.conn_id : 0;
}

/* As things are now; the connection itself goes on, or ends. */
static void remember(struct connection *copy, const struct connection *connection)
{
	*copy = *connection;
	copy->peer = NULL;
	copy->oldest = copy->newest = copy->incoming = NULL;
	copy->streaming[SIDE_REQUEST] = copy->streaming[SIDE_RESPONSE] = NULL;
	copy->pool = NULL;
	copy->socket_path = NULL;
	copy->tunnel = NULL;
}

/* Nothing that its thread does from now on is for it. */
static void leave(struct engine *engine, struct exchange *exchange)
{
	if (exchange->stream)
		streams_forget(engine, exchange);
	exchange->stream = 0;
	exchange->connection = NULL;
	join_thread_leave(exchange->span.own);
	join_request_id_leave(engine->join, exchange->span.own);
}

bool join_await(struct engine *engine, struct connection *connection, struct exchange *exchange)
{
	struct join *join = engine->join;
	struct unasked_key key = key_of(missing_client(connection, exchange), exchange);
	struct unasked *unasked;

	if (!key.client_id || table_peek_by(&join->unasked, hash_of(&key), &key, matches))
		return false;
	if (join->unasked.count == UNASKED_MAX) {
		join->figures.unasked_evicted++;
		tell_oldest(engine);
	}
	unasked = malloc(sizeof(*unasked));
	if (!unasked)
		return false;
	unasked->key = key;
	unasked->exchange = exchange;
	remember(&unasked->connection, connection);
	connection->requests++;
	leave(engine, exchange);
	(void)table_insert(&join->unasked, &unasked->node, hash_of(&key)); /* room was made */
	return true;
}

void join_unasked_note(struct join *join, const struct connection *connection,
		       const struct exchange *exchange)
{
	struct unasked_key key = key_of(connection->ref.conn_id, exchange);
	struct table_node *node;
	struct unasked *unasked;

	if (!exchange->stream && !is_placed(connection, exchange))
		return;
	node = table_peek_by(&join->unasked, hash_of(&key), &key, matches);
	if (!node)
		return;
	unasked = table_entry(node, struct unasked, node);
	table_remove(&join->unasked, node);
	unasked->next_due = join->due;
	join->due = unasked;
}

/* What its call says of traces, and what its thread has published, is known only now. */
void join_unasked_tell(struct engine *engine, const struct connection *connection)
{
	struct unasked *unasked = engine->join->due, *next;
	struct exchange *client;

	engine->join->due = NULL;
	for (; unasked; unasked = next) {
		next = unasked->next_due;
		client = connection && connection->ref.conn_id == unasked->key.client_id ?
				 join_peer_asking(engine, connection, unasked->key.is_stream,
						  unasked->key.number) :
				 NULL;
		if (client)
			join_pair(engine, client, unasked->exchange);
		tell(engine, unasked);
	}
}

void join_unasked_tick(struct engine *engine, uint64_t now_ns)
{
	const struct table *table = &engine->join->unasked;

	join_unasked_tell(engine, NULL);
	while (table->oldest &&
	       table_entry(table->oldest, struct unasked, node)->exchange->end_ns + UNASKED_NS <
		       now_ns)
		tell_oldest(engine);
}

void join_unasked_end(struct engine *engine)
{
	join_unasked_tell(engine, NULL);
	while (engine->join->unasked.count)
		tell_oldest(engine);
}
