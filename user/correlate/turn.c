/* SPDX-License-Identifier: Apache-2.0 */
/* Turns of a connection: which bytes of which side an event brings, which were not captured, which were lost; and
 * whether the first of them look like a protocol. */
#include "correlate/turn.h"

#include <errno.h>
#include <string.h>

#include "correlate/join.h"
#include "correlate/request.h"
#include "correlate/run.h"
#include "correlate/usage.h"

/* Requests reported for one hole in the turn numbers; turns_missed counts on. */
#define UNSEEN_MAX 4096

/* A connection for one request is not worth a word to the kernel, which sniffs as it takes messages. */
#define FRESH_TURNS 2

#define ASK_FIRST_NS 100000000u
#define ASK_INTERVAL_MIN_MS 100
#define ASK_INTERVAL_MAX_MS 800
#define LIKELY_END_NS 500000000u
#define UNFRAMED_END_NS 10000000000u
/* A reset may overtake the return of the write that it answers. */
#define LINGER_NS 500000000u

static inline void note_end(struct connection *connection, const struct turn_summary *end)
{
	unsigned dir = connection->turn.dir;

	if (end->calls && end->dir == dir && end->last_ns > connection->moved_ns[dir])
		connection->moved_ns[dir] = end->last_ns;
}

/* The turn under way is over; `end` are its final figures, which may be those of another turn or none. */
static inline void finish_turn(struct engine *engine, struct connection *connection,
			       const struct turn_summary *end)
{
	unsigned dir = connection->turn.dir;

	if (!connection->turn_no)
		return;
	if (end->calls && end->dir == dir)
		run_take_unseen(engine, connection, end->bytes, end->last_ns);
	note_end(connection, end);
	run_end_sniff(engine, connection);
	run_boundary(engine, connection, dir, BOUNDARY_TURN, end->tail);
}

/* How many of `count` turns, the last of which is in `dir`, carry requests. Turns alternate. */
static uint32_t request_turns(const struct connection *connection, uint32_t count, unsigned dir)
{
	bool is_last = connection->role != ROLE_UNKNOWN &&
		       connection_side(connection, dir) == SIDE_REQUEST;

	if (connection->role == ROLE_UNKNOWN)
		return 0;
	return count / 2 + (count % 2 && is_last);
}

/* Events of turns are missing; those whose numbers are skipped end in `dir`. */
static void lose(struct engine *engine, struct connection *connection, uint32_t skipped,
		 unsigned dir)
{
	uint32_t requests = request_turns(connection, skipped, dir);

	connection->sniffed_bytes = connection->early_bytes = 0;
	connection->is_moved_unsure = true;
	if (connection->sync == SYNC_START) {
		if (connection->orphan_outcome == PARSE_UNMATCHED_RESPONSE)
			connection->orphan_outcome = PARSE_LOST;
		return;
	}
	requests_resync(engine, connection);
	requests_report_unseen(engine, connection, PARSE_LOST,
			       requests < UNSEEN_MAX ? requests : UNSEEN_MAX);
}

/* A turn that starts in the middle of a message although the other side has gone on is looked at: after missed
 * bytes (a call we do not see, a body that a client kept back) it starts another message. */
static bool is_suspicious(const struct connection *connection, unsigned dir, bool is_prev_unknown)
{
	const struct exchange *answer = requests_open_answer(connection);

	if (connection->protocol->mode >= MODE_STREAM)
		return false; /* its parser knows where it is, and both sides speak at once */
	if (connection_side(connection, dir) == SIDE_REQUEST)
		return connection->incoming &&
		       (connection->incoming->is_reported || is_prev_unknown);
	return answer && (answer->next || is_prev_unknown);
}

static uint64_t time_of(const struct event_turn *event)
{
	return event->turn.last_ns ? event->turn.last_ns : event->header.ktime_ns;
}

/* Of a turn without oddities. */
static inline void start_turn(struct connection *connection, const struct event_turn *event)
{
	connection->moved[connection->turn.dir] += connection->consumed;
	connection->turn_no = event->conn.turn_no;
	connection->turn = event->turn;
	connection->consumed = 0;
	connection->progress.calls = 0;
	connection->asked_ns = 0;
	connection->ask_interval_ms = ASK_INTERVAL_MIN_MS;
	connection->awaited_turn_no = 0;
	connection->turn_use = TURN_IS_SNIFFED;
}

static inline void settle_mode(struct engine *engine, struct connection *connection)
{
	if (connection->turn_no > FRESH_TURNS)
		connection_set_mode(engine, connection, connection->wanted_mode);
}

static inline void begin_turn(struct engine *engine, struct connection *connection,
			      const struct event_turn *event, bool awaits_write, bool is_headless)
{
	unsigned dir = event->turn.dir;

	start_turn(connection, event);
	if (awaits_write)
		connection->awaited_turn_no = event->conn.turn_no - 1;
	if (is_headless)
		connection->turn_use = TURN_IS_SKIPPED;
	if (connection->sync != SYNC_PARSED)
		return;
	if (connection->protocol->give_up)
		is_headless = false;
	settle_mode(engine, connection);
	if (connection->had_late_write && dir == DIR_WRITE) {
		connection->had_late_write = false;
		run_boundary(engine, connection, dir, BOUNDARY_IDLE, 0); /* ended unnoticed */
		connection->is_order_unsure = false;
	}
	if (connection->sync == SYNC_PARSED && !is_headless &&
	    !is_suspicious(connection, dir, awaits_write && !event->prev.calls))
		connection->turn_use = TURN_IS_PARSED;
}

/* The event has the low 32 bits; a subscriber's turn may go on for days. */
static uint64_t offset_of(const struct event_turn *event)
{
	uint64_t offset = (event->turn.bytes & ~(uint64_t)UINT32_MAX) | event->offset;

	return offset > event->turn.bytes && offset > UINT32_MAX ? offset - UINT32_MAX - 1 : offset;
}

/* The bytes that the protocol is given next are those at the event's, or so much behind them; before them it is given what waits. */
static inline void feed_from(struct connection *connection, const struct event_turn *event,
			     uint64_t behind)
{
	unsigned dir = event->turn.dir;
	uint32_t held = connection->sniffed_bytes;

	if (!held && connection->early_dir == dir)
		held = connection->early_bytes;
	connection->fed = event->position + (uint32_t)behind - held;
	connection->fed_dir = (uint8_t)dir;
}

/* Positions count from the start of the turn. What is not captured of a call follows what is. */
static inline __attribute__((always_inline)) void take_bytes(struct engine *engine,
							     struct connection *connection,
							     const struct event *event)
{
	const struct event_turn *turn = event->turn;
	uint64_t known = connection->consumed, time_ns = time_of(turn), skip;
	uint64_t offset = offset_of(turn);

	feed_from(connection, turn, known - offset);
	run_take_unseen(engine, connection, offset, time_ns);
	skip = known > offset ? known - offset : 0;
	if (skip < turn->captured)
		run_take_next(engine, connection, event->payload + skip, turn->captured - skip,
			      time_ns);
	run_take_unseen(engine, connection, offset + turn->call_bytes, time_ns);
}

static __attribute__((noinline)) void take_more(struct engine *engine,
						struct connection *connection,
						const struct event *event)
{
	connection->turn = event->turn->turn;
	take_bytes(engine, connection, event);
}

/* flags are those of the event. Inline: nearly all have none, and then most of this is nothing. */
static inline __attribute__((always_inline)) void take_new_turn(struct engine *engine,
								struct connection *connection,
								const struct event *event,
								unsigned flags)
{
	const struct event_turn *turn = event->turn;
	bool awaits_write = flags & TURN_AWAITS_WRITE, is_headless = flags & TURN_CONTINUED;
	uint32_t number = turn->conn.turn_no, first = number - awaits_write;
	uint32_t skipped = first - connection->turn_no - 1 + is_headless;
	unsigned before = awaits_write ? DIR_WRITE : turn->turn.dir; /* the dir of `first` */

	if (skipped > INT32_MAX) { /* two CPUs changed the turn at once */
		engine->turns_missed++;
		lose(engine, connection, 0, before);
	} else if (skipped || connection->awaited_turn_no) {
		engine->turns_missed += skipped + (connection->awaited_turn_no != 0);
		lose(engine, connection, skipped, is_headless ? before : !before);
	} else {
		finish_turn(engine, connection, &turn->prev);
	}
	if (connection->sync == SYNC_DONE)
		return;
	begin_turn(engine, connection, turn, awaits_write, is_headless);
	connection->is_turn_late = awaits_write;
	take_bytes(engine, connection, event);
}

/* A turn without flags that is one message the protocol knows again, where nothing else is under way: what
 * take_new_turn does then. Returns false, with nothing done, for any other. */
static inline __attribute__((always_inline)) bool take_known_turn(struct engine *engine,
								  struct connection *connection,
								  const struct event *event)
{
	const struct event_turn *turn = event->turn;
	unsigned dir = turn->turn.dir;
	uint64_t time_ns = time_of(turn);
	bool is_known;

	if (connection->sync != SYNC_PARSED || turn->conn.turn_no != connection->turn_no + 1 ||
	    connection->awaited_turn_no || connection->had_late_write ||
	    connection->is_order_unsure || connection->sniffed_bytes || turn->offset ||
	    (turn->prev.calls && turn->prev.bytes > connection->consumed) || !connection->turn_no ||
	    connection_is_watched(connection))
		return false;
	if (!connection->was_recognised || !connection->protocol->take_known)
		return false;
	feed_from(connection, turn, 0);
	is_known = connection_side(connection, dir) == SIDE_REQUEST ?
			   requests_take_known_request(engine, connection, event->payload,
						       turn->captured, turn->call_bytes, time_ns) :
			   requests_take_known_response(engine, connection, event->payload,
							turn->captured, turn->call_bytes, time_ns);
	if (!is_known)
		return false;
	note_end(connection, &turn->prev);
	start_turn(connection, turn);
	settle_mode(engine, connection);
	connection->turn_use = TURN_IS_PARSED;
	connection->consumed = turn->call_bytes;
	connection->position[dir] = turn->position + (uint32_t)turn->call_bytes;
	connection->moved_ns[dir] = time_ns;
	return true;
}

static __attribute__((noinline)) void take_odd_turn(struct engine *engine,
						    struct connection *connection,
						    const struct event *event)
{
	take_new_turn(engine, connection, event, event->turn->turn_flags);
}

/* A write out of its order: its bytes come next on their side, but the turn under way is another one. */
static void take_late_write(struct engine *engine, struct connection *connection,
			    const struct event *event)
{
	const struct protocol *protocol = connection->protocol;
	const struct event_turn *turn = event->turn;
	uint64_t time_ns = time_of(turn);

	if (turn->conn.turn_no == connection->awaited_turn_no)
		connection->awaited_turn_no = 0;
	connection->is_turn_late = true;
	connection->had_late_write = true;
	connection->moved[DIR_WRITE] += turn->call_bytes;
	connection->moved_ns[DIR_WRITE] = time_ns;
	if (connection->sync != SYNC_PARSED) {
		enum sniff_result result = run_sniff(event->payload, turn->captured, &protocol);

		if (connection->was_recognised && protocol != connection->protocol)
			return;
		if (result != SNIFF_REQUEST || !run_fits_role(connection, DIR_WRITE, result))
			return;
		run_recognise(engine, connection, protocol);
		connection->turn_use = TURN_IS_SKIPPED;
	}
	if (!(turn->turn_flags & TURN_CONTINUED))
		connection->late_consumed = 0;
	feed_from(connection, turn, connection->late_consumed - turn->offset);
	if (turn->offset > connection->late_consumed && connection->sync == SYNC_PARSED)
		run_parse(engine, connection, DIR_WRITE, NULL,
			  turn->offset - connection->late_consumed, time_ns);
	connection->late_consumed = turn->offset + turn->call_bytes;
	if (turn->captured && connection->sync == SYNC_PARSED)
		run_parse(engine, connection, DIR_WRITE, event->payload, turn->captured, time_ns);
	if (turn->call_bytes > turn->captured && connection->sync == SYNC_PARSED)
		run_parse(engine, connection, DIR_WRITE, NULL, turn->call_bytes - turn->captured,
			  time_ns);
	if (connection->sync == SYNC_PARSED &&
	    requests_open_answer(connection)) /* to HEAD it has no body */
		(void)requests_feed(engine, connection, SIDE_RESPONSE, NULL, 0,
				    connection->moved_ns[DIR_READ]);
}

/* Bytes before the event's are missing. Calls that only go on with a payload which nobody wants have no event, and the parser knows
 * those; else the position is lost, and the event is looked at like one that begins a turn. */
static void miss_in_place(struct engine *engine, struct connection *connection,
			  const struct event_turn *turn, uint32_t missing)
{
	unsigned dir = turn->turn.dir;

	if (missing <= INT32_MAX)
		run_parse(engine, connection, dir, NULL, missing, turn->header.ktime_ns);
	else
		lose(engine, connection, 0, dir); /* two threads in one direction */
	if (connection->sync == SYNC_PARSED)
		return;
	engine->turns_missed++;
	connection->turn_no = turn->conn.turn_no - 1;
	connection->turn.dir = !dir;
	connection->awaited_turn_no = 0;
}

/* Where the sides do not wait for each other turns mean nothing, and two threads at once may mix up their figures. Each direction's
 * position is its own. Returns false, with nothing of the event taken, when the position is lost. */
static bool take_in_place(struct engine *engine, struct connection *connection,
			  const struct event *event)
{
	const struct event_turn *turn = event->turn;
	unsigned dir = turn->turn.dir;
	uint64_t time_ns = turn->header.ktime_ns;
	uint32_t missing = turn->position - connection->position[dir];

	if (missing)
		miss_in_place(engine, connection, turn, missing);
	if (connection->sync != SYNC_PARSED)
		return false;
	if (turn->conn.turn_no > connection->turn_no)
		connection->turn_no = turn->conn.turn_no;
	connection->turn = turn->turn;
	connection->consumed = offset_of(turn) + turn->call_bytes;
	connection->moved_ns[dir] = time_ns;
	settle_mode(engine, connection);
	if (turn->captured)
		run_parse(engine, connection, dir, event->payload, turn->captured, time_ns);
	if (turn->call_bytes > turn->captured && connection->sync == SYNC_PARSED)
		run_parse(engine, connection, dir, NULL, turn->call_bytes - turn->captured,
			  time_ns);
	return true;
}

static inline bool is_in_place(const struct connection *connection)
{
	return connection->sync == SYNC_PARSED && connection->protocol->stream;
}

static void finish_connection(struct engine *engine, struct connection *connection)
{
	if (connection->sync == SYNC_PARSED)
		requests_close(engine, connection);
	connection_drop(engine, connection);
}

/* After any event: is there an answer whose end must be asked for? */
static void review(struct engine *engine, struct connection *connection)
{
	struct exchange *answer = requests_open_answer(connection);

	if (answer && connection_side(connection, connection->turn.dir) == SIDE_RESPONSE) {
		run_boundary(engine, connection, connection->turn.dir, BOUNDARY_PROGRESS,
			     connection->turn.tail);
		answer = requests_open_answer(connection);
	}
	if (connection->closed_ns) {
		if (!connection->oldest)
			finish_connection(engine, connection);
	} else if (connection->sync == SYNC_PARSED && answer &&
		   answer->facts.sides[SIDE_RESPONSE].end != END_AT_CLOSE) {
		connection_watch(engine, connection);
	} else if (connection_is_watched(connection)) {
		connection_unwatch(engine, connection);
	}
}

static struct connection *add_for_turn(struct engine *engine, const struct event_turn *event)
{
	struct connection *connection = connection_add(engine, &event->conn);
	bool awaits_write = event->turn_flags & TURN_AWAITS_WRITE;

	if (!connection)
		return NULL;
	connection->turn_no = event->conn.turn_no - 1 - (awaits_write && event->conn.turn_no > 1);
	connection->orphan_outcome = PARSE_UNMATCHED_RESPONSE;
	if (event->conn.flags & CONN_PREEXISTING) {
		connection->orphan_outcome = PARSE_PARTIAL;
	} else if (connection->turn_no) {
		connection->orphan_outcome = PARSE_LOST;
		engine->turns_missed += connection->turn_no;
		connection->is_moved_unsure = true;
	}
	connection->turn.dir = !event->turn.dir;
	return connection;
}

static void take_ref(struct connection *connection, const struct conn_ref *ref,
		     const struct event_header *header)
{
	connection->ref.flags = ref->flags;
	connection->last_ns = header->ktime_ns;
	if (header->tgid)
		connection->tgid = header->tgid;
	if (ref->role != ROLE_UNKNOWN && connection->sync == SYNC_START)
		connection->role = ref->role;
}

static inline void take_in_turn(struct engine *engine, struct connection *connection,
				const struct event *event)
{
	const struct event_turn *turn = event->turn;

	if (turn->turn_flags & TURN_LATE)
		take_late_write(engine, connection, event);
	else if (turn->conn.turn_no > connection->turn_no && !turn->turn_flags)
		take_new_turn(engine, connection, event, 0);
	else if (turn->conn.turn_no > connection->turn_no)
		take_odd_turn(engine, connection, event);
	else if (turn->conn.turn_no == connection->turn_no && turn->turn_flags & TURN_CONTINUED &&
		 turn->turn.dir == connection->turn.dir)
		take_more(engine, connection, event);
	else
		engine->turns_missed++; /* of two threads at once the later one was first */
}

static void tell_join(struct engine *engine, struct connection *connection,
		      const struct event_turn *turn)
{
	if (turn->turn.dir == DIR_READ)
		join_read(engine, connection);
	else
		join_write(engine, turn);
}

int turn_take(struct engine *engine, const struct event *event)
{
	const struct event_turn *turn = event->turn;
	struct connection *connection = connection_find(engine, &turn->conn, turn->header.ktime_ns);
	bool is_late = turn->turn_flags & TURN_LATE, is_known;

	if (!connection) {
		if (is_late || turn->conn.flags & CONN_CLOSED)
			return 0;
		connection = add_for_turn(engine, turn);
		if (!connection)
			return -ENOMEM;
	}
	take_ref(connection, &turn->conn, &turn->header);
	connection->tid = join_runner(engine, turn);
	if (connection->sync == SYNC_DONE)
		return 0;
	usage_note(connection, event);
	if (engine->join)
		tell_join(engine, connection, turn);
	connection->is_turn_late = false;
	is_known = !turn->turn_flags && take_known_turn(engine, connection, event);
	if (!is_known && (!is_in_place(connection) || !take_in_place(engine, connection, event)))
		take_in_turn(engine, connection, event);
	if (engine->join)
		join_written(engine, connection);
	if (is_known)
		return 0;
	connection->position[turn->turn.dir] = turn->position + (uint32_t)turn->call_bytes;
	review(engine, connection);
	return 0;
}

static void apply_progress(struct engine *engine, struct connection *connection,
			   const struct turn_summary *turn)
{
	run_take_unseen(engine, connection, turn->bytes, turn->last_ns);
	if (turn->last_ns > connection->moved_ns[turn->dir])
		connection->moved_ns[turn->dir] = turn->last_ns;
	connection->turn = *turn;
	if (requests_open_answer(connection))
		run_boundary(engine, connection, turn->dir, BOUNDARY_PROGRESS, turn->tail);
}

/* An answer to our question may be ahead of events that wait in the ring: it is used at the next tick. A server that
 * shuts its sending side tells us in the ring's order, and ends an answer that only the close would end; such
 * answers are never asked after. */
int turn_take_progress(struct engine *engine, const struct event *event)
{
	const struct event_turn_progress *progress = event->turn_progress;
	struct connection *connection =
		connection_find(engine, &progress->conn, progress->header.ktime_ns);
	struct exchange *answer;

	if (!connection || connection->sync != SYNC_PARSED ||
	    progress->conn.turn_no != connection->turn_no ||
	    progress->turn.dir != connection->turn.dir)
		return 0;
	usage_note_newest(connection, &progress->turn, event->newest);
	answer = requests_open_answer(connection);
	if (answer && connection->role == ROLE_SERVER && progress->turn.dir == DIR_WRITE &&
	    answer->facts.sides[SIDE_RESPONSE].end == END_AT_CLOSE) {
		apply_progress(engine, connection, &progress->turn);
		run_boundary(engine, connection, DIR_WRITE, BOUNDARY_CLOSE, progress->turn.tail);
		review(engine, connection);
		return 0;
	}
	connection->progress = progress->turn;
	return 0;
}

/* The last turns may be told by the close alone. */
static void finish_by_close(struct engine *engine, struct connection *connection,
			    const struct conn_ref *ref, const struct turn_summary *turn)
{
	uint32_t number = ref->turn_no;

	if (number > connection->turn_no) {
		engine->turns_missed += number - connection->turn_no;
		lose(engine, connection, number - connection->turn_no, turn->dir);
	} else if (number == connection->turn_no && turn->dir == connection->turn.dir) {
		apply_progress(engine, connection, turn);
	}
}

/* The last bytes of a direction may not have been told. A write that has not returned was not counted. */
static void finish_in_place(struct engine *engine, struct connection *connection,
			    const struct event *event)
{
	const struct close_positions *end = (const void *)event->payload;
	uint64_t time_ns = event->header->ktime_ns;

	for (unsigned dir = 0; dir < DIR_COUNT && connection->sync == SYNC_PARSED; dir++) {
		uint32_t missing = end->position[dir] - connection->position[dir];

		if (missing && missing <= INT32_MAX)
			run_parse(engine, connection, dir, NULL, missing, time_ns);
	}
	if (connection->sync != SYNC_PARSED)
		engine->turns_missed++;
}

/* When the peer reset the connection, or a write has not returned, one more event may come. */
int turn_take_close(struct engine *engine, const struct event *event, const struct conn_ref *ref,
		    const struct turn_summary *turn)
{
	struct connection *connection = connection_find(engine, ref, event->header->ktime_ns);

	if (!connection)
		return 0;
	take_ref(connection, ref, event->header);
	connection->closed_ns = event->header->ktime_ns;
	pool_leave(connection);
	usage_note_newest(connection, turn, event->newest);
	if (is_in_place(connection) && event->payload_bytes)
		finish_in_place(engine, connection, event);
	else if (connection->sync == SYNC_PARSED || connection->sync == SYNC_LOST)
		finish_by_close(engine, connection, ref, turn);
	if (connection->sync == SYNC_PARSED && connection->oldest &&
	    (connection->ref.flags & CONN_RESET_RECEIVED || connection->awaited_turn_no)) {
		connection_watch(engine, connection);
		return 0;
	}
	finish_connection(engine, connection);
	return 0;
}

static bool is_long_silent(const struct connection *connection, const struct exchange *answer,
			   uint64_t now_ns)
{
	uint64_t moved_ns = connection->moved_ns[connection->turn.dir];
	uint64_t silence = now_ns > moved_ns ? now_ns - moved_ns : 0;
	unsigned end = answer->facts.sides[SIDE_RESPONSE].end;

	return (end == END_LIKELY && silence >= LIKELY_END_NS) ||
	       (end == END_UNFRAMED && silence >= UNFRAMED_END_NS);
}

static bool ask(struct engine *engine, struct connection *connection, uint64_t now_ns)
{
	uint64_t asked_or_moved = connection->asked_ns ? connection->asked_ns :
							 connection->moved_ns[connection->turn.dir];
	uint64_t due = asked_or_moved + connection->ask_interval_ms * 1000000ull;

	if (now_ns < due || !engine->feedback.ask_progress)
		return false;
	connection->asked_ns = now_ns;
	if (connection->ask_interval_ms < ASK_INTERVAL_MAX_MS)
		connection->ask_interval_ms *= 2;
	engine->feedback.ask_progress(engine->feedback.context, connection->ref.sock,
				      connection->ref.conn_id);
	return true;
}

bool turn_visit(struct engine *engine, struct connection *connection, uint64_t now_ns, bool may_ask)
{
	uint64_t seen_ns = now_ns;
	struct exchange *answer;

	if (connection->closed_ns) {
		if (now_ns < connection->closed_ns + LINGER_NS)
			return false;
		finish_connection(engine, connection);
		return false;
	}
	if (connection_side(connection, connection->turn.dir) != SIDE_RESPONSE)
		return false; /* the next request is being read: its turn's event ends what can be ended */
	if (connection->progress.calls) {
		apply_progress(engine, connection, &connection->progress);
		connection->progress.calls = 0;
		seen_ns = connection->asked_ns ? connection->asked_ns : now_ns;
	}
	answer = requests_open_answer(connection);
	if (answer && is_long_silent(connection, answer, seen_ns))
		run_boundary(engine, connection, connection->turn.dir, BOUNDARY_IDLE, 0);
	review(engine, connection);
	return connection_is_watched(connection) && may_ask && ask(engine, connection, now_ns);
}
