/* SPDX-License-Identifier: Apache-2.0 */
/* Differences since the last reading are added: a kernel entry may go, and its key may come back with another process. */
#include "agent/totals.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "agent/gauges.h"
#include "aggregate/observe.h"
#include "base/cleanup.h"
#include "base/table.h"
#include "decode/call_name.h"
#include "load/kernel_table.h"

/* The kernel's tables in the order of totals_fill_read. */
enum kernel_map { MAP_PROCESSES, MAP_ERRORS, MAP_CONNECTIONS, MAP_LISTENERS, MAP_COUNT };

static const struct {
	const char *name;
	size_t key_bytes;
	size_t value_bytes;
} maps[MAP_COUNT] = {
	[MAP_PROCESSES] = { "process_by_tgid", sizeof(uint32_t), sizeof(struct process_state) },
	[MAP_ERRORS] = { "syscall_errors", sizeof(struct syscall_error_key), sizeof(uint64_t) },
	[MAP_CONNECTIONS] = { "conn_by_sock", sizeof(uint64_t), sizeof(struct conn_state) },
	[MAP_LISTENERS] = { "listener_by_sock", sizeof(uint64_t), sizeof(struct listener_state) },
};

/* What was read of a key the last time. */
struct seen_process {
	struct table_node node;
	uint32_t tgid;
	struct process_state last;
	struct process_state now; /* of the refresh under way, with what its connections kept back */
	uint64_t kept_back;	  /* exchanges in its connections */
	bool is_read;		  /* `now` is of this refresh */
};

struct seen_error {
	struct table_node node;
	struct syscall_error_key key;
	uint64_t last;
};

struct totals {
	const struct loader *loader;	 /* borrowed */
	struct series_store *store;	 /* borrowed */
	struct process_table *processes; /* borrowed */
	struct gauges *gauges;		 /* owned */
	struct table seen_processes;	 /* owns its nodes; one for each kernel entry */
	struct table seen_errors;	 /* the same */
	int fds[MAP_COUNT];		 /* borrowed */
	size_t entries[MAP_COUNT];
	uint64_t now_ns; /* of the refresh under way */
	uint64_t round;	 /* its number */
};

static bool match_process(const struct table_node *node, const void *key)
{
	return table_entry(node, struct seen_process, node)->tgid == *(const uint32_t *)key;
}

static bool match_error(const struct table_node *node, const void *key)
{
	return memcmp(&table_entry(node, struct seen_error, node)->key, key,
		      sizeof(struct syscall_error_key)) == 0;
}

struct totals *totals_new(const struct loader *loader, struct series_store *store,
			  struct process_table *processes)
{
	struct totals *totals = calloc(1, sizeof(*totals));

	if (!totals)
		return NULL;
	totals->loader = loader;
	totals->store = store;
	totals->processes = processes;
	for (size_t i = 0; i < MAP_COUNT; i++)
		totals->fds[i] = loader_map(loader, maps[i].name);
	totals->gauges = gauges_new(loader, store, processes);
	if (!totals->gauges ||
	    table_init(&totals->seen_processes,
		       loader_map_limit(loader, maps[MAP_PROCESSES].name) + 1, match_process) ||
	    table_init(&totals->seen_errors, loader_map_limit(loader, maps[MAP_ERRORS].name) + 1,
		       match_error))
		totals_free(&totals);
	return totals;
}

static void forget_process(struct totals *totals, struct seen_process *seen)
{
	table_remove(&totals->seen_processes, &seen->node);
	free(seen);
}

static void forget_error(struct totals *totals, struct seen_error *seen)
{
	table_remove(&totals->seen_errors, &seen->node);
	free(seen);
}

void totals_free(struct totals **totals_slot)
{
	struct totals *totals = *totals_slot;

	if (!totals)
		return;
	while (totals->seen_processes.oldest)
		forget_process(totals, table_entry(totals->seen_processes.oldest,
						   struct seen_process, node));
	while (totals->seen_errors.oldest)
		forget_error(totals,
			     table_entry(totals->seen_errors.oldest, struct seen_error, node));
	table_done(&totals->seen_processes);
	table_done(&totals->seen_errors);
	gauges_free(&totals->gauges);
	free(totals);
	*totals_slot = NULL;
}

/* Labels of a process. tgid 0 stands for what the kernel side could not attribute. */
struct owner {
	const struct process *process; /* NULL for tgid 0 */
	bool is_ignored;
	const char *service;
	const char *executable;
	char pid[12];
	uint32_t tgid;
};

static bool owner_find(struct totals *totals, uint32_t tgid, struct owner *ret_owner)
{
	const struct process *process =
		tgid ? process_lookup_newest(totals->processes, tgid) : NULL;

	if (tgid && !process)
		return false;
	*ret_owner = (struct owner){ .process = process,
				     .is_ignored = process && process->is_ignored,
				     .tgid = tgid };
	ret_owner->service = process ? process->service : "unattributed";
	ret_owner->executable = process ? process->executable : "";
	if (tgid)
		snprintf(ret_owner->pid, sizeof(ret_owner->pid), "%u", tgid);
	return true;
}

/* One counter of process_state and the metric it becomes. Rows with by_process carry pid and executable. */
struct process_counter {
	size_t offset;
	enum metric metric;
	bool by_process;
	const char *extra; /* last label, NULL: none */
};

#define COUNTER(field, metric, by_process, extra)                                         \
	{                                                                                 \
		offsetof(struct process_state, field), METRIC_##metric, by_process, extra \
	}

static const struct process_counter process_counters[] = {
	COUNTER(connects[CONNECT_ESTABLISHED], TCP_CONNECTS, true, "established"),
	COUNTER(connects[CONNECT_REFUSED], TCP_CONNECTS, true, "refused"),
	COUNTER(connects[CONNECT_TIMEOUT], TCP_CONNECTS, true, "timeout"),
	COUNTER(connects[CONNECT_UNREACHABLE], TCP_CONNECTS, true, "unreachable"),
	COUNTER(connects[CONNECT_RESET], TCP_CONNECTS, true, "reset"),
	COUNTER(connects[CONNECT_OTHER], TCP_CONNECTS, true, "other"),
	COUNTER(accepts, TCP_ACCEPTS, true, NULL),
	COUNTER(exchanges[ROLE_UNKNOWN], EXCHANGES, true, "unknown"),
	COUNTER(exchanges[ROLE_CLIENT], EXCHANGES, true, "client"),
	COUNTER(exchanges[ROLE_SERVER], EXCHANGES, true, "server"),
	COUNTER(bytes_sent, TCP_BYTES, false, "sent"),
	COUNTER(bytes_received, TCP_BYTES, false, "received"),
	COUNTER(retransmits, TCP_RETRANSMITS, false, NULL),
	COUNTER(resets_sent, TCP_RESETS, false, "sent"),
	COUNTER(resets_received, TCP_RESETS, false, "received"),
	COUNTER(compat_calls, COMPAT_CALLS, true, NULL),
};

static uint64_t counter_read(const struct process_state *state,
			     const struct process_counter *counter)
{
	uint64_t value;

	memcpy(&value, (const char *)state + counter->offset, sizeof(value));
	return value;
}

static void add_process(struct totals *totals, const struct owner *owner,
			const struct process_state *now, const struct process_state *last)
{
	for (size_t i = 0; i < sizeof(process_counters) / sizeof(process_counters[0]); i++) {
		const struct process_counter *counter = &process_counters[i];
		uint64_t delta = counter_read(now, counter) - counter_read(last, counter);
		label_values with_process = { owner->service, owner->pid, owner->executable,
					      counter->extra };
		label_values by_service = { owner->service, counter->extra };

		if (delta)
			(void)series_add(totals->store,
					 counter->metric, /* a full store counts what it refuses */
					 counter->by_process ? with_process : by_service,
					 counter->by_process ? owner->tgid : 0, delta);
	}
}

/* No exit event tells of a process that nobody knew: ask the kernel. */
static bool is_gone(struct totals *totals, const struct owner *owner)
{
	if (!owner->process)
		return false;
	if (owner->process->exited_ns)
		return true;
	if (process_is_known(totals->processes, owner->tgid) || kill((pid_t)owner->tgid, 0) == 0 ||
	    errno != ESRCH)
		return false;
	process_mark_exited(totals->processes, owner->tgid, totals->now_ns);
	return true;
}

static void visit_process(void *context, const void *key, const void *value)
{
	struct totals *totals = context;
	uint32_t tgid = *(const uint32_t *)key;
	uint64_t hash = hash_u64(tgid);
	struct table_node *node = table_find(&totals->seen_processes, hash, &tgid);
	struct seen_process *seen = node ? table_entry(node, struct seen_process, node) : NULL;

	totals->entries[MAP_PROCESSES]++;
	if (!seen) {
		seen = calloc(1, sizeof(*seen));
		if (!seen)
			return; /* the next refresh will add it */
		seen->tgid = tgid;
		if (table_insert(&totals->seen_processes, &seen->node, hash)) {
			free(seen);
			return;
		}
	}
	seen->now = *(const struct process_state *)value;
	seen->kept_back = 0;
	seen->is_read = true;
}

/* Exchanges that moved from a connection to its process between the two readings are in neither: they count next time. */
static void keep_from_falling(struct process_state *now, const struct process_state *last)
{
	for (size_t i = 0; i < ROLE_COUNT; i++)
		if (now->exchanges[i] < last->exchanges[i])
			now->exchanges[i] = last->exchanges[i];
}

/* A process whose connections keep something back still has its entry to come. */
static void finish_process(struct totals *totals, struct seen_process *seen)
{
	struct owner owner;

	seen->is_read = false;
	if (!owner_find(totals, seen->tgid, &owner))
		return;
	keep_from_falling(&seen->now, &seen->last);
	if (!owner.is_ignored)
		add_process(totals, &owner, &seen->now, &seen->last);
	seen->last = seen->now;
	if (is_gone(totals, &owner) && !seen->kept_back) {
		(void)kernel_table_remove(totals->fds[MAP_PROCESSES],
					  &seen->tgid); /* gone already is as good */
		forget_process(totals, seen);
	}
}

static void finish_processes(struct totals *totals)
{
	struct table_node *node = totals->seen_processes.oldest, *next;

	for (; node; node = next) {
		struct seen_process *seen = table_entry(node, struct seen_process, node);

		next = node->newer;
		if (seen->is_read)
			finish_process(totals, seen);
	}
}

static bool error_is_expected(uint16_t error)
{
#define X(number, name) error == number ||
	return EXPECTED_ERRNOS(X) false;
#undef X
}

static void visit_error(void *context, const void *key_bytes, const void *value)
{
	struct totals *totals = context;
	const struct syscall_error_key *key = key_bytes;
	uint64_t hash = hash_bytes(key, sizeof(*key)), count = *(const uint64_t *)value;
	struct table_node *node = table_find(&totals->seen_errors, hash, key);
	struct seen_error *seen = node ? table_entry(node, struct seen_error, node) : NULL;
	struct owner owner;

	totals->entries[MAP_ERRORS]++;
	if (!seen) {
		seen = calloc(1, sizeof(*seen));
		if (!seen)
			return;
		seen->key = *key;
		if (table_insert(&totals->seen_errors, &seen->node, hash)) {
			free(seen);
			return;
		}
	}
	if (!owner_find(totals, key->tgid, &owner))
		return;
	if (count > seen->last && !owner.is_ignored) {
		label_values labels = { owner.service, owner.pid, owner.executable,
					syscall_name(key->nr), errno_name(key->error) };

		(void)series_add(totals->store,
				 error_is_expected(key->error) ? METRIC_SYSCALL_EXPECTED_ERRORS :
								 METRIC_SYSCALL_ERRORS,
				 labels, key->tgid, count - seen->last);
	}
	seen->last = count;
	if (is_gone(totals, &owner)) {
		(void)kernel_table_remove(totals->fds[MAP_ERRORS], key);
		forget_error(totals, seen);
	}
}

/* No hook tells when a Unix-domain socket dies without anybody reading its end. Asked about each that was silent for a moment,
 * in one of UNIX_ROUNDS rounds: at a full table that is 3 ms a second. */
#define UNIX_ROUNDS 4
#define UNIX_SILENCE_NS 1000000000u

static void check_unix(struct totals *totals, uint64_t sock, const struct conn_state *conn)
{
	if ((conn->conn_id >> 8) % UNIX_ROUNDS == totals->round % UNIX_ROUNDS &&
	    totals->now_ns > conn->turn.last_ns + UNIX_SILENCE_NS)
		(void)loader_control(totals->loader, CONTROL_UNIX_CHECK, sock, conn->conn_id,
				     0); /* gone already: no matter */
}

static void visit_connection(void *context, const void *key, const void *value)
{
	struct totals *totals = context;
	const struct conn_state *conn = value;
	struct table_node *node;

	totals->entries[MAP_CONNECTIONS]++;
	gauges_connection(totals->gauges, conn);
	if (conn->tuple.family == AF_UNIX)
		check_unix(totals, *(const uint64_t *)key, conn);
	if (!conn->exchanges || conn->role >= ROLE_COUNT)
		return;
	node = table_find(&totals->seen_processes, hash_u64(conn->tgid), &conn->tgid);
	if (node) {
		struct seen_process *seen = table_entry(node, struct seen_process, node);

		seen->now.exchanges[conn->role] += conn->exchanges;
		seen->kept_back += conn->exchanges;
	}
}

static void visit_listener(void *context, const void *key, const void *value)
{
	struct totals *totals = context;

	(void)value; /* the kernel side keeps it, but as of the last time somebody asked */
	totals->entries[MAP_LISTENERS]++;
	gauges_listener(totals->gauges, *(const uint64_t *)key);
}

int totals_refresh(struct totals *totals, uint64_t now_ns)
{
	static void (*const visits[MAP_COUNT])(void *, const void *, const void *) = {
		[MAP_PROCESSES] = visit_process,
		[MAP_ERRORS] = visit_error,
		[MAP_CONNECTIONS] = visit_connection,
		[MAP_LISTENERS] = visit_listener,
	};
	int result = 0;

	totals->now_ns = now_ns;
	totals->round++;
	gauges_begin(totals->gauges);
	for (size_t i = 0; i < MAP_COUNT; i++) {
		int error;

		totals->entries[i] = 0;
		if (totals->fds[i] < 0)
			continue; /* its family did not load */
		error = kernel_table_each(totals->fds[i], maps[i].key_bytes, maps[i].value_bytes,
					  visits[i], totals);
		if (error)
			result = error;
	}
	finish_processes(totals);
	gauges_end(totals->gauges);
	return result;
}

const struct process_state *totals_process(struct totals *totals, uint32_t tgid)
{
	struct table_node *node = table_find(&totals->seen_processes, hash_u64(tgid), &tgid);

	return node ? &table_entry(node, struct seen_process, node)->last : NULL;
}

size_t totals_fill_read(const struct totals *totals, struct totals_fill *ret_fill, size_t room)
{
	size_t count = 0;

	for (size_t i = 0; i < MAP_COUNT && count < room; i++)
		if (totals->fds[i] >= 0)
			ret_fill[count++] = (struct totals_fill){ maps[i].name, totals->entries[i],
								  loader_map_limit(totals->loader,
										   maps[i].name) };
	return count;
}
