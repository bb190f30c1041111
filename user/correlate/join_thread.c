/* SPDX-License-Identifier: Apache-2.0 */
/* Which request a thread works on when it makes a call. Sure is only what a thread that answers one request after the other
 * does; of all else, the candidates are named. A parent that is wrong is worse than none. */
#include <errno.h>
#include <stdlib.h>

#include "correlate/join_state.h"

/* Before a place is refused, so many of the least recently used are looked at. */
#define EVICTION_TRIES 8
/* Requests of a process with several to answer whose thread made calls, and then answered them itself, before a thread's calls
 * are taken to be the request's. Work that moves between threads (goroutines, await) shows long before. */
#define PROOFS_WANTED 32

struct thread_key {
	uint32_t tgid;
	uint32_t tid;
};

static uint64_t hash_of(const struct thread_key *key)
{
	return hash_u64((uint64_t)key->tgid << 32 | key->tid);
}

static bool thread_matches(const struct table_node *node, const void *key)
{
	const struct join_thread *thread = table_entry(node, struct join_thread, node);
	const struct thread_key *wanted = key;

	return thread->tid == wanted->tid && thread->tgid == wanted->tgid;
}

static bool process_matches(const struct table_node *node, const void *key)
{
	return table_entry(node, struct join_process, node)->tgid == *(const uint32_t *)key;
}

int join_threads_init(struct join *join)
{
	int error = table_init(&join->threads, JOIN_THREADS_MAX, thread_matches);

	return error ? error : table_init(&join->processes, JOIN_PROCESSES_MAX, process_matches);
}

static void free_thread(struct join *join, struct join_thread *thread)
{
	handling_unref(join, &thread->answered);
	handling_unref(join, &thread->starter);
	free(thread);
}

/* Its thread has no more to do with it. */
static void part(struct handling *handling)
{
	struct join_thread *thread = handling->thread;

	if (!thread)
		return;
	if (handling->newer)
		handling->newer->older = handling->older;
	else
		thread->newest = handling->older;
	if (handling->older)
		handling->older->newer = handling->newer;
	if (thread->current == handling)
		thread->current = NULL;
	if (thread->guessed == handling) {
		thread->guessed = NULL;
		thread->read_call = NULL;
	}
	handling->thread = NULL;
	handling->older = handling->newer = NULL;
}

void join_threads_done(struct join *join)
{
	struct table_node *node;

	while ((node = join->threads.oldest)) {
		struct join_thread *thread = table_entry(node, struct join_thread, node);

		while (thread->newest)
			join_thread_leave(thread->newest);
		table_remove(&join->threads, node);
		free_thread(join, thread);
	}
	while ((node = join->processes.oldest)) {
		table_remove(&join->processes, node);
		free(table_entry(node, struct join_process, node));
	}
	table_done(&join->threads);
	table_done(&join->processes);
}

struct join_thread *join_thread_find(const struct join *join, uint32_t tgid, uint32_t tid)
{
	struct thread_key key = { tgid, tid };
	struct table_node *node =
		table_peek_by(&join->threads, hash_of(&key), &key, thread_matches);

	return node ? table_entry(node, struct join_thread, node) : NULL;
}

struct join_process *join_process_find(const struct join *join, uint32_t tgid)
{
	struct table_node *node =
		table_peek_by(&join->processes, hash_u64(tgid), &tgid, process_matches);

	return node ? table_entry(node, struct join_process, node) : NULL;
}

static bool is_idle_thread(const struct table_node *node)
{
	const struct join_thread *thread = table_entry(node, const struct join_thread, node);

	return !thread->newest && !thread->calls && !thread->parts && !thread->windows;
}

static bool is_idle_process(const struct table_node *node)
{
	return !table_entry(node, const struct join_process, node)->waiting;
}

/* Make room, if need be, in place of one that is idle. Returns the one that was there, or -ENOSPC. */
static int make_room(struct table *table, bool (*is_idle)(const struct table_node *),
		     struct table_node **ret_old)
{
	struct table_node *node = table->oldest;

	*ret_old = NULL;
	if (table->count < table->limit)
		return 0;
	for (unsigned i = 0; node && i < EVICTION_TRIES && !is_idle(node); i++)
		node = node->newer;
	if (!node || !is_idle(node))
		return -ENOSPC;
	table_remove(table, node);
	*ret_old = node;
	return 0;
}

struct join_thread *join_thread_of(struct join *join, uint32_t tgid, uint32_t tid)
{
	struct thread_key key = { tgid, tid };
	struct table_node *node =
		table_find_by(&join->threads, hash_of(&key), &key, thread_matches);
	struct join_thread *thread;

	if (node)
		return table_entry(node, struct join_thread, node);
	if (make_room(&join->threads, is_idle_thread, &node))
		return NULL;
	if (node)
		free_thread(join, table_entry(node, struct join_thread, node));
	thread = calloc(1, sizeof(*thread));
	if (!thread)
		return NULL;
	thread->tgid = tgid;
	thread->tid = tid;
	thread->has_written = true;
	(void)table_insert(&join->threads, &thread->node, hash_of(&key)); /* room was made */
	return thread;
}

void join_thread_gone(struct engine *engine, struct join_thread *thread)
{
	join_loop_reads(engine, thread);
	join_part_leave(engine, thread);
	while (thread->newest) /* somebody else will answer it */
		part(thread->newest);
	table_remove(&engine->join->threads, &thread->node);
	free_thread(engine->join, thread);
}

static struct join_process *process_of(struct join *join, uint32_t tgid)
{
	struct table_node *node =
		table_find_by(&join->processes, hash_u64(tgid), &tgid, process_matches);
	struct join_process *process;

	if (node)
		return table_entry(node, struct join_process, node);
	if (make_room(&join->processes, is_idle_process, &node))
		return NULL;
	free(node ? table_entry(node, struct join_process, node) : NULL);
	process = calloc(1, sizeof(*process));
	if (!process)
		return NULL;
	process->tgid = tgid;
	(void)table_insert(&join->processes, &process->node, hash_u64(tgid)); /* room was made */
	return process;
}

/* The rest of an answer may be written without our seeing it. A thread that answers one request after the other is through
 * with it when it reads the next. */
static void leave_answered(struct join_thread *thread)
{
	struct handling *handling = thread->newest, *older;

	for (; handling; handling = older) {
		older = handling->older;
		if (handling->is_answering)
			join_thread_leave(handling);
	}
}

void join_thread_enter(struct join *join, struct handling *handling,
		       const struct connection *connection)
{
	uint32_t tid = connection->tid, tgid = connection->tgid;
	struct join_process *process = process_of(join, tgid);
	struct join_thread *thread = process ? join_thread_of(join, tgid, tid) : NULL;

	if (!thread) {
		join->figures.threads_refused++;
		return;
	}
	if (thread->is_worker)
		process->is_unruly = true;
	thread->is_reader = true;
	handling_unref(join, &thread->starter);
	join_loop_read_request(thread, connection->ref.conn_id);
	if (!thread->is_loop)
		leave_answered(thread);
	if (thread->newest) {
		thread->is_loop = true;
		thread->newest->newer = handling;
	}
	handling->thread = thread;
	handling->older = thread->newest;
	thread->newest = thread->current = handling;
	handling->process = process;
	join_lone_enter(process, handling, tid);
	process->waiting++;
}

static void stop_waiting(struct handling *handling)
{
	if (!handling->process)
		return;
	if (handling->process->lone == handling)
		join_lone_part(handling->process);
	handling->process->waiting--;
	handling->process = NULL;
}

/* Who answers, and who had read it. */
static void compare_runners(const struct handling *handling, uint32_t tid)
{
	struct join_process *process = handling->process;

	if ((handling->thread->tid & GOROUTINE_BIT) != (tid & GOROUTINE_BIT))
		return; /* the goroutine was told once only */
	if (handling->thread->tid != tid)
		process->is_mixed = true;
	else if (handling->had_risky_call && process->proven < PROOFS_WANTED)
		process->proven++;
}

void join_thread_answer(struct handling *handling, uint32_t tid)
{
	struct join_process *process = handling->process;

	handling->is_answering = true;
	if (!process)
		return;
	if (tid && handling->thread)
		compare_runners(handling, tid);
	stop_waiting(handling);
}

void join_thread_leave(struct handling *handling)
{
	stop_waiting(handling);
	part(handling);
}

static bool keeps_theirs(const struct join_process *process)
{
	return !process->is_mixed && process->proven >= PROOFS_WANTED;
}

/* With other requests to answer in the process, which of them a thread works on is only sure when threads keep theirs. */
static bool is_sure(const struct join *join, const struct join_thread *thread,
		    struct handling *handling)
{
	const struct join_process *process = join_process_find(join, thread->tgid);

	if (!process)
		return false;
	if (process->waiting <= (handling->process ? 1u : 0u))
		return true;
	handling->had_risky_call = true;
	return keeps_theirs(process);
}

struct handling *join_thread_cause(const struct join *join, const struct join_thread *thread,
				   struct candidates *ret_candidates)
{
	struct handling *handling = thread->newest;

	ret_candidates->count = 0;
	if (!handling)
		return NULL;
	if (!handling->older && is_sure(join, thread, handling) && thread->current == handling)
		return handling;
	for (; handling && ret_candidates->count < SPAN_CANDIDATES_MAX; handling = handling->older)
		ret_candidates->handlings[ret_candidates->count++] = handling;
	return NULL;
}

/* Whether all that made it sure was so then, too. */
static bool was_sure(const struct join *join, const struct join_thread *thread, uint64_t since_ns)
{
	const struct join_process *process = join_process_find(join, thread->tgid);

	return thread->acted_ns <= since_ns && process &&
	       (process->answered_ns <= since_ns || keeps_theirs(process));
}

struct handling *join_thread_cause_since(const struct join *join, const struct join_thread *thread,
					 uint64_t since_ns, struct candidates *ret_candidates)
{
	struct handling *cause = join_thread_cause(join, thread, ret_candidates);
	size_t count = 0;

	if (cause && was_sure(join, thread, since_ns))
		return cause;
	if (cause)
		ret_candidates->handlings[ret_candidates->count++] = cause;
	for (size_t i = 0; i < ret_candidates->count; i++)
		if (ret_candidates->handlings[i]->start_ns <= since_ns)
			ret_candidates->handlings[count++] = ret_candidates->handlings[i];
	ret_candidates->count = count;
	return NULL;
}
