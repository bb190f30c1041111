/* SPDX-License-Identifier: Apache-2.0 */
/* Batches that wait on disk, in the order they came: a folder of files that are only appended to, the oldest dropped when they
 * are too many. What a process left there, however it ended, the next one finds. Logs what it finds damaged.
 *
 * Threads: one at a time; the caller sees to it. */
#ifndef SONDE_DELIVER_SPOOL_H
#define SONDE_DELIVER_SPOOL_H

#include <stddef.h>
#include <stdint.h>

struct spool;

/* Open a folder, made when it is not there, and look at what waits in it.
 *
 * bytes_max  of all files, each as whole blocks of 4096 bytes
 * Returns    0; -EBUSY: another process has it; negative errno */
int spool_open(const char *path, uint64_t bytes_max, struct spool **ret_spool);

/* Everything that was appended stays on disk. */
void spool_close(struct spool **spool);

/* Append a batch; the oldest files are dropped for it. It survives this process at once, the machine once it is synced.
 *
 * Returns  0; -EMSGSIZE: longer than the spool may be; -ENOSPC and others of write(2) and open(2), with nothing appended */
int spool_append(struct spool *spool, const void *bytes, size_t length, uint64_t spans);

/* Bring what was appended and sent to the disk. Returns 0 or negative errno */
int spool_sync(struct spool *spool);

struct spool_batch {
	const uint8_t
		*bytes; /* borrowed until it is settled, also when its file is dropped meanwhile */
	size_t length;
	uint64_t spans;
};

/* The oldest batch: the same one again until it is settled.
 *
 * Returns  1; 0: there is none; -ENOMEM, or -EMFILE and its like: not now */
int spool_take(struct spool *spool, struct spool_batch *ret_batch);

/* The batch taken last is done with, and will not be found again. Returns 0; negative errno: the disk was not told, so the next
 * process will find it */
int spool_settle(struct spool *spool);

struct spool_figures {
	uint64_t waiting;   /* spans, with those of a batch that is taken */
	uint64_t recovered; /* spans that another process left */
	uint64_t dropped_full;
	uint64_t dropped_damaged; /* spans */
	uint64_t damages;	  /* stretches of a file that could not be read */
	uint64_t bytes;		  /* of all files, in whole blocks */
	uint64_t bytes_max;
};
const struct spool_figures *spool_figures(const struct spool *spool);

#endif
