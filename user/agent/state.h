/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of a running agent, shared by the files of this room only. */
#ifndef SONDE_AGENT_STATE_H
#define SONDE_AGENT_STATE_H

#include "agent/agent.h"
#include "agent/metric_export.h"
#include "agent/recording_feed.h"
#include "agent/saturation.h"
#include "agent/selection_rules.h"
#include "agent/spans.h"
#include "agent/totals.h"
#include "aggregate/observe.h"
#include "aggregate/series.h"
#include "aggregate/statement_table.h"
#include "base/clock.h"
#include "correlate/engine.h"
#include "ring/consumer.h"
#include "serve/control.h"
#include "serve/http_server.h"
#include "serve/snapshot_exchange.h"

/* For what is to be delivered yet: systemd waits 5 s for the agent to end (deploy/sonde.service.in). */
#define AGENT_FLUSH_NS (3ull * NS_PER_SECOND)

/* What became of the records that reached user space. */
struct intake {
	uint64_t consumed[EVENT_KIND_COUNT];
	uint64_t made[EVENT_KIND_COUNT]; /* written by user space itself; part of consumed */
	uint64_t lost[EVENT_KIND_COUNT][LOSS_REASON_COUNT];
};

/* For selection.c. */
struct selection {
	struct selection_rules *rules; /* owned */
	uint64_t reviewed_ns;
	uint64_t reviewed_all_ns;
};

struct agent {
	const struct agent_options *options; /* borrowed */
	struct loader *loader;		     /* owned, like all that follow */
	struct check_report *report;
	struct ring_consumer *consumer;
	struct process_table *processes;
	struct series_store *store;
	struct statement_table *statements;
	struct slow_table *slow;
	struct observer *observer;
	struct spans *spans;	       /* NULL: nobody wants any */
	struct publishers *publishers; /* NULL as well */
	struct metric_export *metrics; /* NULL: nobody wants to be sent them */
	struct engine *engine;
	struct totals *totals;
	struct saturation *saturation;
	struct exchange *exchange;
	struct http_server *http;
	struct control_server *control;
	struct recording_feed feed;
	struct intake intake;
	struct selection selection;
	int epoll_fd;
	int signal_fd;
	int stats_fd; /* -1: no window is open */
	uint64_t stats_opened_ns;
	uint64_t stats_total_ns; /* of the windows that are over */
	uint64_t started_realtime_ns;
	uint64_t housekept_ns;
	uint64_t contexts_reviewed_ns;
	uint64_t contexts_spoke; /* process_table_spoke then */
	uint64_t lost_events;	 /* that the log has spoken of */
	uint64_t warned_ns;
	uint64_t newest_event_ns; /* when a drain last brought something */
};

/* intake.c: one record from a ring, or made by user space. */
void intake_record(void *context, const void *bytes, size_t length);
void intake_made(struct agent *agent, const void *bytes, size_t length);
/* Take in a process that an event named but no process event did: process ring first, then /proc. */
void intake_catch_up(void *context, uint32_t tgid);
/* Take in every process that runs now. */
void intake_running_processes(struct agent *agent);
/* For struct engine_feedback. */
void intake_set_mode(void *context, uint64_t sock, uint64_t conn_id, enum conn_mode mode);
void intake_ask_progress(void *context, uint64_t sock, uint64_t conn_id);

/* figures.c: the agent's own metrics, before a snapshot. */
void figures_write(struct agent *agent);
/* Of each kind of event: what hooks wanted to send (but for what the limiter keeps back by design) and what became of
 * it. Returns 0 or negative errno. */
struct event_balance {
	uint64_t produced;
	uint64_t consumed;
	uint64_t lost;
};
int figures_events_read(const struct agent *agent,
			struct event_balance ret_balances[EVENT_KIND_COUNT]);
uint64_t figures_events_waiting(struct agent *agent); /* produced, neither consumed nor lost yet */
uint64_t figures_events_lost(void *agent);	      /* so far, of all kinds; 0: not known */
void figures_warn_of_losses(struct agent *agent,
			    uint64_t now_ns); /* a log line, at most one a minute */
void figures_window(struct agent *agent,
		    uint64_t now_ns); /* open and close the windows of BPF statistics */

/* contexts.c: whose threads' spans are read; where spans are wanted. */
int contexts_start(struct agent *agent);
void contexts_review(struct agent *agent, uint64_t now_ns);

/* services.c: requests, errors and latency of each service, for people. Returns 0 or -ENOMEM. */
int services_write(struct agent *agent, json_t **ret_array);

/* pools.c: connections to databases, in the series. */
void pools_write(struct agent *agent, uint64_t now_ns);

/* statements.c: those that took the most time first. Returns 0 or -ENOMEM. */
int statements_write(void *context, size_t limit, json_t **ret_array, size_t *ret_total);

/* slow.c: the slowest requests of each service. Returns 0 or -ENOMEM. */
int slow_write(void *context, size_t limit, json_t **ret_array, size_t *ret_total);

/* topics.c: what `sonde dump` can ask for. */
extern const struct control_topic agent_topics[];
extern const size_t agent_topic_count;

#endif
