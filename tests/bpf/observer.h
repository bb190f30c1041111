/* SPDX-License-Identifier: Apache-2.0 */
/* The observing side of a test: loads the BPF objects as the agent would, lets a scene play in a process of its own
 * (the loader's is never observed), and compares what came out of the rings and tables with the scene's expected text.
 * Each group of scenes is played once with every hook alternative that this kernel has. */
#ifndef SONDE_TESTS_BPF_OBSERVER_H
#define SONDE_TESTS_BPF_OBSERVER_H

#include "load/hook_table.h"
#include "load/kernel_table.h"
#include "load/loader.h"
#include "ring/consumer.h"
#include "wording.h"

#define CONNS_MAX 256
#define SIGNALS_MAX 32

struct observer {
	struct loader *loader;
	struct ring_consumer *consumer;
	struct stage *stage;
	struct event *events; /* of the scene's cast; each owns its bytes */
	size_t count;
	uint64_t records[EVENT_KIND_COUNT]; /* read since the start, everybody's */
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

struct group {
	const char *name;
	struct loader_options options; /* 0: a default */
	const struct scene *scenes;
	size_t count;
	bool preferred_only; /* not with every hook alternative */
};

struct tally {
	const char *filter;
	unsigned number;
	unsigned failed;
};

static inline void tap(struct tally *tally, bool is_ok, const char *group, const char *name,
		       const char *variant, const char *skip)
{
	printf("%sok %u %s/%s (%s)%s%s\n", is_ok ? "" : "not ", ++tally->number, group, name,
	       variant, skip ? " # SKIP " : "", skip ? skip : "");
	fflush(stdout); /* a child must not print it again */
	tally->failed += !is_ok;
}

static inline void tap_text(const char *title, const char *text)
{
	printf("# %s:\n", title);
	while (*text) {
		int length = (int)strcspn(text, "\n");

		printf("#   %.*s\n", length, text);
		text += length + (text[length] == '\n');
	}
	fflush(stdout);
}

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

	if (event_decode(bytes, length, &event))
		abort();
	observer->records[event.header->kind]++;
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

/* --- what was seen, as text --- */

struct seen_conn {
	const struct conn_ref *first;
	uint64_t first_ns;
	uint64_t newest_ns;
};

static inline int compare_conns(const void *one, const void *other)
{
	uint64_t a = ((const struct seen_conn *)one)->first_ns;
	uint64_t b = ((const struct seen_conn *)other)->first_ns;

	return a < b ? -1 : a > b;
}

/* In the order of their first events: which ring is read first says nothing. */
static inline size_t list_conns(const struct observer *observer, struct seen_conn *conns)
{
	size_t count = 0, at;

	for (size_t i = 0; i < observer->count; i++) {
		const struct event *event = &observer->events[i];
		const struct conn_ref *conn = event_conn(event);

		if (!conn)
			continue;
		for (at = 0; at < count && conns[at].first->conn_id != conn->conn_id; at++)
			;
		if (at == count && count < CONNS_MAX)
			conns[count++] = (struct seen_conn){ .first = conn,
							     .first_ns = event->header->ktime_ns };
	}
	qsort(conns, count, sizeof(*conns), compare_conns);
	return count;
}

static inline void word_conn(FILE *out, const struct observer *observer, const struct scope *scope,
			     struct seen_conn *conn, const char *role, unsigned number)
{
	for (size_t i = 0; i < observer->count; i++) {
		const struct event *event = &observer->events[i];
		const struct conn_ref *ref = event_conn(event);

		if (!ref || ref->conn_id != conn->first->conn_id)
			continue;
		fputs(role, out);
		if (number > 1)
			fprintf(out, "%u", number);
		fputc(' ', out);
		if (event->header->ktime_ns < conn->newest_ns)
			fputs("[out of order] ", out);
		if (ref->sock != conn->first->sock)
			fputs("[another sock] ", out);
		conn->newest_ns = event->header->ktime_ns;
		word_event(out, scope, event);
	}
}

static inline void word_counter(FILE *out, const char *name, uint64_t value)
{
	if (value)
		fprintf(out, " %s %llu", name, (unsigned long long)value);
}

#define ERRORS_MAX 32

struct error_counts {
	uint32_t tgid;
	size_t count;
	struct {
		struct syscall_error_key key;
		uint64_t value;
	} rows[ERRORS_MAX];
};

static inline void add_error_count(void *context, const void *key_bytes, const void *value)
{
	struct error_counts *counts = context;
	const struct syscall_error_key *key = key_bytes;
	size_t at;

	if (key->tgid != counts->tgid || counts->count == ERRORS_MAX)
		return;
	for (at = counts->count++; at; at--) { /* by number, then errno */
		const struct syscall_error_key *other = &counts->rows[at - 1].key;

		if (other->nr < key->nr || (other->nr == key->nr && other->error < key->error))
			break;
		counts->rows[at] = counts->rows[at - 1];
	}
	counts->rows[at].key = *key;
	counts->rows[at].value = *(const uint64_t *)value;
}

static inline void word_error_counts(FILE *out, const struct observer *observer, uint32_t tgid)
{
	struct error_counts counts = { .tgid = tgid };

	(void)kernel_table_each(loader_map(observer->loader, "syscall_errors"),
				sizeof(struct syscall_error_key), sizeof(uint64_t),
				add_error_count, &counts);
	for (size_t i = 0; i < counts.count; i++)
		fprintf(out, " %s.%s %llu", syscall_name(counts.rows[i].key.nr),
			errno_name(counts.rows[i].key.error),
			(unsigned long long)counts.rows[i].value);
}

static inline void word_counts(FILE *out, const struct observer *observer,
			       const struct actor *actor)
{
	static const char *const connects[] = { "established", "refused", "timeout",
						"unreachable", "reset",	  "other" };
	static const char *const roles[] = { "unknown", "client", "server" };
	struct process_state state = { 0 };

	(void)kernel_table_find(loader_map(observer->loader, "process_by_tgid"), &actor->tgid,
				&state); /* none: it has counted nothing */
	fprintf(out, "%s counts", actor->name[0] ? actor->name : "it");
	for (size_t i = 0; i < CONNECT_OUTCOME_COUNT; i++)
		word_counter(out, connects[i], state.connects[i]);
	word_counter(out, "accepts", state.accepts);
	for (size_t i = 0; i < ROLE_COUNT; i++) {
		char name[32];

		snprintf(name, sizeof(name), "%s-exchanges", roles[i]);
		word_counter(out, name, state.exchanges[i]);
		snprintf(name, sizeof(name), "%s-closes", roles[i]);
		word_counter(out, name, state.closes[i]);
	}
	word_counter(out, "sent", state.bytes_sent);
	word_counter(out, "received", state.bytes_received);
	word_counter(out, "resets-sent", state.resets_sent);
	word_counter(out, "resets-received", state.resets_received);
	word_counter(out, "compat", state.compat_calls);
	word_error_counts(out, observer, actor->tgid);
	fputc('\n', out);
}

/* The kernel lets go of a socket some time after the process has. */
static inline void word_leftovers(FILE *out, const struct observer *observer,
				  const struct seen_conn *conns, size_t count)
{
	int map = loader_map(observer->loader, "conn_by_sock");
	const struct timespec a_moment = { 0, 10000000 };

	for (size_t i = 0; i < count; i++) {
		struct conn_state state;
		uint64_t key = conns[i].first->sock;
		int tries = 200;

		while (conns[i].first->conn_id && !kernel_table_find(map, &key, &state) &&
		       state.conn_id == conns[i].first->conn_id && --tries)
			nanosleep(&a_moment, NULL);
		if (!tries)
			fprintf(out, "[entry of a dead socket, state %u]\n", state.tcp_state);
	}
}

/* Connections of each role in the order they were met, then errors, then counts. */
static inline void observer_word(FILE *out, const struct observer *observer)
{
	static const char *const roles[] = { "unknown", "client", "server" };
	const struct scope scope = { observer->stage, clock_ns(CLOCK_MONOTONIC) };
	struct seen_conn conns[CONNS_MAX];
	size_t count = list_conns(observer, conns);

	for (unsigned turn = 1; turn <= ROLE_COUNT; turn++) {
		unsigned role = turn % ROLE_COUNT, number = 0;

		for (size_t i = 0; i < count; i++)
			if (conns[i].first->role == role)
				word_conn(out, observer, &scope, &conns[i], roles[role], ++number);
	}
	for (size_t i = 0; i < observer->count; i++)
		if (observer->events[i].header->kind == EVENT_SYSCALL_ERROR)
			word_event(out, &scope, &observer->events[i]);
	for (unsigned i = 0; i < observer->stage->cast_count && i < CAST_MAX; i++)
		if (observer->stage->cast[i].tgid == observer->stage->cast[i].tid)
			word_counts(out, observer, &observer->stage->cast[i]);
	word_leftovers(out, observer, conns, count);
}

/* --- groups and variants --- */

/* What was seen, or what the scene's check says of it; the caller's to free. */
static inline char *observer_say(const struct observer *observer, const struct scene *scene)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		abort();
	if (observer->stage->failure[0])
		fprintf(out, "the act failed: %s\n", observer->stage->failure);
	else if (scene->check)
		scene->check(out, observer);
	else
		observer_word(out, observer);
	fclose(out);
	return text;
}

static inline bool is_as_expected(const struct observer *observer, const struct scene *scene,
				  const char *text)
{
	return observer->stage->skip[0] ||
	       strcmp(text, scene->expected ? scene->expected : "") == 0;
}

static inline void judge(struct tally *tally, const struct observer *observer, const char *group,
			 const struct scene *scene, const char *variant, const char *text)
{
	const char *skip = observer->stage->skip;
	bool is_ok = is_as_expected(observer, scene, text);

	tap(tally, is_ok, group, scene->name, variant, *skip ? skip : NULL);
	if (is_ok)
		return;
	tap_text("expected", scene->expected ? scene->expected : "nothing wrong");
	tap_text("got", text);
}

/* The k-th alternative of every signal that has so many. Returns how many are forced; names the hook. */
static inline size_t force_hooks(size_t k, struct forced_hook *forced, const char **ret_name)
{
	size_t count = 0;

	for (size_t i = 0; i < hook_table_length && count < SIGNALS_MAX; i++) {
		const struct hook *hooks = hook_table[i].hooks;

		if (!hooks[1].name || k >= REPORT_ALTERNATIVES_MAX || !hooks[k].name)
			continue;
		forced[count++] = (struct forced_hook){ hook_table[i].name, hooks[k].name };
		*ret_name = hooks[k].name;
	}
	return count;
}

/* Why a forced hook is not in use, or NULL. */
static inline const char *missing_hook(const struct check_report *report,
				       const struct loader_options *options)
{
	for (size_t i = 0; i < options->forced_count; i++)
		for (size_t j = 0; j < report->signal_count; j++) {
			const struct signal_report *signal = &report->signals[j];

			if (strcmp(signal->signal, options->forced[i].signal) != 0 || signal->hook)
				continue;
			for (size_t k = 0; k < signal->alternative_count; k++)
				if (strcmp(signal->alternatives[k].hook,
					   options->forced[i].hook) == 0)
					return signal->alternatives[k].reason;
		}
	return NULL;
}

static inline bool is_wanted(const struct tally *tally, const struct group *group,
			     const struct scene *scene)
{
	return !tally->filter || strstr(group->name, tally->filter) ||
	       strstr(scene->name, tally->filter);
}

/* Returns false when nothing could be loaded. */
static inline bool start_for(struct tally *tally, struct observer *observer,
			     const struct group *group, const struct loader_options *options,
			     const char *variant)
{
	struct check_report *report = NULL;
	int error = observer_start(observer, options, &report);
	const char *missing = report ? missing_hook(report, options) : NULL;

	if (error) {
		tap(tally, false, group->name, "start", variant, NULL);
		tap_text(strerror(-error), report ? report->fatal : "no report");
	} else if (missing) {
		tap(tally, true, group->name, "all", variant, missing);
		observer_stop(observer);
	}
	free(report);
	return !error && !missing;
}

/* Returns false when the scene has to be tried again, with everything loaded anew. */
static inline bool play_once(struct tally *tally, struct observer *observer,
			     const struct group *group, const struct scene *scene,
			     const char *variant, bool is_last_try)
{
	char *text;
	bool is_over;

	observer_play(observer, scene);
	text = observer_say(observer, scene);
	is_over = is_last_try || is_as_expected(observer, scene, text);
	if (is_over)
		judge(tally, observer, group->name, scene, variant, text);
	free(text);
	return is_over;
}

static inline void play_group(struct tally *tally, const struct group *group,
			      const struct loader_options *options, const char *variant)
{
	struct observer observer;
	bool is_started = false;
	unsigned tried = 0;

	for (size_t i = 0; i < group->count;) {
		const struct scene *scene = &group->scenes[i];

		if (!is_wanted(tally, group, scene)) {
			i++;
			continue;
		}
		if (!is_started && !start_for(tally, &observer, group, options, variant))
			return;
		is_started = true;
		if (play_once(tally, &observer, group, scene, variant, ++tried >= scene->tries)) {
			tried = 0;
			i++;
			continue;
		}
		observer_stop(&observer);
		is_started = false;
	}
	if (is_started)
		observer_stop(&observer);
}

/* Scenes that begin before the loader does need one each. */
static inline void play_from_before(struct tally *tally, const struct group *group,
				    const struct scene *scene,
				    const struct loader_options *options, const char *variant)
{
	struct observer waiting = { .stage = NULL }, observer;
	struct stage *stage = stage_new();
	pid_t pid = observer_begin(&waiting, scene, stage);
	char *text;

	stage_await(stage, 1);
	if (start_for(tally, &observer, group, options, variant)) {
		observer.stage = stage;
		stage_mark(stage, 0);
		observer_finish(&observer, pid);
		text = observer_say(&observer, scene);
		judge(tally, &observer, group->name, scene, variant, text);
		free(text);
		observer_stop(&observer);
		return;
	}
	stage_mark(stage, 0);
	observer_finish(&waiting, pid);
	munmap(stage, sizeof(*stage));
}

static inline void play_variant(struct tally *tally, const struct group *group,
				const struct loader_options *options, const char *variant)
{
	if (!group->scenes[0].starts_before) {
		play_group(tally, group, options, variant);
		return;
	}
	for (size_t i = 0; i < group->count; i++)
		if (is_wanted(tally, group, &group->scenes[i]))
			play_from_before(tally, group, &group->scenes[i], options, variant);
}

static inline int observer_main(int argc, char **argv, const struct group *groups, size_t count)
{
	struct tally tally = { .filter = argc > 1 ? argv[1] : NULL };

	for (size_t i = 0; i < count; i++) {
		struct loader_options options = groups[i].options;
		struct forced_hook forced[SIGNALS_MAX];
		const char *variant = "preferred";

		if (groups[i].preferred_only)
			play_variant(&tally, &groups[i], &options, variant);
		else
			for (size_t k = 0;
			     (options.forced_count = force_hooks(k, forced, &variant)); k++) {
				options.forced = forced;
				play_variant(&tally, &groups[i], &options, variant);
			}
	}
	printf("1..%u\n", tally.number);
	return tally.failed ? 1 : 0;
}

#endif
