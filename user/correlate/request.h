/* SPDX-License-Identifier: Apache-2.0 */
/* Messages of a connection become requests with their answers, and are reported. For the files of this room. */
#ifndef SONDE_CORRELATE_REQUEST_H
#define SONDE_CORRELATE_REQUEST_H

#include "correlate/connection.h"

/* Give the protocol the next bytes of a side.
 *
 * bytes    NULL: not captured
 * time_ns  when the process moved them
 * Returns  false when the first bytes that looked like the protocol's are not: connection->protocol is then
 *          forgotten; true otherwise, also when the position was lost (sync is SYNC_LOST then) */
bool requests_feed(struct engine *engine, struct connection *connection, enum message_side side,
		   const uint8_t *bytes, uint64_t length, uint64_t time_ns);

/* Tell the protocol what else happened to a side; time_ns is when its newest byte moved. */
void requests_boundary(struct engine *engine, struct connection *connection, enum message_side side,
		       enum protocol_boundary boundary, uint64_t tail, uint64_t time_ns);

/* Everything under way ends as `outcome`, and is reported as partial. */
void requests_abandon(struct engine *engine, struct connection *connection,
		      enum parse_outcome outcome);

/* Report requests of which nothing was seen. */
void requests_report_unseen(struct engine *engine, struct connection *connection,
			    enum parse_outcome outcome, uint32_t count);

/* An answer waits for its request, which has not been seen: give it up. */
void requests_settle_orphan(struct engine *engine, struct connection *connection);

/* A new message begins on a side where another one was under way: bytes were missed. */
void requests_break_off(struct engine *engine, struct connection *connection,
			enum message_side side);

/* Bytes were lost: forget, and wait for a turn that starts with a request. */
void requests_resync(struct engine *engine, struct connection *connection);

/* The connection is over. */
void requests_close(struct engine *engine, struct connection *connection);

/* Nothing more can be understood of the connection: the kernel need not ship its bytes. */
void connection_give_up(struct engine *engine, struct connection *connection);

/* The process, or NULL when it is not selected (or memory is short). */
const struct process *selected_process(struct engine *engine, uint32_t tgid);

/* Count an outcome, unless the process is not selected. */
void requests_count(struct engine *engine, const struct connection *connection, uint32_t tgid,
		    enum parse_outcome outcome);

/* Hand an exchange to the sink, as far as its failure is one that is reported, and count its outcomes. */
void exchange_report(struct engine *engine, struct connection *connection,
		     const struct exchange *exchange);

/* Take a whole message that the protocol knows again, `captured` of its `length` bytes: it comes to what requests_feed comes
 * to, in fewer steps. Return false, with nothing done, when it is not such a message, or more than it is under way. */
bool requests_take_known_request(struct engine *engine, struct connection *connection,
				 const uint8_t *bytes, size_t captured, uint64_t length,
				 uint64_t time_ns);
bool requests_take_known_response(struct engine *engine, struct connection *connection,
				  const uint8_t *bytes, size_t captured, uint64_t length,
				  uint64_t time_ns);

/* A new exchange at the end of the list. NULL: out of memory, or too many are in flight. */
struct exchange *exchange_append(struct engine *engine, struct connection *connection,
				 uint64_t start_ns);

/* Steps that few messages take. Returns false when what was parsed is another protocol. */
bool requests_take_odd_step(struct engine *engine, struct connection *connection,
			    enum message_side side, enum protocol_step step);

/* The answer under way whose end time or questions may bring, or NULL: of streams none. */
static inline struct exchange *requests_open_answer(const struct connection *connection)
{
	struct exchange *oldest = connection->oldest;

	return oldest && oldest->has_response_head && !oldest->has_response_end && !oldest->stream ?
		       oldest :
		       NULL;
}

/* Whether a message of that side may be under way, or its order is in doubt: else no boundary ends or settles anything. A
 * request that seemed over goes on after an interim answer. */
static inline bool requests_minds_boundary(const struct connection *connection,
					   enum message_side side)
{
	bool is_answered = connection->oldest && connection->oldest->has_response;

	return is_answered ||
	       (side == SIDE_REQUEST ? connection->incoming != NULL : connection->is_order_unsure);
}

#endif
