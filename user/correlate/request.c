/* SPDX-License-Identifier: Apache-2.0 */
/* From the protocol's steps to exchanges, and from exchanges to reports. Answers come in the order of the requests;
 * what is odd about one is a bit of its outcomes, why one failed is its failure. */
#include "correlate/request.h"
#include "correlate/usage.h"

#include <string.h>

#include "correlate/join.h"
#include "correlate/lookup.h"
#include "correlate/streams.h"
#include "correlate/tunnel.h"

static void exchange_let_go(struct engine *engine, struct connection *connection,
			    struct exchange *exchange);

static bool is_silence_enough(const struct exchange *exchange)
{
	return exchange->facts.sides[SIDE_REQUEST].is_quiet && exchange->has_request_end &&
	       !exchange->has_response;
}

struct exchange *exchange_append(struct engine *engine, struct connection *connection,
				 uint64_t start_ns)
{
	struct exchange *exchange = connection->oldest;

	if (connection->exchange_count == PIPELINE_MAX && is_silence_enough(exchange))
		exchange_let_go(engine, connection, exchange);
	exchange = connection->exchange_count < PIPELINE_MAX ? conn_exchange_new(engine) : NULL;
	if (!exchange)
		return NULL;
	exchange->start_ns = start_ns;
	exchange->tgid = connection->tgid;
	exchange->previous = connection->newest;
	if (connection->newest)
		connection->newest->next = exchange;
	else
		connection->oldest = exchange;
	connection->newest = exchange;
	if (!connection->exchange_count++)
		pool_use(connection);
	return exchange;
}

static struct exchange *unlink_oldest(struct connection *connection)
{
	struct exchange *exchange = connection->oldest;

	connection->oldest = exchange->next;
	exchange->next = NULL;
	if (connection->oldest)
		connection->oldest->previous = NULL;
	else
		connection->newest = NULL;
	if (!--connection->exchange_count)
		pool_rest(connection);
	return exchange;
}

/* Be done with the oldest. It stays with the connection while its request is still being read. */
static void exchange_retire(struct engine *engine, struct connection *connection)
{
	struct exchange *exchange = unlink_oldest(connection);

	if (connection->incoming == exchange)
		exchange->is_reported = true;
	else
		conn_exchange_free(engine, exchange);
}

/* Take a request out of the list that nothing will answer. */
static void exchange_let_go(struct engine *engine, struct connection *connection,
			    struct exchange *exchange)
{
	struct exchange **link = &connection->oldest, *before = NULL;

	while (*link != exchange) {
		before = *link;
		link = &before->next;
	}
	*link = exchange->next;
	if (connection->newest == exchange)
		connection->newest = before;
	if (!--connection->exchange_count)
		pool_rest(connection);
	requests_count(engine, connection, exchange->tgid, PARSE_ONE_WAY);
	conn_exchange_free(engine, exchange);
}

static void incoming_end(struct engine *engine, struct connection *connection)
{
	struct exchange *exchange = connection->incoming;

	if (!exchange)
		return;
	connection->incoming = NULL;
	exchange->has_request_end = true;
	if (exchange->facts.contexts.count)
		join_head(engine, exchange);
	if (exchange->is_reported)
		conn_exchange_free(engine, exchange);
	else if (exchange->facts.sides[SIDE_REQUEST].is_one_way && !exchange->has_response)
		exchange_let_go(engine, connection, exchange);
}

/* Report the oldest exchange and be done with it. */
static void settle_oldest(struct engine *engine, struct connection *connection,
			  enum parse_outcome failure)
{
	struct exchange *exchange = connection->oldest;

	if (exchange->failure == PARSE_OK)
		exchange->failure = (uint8_t)failure;
	usage_end(engine, connection, exchange);
	join_answered(engine, connection, exchange);
	if (engine->join && connection->incoming != exchange &&
	    (join_hold(engine, connection, exchange) || join_await(engine, connection, exchange))) {
		unlink_oldest(connection);
		return;
	}
	exchange_report(engine, connection, exchange);
	exchange_retire(engine, connection);
}

void requests_settle_orphan(struct engine *engine, struct connection *connection)
{
	if (!connection->oldest || connection->oldest->has_request)
		return;
	settle_oldest(engine, connection,
		      connection->awaited_turn_no ? PARSE_LOST : connection->orphan_outcome);
	connection->orphan_outcome = PARSE_UNMATCHED_RESPONSE;
}

/* An exchange that the protocol paired by itself. */
static void on_exchange(struct engine *engine, struct connection *connection, uint64_t time_ns)
{
	struct exchange *exchange = &engine->paired;

	connection->was_recognised = true;
	connection->unrecognised_turns = 0;
	exchange->start_ns = exchange->facts.start_ns;
	exchange->end_ns = time_ns;
	exchange->tgid = connection->tgid;
	exchange->failure = exchange->facts.failure;
	exchange->has_request_head = true;
	usage_end(engine, connection, exchange);
	join_paired(engine, connection, exchange);
	exchange_report(engine, connection, exchange);
	join_forget(engine, exchange);
	memset(exchange, 0, offsetof(struct exchange, facts.text));
}

static void give_up_paired(struct engine *engine, struct connection *connection, bool is_closed)
{
	const struct protocol *protocol = connection->protocol;

	while (protocol && protocol->give_up &&
	       protocol->give_up(connection->state, is_closed, &engine->paired.facts) ==
		       STEP_EXCHANGE)
		on_exchange(engine, connection, connection->last_ns);
}

void requests_abandon(struct engine *engine, struct connection *connection,
		      enum parse_outcome outcome)
{
	give_up_paired(engine, connection, false);
	while (connection->oldest) {
		bool is_orphan = !connection->oldest->has_request;

		connection->oldest->end_ns = connection->last_ns;
		settle_oldest(engine, connection,
			      is_orphan && connection->orphan_outcome == PARSE_PARTIAL ?
				      PARSE_PARTIAL :
				      outcome);
	}
	incoming_end(engine, connection);
}

void requests_resync(struct engine *engine, struct connection *connection)
{
	const struct protocol *protocol = connection->protocol;

	requests_abandon(engine, connection, PARSE_LOST);
	lookup_end_connection(engine, connection, PARSE_LOST);
	for (unsigned side = 0; side < SIDE_COUNT; side++)
		(void)protocol->boundary(connection->state, side, BOUNDARY_RESYNC, 0);
	if (protocol->give_up)
		return;
	streams_lose(connection);
	connection->sync = SYNC_LOST;
	connection->was_lost = true;
	connection->is_order_unsure = false;
	connection->turn_use = TURN_IS_SKIPPED;
	if (!protocol->sniff)
		connection_give_up(engine, connection);
}

void connection_give_up(struct engine *engine, struct connection *connection)
{
	connection->sync = SYNC_DONE;
	pool_leave(connection);
	connection_unwatch(engine, connection);
	connection_set_mode(engine, connection, MODE_LENGTHS);
}

/* Answers to requests that came together may come in one turn, of which the kernel then must send more than the beginning. */
static void on_pipelined(struct engine *engine, struct connection *connection)
{
	const struct protocol *protocol = connection->protocol;

	if (!protocol->pipelined_mode)
		return;
	connection->lone_turns = LONE_TURNS;
	connection->wanted_mode = (uint8_t)protocol->pipelined_mode;
	connection_set_mode(engine, connection, protocol->pipelined_mode);
}

/* Where in its direction it begins that is about to be read; both ends of a connection count alike. */
static inline void place(const struct connection *connection, struct exchange *exchange,
			 uint64_t unread)
{
	exchange->position = connection->fed - (uint32_t)unread;
	exchange->has_position = connection_side(connection, connection->fed_dir) == SIDE_REQUEST;
}

static void on_request_begin(struct engine *engine, struct connection *connection,
			     const struct protocol_run *run, uint64_t time_ns)
{
	struct exchange *exchange = connection->oldest;
	bool is_orphans = connection->is_turn_late && exchange && !exchange->has_request;

	if (!is_orphans)
		exchange = exchange_append(engine, connection, time_ns);
	if (!exchange) {
		requests_resync(engine, connection);
		requests_report_unseen(engine, connection, PARSE_LOST, 1);
		return;
	}
	if (time_ns < exchange->start_ns)
		exchange->start_ns = time_ns;
	exchange->tgid = connection->tgid;
	exchange->has_request = true;
	usage_begin(engine, connection, exchange);
	if (run->bytes)
		place(connection, exchange, run->length);
	join_begin(engine, connection, exchange);
	if (connection->oldest != exchange && !connection->is_turn_late) {
		exchange->facts.outcomes |= 1ull << PARSE_PIPELINED;
		on_pipelined(engine, connection);
	} else {
		connection_note_lone(connection);
	}
	connection->incoming = exchange;
}

static void on_response_begin(struct engine *engine, struct connection *connection,
			      uint64_t time_ns)
{
	if (connection->oldest && connection->oldest->has_response_end)
		requests_settle_orphan(engine, connection);
	if (!connection->oldest && !exchange_append(engine, connection, time_ns)) {
		requests_resync(engine, connection);
		return;
	}
	connection->oldest->has_response = true;
	join_answer(engine, connection, connection->oldest);
}

/* The first message understood: what went before it on this connection was something too. */
static void on_recognised(struct engine *engine, struct connection *connection,
			  enum message_side side)
{
	bool was_something =
		connection->unrecognised_turns > 0 || connection->orphan_outcome == PARSE_LOST;

	if (side == SIDE_REQUEST) {
		if (!connection->was_recognised && was_something)
			requests_report_unseen(engine, connection, connection->orphan_outcome, 1);
		connection->orphan_outcome = PARSE_UNMATCHED_RESPONSE;
	}
	connection->was_recognised = true;
	connection->unrecognised_turns = 0;
}

static void on_request_head(struct engine *engine, struct connection *connection)
{
	struct exchange *exchange = connection->incoming;

	if (!exchange)
		return;
	exchange->has_request_head = true;
	join_head(engine, exchange);
	if (!connection->is_pool_known)
		pool_join(engine, connection, exchange);
	if (!connection->was_recognised || connection->orphan_outcome != PARSE_UNMATCHED_RESPONSE)
		on_recognised(engine, connection, SIDE_REQUEST);
	connection->unrecognised_turns = 0;
	if (exchange->has_response_end)
		settle_oldest(engine, connection, PARSE_OK);
}

static void on_response_end(struct engine *engine, struct connection *connection, uint64_t time_ns)
{
	struct exchange *exchange = requests_open_answer(connection);

	if (!exchange)
		return;
	exchange->end_ns = time_ns;
	exchange->has_response_end = true;
	if (exchange->has_request_head) {
		settle_oldest(engine, connection, PARSE_OK);
	} else if (exchange->has_request) {
		settle_oldest(engine, connection, PARSE_EARLY_RESPONSE);
		requests_resync(engine, connection);
	} else if (!connection->awaited_turn_no) {
		requests_settle_orphan(engine, connection);
	}
}

/* Nothing of this protocol follows the answer. Only those that open a tunnel say so; feeds are left alone. */
static void leave_protocol(struct engine *engine, struct connection *connection,
			   struct protocol_run *run, uint64_t time_ns)
{
	struct exchange_facts facts = connection->oldest->facts;
	bool is_tunnel = facts.outcomes & (1ull << PARSE_UPGRADE | 1ull << PARSE_CONNECT);

	if (facts.successor && facts.successor->stream && streams_succeed(engine, connection)) {
		(void)streams_feed(engine, connection, SIDE_RESPONSE, run, time_ns);
		return;
	}
	on_response_end(engine, connection, time_ns);
	requests_abandon(engine, connection, PARSE_LOST);
	if (is_tunnel)
		tunnel_open(engine, connection, &facts, run->length, time_ns);
	else
		connection_give_up(engine, connection);
}

static void on_response_head(struct engine *engine, struct connection *connection,
			     struct protocol_run *run, uint64_t time_ns)
{
	struct exchange *exchange = connection->oldest;
	const struct message *answer = exchange ? &exchange->facts.sides[SIDE_RESPONSE] : NULL;

	if (!answer || answer->is_interim)
		return;
	exchange->has_response_head = true;
	if (!connection->was_recognised)
		on_recognised(engine, connection, SIDE_RESPONSE);
	if (answer->opens_tunnel) {
		leave_protocol(engine, connection, run, time_ns);
	} else if (exchange->has_request && !exchange->has_request_end &&
		   !exchange->facts.sides[SIDE_REQUEST].is_left_unread) {
		exchange->facts.outcomes |= 1ull << PARSE_EARLY_RESPONSE;
	}
}

static inline void on_begin(struct engine *engine, struct connection *connection,
			    enum message_side side, const struct protocol_run *run,
			    uint64_t time_ns)
{
	if (side == SIDE_REQUEST)
		on_request_begin(engine, connection, run, time_ns);
	else
		on_response_begin(engine, connection, time_ns);
}

static inline void on_head(struct engine *engine, struct connection *connection,
			   enum message_side side, struct protocol_run *run, uint64_t time_ns)
{
	if (side == SIDE_REQUEST)
		on_request_head(engine, connection);
	else
		on_response_head(engine, connection, run, time_ns);
}

static inline void on_end(struct engine *engine, struct connection *connection,
			  enum message_side side, uint64_t time_ns)
{
	if (side == SIDE_REQUEST)
		incoming_end(engine, connection);
	else
		on_response_end(engine, connection, time_ns);
}

/* Something was said, but not what: its answer, or the request it answers, is reported as partial. */
static void on_unseen(struct engine *engine, struct connection *connection, enum message_side side)
{
	struct exchange *exchange =
		side == SIDE_REQUEST ? connection->incoming : connection->oldest;

	if (!exchange)
		return;
	exchange->failure = PARSE_LOST;
	if (side == SIDE_REQUEST) {
		exchange->has_request_head = true;
	} else {
		exchange->end_ns = connection->last_ns;
		settle_oldest(engine, connection, PARSE_LOST);
		connection->is_order_unsure = true;
	}
}

/* What shows that nothing will answer the oldest request has come now; when it was done, nobody can say. */
static void on_silent(struct engine *engine, struct connection *connection, uint64_t time_ns)
{
	struct exchange *exchange = connection->oldest;

	if (!exchange)
		return;
	exchange->end_ns = time_ns;
	settle_oldest(engine, connection, PARSE_OK);
}

static void on_apart(struct engine *engine, struct connection *connection, enum message_side side,
		     uint64_t time_ns)
{
	if (!connection->was_recognised || connection->orphan_outcome != PARSE_UNMATCHED_RESPONSE)
		on_recognised(engine, connection, side);
	connection->unrecognised_turns = 0;
	lookup_take_message(engine, connection, side, time_ns);
}

static void on_broken(struct engine *engine, struct connection *connection, enum message_side side)
{
	struct exchange *exchange =
		side == SIDE_REQUEST ? connection->incoming : connection->oldest;

	if (exchange && !exchange->is_reported)
		exchange->failure = PARSE_MALFORMED;
	else
		requests_count(engine, connection, connection->tgid, PARSE_MALFORMED);
	requests_resync(engine, connection);
}

/* What was in the bytes that are missing cannot be said: at least one request when it was the asking side. */
static void on_lost(struct engine *engine, struct connection *connection, enum message_side side)
{
	bool is_unseen =
		(side == SIDE_REQUEST && !connection->incoming) || !connection->protocol->sniff;

	requests_resync(engine, connection);
	if (is_unseen)
		requests_report_unseen(engine, connection, PARSE_LOST, 1);
}

/* After a loss its request may be among those that count as lost already. */
static void on_stray(struct engine *engine, struct connection *connection)
{
	if (connection->was_lost)
		requests_count(engine, connection, connection->tgid, PARSE_UNMATCHED_RESPONSE);
	else
		requests_report_unseen(engine, connection, PARSE_PARTIAL, 1);
}

/* Nothing of the connection was understood yet, and nothing is what we took it for. */
static void forget_protocol(struct engine *engine, struct connection *connection)
{
	while (connection->oldest)
		exchange_retire(engine, connection);
	incoming_end(engine, connection);
	connection_clear_state(connection);
	streams_clear(connection);
	connection->protocol = NULL;
	connection->sync = SYNC_START;
	connection->lone_turns = 0;
	connection_set_mode(engine, connection, MODE_SNIFF);
	if (connection->is_role_guessed)
		connection->role = ROLE_UNKNOWN;
}

static inline struct exchange_facts *facts_of(struct engine *engine, struct connection *connection,
					      enum message_side side)
{
	struct exchange *exchange =
		side == SIDE_REQUEST ? connection->incoming : connection->oldest;

	if (exchange)
		return &exchange->facts;
	return connection->protocol->give_up ? &engine->paired.facts : &engine->nobody;
}

bool requests_take_odd_step(struct engine *engine, struct connection *connection,
			    enum message_side side, enum protocol_step step)
{
	if (step == STEP_UNSEEN) {
		on_unseen(engine, connection, side);
	} else if (step == STEP_MESSAGE) {
		tunnel_take_message(engine, connection, side, facts_of(engine, connection, side));
	} else if (step == STEP_PUSH) {
		requests_count(engine, connection, connection->tgid, PARSE_PUSH);
	} else if (step == STEP_STRAY) {
		on_stray(engine, connection);
	} else if (step == STEP_LOST) {
		on_lost(engine, connection, side);
	} else if (step == STEP_NOT_MINE && !connection->was_recognised) {
		forget_protocol(engine, connection);
		return false;
	} else {
		connection->was_recognised = true; /* its first line was right */
		on_broken(engine, connection, side);
	}
	return true;
}

/* Inline: half of what is done for a step hangs on the side alone. */
static inline __attribute__((always_inline)) bool feed_side(struct engine *engine,
							    struct connection *connection,
							    enum message_side side,
							    struct protocol_run *run,
							    uint64_t time_ns)
{
	enum protocol_step step;

	do {
		step = connection->protocol->parse(connection->state, side, run,
						   facts_of(engine, connection, side));
		if (step == STEP_MORE)
			return true;
		if (step == STEP_BEGIN)
			on_begin(engine, connection, side, run, time_ns);
		else if (step == STEP_HEAD)
			on_head(engine, connection, side, run, time_ns);
		else if (step == STEP_END)
			on_end(engine, connection, side, time_ns);
		else if (step == STEP_SILENT)
			on_silent(engine, connection, time_ns);
		else if (step == STEP_APART)
			on_apart(engine, connection, side, time_ns);
		else if (step == STEP_EXCHANGE)
			on_exchange(engine, connection, time_ns);
		else if (!requests_take_odd_step(engine, connection, side, step))
			return false;
	} while (connection->sync == SYNC_PARSED && (run->length || step != STEP_END));
	return true;
}

bool requests_feed(struct engine *engine, struct connection *connection, enum message_side side,
		   const uint8_t *bytes, uint64_t length, uint64_t time_ns)
{
	struct protocol_run run = {
		.bytes = bytes, .length = length, .time_ns = time_ns, .tid = connection->tid
	};

	if (connection->protocol->stream)
		return streams_feed(engine, connection, side, &run, time_ns);
	return side == SIDE_REQUEST ? feed_side(engine, connection, SIDE_REQUEST, &run, time_ns) :
				      feed_side(engine, connection, SIDE_RESPONSE, &run, time_ns);
}

bool requests_take_known_request(struct engine *engine, struct connection *connection,
				 const uint8_t *bytes, size_t captured, uint64_t length,
				 uint64_t time_ns)
{
	struct exchange *exchange;

	if (connection->oldest || connection->incoming ||
	    connection->orphan_outcome != PARSE_UNMATCHED_RESPONSE)
		return false;
	exchange = conn_exchange_new(engine);
	if (!exchange)
		return false;
	if (!connection->protocol->take_known(connection->state, SIDE_REQUEST, bytes, captured,
					      length, &exchange->facts)) {
		conn_exchange_free(engine, exchange);
		return false;
	}
	connection_note_lone(connection);
	exchange->start_ns = time_ns;
	exchange->tgid = connection->tgid;
	exchange->has_request = true;
	exchange->has_request_head = true;
	exchange->has_request_end = true;
	connection->oldest = connection->newest = exchange;
	connection->exchange_count = 1;
	pool_use(connection);
	place(connection, exchange, 0);
	usage_begin(engine, connection, exchange);
	if (engine->join)
		join_begin(engine, connection, exchange);
	connection->unrecognised_turns = 0;
	return true;
}

bool requests_take_known_response(struct engine *engine, struct connection *connection,
				  const uint8_t *bytes, size_t captured, uint64_t length,
				  uint64_t time_ns)
{
	struct exchange *exchange = connection->oldest;

	if (!exchange || exchange->next || !exchange->has_request_head ||
	    !exchange->has_request_end || exchange->has_response ||
	    !connection->protocol->take_known(connection->state, SIDE_RESPONSE, bytes, captured,
					      length, &exchange->facts))
		return false;
	exchange->has_response = true;
	exchange->has_response_head = true;
	exchange->has_response_end = true;
	exchange->end_ns = time_ns;
	if (engine->join)
		join_answer(engine, connection, exchange);
	settle_oldest(engine, connection, PARSE_OK);
	return true;
}

/* Where one answer ended unseen, the next ones may have followed it. When the turn is over, all requests before it
 * are taken for answered: their answers must not be looked for in those to later requests. */
void requests_boundary(struct engine *engine, struct connection *connection, enum message_side side,
		       enum protocol_boundary boundary, uint64_t tail, uint64_t time_ns)
{
	enum protocol_step step =
		connection->protocol->boundary(connection->state, side, boundary, tail);

	if (step == STEP_END)
		on_end(engine, connection, side, time_ns);
	if (side != SIDE_RESPONSE)
		return;
	if (step == STEP_END)
		connection->is_order_unsure = true;
	if (boundary != BOUNDARY_TURN)
		return;
	while (connection->is_order_unsure && connection->oldest) {
		connection->oldest->end_ns = time_ns;
		settle_oldest(engine, connection, PARSE_LOST);
	}
	connection->is_order_unsure = false;
}

void requests_break_off(struct engine *engine, struct connection *connection,
			enum message_side side)
{
	if (side == SIDE_REQUEST) {
		incoming_end(engine, connection);
	} else if (connection->oldest) {
		connection->oldest->end_ns = connection->moved_ns[connection_dir(connection, side)];
		settle_oldest(engine, connection, PARSE_LOST);
	}
	requests_boundary(engine, connection, side, BOUNDARY_RESYNC, 0, 0);
}

/* A peer's reset cuts an answer that only the close would have ended. Our own reset does too when we were the one reading
 * and the peer had not ended; a server sends it when it closes with request bytes unread, its answer whole. */
static bool is_cut(const struct connection *connection)
{
	bool is_given_up =
		connection->role == ROLE_CLIENT && !(connection->ref.flags & CONN_PEER_ENDED);
	unsigned cutting = CONN_RESET_RECEIVED | (is_given_up ? CONN_RESET_SENT : 0);
	const struct exchange *answer = requests_open_answer(connection);

	return (connection->ref.flags & cutting) && answer &&
	       answer->facts.sides[SIDE_RESPONSE].end != END_LIKELY;
}

/* Where the end of a request is not in its bytes, nobody can say. */
static bool is_request_cut(const struct exchange *exchange)
{
	return exchange->has_request_head && !exchange->has_request_end &&
	       exchange->facts.sides[SIDE_REQUEST].end == END_FRAMED;
}

void requests_close(struct engine *engine, struct connection *connection)
{
	uint64_t moved_ns = connection->moved_ns[connection_dir(connection, SIDE_RESPONSE)];
	const struct exchange *answer = requests_open_answer(connection);
	bool is_last = answer && answer->facts.sides[SIDE_RESPONSE].end == END_AT_CLOSE;
	bool is_unsure; /* answers to those that are left may be among the bytes that were not seen */

	give_up_paired(engine, connection, true);
	if (!is_cut(connection))
		requests_boundary(engine, connection, SIDE_RESPONSE, BOUNDARY_CLOSE, 0, moved_ns);
	/* Of streams the answering side may not have been found since we came, or since a loss. */
	is_unsure = (connection->is_order_unsure && !is_last) ||
		    (connection->protocol->stream &&
		     (connection->was_lost || connection->orphan_outcome == PARSE_PARTIAL));
	while (connection->oldest) {
		struct exchange *exchange = connection->oldest;

		if (!exchange->has_request) {
			requests_settle_orphan(engine, connection);
		} else if (is_silence_enough(exchange)) {
			exchange_let_go(engine, connection, exchange);
		} else if (exchange->has_response_head) {
			exchange->end_ns = moved_ns;
			settle_oldest(engine, connection,
				      exchange->has_request_head ? PARSE_RESPONSE_CUT :
								   PARSE_EARLY_RESPONSE);
		} else {
			exchange->end_ns = connection->closed_ns;
			settle_oldest(engine, connection,
				      is_unsure		       ? PARSE_LOST :
				      is_request_cut(exchange) ? PARSE_REQUEST_CUT :
								 PARSE_NO_RESPONSE);
		}
	}
	lookup_end_connection(engine, connection, PARSE_NO_RESPONSE);
	incoming_end(engine, connection);
}
