/* SPDX-License-Identifier: Apache-2.0 */
/* What `sonde dump` can ask for, as JSON (user/cli/README.md says what is in it). */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "agent/selection.h"
#include "agent/state.h"
#include "base/clock.h"
#include "cli/signal_view.h"

/* Append a new object; both may be NULL when memory ran out, which the caller finds in the array's size. */
static void append(json_t *array, json_t *object)
{
	(void)json_array_append_new(array, object);
}

static int finish(json_t *data, json_t **ret_data)
{
	if (!data)
		return -ENOMEM;
	*ret_data = data;
	return 0;
}

static int write_hooks(void *context, size_t limit, json_t **ret_data, size_t *ret_total)
{
	struct agent *agent = context;

	(void)limit;
	*ret_total = agent->report->signal_count;
	return finish(signal_view_json(agent->report), ret_data);
}

static void format_end(const uint8_t address[16], uint16_t family, uint16_t port, char *text,
		       size_t size)
{
	char host[INET6_ADDRSTRLEN] = "?";

	(void)inet_ntop(family, address, host, sizeof(host)); /* an unknown family stays "?" */
	snprintf(text, size, family == AF_INET6 ? "[%s]:%u" : "%s:%u", host, port);
}

#define END_MAX (UNIX_PATH_MAX + 8)

/* Of a Unix-domain socket the end that serves has a name. */
static void format_ends(const struct engine_conn_view *view, char local[END_MAX],
			char remote[END_MAX])
{
	const struct conn_tuple *tuple = &view->conn->tuple;
	bool is_server = view->conn->role == ROLE_SERVER;

	if (tuple->family == AF_UNIX) {
		snprintf(local, END_MAX, "unix:%s", is_server ? view->socket_path : "");
		snprintf(remote, END_MAX, "unix:%s", is_server ? "" : view->socket_path);
		return;
	}
	format_end(tuple->local_addr, tuple->family, tuple->local_port, local, END_MAX);
	format_end(tuple->remote_addr, tuple->family, tuple->remote_port, remote, END_MAX);
}

static int write_services(void *context, size_t limit, json_t **ret_data, size_t *ret_total)
{
	int error = services_write(context, ret_data);

	(void)limit; /* bounded by the series limit */
	if (!error)
		*ret_total = json_array_size(*ret_data);
	return error;
}

struct listing {
	struct agent *agent;
	json_t *array;
	size_t limit;
	size_t total;
};

static int add_connection(void *context, const struct engine_conn_view *view)
{
	struct listing *listing = context;
	char local[END_MAX], remote[END_MAX];
	uint64_t now_ns = monotonic_ns();

	if (listing->total++ >= listing->limit)
		return 0;
	format_ends(view, local, remote);
	append(listing->array,
	       json_pack("{s:s, s:s, s:s, s:s, s:I, s:s, s:s, s:I, s:I, s:f}", "role",
			 observe_role_name(view->conn->role), "local", local, "remote", remote,
			 "protocol", view->protocol, "pid",
			 (json_int_t)(view->process ? view->process->tgid : 0), "service",
			 view->process ? view->process->service : "", "executable",
			 view->process ? view->process->executable : "", "requests",
			 (json_int_t)view->requests, "turns", (json_int_t)view->conn->turn_no,
			 "idle_seconds",
			 now_ns > view->last_ns ? (double)(now_ns - view->last_ns) / 1e9 : 0.0));
	return 0;
}

static int write_conns(void *context, size_t limit, json_t **ret_data, size_t *ret_total)
{
	struct agent *agent = context;
	struct listing listing = { .agent = agent, .array = json_array(), .limit = limit };

	if (listing.array)
		engine_each_connection(agent->engine, add_connection, &listing);
	*ret_total = listing.total;
	return finish(listing.array, ret_data);
}

static int add_process(void *context, struct process *process)
{
	struct listing *listing = context;
	const struct process_state *state;
	uint64_t connects = 0;

	if (listing->total++ >= listing->limit)
		return 0;
	state = totals_process(listing->agent->totals, process->tgid);
	for (size_t i = 0; state && i < CONNECT_OUTCOME_COUNT; i++)
		connects += state->connects[i];
	append(listing->array,
	       json_pack("{s:I, s:I, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:b, s:b, s:s}", "pid",
			 (json_int_t)process->tgid, "parent_pid", (json_int_t)process->parent_tgid,
			 "service", process->service, "executable", process->executable, "connects",
			 (json_int_t)connects, "accepts", (json_int_t)(state ? state->accepts : 0),
			 "exchanges",
			 (json_int_t)(state ? state->exchanges[ROLE_CLIENT] +
						      state->exchanges[ROLE_SERVER] +
						      state->exchanges[ROLE_UNKNOWN] :
					      0),
			 "bytes_sent", (json_int_t)(state ? state->bytes_sent : 0),
			 "bytes_received", (json_int_t)(state ? state->bytes_received : 0),
			 "exited", process->exited_ns != 0, "ignored", process->is_ignored, "path",
			 process->path));
	return 0;
}

static int write_procs(void *context, size_t limit, json_t **ret_data, size_t *ret_total)
{
	struct agent *agent = context;
	struct listing listing = { .agent = agent, .array = json_array(), .limit = limit };

	if (listing.array)
		process_table_each(agent->processes, add_process, &listing);
	*ret_total = listing.total;
	return finish(listing.array, ret_data);
}

static int write_series(void *context, size_t limit, json_t **ret_data, size_t *ret_total)
{
	struct agent *agent = context;
	json_t *array = json_array();

	(void)limit;
	for (unsigned metric = 0; array && metric < METRIC_COUNT; metric++) {
		struct series_family_view family;

		series_family_read(agent->store, metric, &family);
		append(array,
		       json_pack("{s:s, s:s, s:I, s:I, s:I}", "metric", metric_table[metric].name,
				 "type", metric_type_name(metric_table[metric].type), "series",
				 (json_int_t)family.count, "limit", (json_int_t)family.limit,
				 "refused",
				 (json_int_t)(family.refused_limit + family.refused_memory)));
	}
	*ret_total = METRIC_COUNT;
	return finish(array, ret_data);
}

static int write_maps(void *context, size_t limit, json_t **ret_data, size_t *ret_total)
{
	struct agent *agent = context;
	struct totals_fill fills[8];
	size_t count = totals_fill_read(agent->totals, fills, sizeof(fills) / sizeof(fills[0]));
	json_t *array = json_array();

	(void)limit;
	for (size_t i = 0; array && i < count; i++)
		append(array, json_pack("{s:s, s:I, s:I}", "map", fills[i].map, "entries",
					(json_int_t)fills[i].entries, "max_entries",
					(json_int_t)fills[i].max_entries));
	*ret_total = count;
	return finish(array, ret_data);
}

static json_t *ring_rows(struct agent *agent)
{
	json_t *array = json_array();
	size_t rings;

	(void)loader_rings(agent->loader, &rings);
	for (size_t i = 0; array && i < rings; i++) {
		char name[16];

		snprintf(name, sizeof(name), i == RING_PROCESS ? "process" : "shard_%zu", i - 1);
		append(array,
		       json_pack("{s:s, s:I, s:I}", "ring", name, "size_bytes",
				 (json_int_t)loader_ring_bytes(agent->loader, i), "waiting_bytes",
				 (json_int_t)ring_consumer_waiting(agent->consumer, i)));
	}
	return array;
}

static json_t *event_rows(struct agent *agent)
{
	struct event_balance balances[EVENT_KIND_COUNT];
	json_t *array = json_array();

	if (figures_events_read(agent, balances))
		return array;
	for (unsigned kind = 1; array && kind < EVENT_KIND_COUNT; kind++)
		append(array, json_pack("{s:s, s:I, s:I, s:I}", "kind", event_kind_name(kind),
					"produced", (json_int_t)balances[kind].produced, "consumed",
					(json_int_t)balances[kind].consumed, "lost",
					(json_int_t)balances[kind].lost));
	return array;
}

static int write_rings(void *context, size_t limit, json_t **ret_data, size_t *ret_total)
{
	(void)limit;
	(void)ret_total;
	return finish(json_pack("{s:o, s:o}", "rings", ring_rows(context), "events",
				event_rows(context)),
		      ret_data);
}

static int write_config(void *context, size_t limit, json_t **ret_data, size_t *ret_total)
{
	struct agent *agent = context;
	const struct agent_options *options = agent->options;
	const struct bpf_settings *settings = &options->loader.settings;
	json_t *data = json_object();

	(void)limit;
	(void)ret_total;
	if (!data)
		return -ENOMEM;
	(void)json_object_set_new(data, "listen", json_string(http_server_address(agent->http)));
	(void)json_object_set_new(data, "socket", json_string(options->socket_path));
	(void)json_object_set_new(data, "ring_bytes",
				  json_integer((json_int_t)loader_ring_bytes(agent->loader, 1)));
	(void)json_object_set_new(data, "prefix_bytes", json_integer(settings->prefix_bytes));
	(void)json_object_set_new(data, "error_events_per_second",
				  json_integer(settings->error_events_per_second));
	(void)json_object_set_new(data, "expected_errors",
				  json_boolean(settings->count_expected_errors));
	(void)json_object_set_new(data, "connections",
				  json_integer((json_int_t)options->loader.connections));
	(void)json_object_set_new(data, "processes",
				  json_integer((json_int_t)options->loader.processes));
	(void)json_object_set_new(data, "series_limit",
				  json_integer((json_int_t)options->series_limit));
	(void)json_object_set_new(data, "series_ttl_seconds",
				  json_integer(options->series_ttl_seconds));
	(void)json_object_set_new(data, "routes_per_service",
				  json_integer((json_int_t)options->routes_per_service));
	(void)json_object_set_new(data, "statements_per_service",
				  json_integer((json_int_t)options->statements_per_service));
	*ret_data = data;
	return 0;
}

const struct control_topic agent_topics[] = {
	{ .name = "services", .write = write_services },
	{ .name = "statements", .write = statements_write },
	{ .name = "slow", .write = slow_write },
	{ .name = "hooks", .write = write_hooks },
	{ .name = "conns", .write = write_conns },
	{ .name = "procs", .write = write_procs },
	{ .name = "series", .write = write_series },
	{ .name = "maps", .write = write_maps },
	{ .name = "rings", .write = write_rings },
	{ .name = "config", .write = write_config },
	{ .name = "selection", .write = selection_write, .set = selection_set },
};
const size_t agent_topic_count = sizeof(agent_topics) / sizeof(agent_topics[0]);
