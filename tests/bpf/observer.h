/* SPDX-License-Identifier: Apache-2.0 */
/* The observing side of a test: loads the BPF objects as the agent would, lets a scene play in a process of its own
 * (the loader's is never observed), and keeps what came out of the rings. */
#ifndef SONDE_TESTS_BPF_OBSERVER_H
#define SONDE_TESTS_BPF_OBSERVER_H

#include "load/kernel_table.h"
#include "load/loader.h"
#include "ring/consumer.h"
#include "wording.h"

struct observer {
	struct loader *loader;
	struct ring_consumer *consumer;
	struct stage *stage;
	struct event *events; /* of the scene's cast; each owns its bytes */
	size_t count;
	uint64_t undecoded; /* records, whoever's */
	/* As the scene began. */
	struct event_count counts_before[EVENT_KIND_COUNT];
	uint64_t counters_before[KERNEL_COUNTER_COUNT];
};

struct scene {
	const char *name;
	void (*act)(struct stage *stage);
	void (*meanwhile)(struct observer *observer); /* what the observer does while it plays */
	const char *expected;
	uint16_t family; /* 0: AF_INET */
	/* Instead of comparing with `expected`; prints what is wrong, nothing when nothing is. */
	void (*check)(FILE *out, const struct observer *observer);
	/* Counters of the whole machine are exact only when nobody else adds to them: so often may others. */
	unsigned tries;
	bool starts_before; /* the act runs up to its first stage_await(…, 0) before anything is loaded */
};

/* --- what the rings hold --- */

static inline bool is_of_scene(const struct observer *observer, const struct event *event)
{
	const struct conn_ref *conn = event_conn(event);

	for (unsigned i = 0; i < observer->stage->cast_count && i < CAST_MAX; i++)
		if (event->header->tgid == observer->stage->cast[i].tgid)
			return true;
	return conn && observer->stage->port &&
	       (conn->tuple.local_port == observer->stage->port ||
		conn->tuple.remote_port == observer->stage->port);
}

static inline void keep_event(void *context, const void *bytes, size_t length)
{
	struct observer *observer = context;
	struct event event;
	void *copy;

	if (event_decode(bytes, length, &event)) {
		observer->undecoded++;
		return;
	}
	if (!observer->stage || !is_of_scene(observer, &event))
		return;
	copy = malloc(length);
	observer->events =
		realloc(observer->events, (observer->count + 1) * sizeof(*observer->events));
	if (!copy || !observer->events)
		abort();
	memcpy(copy, bytes, length);
	if (event_decode(copy, length, &observer->events[observer->count++]))
		abort();
}

static inline void forget_events(struct observer *observer)
{
	while (observer->count)
		free((void *)(uintptr_t)observer->events[--observer->count].header);
	free(observer->events);
	observer->events = NULL;
}

/* --- starting and ending --- */

static inline struct loader_options with_defaults(const struct loader_options *options)
{
	struct loader_options full = *options;

	if (!full.settings.prefix_bytes)
		full.settings.prefix_bytes = 64;
	if (!full.settings.sample_interval_ns)
		full.settings.sample_interval_ns = 3600000000000u;
	if (!full.ring_bytes)
		full.ring_bytes = 1 << 20;
	if (!full.connections)
		full.connections = 4096;
	if (!full.processes)
		full.processes = 4096;
	return full;
}

static inline int observer_start(struct observer *observer, const struct loader_options *options,
				 struct check_report **ret_report)
{
	const struct loader_options full = with_defaults(options);
	const int *rings;
	size_t count;
	int error;

	*observer = (struct observer){ .stage = NULL };
	error = loader_start(&full, &observer->loader, ret_report);
	if (error)
		return error;
	rings = loader_rings(observer->loader, &count);
	error = ring_consumer_new(rings, count, keep_event, observer, &observer->consumer);
	if (error)
		loader_stop(&observer->loader);
	else
		ring_consumer_put_in_order(observer->consumer);
	return error;
}

static inline void observer_stop(struct observer *observer)
{
	forget_events(observer);
	ring_consumer_free(&observer->consumer);
	loader_stop(&observer->loader);
	if (observer->stage)
		munmap(observer->stage, sizeof(*observer->stage));
	observer->stage = NULL;
}

static inline pid_t observer_begin(struct observer *observer, const struct scene *scene,
				   struct stage *stage)
{
	pid_t pid;

	stage->family = scene->family ? scene->family : AF_INET;
	stage->begin_ns = clock_ns(CLOCK_MONOTONIC);
	observer->stage = stage;
	pid = fork();
	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	alarm(ACT_SECONDS);
	stage_enter(stage, "");
	scene->act(stage);
	_exit(0);
}

/* Differences since the scene began; what other processes of the machine did is in them too. */
static inline uint64_t counter_since(const struct observer *observer, enum kernel_counter counter)
{
	uint64_t now[KERNEL_COUNTER_COUNT] = { 0 };

	(void)kernel_counters(loader_map(observer->loader, "kernel_counts"), now);
	return now[counter] - observer->counters_before[counter];
}

static inline struct event_count events_since(const struct observer *observer, enum event_kind kind)
{
	const struct event_count *before = &observer->counts_before[kind];
	struct event_count now[EVENT_KIND_COUNT] = { 0 }, since;

	(void)kernel_event_counts(loader_map(observer->loader, "event_counts"), now);
	since.delivered = now[kind].delivered - before->delivered;
	for (size_t i = 0; i < LOSS_REASON_COUNT; i++)
		since.lost[i] = now[kind].lost[i] - before->lost[i];
	return since;
}

/* A drain ends at a record that some other CPU has reserved but not yet submitted. */
static inline void observer_drain(const struct observer *observer)
{
	const struct timespec a_moment = { 0, 1000000 };
	size_t rings, empty = 0;

	(void)loader_rings(observer->loader, &rings);
	for (int tries = 0; tries < 1000 && empty < rings; tries++) {
		if (tries)
			nanosleep(&a_moment, NULL);
		(void)ring_consumer_drain(observer->consumer);
		for (empty = 0; empty < rings; empty++)
			if (ring_consumer_waiting(observer->consumer, empty))
				break;
	}
}

static inline void observer_finish(struct observer *observer, pid_t pid)
{
	struct stage *stage = observer->stage;
	int status = 0;

	if (waitpid(pid, &status, 0) != pid || (status && !stage->failure[0]))
		snprintf(stage->failure, sizeof(stage->failure), "the act ended with status %#x",
			 (unsigned)status);
	if (observer->consumer)
		observer_drain(observer);
}

/* Play one scene: its events are kept until the next. */
static inline void observer_play(struct observer *observer, const struct scene *scene)
{
	pid_t pid;

	forget_events(observer);
	if (observer->stage)
		munmap(observer->stage, sizeof(*observer->stage));
	observer->stage = NULL;
	observer_drain(observer); /* what others did meanwhile */
	(void)kernel_event_counts(loader_map(observer->loader, "event_counts"),
				  observer->counts_before);
	(void)kernel_counters(loader_map(observer->loader, "kernel_counts"),
			      observer->counters_before);
	pid = observer_begin(observer, scene, stage_new());
	if (scene->meanwhile)
		scene->meanwhile(observer);
	observer_finish(observer, pid);
}

#endif
