/* SPDX-License-Identifier: Apache-2.0 */
/* Goroutines of Go programs: to the joins they are threads, with numbers that no thread has. One that asks for others (net/http's,
 * which writes for all that use its connection) is in the place of who waits for its result, where that one works on a request. */
#include "correlate/join_state.h"

static struct told_goroutine *slot_of(struct join *join, uint64_t conn_id)
{
	return &join->goroutines[hash_u64(conn_id) & (TOLD_GOROUTINES - 1)];
}

void join_take_goroutine(struct engine *engine, const struct event_goroutine *event)
{
	struct join *join = engine->join;
	struct told_goroutine *told;

	if (!join)
		return;
	told = slot_of(join, event->conn_id);
	if (told->conn_id && told->conn_id != event->conn_id)
		join->figures.goroutines_evicted++;
	*told = (struct told_goroutine){ .conn_id = event->conn_id,
					 .ktime_ns = event->header.ktime_ns,
					 .tid = event->tid,
					 .goroutine = event->goroutine,
					 .awaited_by = event->awaited_by };
}

/* What its threads were seen to do before says nothing of its goroutines. */
static void note_process(struct join *join, uint32_t tgid)
{
	struct join_process *process = join_process_find(join, tgid);

	if (!process || process->has_goroutines)
		return;
	process->has_goroutines = true;
	process->is_mixed = process->is_unruly = false;
	process->proven = process->handed_in_vain = 0;
}

static bool is_at_work(const struct join *join, uint32_t tgid, uint32_t goroutine)
{
	const struct join_thread *thread =
		goroutine ? join_thread_find(join, tgid, goroutine) : NULL;

	return thread && thread->newest;
}

uint32_t join_runner(struct engine *engine, const struct event_turn *event)
{
	struct join *join = engine->join;
	struct told_goroutine *told;
	uint32_t tgid = event->header.tgid;

	if (!join)
		return event->tid;
	told = slot_of(join, event->conn.conn_id);
	if (told->conn_id != event->conn.conn_id)
		return event->tid;
	told->conn_id = 0;
	if (told->tid != event->tid || told->ktime_ns != event->header.ktime_ns)
		return event->tid;
	note_process(join, tgid);
	return is_at_work(join, tgid, told->awaited_by) &&
			       !is_at_work(join, tgid, told->goroutine) ?
		       told->awaited_by :
		       told->goroutine;
}

/* The request whose head is not whole yet. */
static struct handling *half_read(const struct connection *connection)
{
	const struct exchange *exchange = connection->newest;

	return connection->tid & GOROUTINE_BIT && connection->role == ROLE_SERVER && exchange &&
			       !exchange->has_request_head ?
		       exchange->span.own :
		       NULL;
}

void join_goroutine_read(struct join *join, const struct connection *connection)
{
	struct handling *handling = half_read(connection);

	if (handling && !handling->thread)
		join_thread_enter(join, handling, connection);
}

void join_goroutine_has_read(const struct connection *connection)
{
	struct handling *handling = half_read(connection);

	if (handling)
		join_thread_leave(handling);
}
