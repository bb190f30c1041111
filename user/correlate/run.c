/* SPDX-License-Identifier: Apache-2.0 */
/* The next bytes of a direction go to the protocol, or are looked at for one. */
#include "correlate/run.h"

#include <fnmatch.h>
#include <string.h>

#include "correlate/request.h"

/* Turns that start like no protocol we know, before we stop looking: of a connection that was open before, or had a
 * loss, may be in the middle of a message; of one that was understood once, after a loss. */
#define UNRECOGNISED_AT_START_MAX 64
#define UNRECOGNISED_LATER_MAX 16

void run_not_recognised(struct engine *engine, struct connection *connection)
{
	unsigned limit = UNRECOGNISED_LATER_MAX;

	if (!connection->was_recognised)
		limit = connection->orphan_outcome == PARSE_UNMATCHED_RESPONSE &&
					connection->sync != SYNC_LOST ?
				1 :
				UNRECOGNISED_AT_START_MAX;
	connection->turn_use = TURN_IS_SKIPPED;
	if (++connection->unrecognised_turns < limit)
		return;
	requests_count(engine, connection, connection->tgid, PARSE_NOT_THIS_PROTOCOL);
	connection_give_up(engine, connection);
}

enum sniff_result run_sniff(const uint8_t *bytes, size_t length,
			    const struct protocol **ret_protocol)
{
	enum sniff_result best = SNIFF_NO;

	for (size_t i = 0; i < protocol_table_length; i++) {
		enum sniff_result result = protocol_table[i]->sniff(bytes, length);

		if (result == SNIFF_REQUEST || result == SNIFF_RESPONSE || result == SNIFF_EITHER) {
			*ret_protocol = protocol_table[i];
			return result;
		}
		if (result == SNIFF_MORE)
			best = SNIFF_MORE;
	}
	return best == SNIFF_MORE && length >= SNIFF_MAX ? SNIFF_NO : best;
}

bool run_fits_role(struct connection *connection, unsigned dir, enum sniff_result result)
{
	enum message_side side = result == SNIFF_REQUEST ? SIDE_REQUEST : SIDE_RESPONSE;
	bool may_err = connection->is_role_guessed && connection->sync == SYNC_LOST &&
		       side == SIDE_REQUEST && connection_side(connection, dir) != side;

	if (result == SNIFF_EITHER)
		return connection->role != ROLE_UNKNOWN;
	if (may_err) /* the parser knows both sides by their roles */
		connection_clear_state(connection);
	if (connection->role == ROLE_UNKNOWN || may_err) {
		connection->role =
			(side == SIDE_REQUEST) == (dir == DIR_READ) ? ROLE_SERVER : ROLE_CLIENT;
		connection->is_role_guessed = true;
	}
	return connection_side(connection, dir) == side;
}

static unsigned dialects_of(struct engine *engine, const struct connection *connection)
{
	const struct process *process = selected_process(engine, connection->tgid);
	unsigned dialects = 0;

	for (size_t i = 0; process && i < engine->dialect_count; i++)
		if (fnmatch(engine->dialects[i].service_glob, process->service, 0) == 0)
			dialects |= 1u << engine->dialects[i].dialect;
	return dialects;
}

/* The first bytes of turns are not enough for bodies. */
static void set_dialects(struct engine *engine, struct connection *connection)
{
	unsigned dialects = dialects_of(engine, connection);

	if (!dialects || !connection->protocol->set_dialects(connection->state, dialects)) {
		/* The kernel side streams HTTP of all services until it is told. */
		connection_set_mode(engine, connection, connection->protocol->mode);
		return;
	}
	connection->has_dialects = true;
	connection->wanted_mode = MODE_STREAM;
	connection_set_mode(engine, connection, MODE_STREAM);
}

void run_recognise(struct engine *engine, struct connection *connection,
		   const struct protocol *protocol)
{
	if (protocol != connection->protocol) /* what it was taken for before was never sure */
		connection_clear_state(connection);
	connection->protocol = protocol;
	connection->wanted_mode = (uint8_t)protocol->mode;
	connection->sync = SYNC_PARSED;
	connection_share(engine, connection);
	if (protocol->mode >=
	    MODE_STREAM) /* every call counts; others have time until begin_turn */
		connection_set_mode(engine, connection, protocol->mode);
	if (engine->dialect_count && protocol->set_dialects)
		set_dialects(engine, connection);
}

/* What the other side said before, too little to say what it is. */
static void parse_early(struct engine *engine, struct connection *connection)
{
	size_t held = connection->early_bytes;

	connection->early_bytes = 0;
	if (held)
		run_parse(engine, connection, connection->early_dir, connection->early, held,
			  connection->turn.start_ns);
}

static void sniffed(struct engine *engine, struct connection *connection, unsigned dir,
		    enum sniff_result result, const struct protocol *protocol)
{
	bool is_known =
		(result == SNIFF_REQUEST || result == SNIFF_RESPONSE || result == SNIFF_EITHER) &&
		(!connection->was_recognised || protocol == connection->protocol) &&
		run_fits_role(connection, dir, result);

	connection->turn_use = TURN_IS_PARSED;
	if (connection->sync == SYNC_PARSED) {
		if (is_known)
			requests_break_off(engine, connection, connection_side(connection, dir));
	} else if (connection->sync == SYNC_LOST && is_known && result == SNIFF_RESPONSE) {
		connection->turn_use = TURN_IS_SKIPPED; /* an answer to something lost */
	} else if (is_known) {
		run_recognise(engine, connection, protocol);
		parse_early(engine, connection);
	} else {
		run_not_recognised(engine, connection);
	}
}

/* Too few are kept until more come, which may be after the other side has said something. */
void run_sniff_next(struct engine *engine, struct connection *connection, const uint8_t *bytes,
		    uint64_t length, uint64_t time_ns)
{
	unsigned dir = connection->turn.dir;
	const struct protocol *protocol = connection->protocol;
	size_t held = connection->sniffed_bytes, room, more;
	enum sniff_result result = SNIFF_NO;
	uint8_t first[SNIFF_MAX];

	memcpy(first, connection->sniffed, held);
	if (!held && connection->early_bytes && connection->early_dir == dir) {
		held = connection->early_bytes;
		memcpy(first, connection->early, held);
		connection->early_bytes = 0;
	}
	room = SNIFF_MAX - held;
	more = length < room ? (size_t)length : room;
	if (bytes) {
		memcpy(first + held, bytes, more);
		result = run_sniff(first, held + more, &protocol);
	} else if (connection->sync == SYNC_START &&
		   connection->orphan_outcome == PARSE_UNMATCHED_RESPONSE) {
		connection->orphan_outcome = PARSE_LOST; /* nobody can say what this was */
	}
	if (result == SNIFF_MORE) {
		memcpy(connection->sniffed, first, held + more);
		connection->sniffed_bytes = (uint8_t)(held + more);
		return;
	}
	connection->sniffed_bytes = 0;
	sniffed(engine, connection, dir, result, protocol);
	if (connection->turn_use == TURN_IS_PARSED && held)
		run_parse(engine, connection, dir, first, held, connection->turn.start_ns);
	if (connection->turn_use == TURN_IS_PARSED && connection->sync == SYNC_PARSED)
		run_parse(engine, connection, dir, bytes, length, time_ns);
}

void run_end_held(struct engine *engine, struct connection *connection)
{
	size_t held = connection->sniffed_bytes;

	connection->sniffed_bytes = 0;
	if (connection->turn_use != TURN_IS_SNIFFED)
		return;
	if (connection->sync == SYNC_PARSED) {
		run_parse(engine, connection, connection->turn.dir, connection->sniffed, held,
			  connection->turn.start_ns);
	} else if (connection->sync == SYNC_START && !connection->early_bytes &&
		   !(connection->ref.flags & CONN_PREEXISTING)) {
		memcpy(connection->early, connection->sniffed, held);
		connection->early_bytes = (uint8_t)held;
		connection->early_dir = connection->turn.dir;
	} else {
		run_not_recognised(engine, connection);
	}
}
