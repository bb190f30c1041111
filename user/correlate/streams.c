/* SPDX-License-Identifier: Apache-2.0 */
/* From the steps of protocols with streams to exchanges. Numbers of streams rise, so that of one which is not known it can be
 * said whether it began before we looked, is over, or is answered before its request was seen. */
#include "correlate/streams.h"

#include "correlate/join.h"
#include "correlate/request.h"
#include "correlate/usage.h"

static struct exchange **bucket_of(struct engine *engine, const struct connection *connection,
				   uint32_t number)
{
	uint64_t hash = hash_u64(connection->ref.conn_id ^ (uint64_t)number << 32);

	return &engine->streams[hash % STREAM_BUCKETS];
}

struct exchange *streams_find(struct engine *engine, const struct connection *connection,
			      uint32_t number)
{
	struct exchange *exchange = *bucket_of(engine, connection, number);

	while (exchange && (exchange->connection != connection || exchange->stream != number))
		exchange = exchange->next_in_bucket;
	return exchange;
}

static void stream_enter(struct engine *engine, struct connection *connection,
			 struct exchange *exchange, uint32_t number)
{
	struct exchange **bucket = bucket_of(engine, connection, number);

	exchange->connection = connection;
	exchange->stream = number;
	exchange->next_in_bucket = *bucket;
	*bucket = exchange;
}

static struct exchange *stream_add(struct engine *engine, struct connection *connection,
				   uint32_t number, uint64_t time_ns)
{
	struct exchange *exchange = exchange_append(engine, connection, time_ns);

	if (exchange)
		stream_enter(engine, connection, exchange, number);
	return exchange;
}

/* What the answer that switched said of it is not what its answer says. */
static void forget_answer(struct exchange *exchange)
{
	struct exchange_facts *facts = &exchange->facts;

	exchange->has_response = exchange->has_response_head = false;
	facts->sides[SIDE_RESPONSE] = (struct message){ 0 };
	facts->attributes[ATTRIBUTE_HTTP_RESPONSE_STATUS_CODE] = NULL;
	facts->attributes[ATTRIBUTE_ERROR_TYPE] = NULL;
	facts->successor = facts->dialect = NULL;
	facts->note = 0;
}

bool streams_succeed(struct engine *engine, struct connection *connection)
{
	struct exchange *exchange = connection->oldest;

	if (exchange->next || connection->incoming || connection->awaited_turn_no)
		return false;
	connection_succeed(engine, connection, exchange->facts.successor);
	forget_answer(exchange);
	stream_enter(engine, connection, exchange, 1);
	if (exchange->has_request)
		connection->first_stream = connection->newest_stream = 1;
	return true;
}

void streams_forget(struct engine *engine, struct exchange *exchange)
{
	struct connection *connection = exchange->connection;
	struct exchange **link = bucket_of(engine, connection, exchange->stream);

	while (*link != exchange)
		link = &(*link)->next_in_bucket;
	*link = exchange->next_in_bucket;
	for (unsigned side = 0; side < SIDE_COUNT; side++)
		if (connection->streaming[side] == exchange)
			connection->streaming[side] = NULL;
}

void streams_clear(struct connection *connection)
{
	connection->first_stream = connection->newest_stream = 0;
}

void streams_lose(struct connection *connection)
{
	connection->first_stream = 0;
	connection->had_stream_loss = true;
}

static void settle(struct engine *engine, struct exchange *exchange, enum parse_outcome failure)
{
	struct connection *connection = exchange->connection;
	bool is_kept;

	if (exchange->failure == PARSE_OK)
		exchange->failure = (uint8_t)failure;
	if (exchange->failure == PARSE_OK && exchange->facts.is_kind_unknown) {
		exchange->failure = PARSE_HEADER_UNKNOWN;
		exchange->facts.outcomes &= ~(1ull << PARSE_HEADER_UNKNOWN);
	}
	usage_end(engine, connection, exchange);
	join_answered(engine, connection, exchange);
	is_kept = engine->join && join_await(engine, connection, exchange);
	if (!is_kept)
		exchange_report(engine, connection, exchange);
	if (exchange->previous)
		exchange->previous->next = exchange->next;
	else
		connection->oldest = exchange->next;
	if (exchange->next)
		exchange->next->previous = exchange->previous;
	else
		connection->newest = exchange->previous;
	connection->exchange_count--;
	if (!is_kept)
		conn_exchange_free(engine, exchange);
}

/* Of a stream without a request: whether that was before we looked, so that it will not come any more. */
static bool began_unseen(const struct connection *connection, uint32_t number)
{
	if (!connection->had_stream_loss && connection->orphan_outcome == PARSE_UNMATCHED_RESPONSE)
		return false;
	return !connection->first_stream || number < connection->first_stream;
}

/* What was lost was counted when it was. */
static enum parse_outcome outcome_of_unseen(const struct connection *connection)
{
	return connection->had_stream_loss ? PARSE_UNMATCHED_RESPONSE :
					     (enum parse_outcome)connection->orphan_outcome;
}

/* An exchange whose answer is over. One whose request has yet to be seen waits for that. */
static void finish(struct engine *engine, struct exchange *exchange, enum parse_outcome failure)
{
	struct connection *connection = exchange->connection;

	if (exchange->has_request_head)
		settle(engine, exchange, failure);
	else if (exchange->has_request)
		settle(engine, exchange, failure == PARSE_OK ? PARSE_EARLY_RESPONSE : failure);
	else if (began_unseen(connection, exchange->stream))
		settle(engine, exchange, outcome_of_unseen(connection));
	else if (failure != PARSE_OK)
		exchange->failure = (uint8_t)failure;
}

static void on_request_begin(struct engine *engine, struct connection *connection, uint32_t number,
			     uint64_t time_ns)
{
	struct exchange *exchange = streams_find(engine, connection, number);

	if (!exchange)
		exchange = stream_add(engine, connection, number, time_ns);
	if (!exchange) {
		requests_resync(engine, connection);
		requests_report_unseen(engine, connection, PARSE_LOST, 1);
		return;
	}
	if (!connection->first_stream)
		connection->first_stream = number;
	if (number > connection->newest_stream)
		connection->newest_stream = number;
	if (time_ns < exchange->start_ns)
		exchange->start_ns = time_ns;
	exchange->tgid = connection->tgid;
	exchange->has_request = true;
	usage_begin(engine, connection, exchange);
	join_begin(engine, connection, exchange);
	connection->streaming[SIDE_REQUEST] = exchange;
}

/* Streams that are over may have frames under way. */
static bool is_over(const struct connection *connection, uint32_t number)
{
	return number <= connection->newest_stream &&
	       (connection->had_stream_loss ||
		(connection->first_stream && number >= connection->first_stream));
}

static void on_response_begin(struct engine *engine, struct connection *connection, uint32_t number,
			      uint64_t time_ns)
{
	struct exchange *exchange = streams_find(engine, connection, number);

	if (!exchange && !is_over(connection, number)) {
		exchange = stream_add(engine, connection, number, time_ns);
		if (!exchange) {
			requests_resync(engine, connection);
			return;
		}
	}
	connection->streaming[SIDE_RESPONSE] = exchange;
	if (!exchange)
		return;
	exchange->has_response = true;
	join_answer(engine, connection, exchange);
}

static void on_head(struct engine *engine, struct connection *connection, enum message_side side)
{
	struct exchange *exchange = connection->streaming[side];

	connection->was_recognised = true;
	connection->unrecognised_turns = 0;
	if (!exchange)
		return;
	if (side == SIDE_RESPONSE) {
		if (!exchange->facts.sides[SIDE_RESPONSE].is_interim)
			exchange->has_response_head = true;
		return;
	}
	exchange->has_request_head = true;
	join_head(engine, exchange);
	if (exchange->has_response_end)
		settle(engine, exchange, PARSE_OK);
}

static void on_end(struct engine *engine, struct connection *connection, enum message_side side,
		   uint64_t time_ns)
{
	struct exchange *exchange = connection->streaming[side];

	if (!exchange)
		return;
	if (side == SIDE_REQUEST) {
		exchange->has_request_end = true;
		return;
	}
	exchange->end_ns = time_ns;
	exchange->has_response_end = true;
	finish(engine, exchange, exchange->has_response_head ? PARSE_OK : PARSE_MALFORMED);
}

static void fail(struct engine *engine, struct exchange *exchange, const char *error,
		 uint64_t time_ns)
{
	exchange->end_ns = time_ns;
	exchange->has_response_end = true;
	exchange->facts.attributes[ATTRIBUTE_ERROR_TYPE] = error;
	exchange->facts.sides[SIDE_RESPONSE].fault = FAULT_SERVER;
	finish(engine, exchange, PARSE_STREAM_RESET);
}

static void on_refused(struct engine *engine, struct connection *connection,
		       const struct protocol_stream *above, uint64_t time_ns)
{
	struct exchange *exchange = connection->oldest, *next;

	for (; exchange; exchange = next) {
		next = exchange->next;
		if (exchange->stream > above->number)
			fail(engine, exchange, above->error, time_ns);
	}
}

/* Its header was not captured; that it ends will show all the same. */
static void on_unseen(struct connection *connection, enum message_side side)
{
	struct exchange *exchange = connection->streaming[side];

	if (!exchange)
		return;
	exchange->failure = PARSE_LOST;
	if (side == SIDE_REQUEST)
		exchange->has_request_head = true;
	else
		exchange->has_response_head = true;
}

/* Returns false when what was parsed is another protocol. */
static bool take_step(struct engine *engine, struct connection *connection, enum message_side side,
		      enum protocol_step step, uint64_t time_ns)
{
	const struct protocol_stream *about = connection->protocol->stream(connection->state, side);
	struct exchange *exchange;

	switch (step) {
	case STEP_BEGIN:
		if (side == SIDE_REQUEST)
			on_request_begin(engine, connection, about->number, time_ns);
		else
			on_response_begin(engine, connection, about->number, time_ns);
		return true;
	case STEP_STREAM:
		connection->streaming[side] = streams_find(engine, connection, about->number);
		return true;
	case STEP_HEAD:
		on_head(engine, connection, side);
		return true;
	case STEP_END:
		on_end(engine, connection, side, time_ns);
		return true;
	case STEP_RESET:
		exchange = streams_find(engine, connection, about->number);
		if (exchange)
			fail(engine, exchange, about->error, time_ns);
		return true;
	case STEP_REFUSED:
		on_refused(engine, connection, about, time_ns);
		return true;
	case STEP_UNSEEN:
		on_unseen(connection, side);
		return true;
	case STEP_BROKEN:
		requests_count(engine, connection, connection->tgid, PARSE_MALFORMED);
		requests_resync(engine, connection);
		return true;
	case STEP_LOST:
		requests_resync(engine, connection);
		return true;
	default:
		return requests_take_odd_step(engine, connection, side, step);
	}
}

/* What the parser writes of no exchange must not look like something by the next frame. */
static struct exchange_facts *facts_of(struct engine *engine, const struct connection *connection,
				       enum message_side side)
{
	struct exchange *exchange = connection->streaming[side];

	if (exchange)
		return &exchange->facts;
	engine->nobody.note = 0;
	engine->nobody.outcomes = 0;
	return &engine->nobody;
}

bool streams_feed(struct engine *engine, struct connection *connection, enum message_side side,
		  struct protocol_run *run, uint64_t time_ns)
{
	enum protocol_step step;

	do {
		step = connection->protocol->parse(connection->state, side, run,
						   facts_of(engine, connection, side));
		if (step == STEP_MORE)
			return true;
		if (!take_step(engine, connection, side, step, time_ns))
			return false;
	} while (connection->sync == SYNC_PARSED && (run->length || step != STEP_END));
	return true;
}
