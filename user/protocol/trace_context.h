/* SPDX-License-Identifier: Apache-2.0 */
/* The trace that a request says it is part of, in the fields that tracers put into it. One file a format, one row a field in
 * trace_context.c. Pure: name and value in, context out. */
#ifndef SONDE_PROTOCOL_TRACE_CONTEXT_H
#define SONDE_PROTOCOL_TRACE_CONTEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TRACE_ID_BYTES 16
#define SPAN_ID_BYTES 8

/* All zeros are no ID (W3C Trace Context, sections 3.2.2.3 and 3.2.2.4). */
static inline bool trace_id_is_none(const uint8_t *id, size_t bytes)
{
	while (bytes && !id[bytes - 1])
		bytes--;
	return !bytes;
}

/* W3C Trace Context Level 2, trace-flags. */
#define TRACE_FLAG_SAMPLED 0x01
#define TRACE_FLAG_RANDOM 0x02

/* A request with several is of the trace that the first of these names. X(NAME, label) */
#define TRACE_FORMATS(X)             \
	X(W3C, "traceparent")        \
	X(B3, "b3")                  \
	X(B3_MULTI, "x-b3")          \
	X(JAEGER, "uber-trace-id")   \
	X(SKYWALKING, "sw8")         \
	X(AMAZON, "x-amzn-trace-id") \
	X(GOOGLE, "x-cloud-trace-context")

enum trace_format {
#define X(NAME, label) TRACE_FORMAT_##NAME,
	TRACE_FORMATS(X)
#undef X
		TRACE_FORMAT_COUNT,
};

/* Which pieces of a context were read. */
enum trace_piece {
	TRACE_HAS_TRACE_ID = 1 << 0,
	TRACE_HAS_SPAN_ID = 1 << 1,
	TRACE_WANTS_SPAN_ID = 1 << 2, /* the format is of no use without */
	TRACE_IS_FORCED = 1 << 3,     /* sampled whatever another field says */
	TRACE_HAS_FIELDS = 1 << 4,    /* some field of the table was there, whatever it said */
};

struct trace_context {
	uint8_t trace_id[TRACE_ID_BYTES]; /* shorter ones with zeros in front */
	uint8_t span_id[SPAN_ID_BYTES];	  /* zeros: the field names none */
	uint8_t flags;			  /* trace-flags; sampled where the field leaves it open */
	uint8_t format;			  /* enum trace_format, with TRACE_HAS_TRACE_ID */
	uint8_t pieces;			  /* enum trace_piece */
	uint8_t ignored;	   /* bits 1 << enum trace_format: a value was malformed or cut */
	uint16_t tracestate_bytes; /* in trace_texts; 0: none */
	uint8_t request_id_bytes;  /* the same */
	bool is_tracestate_cut;
};
_Static_assert(TRACE_FORMAT_COUNT <= 8, "trace_context.ignored");

/* W3C asks who passes it on for 512 characters; the members that changed last are in front. */
#define TRACESTATE_MAX 512
#define REQUEST_ID_MAX 128
_Static_assert(REQUEST_ID_MAX <= UINT8_MAX, "trace_context.request_id_bytes");

/* A span that another one has to do with, but is not a child of. */
struct span_link {
	uint8_t trace_id[TRACE_ID_BYTES];
	uint8_t span_id[SPAN_ID_BYTES];
};

/* Spans that the messages of one request name; more are only counted. */
#define TRACE_LINKS_MAX 32

struct trace_texts {
	char tracestate[TRACESTATE_MAX +
			1]; /* terminated when trace_context says that there is one */
	char request_id[REQUEST_ID_MAX + 1];
	struct span_link links[TRACE_LINKS_MAX]; /* of message_contexts */
};

/* What the messages that a request carries say of traces, each of its own. */
struct message_contexts {
	uint32_t count;	 /* of different spans; the first ones are in trace_texts */
	uint8_t ignored; /* as in trace_context, of all messages */
};

/* Could a field whose name begins with this letter be one of ours? */
bool trace_context_may_begin(uint8_t letter);

/* Take in a field of a request, ours or not.
 *
 * name    any case
 * value   without the blanks around it
 * is_cut  the value was longer
 * texts   NULL: nothing is taken */
void trace_context_take(struct trace_context *context, struct trace_texts *texts,
			const uint8_t *name, size_t name_length, const uint8_t *value,
			size_t length, bool is_cut);

/* The same of a line `name: value`, without its end. */
void trace_context_take_line(struct trace_context *context, struct trace_texts *texts,
			     const uint8_t *line, size_t length, bool is_cut);

/* Is there a trace to be part of? */
static inline bool trace_context_is_whole(const struct trace_context *context)
{
	unsigned wanted = TRACE_HAS_TRACE_ID;

	if (context->pieces & TRACE_WANTS_SPAN_ID)
		wanted |= TRACE_HAS_SPAN_ID;
	return (context->pieces & wanted) == wanted;
}

#endif
