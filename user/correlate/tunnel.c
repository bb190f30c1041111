/* SPDX-License-Identifier: Apache-2.0 */
/* Tunnels: one allocation each, kept by the connection. Bytes are the socket's own figures less what was moved before the
 * tunnel, so that nothing of them has to be sent to user space. */
#include "correlate/tunnel.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "correlate/request.h"

struct tunnel_state {
	const char *name;	   /* static */
	const char *close_code;	   /* static; NULL: nobody said goodbye */
	uint64_t start_ns;	   /* the answer that opened it was moved */
	uint64_t known[DIR_COUNT]; /* of the socket's bytes: before the tunnel, or told of */
	bool has_bytes;		   /* what was before is known */
};

/* RFC 6455 §7.1.5: the connection ended without a close frame. */
#define CLOSED_ABNORMALLY "1006"

static const char *name_of(const struct exchange_facts *facts)
{
	if (facts->successor)
		return facts->successor->name;
	return facts->outcomes & 1ull << PARSE_CONNECT ? "connect" : "other";
}

static void note_start(struct connection *connection, uint64_t rest)
{
	struct tunnel_state *tunnel = connection->tunnel;
	unsigned dir = connection_dir(connection, SIDE_RESPONSE);

	tunnel->has_bytes = !connection->is_moved_unsure && !connection->is_turn_late &&
			    connection->turn.dir == dir &&
			    !(connection->ref.flags & CONN_PREEXISTING) &&
			    connection->ref.tuple.family != AF_UNIX; /* such sockets do not count */
	memcpy(tunnel->known, connection->moved, sizeof(tunnel->known));
	tunnel->known[dir] += connection->consumed - rest;
}

void tunnel_open(struct engine *engine, struct connection *connection,
		 const struct exchange_facts *facts, uint64_t rest, uint64_t time_ns)
{
	const struct protocol *successor = facts->successor;

	connection->tunnel = calloc(1, sizeof(*connection->tunnel));
	if (connection->tunnel) {
		connection->tunnel->name = name_of(facts);
		connection->tunnel->start_ns = time_ns;
		note_start(connection, rest);
	}
	if (successor && !successor->stream)
		connection_succeed(engine, connection, successor);
	else
		connection_give_up(engine, connection);
}

void tunnel_take_message(struct engine *engine, struct connection *connection,
			 enum message_side side, struct exchange_facts *facts)
{
	const struct process *process = selected_process(engine, connection->tgid);
	const char *reason = facts->attributes[ATTRIBUTE_ERROR_TYPE];
	struct free_message message = {
		.protocol = connection->protocol,
		.process = process,
		.type = facts->message_type,
		.bytes = facts->sides[side].body_bytes,
		.role = connection->role,
		.dir = connection_dir(connection, side),
	};

	if (connection->tunnel && reason && !connection->tunnel->close_code)
		connection->tunnel->close_code = reason;
	if (facts->outcomes & 1ull << PARSE_COMPRESSED)
		requests_count(engine, connection, connection->tgid, PARSE_COMPRESSED);
	memset(facts, 0, offsetof(struct exchange_facts, text));
	if (process && connection->role != ROLE_UNKNOWN)
		engine->sink->message(engine->sink->context, &message);
}

static uint64_t take_bytes(struct tunnel_state *tunnel, unsigned dir, uint64_t now)
{
	uint64_t more =
		tunnel->has_bytes && now > tunnel->known[dir] ? now - tunnel->known[dir] : 0;

	tunnel->known[dir] += more;
	return more;
}

void tunnel_take_stats(struct engine *engine, struct connection *connection,
		       const struct tcp_stats *stats, uint64_t close_ns)
{
	const struct process *process = selected_process(engine, connection->tgid);
	struct tunnel_state *state = connection->tunnel;
	struct tunnel tunnel = {
		.process = process,
		.name = state->name,
		.role = connection->role,
		.is_over = close_ns != 0,
		.duration_ns = close_ns > state->start_ns ? close_ns - state->start_ns : 0,
		.bytes = { [DIR_READ] = take_bytes(state, DIR_READ, stats->bytes_received),
			   [DIR_WRITE] = take_bytes(state, DIR_WRITE, stats->bytes_sent) },
	};

	if (tunnel.is_over && connection->protocol == &protocol_websocket)
		tunnel.close_code = state->close_code ? state->close_code : CLOSED_ABNORMALLY;
	if (process && connection->role != ROLE_UNKNOWN)
		engine->sink->tunnel(engine->sink->context, &tunnel);
	if (tunnel.is_over && !state->has_bytes)
		requests_count(engine, connection, connection->tgid, PARSE_PARTIAL);
}

void tunnel_drop(struct connection *connection)
{
	free(connection->tunnel);
	connection->tunnel = NULL;
}
