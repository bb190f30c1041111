/* SPDX-License-Identifier: Apache-2.0 */
/* Figures of a thread at two times, one taken from the other. */
#include "correlate/usage.h"

#include "base/table.h"
#include "correlate/tcp_part.h"
#include "correlate/thread_errors.h"

const char *time_part_name(enum time_part part)
{
	static const char *const names[TIME_PART_COUNT] = {
#define X(ID, name, meaning) [TIME_##ID] = name,
		TIME_PARTS(X)
#undef X
	};

	return names[part];
}

static void put(struct connection *connection, unsigned dir, uint64_t time_ns,
		const struct thread_usage *usage)
{
	connection->used[dir] = (struct thread_use){ time_ns, *usage };
}

void usage_note(struct connection *connection, const struct event *event)
{
	const struct event_turn *turn = event->turn;

	tcp_part_note(connection, event);
	if (event->before && turn->prev.calls)
		put(connection, turn->prev.dir, turn->prev.last_ns, &event->before->thread);
	if (event->use)
		put(connection, turn->turn.dir,
		    turn->turn.last_ns ? turn->turn.last_ns : turn->header.ktime_ns,
		    &event->use->now.thread);
}

void usage_note_newest(struct connection *connection, const struct turn_summary *turn,
		       const struct call_use *newest)
{
	if (!newest || !newest->thread.tid || !turn->calls)
		return;
	tcp_part_note_newest(connection, turn, newest);
	put(connection, turn->dir, turn->last_ns, &newest->thread);
}

static struct thread_calls *calls_of(struct engine *engine, uint32_t tid)
{
	return &engine->calls[hash_u64(tid) % CALLING_THREADS];
}

static uint64_t waited(struct engine *engine, uint32_t tid)
{
	const struct thread_calls *calls = calls_of(engine, tid);

	return calls->tid == tid ? calls->waited_ns : 0;
}

static void add_call(struct engine *engine, uint32_t tid, uint64_t blocked_ns)
{
	struct thread_calls *calls = calls_of(engine, tid);

	if (calls->tid != tid)
		*calls = (struct thread_calls){ .tid = tid };
	calls->waited_ns += blocked_ns;
}

void usage_begin(struct engine *engine, const struct connection *connection,
		 struct exchange *exchange)
{
	const struct thread_use *used =
		&connection->used[connection->role == ROLE_SERVER ? DIR_READ : DIR_WRITE];

	if (used->time_ns == exchange->start_ns) {
		exchange->begun.used = *used;
		exchange->begun.waited_ns = waited(engine, used->usage.tid);
	}
	tcp_part_begin(engine, connection, exchange);
}

static uint64_t least(uint64_t one, uint64_t other)
{
	return one < other ? one : other;
}

static uint64_t since(uint64_t from_ns, uint64_t to_ns)
{
	return to_ns > from_ns ? to_ns - from_ns : 0;
}

/* headers/event_abi.h says why these two. A thread that was moved has two clocks; what it ran is then good to a tick, 4 ms or less. */
static uint64_t off_cpu(const struct thread_usage *from, const struct thread_usage *to,
			uint64_t duration_ns)
{
	uint64_t ran_ns = to->on_cpu_ns - from->on_cpu_ns;

	if (from->migrations == to->migrations)
		return least(to->exec_start_ns - from->exec_start_ns - ran_ns, duration_ns);
	return duration_ns - least(ran_ns, duration_ns);
}

/* A thread with several calls at once waits for all of them together. */
static void take_calls(struct engine *engine, const struct connection *connection,
		       const struct exchange_begun *begun, struct exchange *exchange)
{
	uint32_t tid = begun->used.usage.tid;
	uint64_t *part_ns = exchange->usage.part_ns, total_ns;

	if (connection->role == ROLE_CLIENT) {
		add_call(engine, tid, part_ns[TIME_BLOCKED]);
		return;
	}
	total_ns = waited(engine, tid);
	if (total_ns > begun->waited_ns)
		part_ns[TIME_NETWORK] = least(total_ns - begun->waited_ns, part_ns[TIME_BLOCKED]);
	part_ns[TIME_BLOCKED] -= part_ns[TIME_NETWORK];
}

/* What of the blocked time the kernel side knows more about. Nothing where another thread had the slot meanwhile. */
static void take_waits(const struct thread_usage *from, const struct thread_usage *to,
		       uint64_t *part_ns)
{
	static const enum time_part parts[WAIT_COUNT] = { [WAIT_LOCK] = TIME_LOCK,
							  [WAIT_DISK] = TIME_DISK,
							  [WAIT_SLEEP] = TIME_SLEEP,
							  [WAIT_MEMORY] = TIME_MEMORY };

	if (!from->waits_owner || from->waits_owner != to->waits_owner)
		return;
	for (size_t i = 0; i < WAIT_COUNT; i++) {
		uint32_t units = to->waited[i] - from->waited[i]; /* modulo 2^32, both */
		uint64_t waited_ns = least((uint64_t)units << 10, part_ns[TIME_BLOCKED]);

		part_ns[parts[i]] = waited_ns;
		part_ns[TIME_BLOCKED] -= waited_ns;
	}
}

static void tell_thread(const struct thread_usage *from, const struct thread_usage *to,
			uint64_t duration_ns, struct request_usage *usage)
{
	uint64_t off_ns = off_cpu(from, to, duration_ns), *part_ns = usage->part_ns;
	uint64_t waited_ns = least(to->run_queue_ns - from->run_queue_ns, off_ns);

	part_ns[TIME_ON_CPU] = duration_ns - off_ns;
	part_ns[TIME_BLOCKED] = off_ns - waited_ns;
	part_ns[TIME_THROTTLED] = least(to->throttled_ns - from->throttled_ns, waited_ns);
	part_ns[TIME_RUN_QUEUE] = waited_ns - part_ns[TIME_THROTTLED];
	take_waits(from, to, part_ns);
	usage->voluntary_switches = to->voluntary_switches - from->voluntary_switches;
	usage->involuntary_switches = to->involuntary_switches - from->involuntary_switches;
	usage->minor_faults = to->minor_faults - from->minor_faults;
	usage->major_faults = to->major_faults - from->major_faults;
}

/* Nobody but the other end and the way to it is left. */
static void name_own_wait(uint64_t *part_ns)
{
	part_ns[TIME_NETWORK] = part_ns[TIME_BLOCKED];
	part_ns[TIME_BLOCKED] = 0;
}

void usage_end(struct engine *engine, const struct connection *connection,
	       struct exchange *exchange)
{
	const struct thread_use *last =
		&connection->used[connection->role == ROLE_SERVER ? DIR_WRITE : DIR_READ];
	const struct exchange_begun begun = exchange->begun;
	const struct thread_usage *from = &begun.used.usage, *to = &last->usage;
	uint64_t duration_ns = since(exchange->start_ns, exchange->end_ns);
	uint64_t known_ns = least(since(begun.used.time_ns, exchange->end_ns), duration_ns);

	exchange->has_figures = true;
	exchange->usage = (struct request_usage){ 0 };
	exchange->errors = (struct request_errors){ 0 };
	if (from->tid && from->tid == to->tid && last->time_ns == exchange->end_ns) {
		tell_thread(from, to, known_ns, &exchange->usage);
		exchange->usage.part_ns[TIME_UNACCOUNTED] = duration_ns - known_ns;
		take_calls(engine, connection, &begun, exchange);
		thread_errors_read(from, to, &exchange->errors);
	} else {
		exchange->usage.part_ns[TIME_UNACCOUNTED] = duration_ns;
	}
	tcp_part_end(connection, &begun, exchange);
	if (connection->role == ROLE_CLIENT)
		name_own_wait(exchange->usage.part_ns);
}
