/* SPDX-License-Identifier: Apache-2.0 */
/* What correlate hands on: finished requests and facts about connections. */
#ifndef SONDE_CORRELATE_OBSERVATION_H
#define SONDE_CORRELATE_OBSERVATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "correlate/process.h"
#include "correlate/span.h"
#include "event_abi.h"
#include "protocol/facts.h"

struct protocol;
struct trace_probability;

/* Where the time of a request went: what its thread did from the first byte to the last, which adds up to the duration; and, from
 * TIME_PARTS_WITHIN on, what it waited for before its first byte was read. X(ID, name, meaning) */
#define TIME_PARTS(X)                                                                     \
	X(ON_CPU, "on_cpu", "on a CPU")                                                   \
	X(RUN_QUEUE, "run_queue", "it could run, but had no CPU")                         \
	X(THROTTLED, "throttled", "the same, its cgroup having used up its quota")        \
	X(NETWORK, "network", "it waited for the answer to a call of its own")            \
	X(SEND, "send", "what it sent did not fit: the peer did not read, or too slowly") \
	X(LOCK, "lock", "it waited for a futex, or another lock")                         \
	X(DISK, "disk", "it waited for a disk")                                           \
	X(SLEEP, "sleep", "it had asked to sleep")                                        \
	X(MEMORY, "memory", "it waited for memory to be reclaimed")                       \
	X(BLOCKED, "blocked", "it waited for something else")                             \
	X(UNACCOUNTED, "unaccounted", "not known: several threads, or figures got lost")  \
	X(RECEIVE_QUEUE, "receive_queue", "in the socket until it was read")              \
	X(ACCEPT_QUEUE, "accept_queue", "the connection was there, until accept")

enum time_part {
#define X(ID, name, meaning) TIME_##ID,
	TIME_PARTS(X)
#undef X
		TIME_PART_COUNT,
	TIME_PARTS_WITHIN = TIME_RECEIVE_QUEUE,
};

/* "on_cpu", "run_queue" … */
const char *time_part_name(enum time_part part);

/* What the thread of a request, or the one that made a call, did meanwhile. */
struct request_usage {
	uint64_t part_ns[TIME_PART_COUNT];
	uint32_t voluntary_switches;
	uint32_t involuntary_switches;
	uint32_t minor_faults;
	uint32_t major_faults;
};

/* The connection's part in a request. */
struct request_tcp {
	uint64_t rtt_ns;	  /* smoothed, as the request ended; 0: never measured */
	uint64_t rwnd_limited_ns; /* bytes could not be sent: the peer's window was full; good to a tick */
	uint64_t sndbuf_limited_ns; /* the same: our send buffer was */
	uint32_t retransmits;	    /* segments that this end sent again until then */
};

/* System calls of its thread that failed meanwhile, but for those that only said "not now". */
struct request_errors {
	const char *call; /* of the newest; static, like the next. NULL: none */
	const char *name;
	uint32_t count;
};

/* Why a request was slow. */
struct verdict {
	const char *cause; /* static; NULL: nothing has half of its time, or nobody knows what */
	double share;	   /* of its time, that went by for this cause */
	bool is_slow;
	bool is_unaccounted; /* where half of it went is not known */
};

/* A request that is over. Everything is borrowed for the length of the callback. */
struct request {
	uint64_t start_ns; /* server: its first byte was read; client: its first byte was written */
	uint64_t end_ns; /* server: last byte of the answer written, or read by the other end before that; client: read */
	const struct protocol *protocol; /* NULL: a part of a request, or a connect that failed */
	const struct process *process;
	const struct conn_tuple *tuple;
	const struct span_identity *span;   /* NULL: nobody wants spans, or it is no span */
	const struct span_link *span_links; /* those that it may be a child of, or else belongs to */
	size_t span_link_count;		    /* at most SPAN_LINKS_MAX */
	uint64_t span_start_ns; /* 0: as the request; else with these, which came before it, or as the other end read it: */
	const struct span_opening *opening; /* of its connection; NULL: none to tell of */
	const struct span_lookup *lookups;  /* of its server */
	size_t lookup_count;		    /* at most SPAN_LOOKUPS_MAX */
	uint64_t received_ns; /* a server's: it had come by then, long before it was read; 0: not told */
	uint32_t span_links_dropped; /* beyond these */
	const char *tracestate;	     /* W3C, as it came; NULL: none */
	const struct trace_probability
		*upstream; /* of the spans of whoever named the trace; NULL: it is ours */
	const char *
		socket_path; /* of the Unix-domain socket that serves, "" when it has none; NULL: TCP */
	uint64_t request_body_bytes;
	uint64_t response_body_bytes;
	uint64_t statement;   /* which one it is, literals apart; 0: not known, or no such thing */
	uint64_t value_bytes; /* of the longest value sent or got, when has_value */
	uint64_t rows;	      /* as rows_kind says */
	bool has_value;
	uint8_t rows_kind; /* enum rows_kind */
	uint8_t part;	/* enum span_part; all but the request itself are spans and nothing else */
	uint32_t reads; /* keys that a database looked up */
	uint32_t read_hits;	    /* of those, found */
	uint32_t retries;	    /* times that it was sent again before the answer */
	uint32_t messages_sent;	    /* to a broker */
	uint32_t messages_consumed; /* from a broker */
	const char *
		attributes[ATTRIBUTE_COUNT]; /* NULL: not known or does not apply; static text, but for
						    HTTP_ROUTE, what comes from a bounded table and what lies in `text` */
	const char *text;		     /* FACTS_TEXT_MAX bytes of this request, or NULL */
	enum conn_role role;		     /* client or server, never unknown */
	uint64_t took_ns;		     /* what the server says it took, when has_took */
	uint32_t items_succeeded;	     /* of a request that carries several */
	uint32_t items_failed;
	bool has_took;
	bool has_usage;
	bool has_tcp;
	struct request_usage usage;
	struct request_tcp tcp;
	struct request_errors errors;
	struct verdict
		*ret_verdict; /* where the observer says whether it was slow; NULL: nobody asks */
	bool is_inner;	      /* spoken inside another request, which is told too */
	bool is_unanswered;   /* a client's, over */
	bool is_untimed;      /* it has no duration: only its messages count */
	bool is_processing;   /* what a client did with a message that it received */
	bool is_partial; /* began before sonde did, or a piece of it was lost: counted, its duration is not */
};

/* The span of a lookup, which is that and nothing else: the process and whose span it is are for the caller to say. */
static inline struct request request_of_lookup(const struct span_lookup *lookup)
{
	struct request request = { .start_ns = lookup->start_ns,
				   .end_ns = lookup->end_ns,
				   .tuple = &lookup->tuple,
				   .role = ROLE_CLIENT,
				   .part = SPAN_PART_LOOKUP };

	request.attributes[ATTRIBUTE_DNS_QUESTION_NAME] = lookup->name;
	request.attributes[ATTRIBUTE_DNS_QUESTION_TYPE] = lookup->type;
	request.attributes[ATTRIBUTE_NETWORK_TRANSPORT] = "udp";
	return request;
}

/* A message of a protocol that has no requests. Borrowed as a request is. */
struct free_message {
	const struct protocol *protocol;
	const struct process *process;
	const char *type; /* static */
	uint64_t bytes;	  /* of its payload */
	enum conn_role role;
	enum turn_dir dir;
};

/* What a connection carries after an Upgrade or CONNECT, whatever it is. */
struct tunnel {
	const struct process *process;
	const char *name;	/* "connect", "other", or the protocol that followed; static */
	const char *close_code; /* that protocol's reason for the end; static */
	uint64_t duration_ns;
	uint64_t bytes[DIR_COUNT]; /* moved since the last time this tunnel was told of */
	enum conn_role role;
	bool is_over; /* else only bytes are told */
};

/* Where finished things go; every member is set. Called on the owner thread. */
struct observation_sink {
	void *context;
	void (*request)(void *context, const struct request *request);
	void (*message)(void *context, const struct free_message *message);
	void (*tunnel)(void *context, const struct tunnel *tunnel);
	void (*parse_outcome)(void *context, const char *protocol_name, enum parse_outcome outcome);
	void (*tcp_connect)(void *context, const struct event_tcp_connect *event,
			    const struct process *process);
	void (*tcp_accept)(void *context, const struct event_tcp_accept *event,
			   const struct process *process);
	void (*tcp_stats)(void *context, const struct conn_ref *conn, const struct tcp_stats *stats,
			  const struct process *process); /* from TCP_SAMPLE and TCP_CLOSE */
	void (*syscall_error)(void *context, const struct event_syscall_error *event,
			      const struct process *process);
};

#endif
