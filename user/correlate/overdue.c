/* SPDX-License-Identifier: Apache-2.0 */
/* See overdue.h. One turn is waited for at a time, until the next one in its direction begins. */
#include "correlate/overdue.h"

#include "correlate/run.h"

static bool may_wait(const struct connection *connection)
{
	return connection->sync == SYNC_PARSED && connection->protocol->stream &&
	       connection->turn_use == TURN_IS_PARSED && !connection->overdue.turn_no;
}

/* Calls that only go on with a payload that nobody wants have no event. */
bool overdue_rest(struct connection *connection, const struct turn_summary *end)
{
	enum message_side side;

	if (!may_wait(connection))
		return false;
	side = connection_side(connection, end->dir);
	if (end->bytes - connection->consumed <=
	    connection->protocol->stream(connection->state, side)->payload)
		return false;
	connection->overdue = (struct overdue){ .turn_no = connection->turn_no,
						.consumed = connection->consumed,
						.bytes = end->bytes };
	return true;
}

bool overdue_turn(struct connection *connection, const struct event_turn *event, uint32_t skipped)
{
	if (skipped != 1 || event->turn_flags || connection->awaited_turn_no ||
	    event->prev.dir == event->turn.dir || !may_wait(connection))
		return false;
	connection->overdue = (struct overdue){ .turn_no = event->conn.turn_no - 1,
						.bytes = event->prev.bytes,
						.before = connection->consumed };
	return true;
}

bool overdue_take(struct engine *engine, struct connection *connection, const struct event *event)
{
	struct overdue *overdue = &connection->overdue;
	const struct event_turn *turn = event->turn;
	uint64_t time_ns = turn->header.ktime_ns;

	if ((uint32_t)overdue->consumed != turn->offset ||
	    (!(turn->turn_flags & TURN_CONTINUED) && turn->prev.bytes > overdue->before))
		return false;
	overdue->consumed += turn->call_bytes;
	if (overdue->consumed >= overdue->bytes)
		overdue->turn_no = 0;
	connection->moved_ns[turn->turn.dir] = time_ns;
	if (turn->captured)
		run_parse(engine, connection, turn->turn.dir, event->payload, turn->captured,
			  time_ns);
	if (turn->call_bytes > turn->captured && connection->sync == SYNC_PARSED)
		run_parse(engine, connection, turn->turn.dir, NULL,
			  turn->call_bytes - turn->captured, time_ns);
	return true;
}
