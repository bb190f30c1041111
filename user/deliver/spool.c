/* SPDX-License-Identifier: Apache-2.0 */
#include "deliver/spool.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "deliver/spool_file.h"

#define BLOCK 4096
/* Small, as a whole file is dropped at once and read at once; not so small that there are many. */
#define FILE_BYTES (4u << 20)
#define FILES_LEAST 16

struct spool {
	char *path;    /* owned */
	int directory; /* owned, and locked: flock(2) */
	size_t file_bytes;
	struct spool_file *oldest; /* owned, as what follows it */
	struct spool_file *newest; /* borrowed of those */
	bool is_growing;	   /* the newest is appended to */
	bool is_new_unsynced;	   /* its name may not be on disk yet */
	uint64_t next_number;
	/* Of the oldest file: how far it is read, and the bytes from there on or from before. */
	size_t position;
	uint8_t *loaded; /* owned */
	size_t loaded_from;
	size_t loaded_length;
	/* The batch that was taken. */
	bool is_taken;
	bool is_taken_dropped; /* with the file it was in */
	struct spool_record taken;
	struct spool_batch batch;
	struct spool_figures figures;
};

const struct spool_figures *spool_figures(const struct spool *spool)
{
	return &spool->figures;
}

static uint64_t blocks_of(size_t size)
{
	return ((uint64_t)size + BLOCK - 1) / BLOCK * BLOCK;
}

/* An empty file takes a block too, so that their number is bounded. */
static uint64_t bytes_of(const struct spool_file *file)
{
	return file->size ? blocks_of(file->size) : BLOCK;
}

static void add_file(struct spool *spool, struct spool_file *file)
{
	if (spool->newest)
		spool->newest->next = file;
	else
		spool->oldest = file;
	spool->newest = file;
	spool->figures.bytes += bytes_of(file);
}

/* Whether that file is the one that is appended to. */
static bool is_growing(const struct spool *spool, const struct spool_file *file)
{
	return spool->is_growing && file == spool->newest;
}

/* A batch that is taken keeps its bytes. */
static void forget_loaded(struct spool *spool)
{
	if (!spool->is_taken) {
		free(spool->loaded);
		spool->loaded = NULL;
	}
	spool->loaded_from = spool->loaded_length = 0;
	spool->position = 0;
}

/* A file that cannot be removed is not looked at again, but the next process finds its last batch. */
static void remove_oldest(struct spool *spool)
{
	struct spool_file *file = spool->oldest;

	if (unlinkat(spool->directory, file->name, 0) != 0 && errno != ENOENT)
		log_warn("cannot remove %s/%s: %s", spool->path, file->name, strerror(errno));
	spool->figures.bytes -= bytes_of(file);
	spool->oldest = file->next;
	if (spool->newest == file) {
		spool->newest = NULL;
		spool->is_growing = false;
	}
	forget_loaded(spool);
	spool_file_free(&file);
}

static void drop_oldest(struct spool *spool)
{
	uint64_t taken = spool->is_taken && !spool->is_taken_dropped ? spool->batch.spans : 0;
	uint64_t dropped = spool->oldest->spans - taken;

	spool->figures.dropped_full += dropped;
	spool->figures.waiting -= dropped;
	spool->is_taken_dropped = spool->is_taken;
	remove_oldest(spool);
}

/* All of it is read: spans that wait there all the same were never seen. */
static void finish_oldest(struct spool *spool)
{
	struct spool_file *file = spool->oldest;

	spool->figures.dropped_damaged += file->spans;
	spool->figures.waiting -= file->spans;
	file->spans = 0;
	if (is_growing(spool, file)) {
		uint64_t bytes = bytes_of(file);

		if (!file->size || spool_file_truncate(file) == 0) {
			spool->figures.bytes -= bytes - bytes_of(file);
			forget_loaded(spool);
			return;
		}
	}
	remove_oldest(spool);
}

/* spans  that are lost, as far as is known */
static void tell_damage(struct spool *spool, struct spool_file *file, size_t from, size_t to,
			uint64_t spans, const char *why)
{
	spool->figures.damages++;
	if (!file->was_told_of)
		log_warn("%s/%s, bytes %zu to %zu: %s; %llu spans or more are lost", spool->path,
			 file->name, from, to, why, (unsigned long long)spans);
	file->was_told_of = true;
}

/* Of us, and not of the file. */
static bool is_passing(int error)
{
	return error == -ENOMEM || error == -EMFILE || error == -ENFILE || error == -EINTR;
}

/* Have what is at the position in memory. Returns 0 or negative errno */
static int load(struct spool *spool)
{
	struct spool_file *file = spool->oldest;
	uint8_t *bytes;
	size_t length;
	int error;

	if (spool->loaded && spool->position < spool->loaded_from + spool->loaded_length)
		return 0;
	error = spool_file_open(file, spool->directory);
	if (!error)
		error = spool_file_read(file, spool->position, &bytes, &length);
	if (error)
		return error;
	free(spool->loaded);
	spool->loaded = bytes;
	spool->loaded_from = spool->position;
	spool->loaded_length = length;
	return 0;
}

/* Returns whether there is a record at the position that waits; else the position has moved. */
static bool read_record(struct spool *spool, struct spool_record *ret_record)
{
	struct spool_record record;

	(void)spool_record_next(spool->loaded, spool->loaded_length,
				spool->position - spool->loaded_from,
				&record); /* bytes are there */
	record.start += spool->loaded_from;
	record.end += spool->loaded_from;
	*ret_record = record;
	if (record.is_whole && !record.is_sent)
		return true;
	if (!record.is_sent)
		tell_damage(spool, spool->oldest, record.start, record.end, record.spans,
			    "damaged");
	spool->position = record.end;
	return false;
}

static void take(struct spool *spool, const struct spool_record *record)
{
	size_t body = record->start + SPOOL_HEAD_BYTES;

	spool->is_taken = true;
	spool->is_taken_dropped = false;
	spool->taken = *record;
	spool->batch = (struct spool_batch){ spool->loaded + (body - spool->loaded_from),
					     record->end - body, record->spans };
}

int spool_take(struct spool *spool, struct spool_batch *ret_batch)
{
	while (!spool->is_taken) {
		struct spool_file *file = spool->oldest;
		struct spool_record record;
		int error;

		if (!file || (!file->size && is_growing(spool, file)))
			return 0;
		if (spool->position >= file->size) {
			finish_oldest(spool);
			continue;
		}
		error = load(spool);
		if (is_passing(error))
			return error;
		if (error) {
			tell_damage(spool, file, spool->position, file->size, file->spans,
				    strerror(-error));
			spool->position = file->size;
		} else if (read_record(spool, &record)) {
			take(spool, &record);
		}
	}
	*ret_batch = spool->batch;
	return 1;
}

int spool_settle(struct spool *spool)
{
	struct spool_file *file = spool->oldest;
	bool is_dropped = spool->is_taken_dropped;

	spool->is_taken = spool->is_taken_dropped = false;
	spool->figures.waiting -= spool->batch.spans;
	if (is_dropped)
		return 0;
	file->spans -= spool->batch.spans;
	spool->position = spool->taken.end;
	if (spool->position < file->size)
		return spool_file_mark_sent(file, spool->taken.start);
	finish_oldest(spool);
	return 0;
}

/* From here on the newest file only shrinks. */
static void stop_growing(struct spool *spool)
{
	(void)spool_file_sync(spool->newest); /* the kernel writes it some time later, too */
	if (spool->newest != spool->oldest)
		spool_file_close(spool->newest);
	spool->is_growing = false;
}

static int grow(struct spool *spool, size_t length)
{
	struct spool_file *file;
	int error;

	if (spool->is_growing && spool->newest->size &&
	    spool->newest->size + length > spool->file_bytes)
		stop_growing(spool);
	if (spool->is_growing)
		return 0;
	error = spool_file_create(spool->directory, spool->next_number, &file);
	if (error)
		return error;
	spool->next_number++;
	add_file(spool, file);
	spool->is_growing = spool->is_new_unsynced = true;
	return 0;
}

static void make_room(struct spool *spool, uint64_t bytes)
{
	while (spool->oldest && !is_growing(spool, spool->oldest) &&
	       spool->figures.bytes + bytes > spool->figures.bytes_max)
		drop_oldest(spool);
}

int spool_append(struct spool *spool, const void *bytes, size_t length, uint64_t spans)
{
	uint8_t head[SPOOL_HEAD_BYTES];
	uint64_t before;
	int error = spool_head_write(bytes, length, spans, head);

	if (!error && blocks_of(SPOOL_HEAD_BYTES + length) > spool->figures.bytes_max)
		error = -EMSGSIZE;
	if (!error)
		error = grow(spool, SPOOL_HEAD_BYTES + length);
	if (error)
		return error;
	make_room(spool, blocks_of(SPOOL_HEAD_BYTES + length));
	before = bytes_of(spool->newest);
	error = spool_file_append(spool->newest, head, bytes, length);
	if (error == -EUCLEAN) {
		stop_growing(spool);
		error = -ENOSPC;
	}
	if (error)
		return error;
	spool->newest->spans += spans;
	spool->figures.waiting += spans;
	spool->figures.bytes += bytes_of(spool->newest) - before;
	return 0;
}

int spool_sync(struct spool *spool)
{
	int error = 0, other = 0;

	if (spool->newest)
		error = spool_file_sync(spool->newest);
	if (spool->oldest)
		other = spool_file_sync(spool->oldest);
	if (spool->is_new_unsynced && fsync(spool->directory) != 0)
		error = -errno;
	spool->is_new_unsynced = false;
	return error ? error : other;
}

static int by_number(const void *one, const void *other)
{
	uint64_t a = *(const uint64_t *)one, b = *(const uint64_t *)other;

	return (a > b) - (a < b);
}

/* The numbers of all files, in order. Returns how many, or negative errno */
static ssize_t list(const struct spool *spool, uint64_t **ret_numbers)
{
	_cleanup_free_ uint64_t *numbers = NULL;
	size_t count = 0, room = 0;
	int fd = openat(spool->directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *directory = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	if (!directory)
		return -errno;
	while ((entry = readdir(directory))) {
		uint64_t number = spool_file_number(entry->d_name);

		if (!number)
			continue;
		if (count == room) {
			uint64_t *more = realloc(numbers, (room + 64) * sizeof(*more));

			if (!more)
				break;
			numbers = more;
			room += 64;
		}
		numbers[count++] = number;
	}
	closedir(directory);
	if (entry)
		return -ENOMEM;
	if (count)
		qsort(numbers, count, sizeof(*numbers), by_number);
	*ret_numbers = TAKE_PTR(numbers);
	return (ssize_t)count;
}

/* Count what waits in a file that another process left. What is damaged is told when its turn to be sent comes. */
static int count_spans(struct spool *spool, struct spool_file *file)
{
	_cleanup_free_ uint8_t *bytes = NULL;
	struct spool_record record = { 0 };
	size_t length = 0;
	int error = spool_file_open(file, spool->directory);

	if (!error && file->size)
		error = spool_file_read(file, 0, &bytes, &length);
	spool_file_close(file);
	if (is_passing(error))
		return error;
	while (spool_record_next(bytes, length, record.end, &record))
		if (record.is_whole && !record.is_sent)
			file->spans += record.spans;
	spool->figures.waiting += file->spans;
	spool->figures.recovered += file->spans;
	return 0;
}

static int recover(struct spool *spool)
{
	_cleanup_free_ uint64_t *numbers = NULL;
	ssize_t count = list(spool, &numbers);

	for (ssize_t i = 0; i < count; i++) {
		struct spool_file *file;
		int error = spool_file_find(spool->directory, numbers[i], &file);

		spool->next_number = numbers[i] + 1;
		if (error == -ENOMEM)
			return error;
		if (error)
			continue; /* no file, whatever it is called */
		add_file(spool, file);
		error = count_spans(spool, file);
		if (error)
			return error;
	}
	make_room(spool, 0);
	return count < 0 ? (int)count : 0;
}

static int open_directory(const char *path)
{
	_cleanup_close_ int fd = -1;

	if (mkdir(path, 0700) != 0 && errno != EEXIST)
		return -errno;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (flock(fd, LOCK_EX | LOCK_NB) != 0)
		return errno == EWOULDBLOCK ? -EBUSY : -errno;
	return TAKE_FD(fd);
}

int spool_open(const char *path, uint64_t bytes_max, struct spool **ret_spool)
{
	struct spool *spool = calloc(1, sizeof(*spool));
	uint64_t part = bytes_max / FILES_LEAST;
	int error;

	if (!spool)
		return -ENOMEM;
	spool->next_number = 1;
	spool->figures.bytes_max = bytes_max;
	spool->file_bytes = part < FILE_BYTES ? (size_t)part : FILE_BYTES;
	spool->path = strdup(path);
	spool->directory = spool->path ? open_directory(path) : -ENOMEM;
	error = spool->directory < 0 ? spool->directory : recover(spool);
	if (error)
		spool_close(&spool);
	else
		*ret_spool = spool;
	return error;
}

void spool_close(struct spool **spool)
{
	struct spool *mine = *spool;

	*spool = NULL;
	if (!mine)
		return;
	if (mine->oldest && !mine->figures.waiting && is_growing(mine, mine->oldest))
		remove_oldest(mine); /* it is empty */
	if (mine->directory >= 0)
		(void)spool_sync(mine); /* the kernel writes it some time later, too */
	while (mine->oldest) {
		struct spool_file *next = mine->oldest->next;

		spool_file_free(&mine->oldest);
		mine->oldest = next;
	}
	if (mine->directory >= 0)
		close(mine->directory);
	free(mine->loaded);
	free(mine->path);
	free(mine);
}
