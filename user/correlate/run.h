/* SPDX-License-Identifier: Apache-2.0 */
/* Runs of bytes of a connection, in order, on their way to the protocol. For the files of this room. */
#ifndef SONDE_CORRELATE_RUN_H
#define SONDE_CORRELATE_RUN_H

#include "correlate/connection.h"
#include "correlate/request.h"

/* The next bytes of the turn under way, of which the first say what it is; those before them may have been held. */
void run_sniff_next(struct engine *engine, struct connection *connection, const uint8_t *bytes,
		    uint64_t length, uint64_t time_ns);

/* The bytes were not what the protocol takes. */
void run_not_recognised(struct engine *engine, struct connection *connection);

/* Bytes of any direction, for the protocol that is known. */
static inline void run_parse(struct engine *engine, struct connection *connection, unsigned dir,
			     const uint8_t *bytes, uint64_t length, uint64_t time_ns)
{
	enum message_side side = connection_side(connection, dir);

	if (dir == connection->fed_dir)
		connection->fed += (uint32_t)length;
	if (!requests_feed(engine, connection, side, bytes, length, time_ns))
		run_not_recognised(engine, connection);
}

/* The next bytes of the turn under way: sniffed, parsed or skipped as its turn_use says. bytes NULL: not captured. */
static inline void run_take_next(struct engine *engine, struct connection *connection,
				 const uint8_t *bytes, uint64_t length, uint64_t time_ns)
{
	unsigned dir = connection->turn.dir;

	connection->consumed += length;
	connection->moved_ns[dir] = time_ns;
	if (!length || connection->sync == SYNC_DONE)
		return;
	if (connection->turn_use == TURN_IS_SNIFFED)
		run_sniff_next(engine, connection, bytes, length, time_ns);
	else if (connection->turn_use == TURN_IS_PARSED && connection->sync == SYNC_PARSED)
		run_parse(engine, connection, dir, bytes, length, time_ns);
}

/* The turn has moved `until` bytes; what of them is not known yet was not captured. */
static inline void run_take_unseen(struct engine *engine, struct connection *connection,
				   uint64_t until, uint64_t time_ns)
{
	if (until > connection->consumed)
		run_take_next(engine, connection, NULL, until - connection->consumed, time_ns);
}

/* The turn ended and its first bytes, which are held, were too few to say anything. */
void run_end_held(struct engine *engine, struct connection *connection);

static inline void run_end_sniff(struct engine *engine, struct connection *connection)
{
	if (connection->sniffed_bytes)
		run_end_held(engine, connection);
}

/* Tell the protocol, if one is being parsed. */
static inline void run_boundary(struct engine *engine, struct connection *connection, unsigned dir,
				enum protocol_boundary what, uint64_t tail)
{
	if (connection->sync == SYNC_PARSED &&
	    requests_minds_boundary(connection, connection_side(connection, dir)))
		requests_boundary(engine, connection, connection_side(connection, dir), what, tail,
				  connection->moved_ns[dir]);
}

/* The connection speaks this. */
void run_recognise(struct engine *engine, struct connection *connection,
		   const struct protocol *protocol);

/* What all protocols say of first bytes; ret_protocol is set with SNIFF_REQUEST and SNIFF_RESPONSE. */
enum sniff_result run_sniff(const uint8_t *bytes, size_t length,
			    const struct protocol **ret_protocol);

/* Does what the bytes look like fit the side that they come from? An unknown role is guessed from it. */
bool run_fits_role(struct connection *connection, unsigned dir, enum sniff_result result);

#endif
