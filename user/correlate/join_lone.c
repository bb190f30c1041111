/* SPDX-License-Identifier: Apache-2.0 */
/* Work that goes from thread to thread where nothing is seen of it: a pool makes the calls, and who has read the request answers it, or
 * anybody. Of a process that has one request to answer, calls that begin in between are its, unless the process does something else of
 * its own accord. That would show: what has nothing to do with requests falls as often into the time before one, when that is as
 * long as the request takes. So calls are a lone request's for sure after some that had as many calls as their route always has
 * (join_habit.c), with none before them. */
#include "correlate/join_state.h"

/* Work that is left over from the answer before has begun by then. */
#define QUIET_NS 10000000u

void join_lone_forget(struct handed_call *call)
{
	struct handed_call **link;

	if (!call->lone)
		return;
	for (link = &call->lone->lone_calls; *link != call;)
		link = &(*link)->lone_next;
	*link = call->lone_next;
	call->lone = NULL;
}

void join_lone_give_up(struct handed_call *call)
{
	if (call->lone && !call->exchange->span.candidates)
		join_add_candidate(&call->exchange->span, call->lone);
	join_lone_forget(call);
}

void join_lone_part(struct join_process *process)
{
	struct handling *handling = process->lone;
	struct handed_call *call;

	process->lone = NULL;
	while (handling && (call = handling->lone_calls))
		join_lone_give_up(call);
}

void join_lone_enter(struct join_process *process, struct handling *handling, uint32_t tid)
{
	uint64_t acted_ns = process->answered_ns > process->called_ns ? process->answered_ns :
									process->called_ns;

	process->reader = tid;
	join_lone_part(process);
	if (process->waiting || handling->start_ns < acted_ns + QUIET_NS)
		return;
	process->lone = handling;
	process->lone_quiet_ns = handling->start_ns - acted_ns;
	process->lone_made = 0;
}

void join_lone_begin(struct join_process *process, uint64_t now_ns)
{
	process->called_ns = now_ns;
	process->lone_made++;
	if (!process->waiting)
		process->lone_shown = 0;
}

void join_lone_take(struct engine *engine, struct join_process *process, struct handed_call *call)
{
	struct exchange_span *span = &call->exchange->span;
	struct trace *trace = NULL;

	if (!process->lone || call->thread->starter)
		return;
	process->has_lone_calls = true;
	call->lone = process->lone;
	call->lone_next = call->lone->lone_calls;
	call->lone->lone_calls = call;
	/* Both ends of the call may be told before the answer. */
	if (process->was_lone_sure && !span->trace)
		trace = trace_of(engine, call->lone);
	if (trace)
		span->trace = trace_ref(trace);
}

static bool are_over(const struct handed_call *call)
{
	while (call && call->connection)
		call = call->lone_next;
	return !call;
}

static bool is_sure(struct join *join, const struct exchange *answered, uint64_t now_ns)
{
	const struct handling *handling = answered->span.own;
	struct join_process *process = handling->process;
	bool is_kept = join_habit_is_kept(join, answered, process->lone_made);
	bool is_quiet = process->lone_quiet_ns >= now_ns - handling->start_ns;
	bool is_shown = process->lone_shown == JOIN_LONE_SHOWN;

	if (is_quiet && process->lone_made && !is_shown)
		process->lone_shown++;
	return is_kept && is_quiet && is_shown && are_over(handling->lone_calls);
}

void join_lone_answer(struct engine *engine, const struct exchange *answered,
		      const struct join_thread *thread, uint64_t now_ns)
{
	struct handling *handling = answered->span.own;
	struct join_process *process = handling->process;
	bool is_handed, is_its;

	if (!process || process->lone != handling)
		return;
	/* Then its calls are known by who answers. */
	is_handed = thread && thread->is_worker && !process->is_unruly;
	is_its = process->has_lone_calls && !is_handed && is_sure(engine->join, answered, now_ns);
	if (handling->lone_calls)
		process->was_lone_sure = is_its;
	while (handling->lone_calls) {
		struct handed_call *call = handling->lone_calls;

		if (is_its)
			join_make_cause(engine, call->exchange, handling);
		join_handed_let_go(engine, call);
	}
	process->lone = NULL;
}

void join_lone_guess(struct join *join, const struct join_process *process,
		     struct exchange_span *span)
{
	const struct join_thread *reader = join_thread_find(join, process->tgid, process->reader);
	struct candidates candidates = { 0 };
	struct handling *handling;

	if (!reader || process->waiting > SPAN_CANDIDATES_MAX || span->candidates)
		return;
	for (handling = reader->newest; handling; handling = handling->older)
		if (handling->process && candidates.count < process->waiting)
			candidates.handlings[candidates.count++] = handling;
	for (size_t i = 0; candidates.count == process->waiting && i < candidates.count; i++)
		join_add_candidate(span, candidates.handlings[i]);
}
