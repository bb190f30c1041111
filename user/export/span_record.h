/* SPDX-License-Identifier: Apache-2.0 */
/* A finished request as it waits to be sent: one run of bytes, which borrows nothing but static text. */
#ifndef SONDE_EXPORT_SPAN_RECORD_H
#define SONDE_EXPORT_SPAN_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "correlate/observation.h"

struct span_record {
	uint64_t start_ns; /* CLOCK_MONOTONIC */
	uint64_t end_ns;
	uint64_t request_body_bytes;
	uint64_t response_body_bytes;
	uint64_t rows;
	const char *protocol; /* static; NULL: a part of a request */
	struct span_identity identity;
	struct conn_tuple tuple;
	struct request_usage usage;
	struct request_tcp tcp;
	struct request_errors errors;
	const char *cause;  /* static; NULL: none */
	double cause_share; /* when there is one */
	uint32_t tgid;
	uint32_t present; /* attributes: bits 1 << enum attribute */
	uint32_t messages_sent;
	uint32_t messages_consumed;
	uint32_t links_dropped;
	uint8_t role; /* enum conn_role */
	uint8_t part; /* enum span_part */
	bool has_rows;
	bool has_usage;
	bool has_tcp;
	bool is_processing;
	bool has_socket_path;
	bool has_tracestate;
	uint8_t link_count;
	char texts[]; /* link_count times a struct span_link; then, each with its NUL: service, executable, socket path if it has
			 one, tracestate if it has one, attributes in their order */
};

/* The attributes that fit are kept. More than the longest of everything that requests have. */
#define SPAN_RECORD_MAX 4096

_Static_assert(ATTRIBUTE_COUNT <= 32, "span_record.present");

/* Whether a request is a span: it was timed, and it is not told again inside another one. */
static inline bool span_record_is_wanted(const struct request *request)
{
	return request->span && !request->is_partial && !request->is_untimed;
}

/* Write a request that is a span into SPAN_RECORD_MAX bytes, 8-byte aligned. Returns the bytes used. */
size_t span_record_write(const struct request *request, void *ret_record);

#endif
