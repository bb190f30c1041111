/* SPDX-License-Identifier: Apache-2.0 */
/* What the user side costs, room by room: `room_cost [-s SECONDS] [-n EVENTS] RECORDING` prints "NAME NANOSECONDS COUNT" for each,
 * nanoseconds for one event, observation or series; COUNT says how many of them one pass has.
 * `feed` has a sink that only counts; `feed-spans` is the same with spans wanted; `feed-series` has the real sink. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "aggregate/observe.h"
#include "aggregate/series.h"
#include "base/cleanup.h"
#include "correlate/engine.h"
#include "decode/event.h"
#include "export/otlp_metrics.h"
#include "export/prometheus.h"
#include "ring/replay.h"

#define SERIES 2000
#define OBSERVED_SERIES 16 /* a busy service: a few routes, methods and statuses */
#define OBSERVATIONS 100000

struct stored_event {
	void *bytes; /* owned; malloc aligns it as event_decode wants it */
	size_t length;
};

struct bench {
	struct stored_event *events; /* owned */
	size_t count;
	size_t room;
	size_t events_max; /* 0: all */
	uint64_t requests; /* of the pass under way */
	uint64_t wanted_ns;
};

/* One pass; returns how many things it did, or negative errno. */
typedef long (*pass_fn)(struct bench *bench, void *context);

static int store_event(void *context, const void *bytes, size_t length)
{
	struct bench *bench = context;
	struct stored_event event = { malloc(length), length };

	if (bench->count == bench->room) {
		size_t room = bench->room ? 2 * bench->room : 1024;
		struct stored_event *events = realloc(bench->events, room * sizeof(*events));

		if (!events)
			return -ENOMEM;
		bench->events = events;
		bench->room = room;
	}
	if (!event.bytes)
		return -ENOMEM;
	memcpy(event.bytes, bytes, length);
	bench->events[bench->count++] = event;
	return bench->count == bench->events_max ? 1 : 0;
}

static int load(struct bench *bench, const char *path)
{
	_cleanup_fclose_ FILE *file = fopen(path, "re");
	struct replay_result result;
	int status = file ? replay_stream(file, store_event, bench, &result) : -errno;

	return status > 0 ? 0 : status;
}

/* Of this process: waiting for a processor that others use is no cost. */
static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static int by_number(const void *left, const void *right)
{
	double a = *(const double *)left, b = *(const double *)right;

	return (a > b) - (a < b);
}

/* Passes until the time is up, at least three; the median counts. */
static int measure(struct bench *bench, const char *name, pass_fn pass, void *context)
{
	double each_ns[1000];
	uint64_t began_ns = now_ns();
	size_t passes = 0;
	long count = 0;

	while (passes < 3 || (passes < 1000 && now_ns() - began_ns < bench->wanted_ns)) {
		uint64_t pass_ns = now_ns();

		count = pass(bench, context);
		if (count <= 0)
			return count ? (int)count : -ENODATA;
		each_ns[passes++] = (double)(now_ns() - pass_ns) / (double)count;
	}
	qsort(each_ns, passes, sizeof(each_ns[0]), by_number);
	printf("%s %.1f %ld\n", name, each_ns[passes / 2], count);
	return 0;
}

static long pass_decode(struct bench *bench, void *context)
{
	uint64_t *sum = context;

	for (size_t i = 0; i < bench->count; i++) {
		struct event event;

		if (!event_decode(bench->events[i].bytes, bench->events[i].length, &event))
			*sum += event.payload_bytes;
	}
	return (long)bench->count;
}

static void count_request(void *context, const struct request *request)
{
	struct bench *bench = context;

	(void)request;
	bench->requests++;
}

static void ignore_parse_outcome(void *context, const char *name, enum parse_outcome outcome)
{
	(void)context, (void)name, (void)outcome;
}

static void ignore_connect(void *context, const struct event_tcp_connect *event,
			   const struct process *process)
{
	(void)context, (void)event, (void)process;
}

static void ignore_accept(void *context, const struct event_tcp_accept *event,
			  const struct process *process)
{
	(void)context, (void)event, (void)process;
}

static void ignore_stats(void *context, const struct conn_ref *conn, const struct tcp_stats *stats,
			 const struct process *process)
{
	(void)context, (void)conn, (void)stats, (void)process;
}

static void ignore_message(void *context, const struct free_message *message)
{
	(void)context, (void)message;
}

static void ignore_tunnel(void *context, const struct tunnel *tunnel)
{
	(void)context, (void)tunnel;
}

static void ignore_error(void *context, const struct event_syscall_error *event,
			 const struct process *process)
{
	(void)context, (void)event, (void)process;
}

/* Numbers in a row: what the system's random source costs is the agent's affair. */
static void fill_random(void *context, uint8_t *ret_bytes, size_t count)
{
	static uint64_t number;

	(void)context;
	number++;
	memset(ret_bytes, 0, count);
	memcpy(ret_bytes, &number, sizeof(number));
}

static long feed_all(struct bench *bench, const struct observation_sink *sink,
		     const struct engine_feedback *feedback)
{
	static const struct engine_limits limits = { .connections = 16384,
						     .routes_per_service = 200,
						     .services = 1024 };
	struct process_table *processes = process_table_new(8192, NULL, NULL);
	struct engine *engine = processes ? engine_new(&limits, processes, sink, feedback) : NULL;
	long fed = engine ? 0 : -ENOMEM;

	for (size_t i = 0; i < bench->count && fed >= 0; i++) {
		struct event event;

		if (event_decode(bench->events[i].bytes, bench->events[i].length, &event))
			continue;
		fed = engine_feed(engine, &event) ? -ENOMEM : fed + 1;
	}
	engine_free(&engine);
	process_table_free(&processes);
	return fed;
}

static long pass_feed(struct bench *bench, void *context)
{
	struct observation_sink sink = { .context = bench,
					 .request = count_request,
					 .message = ignore_message,
					 .tunnel = ignore_tunnel,
					 .parse_outcome = ignore_parse_outcome,
					 .tcp_connect = ignore_connect,
					 .tcp_accept = ignore_accept,
					 .tcp_stats = ignore_stats,
					 .syscall_error = ignore_error };

	bench->requests = 0;
	return feed_all(bench, &sink, context);
}

static long pass_feed_series(struct bench *bench, void *context)
{
	static const struct engine_feedback nobody = { 0 };
	struct series_store *store = series_store_new(SERIES);
	struct observer *observer = store ? observer_new(store, NULL, NULL) : NULL;
	long fed = observer ? feed_all(bench, observer_sink(observer), &nobody) : -ENOMEM;

	(void)context;
	observer_free(&observer);
	series_store_free(&store);
	return fed;
}

static int observe(struct series_store *store, unsigned number, uint64_t value_ns)
{
	char route[32];
	label_values labels = { "shop", "GET", "200", route, "10.0.0.1", "8080" };

	snprintf(route, sizeof(route), "/items/%u", number);
	return series_observe(store, METRIC_HTTP_SERVER_REQUEST_DURATION, labels, 0, value_ns);
}

/* Labels are made before the clock runs: this is the store's cost, not snprintf's. */
static long pass_observe(struct bench *bench, void *context)
{
	static char routes[OBSERVED_SERIES][32];
	struct series_store *store = context;

	(void)bench;
	for (unsigned i = 0; i < OBSERVED_SERIES; i++)
		snprintf(routes[i], sizeof(routes[i]), "/items/%u", i);
	for (unsigned i = 0; i < OBSERVATIONS; i++) {
		label_values labels = { "shop",	    "GET", "200", routes[i % OBSERVED_SERIES],
					"10.0.0.1", "8080" };

		if (series_observe(store, METRIC_HTTP_SERVER_REQUEST_DURATION, labels, 0,
				   1000 + 977 * (i % 4096)))
			return -ENOMEM;
	}
	return OBSERVATIONS;
}

static long pass_snapshot(struct bench *bench, void *context)
{
	struct snapshot *snapshot = series_snapshot(context);

	(void)bench;
	if (!snapshot)
		return -ENOMEM;
	snapshot_unref(&snapshot);
	return SERIES;
}

static long pass_render(struct bench *bench, void *context)
{
	struct text_buffer buffer = { 0 };
	int error = prometheus_render_text(context, &buffer);

	(void)bench;
	text_buffer_done(&buffer);
	return error ? error : SERIES;
}

/* As it is posted to a receiver, which would compress it, too. */
static long write_otlp(const struct snapshot *snapshot, bool is_exponential)
{
	static const struct span_resource nothing = { 0 };
	struct wall_clock clock = wall_clock_anchor();
	struct otlp_metrics *metrics = otlp_metrics_new(&(struct otlp_metrics_manner){
		.resource = &nothing, .clock = &clock, .is_exponential = is_exponential });
	long points = 0;
	int got = metrics ? 1 : -ENOMEM;

	if (metrics)
		otlp_metrics_begin(metrics, snapshot, NULL);
	while (got > 0) {
		struct text_buffer body = { 0 };

		got = otlp_metrics_next(metrics, &body);
		points += got;
		text_buffer_done(&body);
	}
	otlp_metrics_free(&metrics);
	return got < 0 ? got : points;
}

static long pass_otlp(struct bench *bench, void *context)
{
	(void)bench;
	return write_otlp(context, false);
}

static long pass_otlp_exponential(struct bench *bench, void *context)
{
	(void)bench;
	return write_otlp(context, true);
}

static int measure_series(struct bench *bench)
{
	struct series_store *store = series_store_new(SERIES);
	struct snapshot *snapshot = NULL;
	int error = store ? 0 : -ENOMEM;

	if (!error)
		error = measure(bench, "observe", pass_observe, store);
	for (unsigned i = 0; i < SERIES && !error; i++)
		for (unsigned j = 0; j < 8 && !error; j++)
			error = observe(store, i, 50000u << j);
	if (!error)
		error = measure(bench, "snapshot", pass_snapshot, store);
	if (!error)
		snapshot = series_snapshot(store);
	if (snapshot)
		error = measure(bench, "render", pass_render, snapshot);
	if (snapshot && !error)
		error = measure(bench, "otlp", pass_otlp, snapshot);
	if (snapshot && !error)
		error = measure(bench, "otlp-exponential", pass_otlp_exponential, snapshot);
	snapshot_unref(&snapshot);
	series_store_free(&store);
	return error;
}

static int measure_all(struct bench *bench, const char *path)
{
	struct engine_feedback without = { 0 }, with = { .random = fill_random };
	uint64_t sum = 0;
	int error = load(bench, path);

	if (!error)
		error = measure(bench, "decode", pass_decode, &sum);
	if (!error)
		error = measure(bench, "feed", pass_feed, &without);
	if (!error)
		error = measure(bench, "feed-spans", pass_feed, &with);
	if (!error)
		error = measure(bench, "feed-series", pass_feed_series, NULL);
	if (!error)
		error = measure_series(bench);
	printf("requests 0 %" PRIu64 "\n", bench->requests);
	return error;
}

int main(int argc, char **argv)
{
	struct bench bench = { .wanted_ns = 300000000 };
	int option, error;

	while ((option = getopt(argc, argv, "s:n:")) != -1) {
		if (option == 's')
			bench.wanted_ns = (uint64_t)(atof(optarg) * 1e9);
		else if (option == 'n')
			bench.events_max = (size_t)strtoul(optarg, NULL, 10);
		else
			return 2;
	}
	error = optind + 1 == argc ? measure_all(&bench, argv[optind]) : -EINVAL;
	if (error)
		fprintf(stderr, "room_cost: %s\n", strerror(-error));
	for (size_t i = 0; i < bench.count; i++)
		free(bench.events[i].bytes);
	free(bench.events);
	return error ? 1 : 0;
}
