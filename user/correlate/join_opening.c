/* SPDX-License-Identifier: Apache-2.0 */
/* How a connection was opened belongs to its first request: who sends or serves it had to wait for that. Only where the request
 * follows at once: what was opened ahead of time nobody waited for. */
#include "base/table.h"
#include "correlate/join_state.h"

/* From established, or accepted, to the request's first byte: what clients of databases say first is in it. */
#define OPENING_GAP_NS 100000000u

/* What is shorter is not worth a span: a connect within a data centre; what a scheduler may take to wake who accepts. */
#define CONNECT_FLOOR_NS 1000000u
#define ACCEPT_FLOOR_NS 10000000u

static struct opened *slot_of(struct join *join, uint64_t name)
{
	return &join->opened[name % OPENED_SLOTS];
}

static bool is_in_time(const struct span_opening *opening, uint64_t now_ns)
{
	return opening->end_ns <= now_ns && now_ns - opening->end_ns <= OPENING_GAP_NS;
}

static bool is_long(const struct span_opening *opening, enum conn_role role)
{
	uint64_t floor_ns = role == ROLE_SERVER ? ACCEPT_FLOOR_NS : CONNECT_FLOOR_NS;

	return opening->end_ns >= opening->start_ns + floor_ns;
}

static void put(struct join *join, const struct opened *opened, uint64_t now_ns)
{
	struct opened *slot = slot_of(join, opened->name);
	bool is_unsure =
		slot->conn_id && slot->name == opened->name && slot->conn_id != opened->conn_id;

	if (!slot->conn_id)
		join->figures.openings++;
	else if (is_in_time(&slot->opening, now_ns))
		join->figures.openings_evicted++;
	*slot = *opened;
	slot->is_unsure = is_unsure;
}

uint64_t join_opening_find(const struct join *join, uint64_t name)
{
	const struct opened *slot = &join->opened[name % OPENED_SLOTS];

	return slot->name == name && !slot->is_unsure ? slot->conn_id : 0;
}

void join_connected(struct engine *engine, const struct event_tcp_connect *event)
{
	struct opened opened = { .conn_id = event->conn.conn_id,
				 .name = join_peer_name(&event->conn.tuple),
				 .opening = { event->start_ns, event->header.ktime_ns },
				 .tgid = event->header.tgid };

	if (engine->join && event->outcome == CONNECT_ESTABLISHED && event->start_ns)
		put(engine->join, &opened, event->header.ktime_ns);
}

void join_accepted(struct engine *engine, const struct event_tcp_accept *event)
{
	struct opened opened = { .conn_id = event->conn.conn_id,
				 .name = join_peer_name(&event->conn.tuple),
				 .opening = { event->established_ns, event->header.ktime_ns },
				 .tgid = event->header.tgid };

	if (engine->join && event->established_ns)
		put(engine->join, &opened, event->header.ktime_ns);
}

/* A server may hand the connection to a process of its own. */
static bool is_by(const struct opened *opened, const struct connection *connection)
{
	return opened->tgid == connection->tgid || connection->role == ROLE_SERVER;
}

void join_opening_take(struct engine *engine, struct connection *connection,
		       struct exchange *exchange)
{
	struct opened *slot = slot_of(engine->join, join_peer_name(&connection->ref.tuple));

	connection->has_opening = false;
	if (slot->conn_id != connection->ref.conn_id)
		return;
	if (is_by(slot, connection) && is_in_time(&slot->opening, exchange->start_ns)) {
		exchange->span.opening = slot->opening;
		if (connection->role == ROLE_CLIENT)
			join_lookups_claim(engine, connection, &exchange->span);
	}
	slot->conn_id = 0;
	engine->join->figures.openings--;
}

void join_pass_opening(struct engine *engine, struct connection *connection,
		       const struct exchange *exchange)
{
	struct opened opened = { .conn_id = connection->ref.conn_id,
				 .name = join_peer_name(&connection->ref.tuple),
				 .opening = exchange->span.opening,
				 .tgid = connection->tgid };

	if (!opened.opening.end_ns)
		return;
	put(engine->join, &opened, exchange->start_ns);
	connection->has_opening = true;
	if (exchange->span.lookups)
		join_lookups_return(engine, exchange->span.lookups);
}

/* Since when the request was waited for; 0: no longer than it took. */
static uint64_t begin_of(const struct exchange_span *span, bool *ret_is_long)
{
	uint64_t start_ns = span->opening.start_ns;

	*ret_is_long = span->opening.end_ns &&
		       is_long(&span->opening, span->own ? ROLE_SERVER : ROLE_CLIENT);
	if (!*ret_is_long && !span->lookups)
		return 0;
	for (size_t i = 0; span->lookups && i < span->lookups->count; i++)
		if (span->lookups->items[i].told.start_ns < start_ns)
			start_ns = span->lookups->items[i].told.start_ns;
	return span->cause && start_ns < span->cause->start_ns ? 0 : start_ns;
}

void join_opening_pair(const struct exchange *client, struct exchange *server)
{
	struct span_opening *opening = &server->span.opening;
	bool is_any;
	uint64_t asked_ns = begin_of(&client->span, &is_any);

	if (!asked_ns)
		asked_ns = client->span.read_ns ? client->span.read_ns : client->start_ns;
	if (opening->start_ns < asked_ns)
		opening->start_ns = asked_ns;
	if (opening->start_ns > opening->end_ns)
		*opening = (struct span_opening){ 0 };
}

void join_opening_tell(const struct exchange_span *span, struct joined *joined)
{
	bool is_told;

	joined->begin_ns = begin_of(span, &is_told);
	if (!joined->begin_ns) {
		joined->begin_ns = span->own ? 0 : span->read_ns;
		return;
	}
	for (size_t i = 0; span->lookups && i < span->lookups->count; i++)
		joined->lookups[joined->lookup_count++] = span->lookups->items[i].told;
	if (is_told)
		joined->opening = span->opening;
}
