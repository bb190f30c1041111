/* SPDX-License-Identifier: Apache-2.0 */
/* Whose trace a request belongs to. For the files of this room. */
#ifndef SONDE_CORRELATE_JOIN_H
#define SONDE_CORRELATE_JOIN_H

#include "correlate/connection.h"
#include "correlate/span.h"

/* Give a finished request its identity. Returns false when nobody wants spans. */
bool join_request(struct engine *engine, struct span_identity *ret_span);

#endif
