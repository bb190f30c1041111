/* SPDX-License-Identifier: Apache-2.0 */
/* A folder for a spool under test. */
#ifndef SONDE_TESTS_SPOOL_FOLDER_H
#define SONDE_TESTS_SPOOL_FOLDER_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

struct spool_folder {
	char path[PATH_MAX / 2];
};

void spool_folder_make(struct spool_folder *folder);
void spool_folder_remove(struct spool_folder *folder);

/* Bytes of its files, each in whole blocks of 4096. */
size_t spool_folder_bytes(const struct spool_folder *folder, size_t *ret_files);

/* The path of the file whose name sorts first. */
void spool_folder_first(const struct spool_folder *folder, char ret_path[PATH_MAX]);

/* The disk ends: files cannot be longer than that; SIZE_MAX: they can again. */
void spool_folder_limit(size_t bytes);

#endif
