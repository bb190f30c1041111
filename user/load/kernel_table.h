/* SPDX-License-Identifier: Apache-2.0 */
/* Reading the kernel side's tables. Owner thread only. */
#ifndef SONDE_LOAD_KERNEL_TABLE_H
#define SONDE_LOAD_KERNEL_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "config_abi.h"

/* Visit every entry of a hash map, in batches of lookups. Entries that are added or removed meanwhile may or may not be
 * met; none is met twice. key and value are borrowed until visit returns; visit may delete the entry it is given.
 * Returns 0 or negative errno */
int kernel_table_each(int map, size_t key_bytes, size_t value_bytes,
		      void (*visit)(void *context, const void *key, const void *value),
		      void *context);

/* One entry. Returns 0, -ENOENT, negative errno. */
int kernel_table_find(int map, const void *key, void *ret_value);
int kernel_table_remove(int map, const void *key);

/* Add up the CPUs of the event and kernel counters. Returns 0 or negative errno. */
int kernel_event_counts(int map, struct event_count ret_counts[EVENT_KIND_COUNT]);
int kernel_counters(int map, uint64_t ret_counters[KERNEL_COUNTER_COUNT]);

#endif
