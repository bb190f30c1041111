/* SPDX-License-Identifier: Apache-2.0 */
/* A bounded queue of bytes on their way to a socket. Pure but for byte_queue_send. */
#ifndef SONDE_SERVE_BYTE_QUEUE_H
#define SONDE_SERVE_BYTE_QUEUE_H

#include <stddef.h>

struct byte_queue {
	char *bytes; /* owned; a ring */
	size_t size;
	size_t start;
	size_t count;
};

/* Returns 0 or -ENOMEM. */
int byte_queue_init(struct byte_queue *queue, size_t size);
void byte_queue_done(struct byte_queue *queue);

/* All or nothing. Returns 0 or -ENOBUFS. */
int byte_queue_push(struct byte_queue *queue, const void *bytes, size_t length);

/* Send what the socket takes without waiting. Returns bytes sent, 0 when it takes none; negative errno */
int byte_queue_send(struct byte_queue *queue, int fd);

#endif
