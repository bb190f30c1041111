/* SPDX-License-Identifier: Apache-2.0 */
/* How long the threads of each process have waited for a CPU, summed over those that live and those that have ended.
 * Fed with what a walk over all threads tells. Owner thread only. */
#ifndef SONDE_AGENT_RUN_QUEUE_H
#define SONDE_AGENT_RUN_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "walk_abi.h"

struct run_queue;

/* What a walk has found of a process. */
struct process_wait {
	uint32_t tgid;
	uint32_t waiting; /* threads that wait for a CPU now */
	uint64_t delay_ns; /* waited since the walk before; of a process that was there when the first began: since then */
	uint64_t cgroup_id; /* as in walked_thread */
};

/* limit: processes; further ones are not told, and counted. NULL when out of memory. */
struct run_queue *run_queue_new(size_t limit);
void run_queue_free(struct run_queue **queue);

/* A walk: begin, every thread there is, end; or no end, when it broke off. */
void run_queue_begin(struct run_queue *queue);
void run_queue_thread(struct run_queue *queue, const struct walked_thread *thread);
/* visit returns whether it has used what it was told; else delay_ns is told again with the next walk's. */
void run_queue_end(struct run_queue *queue,
		   bool (*visit)(void *context, const struct process_wait *wait), void *context);

size_t run_queue_count(const struct run_queue *queue);
uint64_t run_queue_refused(const struct run_queue *queue);

#endif
