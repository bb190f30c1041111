/* SPDX-License-Identifier: Apache-2.0 */
/* Both ends of a connection on this machine: what one asks is what the other is asked. */
#include <string.h>
#include <sys/socket.h>

#include "base/address.h"
#include "correlate/join_state.h"
#include "correlate/streams.h"

/* The same whichever way a socket looks at it: one of IPv6 may have a peer of IPv4. */
static struct conn_tuple plain(const struct conn_tuple *tuple)
{
	struct conn_tuple plain = *tuple;

	if (tuple->family != AF_INET6 || !address_is_mapped(tuple->local_addr) ||
	    !address_is_mapped(tuple->remote_addr))
		return plain;
	memset(plain.local_addr, 0, sizeof(plain.local_addr));
	memset(plain.remote_addr, 0, sizeof(plain.remote_addr));
	memcpy(plain.local_addr, tuple->local_addr + 12, 4);
	memcpy(plain.remote_addr, tuple->remote_addr + 12, 4);
	plain.family = AF_INET;
	return plain;
}

/* As the other end sees it. */
static struct conn_tuple reversed(const struct conn_tuple *tuple)
{
	struct conn_tuple reversed = { .local_port = tuple->remote_port,
				       .remote_port = tuple->local_port,
				       .family = tuple->family };

	memcpy(reversed.local_addr, tuple->remote_addr, sizeof(reversed.local_addr));
	memcpy(reversed.remote_addr, tuple->local_addr, sizeof(reversed.remote_addr));
	return reversed;
}

static bool tuple_matches(const struct table_node *node, const void *key)
{
	struct conn_tuple tuple =
		plain(&table_entry(node, struct connection, peer_node)->ref.tuple);

	return memcmp(&tuple, key, sizeof(tuple)) == 0;
}

int join_peers_init(struct join *join, size_t connections)
{
	return table_init(&join->peers, connections, tuple_matches);
}

void join_peers_done(struct join *join)
{
	table_done(&join->peers);
}

uint64_t join_peer_name(const struct conn_tuple *tuple)
{
	struct conn_tuple same = plain(tuple);

	return hash_bytes(&same, sizeof(same));
}

static struct connection *find(struct join *join, const struct conn_tuple *tuple)
{
	struct table_node *node =
		table_find(&join->peers, hash_bytes(tuple, sizeof(*tuple)), tuple);

	return node ? table_entry(node, struct connection, peer_node) : NULL;
}

/* Two sockets with the same addresses: one is closed and we were not told, or each is in a network of its own. */
static void make_unsure(struct connection *connection)
{
	connection->is_peer_unsure = true;
	if (connection->peer) {
		connection->peer->peer = NULL;
		connection->peer->is_peer_unsure = true;
	}
	connection->peer = NULL;
}

/* Once a connection, when the first request on it begins. */
static void enter(struct join *join, struct connection *connection)
{
	struct conn_tuple tuple = plain(&connection->ref.tuple), back = reversed(&tuple);
	struct connection *other;

	connection->is_peer_known = true;
	if (tuple.family != AF_INET && tuple.family != AF_INET6)
		return;
	other = find(join, &tuple);
	if (other && !other->closed_ns) {
		make_unsure(other);
		return;
	}
	if (other)
		join_peer_leave(join, other);
	if (table_insert(&join->peers, &connection->peer_node, hash_bytes(&tuple, sizeof(tuple))))
		return; /* there are no more connections than it holds */
	connection->is_in_peers = true;
	other = find(join, &back);
	if (!other && connection->role == ROLE_SERVER)
		connection->client_id = join_opening_find(join, join_peer_name(&back));
	if (!other || other == connection || other->peer || other->is_peer_unsure ||
	    other->role == connection->role)
		return;
	connection->peer = other;
	other->peer = connection;
	other->client_id = 0;
}

void join_peer_leave(struct join *join, struct connection *connection)
{
	if (connection->is_in_peers)
		table_remove(&join->peers, &connection->peer_node);
	connection->is_in_peers = false;
	if (connection->peer)
		connection->peer->peer = NULL;
	connection->peer = NULL;
}

/* The one exchange of a connection that has begun and is not known to be another's, or NULL. */
static struct exchange *lone_exchange(struct engine *engine, const struct connection *connection,
				      uint32_t stream)
{
	struct exchange *exchange =
		stream ? streams_find(engine, connection, stream) : connection->newest;

	if (!exchange || exchange->span.is_paired || !exchange->has_request ||
	    exchange->has_response)
		return NULL;
	if (stream || connection->exchange_count == 1 ||
	    (connection->exchange_count == 2 && connection->oldest->span.is_paired))
		return exchange;
	return NULL;
}

/* Whether it is known where among all bytes of its connection it begins. */
static bool is_placed(const struct connection *connection, const struct exchange *exchange)
{
	return exchange->has_position && !(connection->ref.flags & CONN_PREEXISTING);
}

static struct exchange *exchange_at(const struct connection *connection, uint32_t position)
{
	struct exchange *exchange = connection->oldest;

	while (exchange && !(is_placed(connection, exchange) && exchange->position == position))
		exchange = exchange->next;
	return exchange && !exchange->span.is_paired ? exchange : NULL;
}

/* What begins with the same byte is the same request, however many are under way. Of streams, and of connections whose first bytes
 * nobody has seen, it must be the only one. */
static struct exchange *counterpart(struct engine *engine, const struct connection *connection,
				    const struct exchange *exchange)
{
	const struct connection *peer = connection->peer;
	bool is_sure = is_placed(connection, exchange);
	struct exchange *other = is_sure ? exchange_at(peer, exchange->position) : NULL;

	if (other)
		return other;
	if (lone_exchange(engine, connection, exchange->stream) != exchange)
		return NULL;
	other = lone_exchange(engine, peer, exchange->stream);
	return other && is_sure && is_placed(peer, other) ? NULL : other;
}

/* What it is the answer to, as long as the other end is not seen to be done with that. */
static struct exchange *answering(struct engine *engine, const struct connection *connection,
				  const struct exchange *exchange)
{
	struct connection *peer = connection->peer;
	struct exchange *other = peer->oldest;

	if (exchange->stream)
		return streams_find(engine, peer, exchange->stream);
	if (!is_placed(connection, exchange))
		return NULL;
	while (other && is_placed(peer, other) &&
	       other->position - exchange->position > INT32_MAX) /* it came before */
		other = other->next;
	return other && is_placed(peer, other) && other->position == exchange->position ? other :
											  NULL;
}

void join_answered(struct engine *engine, const struct connection *connection,
		   const struct exchange *exchange)
{
	struct exchange *other;

	if (connection->role != ROLE_CLIENT || !connection->peer || !exchange->span.is_paired ||
	    exchange->failure != PARSE_OK)
		return;
	other = answering(engine, connection, exchange);
	if (other && other->span.is_paired && other->span.own)
		other->span.got_ns = exchange->end_ns;
}

struct exchange *join_peer_asking(struct engine *engine, const struct connection *connection,
				  bool is_stream, uint32_t number)
{
	struct exchange *exchange = is_stream ? streams_find(engine, connection, number) :
						exchange_at(connection, number);

	return exchange && exchange->has_request && !exchange->span.is_paired ? exchange : NULL;
}

struct exchange *join_peer_exchange(struct engine *engine, struct connection *connection,
				    struct exchange *exchange)
{
	if (!connection->is_peer_known)
		enter(engine->join, connection);
	if (!connection->peer || connection->peer->protocol != connection->protocol)
		return NULL;
	return counterpart(engine, connection, exchange);
}
