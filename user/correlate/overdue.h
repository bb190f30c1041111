/* SPDX-License-Identifier: Apache-2.0 */
/* Events of a turn that those of the next one overtook: two threads use the connection at once, on two CPUs. Where there are
 * streams the sides do not wait for each other, so that such events can still be taken. For the files of this room. */
#ifndef SONDE_CORRELATE_OVERDUE_H
#define SONDE_CORRELATE_OVERDUE_H

#include "correlate/connection.h"

/* The turn under way is over, and events of it are missing up to `end`. Returns false when they will not be waited for. */
bool overdue_rest(struct connection *connection, const struct turn_summary *end);

/* All of the turn before the event's are missing; skipped: turns between it and the one under way. Returns false as above. */
bool overdue_turn(struct connection *connection, const struct event_turn *event, uint32_t skipped);

/* Take an event that was waited for. Returns false when bytes before it are missing. */
bool overdue_take(struct engine *engine, struct connection *connection, const struct event *event);

#endif
