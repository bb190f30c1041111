/* SPDX-License-Identifier: Apache-2.0 */
/* Figures of a connection at two times, one taken from the other. */
#include "correlate/tcp_part.h"

#include <sys/socket.h>

#include "base/table.h"

/* From one tick to the next may be no time at all. */
static uint32_t waited_ticks(const struct turn_figures *use)
{
	return use->waited_ticks > 1 ? use->waited_ticks : 0;
}

void tcp_part_note(struct connection *connection, const struct event *event)
{
	const struct event_turn *turn = event->turn;
	const struct turn_figures *use = event->use;
	uint64_t now_ns = turn->turn.last_ns ? turn->turn.last_ns : turn->header.ktime_ns;

	if (connection->ref.tuple.family == AF_UNIX)
		return;
	if (event->before && turn->prev.calls)
		connection->tcp[turn->prev.dir] =
			(struct tcp_mark){ turn->prev.last_ns, 0, event->before->tcp };
	if (use)
		connection->tcp[turn->turn.dir] = (struct tcp_mark){
			now_ns, (uint64_t)waited_ticks(use) * use->tick_us * 1000, use->now.tcp
		};
}

void tcp_part_note_newest(struct connection *connection, const struct turn_summary *turn,
			  const struct call_use *newest)
{
	if (connection->ref.tuple.family != AF_UNIX)
		connection->tcp[turn->dir] = (struct tcp_mark){ turn->last_ns, 0, newest->tcp };
}

/* What waited for less is not told: a scheduler takes as long to wake who accepts. */
#define ACCEPT_FLOOR_NS 1000000u
/* Older ones, whose request has not come, nobody waits for any more. */
#define ACCEPTED_NS 100000000u

static struct tcp_accepted *accepted_slot(struct engine *engine, uint64_t conn_id)
{
	return &engine->accepted[hash_u64(conn_id) % ACCEPTED_SLOTS];
}

void tcp_part_accepted(struct engine *engine, const struct event_tcp_accept *event)
{
	struct tcp_accepted *slot = accepted_slot(engine, event->conn.conn_id);
	uint64_t now_ns = event->header.ktime_ns;

	if (!event->established_ns || event->established_ns + ACCEPT_FLOOR_NS > now_ns)
		return;
	engine->accepted_evicted += slot->conn_id && slot->accepted_ns + ACCEPTED_NS > now_ns;
	*slot = (struct tcp_accepted){ event->conn.conn_id, event->established_ns, now_ns };
}

static void take_accepted(struct engine *engine, const struct connection *connection,
			  struct exchange *exchange)
{
	struct tcp_accepted *slot = accepted_slot(engine, connection->ref.conn_id);

	if (slot->conn_id != connection->ref.conn_id)
		return;
	exchange->begun.accepted = *slot;
	slot->conn_id = 0;
}

void tcp_part_begin(struct engine *engine, const struct connection *connection,
		    struct exchange *exchange)
{
	const struct tcp_mark *mark =
		&connection->tcp[connection->role == ROLE_SERVER ? DIR_READ : DIR_WRITE];

	if (mark->time_ns == exchange->start_ns)
		exchange->begun.tcp = *mark;
	if (!connection->requests && connection->role == ROLE_SERVER)
		take_accepted(engine, connection, exchange);
}

void tcp_part_pair(const struct exchange *client, struct exchange *server)
{
	uint64_t most_ns =
		server->start_ns > client->start_ns ? server->start_ns - client->start_ns : 0;
	uint64_t *waited_ns = server->has_figures ? &server->usage.part_ns[TIME_RECEIVE_QUEUE] :
						    &server->begun.tcp.waited_ns;

	if (*waited_ns > most_ns)
		*waited_ns = most_ns;
}

static uint64_t ns_between(uint32_t from_us, uint32_t to_us)
{
	return (uint64_t)(to_us - from_us) * 1000; /* modulo 2^32, both */
}

/* Since its bytes had come it waited: for accept first, then to be read. */
static void tell_queues(const struct exchange_begun *begun, struct exchange *exchange)
{
	const struct tcp_accepted *accepted = &begun->accepted;
	uint64_t *part_ns = exchange->usage.part_ns;
	uint64_t waited_ns = begun->tcp.waited_ns;
	uint64_t came_ns = exchange->start_ns - waited_ns;

	if (accepted->conn_id && came_ns < accepted->accepted_ns) {
		if (came_ns < accepted->established_ns)
			came_ns = accepted->established_ns;
		part_ns[TIME_ACCEPT_QUEUE] = accepted->accepted_ns - came_ns;
		waited_ns = exchange->start_ns - accepted->accepted_ns;
	}
	part_ns[TIME_RECEIVE_QUEUE] = waited_ns;
}

/* While bytes are held back, a thread that is blocked is so in the call that sends them; one that rests in between is seen as if. */
static void tell_send(struct exchange *exchange)
{
	uint64_t *part_ns = exchange->usage.part_ns;
	uint64_t held_ns =
		exchange->tcp_usage.rwnd_limited_ns + exchange->tcp_usage.sndbuf_limited_ns;

	part_ns[TIME_SEND] = held_ns < part_ns[TIME_BLOCKED] ? held_ns : part_ns[TIME_BLOCKED];
	part_ns[TIME_BLOCKED] -= part_ns[TIME_SEND];
}

void tcp_part_end(const struct connection *connection, const struct exchange_begun *begun,
		  struct exchange *exchange)
{
	const bool is_server = connection->role == ROLE_SERVER;
	const struct tcp_mark *from = &begun->tcp;
	const struct tcp_mark *to = &connection->tcp[is_server ? DIR_WRITE : DIR_READ];

	if (is_server && from->time_ns)
		tell_queues(begun, exchange);
	exchange->has_tcp_usage = from->time_ns && to->time_ns == exchange->end_ns;
	if (!exchange->has_tcp_usage)
		return;
	exchange->tcp_usage = (struct request_tcp){
		.rtt_ns = to->use.srtt_us * 1000ull,
		.rwnd_limited_ns = ns_between(from->use.rwnd_limited_us, to->use.rwnd_limited_us),
		.sndbuf_limited_ns =
			ns_between(from->use.sndbuf_limited_us, to->use.sndbuf_limited_us),
		.retransmits = to->use.retransmits - from->use.retransmits,
	};
	tell_send(exchange);
}
