/* SPDX-License-Identifier: Apache-2.0 */
/* Sums of one round live in two small tables; what is not met in a round loses its series at the end of it. */
#include "agent/gauges.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "aggregate/observe.h"
#include "base/table.h"
#include "load/kernel_table.h"

#define SERVICES_MAX 4096  /* with open connections; further ones are left out of this gauge */
#define LISTENERS_MAX 4096 /* process and port; the kernel's table holds fewer sockets */
#define DROPS_MAX 2048	   /* listening sockets; above the kernel's table */
#define TCP_STATE_ESTABLISHED 1
#define TCP_STATE_CLOSE_WAIT 8

struct service_sum {
	struct table_node node;
	char service[SERVICE_NAME_MAX];
	uint64_t open[ROLE_COUNT];
	uint64_t open_unix[ROLE_COUNT];
	bool was_set[ROLE_COUNT]; /* its series exists */
	bool was_unix_set[ROLE_COUNT];
};

struct listener_key {
	uint32_t tgid;
	uint32_t port;
};

struct listener_sum {
	struct table_node node;
	struct listener_key key;
	uint64_t backlog;
	uint64_t backlog_max;
	bool is_met;
};

/* Drops of a socket when it was read the last time. */
struct socket_drops {
	struct table_node node;
	uint64_t sock;
	uint32_t last;
	bool is_met;
};

struct gauges {
	const struct loader *loader;	 /* borrowed */
	struct series_store *store;	 /* borrowed */
	struct process_table *processes; /* borrowed */
	struct table services;		 /* owns its nodes, like the others */
	struct table listeners;
	struct table drops;
};

static bool match_service(const struct table_node *node, const void *key)
{
	return strcmp(table_entry(node, struct service_sum, node)->service, key) == 0;
}

static bool match_listener(const struct table_node *node, const void *key)
{
	return memcmp(&table_entry(node, struct listener_sum, node)->key, key,
		      sizeof(struct listener_key)) == 0;
}

static bool match_drops(const struct table_node *node, const void *key)
{
	return table_entry(node, struct socket_drops, node)->sock == *(const uint64_t *)key;
}

struct gauges *gauges_new(const struct loader *loader, struct series_store *store,
			  struct process_table *processes)
{
	struct gauges *gauges = calloc(1, sizeof(*gauges));

	if (!gauges)
		return NULL;
	gauges->loader = loader;
	gauges->store = store;
	gauges->processes = processes;
	if (table_init(&gauges->services, SERVICES_MAX, match_service) ||
	    table_init(&gauges->listeners, LISTENERS_MAX, match_listener) ||
	    table_init(&gauges->drops, DROPS_MAX, match_drops))
		gauges_free(&gauges);
	return gauges;
}

static void *drop_node(struct table *table, struct table_node *node, void *around)
{
	table_remove(table, node);
	free(around);
	return NULL;
}

void gauges_free(struct gauges **gauges_slot)
{
	struct gauges *gauges = *gauges_slot;
	struct table_node *node;

	if (!gauges)
		return;
	while ((node = gauges->services.oldest))
		drop_node(&gauges->services, node, table_entry(node, struct service_sum, node));
	while ((node = gauges->listeners.oldest))
		drop_node(&gauges->listeners, node, table_entry(node, struct listener_sum, node));
	while ((node = gauges->drops.oldest))
		drop_node(&gauges->drops, node, table_entry(node, struct socket_drops, node));
	table_done(&gauges->services);
	table_done(&gauges->listeners);
	table_done(&gauges->drops);
	free(gauges);
	*gauges_slot = NULL;
}

void gauges_begin(struct gauges *gauges)
{
	for (struct table_node *node = gauges->services.oldest; node; node = node->newer) {
		struct service_sum *sum = table_entry(node, struct service_sum, node);

		memset(sum->open, 0, sizeof(sum->open));
		memset(sum->open_unix, 0, sizeof(sum->open_unix));
	}
	for (struct table_node *node = gauges->listeners.oldest; node; node = node->newer) {
		struct listener_sum *sum = table_entry(node, struct listener_sum, node);

		sum->backlog = sum->backlog_max = 0;
		sum->is_met = false;
	}
	for (struct table_node *node = gauges->drops.oldest; node; node = node->newer)
		table_entry(node, struct socket_drops, node)->is_met = false;
}

/* Find or make the node of a key; NULL when there is no room. */
static struct service_sum *service_sum(struct gauges *gauges, const char *service)
{
	uint64_t hash = hash_bytes(service, strlen(service));
	struct table_node *node = table_find(&gauges->services, hash, service);
	struct service_sum *sum =
		node ? table_entry(node, struct service_sum, node) : calloc(1, sizeof(*sum));

	if (node || !sum)
		return sum;
	snprintf(sum->service, sizeof(sum->service), "%s", service);
	if (table_insert(&gauges->services, &sum->node, hash) == 0)
		return sum;
	free(sum);
	return NULL;
}

static struct listener_sum *listener_sum(struct gauges *gauges, const struct listener_key *key)
{
	uint64_t hash = hash_bytes(key, sizeof(*key));
	struct table_node *node = table_find(&gauges->listeners, hash, key);
	struct listener_sum *sum =
		node ? table_entry(node, struct listener_sum, node) : calloc(1, sizeof(*sum));

	if (node || !sum)
		return sum;
	sum->key = *key;
	if (table_insert(&gauges->listeners, &sum->node, hash) == 0)
		return sum;
	free(sum);
	return NULL;
}

static struct socket_drops *socket_drops(struct gauges *gauges, uint64_t sock, uint32_t first)
{
	uint64_t hash = hash_u64(sock);
	struct table_node *node = table_find(&gauges->drops, hash, &sock);
	struct socket_drops *drops =
		node ? table_entry(node, struct socket_drops, node) : calloc(1, sizeof(*drops));

	if (node || !drops)
		return drops;
	drops->sock = sock;
	drops->last = first;
	if (table_insert(&gauges->drops, &drops->node, hash) == 0)
		return drops;
	free(drops);
	return NULL;
}

void gauges_connection(struct gauges *gauges, const struct conn_state *conn)
{
	const struct process *process;
	struct service_sum *sum;
	bool is_unix = conn->tuple.family == AF_UNIX;

	/* Nobody's, or no longer open for the process to use. */
	if (!conn->tgid || (!is_unix && conn->tcp_state != TCP_STATE_ESTABLISHED &&
			    conn->tcp_state != TCP_STATE_CLOSE_WAIT))
		return;
	process = process_lookup(gauges->processes, conn->tgid);
	if (!process || process->is_ignored || conn->role >= ROLE_COUNT)
		return;
	sum = service_sum(gauges, process->service);
	if (sum && is_unix)
		sum->open_unix[conn->role]++;
	else if (sum)
		sum->open[conn->role]++;
}

void gauges_listener(struct gauges *gauges, uint64_t sock)
{
	int map = loader_map(gauges->loader, "listener_by_sock");
	const struct process *process;
	struct listener_state state;
	struct listener_key key;
	struct listener_sum *sum;
	struct socket_drops *drops;

	if (loader_control(gauges->loader, CONTROL_LISTENER_READ, sock, 0, 0) ||
	    kernel_table_find(map, &sock, &state))
		return; /* closed meanwhile */
	process = process_lookup(gauges->processes, state.tgid);
	if (!process || process->is_ignored)
		return;
	key = (struct listener_key){ state.tgid, state.port };
	sum = listener_sum(gauges, &key);
	drops = socket_drops(gauges, sock, state.first_drops);
	if (!sum || !drops)
		return;
	sum->is_met = drops->is_met = true;
	sum->backlog += state.backlog;
	sum->backlog_max += state.backlog_max;
	if (state.drops != drops->last) {
		char pid[12], port[8];
		label_values labels = { process->service, pid, port };

		snprintf(pid, sizeof(pid), "%u", key.tgid);
		snprintf(port, sizeof(port), "%u", key.port);
		(void)series_add(gauges->store, METRIC_TCP_LISTEN_OVERFLOWS, labels, key.tgid,
				 state.drops - drops->last);
		drops->last = state.drops;
	}
}

/* 0 is said once and then stands. Returns whether there is a series. */
static bool say_open(struct gauges *gauges, enum metric metric, label_values labels, uint64_t open,
		     bool *was_set)
{
	if (!open && !*was_set)
		return false;
	(void)series_set(gauges->store, metric, labels, 0, (double)open);
	*was_set = open > 0;
	return true;
}

static void end_services(struct gauges *gauges)
{
	struct table_node *next;

	for (struct table_node *node = gauges->services.oldest; node; node = next) {
		struct service_sum *sum = table_entry(node, struct service_sum, node);
		bool is_used = false;

		next = node->newer;
		for (unsigned role = 0; role < ROLE_COUNT; role++) {
			label_values labels = { sum->service, observe_role_name(role) };

			is_used |= say_open(gauges, METRIC_TCP_CONNECTIONS, labels, sum->open[role],
					    &sum->was_set[role]);
			is_used |= say_open(gauges, METRIC_UNIX_CONNECTIONS, labels,
					    sum->open_unix[role], &sum->was_unix_set[role]);
		}
		if (!is_used)
			drop_node(&gauges->services, node, sum);
	}
}

static void end_listeners(struct gauges *gauges)
{
	struct table_node *next;

	for (struct table_node *node = gauges->listeners.oldest; node; node = next) {
		struct listener_sum *sum = table_entry(node, struct listener_sum, node);
		const struct process *process = process_lookup(gauges->processes, sum->key.tgid);
		char pid[12], port[8];
		label_values labels = { process ? process->service : "", pid, port };

		next = node->newer;
		snprintf(pid, sizeof(pid), "%u", sum->key.tgid);
		snprintf(port, sizeof(port), "%u", sum->key.port);
		if (sum->is_met) {
			(void)series_set(gauges->store, METRIC_TCP_LISTEN_BACKLOG, labels,
					 sum->key.tgid, (double)sum->backlog);
			(void)series_set(gauges->store, METRIC_TCP_LISTEN_BACKLOG_LIMIT, labels,
					 sum->key.tgid, (double)sum->backlog_max);
		} else {
			series_remove(gauges->store, METRIC_TCP_LISTEN_BACKLOG, labels);
			series_remove(gauges->store, METRIC_TCP_LISTEN_BACKLOG_LIMIT, labels);
			drop_node(&gauges->listeners, node, sum);
		}
	}
}

void gauges_end(struct gauges *gauges)
{
	struct table_node *next;

	end_services(gauges);
	end_listeners(gauges);
	for (struct table_node *node = gauges->drops.oldest; node; node = next) {
		struct socket_drops *drops = table_entry(node, struct socket_drops, node);

		next = node->newer;
		if (!drops->is_met)
			drop_node(&gauges->drops, node, drops);
	}
}
