/* SPDX-License-Identifier: Apache-2.0 */
#include "load/iterator.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"

#define BUFFER_BYTES 32768 /* what the kernel's has, on most machines: kernel/bpf/bpf_iter.c */

/* Visit the whole records, and move what is left of one to the front. Returns its bytes. */
static size_t visit_records(char *buffer, size_t used, size_t record_bytes,
			    void (*visit)(void *context, const void *record), void *context)
{
	size_t at = 0;

	if (!record_bytes)
		return 0;
	for (; used - at >= record_bytes; at += record_bytes)
		visit(context, buffer + at);
	memmove(buffer, buffer + at, used - at);
	return used - at;
}

int iterator_run(int link, size_t record_bytes, void (*visit)(void *context, const void *record),
		 void *context)
{
	_cleanup_close_ int fd = bpf_iter_create(link);
	_cleanup_free_ char *buffer = malloc(BUFFER_BYTES);
	size_t used = 0;

	if (fd < 0)
		return -errno;
	if (!buffer)
		return -ENOMEM;
	for (;;) {
		ssize_t got = read(fd, buffer + used, BUFFER_BYTES - used);

		if (got < 0 && errno != EINTR && errno != EAGAIN)
			return -errno;
		if (got == 0)
			return 0;
		if (got > 0)
			used = visit_records(buffer, used + (size_t)got, record_bytes, visit,
					     context);
	}
}
