/* SPDX-License-Identifier: Apache-2.0 */
/* On the path of every request: copies, no conversions. */
#include "export/span_record.h"

#include <string.h>

#include "protocol/protocol.h"

/* Returns where the next text goes; `to` when this one does not fit. */
static char *put_text(char *to, const char *end, const char *text)
{
	size_t bytes = strlen(text) + 1;

	if (bytes > (size_t)(end - to))
		return to;
	memcpy(to, text, bytes);
	return to + bytes;
}

static char *put_attributes(struct span_record *record, const struct request *request, char *to,
			    const char *end)
{
	for (unsigned i = 0; i < ATTRIBUTE_COUNT; i++) {
		const char *text = request->attributes[i];
		char *next = text ? put_text(to, end, text) : to;

		record->present |= (uint32_t)(next != to) << i;
		to = next;
	}
	return to;
}

size_t span_record_write(const struct request *request, void *ret_record)
{
	struct span_record *record = ret_record;
	const char *end = (char *)ret_record + SPAN_RECORD_MAX;
	char *to = record->texts;

	*record = (struct span_record){
		.start_ns = request->span_start_ns ? request->span_start_ns : request->start_ns,
		.end_ns = request->end_ns,
		.request_body_bytes = request->request_body_bytes,
		.response_body_bytes = request->response_body_bytes,
		.rows = request->rows,
		.protocol = request->protocol ? request->protocol->name : NULL,
		.identity = *request->span,
		.tuple = *request->tuple,
		.tgid = request->process->tgid,
		.messages_sent = request->messages_sent,
		.messages_consumed = request->messages_consumed,
		.links_dropped = request->span_links_dropped,
		.role = (uint8_t)request->role,
		.part = request->part,
		.has_rows = request->rows_kind == ROWS_RETURNED,
		.has_usage = request->has_usage,
		.usage = request->usage,
		.has_tcp = request->has_tcp,
		.tcp = request->tcp,
		.errors = request->errors,
		.cause = request->ret_verdict ? request->ret_verdict->cause : NULL,
		.cause_share = request->ret_verdict ? request->ret_verdict->share : 0,
		.is_processing = request->is_processing,
		.has_socket_path = request->socket_path && strlen(request->socket_path) < 512,
		.has_tracestate = request->tracestate,
		.link_count = (uint8_t)request->span_link_count,
	};
	if (record->link_count)
		to = mempcpy(to, request->span_links,
			     record->link_count * sizeof(*request->span_links));
	to = put_text(to, end, request->process->service);
	to = put_text(to, end, request->process->executable);
	if (record->has_socket_path)
		to = put_text(to, end, request->socket_path);
	if (record->has_tracestate)
		to = put_text(to, end, request->tracestate);
	to = put_attributes(record, request, to, end);
	return (size_t)(to - (char *)ret_record);
}
