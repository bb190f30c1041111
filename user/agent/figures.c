/* SPDX-License-Identifier: Apache-2.0 */
/* What the agent says of itself: events and their balance, hooks, fills, cost. */
#include <dirent.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "agent/state.h"
#include "aggregate/slow_table.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "load/figures.h"
#include "load/kernel_table.h"
#include "published/publishers.h"

#ifndef SONDE_VERSION
#define SONDE_VERSION "unknown"
#endif
/* The kernel reads the clock twice for each run of a program while it measures: hence a fiftieth of the time. */
#define WARN_INTERVAL_NS (60ull * NS_PER_SECOND)
#define STATS_WINDOW_NS (NS_PER_SECOND / 5)
#define STATS_INTERVAL_NS (10ull * NS_PER_SECOND)

static const char *const loss_labels[LOSS_REASON_COUNT] = {
#define X(number, NAME, label, text) [number] = label,
	LOSS_REASONS(X)
#undef X
};

/* Updates that find no room are counted in the store itself. */
static void set_total(struct agent *agent, enum metric metric, const char *first,
		      const char *second, uint64_t total)
{
	label_values labels = { first, second };

	(void)series_set_total(agent->store, metric, labels, 0, total);
}

static void set_gauge(struct agent *agent, enum metric metric, const char *label, double value)
{
	label_values labels = { label };

	(void)series_set(agent->store, metric, labels, 0, value);
}

static void write_event_losses(struct agent *agent, unsigned kind, const struct event_count *kernel)
{
	const char *name = event_kind_name(kind);

	for (unsigned reason = 0; reason < LOSS_REASON_COUNT; reason++) {
		uint64_t lost = kernel->lost[reason] + agent->intake.lost[kind][reason];

		if (reason == LOSS_RATE_LIMITED)
			set_total(agent, METRIC_EVENTS_LIMITED, name, NULL, lost);
		else if (lost || reason == LOSS_RING_FULL)
			set_total(agent, METRIC_EVENTS_LOST, name, loss_labels[reason], lost);
	}
}

static void balance(const struct agent *agent, unsigned kind, const struct event_count *kernel,
		    struct event_balance *ret_balance)
{
	*ret_balance =
		(struct event_balance){ .produced = kernel->delivered + agent->intake.made[kind],
					.consumed = agent->intake.consumed[kind] };
	for (unsigned reason = 0; reason < LOSS_REASON_COUNT; reason++) {
		if (reason == LOSS_RATE_LIMITED)
			continue;
		ret_balance->produced += kernel->lost[reason];
		ret_balance->lost += kernel->lost[reason] + agent->intake.lost[kind][reason];
	}
}

static int read_counts(const struct agent *agent, struct event_count counts[EVENT_KIND_COUNT])
{
	return kernel_event_counts(loader_map(agent->loader, "event_counts"), counts);
}

int figures_events_read(const struct agent *agent,
			struct event_balance ret_balances[EVENT_KIND_COUNT])
{
	struct event_count counts[EVENT_KIND_COUNT];
	int error = read_counts(agent, counts);

	for (unsigned kind = 0; !error && kind < EVENT_KIND_COUNT; kind++)
		balance(agent, kind, &counts[kind], &ret_balances[kind]);
	return error;
}

static void write_events(struct agent *agent)
{
	struct event_count counts[EVENT_KIND_COUNT];

	if (read_counts(agent, counts))
		return;
	for (unsigned kind = 1; kind < EVENT_KIND_COUNT; kind++) {
		const char *name = event_kind_name(kind);
		struct event_balance events;

		balance(agent, kind, &counts[kind], &events);
		set_total(agent, METRIC_EVENTS_PRODUCED, name, NULL, events.produced);
		set_total(agent, METRIC_EVENTS_CONSUMED, name, NULL, events.consumed);
		write_event_losses(agent, kind, &counts[kind]);
	}
}

uint64_t figures_events_waiting(struct agent *agent)
{
	struct event_balance events[EVENT_KIND_COUNT];
	uint64_t waiting = 0;

	if (figures_events_read(agent, events))
		return 0;
	for (unsigned kind = 1; kind < EVENT_KIND_COUNT; kind++)
		waiting += events[kind].produced - events[kind].lost - events[kind].consumed;
	return waiting;
}

uint64_t figures_events_lost(void *context)
{
	struct event_balance events[EVENT_KIND_COUNT];
	uint64_t sum = 0;

	if (figures_events_read(context, events))
		return 0;
	for (unsigned kind = 1; kind < EVENT_KIND_COUNT; kind++)
		sum += events[kind].lost;
	return sum;
}

void figures_warn_of_losses(struct agent *agent, uint64_t now_ns)
{
	uint64_t sum = figures_events_lost(agent);

	if (sum <= agent->lost_events ||
	    (agent->warned_ns && now_ns - agent->warned_ns < WARN_INTERVAL_NS))
		return;
	log_warn(
		"%llu events lost since the last such line: durations and requests are missing (counts "
		"of connections, exchanges and failed calls are exact); see sonde_events_lost_total, "
		"a larger --ring-bytes may help",
		(unsigned long long)(sum - agent->lost_events));
	agent->lost_events = sum;
	agent->warned_ns = now_ns;
}

static void write_kernel_counters(struct agent *agent)
{
	static const char *const labels[KERNEL_COUNTER_COUNT] = {
#define X(number, NAME, label, help) [number] = label,
		KERNEL_COUNTERS(X)
#undef X
	};
	/* 0: a map that was full. */
	static const enum metric metrics[KERNEL_COUNTER_COUNT] = {
		[COUNTER_PAYLOAD_FAULT] = METRIC_PAYLOAD_FAULTS,
		[COUNTER_THREAD_CONTEXT_FAULT] = METRIC_THREAD_CONTEXT_FAULTS,
		[COUNTER_THREAD_ERRORS_TAKEN] = METRIC_THREAD_ERRORS_TAKEN,
		[COUNTER_THREAD_WAITS_TAKEN] = METRIC_THREAD_WAITS_TAKEN,
		[COUNTER_DATAGRAMS_BEYOND] = METRIC_DATAGRAMS_BEYOND,
	};
	uint64_t counters[KERNEL_COUNTER_COUNT];

	if (kernel_counters(loader_map(agent->loader, "kernel_counts"), counters))
		return;
	for (unsigned i = 0; i < KERNEL_COUNTER_COUNT; i++)
		if (metrics[i])
			set_total(agent, metrics[i], NULL, NULL, counters[i]);
		else
			set_total(agent, METRIC_MAP_FULL, labels[i], NULL, counters[i]);
	set_total(agent, METRIC_SYSCALL_ERRORS_UNATTRIBUTED, NULL, NULL,
		  counters[COUNTER_ERROR_TABLE_FULL]);
}

static void write_hooks(struct agent *agent)
{
	for (size_t i = 0; i < agent->report->signal_count; i++) {
		const struct signal_report *signal = &agent->report->signals[i];
		label_values labels = { signal->signal, signal->hook };

		if (signal->is_off)
			continue;
		set_gauge(agent, METRIC_SIGNAL_UP, signal->signal, signal->hook ? 1 : 0);
		if (signal->hook)
			(void)series_set(agent->store, METRIC_HOOK_INFO, labels, 0, 1);
	}
}

static void write_fills(struct agent *agent)
{
	struct totals_fill fills[8];
	size_t count = totals_fill_read(agent->totals, fills, sizeof(fills) / sizeof(fills[0]));
	size_t rings;

	for (size_t i = 0; i < count; i++) {
		set_gauge(agent, METRIC_MAP_ENTRIES, fills[i].map, (double)fills[i].entries);
		set_gauge(agent, METRIC_MAP_MAX_ENTRIES, fills[i].map,
			  (double)fills[i].max_entries);
	}
	(void)loader_rings(agent->loader, &rings);
	for (size_t i = 0; i < rings; i++) {
		char name[16];

		snprintf(name, sizeof(name), i == RING_PROCESS ? "process" : "shard_%zu", i - 1);
		set_gauge(agent, METRIC_RING_BYTES, name,
			  (double)ring_consumer_waiting(agent->consumer, i));
		set_gauge(agent, METRIC_RING_SIZE, name,
			  (double)loader_ring_bytes(agent->loader, i));
	}
}

static void set_table(struct agent *agent, const char *table, double entries, double limit,
		      uint64_t evicted)
{
	set_gauge(agent, METRIC_TABLE_ENTRIES, table, entries);
	set_gauge(agent, METRIC_TABLE_MAX_ENTRIES, table, limit);
	set_total(agent, METRIC_TABLE_EVICTED, table, NULL, evicted);
}

static void write_saturation_tables(struct agent *agent)
{
	struct saturation_table tables[SATURATION_TABLES];

	saturation_tables(agent->saturation, tables);
	for (size_t i = 0; i < SATURATION_TABLES; i++)
		set_table(agent, tables[i].name, (double)tables[i].entries, (double)tables[i].limit,
			  tables[i].refused);
}

static void write_tables(struct agent *agent, const struct engine_stats *engine)
{
	struct statement_table_stats statements;
	struct slow_table_figures slow;

	set_table(agent, "connections", (double)engine->connections,
		  (double)agent->options->loader.connections, engine->connections_evicted);
	set_gauge(agent, METRIC_TABLE_ENTRIES, "requests", (double)engine->requests);
	set_gauge(agent, METRIC_TABLE_MAX_ENTRIES, "requests", (double)engine->requests_max);
	set_table(agent, "processes", (double)process_table_count(agent->processes),
		  (double)agent->options->loader.processes,
		  process_table_evicted(agent->processes));
	set_table(agent, "pools", (double)engine->pools, (double)engine->pools_limit,
		  engine->pools_refused);
	statement_table_read(agent->statements, &statements);
	set_table(agent, "statements", (double)statements.count, (double)statements.limit,
		  statements.evicted);
	slow_table_read(agent->slow, &slow);
	set_table(agent, "slow_services", (double)slow.services, SLOW_SERVICES, slow.evicted);
	set_table(agent, "dns_lookups", (double)engine->lookups, (double)engine->lookups_max,
		  engine->lookups_evicted);
	set_table(agent, "span_threads", (double)engine->join.threads,
		  (double)engine->join.threads_limit, engine->join.threads_refused);
	set_table(agent, "span_request_ids", (double)engine->join.request_ids,
		  (double)engine->join.request_ids_limit, engine->join.request_ids_refused);
	set_table(agent, "span_handed_calls", (double)engine->join.handed,
		  (double)engine->join.handed_limit, engine->join.handed_evicted);
	set_table(agent, "span_loop_calls", (double)engine->join.loop,
		  (double)engine->join.loop_limit, engine->join.loop_evicted);
	set_table(agent, "span_habits", (double)engine->join.habits,
		  (double)engine->join.habits_limit, engine->join.habits_evicted);
	set_total(agent, METRIC_TABLE_EVICTED, "accepted", NULL, engine->accepted_evicted);
	set_table(agent, "span_openings", (double)engine->join.openings,
		  (double)engine->join.openings_limit, engine->join.openings_evicted);
	set_table(agent, "span_lookups", (double)engine->join.lookups,
		  (double)engine->join.lookups_limit, engine->join.lookups_evicted);
	set_table(agent, "span_unasked", (double)engine->join.unasked,
		  (double)engine->join.unasked_limit, engine->join.unasked_evicted);
	set_table(agent, "span_connects", (double)engine->join.connects,
		  (double)engine->join.connects_limit, engine->join.connects_evicted);
	set_total(agent, METRIC_DNS_NAMES_REFUSED, NULL, NULL, engine->names_refused);
	set_total(agent, METRIC_TURNS_MISSED, NULL, NULL, engine->turns_missed);
	set_total(agent, METRIC_ROUTES_REFUSED, NULL, NULL, engine->routes_refused);
	set_total(agent, METRIC_COLLECTIONS_REFUSED, NULL, NULL, engine->collections_refused);
	set_total(agent, METRIC_SOCKET_PATHS_REFUSED, NULL, NULL, engine->socket_paths_refused);
}

static void write_joins(struct agent *agent, const struct join_figures *join)
{
	static const char *const joins[] = {
#define X(NAME, value, meaning) value,
		SPAN_JOINS(X)
#undef X
	};
	static const char *const formats[] = {
#define X(NAME, label) label,
		TRACE_FORMATS(X)
#undef X
	};

	for (unsigned i = 0; i < SPAN_JOIN_COUNT; i++)
		set_total(agent, METRIC_SPAN_JOINS, joins[i], NULL, join->spans[i]);
	set_total(agent, METRIC_SPAN_JOINS, "ambiguous", NULL, join->ambiguous);
	set_total(agent, METRIC_SPAN_ADOPTIONS_LATE, NULL, NULL, join->late);
	set_total(agent, METRIC_SPANS_LEFT_OUT, NULL, NULL, join->left_out);
	set_total(agent, METRIC_SPAN_LINKS_DROPPED, NULL, NULL, join->links_dropped);
	set_total(agent, METRIC_THREAD_CONTEXTS_SHARED, NULL, NULL, join->contexts_shared);
	set_total(agent, METRIC_THREAD_CONTEXTS_EVICTED, NULL, NULL, join->contexts_evicted);
	set_total(agent, METRIC_GOROUTINES_EVICTED, NULL, NULL, join->goroutines_evicted);
	for (unsigned i = 0; i < TRACE_FORMAT_COUNT; i++)
		set_total(agent, METRIC_TRACE_HEADERS_IGNORED, formats[i], NULL, join->ignored[i]);
}

static void write_contexts(struct agent *agent)
{
	struct publishers_figures figures;

	if (!agent->publishers)
		return;
	publishers_read(agent->publishers, &figures);
	set_table(agent, "thread_context_looks", (double)figures.held, (double)figures.limit,
		  figures.refused);
	set_gauge(agent, METRIC_THREAD_CONTEXT_PROCESSES, "read", (double)figures.placed);
	set_gauge(agent, METRIC_THREAD_CONTEXT_PROCESSES, "unplaced", (double)figures.unplaced);
	set_total(agent, METRIC_THREAD_CONTEXT_UNREADABLE, NULL, NULL, figures.unreadable);
}

static int write_program(void *context, const struct program_figures *figures)
{
	struct agent *agent = context;

	set_total(agent, METRIC_BPF_RUN_TIME, figures->name, NULL, figures->run_ns);
	set_total(agent, METRIC_BPF_RUNS, figures->name, NULL, figures->runs);
	set_total(agent, METRIC_BPF_RECURSION_MISSES, figures->name, NULL,
		  figures->recursion_misses);
	return 0;
}

static void write_sampling(struct agent *agent)
{
	struct sampler_figures figures;

	spans_read_sampling(agent->spans, &figures);
	for (enum sampling_reason i = 0; i < SAMPLING_REASON_COUNT; i++) {
		if (i != SAMPLING_RATE)
			set_total(agent, METRIC_SPANS_SAMPLED, sampling_reason_name(i), NULL,
				  figures.kept[i]);
		if (i >= SAMPLING_PARENT)
			set_total(agent, METRIC_SPANS_UNSAMPLED, sampling_reason_name(i), NULL,
				  figures.unkept[i]);
	}
	set_table(agent, "span_routes", (double)figures.routes.count, (double)figures.routes.limit,
		  figures.routes.evicted);
}

static void write_spool(struct agent *agent, const struct delivery_stats *stats)
{
	const struct spool_figures *spool = &stats->spool;

	if (!stats->has_spool)
		return;
	set_gauge(agent, METRIC_SPANS_SPOOLED, stats->exporter, (double)spool->waiting);
	set_total(agent, METRIC_SPANS_RECOVERED, stats->exporter, NULL, spool->recovered);
	set_gauge(agent, METRIC_SPAN_SPOOL_BYTES, stats->exporter, (double)spool->bytes);
	set_gauge(agent, METRIC_SPAN_SPOOL_LIMIT, stats->exporter, (double)spool->bytes_max);
	set_total(agent, METRIC_SPAN_SPOOL_DAMAGES, stats->exporter, NULL, spool->damages);
	set_total(agent, METRIC_SPAN_SPOOL_ERRORS, stats->exporter, NULL, stats->spool_errors);
}

static void write_points(struct agent *agent)
{
	static const enum span_drop drops[] = { SPAN_DROP_REJECTED, SPAN_DROP_PARTIAL_SUCCESS };
	struct metric_delivery_stats stats;

	if (!agent->metrics)
		return;
	metric_delivery_read(metric_export_delivery(agent->metrics), &stats);
	set_total(agent, METRIC_POINTS_EXPORTED, NULL, NULL, stats.exported);
	set_total(agent, METRIC_POINT_RETRIES, NULL, NULL, stats.retries);
	for (size_t i = 0; i < sizeof(drops) / sizeof(drops[0]); i++)
		set_total(agent, METRIC_POINTS_DROPPED, span_drop_name(drops[i]), NULL,
			  stats.dropped[drops[i]]);
}

static void write_spans(struct agent *agent)
{
	static const char *const parts[] = {
#define X(NAME, label, meaning) label,
		SPAN_PARTS(X)
#undef X
	};
	struct delivery_stats stats;

	if (!agent->spans)
		return;
	write_sampling(agent);
	set_total(agent, METRIC_SPANS_PRODUCED, NULL, NULL, spans_produced(agent->spans));
	for (enum span_part i = SPAN_PART_REQUEST + 1; i < SPAN_PART_COUNT; i++)
		set_total(agent, METRIC_SPAN_PARTS, parts[i], NULL, spans_parts(agent->spans, i));
	for (size_t i = 0; spans_read(agent->spans, i, &stats); i++) {
		set_total(agent, METRIC_SPANS_EXPORTED, stats.exporter, NULL, stats.exported);
		set_total(agent, METRIC_SPAN_RETRIES, stats.exporter, NULL, stats.retries);
		set_gauge(agent, METRIC_SPANS_QUEUED, stats.exporter, (double)stats.queued);
		set_gauge(agent, METRIC_SPANS_QUEUE_LIMIT, stats.exporter,
			  (double)stats.queue_limit);
		for (unsigned drop = 0; drop < SPAN_DROP_COUNT; drop++)
			set_total(agent, METRIC_SPANS_DROPPED, stats.exporter, span_drop_name(drop),
				  stats.dropped[drop]);
		write_spool(agent, &stats);
	}
}

static double resident_bytes(void)
{
	_cleanup_fclose_ FILE *file = fopen("/proc/self/statm", "re");
	unsigned long pages;

	if (!file || fscanf(file, "%*u %lu", &pages) != 1)
		return 0;
	return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

static double open_descriptors(void)
{
	DIR *directory = opendir("/proc/self/fd");
	double count = -3; /* ".", ".." and the directory's own */

	if (!directory)
		return 0;
	while (readdir(directory))
		count++;
	closedir(directory);
	return count;
}

static uint64_t timeval_ns(const struct timeval *time)
{
	return (uint64_t)time->tv_sec * NS_PER_SECOND + (uint64_t)time->tv_usec * 1000;
}

static void write_cost(struct agent *agent)
{
	uint64_t window = agent->stats_total_ns;
	struct rusage usage;

	(void)loader_each_program(agent->loader, write_program, agent);
	if (agent->stats_fd >= 0)
		window += monotonic_ns() - agent->stats_opened_ns;
	set_total(agent, METRIC_BPF_STATS_WINDOW, NULL, NULL, window);
	if (getrusage(RUSAGE_SELF, &usage) == 0)
		set_total(agent, METRIC_CPU_SECONDS, NULL, NULL,
			  timeval_ns(&usage.ru_utime) + timeval_ns(&usage.ru_stime));
	set_gauge(agent, METRIC_RESIDENT_MEMORY, NULL, resident_bytes());
	set_gauge(agent, METRIC_OPEN_FDS, NULL, open_descriptors());
	set_gauge(agent, METRIC_START_TIME, NULL,
		  (double)agent->started_realtime_ns / NS_PER_SECOND);
}

static void write_build(struct agent *agent)
{
	char abi[12];
	struct utsname kernel;
	label_values labels = { SONDE_VERSION, abi };

	snprintf(abi, sizeof(abi), "%d", EVENT_ABI_VERSION);
	if (uname(&kernel) == 0) {
		labels[2] = kernel.machine;
		labels[3] = kernel.release;
	}
	(void)series_set(agent->store, METRIC_BUILD_INFO, labels, 0, 1);
}

void figures_write(struct agent *agent)
{
	struct engine_stats engine;

	write_build(agent);
	write_hooks(agent);
	write_events(agent);
	write_kernel_counters(agent);
	write_fills(agent);
	write_saturation_tables(agent);
	engine_stats_read(agent->engine, &engine);
	write_tables(agent, &engine);
	write_joins(agent, &engine.join);
	write_contexts(agent);
	write_spans(agent);
	write_points(agent);
	write_cost(agent);
	http_server_report(agent->http, agent->store);
	series_store_report(agent->store);
}

void figures_window(struct agent *agent, uint64_t now_ns)
{
	if (agent->stats_fd >= 0 && now_ns - agent->stats_opened_ns >= STATS_WINDOW_NS) {
		close(agent->stats_fd);
		agent->stats_fd = -1;
		agent->stats_total_ns += monotonic_ns() - agent->stats_opened_ns;
	} else if (agent->stats_fd < 0 && now_ns - agent->stats_opened_ns >= STATS_INTERVAL_NS) {
		agent->stats_fd = stats_window_open();
		agent->stats_opened_ns = monotonic_ns();
		if (agent->stats_fd < 0)
			agent->stats_fd = -1; /* not permitted: the metrics stay at 0 */
	}
}
