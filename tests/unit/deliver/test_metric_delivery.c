/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "aggregate/series.h"
#include "base/clock.h"
#include "base/log.h"
#include "deliver/metric_delivery.h"

#define HOUR_NS (3600ull * NS_PER_SECOND)

/* A receiver that answers as it is told, in the place of libcurl's. */
struct otlp_client {
	pthread_mutex_t lock; /* guards all that follows */
	pthread_cond_t changed;
	unsigned answers; /* that it may give */
	struct delivery_outcome answer;
	size_t tries;
	size_t repeated;
	struct text_buffer first; /* of the newest batch */
	bool is_the_same;	  /* all tries of a batch brought the same bytes */
	bool was_freed;
};

static struct otlp_client receiver;

void otlp_client_free(struct otlp_client **client)
{
	if (*client)
		(*client)->was_freed = true;
	*client = NULL;
}

int otlp_client_new(struct otlp_settings *settings, struct otlp_client **ret_client)
{
	(void)settings;
	receiver = (struct otlp_client){ .lock = PTHREAD_MUTEX_INITIALIZER,
					 .changed = PTHREAD_COND_INITIALIZER,
					 .is_the_same = true };
	*ret_client = &receiver;
	return 0;
}

void otlp_client_pack(const struct otlp_client *client, struct text_buffer *body)
{
	(void)client, (void)body;
}

static void keep(struct otlp_client *client, const struct delivery_body *body)
{
	if (body->is_again) {
		client->is_the_same &= client->first.length == body->length &&
				       memcmp(client->first.bytes, body->bytes, body->length) == 0;
		return;
	}
	client->first.length = 0;
	text_append(&client->first, body->bytes, body->length);
}

void otlp_client_send(struct otlp_client *client, const struct delivery_body *body,
		      struct delivery_outcome *ret_outcome)
{
	pthread_mutex_lock(&client->lock);
	client->tries++;
	client->repeated += body->is_again;
	keep(client, body);
	pthread_cond_broadcast(&client->changed);
	while (!client->answers)
		pthread_cond_wait(&client->changed, &client->lock);
	client->answers--;
	*ret_outcome = client->answer;
	if (client->answer.reason == SPAN_DROP_REJECTED)
		ret_outcome->dropped = body->count;
	pthread_mutex_unlock(&client->lock);
}

static void answer(unsigned times, struct delivery_outcome outcome)
{
	pthread_mutex_lock(&receiver.lock);
	receiver.answers = times;
	receiver.answer = outcome;
	pthread_cond_broadcast(&receiver.changed);
	pthread_mutex_unlock(&receiver.lock);
}

static void wait_for_tries(size_t tries)
{
	pthread_mutex_lock(&receiver.lock);
	while (receiver.tries < tries)
		pthread_cond_wait(&receiver.changed, &receiver.lock);
	pthread_mutex_unlock(&receiver.lock);
}

static const struct span_resource resource;
static const struct wall_clock wall;
static const struct delivery_outcome taken = { .is_settled = true };
static const struct delivery_outcome again = { .wait_ms = 1 };
static const struct delivery_outcome refused = { .is_settled = true, .reason = SPAN_DROP_REJECTED };

struct scene {
	struct series_store *store;
	struct metric_delivery *delivery;
};

static int set_up(void **state)
{
	static struct scene scene;
	const struct otlp_metrics_manner manner = { .resource = &resource,
						    .clock = &wall,
						    .has_delta_counters = true };
	struct otlp_client *client;

	log_set_level(LOG_LEVEL_ERROR);
	scene = (struct scene){ .store = series_store_new(100) };
	(void)otlp_client_new(NULL, &client);
	*state = &scene;
	return metric_delivery_start(client, otlp_metrics_new(&manner), HOUR_NS, &scene.delivery);
}

static int tear_down(void **state)
{
	struct scene *scene = *state;

	answer(1000, taken);
	metric_delivery_free(&scene->delivery);
	assert_true(receiver.was_freed);
	text_buffer_done(&receiver.first);
	series_store_free(&scene->store);
	return 0;
}

/* So many more were counted. */
static struct snapshot *count(struct scene *scene, uint64_t more)
{
	(void)series_add(scene->store, METRIC_TCP_BYTES, (label_values){ "shop", "sent" }, 0, more);
	return series_snapshot(scene->store);
}

static struct metric_delivery_stats stats_of(struct scene *scene)
{
	struct metric_delivery_stats stats;

	metric_delivery_read(scene->delivery, &stats);
	return stats;
}

static void one_snapshot_at_a_time(void **state)
{
	struct scene *scene = *state;
	uint64_t now_ns = monotonic_ns();

	assert_false(metric_delivery_is_due(scene->delivery, now_ns));
	now_ns += HOUR_NS;
	assert_true(metric_delivery_is_due(scene->delivery, now_ns));
	metric_delivery_put(scene->delivery, count(scene, 5), now_ns);
	assert_false(metric_delivery_is_due(scene->delivery, now_ns));
	wait_for_tries(1);
	now_ns += 5 * HOUR_NS;
	assert_false(metric_delivery_is_due(scene->delivery, now_ns)); /* the first is under way */
	answer(1, taken);
	while (!metric_delivery_is_due(scene->delivery, now_ns))
		;
	assert_int_equal(stats_of(scene).exported, 1);
	metric_delivery_put(scene->delivery, NULL, now_ns);
	assert_false(metric_delivery_is_due(scene->delivery, now_ns));
	assert_true(metric_delivery_is_due(scene->delivery, now_ns + HOUR_NS));
}

static void a_batch_is_tried_again_as_it_is(void **state)
{
	struct scene *scene = *state;

	metric_delivery_put(scene->delivery, count(scene, 5), 0);
	answer(3, again);
	wait_for_tries(4);
	answer(1, taken);
	while (!stats_of(scene).exported)
		;
	assert_int_equal(stats_of(scene).retries, 3);
	assert_int_equal(receiver.repeated, 3);
	assert_true(receiver.is_the_same);
	/* Nothing was counted since: there is nothing to send. */
	metric_delivery_put(scene->delivery, count(scene, 0), 0);
	while (!metric_delivery_is_due(scene->delivery, UINT64_MAX))
		;
	assert_int_equal(receiver.tries, 4);
}

static void what_is_refused_is_counted(void **state)
{
	struct scene *scene = *state;

	metric_delivery_put(scene->delivery, count(scene, 5), 0);
	answer(1, refused);
	while (!stats_of(scene).dropped[SPAN_DROP_REJECTED])
		;
	assert_int_equal(stats_of(scene).exported, 0);
	assert_int_equal(stats_of(scene).retries, 0);
}

static void the_last_comes_after_the_one_under_way(void **state)
{
	struct scene *scene = *state;

	metric_delivery_put(scene->delivery, count(scene, 5), 0);
	wait_for_tries(1);
	metric_delivery_finish(scene->delivery, count(scene, 2), UINT64_MAX - 1);
	answer(2, taken);
	wait_for_tries(2);
	while (stats_of(scene).exported != 2)
		;
	assert_int_equal(receiver.repeated, 0);
}

static void the_end_does_not_wait_for_ever(void **state)
{
	struct scene *scene = *state;

	metric_delivery_put(scene->delivery, count(scene, 5), 0);
	wait_for_tries(1);
	metric_delivery_finish(scene->delivery, count(scene, 2), 1); /* long past */
	answer(1, again);
	while (stats_of(scene).dropped[SPAN_DROP_SHUTDOWN] != 2)
		;
	assert_int_equal(receiver.tries, 1);
	assert_int_equal(stats_of(scene).exported, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(one_snapshot_at_a_time),	      TEST(a_batch_is_tried_again_as_it_is),
		TEST(what_is_refused_is_counted),     TEST(the_last_comes_after_the_one_under_way),
		TEST(the_end_does_not_wait_for_ever),
	};
#undef TEST

	return cmocka_run_group_tests(tests, NULL, NULL);
}
