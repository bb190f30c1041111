/* SPDX-License-Identifier: Apache-2.0 */
/* Calls of protocols that pair by themselves are known only when they are over: whose they are is looked for then. */
#include "correlate/join_state.h"

/* What the thread does next may be for what it has read. A message that was delivered is work of its own. */
static void note_read(struct engine *engine, struct join_thread *thread, uint64_t conn_id,
		      const struct exchange_facts *facts)
{
	if (facts->is_untimed && facts->messages_sent)
		return;
	join_loop_read_other(engine, thread, conn_id);
	if (facts->is_untimed && facts->messages_consumed)
		thread->current = NULL;
}

/* The thread that asked may be another one than reads the answer. */
static void find_cause(struct engine *engine, uint32_t tgid, struct exchange *exchange)
{
	const struct join_thread *thread =
		join_thread_find(engine->join, tgid, exchange->facts.tid);
	struct candidates candidates;
	struct handling *cause;

	if (!thread)
		return;
	cause = join_thread_cause_since(engine->join, thread, exchange->start_ns, &candidates);
	join_take_cause(engine, &exchange->span, cause, &candidates);
}

void join_paired(struct engine *engine, const struct connection *connection,
		 struct exchange *exchange)
{
	const struct exchange_facts *facts = &exchange->facts;
	struct join_thread *thread;

	if (!engine->join || connection->role != ROLE_CLIENT)
		return;
	exchange->span.join = SPAN_JOIN_GENERATED;
	if (!facts->is_untimed && !facts->is_processing)
		find_cause(engine, connection->tgid, exchange);
	thread = join_thread_find(engine->join, connection->tgid, connection->tid);
	if (thread)
		note_read(engine, thread, connection->ref.conn_id, facts);
}
