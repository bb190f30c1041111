/* SPDX-License-Identifier: Apache-2.0 */
/* Opens the BPF objects, chooses hooks, loads, attaches, and holds the maps. All calls from the owner thread. */
#ifndef SONDE_LOAD_LOADER_H
#define SONDE_LOAD_LOADER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config_abi.h"
#include "load/signal_report.h"

struct loader;

/* A hook that must be used for a signal, whatever else works: for tests and for finding faults. */
struct forced_hook {
	const char *signal;
	const char *hook;
};

struct loader_options {
	struct bpf_settings settings;	  /* agent_tgid and shard_mask are filled by the loader */
	size_t ring_bytes;		  /* of each shard; rounded up to a power of two of pages */
	size_t connections;		  /* entries of conn_by_sock */
	size_t processes;		  /* entries of process_by_tgid */
	const struct forced_hook *forced; /* borrowed */
	size_t forced_count;
};

/* Load and attach everything that this kernel can do. Nothing missing is fatal but everything missing is.
 *
 * ret_report  always written, the caller's to free()
 * Returns     0; -ENOTSUP when no signal works or a precondition is missing (report->fatal says what to do);
 *             -EINVAL for an unknown forced hook; -ENOMEM */
int loader_start(const struct loader_options *options, struct loader **ret_loader,
		 struct check_report **ret_report);

/* Detach and close everything; accepts NULL. */
void loader_stop(struct loader **loader);

/* Descriptor of a map by name ("conn_by_sock"), borrowed; -ENOENT. */
int loader_map(const struct loader *loader, const char *name);

/* The most entries of a map; 0 when there is none of that name. */
size_t loader_map_limit(const struct loader *loader, const char *name);

/* Run the walk that serves a signal (headers/walk_abi.h has its records), see iterator_run().
 * Returns 0; -ENOENT when this kernel has none; negative errno */
int loader_walk(const struct loader *loader, const char *signal, size_t record_bytes,
		void (*visit)(void *context, const void *record), void *context);

/* Descriptors of the ring buffers: [RING_PROCESS] and the shards behind it. */
const int *loader_rings(const struct loader *loader, size_t *ret_count);
size_t loader_ring_bytes(const struct loader *loader, size_t ring);

/* Whether this kernel preempts BPF programs, and skips runs of others on a CPU meanwhile. It then does the same to perf
 * tracepoint programs while a task that reads or writes a map by system call is preempted in the middle. */
bool loader_is_preempting(const struct loader *loader);

/* Run a control program (enum control_op). Returns 0, -ENOENT when the key is not there, negative errno. */
int loader_control(const struct loader *loader, enum control_op op, uint64_t key, uint64_t id,
		   uint64_t value);

/* The i-th loaded BPF object, borrowed; NULL behind the last. For figures.c. */
struct bpf_object;
struct bpf_object *loader_object(const struct loader *loader, size_t i);

#endif
