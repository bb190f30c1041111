/* SPDX-License-Identifier: Apache-2.0 */
/* Finished exchanges become requests for the sink: whose, which route, which error, what was odd. */
#include <string.h>
#include <sys/socket.h>

#include "correlate/join.h"
#include "correlate/request.h"
#include "protocol/http_dialect.h"

const struct process *selected_process(struct engine *engine, uint32_t tgid)
{
	const struct process *process = process_lookup(engine->processes, tgid);

	return process && !process->is_ignored ? process : NULL;
}

static const char *protocol_name(const struct connection *connection)
{
	return connection->protocol ? connection->protocol->name : "none";
}

void requests_count(struct engine *engine, const struct connection *connection, uint32_t tgid,
		    enum parse_outcome outcome)
{
	if (selected_process(engine, tgid))
		engine->sink->parse_outcome(engine->sink->context, protocol_name(connection),
					    outcome);
}

static const char *broken_connection_name(const struct connection *connection,
					  const char *otherwise)
{
	return connection->ref.flags & CONN_RESET_RECEIVED ? "reset" : otherwise;
}

/* Semantic conventions: a 4xx is an error for the client only. */
static const char *error_type(const struct connection *connection, const struct exchange *exchange)
{
	unsigned fault = exchange->facts.sides[SIDE_RESPONSE].fault;

	if (exchange->failure == PARSE_RESPONSE_CUT)
		return broken_connection_name(connection, "response_cut");
	if (exchange->failure == PARSE_REQUEST_CUT)
		return broken_connection_name(connection, "request_cut");
	if (exchange->failure == PARSE_NO_RESPONSE)
		return broken_connection_name(connection, "no_response");
	if (fault == FAULT_SERVER || (fault == FAULT_CLIENT && connection->role == ROLE_CLIENT))
		return exchange->facts.attributes[ATTRIBUTE_ERROR_TYPE];
	return NULL;
}

static const char *bounded(struct engine *engine, const struct process *process, const char *name)
{
	return name ? route_table_intern(engine->collections, process->service, name) : NULL;
}

/* Names that come from the wire. */
static void bound_names(struct engine *engine, struct request *request)
{
	static const enum attribute names[] = {
		ATTRIBUTE_DB_COLLECTION_NAME,
		ATTRIBUTE_GRAPHQL_OPERATION_NAME,
		ATTRIBUTE_MESSAGING_DESTINATION_NAME,
		ATTRIBUTE_MESSAGING_CONSUMER_GROUP_NAME,
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		request->attributes[names[i]] =
			bounded(engine, request->process, request->attributes[names[i]]);
}

/* The request that the other one carries. A dialect's error is one for both sides. */
static void send_inner_request(struct engine *engine, const struct exchange *exchange,
			       const struct request *outer)
{
	const struct http_dialect_facts *spoken = http_dialect_facts_of(&exchange->facts);
	struct request request = *outer;
	const char **attributes = request.attributes;

	http_dialect_tell(&exchange->facts, attributes);
	if (!spoken->error)
		attributes[ATTRIBUTE_ERROR_TYPE] = outer->attributes[ATTRIBUTE_ERROR_TYPE];
	attributes[ATTRIBUTE_RPC_METHOD] =
		bounded(engine, outer->process, attributes[ATTRIBUTE_RPC_METHOD]);
	bound_names(engine, &request);
	request.protocol = exchange->facts.dialect;
	request.is_inner = true;
	request.has_usage = false;
	request.span = NULL;
	request.span_link_count = 0;
	request.span_start_ns = 0;
	request.received_ns = 0;
	request.opening = NULL;
	request.lookup_count = 0;
	request.span_links_dropped = 0;
	request.tracestate = NULL;
	request.has_took = spoken->has_took;
	request.took_ns = spoken->took_ns;
	request.items_succeeded = spoken->items_succeeded;
	request.items_failed = spoken->items_failed;
	engine->sink->request(engine->sink->context, &request);
}

static const char *socket_path(struct engine *engine, const struct connection *connection,
			       const struct process *process)
{
	const char *path = connection->socket_path;

	return path && path[0] ? route_table_intern(engine->socket_paths, process->service, path) :
				 "";
}

static void tell_span(struct request *request, const struct joined *joined)
{
	request->span = &joined->span;
	request->span_links = joined->links;
	request->span_link_count = joined->link_count;
	request->span_start_ns = joined->begin_ns;
	request->opening = joined->opening.end_ns ? &joined->opening : NULL;
	request->lookups = joined->lookups;
	request->lookup_count = joined->lookup_count;
	request->span_links_dropped = joined->links_dropped;
	request->tracestate = joined->tracestate;
	request->upstream = joined->has_upstream ? &joined->upstream : NULL;
	request->attributes[ATTRIBUTE_HTTP_REQUEST_ID] = joined->request_id;
}

/* What is shorter is not worth a span: as with the accept queue. */
#define RECEIVE_QUEUE_FLOOR_NS 10000000u

/* A server's span begins when it has been asked. */
static void tell_receive_queue(struct request *request)
{
	uint64_t waited_ns = request->usage.part_ns[TIME_RECEIVE_QUEUE];

	if (!request->span || waited_ns < RECEIVE_QUEUE_FLOOR_NS)
		return;
	request->received_ns = request->start_ns - waited_ns;
	if (!request->span_start_ns)
		request->span_start_ns = request->received_ns;
}

/* Calls are seen as they return, and the answer may have been read before. What the call took longer, nobody waited for: on its
 * CPU, or to get one again, if its thread is known. */
static void end_as_read(struct request *request, uint64_t got_ns)
{
	uint64_t *part_ns = request->usage.part_ns;
	uint64_t rest_ns = request->end_ns - got_ns;

	if (got_ns < request->start_ns || got_ns >= request->end_ns)
		return;
	request->end_ns = got_ns;
	for (int i = 0; i < TIME_PARTS_WITHIN; i++) {
		uint64_t less_ns = part_ns[i] < rest_ns ? part_ns[i] : rest_ns;

		part_ns[i] -= less_ns;
		rest_ns -= less_ns;
	}
}

static void send_request(struct engine *engine, struct connection *connection,
			 const struct exchange *exchange, const struct process *process)
{
	const struct message *sides = exchange->facts.sides;
	const char *path = exchange->facts.attributes[ATTRIBUTE_URL_PATH];
	const char *method = exchange->facts.attributes[ATTRIBUTE_RPC_METHOD];
	struct joined joined;
	struct request request = {
		.start_ns = exchange->start_ns,
		.end_ns = exchange->end_ns > exchange->start_ns ? exchange->end_ns :
								  exchange->start_ns,
		.protocol = connection->protocol,
		.process = process,
		.tuple = &connection->ref.tuple,
		.request_body_bytes = sides[SIDE_REQUEST].body_bytes,
		.response_body_bytes = sides[SIDE_RESPONSE].body_bytes,
		.reads = exchange->failure == PARSE_OK ? exchange->facts.reads : 0,
		.read_hits = exchange->failure == PARSE_OK ? exchange->facts.read_hits : 0,
		.statement = exchange->facts.statement,
		.value_bytes = exchange->facts.value_bytes,
		.has_value = exchange->facts.has_value,
		.rows = exchange->facts.rows,
		.rows_kind = exchange->facts.rows_kind,
		.messages_sent = exchange->facts.messages_sent,
		.messages_consumed = exchange->facts.messages_consumed,
		.text = exchange->facts.text,
		.role = connection->role,
		.is_untimed = exchange->facts.is_untimed,
		.is_processing = exchange->facts.is_processing,
		.is_partial = exchange->failure == PARSE_PARTIAL ||
			      exchange->failure == PARSE_LOST ||
			      exchange->failure == PARSE_HEADER_UNKNOWN,
	};

	if (connection->ref.tuple.family == AF_UNIX)
		request.socket_path = socket_path(engine, connection, process);
	memcpy(request.attributes, exchange->facts.attributes, sizeof(request.attributes));
	request.attributes[ATTRIBUTE_ERROR_TYPE] = error_type(connection, exchange);
	if (method)
		request.attributes[ATTRIBUTE_RPC_METHOD] =
			route_table_intern(engine->routes, process->service, method);
	else if (path && connection->role == ROLE_SERVER)
		request.attributes[ATTRIBUTE_HTTP_ROUTE] =
			route_table_of_path(engine->routes, process->service, path);
	bound_names(engine, &request);
	if (engine->join && join_finish(engine, process, exchange, &joined))
		tell_span(&request, &joined);
	if (request.lookup_count && !request.is_partial && !request.is_untimed)
		join_lookups_told(exchange);
	request.has_usage = !request.is_partial;
	if (exchange->has_figures) {
		request.usage = exchange->usage;
		request.has_tcp = exchange->has_tcp_usage;
		request.tcp = exchange->tcp_usage;
		request.errors = exchange->errors;
	}
	if (exchange->span.own)
		end_as_read(&request, exchange->span.got_ns);
	tell_receive_queue(&request);
	connection->requests++;
	engine->sink->request(engine->sink->context, &request);
	if (exchange->facts.dialect && !request.is_partial)
		send_inner_request(engine, exchange, &request);
}

/* Failures that are counted but are no finished request. A client without an answer had one that failed; a server
 * that gave none did not, and its access log agrees. */
static bool is_reported(const struct connection *connection, const struct exchange *exchange)
{
	switch ((enum parse_outcome)exchange->failure) {
	case PARSE_MALFORMED:
	case PARSE_UNMATCHED_RESPONSE:
	case PARSE_EARLY_RESPONSE: /* to a request whose head was never complete */
		return false;
	case PARSE_NO_RESPONSE:
		return connection->role == ROLE_CLIENT && exchange->has_request_head;
	default:
		return connection->role != ROLE_UNKNOWN;
	}
}

/* What prepares requests is one when it fails. */
static bool is_quiet(const struct exchange *exchange)
{
	return exchange->facts.is_preparation &&
	       exchange->facts.sides[SIDE_RESPONSE].fault == FAULT_NONE;
}

void exchange_report(struct engine *engine, struct connection *connection,
		     const struct exchange *exchange)
{
	const struct process *process = selected_process(engine, exchange->tgid);
	uint64_t outcomes = exchange->facts.is_untimed ? 0 : 1ull << exchange->failure;

	if (!process)
		return;
	if (is_quiet(exchange)) {
		if (exchange->failure == PARSE_OK)
			outcomes = 0;
		outcomes |= exchange->facts.outcomes & ~(1ull << PARSE_PIPELINED);
		join_pass_opening(engine, connection, exchange);
	} else if (is_reported(connection, exchange)) {
		send_request(engine, connection, exchange, process);
		outcomes |= exchange->facts.outcomes;
	}
	for (; outcomes; outcomes &= outcomes - 1)
		engine->sink->parse_outcome(engine->sink->context, protocol_name(connection),
					    (enum parse_outcome)__builtin_ctzll(outcomes));
}

void requests_report_unseen(struct engine *engine, struct connection *connection,
			    enum parse_outcome outcome, uint32_t count)
{
	struct exchange unseen = {
		.start_ns = connection->last_ns,
		.tgid = connection->tgid,
		.failure = (uint8_t)outcome,
	};

	while (count--)
		exchange_report(engine, connection, &unseen);
}
