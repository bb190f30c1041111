/* SPDX-License-Identifier: Apache-2.0 */
/* Turn events become runs of bytes in order, with known gaps, for request.c. For the files of this room. */
#ifndef SONDE_CORRELATE_TURN_H
#define SONDE_CORRELATE_TURN_H

#include "correlate/connection.h"

/* Take in a TURN, TURN_PROGRESS, TCP_CLOSE or UNIX_CLOSE event. Returns 0 or -ENOMEM. */
int turn_take(struct engine *engine, const struct event *event);
int turn_take_progress(struct engine *engine, const struct event *event);
int turn_take_close(struct engine *engine, const struct event *event, const struct conn_ref *ref,
		    const struct turn_summary *turn);

/* Let time pass on a watched connection. It may be gone afterwards.
 * Returns true when the kernel was asked after the connection. */
bool turn_visit(struct engine *engine, struct connection *connection, uint64_t now_ns,
		bool may_ask);

#endif
