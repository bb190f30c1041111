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

/* A request that is over. Everything is borrowed for the length of the callback. */
struct request {
	uint64_t start_ns; /* server: its first byte was read; client: its first byte was written */
	uint64_t end_ns;   /* server: last byte of the answer written; client: read */
	const struct protocol *protocol; /* NULL: a part of a request */
	const struct process *process;
	const struct conn_tuple *tuple;
	const struct span_identity *span;   /* NULL: nobody wants spans, or it is no span */
	const struct span_link *span_links; /* those that it may be a child of, or else belongs to */
	size_t span_link_count;		    /* at most SPAN_LINKS_MAX */
	uint64_t span_start_ns; /* 0: as the request; else with these, which came before it: */
	const struct span_opening *opening; /* of its connection; NULL: none to tell of */
	const struct span_lookup *lookups;  /* of its server */
	size_t lookup_count;		    /* at most SPAN_LOOKUPS_MAX */
	uint32_t span_links_dropped;	    /* beyond these */
	const char *tracestate;		    /* W3C, as it came; NULL: none */
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
	bool is_inner;	    /* spoken inside another request, which is told too */
	bool is_unanswered; /* a client's, over */
	bool is_untimed;    /* it has no duration: only its messages count */
	bool is_processing; /* what a client did with a message that it received */
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
