/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel's ring buffers, read in place. Layout and order of accesses: kernel/bpf/ringbuf.c; a page with the consumer's
 * position, which is ours to write, one with the producer's, then the data, twice in a row so that no record is split. Of the second
 * time no more is mapped than the longest record needs: what is mapped twice counts twice as resident memory. */
#include "ring/consumer.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "config_abi.h"
#include "ring/recording.h"

struct ring {
	unsigned long *consumed;
	const unsigned long *produced;
	const uint8_t *data;
	unsigned long mask;
	size_t mapped; /* bytes from `produced` on */
};

struct record {
	const uint8_t *bytes;
	uint32_t length;
};

/* Events that come faster than they are read must not keep the owner from everything else. */
#define DRAIN_ROUNDS 64

struct ring_consumer {
	ring_visit visit;
	void *context;
	size_t count;
	size_t page;
	int epoll_fd;	      /* owned */
	bool is_in_processes; /* just now: no record is handed on a second time from within visit */
	struct ring rings[RING_MAX];
	bool is_in_order;
};

static int ring_bytes(int fd, size_t *ret_bytes)
{
	struct bpf_map_info info = { 0 };
	__u32 length = sizeof(info);

	if (bpf_obj_get_info_by_fd(fd, &info, &length))
		return -errno;
	if (info.type != BPF_MAP_TYPE_RINGBUF)
		return -EINVAL;
	*ret_bytes = info.max_entries;
	return 0;
}

/* What the longest record that begins at the data's end has behind it. */
static size_t overlap_bytes(size_t bytes, size_t page)
{
	size_t longest = BPF_RINGBUF_HDR_SZ + RECORDING_EVENT_MAX;
	size_t pages = (longest + page - 1) / page * page;

	return pages < bytes ? pages : bytes;
}

static int ring_map(struct ring *ring, int fd, size_t page)
{
	void *map = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	size_t bytes = 0;
	int error;

	if (map == MAP_FAILED)
		return -errno;
	ring->consumed = map;
	error = ring_bytes(fd, &bytes);
	if (error)
		return error;
	ring->mask = bytes - 1;
	ring->mapped = page + bytes + overlap_bytes(bytes, page);
	map = mmap(NULL, ring->mapped, PROT_READ, MAP_SHARED, fd, (off_t)page);
	if (map == MAP_FAILED)
		return -errno;
	ring->produced = map;
	ring->data = (const uint8_t *)map + page;
	return 0;
}

static void ring_unmap(struct ring *ring, size_t page)
{
	if (ring->consumed)
		munmap(ring->consumed, page);
	if (ring->produced)
		munmap((void *)(uintptr_t)ring->produced, ring->mapped);
}

static int open_rings(struct ring_consumer *consumer, const int *rings)
{
	struct epoll_event event = { .events = EPOLLIN };

	consumer->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (consumer->epoll_fd < 0)
		return -errno;
	for (size_t i = 0; i < consumer->count; i++) {
		int error = ring_map(&consumer->rings[i], rings[i], consumer->page);

		if (error)
			return error;
		if (epoll_ctl(consumer->epoll_fd, EPOLL_CTL_ADD, rings[i], &event))
			return -errno;
	}
	return 0;
}

int ring_consumer_new(const int *rings, size_t count, ring_visit visit, void *context,
		      struct ring_consumer **ret_consumer)
{
	struct ring_consumer *consumer;
	int error;

	if (count < 2 || count > RING_MAX)
		return -EINVAL;
	consumer = calloc(1, sizeof(*consumer));
	if (!consumer)
		return -ENOMEM;
	*consumer = (struct ring_consumer){ .epoll_fd = -1,
					    .visit = visit,
					    .context = context,
					    .count = count,
					    .page = (size_t)sysconf(_SC_PAGESIZE) };
	error = open_rings(consumer, rings);
	if (error) {
		ring_consumer_free(&consumer);
		return error;
	}
	*ret_consumer = consumer;
	return 0;
}

void ring_consumer_free(struct ring_consumer **consumer_slot)
{
	struct ring_consumer *consumer = *consumer_slot;

	if (!consumer)
		return;
	for (size_t i = 0; i < consumer->count; i++)
		ring_unmap(&consumer->rings[i], consumer->page);
	if (consumer->epoll_fd >= 0)
		close(consumer->epoll_fd);
	free(consumer);
	*consumer_slot = NULL;
}

int ring_consumer_fd(const struct ring_consumer *consumer)
{
	return consumer->epoll_fd;
}

static unsigned long end_of(const struct ring *ring)
{
	return __atomic_load_n(ring->produced, __ATOMIC_ACQUIRE);
}

/* Give the record in front back: hooks may be waiting for room. */
static void ring_give_back(struct ring *ring, uint32_t length)
{
	unsigned long taken = *ring->consumed; /* nobody else writes it */

	taken += (length + BPF_RINGBUF_HDR_SZ + 7ul) & ~7ul;
	__atomic_store_n(ring->consumed, taken, __ATOMIC_RELEASE);
}

/* Find the record in front, behind those that were discarded. Returns 0; -ENODATA: none before `end`; -EBUSY: it is
 * still being written. */
static int ring_peek(struct ring *ring, unsigned long end, struct record *ret_record)
{
	while (*ring->consumed != end) {
		const uint8_t *record = ring->data + (*ring->consumed & ring->mask);
		uint32_t head =
			__atomic_load_n((const uint32_t *)(const void *)record, __ATOMIC_ACQUIRE);
		uint32_t length = head & ~(BPF_RINGBUF_BUSY_BIT | BPF_RINGBUF_DISCARD_BIT);

		if (head & BPF_RINGBUF_BUSY_BIT)
			return -EBUSY;
		if (!(head & BPF_RINGBUF_DISCARD_BIT)) {
			*ret_record = (struct record){ record + BPF_RINGBUF_HDR_SZ, length };
			return 0;
		}
		ring_give_back(ring, length);
	}
	return -ENODATA;
}

static void take_record(const struct ring_consumer *consumer, struct ring *ring,
			const struct record *record)
{
	consumer->visit(consumer->context, record->bytes, record->length);
	ring_give_back(ring, record->length);
}

/* Up to `end`, or to a record that is still being written. */
static size_t drain_ring(const struct ring_consumer *consumer, struct ring *ring, unsigned long end)
{
	struct record record;
	size_t count = 0;

	for (; !ring_peek(ring, end, &record); count++)
		take_record(consumer, ring, &record);
	return count;
}

/* A record of no event is told first. */
static uint64_t time_of(const struct record *record)
{
	const struct event_header *header = (const void *)record->bytes;

	return record->length < sizeof(*header) ? 0 : header->ktime_ns;
}

/* Where a drain is: the record in front of each ring, and its time; UINT64_MAX: there is none. */
struct merge {
	unsigned long ends[RING_MAX];
	struct record heads[RING_MAX];
	uint64_t times[RING_MAX];
};

static int look_at(struct ring_consumer *consumer, struct merge *merge, size_t ring)
{
	int error = ring_peek(&consumer->rings[ring], merge->ends[ring], &merge->heads[ring]);

	merge->times[ring] = error ? UINT64_MAX : time_of(&merge->heads[ring]);
	return error == -EBUSY ? error : 0;
}

static size_t earliest_of(const struct ring_consumer *consumer, const struct merge *merge)
{
	size_t earliest = RING_PROCESS + 1;

	for (size_t i = earliest + 1; i < consumer->count; i++)
		if (merge->times[i] < merge->times[earliest])
			earliest = i;
	return earliest;
}

/* A thread uses connections of several rings, and what it did first is to be told first. Whatever it did before `until_ns` had
 * come before the ends of the rings were read; of later things an earlier one may be missing, so they wait. So do all for a
 * record that is still being written: nobody knows its time.
 *
 * Returns how many were taken; ret_has_later: some wait for their time */
static size_t merge_rings(struct ring_consumer *consumer, struct merge *merge, uint64_t until_ns,
			  bool *ret_has_later)
{
	size_t count = 0, ring;

	*ret_has_later = false;
	for (size_t i = RING_PROCESS + 1; i < consumer->count; i++)
		if (look_at(consumer, merge, i))
			return 0;
	for (;; count++) {
		ring = earliest_of(consumer, merge);
		if (merge->times[ring] > until_ns)
			break;
		take_record(consumer, &consumer->rings[ring], &merge->heads[ring]);
		if (look_at(consumer, merge, ring))
			return count + 1;
	}
	*ret_has_later = merge->times[ring] != UINT64_MAX;
	return count;
}

size_t ring_consumer_drain_processes(struct ring_consumer *consumer)
{
	struct ring *ring = &consumer->rings[RING_PROCESS];
	size_t count;

	if (consumer->is_in_processes)
		return 0;
	consumer->is_in_processes = true;
	count = drain_ring(consumer, ring, end_of(ring));
	consumer->is_in_processes = false;
	return count;
}

void ring_consumer_put_in_order(struct ring_consumer *consumer)
{
	consumer->is_in_order = true;
}

/* What a process did after its exec or fork comes later than that event: rings of connections are read only as far as they
 * had come before the process events were read. */
static size_t drain_round(struct ring_consumer *consumer, bool *ret_has_later)
{
	uint64_t until_ns = consumer->is_in_order ? monotonic_ns() : 0;
	struct merge merge;
	size_t count;

	for (size_t i = RING_PROCESS + 1; i < consumer->count; i++)
		merge.ends[i] = end_of(&consumer->rings[i]);
	count = ring_consumer_drain_processes(consumer);
	if (consumer->is_in_order)
		return count + merge_rings(consumer, &merge, until_ns, ret_has_later);
	*ret_has_later = false;
	for (size_t i = RING_PROCESS + 1; i < consumer->count; i++)
		count += drain_ring(consumer, &consumer->rings[i], merge.ends[i]);
	return count;
}

size_t ring_consumer_drain(struct ring_consumer *consumer)
{
	size_t count = 0, round = 0, got;
	bool has_later;

	do {
		got = drain_round(consumer, &has_later);
		count += got;
	} while ((got || has_later) && ++round < DRAIN_ROUNDS);
	return count;
}

uint64_t ring_consumer_waiting(const struct ring_consumer *consumer, size_t index)
{
	const struct ring *ring = &consumer->rings[index];
	unsigned long taken = __atomic_load_n(ring->consumed, __ATOMIC_ACQUIRE);

	return __atomic_load_n(ring->produced, __ATOMIC_ACQUIRE) - taken;
}
