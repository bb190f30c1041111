/* SPDX-License-Identifier: Apache-2.0 */
/* Connections to databases as gauges: what services hold open, and how much of it they use. */
#include <stdio.h>
#include <sys/socket.h>

#include "agent/state.h"

/* What finds no room is counted in the store. */
static void write_state(struct agent *agent, const char *values[METRIC_LABELS_MAX],
			const char *state, double count, bool is_gone)
{
	values[4] = state;
	if (is_gone)
		series_remove(agent->store, METRIC_DB_CONNECTIONS, values);
	else
		(void)series_set(agent->store, METRIC_DB_CONNECTIONS, values, 0, count);
}

static void write_pool(void *context, const struct engine_pool_view *view)
{
	struct agent *agent = context;
	char address[OBSERVE_ADDRESS_MAX], port[6];
	label_values values = { view->service, view->system, address, port };

	if (view->family == AF_UNIX) {
		values[2] = view->socket_path;
		values[3] = "";
	} else {
		observe_address(address, view->addr, view->family);
		(void)snprintf(port, sizeof(port), "%u", view->port);
	}
	write_state(agent, values, "used", view->used, view->is_gone);
	write_state(agent, values, "idle", view->open - view->used, view->is_gone);
	if (view->is_gone)
		series_remove(agent->store, METRIC_DB_CONNECTIONS_PEAK, values);
	else
		(void)series_set(agent->store, METRIC_DB_CONNECTIONS_PEAK, values, 0, view->peak);
}

void pools_write(struct agent *agent, uint64_t now_ns)
{
	engine_each_pool(agent->engine, now_ns, write_pool, agent);
}
