/* SPDX-License-Identifier: Apache-2.0 */
/* Requests repeat: the series of the newest ones of each kind are remembered with all that their labels depend on. A
 * miss costs a look-up by labels for each metric, as without this. For the files of this room only. */
#ifndef SONDE_AGGREGATE_REQUEST_MEMORY_H
#define SONDE_AGGREGATE_REQUEST_MEMORY_H

#include "aggregate/series.h"
#include "correlate/observation.h"

/* The series that a request goes to. */
enum request_series {
	SERIES_OF_PROCESS,
	SERIES_DURATION,
	SERIES_REQUEST_SIZE,
	SERIES_RESPONSE_SIZE,
	SERIES_OF_ALL, /* requests; those from here on are of some */
	SERIES_RETURNED_ROWS = SERIES_OF_ALL,
	SERIES_VALUE_SIZE,
	REQUEST_SERIES,
};

#define MEMORY_TEXT_MAX 192 /* requests with more that is not static are not remembered */

struct remembered {
	uint64_t process; /* struct process.identity; 0: empty */
	const struct protocol *protocol;
	const char
		*attributes[LABELLED_COUNT]; /* where the text was; what is static is still there */
	uint8_t addr[16]; /* of the end that serves, like port: the only one that labels name */
	uint16_t port;
	uint16_t family;
	enum conn_role role; /* of the process */
	uint32_t copied;     /* bits: which attributes are not static; their text is below … */
	uint8_t at[LABELLED_COUNT]; /* … from here on */
	uint8_t path_at; /* there, too: the path of a Unix-domain socket; 0: none, or empty */
	uint8_t wanted;	 /* the caller's, as the rest; 0 in a new entry */
	struct series_slot slots[REQUEST_SERIES];
	struct series_slot reads[2]; /* missed, found */
	struct series_slot waits[TIME_PART_COUNT];
	char text[MEMORY_TEXT_MAX];
};

struct request_memory;

struct request_memory *request_memory_new(void); /* NULL: out of memory */
void request_memory_free(struct request_memory **memory);

/* The entry of requests like this one, a new one if need be. NULL: not to be remembered. */
struct remembered *request_memory_find(struct request_memory *memory,
				       const struct request *request);

#endif
