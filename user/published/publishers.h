/* SPDX-License-Identifier: Apache-2.0 */
/* Which processes publish their threads' contexts: looked at again and again, as libraries come and go, ever more rarely. */
#ifndef SONDE_PUBLISHED_PUBLISHERS_H
#define SONDE_PUBLISHED_PUBLISHERS_H

#include <stddef.h>
#include <stdint.h>

#include "config_abi.h"

struct publishers;

struct publishers_feedback {
	void *context;
	/* As thread_place_find; -ESRCH, -EPERM … when it cannot be read. */
	int (*find)(void *context, uint32_t tgid, struct thread_place *ret_place);
	/* Tell the kernel side; NULL: it publishes no more. Returns 0, or negative errno: there is no room. */
	int (*set)(void *context, uint32_t tgid, const struct thread_place *place);
	/* It publishes, but nothing says where. Once for each. */
	void (*unplaced)(void *context, uint32_t tgid);
};

/* limit: processes held; more are not looked at (counted). Returns NULL: out of memory */
struct publishers *publishers_new(size_t limit, const struct publishers_feedback *feedback);
void publishers_free(struct publishers **publishers);

/* A round, once a second or so: each process that lives is offered; those that are not are forgotten at its end.
 *
 * identity  another number when the process runs another program */
void publishers_begin(struct publishers *publishers);
void publishers_offer(struct publishers *publishers, uint32_t tgid, uint64_t identity,
		      uint64_t now_ns);
void publishers_end(struct publishers *publishers);

struct publishers_figures {
	size_t held;
	size_t limit;
	uint64_t refused;
	size_t placed; /* of those held: contexts are read */
	size_t unplaced; /* they publish, but nothing says where, or there was no room in the kernel */
	uint64_t unreadable; /* looks that failed */
};
void publishers_read(const struct publishers *publishers, struct publishers_figures *ret_figures);

#endif
