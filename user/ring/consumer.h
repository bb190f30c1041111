/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the ring buffers in batches: by timer, or early when one is filling up. Owner thread only. */
#ifndef SONDE_RING_CONSUMER_H
#define SONDE_RING_CONSUMER_H

#include <stddef.h>
#include <stdint.h>

struct ring_consumer;

/* One record; bytes are 8-byte aligned and borrowed until it returns. */
typedef void (*ring_visit)(void *context, const void *bytes, size_t length);

/* rings: descriptors, [RING_PROCESS] first; borrowed while the consumer lives. Returns 0 or negative errno. */
int ring_consumer_new(const int *rings, size_t count, ring_visit visit, void *context,
		      struct ring_consumer **ret_consumer);
void ring_consumer_free(struct ring_consumer **consumer);

/* Readable when a ring is filling up, not for every record. */
int ring_consumer_fd(const struct ring_consumer *consumer);

/* From now on hand on what a thread did in its order, whatever rings it is in. A record that takes long to be written then holds up
 * those of all rings, which is why only those who ask for it get it. */
void ring_consumer_put_in_order(struct ring_consumer *consumer);

/* Hand on everything: process events before what the processes did after them. Returns how many records. Must not be called
 * from within visit. */
size_t ring_consumer_drain(struct ring_consumer *consumer);

/* Only the process events; may be called from within visit. For who has something newer than the rings: the kernel's
 * tables. */
size_t ring_consumer_drain_processes(struct ring_consumer *consumer);

/* Bytes waiting in a ring. */
uint64_t ring_consumer_waiting(const struct ring_consumer *consumer, size_t ring);

#endif
