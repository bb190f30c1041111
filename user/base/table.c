/* SPDX-License-Identifier: Apache-2.0 */
/* Chained buckets and a list in order of use. */
#include "base/table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

static size_t bucket_count_for(size_t limit)
{
	size_t count = 16;

	while (count < limit)
		count *= 2;
	return count;
}

int table_init(struct table *table, size_t limit, table_match match)
{
	size_t buckets = bucket_count_for(limit);

	*table = (struct table){ .match = match, .mask = buckets - 1, .limit = limit };
	table->buckets = calloc(buckets, sizeof(struct table_node *));
	return table->buckets ? 0 : -ENOMEM;
}

void table_done(struct table *table)
{
	free(table->buckets);
	*table = (struct table){ 0 };
}

static void list_remove(struct table *table, struct table_node *node)
{
	if (node->older)
		node->older->newer = node->newer;
	else
		table->oldest = node->newer;
	if (node->newer)
		node->newer->older = node->older;
	else
		table->newest = node->older;
}

static void list_append(struct table *table, struct table_node *node)
{
	node->newer = NULL;
	node->older = table->newest;
	if (table->newest)
		table->newest->newer = node;
	else
		table->oldest = node;
	table->newest = node;
}

void table_touch(struct table *table, struct table_node *node)
{
	if (node == table->newest)
		return;
	list_remove(table, node);
	list_append(table, node);
}

struct table_node *table_find(struct table *table, uint64_t hash, const void *key)
{
	return table_find_by(table, hash, key, table->match);
}

int table_insert(struct table *table, struct table_node *node, uint64_t hash)
{
	struct table_node **bucket = &table->buckets[hash & table->mask];

	if (table->count >= table->limit)
		return -ENOSPC;
	node->hash = hash;
	node->next_in_bucket = *bucket;
	*bucket = node;
	list_append(table, node);
	table->count++;
	return 0;
}

void table_remove(struct table *table, struct table_node *node)
{
	struct table_node **slot = &table->buckets[node->hash & table->mask];

	while (*slot != node)
		slot = &(*slot)->next_in_bucket;
	*slot = node->next_in_bucket;
	list_remove(table, node);
	table->count--;
}

/* Without a secret seed a stranger could choose paths that all fall into one bucket. */
static uint64_t hash_seed(void)
{
	static uint64_t seed;

	if (!seed && getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
		seed = 0x9e3779b97f4a7c15u;
	return seed;
}

/* The folded product of wyhash (Wang Yi, public domain): 16 bytes a multiplication. */
static uint64_t fold(uint64_t a, uint64_t b)
{
	unsigned __int128 product = (unsigned __int128)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* Up to 16 bytes as two words; those of 4 bytes or more may overlap. */
static void read_end(const unsigned char *at, size_t length, uint64_t ret_words[2])
{
	uint32_t first = 0, last = 0;

	ret_words[1] = 0;
	if (length >= 8) {
		memcpy(&ret_words[0], at, 8);
		memcpy(&ret_words[1], at + length - 8, 8);
		return;
	}
	if (length >= 4) {
		memcpy(&first, at, 4);
		memcpy(&last, at + length - 4, 4);
	} else if (length) {
		first = at[0];
		last = (uint32_t)at[length / 2] << 8 | at[length - 1];
	}
	ret_words[0] = (uint64_t)first << 32 | last;
}

uint64_t hash_bytes(const void *bytes, size_t length)
{
	const unsigned char *at = bytes;
	uint64_t seed = hash_seed(), hash = seed ^ 0xa0761d6478bd642fu, words[2];
	size_t left = length;

	for (; left > 16; at += 16, left -= 16) {
		memcpy(words, at, sizeof(words));
		hash = fold(words[0] ^ seed, words[1] ^ hash);
	}
	read_end(at, left, words);
	hash = fold(words[0] ^ seed, words[1] ^ hash);
	return fold(hash ^ 0xe7037ed1a0b428dbu, length ^ seed);
}
