/* SPDX-License-Identifier: Apache-2.0 */
/* What correlate hands on: finished requests and facts about connections. */
#ifndef SONDE_CORRELATE_OBSERVATION_H
#define SONDE_CORRELATE_OBSERVATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "correlate/process.h"
#include "event_abi.h"
#include "protocol/facts.h"

struct protocol;

/* A request that is over. Everything is borrowed for the length of the callback. */
struct request {
	uint64_t start_ns; /* server: its first byte was read; client: its first byte was written */
	uint64_t end_ns;   /* server: last byte of the answer written; client: read */
	const struct protocol *protocol;
	const struct process *process;
	const struct conn_tuple *tuple;
	const char *
		socket_path; /* of the Unix-domain socket that serves, "" when it has none; NULL: TCP */
	uint64_t request_body_bytes;
	uint64_t response_body_bytes;
	uint32_t reads;		    /* keys that a database looked up */
	uint32_t read_hits;	    /* of those, found */
	uint32_t messages_sent;	    /* that a client handed to a message broker */
	uint32_t messages_consumed; /* that it got from one */
	const char *
		attributes[ATTRIBUTE_COUNT]; /* NULL: not known or does not apply; static text, but for
						    HTTP_ROUTE, what comes from a bounded table and what lies in `text` */
	const char *text;		     /* FACTS_TEXT_MAX bytes of this request, or NULL */
	enum conn_role role;		     /* client or server, never unknown */
	bool is_partial; /* began before sonde did, or a piece of it was lost: counted, its duration is not */
};

/* Where finished things go; every member is set. Called on the owner thread. */
struct observation_sink {
	void *context;
	void (*request)(void *context, const struct request *request);
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
