/* SPDX-License-Identifier: Apache-2.0 */
/* What the control groups of services lack: CPU time beyond a quota, and what their tasks wait for, as the kernel counts it
 * (version 2). A group is told to each service that has a process in it; of a service in several groups the sum is told.
 * Counted from when a group is met. Owner thread only. */
#ifndef SONDE_AGENT_CGROUPS_H
#define SONDE_AGENT_CGROUPS_H

#include <stddef.h>
#include <stdint.h>

#include "aggregate/series.h"

struct cgroups;

struct cgroups_figures {
	size_t read;	   /* in the newest round */
	size_t unreadable; /* the same */
	size_t limit;
	uint64_t refused; /* a group, or a service in one, that found no room */
};

/* limit        groups, and as many pairs of one and a service in it
 * open_folder  a group's folder by its number: a descriptor or negative errno
 * Returns NULL when out of memory */
struct cgroups *cgroups_new(struct series_store *store, size_t limit,
			    int (*open_folder)(void *context, uint64_t id), void *context);
void cgroups_free(struct cgroups **cgroups);

/* A round: begin, every process's group, end, which reads them and brings the series up to date. */
void cgroups_begin(struct cgroups *cgroups);
void cgroups_member(struct cgroups *cgroups, uint64_t id, const char *service);
void cgroups_end(struct cgroups *cgroups);

void cgroups_read(const struct cgroups *cgroups, struct cgroups_figures *ret_figures);

#endif
