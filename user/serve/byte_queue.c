/* SPDX-License-Identifier: Apache-2.0 */
/* A ring: queued bytes are never moved, however far the reader lags. */
#include "serve/byte_queue.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

int byte_queue_init(struct byte_queue *queue, size_t size)
{
	*queue = (struct byte_queue){ .size = size };
	queue->bytes = malloc(size);
	return queue->bytes ? 0 : -ENOMEM;
}

void byte_queue_done(struct byte_queue *queue)
{
	free(queue->bytes);
	*queue = (struct byte_queue){ 0 };
}

static size_t smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

int byte_queue_push(struct byte_queue *queue, const void *bytes, size_t length)
{
	size_t end, first;

	if (length > queue->size - queue->count)
		return -ENOBUFS;
	if (!length)
		return 0;
	end = (queue->start + queue->count) % queue->size;
	first = smaller(length, queue->size - end);
	memcpy(queue->bytes + end, bytes, first);
	memcpy(queue->bytes, (const char *)bytes + first, length - first);
	queue->count += length;
	return 0;
}

int byte_queue_send(struct byte_queue *queue, int fd)
{
	int total = 0;

	while (queue->count) {
		size_t length = smaller(queue->count, queue->size - queue->start);
		ssize_t sent = send(fd, queue->bytes + queue->start, smaller(length, INT_MAX / 4),
				    MSG_DONTWAIT | MSG_NOSIGNAL);

		if (sent < 0)
			return errno == EAGAIN || errno == EINTR ? total : -errno;
		queue->start = (queue->start + (size_t)sent) % queue->size;
		queue->count -= (size_t)sent;
		total += (int)sent;
	}
	return total;
}
