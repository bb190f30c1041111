/* SPDX-License-Identifier: Apache-2.0 */
/* One file of the spool. */
#ifndef SONDE_DELIVER_SPOOL_FILE_H
#define SONDE_DELIVER_SPOOL_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "deliver/spool_record.h"

#define SPOOL_NAME_MAX 32

struct spool_file {
	struct spool_file *next; /* owned: the next younger */
	uint64_t number;
	char name[SPOOL_NAME_MAX]; /* made of the number */
	int fd;			   /* owned; -1: not open */
	size_t size;
	uint64_t spans; /* that wait in it */
	bool is_unsynced;
	bool was_told_of; /* as damaged */
};

/* The number that a file's name says; 0: it is none of ours. */
uint64_t spool_file_number(const char *name);

/* directory  it is in
 * Returns    0 or negative errno */
int spool_file_create(int directory, uint64_t number, struct spool_file **ret_file);
/* One that is there already. */
int spool_file_find(int directory, uint64_t number, struct spool_file **ret_file);
void spool_file_free(struct spool_file **file);

/* Open it if it is not. Returns 0 or negative errno */
int spool_file_open(struct spool_file *file, int directory);
void spool_file_close(struct spool_file *file);

/* Append all or nothing. Returns 0 or negative errno; -EUCLEAN: a piece is there, and nothing must be appended behind it */
int spool_file_append(struct spool_file *file, const uint8_t head[SPOOL_HEAD_BYTES],
		      const void *body, size_t length);

/* Returns 0 or negative errno */
int spool_file_mark_sent(struct spool_file *file, size_t record_start);
int spool_file_truncate(struct spool_file *file);
int spool_file_sync(struct spool_file *file);

/* Read from there to the end into memory of its own; fewer bytes when the file is shorter than it was.
 *
 * Returns 0; -ENODATA: there is nothing; negative errno */
int spool_file_read(const struct spool_file *file, size_t from, uint8_t **ret_bytes,
		    size_t *ret_length);

#endif
