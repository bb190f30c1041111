/* SPDX-License-Identifier: Apache-2.0 */
/* How the threads of a process find the context that they publish, or, in Go programs, the goroutine that they run.
 * Source: OpenTelemetry enhancement proposal 4947 */
#ifndef SONDE_PUBLISHED_THREAD_PLACE_H
#define SONDE_PUBLISHED_THREAD_PLACE_H

#include "config_abi.h"
#include "published/loaded_module.h"

#define THREAD_CONTEXT_SYMBOL "otel_thread_ctx_v1"

/* Look into one module for the context.
 *
 * is_executable  of the process
 * is_musl        its C library
 * Returns        0; -ENOENT: it has no such variable; -EAGAIN: the dynamic linker is not through with it; -ENOTSUP: it has one, but
 *                nothing says where; negative errno */
int thread_place_read(const struct memory *memory, uint64_t start, bool is_executable, bool is_musl,
		      struct thread_place *ret_place);

/* Look into all of a process's. Returns the same */
struct mapped_files;
int thread_place_find(uint32_t tgid, const struct mapped_files *files,
		      struct thread_place *ret_place);

#endif
