/* SPDX-License-Identifier: Apache-2.0 */
#include "sample_request.h"

#include <string.h>
#include <sys/socket.h>

#include "protocol/protocol.h"

static const struct span_link links[] = {
	{ .trace_id = { 1 }, .span_id = { 2 } },
	{ .trace_id = { 3 }, .span_id = { 4 } },
};

void sample_request_init(struct sample_request *sample)
{
	*sample = (struct sample_request){
		.process = { .tgid = 77, .executable = "nginx", .service = "shop" },
		.tuple = { .local_addr = { 10, 0, 0, 1 },
			   .remote_addr = { 10, 0, 0, 2 },
			   .local_port = 80,
			   .remote_port = 4000,
			   .family = AF_INET },
		.span = { .flags = TRACE_FLAG_SAMPLED, .join = SPAN_JOIN_HEADER },
		.request = { .start_ns = 1000,
			     .end_ns = 3000,
			     .protocol = &protocol_http1,
			     .role = ROLE_SERVER,
			     .request_body_bytes = 5,
			     .response_body_bytes = 7 },
	};
	memset(sample->span.trace_id, 0xa1, TRACE_ID_BYTES);
	memset(sample->span.span_id, 0xb2, SPAN_ID_BYTES);
	memset(sample->span.parent_span_id, 0xc3, SPAN_ID_BYTES);
	sample->request.process = &sample->process;
	sample->request.tuple = &sample->tuple;
	sample->request.span = &sample->span;
	sample->request.span_links = links;
	sample->request.span_link_count = 2;
	sample->request.span_links_dropped = 5;
	sample->request.tracestate = "vendor=\"1\"";
	sample->request.attributes[ATTRIBUTE_HTTP_REQUEST_METHOD] = "GET";
	sample->request.attributes[ATTRIBUTE_HTTP_RESPONSE_STATUS_CODE] = "200";
	sample->request.attributes[ATTRIBUTE_HTTP_ROUTE] = "/items/{id}";
	sample->request.attributes[ATTRIBUTE_URL_PATH] = "/items/17";
}
