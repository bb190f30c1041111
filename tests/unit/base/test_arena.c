/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/arena.h"
#include "failing_alloc.h"

static void takes_are_zeroed_and_apart(void **state)
{
	struct arena arena = { 0 };
	char *all[100], zeros[3000] = { 0 };

	(void)state;
	for (int round = 0; round < 3; round++) {
		for (size_t i = 0; i < 100; i++) {
			all[i] = arena_take(&arena, i * 30 + 1);
			assert_int_equal((uintptr_t)all[i] % _Alignof(max_align_t), 0);
			assert_memory_equal(all[i], zeros, i * 30 + 1);
			memset(all[i], (int)i, i * 30 + 1);
		}
		for (size_t i = 0; i < 100; i++)
			for (size_t at = 0; at < i * 30 + 1; at++)
				assert_int_equal(all[i][at], i);
		memset(arena_take(&arena, 1000000), 1, 1000000);
		arena_clear(&arena);
	}
	arena_done(&arena);
	arena_done(&arena);
}

static void failures_are_remembered_until_cleared(void **state)
{
	struct arena arena = { 0 };

	(void)state;
	failing_alloc_at(0);
	assert_null(arena_take(&arena, 1));
	assert_true(failing_alloc_stop());
	assert_non_null(arena_take(&arena, 1));
	assert_true(arena.has_failed);
	arena_clear(&arena);
	assert_false(arena.has_failed);
	arena_done(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_are_zeroed_and_apart),
		cmocka_unit_test(failures_are_remembered_until_cleared),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
