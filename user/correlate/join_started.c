/* SPDX-License-Identifier: Apache-2.0 */
/* Threads that a thread starts while it answers a request. What such a one calls is for that request when it is over soon: a thread of a
 * pool, which may do anybody's work, stays. So calls are held until their thread ends; it began them before the answer. */
#include <stdlib.h>

#include "correlate/join_state.h"

/* What a thread that starts another one works on; NULL: nobody knows. */
static struct handling *work_of(const struct join *join, const struct join_thread *thread,
				bool *ret_is_sure)
{
	struct candidates candidates;
	struct handling *work;

	*ret_is_sure = thread->is_starter_sure;
	if (!thread->newest)
		return thread->starter;
	work = join_thread_cause(join, thread, &candidates);
	*ret_is_sure = work != NULL;
	if (!work && thread->step == STEP_READ_REQUEST && !thread->has_written)
		work = thread->current;
	return work || candidates.count != 1 ? work : candidates.handlings[0];
}

static void begin(struct join *join, const struct event_thread *event)
{
	struct join_thread *by = join_thread_find(join, event->header.tgid, event->by_tid), *thread;
	struct handling *work;
	bool is_sure;

	if (!by)
		return;
	work = work_of(join, by, &is_sure);
	if (!work || !work->process)
		return;
	thread = join_thread_of(join, event->header.tgid, event->tid);
	if (!thread)
		return;
	thread->starter = handling_ref(work);
	thread->is_starter_sure = is_sure;
}

static void end(struct engine *engine, struct join_thread *thread)
{
	struct join_process *process = join_process_find(engine->join, thread->tgid);

	if (thread->starter && thread->calls && process)
		process->started += process->started < JOIN_STARTED_SHOWN;
	join_handed_end(engine, thread);
	join_thread_gone(engine, thread);
}

void join_take_thread(struct engine *engine, const struct event_thread *event)
{
	struct join_thread *thread =
		engine->join ? join_thread_find(engine->join, event->header.tgid, event->tid) :
			       NULL;

	if (thread)
		end(engine, thread); /* or its end was lost */
	if (engine->join && event->by_tid)
		begin(engine->join, event);
}

struct handling *join_started_for(struct join *join, struct join_thread *thread)
{
	if (thread->starter && !thread->starter->process)
		handling_unref(join, &thread->starter);
	return thread->starter;
}
