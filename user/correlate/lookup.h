/* SPDX-License-Identifier: Apache-2.0 */
/* DNS lookups under way, over UDP and TCP: answers come in any order, and are told by socket, identifier and question. For the
 * files of this room. */
#ifndef SONDE_CORRELATE_LOOKUP_H
#define SONDE_CORRELATE_LOOKUP_H

#include "correlate/connection.h"

/* Lookups under way on the machine; the one asked least recently is given up when there are more (counted). */
#define LOOKUPS_MAX 16384

struct lookup_table;

/* Returns NULL: out of memory. */
struct lookup_table *lookup_table_new(void);
void lookup_table_free(struct lookup_table **table);

/* Take in a DATAGRAM event. Returns 0 or -ENOMEM. */
int lookup_take_datagram(struct engine *engine, const struct event *event);

/* Take the message of a connection that its protocol's STEP_APART ended. */
void lookup_take_message(struct engine *engine, struct connection *connection,
			 enum message_side side, uint64_t time_ns);

/* Nothing more comes on a connection: its lookups end as `outcome`, PARSE_NO_RESPONSE or PARSE_LOST. */
void lookup_end_connection(struct engine *engine, struct connection *connection,
			   enum parse_outcome outcome);

/* Let time pass. */
void lookup_tick(struct engine *engine, uint64_t now_ns);

size_t lookup_count(const struct lookup_table *table);
uint64_t lookup_evicted(const struct lookup_table *table);

#endif
