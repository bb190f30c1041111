/* SPDX-License-Identifier: Apache-2.0 */
#include "deliver/metric_delivery.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/cond.h"
#include "base/log.h"

/* For want of memory, and between tries when the end has come. */
#define PAUSE_MS 1000
#define PAUSE_AT_END_MS 100

struct metric_delivery {
	struct otlp_client *client;   /* owned; the thread's, as the two that follow */
	struct otlp_metrics *metrics; /* owned */
	struct snapshot *before;      /* owned reference; delivered last. NULL: none yet */
	uint64_t interval_ns;
	uint64_t due_ns; /* the owner thread's */
	pthread_t thread;
	_Atomic uint64_t deadline_ns; /* UINT64_MAX: goes on */
	pthread_mutex_t lock;	      /* guards all that follows */
	pthread_cond_t changed;	      /* on CLOCK_MONOTONIC */
	struct snapshot *next;	      /* owned reference; NULL: none waits */
	bool is_busy;		      /* with the one before */
	struct metric_delivery_stats stats;
};

static uint64_t deadline_of(struct metric_delivery *delivery)
{
	return atomic_load_explicit(&delivery->deadline_ns, memory_order_acquire);
}

static bool is_ending(struct metric_delivery *delivery)
{
	return deadline_of(delivery) != UINT64_MAX;
}

/* Until the time is up, or the end has come. */
static void wait_ms(struct metric_delivery *delivery, uint32_t ms)
{
	bool was_ending = is_ending(delivery);
	uint64_t until_ns = monotonic_ns() + (was_ending ? PAUSE_AT_END_MS : ms) * NS_PER_MS;

	pthread_mutex_lock(&delivery->lock);
	while (is_ending(delivery) == was_ending)
		if (!cond_wait_until(&delivery->changed, &delivery->lock, until_ns))
			break;
	pthread_mutex_unlock(&delivery->lock);
}

static void count(struct metric_delivery *delivery, size_t points,
		  const struct delivery_outcome *outcome)
{
	pthread_mutex_lock(&delivery->lock);
	delivery->stats.exported += points - outcome->dropped;
	delivery->stats.dropped[outcome->reason] += outcome->dropped;
	pthread_mutex_unlock(&delivery->lock);
}

static void count_retry(struct metric_delivery *delivery)
{
	pthread_mutex_lock(&delivery->lock);
	delivery->stats.retries++;
	pthread_mutex_unlock(&delivery->lock);
}

/* One part, until it is settled or the time is over. Always the same bytes: a receiver may have taken them without our knowing. */
static void send_part(struct metric_delivery *delivery, const struct text_buffer *bytes,
		      size_t points)
{
	struct delivery_body body = { bytes->bytes, bytes->length, points, false,
				      &delivery->deadline_ns };
	struct delivery_outcome given_up = { true, 0, points, SPAN_DROP_SHUTDOWN };

	while (monotonic_ns() < deadline_of(delivery)) {
		struct delivery_outcome outcome = { 0 };

		otlp_client_send(delivery->client, &body, &outcome);
		if (outcome.is_settled) {
			count(delivery, points, &outcome);
			return;
		}
		count_retry(delivery);
		body.is_again = true;
		wait_ms(delivery, outcome.wait_ms);
	}
	count(delivery, points, &given_up);
}

static void send_snapshot(struct metric_delivery *delivery, struct snapshot *snapshot)
{
	int points;

	otlp_metrics_begin(delivery->metrics, snapshot, delivery->before);
	do {
		_cleanup_(text_buffer_done) struct text_buffer bytes = { 0 };

		points = otlp_metrics_next(delivery->metrics, &bytes);
		if (points > 0) {
			otlp_client_pack(delivery->client, &bytes);
			send_part(delivery, &bytes, (size_t)points);
		} else if (points < 0) {
			wait_ms(delivery, PAUSE_MS);
		}
	} while (points > 0 || (points < 0 && monotonic_ns() < deadline_of(delivery)));
	snapshot_unref(&delivery->before);
	if (otlp_metrics_has_deltas(delivery->metrics))
		delivery->before = TAKE_PTR(snapshot);
	snapshot_unref(&snapshot);
}

/* NULL: it is over. */
static struct snapshot *take_next(struct metric_delivery *delivery)
{
	struct snapshot *next;

	pthread_mutex_lock(&delivery->lock);
	delivery->is_busy = false;
	while (!delivery->next && !is_ending(delivery))
		pthread_cond_wait(&delivery->changed, &delivery->lock);
	next = TAKE_PTR(delivery->next);
	delivery->is_busy = next != NULL;
	pthread_mutex_unlock(&delivery->lock);
	return next;
}

static void *run(void *context)
{
	struct metric_delivery *delivery = context;
	struct snapshot *snapshot;

	while ((snapshot = take_next(delivery)))
		send_snapshot(delivery, snapshot);
	return NULL;
}

/* Its thread has ended, or never was. */
static void release(struct metric_delivery *delivery)
{
	otlp_client_free(&delivery->client);
	otlp_metrics_free(&delivery->metrics);
	snapshot_unref(&delivery->before);
	snapshot_unref(&delivery->next);
	pthread_mutex_destroy(&delivery->lock);
	pthread_cond_destroy(&delivery->changed);
	free(delivery);
}

int metric_delivery_start(struct otlp_client *client, struct otlp_metrics *metrics,
			  uint64_t interval_ns, struct metric_delivery **ret_delivery)
{
	struct metric_delivery *delivery = calloc(1, sizeof(*delivery));
	int error;

	if (!delivery) {
		otlp_client_free(&client);
		otlp_metrics_free(&metrics);
		return -ENOMEM;
	}
	delivery->client = client;
	delivery->metrics = metrics;
	delivery->interval_ns = interval_ns;
	delivery->due_ns = monotonic_ns() + interval_ns;
	delivery->deadline_ns = UINT64_MAX;
	pthread_mutex_init(&delivery->lock, NULL); /* default attributes: cannot fail on Linux */
	(void)cond_init_monotonic(&delivery->changed); /* nor can this */
	error = -pthread_create(&delivery->thread, NULL, run, delivery);
	if (error)
		release(delivery);
	else
		*ret_delivery = delivery;
	return error;
}

bool metric_delivery_is_due(struct metric_delivery *delivery, uint64_t now_ns)
{
	bool is_free;

	if (now_ns < delivery->due_ns)
		return false;
	pthread_mutex_lock(&delivery->lock);
	is_free = !delivery->is_busy && !delivery->next;
	pthread_mutex_unlock(&delivery->lock);
	return is_free;
}

static void put_locked(struct metric_delivery *delivery, struct snapshot *snapshot)
{
	snapshot_unref(&delivery->next);
	delivery->next = snapshot;
	pthread_cond_signal(&delivery->changed);
}

/* After a pause the rhythm is the same again. */
void metric_delivery_put(struct metric_delivery *delivery, struct snapshot *snapshot,
			 uint64_t now_ns)
{
	while (delivery->due_ns <= now_ns)
		delivery->due_ns += delivery->interval_ns;
	if (!snapshot)
		return;
	pthread_mutex_lock(&delivery->lock);
	put_locked(delivery, snapshot);
	pthread_mutex_unlock(&delivery->lock);
}

void metric_delivery_finish(struct metric_delivery *delivery, struct snapshot *last,
			    uint64_t deadline_ns)
{
	pthread_mutex_lock(&delivery->lock);
	atomic_store_explicit(&delivery->deadline_ns, deadline_ns, memory_order_release);
	if (last)
		put_locked(delivery, last);
	pthread_cond_signal(&delivery->changed);
	pthread_mutex_unlock(&delivery->lock);
}

void metric_delivery_free(struct metric_delivery **delivery)
{
	struct metric_delivery *mine = *delivery;

	*delivery = NULL;
	if (!mine)
		return;
	if (!is_ending(mine))
		metric_delivery_finish(mine, NULL, 0);
	pthread_join(mine->thread, NULL);
	if (mine->stats.dropped[SPAN_DROP_SHUTDOWN])
		log_warn("metrics: %llu data points were not delivered in time, and are lost",
			 (unsigned long long)mine->stats.dropped[SPAN_DROP_SHUTDOWN]);
	release(mine);
}

void metric_delivery_read(struct metric_delivery *delivery, struct metric_delivery_stats *ret_stats)
{
	pthread_mutex_lock(&delivery->lock);
	*ret_stats = delivery->stats;
	pthread_mutex_unlock(&delivery->lock);
}
