/* SPDX-License-Identifier: Apache-2.0 */
/* What the thread of a request did meanwhile. For the files of this room. */
#ifndef SONDE_CORRELATE_USAGE_H
#define SONDE_CORRELATE_USAGE_H

#include "correlate/connection.h"
#include "correlate/observation.h"
#include "decode/event.h"

/* A call's event has come, which is not taken in yet. */
void usage_note(struct connection *connection, const struct event *event);

/* The figures of a turn have come by themselves. newest NULL, or its tid 0: without these. */
void usage_note_newest(struct connection *connection, const struct turn_summary *turn,
		       const struct call_use *newest);

/* The request's first byte is in the event in hand. */
void usage_begin(struct engine *engine, const struct connection *connection,
		 struct exchange *exchange);

/* The exchange is over, whose usage is then known. All is unaccounted when it began and ended in calls of different threads, or nobody
 * has told what was used by then. */
void usage_end(struct engine *engine, const struct connection *connection,
	       struct exchange *exchange);

#endif
