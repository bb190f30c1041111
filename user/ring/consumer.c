/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel's ring buffers, read in place. Layout and order of accesses: kernel/bpf/ringbuf.c; a page with the consumer's
 * position, which is ours to write, one with the producer's, then the data, twice in a row so that no record is split. */
#include "ring/consumer.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <unistd.h>

#include "config_abi.h"

struct ring {
	unsigned long *consumed;
	const unsigned long *produced;
	const uint8_t *data;
	unsigned long mask;
	bool is_drained; /* just now: its records are not handed on a second time from within visit */
};

struct ring_consumer {
	ring_visit visit;
	void *context;
	size_t count;
	size_t page;
	int epoll_fd; /* owned */
	struct ring rings[RING_MAX];
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
	map = mmap(NULL, page + 2 * bytes, PROT_READ, MAP_SHARED, fd, (off_t)page);
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
		munmap((void *)(uintptr_t)ring->produced, page + 2 * (ring->mask + 1));
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

/* Until a record that is still being written, or the end. Each is given back at once: hooks may be waiting for room. */
static size_t drain_ring(const struct ring_consumer *consumer, struct ring *ring)
{
	unsigned long taken = *ring->consumed, produced; /* nobody else writes it */
	size_t count = 0;

	while (taken != (produced = __atomic_load_n(ring->produced, __ATOMIC_ACQUIRE))) {
		while (taken != produced) {
			const uint8_t *record = ring->data + (taken & ring->mask);
			uint32_t head = __atomic_load_n((const uint32_t *)(const void *)record,
							__ATOMIC_ACQUIRE);
			uint32_t length = head & ~(BPF_RINGBUF_BUSY_BIT | BPF_RINGBUF_DISCARD_BIT);

			if (head & BPF_RINGBUF_BUSY_BIT)
				return count;
			if (!(head & BPF_RINGBUF_DISCARD_BIT)) {
				consumer->visit(consumer->context, record + BPF_RINGBUF_HDR_SZ,
						length);
				count++;
			}
			taken += (length + BPF_RINGBUF_HDR_SZ + 7ul) & ~7ul;
			__atomic_store_n(ring->consumed, taken, __ATOMIC_RELEASE);
		}
	}
	return count;
}

static size_t drain_once(const struct ring_consumer *consumer, struct ring *ring)
{
	size_t count;

	if (ring->is_drained)
		return 0;
	ring->is_drained = true;
	count = drain_ring(consumer, ring);
	ring->is_drained = false;
	return count;
}

size_t ring_consumer_drain_processes(struct ring_consumer *consumer)
{
	return drain_once(consumer, &consumer->rings[RING_PROCESS]);
}

size_t ring_consumer_drain(struct ring_consumer *consumer)
{
	size_t count = 0;

	for (size_t i = 0; i < consumer->count; i++)
		count += drain_once(consumer, &consumer->rings[i]);
	return count;
}

uint64_t ring_consumer_waiting(const struct ring_consumer *consumer, size_t index)
{
	const struct ring *ring = &consumer->rings[index];
	unsigned long taken = __atomic_load_n(ring->consumed, __ATOMIC_ACQUIRE);

	return __atomic_load_n(ring->produced, __ATOMIC_ACQUIRE) - taken;
}
