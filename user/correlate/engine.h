/* SPDX-License-Identifier: Apache-2.0 */
/* Events in, observations out: connections, turns, messages, requests. Pure: no clock, no files, no BPF;
 * time is what the events and engine_tick say. One thread owns an engine. */
#ifndef SONDE_CORRELATE_ENGINE_H
#define SONDE_CORRELATE_ENGINE_H

#include <stddef.h>
#include <stdint.h>

#include "config_abi.h"
#include "correlate/observation.h"
#include "correlate/process.h"
#include "decode/event.h"

struct engine;

/* What the engine asks of the kernel side. Members may be NULL (replay: nobody answers). */
struct engine_feedback {
	void *context;
	/* Change what the kernel ships of a connection. */
	void (*set_mode)(void *context, uint64_t sock, uint64_t conn_id, enum conn_mode mode);
	/* Report the newest turn of a connection as a TURN_PROGRESS event, through the same door as all
	 * events (it may call engine_feed before it returns). Nothing happens when the connection is gone. */
	void (*ask_progress)(void *context, uint64_t sock, uint64_t conn_id);
	/* Events lost on the way so far. Asked once a second. */
	uint64_t (*events_lost)(void *context);
	/* Fill with random bytes. NULL: nobody wants spans. */
	void (*random)(void *context, uint8_t *ret_bytes, size_t count);
};

struct engine_limits {
	size_t connections; /* tracked at once; the least recently used is given up when full (counted) */
	size_t routes_per_service; /* after that http_route is "other" (counted); db_collection_name, paths of
				      sockets and dns_question_name the same */
	size_t services;	   /* with a route table of their own */
};

struct engine *engine_new(const struct engine_limits *limits, struct process_table *processes,
			  const struct observation_sink *sink,
			  const struct engine_feedback *feedback);
void engine_free(struct engine **engine);

/* A service whose HTTP bodies are read in a dialect. */
struct dialect_rule {
	const char *service_glob; /* borrowed; fnmatch(3) */
	uint8_t dialect;	  /* enum http_dialect */
};

/* From now on. The rules are borrowed, and live longer than the engine. */
void engine_set_dialects(struct engine *engine, const struct dialect_rule *rules, size_t count);

/* From now on; INSTRUMENTED_KERNEL_ONLY until then. */
void engine_set_spans_of_instrumented(struct engine *engine, enum spans_of_instrumented which);

/* Take in one decoded event of any kind. Returns 0 or -ENOMEM (the event had no effect, counted). */
int engine_feed(struct engine *engine, const struct event *event);

/* Let time pass: ask after answers that may be complete, give up what is too old.
 * now_ns  CLOCK_MONOTONIC; in replay the time of the newest event. Call at least every 100 ms. */
void engine_tick(struct engine *engine, uint64_t now_ns);

/* How spans found their traces. */
struct join_figures {
	uint64_t spans[SPAN_JOIN_COUNT];
	/* Not among those: a new trace, for a call with several requests that it may be made for. */
	uint64_t ambiguous;
	/* Of those: an application named their trace after a span of it was told. */
	uint64_t late;
	uint64_t ignored[TRACE_FORMAT_COUNT]; /* values that were malformed, or cut */
	size_t threads;
	size_t threads_limit;
	size_t request_ids;
	size_t request_ids_limit;
	uint64_t request_ids_refused;
	size_t handed; /* calls that wait for the answer that their thread gives next */
	size_t handed_limit;
	uint64_t handed_evicted;
	size_t loop; /* calls of event loops that wait until it is known whose they are */
	size_t loop_limit;
	uint64_t loop_evicted;
	size_t habits; /* routes, and how many calls their answers take */
	size_t habits_limit;
	uint64_t habits_evicted;
	uint64_t left_out;	/* requests of instrumented services, which are no spans */
	uint64_t links_dropped; /* of spans, beyond SPAN_LINKS_MAX */
	uint64_t contexts_shared; /* published ones of writes that hold more than one request, or answer */
	uint64_t contexts_evicted;   /* whose writes had not come yet */
	uint64_t goroutines_evicted; /* told, whose reads and writes had not come yet */
	size_t openings;	     /* of connections whose first request has not come */
	size_t openings_limit;
	uint64_t openings_evicted;
	size_t lookups; /* finished, kept until what they were made for is known */
	size_t lookups_limit;
	uint64_t lookups_evicted;
	size_t unasked; /* served, kept until their client is seen to ask */
	size_t unasked_limit;
	uint64_t unasked_evicted;
	size_t connects; /* failed, kept until the request is over that they may have been made for */
	size_t connects_limit;
	uint64_t connects_evicted;
	uint64_t threads_refused; /* requests of threads, or processes, that found no room */
};

/* Figures for the agent's own metrics. */
struct engine_stats {
	size_t connections;
	uint64_t connections_evicted;
	size_t requests; /* in flight */
	size_t requests_max;
	uint64_t routes_refused;
	uint64_t collections_refused;
	uint64_t socket_paths_refused;
	size_t pools;
	size_t pools_limit;
	uint64_t pools_refused; /* connections that are in none, all having been taken */
	size_t lookups;		/* DNS, under way */
	size_t lookups_max;
	uint64_t lookups_evicted;
	uint64_t names_refused;
	struct join_figures join;
	uint64_t accepted_evicted; /* connections that waited for accept, and whose request came late */
	uint64_t turns_missed;	   /* gaps in turn numbers: events lost inside a connection */
};
void engine_stats_read(const struct engine *engine, struct engine_stats *ret_stats);

/* Connections of a service to a database that had a request. */
struct engine_pool_view {
	const char *service;
	const char *system;	 /* static: db_system_name */
	const char *socket_path; /* AF_UNIX; "": none, or not known */
	const uint8_t *addr;	 /* 16 bytes, of the server */
	uint16_t port;
	uint16_t family;
	uint32_t open;
	uint32_t used; /* of them, with a request under way */
	uint32_t peak; /* the most used at once in the last one to two minutes */
	bool is_gone;  /* it is forgotten with this visit */
};
void engine_each_pool(struct engine *engine, uint64_t now_ns,
		      void (*visit)(void *context, const struct engine_pool_view *), void *context);

/* For `sonde dump conns`: newest first; non-zero from visit stops. */
struct engine_conn_view {
	const struct conn_ref *conn;
	const struct process *process;
	const char *socket_path; /* AF_UNIX; "": none, or not known */
	const char *protocol;	 /* "unknown" while undecided, "none" after the verdict */
	uint64_t last_ns;
	uint64_t requests;
};
void engine_each_connection(struct engine *engine,
			    int (*visit)(void *context, const struct engine_conn_view *),
			    void *context);

#endif
