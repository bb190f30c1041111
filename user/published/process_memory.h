/* SPDX-License-Identifier: Apache-2.0 */
/* What is mapped in a running process, and its bytes. */
#ifndef SONDE_PUBLISHED_PROCESS_MEMORY_H
#define SONDE_PUBLISHED_PROCESS_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* For struct memory; context: a uint32_t, the tgid. It needs the right to trace the process, which goes on meanwhile. */
int process_memory_read(void *context, uint64_t at, void *ret_bytes, size_t size);

/* /proc/PID/maps, up to 4 MiB of it. */
struct mapped_files {
	char *text;	  /* owned */
	char *executable; /* owned: as the link says; NULL: not known */
};

/* Returns 0 or negative errno */
int mapped_files_read(uint32_t tgid, struct mapped_files *ret_files);
void mapped_files_done(struct mapped_files *files);

/* A file that code was mapped from. */
struct mapped_file {
	uint64_t start; /* where its beginning is */
	const char *path;
	bool is_executable; /* the process's */
};

/* Visit each; non-zero from visit stops. `text` is left as it is. */
void mapped_files_each(const struct mapped_files *files,
		       int (*visit)(void *context, const struct mapped_file *), void *context);

/* Where memory begins that was given a name: by prctl(2), PR_SET_VMA, or by memfd_create(2). 0: there is none */
uint64_t mapped_name_find(const struct mapped_files *files, const char *name);

#endif
