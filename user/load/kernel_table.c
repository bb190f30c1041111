/* SPDX-License-Identifier: Apache-2.0 */
/* Batched where the kernel can (hash maps: since 5.6). */
#include "load/kernel_table.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

/* The kernel hands out whole hash buckets: a batch must hold the fullest one. */
#define BATCH 256

int kernel_table_each(int map, size_t key_bytes, size_t value_bytes,
		      void (*visit)(void *context, const void *key, const void *value),
		      void *context)
{
	_cleanup_free_ char *keys = malloc(BATCH * key_bytes);
	_cleanup_free_ char *values = malloc(BATCH * value_bytes);
	uint32_t position = 0, count;
	bool is_first = true;
	int error;

	if (!keys || !values)
		return -ENOMEM;
	do {
		count = BATCH;
		error = bpf_map_lookup_batch(map, is_first ? NULL : &position, &position, keys,
					     values, &count, NULL);
		if (error && error != -ENOENT)
			return error;
		is_first = false;
		for (uint32_t i = 0; i < count; i++)
			visit(context, keys + i * key_bytes, values + i * value_bytes);
	} while (!error);
	return 0;
}

int kernel_table_find(int map, const void *key, void *ret_value)
{
	return bpf_map_lookup_elem(map, key, ret_value) ? -errno : 0;
}

int kernel_table_remove(int map, const void *key)
{
	return bpf_map_delete_elem(map, key) ? -errno : 0;
}

/* Add up a per-CPU value that consists of 64-bit counters. */
static int sum_cpus(int map, uint32_t key, uint64_t *ret_sums, size_t counters)
{
	int cpus = libbpf_num_possible_cpus();
	_cleanup_free_ uint64_t *values =
		cpus > 0 ? calloc((size_t)cpus * counters, sizeof(*values)) : NULL;

	if (!values)
		return cpus > 0 ? -ENOMEM : cpus;
	if (bpf_map_lookup_elem(map, &key, values))
		return -errno;
	memset(ret_sums, 0, counters * sizeof(*ret_sums));
	for (size_t i = 0; i < (size_t)cpus * counters; i++)
		ret_sums[i % counters] += values[i];
	return 0;
}

int kernel_event_counts(int map, struct event_count ret_counts[EVENT_KIND_COUNT])
{
	for (uint32_t kind = 0; kind < EVENT_KIND_COUNT; kind++) {
		int error = sum_cpus(map, kind, (uint64_t *)&ret_counts[kind],
				     sizeof(*ret_counts) / sizeof(uint64_t));

		if (error)
			return error;
	}
	return 0;
}

int kernel_counters(int map, uint64_t ret_counters[KERNEL_COUNTER_COUNT])
{
	for (uint32_t i = 0; i < KERNEL_COUNTER_COUNT; i++) {
		int error = sum_cpus(map, i, &ret_counters[i], 1);

		if (error)
			return error;
	}
	return 0;
}
