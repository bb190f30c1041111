/* SPDX-License-Identifier: Apache-2.0 */
/* What a process says it is called. Source: OpenTelemetry enhancement proposal 4719 */
#ifndef SONDE_PUBLISHED_PROCESS_CONTEXT_H
#define SONDE_PUBLISHED_PROCESS_CONTEXT_H

#include <stddef.h>
#include <stdint.h>

#include "published/loaded_module.h"

#define PUBLISHED_NAME_MAX 128

struct process_context {
	char service[PUBLISHED_NAME_MAX]; /* as it came, cut; "": it does not say */
};

/* Read a payload. Returns 0; -EBADMSG: it is none; -ENOMEM */
int process_context_parse(const uint8_t *payload, size_t bytes,
			  struct process_context *ret_context);

/* Read what is published at an address. Returns the same; -EAGAIN: it is being changed; -ENOTSUP: another version; negative errno */
int process_context_read(const struct memory *memory, uint64_t at,
			 struct process_context *ret_context);

/* Of a process. Returns the same; -ENOENT: it publishes none */
struct mapped_files;
int process_context_find(uint32_t tgid, const struct mapped_files *files,
			 struct process_context *ret_context);

#endif
