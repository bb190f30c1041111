/* SPDX-License-Identifier: Apache-2.0 */
/* Records between the owner thread, which puts them in, and one other, which takes them out: bounded, and neither ever waits
 * for the other. */
#ifndef SONDE_DELIVER_SPAN_QUEUE_H
#define SONDE_DELIVER_SPAN_QUEUE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct span_queue {
	unsigned char *bytes; /* owned */
	size_t size;	      /* a power of two */
	size_t spans_max;
	/* The owner thread's. */
	uint64_t written; /* position after the newest record */
	uint64_t put;	  /* records so far */
	/* The other thread's. */
	uint64_t read; /* position after the newest record taken */
	uint64_t taken;
	/* Both threads'. Positions only grow; `mask` of them is the place. */
	_Atomic uint64_t published;
	_Atomic uint64_t released;
	_Atomic uint64_t settled; /* records taken and done with */
};

/* Room for spans_max records, of 512 bytes on average. Returns 0 or -ENOMEM. */
int span_queue_init(struct span_queue *queue, size_t spans_max);
void span_queue_done(struct span_queue *queue);

/* Owner thread: room for a record of SPAN_RECORD_MAX bytes, 8-byte aligned; NULL: full. It is in the queue once it is
 * committed with its size. */
void *span_queue_reserve(struct span_queue *queue);
void span_queue_commit(struct span_queue *queue, size_t bytes);
size_t span_queue_count(const struct span_queue *queue); /* not settled yet */

/* The other thread: the next record, which stays until released; NULL: there is none. */
void *span_queue_take(struct span_queue *queue);
/* All that were taken. */
void span_queue_release(struct span_queue *queue);

#endif
