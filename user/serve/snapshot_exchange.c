/* SPDX-License-Identifier: Apache-2.0 */
/* Rounds: a request asks for round n + 1, publishing ends a round. */
#include "serve/snapshot_exchange.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/cond.h"

struct exchange {
	/* Guards all that follows but request_fd, which never changes. */
	pthread_mutex_t lock;
	pthread_cond_t changed;	 /* on CLOCK_MONOTONIC */
	struct snapshot *newest; /* owned reference; NULL before the first */
	uint64_t published;
	uint64_t published_ns; /* when; 0: never */
	uint64_t answered;     /* rounds that the owner has ended, with or without a snapshot */
	const char *unready_reason; /* static text; NULL: ready */
	bool is_requested;
	bool is_stale;
	bool is_stopped;
	int request_fd; /* owned */
};

struct exchange *exchange_new(void)
{
	struct exchange *exchange = calloc(1, sizeof(*exchange));
	int err;

	if (!exchange)
		return NULL;
	exchange->unready_reason = "starting";
	exchange->request_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	err = exchange->request_fd < 0 ? -errno : cond_init_monotonic(&exchange->changed);
	if (err < 0) {
		if (exchange->request_fd >= 0)
			close(exchange->request_fd);
		free(exchange);
		errno = -err;
		return NULL;
	}
	pthread_mutex_init(&exchange->lock, NULL); /* default attributes: cannot fail on Linux */
	return exchange;
}

void exchange_free(struct exchange **exchange)
{
	struct exchange *mine = *exchange;

	*exchange = NULL;
	if (!mine)
		return;
	snapshot_unref(&mine->newest);
	pthread_cond_destroy(&mine->changed);
	pthread_mutex_destroy(&mine->lock);
	close(mine->request_fd);
	free(mine);
}

int exchange_fd(const struct exchange *exchange)
{
	return exchange->request_fd;
}

void exchange_publish(struct exchange *exchange, struct snapshot *snapshot)
{
	struct snapshot *before = NULL;
	uint64_t requests;

	pthread_mutex_lock(&exchange->lock);
	/* Empty when nobody asked: publishing unasked is fine. */
	(void)!read(exchange->request_fd, &requests, sizeof(requests));
	if (snapshot) {
		before = exchange->newest;
		exchange->newest = snapshot;
		exchange->published++;
	}
	exchange->published_ns = monotonic_ns();
	exchange->is_requested = false;
	exchange->is_stale = !snapshot;
	exchange->answered++;
	pthread_cond_broadcast(&exchange->changed);
	pthread_mutex_unlock(&exchange->lock);
	snapshot_unref(&before); /* large: not under the lock */
}

static bool wait_until(struct exchange *exchange, uint64_t deadline_ns)
{
	return cond_wait_until(&exchange->changed, &exchange->lock, deadline_ns);
}

static void request_locked(struct exchange *exchange)
{
	const uint64_t one = 1;

	if (exchange->is_requested)
		return;
	exchange->is_requested = true;
	(void)!write(exchange->request_fd, &one, sizeof(one)); /* 1 + 0 or 1 never overflows it */
}

static int wait_locked(struct exchange *exchange, unsigned timeout_ms)
{
	uint64_t earliest_ns = exchange->published_ns + EXCHANGE_INTERVAL_MS * NS_PER_MS;
	uint64_t answered, deadline_ns;

	while (exchange->published_ns && !exchange->is_stopped && monotonic_ns() < earliest_ns)
		(void)wait_until(exchange, earliest_ns);
	answered = exchange->answered;
	deadline_ns = monotonic_ns() + timeout_ms * NS_PER_MS;
	request_locked(exchange);
	while (exchange->answered == answered && !exchange->is_stopped)
		if (!wait_until(exchange, deadline_ns))
			break;
	if (exchange->is_stopped)
		return -ESHUTDOWN;
	if (exchange->answered == answered)
		exchange->is_stale = true;
	if (!exchange->newest)
		return -EAGAIN;
	return exchange->is_stale ? -ETIMEDOUT : 0;
}

int exchange_wait(struct exchange *exchange, unsigned timeout_ms, struct snapshot **ret_snapshot)
{
	int err;

	pthread_mutex_lock(&exchange->lock);
	err = wait_locked(exchange, timeout_ms);
	if (err == 0 || err == -ETIMEDOUT)
		*ret_snapshot = snapshot_ref(exchange->newest);
	pthread_mutex_unlock(&exchange->lock);
	return err;
}

void exchange_stop(struct exchange *exchange)
{
	pthread_mutex_lock(&exchange->lock);
	exchange->is_stopped = true;
	pthread_cond_broadcast(&exchange->changed);
	pthread_mutex_unlock(&exchange->lock);
}

void exchange_set_ready(struct exchange *exchange, bool is_ready, const char *reason)
{
	pthread_mutex_lock(&exchange->lock);
	exchange->unready_reason = is_ready ? NULL : reason ? reason : "not ready";
	pthread_mutex_unlock(&exchange->lock);
}

const char *exchange_unready_reason(struct exchange *exchange)
{
	const char *reason;

	pthread_mutex_lock(&exchange->lock);
	reason = exchange->unready_reason;
	pthread_mutex_unlock(&exchange->lock);
	return reason;
}

bool exchange_is_stale(struct exchange *exchange)
{
	bool is_stale;

	pthread_mutex_lock(&exchange->lock);
	is_stale = exchange->is_stale;
	pthread_mutex_unlock(&exchange->lock);
	return is_stale;
}

uint64_t exchange_published(struct exchange *exchange)
{
	uint64_t published;

	pthread_mutex_lock(&exchange->lock);
	published = exchange->published;
	pthread_mutex_unlock(&exchange->lock);
	return published;
}
