/* SPDX-License-Identifier: Apache-2.0 */
#include "deliver/delivery.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "deliver/span_queue.h"

#define NS_PER_MS 1000000u
/* A batch is sent when so many spans wait, or after so long. */
#define BATCH_SPANS 512
#define BATCH_MS 1000
/* After a pause there are more. */
#define BATCH_MOST 2048

struct delivery {
	const struct delivery_route *route;
	void *context; /* owned */
	struct span_queue queue;
	uint64_t poked_at; /* records put until then; the owner thread's */
	uint64_t queue_full;
	int wake_fd;
	pthread_t thread;
	_Atomic uint64_t deadline_ns; /* UINT64_MAX: goes on */
	/* Guards what follows, and that it agrees with the queue's count of settled records. */
	pthread_mutex_t lock;
	uint64_t exported;
	uint64_t dropped[SPAN_DROP_COUNT];
	uint64_t retries;
	struct span_record *batch[BATCH_MOST]; /* the thread's own */
};

const char *span_drop_name(enum span_drop drop)
{
	static const char *const names[SPAN_DROP_COUNT] = {
#define X(NAME, label, meaning) [SPAN_DROP_##NAME] = label,
		SPAN_DROPS(X)
#undef X
	};

	return names[drop];
}

static uint64_t deadline_of(struct delivery *delivery)
{
	return atomic_load_explicit(&delivery->deadline_ns, memory_order_acquire);
}

static void poke(const struct delivery *delivery)
{
	const uint64_t one = 1;
	ssize_t written = write(delivery->wake_fd, &one, sizeof(one));

	(void)written; /* it cannot block before 2^64 of them, eventfd(2) */
}

/* Returns when poked, or when the time is up. */
static void doze(const struct delivery *delivery, uint32_t ms)
{
	struct pollfd wake = { .fd = delivery->wake_fd, .events = POLLIN };
	uint64_t pokes;

	if (poll(&wake, 1, (int)ms) > 0)
		(void)!read(delivery->wake_fd, &pokes,
			    sizeof(pokes)); /* empty already is as good */
}

/* Between two tries nothing but the end is worth waking for. */
static void wait_to_retry(struct delivery *delivery, uint32_t ms)
{
	uint64_t until_ns = monotonic_ns() + (uint64_t)ms * NS_PER_MS;

	while (deadline_of(delivery) == UINT64_MAX && monotonic_ns() < until_ns)
		doze(delivery, (uint32_t)((until_ns - monotonic_ns()) / NS_PER_MS + 1));
}

static size_t collect(struct delivery *delivery)
{
	size_t count = 0;

	while (count < BATCH_MOST) {
		struct span_record *record = span_queue_take(&delivery->queue);

		if (!record)
			break;
		delivery->batch[count++] = record;
	}
	return count;
}

static void settle(struct delivery *delivery, size_t count, const struct delivery_outcome *outcome)
{
	pthread_mutex_lock(&delivery->lock);
	delivery->exported += count - outcome->dropped;
	delivery->dropped[outcome->reason] += outcome->dropped;
	span_queue_release(&delivery->queue);
	pthread_mutex_unlock(&delivery->lock);
}

static void count_retry(struct delivery *delivery)
{
	pthread_mutex_lock(&delivery->lock);
	delivery->retries++;
	pthread_mutex_unlock(&delivery->lock);
}

/* Send one batch until it is settled, or until the time is over. */
static void send_batch(struct delivery *delivery, size_t count)
{
	struct delivery_batch batch = { .records = delivery->batch,
					.count = count,
					.deadline_ns = &delivery->deadline_ns };
	struct delivery_outcome given_up = { true, 0, count, SPAN_DROP_SHUTDOWN };

	while (monotonic_ns() < deadline_of(delivery)) {
		struct delivery_outcome outcome = { 0 };

		delivery->route->send(delivery->context, &batch, &outcome);
		if (outcome.is_settled) {
			settle(delivery, count, &outcome);
			return;
		}
		count_retry(delivery);
		batch.is_again = true;
		wait_to_retry(delivery, outcome.wait_ms);
		if (deadline_of(delivery) != UINT64_MAX)
			doze(delivery, 100);
	}
	settle(delivery, count, &given_up);
}

static void *run(void *context)
{
	struct delivery *delivery = context;

	for (;;) {
		bool is_last = deadline_of(delivery) != UINT64_MAX;
		size_t count = collect(delivery);

		if (count)
			send_batch(delivery, count);
		else if (is_last)
			return NULL;
		if (count < BATCH_MOST && !is_last)
			doze(delivery, BATCH_MS);
	}
}

static int start_thread(struct delivery *delivery)
{
	int error = -pthread_create(&delivery->thread, NULL, run, delivery);

	if (error)
		pthread_mutex_destroy(&delivery->lock);
	return error;
}

int delivery_start(const struct delivery_route *route, void *context, size_t spans_max,
		   struct delivery **ret_delivery)
{
	struct delivery *delivery = calloc(1, sizeof(*delivery));
	int error = delivery ? span_queue_init(&delivery->queue, spans_max) : -ENOMEM;

	if (error)
		goto failed;
	delivery->route = route;
	delivery->context = context;
	delivery->deadline_ns = UINT64_MAX;
	delivery->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	error = delivery->wake_fd < 0 ? -errno : 0;
	if (error)
		goto failed;
	pthread_mutex_init(&delivery->lock, NULL); /* default attributes: cannot fail on Linux */
	error = start_thread(delivery);
	if (error) {
		close(delivery->wake_fd);
		goto failed;
	}
	*ret_delivery = delivery;
	return 0;
failed:
	route->close(context);
	if (delivery)
		span_queue_done(&delivery->queue);
	free(delivery);
	return error;
}

void delivery_put(struct delivery *delivery, const struct request *request)
{
	void *record = span_queue_reserve(&delivery->queue);

	if (!record) {
		delivery->queue_full++;
		return;
	}
	span_queue_commit(&delivery->queue, span_record_write(request, record));
	if (delivery->queue.put - delivery->poked_at < BATCH_SPANS)
		return;
	delivery->poked_at = delivery->queue.put;
	poke(delivery);
}

void delivery_finish(struct delivery *delivery, uint64_t deadline_ns)
{
	atomic_store_explicit(&delivery->deadline_ns, deadline_ns, memory_order_release);
	poke(delivery);
}

static void log_undelivered(struct delivery *delivery)
{
	struct delivery_stats stats;

	delivery_read(delivery, &stats);
	if (stats.dropped[SPAN_DROP_SHUTDOWN])
		log_warn("%s: %llu spans were not delivered in time, and are lost", stats.exporter,
			 (unsigned long long)stats.dropped[SPAN_DROP_SHUTDOWN]);
}

void delivery_free(struct delivery **delivery)
{
	struct delivery *mine = *delivery;

	*delivery = NULL;
	if (!mine)
		return;
	if (deadline_of(mine) == UINT64_MAX)
		delivery_finish(mine, 0);
	pthread_join(mine->thread, NULL);
	log_undelivered(mine);
	mine->route->close(mine->context);
	span_queue_done(&mine->queue);
	pthread_mutex_destroy(&mine->lock);
	close(mine->wake_fd);
	free(mine);
}

void delivery_read(struct delivery *delivery, struct delivery_stats *ret_stats)
{
	struct delivery_stats stats = { .exporter = delivery->route->name,
					.queue_limit = delivery->queue.spans_max };

	pthread_mutex_lock(&delivery->lock);
	stats.exported = delivery->exported;
	stats.retries = delivery->retries;
	for (unsigned i = 0; i < SPAN_DROP_COUNT; i++)
		stats.dropped[i] = delivery->dropped[i];
	stats.queued = span_queue_count(&delivery->queue);
	pthread_mutex_unlock(&delivery->lock);
	stats.dropped[SPAN_DROP_QUEUE_FULL] = delivery->queue_full;
	*ret_stats = stats;
}
