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
	struct text_buffer lines; /* of the newest batch */
	size_t written;		  /* of those */
	bool has_failed;	  /* and the log has said so */
};

static void file_close(void *context)
{
	struct ndjson_file *file = context;

	if (file->fd >= 0)
		close(file->fd);
	arena_done(&file->arena);
	text_buffer_done(&file->lines);
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

static int make_lines(struct ndjson_file *file, const struct delivery_batch *batch)
{
	text_buffer_done(&file->lines);
	file->written = 0;
	for (size_t i = 0; i < batch->count; i++) {
		arena_clear(&file->arena);
		span_ndjson_append(batch->records[i], file->resource, file->clock, &file->arena,
				   &file->lines);
		if (file->arena.has_failed)
			return -ENOMEM;
	}
	return text_buffer_error(&file->lines);
}

static bool is_in_time(const struct delivery_batch *batch)
{
	return monotonic_ns() < atomic_load_explicit(batch->deadline_ns, memory_order_acquire);
}

/* A reader that stands still must not hold us at the end: a pipe that is ready takes PIPE_BUF bytes without blocking
 * (pipe(7)). Returns 0 or negative errno. */
static int write_lines(struct ndjson_file *file, const struct delivery_batch *batch)
{
	struct pollfd ready = { .fd = file->fd, .events = POLLOUT };

	while (file->written < file->lines.length && is_in_time(batch)) {
		size_t left = file->lines.length - file->written;
		ssize_t written;

		if (poll(&ready, 1, LOOK_MS) <= 0)
			continue;
		written = write(file->fd, file->lines.bytes + file->written,
				left < PIPE_BUF ? left : PIPE_BUF);
		if (written < 0 && errno != EINTR && errno != EAGAIN)
			return -errno;
		file->written += written > 0 ? (size_t)written : 0;
	}
	return file->written == file->lines.length ? 0 : -ETIMEDOUT;
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
static void file_send(void *context, const struct delivery_batch *batch,
		      struct delivery_outcome *ret_outcome)
{
	struct ndjson_file *file = context;
	int error = batch->is_again && file->lines.length ? 0 : make_lines(file, batch);

	if (error)
		text_buffer_done(&file->lines);
	else
		error = write_lines(file, batch);
	tell(file, error);
	*ret_outcome = (struct delivery_outcome){ .is_settled = !error, .wait_ms = RETRY_MS };
}

const struct delivery_route ndjson_file_route = { "ndjson", file_send, file_close };
