/* SPDX-License-Identifier: Apache-2.0 */
/* Wiring and the main loop. One thread owns everything from the rings to the series; scrapes are answered by others, from
 * snapshots. */
#include "agent/agent.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "agent/pressure.h"
#include "agent/selection.h"
#include "agent/state.h"
#include "aggregate/slow_table.h"
#include "base/clock.h"
#include "base/log.h"
#include "load/feature.h"
#include "published/publishers.h"

/* Nothing wakes us for an event. Batches pay: 10 ms while there is traffic; an idle machine is left in peace, as nothing
 * that is reported may be delayed by more than the answer to "is it over?" anyway. */
#define DRAIN_BUSY_MS 10
#define DRAIN_IDLE_MS 100
#define IDLE_AFTER_NS (500u * NS_PER_MS)
#define QUIET_ROUNDS 5
/* When a metric has used three quarters of its series, those of dead processes go this soon. */
#define CROWDED_TTL_NS (5ull * NS_PER_SECOND)
#define HOUSEKEEPING_NS NS_PER_SECOND
/* Rings overflow when nobody lets us read them. Where every CPU is taken, by whom we watch as a rule, the reader must not wait
 * for its turn; it makes up in no time what it is given (docs/PERFORMANCE.md). */
#define READER_NICE (-20)
/* Dead processes keep their name this long: their last connections may be reported late. */
#define PROCESS_KEEP_NS (60ull * NS_PER_SECOND)

/* The series of a process that is gone may go too. */
static bool owner_is_gone(void *context, uint32_t tgid)
{
	struct agent *agent = context;

	return !process_is_alive(agent->processes, tgid) ||
	       process_lookup(agent->processes, tgid)->is_ignored;
}

struct service_search {
	const char *service;
	bool is_found;
};

static int find_service(void *context, struct process *process)
{
	struct service_search *search = context;

	search->is_found = !process->exited_ns && !process->is_ignored &&
			   strcmp(process->service, search->service) == 0;
	return search->is_found;
}

static bool service_is_gone(void *context, const char *service_name)
{
	struct agent *agent = context;
	struct service_search search = { .service = service_name };

	process_table_each(agent->processes, find_service, &search);
	return !search.is_found;
}

static void expire(struct agent *agent, uint64_t now_ns)
{
	const struct series_liveness liveness = { agent, owner_is_gone, service_is_gone };
	uint64_t ttl_ns = (uint64_t)agent->options->series_ttl_seconds * NS_PER_SECOND;

	series_store_expire(agent->store, now_ns, ttl_ns, CROWDED_TTL_NS, &liveness);
	process_table_expire(agent->processes, now_ns, PROCESS_KEEP_NS);
}

static void drain(struct agent *agent)
{
	size_t records = ring_consumer_drain(agent->consumer);
	uint64_t now_ns = monotonic_ns();

	if (records)
		agent->newest_event_ns = now_ns;
	series_store_set_now(agent->store, now_ns);
	engine_tick(agent->engine, now_ns);
}

/* is_asked: somebody waits for the figures. */
static void refresh(struct agent *agent, bool is_asked)
{
	series_begin_round(agent->store);
	statement_table_report(agent->statements, agent->store, monotonic_ns());
	pools_write(agent, monotonic_ns());
	pressure_write(agent->store, PRESSURE_FOLDER);
	if (totals_refresh(agent->totals, monotonic_ns()))
		log_debug("kernel tables could not be read whole, the next round will");
	saturation_refresh(agent->saturation, monotonic_ns(), is_asked);
	figures_write(agent);
	series_end_round(agent->store);
}

static void housekeep(struct agent *agent, uint64_t now_ns)
{
	figures_window(agent, now_ns);
	contexts_review(agent, now_ns);
	if (now_ns - agent->housekept_ns < HOUSEKEEPING_NS)
		return;
	agent->housekept_ns = now_ns;
	selection_review(agent, now_ns);
	refresh(agent, false);
	figures_warn_of_losses(agent, now_ns);
	expire(agent, now_ns);
}

/* Events go on while we read: a scrape shows produced = consumed + lost unless they come faster than that. */
static void drain_until_quiet(struct agent *agent)
{
	for (int i = 0; i < QUIET_ROUNDS; i++) {
		drain(agent);
		if (figures_events_waiting(agent) == 0)
			return;
	}
}

/* NULL: out of memory. */
static struct snapshot *fresh_snapshot(struct agent *agent)
{
	drain_until_quiet(agent);
	refresh(agent, true);
	return series_snapshot(agent->store);
}

static void answer_scrape(struct agent *agent)
{
	exchange_publish(agent->exchange, fresh_snapshot(agent));
}

static void export_metrics(struct agent *agent, uint64_t now_ns)
{
	struct metric_delivery *delivery = metric_export_delivery(agent->metrics);
	struct snapshot *snapshot;

	if (!metric_delivery_is_due(delivery, now_ns))
		return;
	snapshot = fresh_snapshot(agent);
	if (snapshot)
		series_store_set_sent(agent->store, snapshot_taken_ns(snapshot));
	metric_delivery_put(delivery, snapshot, now_ns);
}

/* While the kernel's tables can still be read. */
static void export_last_metrics(struct agent *agent)
{
	refresh(agent, true);
	metric_delivery_finish(metric_export_delivery(agent->metrics),
			       series_snapshot(agent->store), monotonic_ns() + AGENT_FLUSH_NS);
}

static int add_to_loop(struct agent *agent, int fd)
{
	struct epoll_event event = { .events = EPOLLIN, .data.fd = fd };

	return epoll_ctl(agent->epoll_fd, EPOLL_CTL_ADD, fd, &event) ? -errno : 0;
}

static int open_loop(struct agent *agent)
{
	sigset_t signals;
	int error;

	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	signal(SIGPIPE, SIG_IGN);
	agent->signal_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
	agent->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (agent->signal_fd < 0 || agent->epoll_fd < 0)
		return -errno;
	error = add_to_loop(agent, agent->signal_fd);
	return error;
}

/* For the calling thread, the owner; those that answer scrapes stay as they are. */
static void come_first(void)
{
	int error;

	if (getpriority(PRIO_PROCESS, 0) <= READER_NICE)
		return;
	error = setpriority(PRIO_PROCESS, 0, READER_NICE) ? errno : 0;
	if (error)
		log_warn(
			"cannot raise the reader's priority (CAP_SYS_NICE): %s; events may be lost while all CPUs are taken",
			strerror(error));
}

/* Nobody may run on our CPU while we are inside a map's system call, on kernels where that would cost others' events
 * (loader_is_preempting). Some milliseconds at a time; without CAP_SYS_NICE nothing changes, and misses are counted. */
static void be_steady(const struct agent *agent, bool is_steady)
{
	struct sched_param priority = { .sched_priority = is_steady };

	if (loader_is_preempting(agent->loader))
		(void)sched_setscheduler(0, is_steady ? SCHED_FIFO : SCHED_OTHER, &priority);
}

static int wait_for_work(const struct agent *agent, struct epoll_event *ret_events, int max)
{
	bool is_idle = monotonic_ns() - agent->newest_event_ns > IDLE_AFTER_NS;
	int count;

	be_steady(agent, false);
	count = epoll_wait(agent->epoll_fd, ret_events, max,
			   is_idle ? DRAIN_IDLE_MS : DRAIN_BUSY_MS);
	be_steady(agent, true);
	return count;
}

/* Returns false when it is time to end. */
static bool run_once(struct agent *agent)
{
	struct epoll_event events[8];
	int count = wait_for_work(agent, events, 8);
	uint64_t now_ns;

	drain(agent);
	for (int i = 0; i < count; i++) {
		if (events[i].data.fd == agent->signal_fd)
			return false;
		if (events[i].data.fd == exchange_fd(agent->exchange))
			answer_scrape(agent);
	}
	now_ns = monotonic_ns();
	(void)control_server_run(agent->control,
				 now_ns); /* what fails with a client only ends that client */
	housekeep(agent, now_ns);
	if (agent->metrics)
		export_metrics(agent, now_ns);
	return true;
}

static void random_bytes(void *context, uint8_t *ret_bytes, size_t count)
{
	struct agent *agent = context;

	spans_random(agent->spans, ret_bytes, count);
}

static int start_tables(struct agent *agent)
{
	const struct agent_options *options = agent->options;
	struct engine_limits limits = { .connections = options->loader.connections,
					.routes_per_service = options->routes_per_service,
					.services = 1024 };
	struct engine_feedback feedback = { agent, intake_set_mode, intake_ask_progress,
					    figures_events_lost,
					    agent->spans ? random_bytes : NULL };

	agent->processes = process_table_new(options->loader.processes, intake_catch_up, agent);
	agent->store = series_store_new(options->series_limit);
	agent->statements = statement_table_new(options->statements_per_service,
						options->series_limit + STATEMENT_GROUPS_MAX);
	agent->slow = slow_table_new();
	if (!agent->store || !agent->statements || !agent->slow)
		return -ENOMEM;
	series_store_set_now(agent->store, monotonic_ns());
	series_end_round(agent->store);
	if (agent->metrics)
		series_store_set_sent(agent->store, monotonic_ns());
	agent->observer = observer_new(agent->store, agent->statements, agent->slow);
	if (!agent->processes || !agent->observer)
		return -ENOMEM;
	recording_feed_init(&agent->feed, &options->loader.settings, agent->processes);
	if (agent->spans) {
		spans_set_observer(agent->spans, observer_sink(agent->observer));
		observer_set_exemplars(agent->observer, spans_clock(agent->spans));
	}
	agent->engine =
		engine_new(&limits, agent->processes,
			   agent->spans ? spans_sink(agent->spans) : observer_sink(agent->observer),
			   &feedback);
	if (!agent->engine)
		return -ENOMEM;
	engine_set_dialects(agent->engine, options->dialects, options->dialect_count);
	engine_set_spans_of_instrumented(agent->engine, options->spans.of_instrumented);
	return agent->spans ? contexts_start(agent) : 0;
}

static void log_report(const struct check_report *report)
{
	for (size_t i = 0; i < report->signal_count; i++)
		if (!report->signals[i].hook && !report->signals[i].is_off)
			log_warn(
				"no hook for %s on this kernel; going without %s (`sonde check` tells why)",
				report->signals[i].signal, report->signals[i].loses);
}

static int start_kernel_side(struct agent *agent)
{
	const int *rings;
	size_t count;
	struct loader_options options = agent->options->loader;
	int error;

	options.settings.tells_threads = agent->spans != NULL;
	error = loader_start(&options, &agent->loader, &agent->report);
	if (error) {
		log_error("cannot start: %s", agent->report && agent->report->fatal[0] ?
						      agent->report->fatal :
						      strerror(-error));
		return error;
	}
	log_report(agent->report);
	rings = loader_rings(agent->loader, &count);
	error = ring_consumer_new(rings, count, intake_record, agent, &agent->consumer);
	if (error)
		log_error("cannot read the ring buffers: %s", strerror(-error));
	else if (agent->spans)
		ring_consumer_put_in_order(agent->consumer);
	return error;
}

static int start_control(struct agent *agent, struct control_table *table)
{
	int error = control_server_open(agent->options->socket_path, table, &agent->control);

	if (error == -EADDRINUSE)
		log_error(
			"another agent answers on %s; give this one its own --socket and --listen",
			agent->options->socket_path);
	else if (error)
		log_error("cannot listen on %s: %s", agent->options->socket_path, strerror(-error));
	return error ? error : add_to_loop(agent, control_server_fd(agent->control));
}

static int start_serving(struct agent *agent)
{
	int error;

	agent->exchange = exchange_new();
	if (!agent->exchange)
		return -errno;
	exchange_set_ready(agent->exchange, false, "starting");
	error = http_server_start(agent->options->listen, agent->exchange, &agent->http);
	if (error) {
		log_error("cannot serve on %s: %s", agent->options->listen, strerror(-error));
		return error;
	}
	return add_to_loop(agent, exchange_fd(agent->exchange));
}

static int record_started(void *context, struct control_stream *stream)
{
	struct agent *agent = context;

	return recording_feed_started(&agent->feed, stream);
}

static void record_finishing(void *context, struct control_stream *stream)
{
	struct agent *agent = context;

	drain(agent);
	recording_feed_finishing(&agent->feed, stream);
}

static void record_ended(void *context, struct control_stream *stream)
{
	struct agent *agent = context;

	recording_feed_ended(&agent->feed, stream);
}

/* Before anything else: a socket that cannot be opened is not what somebody without privileges should read. */
static int check_preconditions(void)
{
	char missing[REPORT_FATAL_MAX];

	feature_explain(0, missing, sizeof(missing));
	if (!missing[0])
		return 0;
	log_error("cannot start: %s", missing);
	return -ENOTSUP;
}

static int start(struct agent *agent, struct control_table *table)
{
	int error = check_preconditions();

	if (!error)
		error = open_loop(agent);
	/* The doors first: a second agent must find out before it attaches anything. */
	if (!error)
		error = start_control(agent, table);
	if (!error)
		error = start_serving(agent);
	if (!error)
		error = spans_start(&agent->options->spans, &agent->spans);
	if (!error)
		error = metric_export_start(&agent->options->metrics, &agent->metrics);
	if (!error)
		error = start_tables(agent);
	if (!error)
		error = start_kernel_side(agent);
	if (error)
		return error;
	agent->totals = totals_new(agent->loader, agent->store, agent->processes);
	agent->saturation = saturation_new(agent->loader, agent->store, agent->processes);
	if (!agent->totals || !agent->saturation)
		return -ENOMEM;
	error = add_to_loop(agent, ring_consumer_fd(agent->consumer));
	if (error)
		return error;
	come_first();
	intake_running_processes(agent);
	drain(agent);
	exchange_set_ready(agent->exchange, true, NULL);
	return 0;
}

/* Scrapers first, then the kernel side, then what they fed. */
static void stop(struct agent *agent)
{
	if (agent->http)
		http_server_stop(&agent->http);
	if (agent->control)
		control_server_close(&agent->control);
	if (agent->stats_fd >= 0)
		close(agent->stats_fd);
	totals_free(&agent->totals);
	saturation_free(&agent->saturation);
	ring_consumer_free(&agent->consumer);
	publishers_free(&agent->publishers);
	loader_stop(&agent->loader);
	engine_free(&agent->engine);
	spans_free(&agent->spans);
	metric_export_free(&agent->metrics);
	observer_free(&agent->observer);
	slow_table_free(&agent->slow);
	statement_table_free(&agent->statements);
	series_store_free(&agent->store);
	process_table_free(&agent->processes);
	exchange_free(&agent->exchange);
	selection_rules_free(&agent->selection.rules);
	free(agent->report);
	if (agent->epoll_fd >= 0)
		close(agent->epoll_fd);
	if (agent->signal_fd >= 0)
		close(agent->signal_fd);
}

int agent_run(const struct agent_options *options)
{
	static const struct control_stream_kind streams[] = {
		{ RECORDING_STREAM, record_started, record_finishing, record_ended },
	};
	struct agent agent = { .options = options,
			       .selection.rules = options->selection,
			       .epoll_fd = -1,
			       .signal_fd = -1,
			       .stats_fd = -1 };
	struct control_table table = { &agent, agent_topics, agent_topic_count, streams, 1 };
	int error;

	agent.started_realtime_ns = clock_ns(CLOCK_REALTIME);
	agent.stats_opened_ns = monotonic_ns();
	error = start(&agent, &table);
	if (!error) {
		log_info("metrics on http://%s/metrics, control socket %s",
			 http_server_address(agent.http), options->socket_path);
		while (run_once(&agent))
			;
		drain(&agent);
		if (agent.metrics)
			export_last_metrics(&agent);
		log_info("stopping");
	}
	stop(&agent);
	return error;
}
