/* SPDX-License-Identifier: Apache-2.0 */
#include "deliver/spool_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/cleanup.h"

#define NAME_FORMAT "%016" PRIx64 ".spans"
/* More than any of ours has; what is behind is not read. */
#define FILE_MAX (64u << 20)

uint64_t spool_file_number(const char *name)
{
	char same[SPOOL_NAME_MAX];
	uint64_t number = strtoull(name, NULL, 16);

	snprintf(same, sizeof(same), NAME_FORMAT, number);
	return strcmp(name, same) == 0 ? number : 0;
}

static struct spool_file *file_new(uint64_t number)
{
	struct spool_file *file = calloc(1, sizeof(*file));

	if (!file)
		return NULL;
	file->number = number;
	file->fd = -1;
	snprintf(file->name, sizeof(file->name), NAME_FORMAT, number);
	return file;
}

void spool_file_free(struct spool_file **file)
{
	if (*file)
		spool_file_close(*file);
	free(*file);
	*file = NULL;
}

void spool_file_close(struct spool_file *file)
{
	if (file->fd >= 0)
		close(file->fd);
	file->fd = -1;
}

int spool_file_create(int directory, uint64_t number, struct spool_file **ret_file)
{
	struct spool_file *file = file_new(number);
	int error;

	if (!file)
		return -ENOMEM;
	file->fd = openat(directory, file->name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	error = file->fd < 0 ? -errno : 0;
	if (error)
		spool_file_free(&file);
	else
		*ret_file = file;
	return error;
}

int spool_file_find(int directory, uint64_t number, struct spool_file **ret_file)
{
	struct spool_file *file = file_new(number);
	struct stat status;
	int error;

	if (!file)
		return -ENOMEM;
	error = fstatat(directory, file->name, &status, AT_SYMLINK_NOFOLLOW) ? -errno : 0;
	if (!error && !S_ISREG(status.st_mode))
		error = -EINVAL;
	if (error) {
		spool_file_free(&file);
		return error;
	}
	file->size = status.st_size > FILE_MAX ? FILE_MAX : (size_t)status.st_size;
	*ret_file = file;
	return 0;
}

int spool_file_open(struct spool_file *file, int directory)
{
	if (file->fd >= 0)
		return 0;
	file->fd = openat(directory, file->name, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
	return file->fd < 0 ? -errno : 0;
}

int spool_file_append(struct spool_file *file, const uint8_t head[SPOOL_HEAD_BYTES],
		      const void *body, size_t length)
{
	struct iovec parts[] = { { (void *)head, SPOOL_HEAD_BYTES }, { (void *)body, length } };
	ssize_t written = pwritev(file->fd, parts, 2, (off_t)file->size);
	int error = written < 0 ? -errno : -ENOSPC; /* a write is cut short where the disk ends */

	if (written == (ssize_t)(SPOOL_HEAD_BYTES + length)) {
		file->size += SPOOL_HEAD_BYTES + length;
		file->is_unsynced = true;
		return 0;
	}
	if (written > 0 && ftruncate(file->fd, (off_t)file->size) != 0)
		return -EUCLEAN;
	return error;
}

int spool_file_mark_sent(struct spool_file *file, size_t record_start)
{
	ssize_t written = pwrite(file->fd, spool_mark_sent, SPOOL_MARK_BYTES,
				 (off_t)(record_start + SPOOL_MARK_OFFSET));

	if (written != SPOOL_MARK_BYTES)
		return written < 0 ? -errno : -ENOSPC;
	file->is_unsynced = true;
	return 0;
}

int spool_file_truncate(struct spool_file *file)
{
	if (ftruncate(file->fd, 0) != 0)
		return -errno;
	file->size = 0;
	return 0;
}

int spool_file_sync(struct spool_file *file)
{
	if (!file->is_unsynced || file->fd < 0)
		return 0;
	file->is_unsynced = false;
	return fdatasync(file->fd) ? -errno : 0;
}

int spool_file_read(const struct spool_file *file, size_t from, uint8_t **ret_bytes,
		    size_t *ret_length)
{
	size_t wanted = file->size - from, length = 0;
	_cleanup_free_ uint8_t *bytes = malloc(wanted);

	if (!bytes)
		return -ENOMEM;
	while (length < wanted) {
		ssize_t got =
			pread(file->fd, bytes + length, wanted - length, (off_t)(from + length));

		if (got < 0 && errno != EINTR)
			return -errno;
		if (got == 0)
			break;
		length += got > 0 ? (size_t)got : 0;
	}
	if (!length)
		return -ENODATA;
	*ret_bytes = TAKE_PTR(bytes);
	*ret_length = length;
	return 0;
}
