/* SPDX-License-Identifier: Apache-2.0 */
/* libbpf reads the rings; we choose when and in which order. */
#include "ring/consumer.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <unistd.h>

#include "config_abi.h"

struct ring_consumer {
	struct ring_buffer *processes;	 /* owned */
	struct ring_buffer *connections; /* owned */
	int epoll_fd;			 /* owned */
	ring_visit visit;
	void *context;
	size_t count;
	/* The kernel's two position pages of each ring (kernel/bpf/ringbuf.c: consumer_pos, then producer_pos). */
	const unsigned long *positions[RING_MAX];
	size_t page;
};

static int on_record(void *context, void *bytes, size_t length)
{
	struct ring_consumer *consumer = context;
	const struct event_header *header = bytes;

	/* The room was reserved before it was known how much of it the event would fill. */
	if (length >= sizeof(*header) && header->size >= sizeof(*header) && header->size < length)
		length = header->size;
	consumer->visit(consumer->context, bytes, length);
	return 0;
}

static int map_positions(struct ring_consumer *consumer, const int *rings)
{
	consumer->page = (size_t)sysconf(_SC_PAGESIZE);
	for (size_t i = 0; i < consumer->count; i++) {
		void *pages = mmap(NULL, 2 * consumer->page, PROT_READ, MAP_SHARED, rings[i], 0);

		if (pages == MAP_FAILED)
			return -errno;
		consumer->positions[i] = pages;
	}
	return 0;
}

static int watch(const struct ring_consumer *consumer, struct ring_buffer *buffers)
{
	struct epoll_event event = { .events = EPOLLIN };

	if (epoll_ctl(consumer->epoll_fd, EPOLL_CTL_ADD, ring_buffer__epoll_fd(buffers), &event))
		return -errno;
	return 0;
}

static int open_rings(struct ring_consumer *consumer, const int *rings)
{
	int error = map_positions(consumer, rings);

	consumer->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (error || consumer->epoll_fd < 0)
		return error ? error : -errno;
	consumer->processes = ring_buffer__new(rings[RING_PROCESS], on_record, consumer, NULL);
	if (!consumer->processes)
		return -errno;
	consumer->connections = ring_buffer__new(rings[1], on_record, consumer, NULL);
	if (!consumer->connections)
		return -errno;
	for (size_t i = 2; i < consumer->count; i++) {
		error = ring_buffer__add(consumer->connections, rings[i], on_record, consumer);
		if (error)
			return error;
	}
	error = watch(consumer, consumer->processes);
	return error ? error : watch(consumer, consumer->connections);
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
	*consumer = (struct ring_consumer){
		.epoll_fd = -1, .visit = visit, .context = context, .count = count
	};
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
	ring_buffer__free(consumer->processes);
	ring_buffer__free(consumer->connections);
	for (size_t i = 0; i < consumer->count; i++)
		if (consumer->positions[i])
			munmap((void *)(uintptr_t)consumer->positions[i], 2 * consumer->page);
	if (consumer->epoll_fd >= 0)
		close(consumer->epoll_fd);
	free(consumer);
	*consumer_slot = NULL;
}

int ring_consumer_fd(const struct ring_consumer *consumer)
{
	return consumer->epoll_fd;
}

int ring_consumer_drain_processes(struct ring_consumer *consumer)
{
	return ring_buffer__consume(consumer->processes);
}

int ring_consumer_drain(struct ring_consumer *consumer)
{
	int processes = ring_consumer_drain_processes(consumer);
	int connections = processes < 0 ? processes : ring_buffer__consume(consumer->connections);

	return connections < 0 ? connections : processes + connections;
}

uint64_t ring_consumer_waiting(const struct ring_consumer *consumer, size_t ring)
{
	const unsigned long *consumed = consumer->positions[ring];
	const unsigned long *produced = consumed + consumer->page / sizeof(*consumed);
	unsigned long taken = __atomic_load_n(consumed, __ATOMIC_ACQUIRE);

	return __atomic_load_n(produced, __ATOMIC_ACQUIRE) - taken;
}
