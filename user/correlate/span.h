/* SPDX-License-Identifier: Apache-2.0 */
/* Which span a request is, in whose trace, and how that was found. */
#ifndef SONDE_CORRELATE_SPAN_H
#define SONDE_CORRELATE_SPAN_H

#include <stdbool.h>
#include <stdint.h>

#include "event_abi.h"
#include "protocol/dns_words.h"
#include "protocol/trace_context.h"

/* Attribute `sonde.join`, surest first. X(NAME, value, meaning) */
#define SPAN_JOINS(X)                                                                                \
	X(THREAD_CONTEXT, "thread_context", "published by the SDK in the handling thread")           \
	X(HEADER, "header", "in the request itself")                                                 \
	X(ADOPTED, "adopted", "on a call that was made to answer the request")                       \
	X(PARENT, "parent",                                                                          \
	  "of the request that the same thread is answering, or of the other end of the connection") \
	X(GENERATED, "generated", "a new trace")

enum span_join {
#define X(NAME, value, meaning) SPAN_JOIN_##NAME,
	SPAN_JOINS(X)
#undef X
		SPAN_JOIN_COUNT,
};

/* Which spans of services are told whose own tracer makes some. */
enum spans_of_instrumented {
	INSTRUMENTED_KERNEL_ONLY, /* children of the application's own */
	INSTRUMENTED_ON,
	INSTRUMENTED_OFF,
};

/* Requests that a call may be made for: more are not named. */
#define SPAN_CANDIDATES_MAX 8
/* Of one span; more are only counted. */
#define SPAN_LINKS_MAX (TRACE_LINKS_MAX + 1)

/* How a connection was opened, of which a request is the first: by connect, or from its arrival to accept. */
struct span_opening {
	uint64_t start_ns; /* client: the SYN was sent; server: established */
	uint64_t end_ns; /* client: established; server: accept returned; 0: not known, or not for this request */
};

/* A DNS lookup of the server's address, over UDP, that was answered. */
struct span_lookup {
	uint64_t start_ns;
	uint64_t end_ns;
	struct conn_tuple tuple;
	const char *type; /* static */
	char name[DNS_SUFFIX_MAX];
};
#define SPAN_LOOKUPS_MAX 4

/* What a span tells of. X(NAME, label, meaning) */
#define SPAN_PARTS(X)                                                                \
	X(REQUEST, "request", "a whole request, with how its connection was opened") \
	X(LOOKUP, "dns_lookup", "a DNS lookup before it")                            \
	X(CONNECT, "connect", "the connect before it")                               \
	X(ACCEPT_QUEUE, "accept_queue", "the wait for accept before it")             \
	X(RECEIVE_QUEUE, "receive_queue", "what a server had been sent but not read yet")

enum span_part {
#define X(NAME, label, meaning) SPAN_PART_##NAME,
	SPAN_PARTS(X)
#undef X
		SPAN_PART_COUNT,
};

struct span_identity {
	uint8_t trace_id[TRACE_ID_BYTES];
	uint8_t span_id[SPAN_ID_BYTES];
	uint8_t parent_span_id[SPAN_ID_BYTES]; /* zeros: the trace begins here, as far as we know */
	uint8_t flags;			       /* trace-flags */
	uint8_t join;			       /* enum span_join */
	bool is_sampled; /* the span is kept; else the identity is nobody's to tell */
};

#endif
