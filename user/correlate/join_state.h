/* SPDX-License-Identifier: Apache-2.0 */
/* What join*.c share. For them only. */
#ifndef SONDE_CORRELATE_JOIN_STATE_H
#define SONDE_CORRELATE_JOIN_STATE_H

#include "correlate/join.h"

/* A trace that spans of ours are in. */
struct trace {
	struct trace *next_spare;
	uint32_t references;
	uint8_t id[TRACE_ID_BYTES];
	uint8_t flags;
	bool is_ours;	 /* made up: the application's, once seen, takes its place … */
	bool is_told;	 /* … unless a span of it was told before */
	bool is_adopted; /* that has happened */
};

/* A server's request, from its first byte until its answer is over. */
struct handling {
	struct handling *older; /* on the same thread; next_spare when it is one */
	struct handling *newer;
	struct join_thread *thread;   /* borrowed; NULL: it is over, or nobody makes calls for it */
	struct join_process *process; /* borrowed; NULL: its answer has begun */
	struct trace *trace;	      /* counted; NULL: none yet */
	uint32_t references;
	uint8_t span_id[SPAN_ID_BYTES];
	struct span_link late; /* the trace that a call named after a span of this one was told */
	bool has_late;
	bool is_answering;
	bool had_risky_call; /* made while its process had other requests to answer */
};

struct join_thread {
	struct table_node node;
	struct handling *newest; /* of those open that it read, borrowed */
	struct handling
		*current; /* whose data, or whose calls' data, it read last; NULL: anybody's */
	uint32_t tid;
	uint32_t tgid;
	bool is_loop; /* it read a request while another one waited for its answer */
};

struct join_process {
	struct table_node node;
	uint32_t tgid;
	uint32_t waiting; /* requests whose answer has not begun */
	uint32_t proven;  /* answered by the thread that read them, after a risky call */
	bool is_mixed;	  /* one was answered by another thread */
};

struct candidates {
	size_t count;
	struct handling *handlings[SPAN_LINKS_MAX]; /* counted */
};

/* What a thread had published as it wrote; the event of the write comes next on that connection. */
struct published {
	uint64_t conn_id; /* 0: none */
	uint64_t ktime_ns;
	uint32_t tid;
	bool is_used; /* its write has come */
	struct trace_context context;
};
#define PUBLISHED_SLOTS 256 /* by conn_id; power of two */

struct join {
	struct table threads;		  /* owns its nodes */
	struct table processes;		  /* the same */
	struct handling *spare_handlings; /* owned */
	struct trace *spare_traces;	  /* owned */
	size_t spare_handling_count;
	size_t spare_trace_count;
	struct published published[PUBLISHED_SLOTS];
	const struct trace_context *context; /* of the write in hand, borrowed; NULL: none */
	struct exchange *asked;		     /* the newest request that it began; NULL: none */
	unsigned asked_count;
	struct table peers; /* connections by addresses, borrowed until they leave */
	struct join_figures figures;
};

/* Of its thread: none any more. */
void join_thread_leave(struct handling *handling);

/* Begin one on the thread; it may stay alone when tables are full. */
void join_thread_enter(struct join *join, struct handling *handling, uint32_t tid, uint32_t tgid);

/* The answer to it has begun, by a call of that thread; 0: it will have none. */
void join_thread_answer(struct handling *handling, uint32_t tid);

struct join_thread *join_thread_find(const struct join *join, uint32_t tid);

/* The request that a call which the thread makes now is for; NULL: none, or one of ret_candidates. */
struct handling *join_thread_cause(struct join *join, uint32_t tid,
				   struct candidates *ret_candidates);

/* The exchange of the other end, of which this one, just begun, is sure to be the counterpart; else NULL. */
struct exchange *join_peer_exchange(struct engine *engine, struct connection *connection,
				    struct exchange *exchange);
void join_peer_leave(struct join *join, struct connection *connection);
int join_peers_init(struct join *join, size_t connections);
void join_peers_done(struct join *join);

int join_threads_init(struct join *join);
void join_threads_done(struct join *join);

struct handling *handling_ref(struct handling *handling);

/* One reference, or NULL: out of memory. */
struct trace *trace_new(struct join *join);
void trace_unref(struct join *join, struct trace **slot);

/* The trace of a request, made up when nobody named it yet. NULL: out of memory. */
struct trace *trace_of(struct engine *engine, struct handling *handling);

/* The application's trace takes the place of one that we made up. */
void join_adopt(struct engine *engine, struct handling *cause, const struct trace_context *wire);
void join_drop_candidates(struct join *join, struct exchange_span *span);

/* The write in hand begins this request, or this answer. */
void join_context_note(struct join *join, struct exchange *exchange);
void join_context_answer(struct engine *engine, const struct connection *connection,
			 struct exchange *exchange);

#endif
