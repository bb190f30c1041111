/* SPDX-License-Identifier: Apache-2.0 */
/* What was seen of a scene, in words: each connection's events, failed calls, and what the tables have counted. */
#ifndef SONDE_TESTS_BPF_ACCOUNT_H
#define SONDE_TESTS_BPF_ACCOUNT_H

#include "observer.h"

#define CONNS_MAX 256

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
				sizeof(struct syscall_error_key), sizeof(uint64_t), add_error_count,
				&counts);
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

#endif
