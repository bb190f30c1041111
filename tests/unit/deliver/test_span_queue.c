/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "deliver/span_queue.h"
#include "export/span_record.h"
#include "failing_alloc.h"

/* Records of `bytes`, each filled with its number. */
static bool put(struct span_queue *queue, size_t bytes, uint32_t number)
{
	uint32_t *record = span_queue_reserve(queue);

	if (!record)
		return false;
	assert_int_equal((uintptr_t)record % 8, 0);
	for (size_t i = 0; i < bytes / sizeof(*record); i++)
		record[i] = number;
	span_queue_commit(queue, bytes);
	return true;
}

static void assert_next(struct span_queue *queue, size_t bytes, uint32_t number)
{
	const uint32_t *record = span_queue_take(queue);

	assert_non_null(record);
	for (size_t i = 0; i < bytes / sizeof(*record); i++)
		assert_int_equal(record[i], number);
}

static void it_has_so_many_records(void **state)
{
	struct span_queue queue;

	(void)state;
	assert_int_equal(span_queue_init(&queue, 20), 0);
	assert_null(span_queue_take(&queue));
	for (uint32_t i = 0; i < 20; i++)
		assert_true(put(&queue, 64, i));
	assert_false(put(&queue, 64, 20));
	assert_int_equal(span_queue_count(&queue), 20);
	assert_next(&queue, 64, 0);
	assert_false(put(&queue, 64, 20));
	span_queue_release(&queue);
	assert_int_equal(span_queue_count(&queue), 19);
	assert_true(put(&queue, 64, 20));
	for (uint32_t i = 1; i <= 20; i++)
		assert_next(&queue, 64, i);
	assert_null(span_queue_take(&queue));
	span_queue_done(&queue);
}

/* Large ones fill it sooner; what is there stays whole. */
static void it_has_so_many_bytes(void **state)
{
	struct span_queue queue;
	uint32_t count = 0;

	(void)state;
	assert_int_equal(span_queue_init(&queue, 1000), 0);
	while (put(&queue, SPAN_RECORD_MAX, count))
		count++;
	assert_in_range(count, 1000 * 512 / SPAN_RECORD_MAX - 2, 1000 * 512 / SPAN_RECORD_MAX + 3);
	for (uint32_t i = 0; i < count; i++)
		assert_next(&queue, SPAN_RECORD_MAX, i);
	assert_null(span_queue_take(&queue));
	span_queue_done(&queue);
}

/* Sizes that meet the end of the memory in every way. */
static void it_goes_around(void **state)
{
	struct span_queue queue;
	uint32_t number = 0, read = 0;

	(void)state;
	assert_int_equal(span_queue_init(&queue, 16), 0);
	for (size_t bytes = 4; bytes <= SPAN_RECORD_MAX; bytes += 4) {
		while (put(&queue, bytes, number))
			number++;
		assert_true(number > read);
		while (read < number)
			assert_next(&queue, bytes, read++);
		span_queue_release(&queue);
	}
	span_queue_done(&queue);
}

#define MANY 200000u

static size_t size_of(uint32_t number)
{
	return 4 + number * 52 % 700;
}

static void *put_many(void *context)
{
	for (uint32_t i = 0; i < MANY;)
		i += put(context, size_of(i), i);
	return NULL;
}

static void two_threads_do_not_wait(void **state)
{
	struct span_queue queue;
	pthread_t thread;

	(void)state;
	assert_int_equal(span_queue_init(&queue, 100), 0);
	assert_int_equal(pthread_create(&thread, NULL, put_many, &queue), 0);
	for (uint32_t i = 0; i < MANY; i++) {
		const uint32_t *record;

		while (!(record = span_queue_take(&queue)))
			span_queue_release(&queue);
		for (size_t at = 0; at < size_of(i) / 4; at++)
			assert_int_equal(record[at], i);
	}
	span_queue_release(&queue);
	pthread_join(thread, NULL);
	assert_int_equal(span_queue_count(&queue), 0);
	span_queue_done(&queue);
}

static void memory_may_be_short(void **state)
{
	struct span_queue queue;

	(void)state;
	failing_alloc_at(0);
	assert_int_equal(span_queue_init(&queue, 16), -ENOMEM);
	assert_true(failing_alloc_stop());
	span_queue_done(&queue);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_has_so_many_records), cmocka_unit_test(it_has_so_many_bytes),
		cmocka_unit_test(it_goes_around),	  cmocka_unit_test(two_threads_do_not_wait),
		cmocka_unit_test(memory_may_be_short),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
