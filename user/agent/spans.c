/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/spans.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "agent/resource.h"
#include "agent/state.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/wall_clock.h"
#include "deliver/ndjson_file.h"
#include "deliver/otlp_post.h"
#include "deliver/otlp_settings.h"

#define EXPORTERS_MAX 2
#define RANDOM_BYTES 4096

struct spans {
	struct observation_sink sink;
	const struct observation_sink *observer; /* borrowed */
	struct delivery *exporters[EXPORTERS_MAX];
	size_t exporter_count;
	struct resource_settings resource;
	struct span_resource resource_view; /* of the above */
	struct wall_clock clock;
	struct sampling_rules rules;
	struct sampler *sampler; /* owned */
	uint64_t produced;	 /* parts included */
	uint64_t parts[SPAN_PART_COUNT];
	size_t random_left;
	uint8_t random[RANDOM_BYTES];
};

static void put(struct spans *spans, const struct request *span)
{
	spans->produced++;
	for (size_t i = 0; i < spans->exporter_count; i++)
		delivery_put(spans->exporters[i], span);
}

/* A child of the request's span, kept as that is. */
static void put_part(struct spans *spans, const struct request *whole, struct request *part)
{
	struct span_identity identity = *whole->span;

	memcpy(identity.parent_span_id, identity.span_id, SPAN_ID_BYTES);
	spans_random(spans, identity.span_id, SPAN_ID_BYTES);
	identity.span_id[0] |= 1; /* no ID is zero */
	part->process = whole->process;
	part->span = &identity;
	part->tracestate = whole->tracestate;
	part->role = whole->role;
	spans->parts[part->part]++;
	put(spans, part);
}

static void put_parts(struct spans *spans, const struct request *whole)
{
	for (size_t i = 0; i < whole->lookup_count; i++) {
		struct request part = request_of_lookup(&whole->lookups[i]);

		put_part(spans, whole, &part);
	}
	if (whole->opening) {
		struct request part = { .start_ns = whole->opening->start_ns,
					.end_ns = whole->opening->end_ns,
					.tuple = whole->tuple,
					.part = whole->role == ROLE_SERVER ?
							SPAN_PART_ACCEPT_QUEUE :
							SPAN_PART_CONNECT };

		put_part(spans, whole, &part);
	}
	if (whole->received_ns) {
		struct request part = { .start_ns = whole->received_ns,
					.end_ns = whole->start_ns,
					.tuple = whole->tuple,
					.part = SPAN_PART_RECEIVE_QUEUE };

		put_part(spans, whole, &part);
	}
}

/* Deliveries make none: the kernel side never observes the agent (struct bpf_settings). */
static void on_request(void *context, const struct request *request)
{
	struct spans *spans = context;
	struct request decided = *request;
	struct span_identity span = { 0 };
	struct verdict verdict = { 0 };

	if (span_record_is_wanted(request)) {
		sampler_decide(spans->sampler, request, &span, &decided.tracestate);
		decided.span = &span;
	} else {
		decided.span = NULL;
	}
	decided.ret_verdict = &verdict;
	if (request->part == SPAN_PART_REQUEST)
		spans->observer->request(spans->observer->context, &decided);
	if (!span.is_sampled)
		return;
	put(spans, &decided);
	put_parts(spans, &decided);
}

static void on_message(void *context, const struct free_message *message)
{
	const struct observation_sink *next = ((struct spans *)context)->observer;

	next->message(next->context, message);
}

static void on_tunnel(void *context, const struct tunnel *tunnel)
{
	const struct observation_sink *next = ((struct spans *)context)->observer;

	next->tunnel(next->context, tunnel);
}

static void on_parse_outcome(void *context, const char *protocol_name, enum parse_outcome outcome)
{
	const struct observation_sink *next = ((struct spans *)context)->observer;

	next->parse_outcome(next->context, protocol_name, outcome);
}

static void on_tcp_connect(void *context, const struct event_tcp_connect *event,
			   const struct process *process)
{
	const struct observation_sink *next = ((struct spans *)context)->observer;

	next->tcp_connect(next->context, event, process);
}

static void on_tcp_accept(void *context, const struct event_tcp_accept *event,
			  const struct process *process)
{
	const struct observation_sink *next = ((struct spans *)context)->observer;

	next->tcp_accept(next->context, event, process);
}

static void on_tcp_stats(void *context, const struct conn_ref *conn, const struct tcp_stats *stats,
			 const struct process *process)
{
	const struct observation_sink *next = ((struct spans *)context)->observer;

	next->tcp_stats(next->context, conn, stats, process);
}

static void on_syscall_error(void *context, const struct event_syscall_error *event,
			     const struct process *process)
{
	const struct observation_sink *next = ((struct spans *)context)->observer;

	next->syscall_error(next->context, event, process);
}

/* One call of the system for so many IDs. */
void spans_random(struct spans *spans, uint8_t *ret_bytes, size_t count)
{
	while (spans->random_left < count) {
		ssize_t got = getrandom(spans->random, sizeof(spans->random), 0);

		/* A signal may cut it short (getrandom(2)); there is no other error. */
		spans->random_left = got > 0 ? (size_t)got : 0;
	}
	spans->random_left -= count;
	memcpy(ret_bytes, spans->random + spans->random_left, count);
}

/* Also takes the spool. */
static int start_exporter(struct spans *spans, const struct delivery_route *route, void *context,
			  struct spool *spool, size_t queue)
{
	int error = delivery_start(route, context, spool, queue,
				   &spans->exporters[spans->exporter_count]);

	if (error)
		log_error("cannot start the %s exporter: %s", route->name, strerror(-error));
	else
		spans->exporter_count++;
	return error;
}

/* Spans that wait in memory are better than none. */
static struct spool *open_spool(const struct span_options *options)
{
	struct spool *spool = NULL;
	int error;

	if (!options->spool_path)
		return NULL;
	error = spool_open(options->spool_path, options->spool_bytes, &spool);
	if (error) {
		log_error("cannot open the spool in %s: %s, spans wait in memory only",
			  options->spool_path,
			  error == -EBUSY ? "another agent uses it" : strerror(-error));
		return NULL;
	}
	log_info("spans go through the spool in %s, where %llu wait", options->spool_path,
		 (unsigned long long)spool_figures(spool)->waiting);
	return spool;
}

static int start_otlp(struct spans *spans, const struct span_options *options)
{
	char why[OTLP_SETTINGS_WHY_MAX];
	struct otlp_settings settings;
	struct otlp_post *post;
	int error = otlp_settings_read(OTLP_TRACES, options->otlp_endpoint,
				       options->otlp_headers_file, getenv, &settings, why);

	if (error) {
		log_error("%s", why);
	} else if (settings.url) {
		log_info("spans go to %s", settings.shown_url);
		error = otlp_post_new(&settings, &spans->resource_view, &spans->clock, &post);
		if (error)
			log_error("cannot post to %s: %s", settings.shown_url, strerror(-error));
		else
			error = start_exporter(spans, &otlp_post_route, post, open_spool(options),
					       options->queue);
	}
	otlp_settings_done(&settings);
	if (!error && !spans->exporter_count && options->spool_path)
		log_warn("spans are not posted: the spool in %s is not looked at",
			 options->spool_path);
	return error;
}

static int start_ndjson(struct spans *spans, const struct span_options *options)
{
	struct ndjson_file *file;
	int error;

	if (!options->ndjson_path)
		return 0;
	error = ndjson_file_new(options->ndjson_path, &spans->resource_view, &spans->clock, &file);
	if (error) {
		log_error("cannot write spans to %s: %s", options->ndjson_path, strerror(-error));
		return error;
	}
	return start_exporter(spans, &ndjson_file_route, file, NULL, options->queue);
}

/* What cannot be read is no reason to be without spans. */
static int start_sampler(struct spans *spans, const struct span_options *options)
{
	char why[SAMPLING_WHY_MAX];

	spans->rules = options->sampling;
	if (sampling_rules_read_environment(&spans->rules, getenv, why))
		log_warn("%s; going without it", why);
	spans->sampler = sampler_new(&spans->rules);
	return spans->sampler ? 0 : -ENOMEM;
}

int spans_start(const struct span_options *options, struct spans **ret_spans)
{
	struct spans *spans = calloc(1, sizeof(*spans));
	int error = spans ? resource_read(&spans->resource) : -ENOMEM;

	if (!error) {
		spans->resource_view =
			(struct span_resource){ spans->resource.attributes, spans->resource.count };
		spans->clock = wall_clock_anchor();
		spans->sink = (struct observation_sink){
			spans,	       on_request,	 on_message,
			on_tunnel,     on_parse_outcome, on_tcp_connect,
			on_tcp_accept, on_tcp_stats,	 on_syscall_error
		};
		error = start_sampler(spans, options);
	}
	if (!error)
		error = start_otlp(spans, options);
	if (!error)
		error = start_ndjson(spans, options);
	if (error || !spans->exporter_count)
		spans_free(&spans);
	*ret_spans = spans;
	return error;
}

void spans_free(struct spans **spans)
{
	struct spans *mine = *spans;
	uint64_t deadline_ns = monotonic_ns() + AGENT_FLUSH_NS;

	*spans = NULL;
	if (!mine)
		return;
	for (size_t i = 0; i < mine->exporter_count; i++)
		delivery_finish(mine->exporters[i], deadline_ns);
	for (size_t i = 0; i < mine->exporter_count; i++)
		delivery_free(&mine->exporters[i]);
	resource_settings_done(&mine->resource);
	sampler_free(&mine->sampler);
	free(mine);
}

void spans_set_observer(struct spans *spans, const struct observation_sink *observer)
{
	spans->observer = observer;
}

const struct observation_sink *spans_sink(const struct spans *spans)
{
	return &spans->sink;
}

const struct wall_clock *spans_clock(const struct spans *spans)
{
	return &spans->clock;
}

uint64_t spans_produced(const struct spans *spans)
{
	return spans->produced;
}

uint64_t spans_parts(const struct spans *spans, enum span_part part)
{
	return spans->parts[part];
}

void spans_read_sampling(const struct spans *spans, struct sampler_figures *ret_figures)
{
	sampler_read(spans->sampler, ret_figures);
}

bool spans_read(struct spans *spans, size_t number, struct delivery_stats *ret_stats)
{
	if (number >= spans->exporter_count)
		return false;
	delivery_read(spans->exporters[number], ret_stats);
	return true;
}
