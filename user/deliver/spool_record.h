/* SPDX-License-Identifier: Apache-2.0 */
/* Batches as they stand in a file of the spool, one behind the other: a head, then the bytes. Numbers are little-endian. Pure. */
#ifndef SONDE_DELIVER_SPOOL_RECORD_H
#define SONDE_DELIVER_SPOOL_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SPOOL_HEAD_BYTES 24
/* Written over a head's mark when the batch is sent: the one thing that changes in a file. */
#define SPOOL_MARK_OFFSET 20
#define SPOOL_MARK_BYTES 4
extern const uint8_t spool_mark_sent[SPOOL_MARK_BYTES];

/* Returns 0; -EMSGSIZE: longer than a head can say */
int spool_head_write(const void *body, size_t length, uint64_t spans,
		     uint8_t ret_head[SPOOL_HEAD_BYTES]);

struct spool_record {
	size_t start; /* of its head */
	size_t end;   /* of its body */
	uint64_t spans;
	bool is_sent;
	bool is_whole; /* else a stretch that cannot be read; its spans are those of a head in it that can, if any */
};

/* The next record, or the whole of what cannot be read until the next one that can, or until the end.
 *
 * position  where to look; to go on, the last record's end
 * Returns   false: there is nothing more */
bool spool_record_next(const uint8_t *bytes, size_t length, size_t position,
		       struct spool_record *ret_record);

#endif
