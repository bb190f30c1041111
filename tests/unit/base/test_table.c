/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/table.h"
#include "failing_alloc.h"

struct item {
	int number; /* before the node, so that table_entry has an offset to undo */
	struct table_node node;
};

#define NODE_ITEM(pointer) table_entry(pointer, struct item, node)

static bool item_matches(const struct table_node *node, const void *key)
{
	return NODE_ITEM(node)->number == *(const int *)key;
}

static bool is_in(struct table *table, int number, uint64_t hash)
{
	struct table_node *node = table_find(table, hash, &number);

	return node && NODE_ITEM(node)->number == number;
}

/* Oldest first; also checks that both directions of the list agree. */
static void assert_order(const struct table *table, const int *numbers, size_t count)
{
	const struct table_node *node = table->oldest, *before = NULL;
	size_t i;

	assert_int_equal(table->count, count);
	for (i = 0; i < count; i++) {
		assert_non_null(node);
		assert_int_equal(NODE_ITEM(node)->number, numbers[i]);
		assert_ptr_equal(node->older, before);
		before = node;
		node = node->newer;
	}
	assert_null(node);
	assert_ptr_equal(table->newest, before);
}

#define ASSERT_ORDER(table, ...)                          \
	assert_order(table, (const int[]){ __VA_ARGS__ }, \
		     sizeof((const int[]){ __VA_ARGS__ }) / sizeof(int))

struct fixture {
	struct table table;
	struct item items[5];
};

/* Five items, all in one bucket. */
static int fixture_init(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	*state = fixture;
	if (!fixture || table_init(&fixture->table, 5, item_matches))
		return -1;
	for (int i = 0; i < 5; i++) {
		fixture->items[i].number = i;
		if (table_insert(&fixture->table, &fixture->items[i].node, 16))
			return -1;
	}
	return 0;
}

static int fixture_done(void **state)
{
	struct fixture *fixture = *state;

	table_done(&fixture->table);
	free(fixture);
	return 0;
}

static void empty_table_finds_nothing(void **state)
{
	struct table table;
	int key = 1;

	(void)state;
	assert_int_equal(table_init(&table, 0, item_matches), 0);
	assert_null(table_find(&table, 1, &key));
	assert_null(table.oldest);
	assert_null(table.newest);
	table_done(&table);
	assert_null(table.buckets);
	table_done(&table); /* twice is allowed */
}

static void finds_what_was_inserted(void **state)
{
	struct fixture *fixture = *state;
	int key = 3;

	assert_ptr_equal(table_find(&fixture->table, 16, &key), &fixture->items[3].node);
	assert_null(table_find(&fixture->table, 17, &key));	 /* right key, other bucket */
	assert_null(table_find(&fixture->table, 16 + 32, &key)); /* same bucket, other hash */
	key = 5;
	assert_null(table_find(&fixture->table, 16, &key)); /* right hash, other key */
}

static void finding_makes_newest(void **state)
{
	struct fixture *fixture = *state;

	ASSERT_ORDER(&fixture->table, 0, 1, 2, 3, 4);
	assert_true(is_in(&fixture->table, 4, 16));
	ASSERT_ORDER(&fixture->table, 0, 1, 2, 3, 4);
	assert_true(is_in(&fixture->table, 2, 16));
	ASSERT_ORDER(&fixture->table, 0, 1, 3, 4, 2);
	assert_true(is_in(&fixture->table, 0, 16));
	ASSERT_ORDER(&fixture->table, 1, 3, 4, 2, 0);
	assert_false(is_in(&fixture->table, 9, 16));
	ASSERT_ORDER(&fixture->table, 1, 3, 4, 2, 0);
}

static void touching_makes_newest(void **state)
{
	struct fixture *fixture = *state;

	table_touch(&fixture->table, &fixture->items[4].node);
	ASSERT_ORDER(&fixture->table, 0, 1, 2, 3, 4);
	table_touch(&fixture->table, &fixture->items[1].node);
	ASSERT_ORDER(&fixture->table, 0, 2, 3, 4, 1);
	table_touch(&fixture->table, &fixture->items[0].node);
	ASSERT_ORDER(&fixture->table, 2, 3, 4, 1, 0);
}

static void limit_refuses_and_changes_nothing(void **state)
{
	struct fixture *fixture = *state;
	struct item more = { .number = 5 };

	assert_int_equal(table_insert(&fixture->table, &more.node, 16), -ENOSPC);
	assert_false(is_in(&fixture->table, 5, 16));
	ASSERT_ORDER(&fixture->table, 0, 1, 2, 3, 4);

	table_remove(&fixture->table, fixture->table.oldest);
	assert_int_equal(table_insert(&fixture->table, &more.node, 16), 0);
	assert_true(is_in(&fixture->table, 5, 16));
	ASSERT_ORDER(&fixture->table, 1, 2, 3, 4, 5);
}

static void removes_first_middle_and_last(void **state)
{
	struct fixture *fixture = *state;

	table_remove(&fixture->table, &fixture->items[2].node);
	ASSERT_ORDER(&fixture->table, 0, 1, 3, 4);
	table_remove(&fixture->table, &fixture->items[0].node);
	ASSERT_ORDER(&fixture->table, 1, 3, 4);
	table_remove(&fixture->table, &fixture->items[4].node);
	ASSERT_ORDER(&fixture->table, 1, 3);
	assert_false(is_in(&fixture->table, 0, 16));
	assert_false(is_in(&fixture->table, 2, 16));
	assert_false(is_in(&fixture->table, 4, 16));
	assert_true(is_in(&fixture->table, 1, 16));
	table_remove(&fixture->table, &fixture->items[1].node);
	table_remove(&fixture->table, &fixture->items[3].node);
	assert_int_equal(fixture->table.count, 0);
	assert_null(fixture->table.oldest);
	assert_null(fixture->table.newest);
	assert_int_equal(table_insert(&fixture->table, &fixture->items[0].node, 16), 0);
	ASSERT_ORDER(&fixture->table, 0);
}

/* A table full of random keys against an array that says which are in. */
static void agrees_with_a_plain_array(void **state)
{
	enum { KEYS = 64, LIMIT = 40 };
	static struct item items[KEYS];
	bool is_inside[KEYS] = { false };
	uint32_t random = 1;
	size_t inside = 0;
	struct table table;

	(void)state;
	assert_int_equal(table_init(&table, LIMIT, item_matches), 0);
	for (int step = 0; step < 20000; step++) {
		int key;

		random = random * 1664525u + 1013904223u;
		key = (int)((random >> 16) % KEYS);
		items[key].number = key;
		assert_int_equal(is_in(&table, key, hash_u64((uint64_t)key)), is_inside[key]);
		if (is_inside[key]) {
			table_remove(&table, &items[key].node);
			is_inside[key] = false;
			inside--;
		} else if (table_insert(&table, &items[key].node, hash_u64((uint64_t)key)) == 0) {
			is_inside[key] = true;
			inside++;
		} else {
			assert_int_equal(inside, LIMIT);
		}
		assert_int_equal(table.count, inside);
	}
	table_done(&table);
}

static void init_without_memory(void **state)
{
	size_t failures = 0;

	(void)state;
	FOR_EACH_FAILING_ALLOC(nth)
	{
		struct table table;
		int ret = table_init(&table, 100, item_matches);

		if (failing_alloc_has_failed()) {
			failures++;
			assert_int_equal(ret, -ENOMEM);
		} else {
			assert_int_equal(ret, 0);
		}
		table_done(&table);
	}
	assert_int_equal(failures, 1); /* the buckets are all that it holds */
}

static void insert_find_and_remove_need_no_memory(void **state)
{
	struct fixture *fixture = *state;
	struct item more = { .number = 7 };

	table_remove(&fixture->table, &fixture->items[0].node);
	failing_alloc_at(0);
	assert_int_equal(table_insert(&fixture->table, &more.node, 99), 0);
	assert_true(is_in(&fixture->table, 7, 99));
	table_remove(&fixture->table, &more.node);
	assert_false(failing_alloc_stop());
}

static void hash_is_of_all_bytes_and_of_the_length(void **state)
{
	unsigned char bytes[41];

	(void)state;
	memset(bytes, 0, sizeof(bytes));
	for (size_t length = 0; length < sizeof(bytes); length++) {
		uint64_t hash = hash_bytes(bytes, length);

		assert_int_equal(hash, hash_bytes(bytes, length));
		assert_int_not_equal(hash, hash_bytes(bytes, length + 1));
		for (size_t at = 0; at < length; at++) {
			bytes[at] ^= 0x80;
			assert_int_not_equal(hash, hash_bytes(bytes, length));
			bytes[at] ^= 0x80;
		}
		bytes[length] ^= 1; /* behind the end: not read */
		assert_int_equal(hash, hash_bytes(bytes, length));
		bytes[length] ^= 1;
	}
}

static void hash_takes_unaligned_bytes(void **state)
{
	unsigned char bytes[32];

	(void)state;
	for (size_t shift = 0; shift < 8; shift++) {
		memset(bytes, 0xff, sizeof(bytes));
		memcpy(bytes + shift, "GET /orders/17", 14);
		assert_int_equal(hash_bytes(bytes + shift, 14), hash_bytes("GET /orders/17", 14));
	}
}

/* Neighbouring keys must not share buckets: 4096 of them into 4096 buckets leave about 1/e empty, or fewer. */
static void hash_spreads_neighbours(void **state)
{
	static bool is_used[4096];
	size_t used = 0;

	(void)state;
	memset(is_used, 0, sizeof(is_used));
	for (uint64_t key = 0; key < 4096; key++) {
		bool *bucket = &is_used[hash_u64(key * 64) & 4095];

		used += !*bucket;
		*bucket = true;
	}
	assert_in_range(used, 2300, 4096);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(empty_table_finds_nothing),
		cmocka_unit_test_setup_teardown(finds_what_was_inserted, fixture_init,
						fixture_done),
		cmocka_unit_test_setup_teardown(finding_makes_newest, fixture_init, fixture_done),
		cmocka_unit_test_setup_teardown(touching_makes_newest, fixture_init, fixture_done),
		cmocka_unit_test_setup_teardown(limit_refuses_and_changes_nothing, fixture_init,
						fixture_done),
		cmocka_unit_test_setup_teardown(removes_first_middle_and_last, fixture_init,
						fixture_done),
		cmocka_unit_test(agrees_with_a_plain_array),
		cmocka_unit_test(init_without_memory),
		cmocka_unit_test_setup_teardown(insert_find_and_remove_need_no_memory, fixture_init,
						fixture_done),
		cmocka_unit_test(hash_is_of_all_bytes_and_of_the_length),
		cmocka_unit_test(hash_takes_unaligned_bytes),
		cmocka_unit_test(hash_spreads_neighbours),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
