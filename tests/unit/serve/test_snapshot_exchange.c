/* SPDX-License-Identifier: Apache-2.0 */
/* Who waits for what is decided by which call the test makes, never by how long something takes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>

#include "failing_alloc.h"
#include "serve/snapshot_exchange.h"

#define FOR_EVER_MS (60 * 1000)

static bool is_requested(const struct exchange *exchange, int timeout_ms)
{
	struct pollfd polled = { .fd = exchange_fd(exchange), .events = POLLIN };

	return poll(&polled, 1, timeout_ms) == 1;
}

struct waiter {
	pthread_t thread;
	struct exchange *exchange;
	struct snapshot *snapshot;
	int err;
};

static void *wait_in_thread(void *argument)
{
	struct waiter *waiter = argument;

	waiter->err = exchange_wait(waiter->exchange, FOR_EVER_MS, &waiter->snapshot);
	return NULL;
}

static void waiter_start(struct waiter *waiter, struct exchange *exchange)
{
	*waiter = (struct waiter){ .exchange = exchange };
	assert_int_equal(pthread_create(&waiter->thread, NULL, wait_in_thread, waiter), 0);
}

static void the_owner_answers(void **state)
{
	struct exchange *exchange = exchange_new();
	struct snapshot *snapshot = snapshot_new(0);
	struct waiter waiter;

	(void)state;
	assert_false(is_requested(exchange, 0));
	waiter_start(&waiter, exchange);
	assert_true(is_requested(exchange, FOR_EVER_MS));
	exchange_publish(exchange, snapshot);
	assert_false(is_requested(exchange, 0));
	pthread_join(waiter.thread, NULL);
	assert_int_equal(waiter.err, 0);
	assert_ptr_equal(waiter.snapshot, snapshot);
	assert_int_equal(exchange_published(exchange), 1);
	snapshot_unref(&waiter.snapshot);
	exchange_free(&exchange);
	assert_null(exchange);
}

/* What was published before the request is not an answer to it. */
static void an_old_snapshot_is_no_answer(void **state)
{
	struct exchange *exchange = exchange_new();
	struct snapshot *fresh = snapshot_new(0);
	struct waiter waiter;

	(void)state;
	exchange_publish(exchange, snapshot_new(0));
	waiter_start(&waiter, exchange);
	assert_true(is_requested(exchange, FOR_EVER_MS));
	exchange_publish(exchange, fresh);
	pthread_join(waiter.thread, NULL);
	assert_ptr_equal(waiter.snapshot, fresh);
	snapshot_unref(&waiter.snapshot);
	exchange_free(&exchange);
}

static void a_silent_owner_costs_freshness_only(void **state)
{
	struct exchange *exchange = exchange_new();
	struct snapshot *old = snapshot_new(0), *got = NULL;

	(void)state;
	assert_int_equal(exchange_wait(exchange, 1, &got), -EAGAIN);
	assert_null(got);
	exchange_publish(exchange, old);
	assert_false(exchange_is_stale(exchange));
	assert_int_equal(exchange_wait(exchange, 1, &got), -ETIMEDOUT);
	assert_ptr_equal(got, old);
	assert_true(exchange_is_stale(exchange));
	snapshot_unref(&got);
	exchange_publish(exchange, snapshot_new(0));
	assert_false(exchange_is_stale(exchange));
	exchange_free(&exchange);
}

static void an_owner_without_memory_says_so(void **state)
{
	struct exchange *exchange = exchange_new();
	struct snapshot *old = snapshot_new(0);
	struct waiter waiter;

	(void)state;
	waiter_start(&waiter, exchange);
	assert_true(is_requested(exchange, FOR_EVER_MS));
	exchange_publish(exchange, NULL);
	pthread_join(waiter.thread, NULL);
	assert_int_equal(waiter.err, -EAGAIN);

	exchange_publish(exchange, old);
	waiter_start(&waiter, exchange);
	assert_true(is_requested(exchange, FOR_EVER_MS));
	exchange_publish(exchange, NULL);
	pthread_join(waiter.thread, NULL);
	assert_int_equal(waiter.err, -ETIMEDOUT);
	assert_ptr_equal(waiter.snapshot, old);
	snapshot_unref(&waiter.snapshot);
	exchange_free(&exchange);
}

static void stopping_ends_waiting(void **state)
{
	struct exchange *exchange = exchange_new();
	struct snapshot *got = NULL;
	struct waiter waiter;

	(void)state;
	waiter_start(&waiter, exchange);
	assert_true(is_requested(exchange, FOR_EVER_MS));
	exchange_stop(exchange);
	pthread_join(waiter.thread, NULL);
	assert_int_equal(waiter.err, -ESHUTDOWN);
	assert_int_equal(exchange_wait(exchange, FOR_EVER_MS, &got), -ESHUTDOWN);
	assert_null(got);
	exchange_free(&exchange);
}

static void readiness(void **state)
{
	struct exchange *exchange = exchange_new();

	(void)state;
	assert_string_equal(exchange_unready_reason(exchange), "starting");
	exchange_set_ready(exchange, true, NULL);
	assert_null(exchange_unready_reason(exchange));
	exchange_set_ready(exchange, false, "rings not drained");
	assert_string_equal(exchange_unready_reason(exchange), "rings not drained");
	exchange_set_ready(exchange, false, NULL);
	assert_non_null(exchange_unready_reason(exchange));
	exchange_free(&exchange);
}

static void without_memory(void **state)
{
	(void)state;
	failing_alloc_at(0);
	assert_null(exchange_new());
	assert_true(failing_alloc_stop());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_owner_answers),
		cmocka_unit_test(an_old_snapshot_is_no_answer),
		cmocka_unit_test(a_silent_owner_costs_freshness_only),
		cmocka_unit_test(an_owner_without_memory_says_so),
		cmocka_unit_test(stopping_ends_waiting),
		cmocka_unit_test(readiness),
		cmocka_unit_test(without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
