/* SPDX-License-Identifier: Apache-2.0 */
#include "deliver/ndjson_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "export/span_ndjson.h"

#define RETRY_MS 1000
/* Often enough to see that the time is over. */
#define LOOK_MS 100

struct ndjson_file {
	int fd; /* owned */
	const struct span_resource *resource;
	const struct wall_clock *clock;
	struct arena arena;
	size_t written;	 /* of the newest batch */
	bool has_failed; /* and the log has said so */
};

static void file_close(void *context)
{
	struct ndjson_file *file = context;

	if (file->fd >= 0)
		close(file->fd);
	arena_done(&file->arena);
	free(file);
}

int ndjson_file_new(const char *path, const struct span_resource *resource,
		    const struct wall_clock *clock, struct ndjson_file **ret_file)
{
	bool is_output = strcmp(path, "-") == 0;
	_cleanup_close_ int fd =
		is_output ? fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0) :
			    open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	struct ndjson_file *file;

	if (fd < 0)
		return -errno;
	file = calloc(1, sizeof(*file));
	if (!file)
		return -ENOMEM;
	file->fd = TAKE_FD(fd);
	file->resource = resource;
	file->clock = clock;
	*ret_file = file;
	return 0;
}

static int file_encode(void *context, struct span_record *const *records, size_t count,
		       struct text_buffer *ret_body)
{
	struct ndjson_file *file = context;
	struct text_buffer lines = { 0 };
	int error = 0;

	for (size_t i = 0; i < count && !error; i++) {
		arena_clear(&file->arena);
		span_ndjson_append(records[i], file->resource, file->clock, &file->arena, &lines);
		error = file->arena.has_failed ? -ENOMEM : text_buffer_error(&lines);
	}
	if (error)
		text_buffer_done(&lines);
	else
		*ret_body = lines;
	return error;
}

static bool is_in_time(const struct delivery_body *body)
{
	return monotonic_ns() < atomic_load_explicit(body->deadline_ns, memory_order_acquire);
}

/* A reader that stands still must not hold us at the end: a pipe that is ready takes PIPE_BUF bytes without blocking
 * (pipe(7)). Returns 0 or negative errno. */
static int write_lines(struct ndjson_file *file, const struct delivery_body *body)
{
	struct pollfd ready = { .fd = file->fd, .events = POLLOUT };

	while (file->written < body->length && is_in_time(body)) {
		size_t left = body->length - file->written;
		ssize_t written;

		if (poll(&ready, 1, LOOK_MS) <= 0)
			continue;
		written = write(file->fd, (const char *)body->bytes + file->written,
				left < PIPE_BUF ? left : PIPE_BUF);
		if (written < 0 && errno != EINTR && errno != EAGAIN)
			return -errno;
		file->written += written > 0 ? (size_t)written : 0;
	}
	return file->written == body->length ? 0 : -ETIMEDOUT;
}

static void tell(struct ndjson_file *file, int error)
{
	if (error && !file->has_failed)
		log_warn("cannot write spans: %s; trying again", strerror(-error));
	if (!error && file->has_failed)
		log_info("spans are written again");
	file->has_failed = error != 0;
}

/* A line that was begun is gone on with: a file that was full has whole lines when it is not any more. */
static void file_send(void *context, const struct delivery_body *body,
		      struct delivery_outcome *ret_outcome)
{
	struct ndjson_file *file = context;
	int error;

	if (!body->is_again)
		file->written = 0;
	error = write_lines(file, body);
	tell(file, error);
	*ret_outcome = (struct delivery_outcome){ .is_settled = !error, .wait_ms = RETRY_MS };
}

const struct delivery_route ndjson_file_route = { "ndjson", file_encode, file_send, file_close };
