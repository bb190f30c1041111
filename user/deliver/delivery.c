/* SPDX-License-Identifier: Apache-2.0 */
#include "deliver/delivery.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "deliver/span_queue.h"

/* A batch is sent when so many spans wait, or after so long. */
#define BATCH_SPANS 512
#define BATCH_MS 1000
/* After a pause there are more. */
#define BATCH_MOST 2048
/* For want of memory, or of room on disk. */
#define PAUSE_MS 1000
#define SYNC_NS NS_PER_SECOND
/* A disk that stays full is spoken of so often. */
#define WARN_INTERVAL_NS (60ull * NS_PER_SECOND)

struct delivery {
	const struct delivery_route *route;
	void *context; /* owned */
	struct span_queue queue;
	uint64_t poked_at; /* records put until then; the owner thread's */
	uint64_t queue_full;
	int wake_fd;
	pthread_t thread;
	_Atomic uint64_t deadline_ns; /* UINT64_MAX: goes on */
	/* The thread's own. */
	struct span_record *batch[BATCH_MOST];
	uint64_t synced_ns;
	uint64_t warned_ns; /* of the spool; 0: never */
	/* With a spool that thread fills it, and another one sends what is in it. */
	int spooled_fd; /* wakes the sender */
	pthread_t sender;
	_Atomic bool is_queue_done; /* nothing more will be spooled */
	pthread_mutex_t
		spool_lock; /* guards the spool's files; taken before the other lock, and never by the owner thread */
	struct spool *spool; /* owned; NULL: there is none */
	/* Guards what follows, and that it agrees with the queue's count of settled records. */
	pthread_mutex_t lock;
	uint64_t exported;
	uint64_t dropped[SPAN_DROP_COUNT];
	uint64_t retries;
	uint64_t spool_errors;
	struct spool_figures spooled; /* as of the last look at the spool */
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

static void poke(int wake_fd)
{
	const uint64_t one = 1;
	ssize_t written = write(wake_fd, &one, sizeof(one));

	(void)written; /* it cannot block before 2^64 of them, eventfd(2) */
}

/* Returns when poked, or when the time is up. */
static void doze(int wake_fd, uint32_t ms)
{
	struct pollfd wake = { .fd = wake_fd, .events = POLLIN };
	uint64_t pokes;

	if (poll(&wake, 1, (int)ms) > 0)
		(void)!read(wake_fd, &pokes, sizeof(pokes)); /* empty already is as good */
}

/* Between two tries nothing but the end is worth waking for. */
static void wait_to_retry(struct delivery *delivery, int wake_fd, uint32_t ms)
{
	uint64_t until_ns = monotonic_ns() + (uint64_t)ms * NS_PER_MS;

	while (deadline_of(delivery) == UINT64_MAX && monotonic_ns() < until_ns)
		doze(wake_fd, (uint32_t)((until_ns - monotonic_ns()) / NS_PER_MS + 1));
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

/* Both locks are held, or the lock alone where no other thread can use the spool. */
static void read_spool(struct delivery *delivery)
{
	delivery->spooled = *spool_figures(delivery->spool);
	delivery->dropped[SPAN_DROP_SPOOL_FULL] = delivery->spooled.dropped_full;
	delivery->dropped[SPAN_DROP_SPOOL_DAMAGED] = delivery->spooled.dropped_damaged;
}

static void count_outcome(struct delivery *delivery, size_t count,
			  const struct delivery_outcome *outcome)
{
	delivery->exported += count - outcome->dropped;
	delivery->dropped[outcome->reason] += outcome->dropped;
}

static void settle(struct delivery *delivery, size_t count, const struct delivery_outcome *outcome)
{
	pthread_mutex_lock(&delivery->lock);
	count_outcome(delivery, count, outcome);
	span_queue_release(&delivery->queue);
	pthread_mutex_unlock(&delivery->lock);
}

static void count_retry(struct delivery *delivery)
{
	pthread_mutex_lock(&delivery->lock);
	delivery->retries++;
	pthread_mutex_unlock(&delivery->lock);
}

static bool is_any_spooled(struct delivery *delivery)
{
	bool is_any;

	pthread_mutex_lock(&delivery->lock);
	is_any = delivery->spooled.waiting > 0;
	pthread_mutex_unlock(&delivery->lock);
	return is_any;
}

static void warn_of_spool(struct delivery *delivery, int error)
{
	uint64_t now = monotonic_ns();

	if (delivery->warned_ns && now - delivery->warned_ns < WARN_INTERVAL_NS)
		return;
	delivery->warned_ns = now;
	log_warn("%s: cannot write to the spool: %s; spans wait in memory", delivery->route->name,
		 strerror(-error));
}

/* Returns whether the batch is in the spool. */
static bool spool_batch(struct delivery *delivery, const struct delivery_body *body)
{
	int error;

	if (!delivery->spool)
		return false;
	pthread_mutex_lock(&delivery->spool_lock);
	error = spool_append(delivery->spool, body->bytes, body->length, body->count);
	pthread_mutex_lock(&delivery->lock);
	read_spool(delivery);
	if (error)
		delivery->spool_errors++;
	else
		span_queue_release(&delivery->queue);
	pthread_mutex_unlock(&delivery->lock);
	pthread_mutex_unlock(&delivery->spool_lock);
	if (error)
		warn_of_spool(delivery, error);
	else
		poke(delivery->spooled_fd);
	return !error;
}

/* What waits longer is to survive the machine; what is sent at once costs no disk. */
static void sync_spool(struct delivery *delivery)
{
	uint64_t now = monotonic_ns();
	int error;

	if (!delivery->spool || now - delivery->synced_ns < SYNC_NS || !is_any_spooled(delivery))
		return;
	delivery->synced_ns = now;
	pthread_mutex_lock(&delivery->spool_lock);
	error = spool_sync(delivery->spool);
	pthread_mutex_unlock(&delivery->spool_lock);
	if (error)
		warn_of_spool(delivery, error);
}

/* Returns whether the batch is settled. A spool that cannot be written to is first emptied, by the other thread: the route's
 * send is for one at a time, and spans leave in their order. */
static bool send_once(struct delivery *delivery, struct delivery_body *body)
{
	struct delivery_outcome outcome = { .wait_ms = PAUSE_MS };

	if (body->bytes && !is_any_spooled(delivery)) {
		delivery->route->send(delivery->context, body, &outcome);
		if (outcome.is_settled) {
			settle(delivery, body->count, &outcome);
			return true;
		}
		count_retry(delivery);
		body->is_again = true;
	}
	wait_to_retry(delivery, delivery->wake_fd, outcome.wait_ms);
	if (deadline_of(delivery) != UINT64_MAX)
		doze(delivery->wake_fd, 100);
	return false;
}

/* One batch, until it is settled or in the spool, or until the time is over. */
static void send_batch(struct delivery *delivery, size_t count)
{
	struct delivery_body body = { .count = count, .deadline_ns = &delivery->deadline_ns };
	struct delivery_outcome given_up = { true, 0, count, SPAN_DROP_SHUTDOWN };
	struct text_buffer bytes = { 0 };

	for (;;) {
		if (!body.bytes &&
		    !delivery->route->encode(delivery->context, delivery->batch, count, &bytes)) {
			body.bytes = bytes.bytes;
			body.length = bytes.length;
		}
		if (body.bytes && spool_batch(delivery, &body))
			break;
		if (monotonic_ns() >= deadline_of(delivery)) {
			settle(delivery, count, &given_up);
			break;
		}
		if (send_once(delivery, &body))
			break;
	}
	text_buffer_done(&bytes);
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
			break;
		sync_spool(delivery);
		if (count < BATCH_MOST && !is_last)
			doze(delivery->wake_fd, BATCH_MS);
	}
	atomic_store_explicit(&delivery->is_queue_done, true, memory_order_release);
	poke(delivery->spooled_fd);
	return NULL;
}

static int take_spooled(struct delivery *delivery, struct spool_batch *ret_batch)
{
	int status;

	pthread_mutex_lock(&delivery->spool_lock);
	status = spool_take(delivery->spool, ret_batch);
	pthread_mutex_lock(&delivery->lock);
	read_spool(delivery);
	pthread_mutex_unlock(&delivery->lock);
	pthread_mutex_unlock(&delivery->spool_lock);
	return status;
}

/* Returns 0; negative errno: the disk was not told */
static int settle_spooled(struct delivery *delivery, size_t count,
			  const struct delivery_outcome *outcome)
{
	int error;

	pthread_mutex_lock(&delivery->spool_lock);
	error = spool_settle(delivery->spool);
	pthread_mutex_lock(&delivery->lock);
	read_spool(delivery);
	count_outcome(delivery, count, outcome);
	pthread_mutex_unlock(&delivery->lock);
	pthread_mutex_unlock(&delivery->spool_lock);
	return error;
}

/* Returns false when the batch is left to the next process. */
static bool send_spooled(struct delivery *delivery, const struct spool_batch *batch)
{
	struct delivery_body body = { batch->bytes, batch->length, (size_t)batch->spans, false,
				      &delivery->deadline_ns };

	while (monotonic_ns() < deadline_of(delivery)) {
		struct delivery_outcome outcome = { 0 };
		int error;

		delivery->route->send(delivery->context, &body, &outcome);
		if (outcome.is_settled) {
			error = settle_spooled(delivery, body.count, &outcome);
			if (error)
				log_warn(
					"%s: cannot mark spans in the spool as sent: %s; they may be sent again",
					delivery->route->name, strerror(-error));
			return true;
		}
		count_retry(delivery);
		body.is_again = true;
		if (deadline_of(delivery) != UINT64_MAX)
			return false;
		wait_to_retry(delivery, delivery->spooled_fd, outcome.wait_ms);
	}
	return false;
}

static void *run_sender(void *context)
{
	struct delivery *delivery = context;

	for (;;) {
		bool is_last = atomic_load_explicit(&delivery->is_queue_done, memory_order_acquire);
		struct spool_batch batch;
		int status = take_spooled(delivery, &batch);

		if (status > 0 ? !send_spooled(delivery, &batch) : is_last)
			return NULL;
		if (status <= 0)
			doze(delivery->spooled_fd, PAUSE_MS);
	}
}

static int start_threads(struct delivery *delivery)
{
	int error = 0;

	if (delivery->spool)
		error = -pthread_create(&delivery->sender, NULL, run_sender, delivery);
	if (error)
		return error;
	error = -pthread_create(&delivery->thread, NULL, run, delivery);
	if (error && delivery->spool) {
		delivery_finish(delivery, 0);
		delivery->is_queue_done = true;
		pthread_join(delivery->sender, NULL);
	}
	return error;
}

/* Its threads have ended. */
static void release(struct delivery *delivery)
{
	delivery->route->close(delivery->context);
	spool_close(&delivery->spool);
	span_queue_done(&delivery->queue);
	pthread_mutex_destroy(&delivery->lock);
	pthread_mutex_destroy(&delivery->spool_lock);
	if (delivery->wake_fd >= 0)
		close(delivery->wake_fd);
	if (delivery->spooled_fd >= 0)
		close(delivery->spooled_fd);
	free(delivery);
}

int delivery_start(const struct delivery_route *route, void *context, struct spool *spool,
		   size_t spans_max, struct delivery **ret_delivery)
{
	struct delivery *delivery = calloc(1, sizeof(*delivery));
	int error;

	if (!delivery) {
		route->close(context);
		spool_close(&spool);
		return -ENOMEM;
	}
	delivery->route = route;
	delivery->context = context;
	delivery->spool = spool;
	delivery->deadline_ns = UINT64_MAX;
	pthread_mutex_init(&delivery->lock, NULL); /* default attributes: cannot fail on Linux */
	pthread_mutex_init(&delivery->spool_lock, NULL);
	delivery->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	delivery->spooled_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (spool)
		read_spool(delivery);
	error = delivery->wake_fd < 0 || delivery->spooled_fd < 0 ? -EMFILE : 0;
	if (!error)
		error = span_queue_init(&delivery->queue, spans_max);
	if (!error)
		error = start_threads(delivery);
	if (error)
		release(delivery);
	else
		*ret_delivery = delivery;
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
	poke(delivery->wake_fd);
}

void delivery_finish(struct delivery *delivery, uint64_t deadline_ns)
{
	atomic_store_explicit(&delivery->deadline_ns, deadline_ns, memory_order_release);
	poke(delivery->wake_fd);
	poke(delivery->spooled_fd);
}

static void log_undelivered(struct delivery *delivery)
{
	struct delivery_stats stats;

	delivery_read(delivery, &stats);
	if (stats.dropped[SPAN_DROP_SHUTDOWN])
		log_warn("%s: %llu spans were not delivered in time, and are lost", stats.exporter,
			 (unsigned long long)stats.dropped[SPAN_DROP_SHUTDOWN]);
	if (stats.spool.waiting)
		log_info("%s: %llu spans wait in the spool for the next start", stats.exporter,
			 (unsigned long long)stats.spool.waiting);
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
	if (mine->spool)
		pthread_join(mine->sender, NULL);
	log_undelivered(mine);
	release(mine);
}

void delivery_read(struct delivery *delivery, struct delivery_stats *ret_stats)
{
	struct delivery_stats stats = { .exporter = delivery->route->name,
					.queue_limit = delivery->queue.spans_max,
					.has_spool = delivery->spool != NULL };

	pthread_mutex_lock(&delivery->lock);
	stats.exported = delivery->exported;
	stats.retries = delivery->retries;
	for (unsigned i = 0; i < SPAN_DROP_COUNT; i++)
		stats.dropped[i] = delivery->dropped[i];
	stats.queued = span_queue_count(&delivery->queue);
	stats.spool = delivery->spooled;
	stats.spool_errors = delivery->spool_errors;
	pthread_mutex_unlock(&delivery->lock);
	stats.dropped[SPAN_DROP_QUEUE_FULL] = delivery->queue_full;
	*ret_stats = stats;
}
