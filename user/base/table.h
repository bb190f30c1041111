/* SPDX-License-Identifier: Apache-2.0 */
/* A bounded hash table of nodes that live inside the caller's structs, in order of last use, so that the
 * owner can evict the oldest when the bound is reached. Holds no memory but its buckets. */
#ifndef SONDE_BASE_TABLE_H
#define SONDE_BASE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct table_node {
	struct table_node *next_in_bucket;
	struct table_node *older; /* towards the least recently used */
	struct table_node *newer;
	uint64_t hash;
};

/* True when the node is the one `key` names. */
typedef bool (*table_match)(const struct table_node *node, const void *key);

struct table {
	struct table_node **buckets; /* owned */
	struct table_node *oldest;   /* borrowed from the caller, like every node */
	struct table_node *newest;
	table_match match;
	size_t mask;
	size_t count;
	size_t limit;
};

/* The struct around a node. */
#define table_entry(node, type, member) ((type *)(void *)((char *)(node)-offsetof(type, member)))

/* Make an empty table for at most `limit` nodes. Returns 0 or -ENOMEM. */
int table_init(struct table *table, size_t limit, table_match match);

/* Free the buckets. Nodes still inside are the caller's to free first. */
void table_done(struct table *table);

/* Make a node that is inside the newest. */
void table_touch(struct table *table, struct table_node *node);

/* Find a node; NULL when there is none.
 *
 * match  the table's own; named here so that the compiler can take it in, on a path that counts its instructions */
static inline struct table_node *table_peek_by(const struct table *table, uint64_t hash,
					       const void *key, table_match match)
{
	struct table_node *node = table->buckets[hash & table->mask];

	while (node && !(node->hash == hash && match(node, key)))
		node = node->next_in_bucket;
	return node;
}

/* Find a node and make it the newest. NULL when there is none. */
static inline struct table_node *table_find_by(struct table *table, uint64_t hash, const void *key,
					       table_match match)
{
	struct table_node *node = table_peek_by(table, hash, key, match);

	if (node && node != table->newest)
		table_touch(table, node);
	return node;
}

struct table_node *table_find(struct table *table, uint64_t hash, const void *key);

/* Put a node in, as the newest; the caller has made sure that its key is not there.
 * Returns 0; -ENOSPC when the table is at its limit (evict table->oldest first). */
int table_insert(struct table *table, struct table_node *node, uint64_t hash);

/* Take a node out; it must be inside. */
void table_remove(struct table *table, struct table_node *node);

/* A hash of bytes, good enough for tables that strangers fill (seeded once per process). */
uint64_t hash_bytes(const void *bytes, size_t length);

/* A hash of a number that the kernel gave out: nobody chooses those, so it has no secret. Fibonacci hashing (Knuth,
 * The Art of Computer Programming, volume 3, section 6.4); the upper half, as tables take the low bits. */
static inline uint64_t hash_u64(uint64_t value)
{
	return value * 0x9e3779b97f4a7c15u >> 32;
}

#endif
