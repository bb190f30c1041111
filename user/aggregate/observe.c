/* SPDX-License-Identifier: Apache-2.0 */
/* Which metrics a request of a protocol goes to is a row; where a label's value comes from follows
 * from the label's name. */
#include "aggregate/observe.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "aggregate/request_memory.h"
#include "aggregate/slow_table.h"
#include "aggregate/statement_table.h"
#include "aggregate/verdict.h"
#include "base/address.h"
#include "base/wall_clock.h"
#include "protocol/protocol.h"

/* METRIC_COUNT: the protocol has none such. */
struct request_metrics {
	enum metric duration;
	enum metric request_size;
	enum metric response_size;
};

struct request_row {
	const char *protocol;
	struct request_metrics by_role[ROLE_COUNT];
};

#define DB_METRICS                                                                   \
	{                                                                            \
		[ROLE_SERVER] = { METRIC_DB_SERVER_OPERATION_DURATION, METRIC_COUNT, \
				  METRIC_COUNT },                                    \
		[ROLE_CLIENT] = {                                                    \
			METRIC_DB_CLIENT_OPERATION_DURATION,                         \
			METRIC_COUNT,                                                \
			METRIC_COUNT                                                 \
		}                                                                    \
	}

#define MESSAGING_METRICS                                                                   \
	{                                                                                   \
		[ROLE_SERVER] = { METRIC_MESSAGING_SERVER_OPERATION_DURATION, METRIC_COUNT, \
				  METRIC_COUNT },                                           \
		[ROLE_CLIENT] = {                                                           \
			METRIC_MESSAGING_CLIENT_OPERATION_DURATION,                         \
			METRIC_COUNT,                                                       \
			METRIC_COUNT                                                        \
		}                                                                           \
	}

/* What has a metric of its own beside the operations of its protocol. */
static const struct request_metrics processing_metrics[ROLE_COUNT] = {
	[ROLE_SERVER] = { METRIC_MESSAGING_SERVER_OPERATION_DURATION, METRIC_COUNT, METRIC_COUNT },
	[ROLE_CLIENT] = { METRIC_MESSAGING_PROCESS_DURATION, METRIC_COUNT, METRIC_COUNT },
};

#define HTTP_METRICS                                                       \
	{                                                                  \
		[ROLE_SERVER] = { METRIC_HTTP_SERVER_REQUEST_DURATION,     \
				  METRIC_HTTP_SERVER_REQUEST_BODY_SIZE,    \
				  METRIC_HTTP_SERVER_RESPONSE_BODY_SIZE }, \
		[ROLE_CLIENT] = {                                          \
			METRIC_HTTP_CLIENT_REQUEST_DURATION,               \
			METRIC_HTTP_CLIENT_REQUEST_BODY_SIZE,              \
			METRIC_HTTP_CLIENT_RESPONSE_BODY_SIZE              \
		}                                                          \
	}

/* Calls of procedures, whatever carries them. */
static const struct request_metrics rpc_metrics[ROLE_COUNT] = {
	[ROLE_SERVER] = { METRIC_RPC_SERVER_CALL_DURATION, METRIC_COUNT, METRIC_COUNT },
	[ROLE_CLIENT] = { METRIC_RPC_CLIENT_CALL_DURATION, METRIC_COUNT, METRIC_COUNT },
};

/* clang-format off */
static const struct request_row request_rows[] = {
	{ "http", HTTP_METRICS },
	{ "http2", HTTP_METRICS },
	{ "fastcgi", HTTP_METRICS },
	{ "redis", DB_METRICS },
	{ "memcached", DB_METRICS },
	{ "mysql", DB_METRICS },
	{ "postgresql", DB_METRICS },
	{ "elasticsearch", DB_METRICS },
	{ "opensearch", DB_METRICS },
	{ "jsonrpc",
	  { [ROLE_SERVER] = { METRIC_RPC_SERVER_CALL_DURATION, METRIC_COUNT, METRIC_COUNT },
	    [ROLE_CLIENT] = { METRIC_RPC_CLIENT_CALL_DURATION, METRIC_COUNT, METRIC_COUNT } } },
	{ "graphql",
	  { [ROLE_SERVER] = { METRIC_GRAPHQL_OPERATION_DURATION, METRIC_COUNT, METRIC_COUNT },
	    [ROLE_CLIENT] = { METRIC_GRAPHQL_OPERATION_DURATION, METRIC_COUNT, METRIC_COUNT } } },
	{ "dns",
	  { [ROLE_SERVER] = { METRIC_DNS_LOOKUP_DURATION, METRIC_COUNT, METRIC_COUNT },
	    [ROLE_CLIENT] = { METRIC_DNS_LOOKUP_DURATION, METRIC_COUNT, METRIC_COUNT } } },
	{ "mongodb", DB_METRICS },
	{ "amqp", MESSAGING_METRICS },
	{ "kafka", MESSAGING_METRICS },
};
/* clang-format on */

/* What a request's labels can say: its attributes, then what every request has. */
#define FACTS(X)                                              \
	X(SERVICE_NAME, "service_name")                       \
	X(KIND, "kind")                                       \
	X(PROTOCOL, "protocol")                               \
	X(PROCESS_PID, "process_pid")                         \
	X(PROCESS_EXECUTABLE_NAME, "process_executable_name") \
	X(SERVER_ADDRESS, "server_address")                   \
	X(SERVER_PORT, "server_port")                         \
	X(CAUSE, "cause")

enum fact {
	FACT_BEFORE_FIRST = ATTRIBUTE_COUNT - 1,
#define X(NAME, label) FACT_##NAME,
	FACTS(X)
#undef X
		FACT_NONE,
	FACT_COUNT,
};

static const char *const fact_labels[FACT_COUNT] = {
#define X(NAME, label) [ATTRIBUTE_##NAME] = label,
	ATTRIBUTES(X)
#undef X
#define X(NAME, label) [FACT_##NAME] = label,
		FACTS(X)
#undef X
};

struct remembered_outcome {
	const char *protocol; /* static text */
	struct series_slot slot;
};

struct observer {
	struct observation_sink sink;
	struct request_memory *memory; /* owned */
	struct remembered_outcome outcomes[PARSE_OUTCOME_COUNT];
	struct series_store *store;			/* borrowed */
	struct statement_table *statements;		/* borrowed; NULL: none are kept */
	struct slow_table *slow;			/* borrowed; NULL: none are kept */
	const struct wall_clock *clock;			/* borrowed; NULL: no exemplars */
	uint8_t facts[METRIC_COUNT][METRIC_LABELS_MAX]; /* of each label: enum fact */
};

const char *observe_role_name(unsigned role)
{
	static const char *const names[ROLE_COUNT] = {
		[ROLE_UNKNOWN] = "unknown",
		[ROLE_CLIENT] = "client",
		[ROLE_SERVER] = "server",
	};

	return role < ROLE_COUNT ? names[role] : names[ROLE_UNKNOWN];
}

const char *observe_outcome_name(unsigned outcome)
{
	static const char *const names[CONNECT_OUTCOME_COUNT] = {
		[CONNECT_ESTABLISHED] = "established",
		[CONNECT_REFUSED] = "refused",
		[CONNECT_TIMEOUT] = "timeout",
		[CONNECT_UNREACHABLE] = "unreachable",
		[CONNECT_RESET] = "reset",
		[CONNECT_OTHER] = "other",
	};

	return outcome < CONNECT_OUTCOME_COUNT ? names[outcome] : names[CONNECT_OTHER];
}

const char *observe_parse_outcome_name(unsigned outcome)
{
	static const char *const names[PARSE_OUTCOME_COUNT] = {
#define X(NAME, label, meaning) [PARSE_##NAME] = label,
		PARSE_OUTCOMES(X)
#undef X
	};

	return outcome < PARSE_OUTCOME_COUNT ? names[outcome] : "unknown";
}

static const struct request_metrics *request_metrics_find(const struct request *request)
{
	if (request->is_processing)
		return &processing_metrics[request->role];
	if (request->attributes[ATTRIBUTE_RPC_SYSTEM_NAME])
		return &rpc_metrics[request->role];
	for (size_t i = 0; i < sizeof(request_rows) / sizeof(request_rows[0]); i++)
		if (strcmp(request_rows[i].protocol, request->protocol->name) == 0)
			return &request_rows[i].by_role[request->role];
	return NULL;
}

/* snprintf and inet_ntop would cost more than all the rest of an observation. */
static size_t decimal(char *out, uint32_t number)
{
	char digits[10];
	size_t count = 0, length;

	do
		digits[count++] = (char)('0' + number % 10);
	while (number /= 10);
	for (length = 0; count; length++)
		out[length] = digits[--count];
	out[length] = '\0';
	return length;
}

static void ipv4_text(char out[INET6_ADDRSTRLEN], const uint8_t *bytes)
{
	for (size_t i = 0; i < 4; i++) {
		out += decimal(out, bytes[i]);
		*out++ = '.';
	}
	out[-1] = '\0';
}

void observe_address(char out[OBSERVE_ADDRESS_MAX], const uint8_t bytes[16], unsigned family)
{
	if (family == AF_INET)
		ipv4_text(out, bytes);
	else if (address_is_mapped(bytes))
		ipv4_text(out, bytes + 12);
	else if (!inet_ntop(AF_INET6, bytes, out, INET6_ADDRSTRLEN))
		out[0] = '\0';
}

_Static_assert(OBSERVE_ADDRESS_MAX == INET6_ADDRSTRLEN, "the longest there is");

/* Buffers for those facts of a request that are not text already. */
struct fact_text {
	char pid[11];
	char port[11];
	char address[INET6_ADDRSTRLEN];
};

static void facts_collect(const struct request *request, struct fact_text *text,
			  const char *ret_facts[FACT_COUNT])
{
	const struct conn_tuple *tuple = request->tuple;
	bool is_server = request->role == ROLE_SERVER;

	(void)decimal(text->pid, request->process->tgid);
	if (!request->socket_path) {
		(void)decimal(text->port, is_server ? tuple->local_port : tuple->remote_port);
		observe_address(text->address, is_server ? tuple->local_addr : tuple->remote_addr,
				tuple->family);
	}
	memcpy(ret_facts, request->attributes, sizeof(request->attributes));
	ret_facts[FACT_SERVICE_NAME] = request->process->service;
	ret_facts[FACT_KIND] = observe_role_name(request->role);
	ret_facts[FACT_PROTOCOL] = request->protocol->name;
	ret_facts[FACT_PROCESS_PID] = text->pid;
	ret_facts[FACT_PROCESS_EXECUTABLE_NAME] = request->process->executable;
	ret_facts[FACT_SERVER_ADDRESS] =
		request->socket_path ? request->socket_path : text->address;
	ret_facts[FACT_SERVER_PORT] = request->socket_path ? NULL : text->port;
	ret_facts[FACT_CAUSE] = NULL;
	ret_facts[FACT_NONE] = NULL;
}

static void values_choose(const struct observer *observer, enum metric metric,
			  const char *const facts[FACT_COUNT], label_values ret_values)
{
	for (size_t i = 0; i < METRIC_LABELS_MAX; i++)
		ret_values[i] = facts[observer->facts[metric][i]];
}

static void request_metrics_list(const struct request *request,
				 enum metric ret_metrics[REQUEST_SERIES])
{
	const struct request_metrics *metrics = request_metrics_find(request);

	ret_metrics[SERIES_OF_PROCESS] =
		request->is_inner ? METRIC_COUNT : METRIC_PROCESS_REQUEST_DURATION;
	ret_metrics[SERIES_DURATION] = metrics ? metrics->duration : METRIC_COUNT;
	ret_metrics[SERIES_REQUEST_SIZE] = metrics ? metrics->request_size : METRIC_COUNT;
	ret_metrics[SERIES_RESPONSE_SIZE] = metrics ? metrics->response_size : METRIC_COUNT;
	ret_metrics[SERIES_RETURNED_ROWS] = request->role == ROLE_SERVER ?
						    METRIC_DB_SERVER_RETURNED_ROWS :
						    METRIC_DB_CLIENT_RETURNED_ROWS;
	ret_metrics[SERIES_VALUE_SIZE] = METRIC_DB_VALUE_SIZE;
}

static unsigned series_wanted(const struct request *request)
{
	enum metric metrics[REQUEST_SERIES];
	unsigned wanted = 0;

	request_metrics_list(request, metrics);
	for (size_t i = 0; i < REQUEST_SERIES; i++)
		wanted |= (unsigned)(metrics[i] != METRIC_COUNT) << i;
	return wanted;
}

/* Find a request's series by its labels, and remember them in the slots. */
static void observe_by_labels(const struct observer *observer, const struct request *request,
			      const uint64_t *values, unsigned wanted, struct series_slot *slots)
{
	enum metric metrics[REQUEST_SERIES];
	const char *facts[FACT_COUNT];
	struct fact_text text;
	label_values labels;

	facts_collect(request, &text, facts);
	request_metrics_list(request, metrics);
	for (size_t i = 0; i < REQUEST_SERIES; i++) {
		uint32_t owner = i == SERIES_OF_PROCESS ? request->process->tgid : 0;

		if (!(wanted & 1u << i))
			continue;
		values_choose(observer, metrics[i], facts, labels);
		if (series_remember(observer->store, metrics[i], labels, owner, &slots[i]) == 0)
			(void)series_observe_slots(observer->store, &slots[i], &values[i],
						   1); /* just found */
		else
			(void)series_observe(observer->store, metrics[i], labels, owner,
					     values[i]); /* counted there */
	}
}

static void add_for_request(const struct observer *observer, const struct request *request,
			    enum metric metric, uint32_t count)
{
	const char *facts[FACT_COUNT];
	struct fact_text text;
	label_values labels;

	if (!count)
		return;
	facts_collect(request, &text, facts);
	values_choose(observer, metric, facts, labels);
	(void)series_add(observer->store, metric, labels, 0, count);
}

/* memory: NULL when there is none. */
static void add_reads(struct observer *observer, struct remembered *memory,
		      const struct request *request, bool is_hit, uint32_t count)
{
	const char *system = request->attributes[ATTRIBUTE_DB_SYSTEM_NAME];
	label_values values = { request->process->service, observe_role_name(request->role), system,
				is_hit ? "hit" : "miss" };

	if (memory && series_add_slot(observer->store, &memory->reads[is_hit], count) == 0)
		return;
	(void)series_add(observer->store, METRIC_DB_READS, values, 0, count); /* counted there */
	if (memory)
		(void)series_remember(observer->store, METRIC_DB_READS, values, 0,
				      &memory->reads[is_hit]);
}

/* Which of the values a request has are no matter of its kind. */
static unsigned values_present(const struct request *request)
{
	return ((1u << SERIES_OF_ALL) - 1) |
	       (unsigned)(request->rows_kind == ROWS_RETURNED) << SERIES_RETURNED_ROWS |
	       (unsigned)request->has_value << SERIES_VALUE_SIZE;
}

/* Returns a bit for each value that is still to be observed. */
static unsigned observe_remembered(const struct observer *observer, struct remembered *memory,
				   const uint64_t *values, unsigned present)
{
	unsigned missed =
		series_observe_slots(observer->store, memory->slots, values, SERIES_OF_ALL);

	for (unsigned i = SERIES_OF_ALL; present >> i; i++)
		if (present >> i & 1)
			missed |= series_observe_slots(observer->store, &memory->slots[i],
						       &values[i], 1)
				  << i;
	return missed & memory->wanted;
}

/* What the server says of it. */
static void observe_told(struct observer *observer, const struct request *request)
{
	const char *const *attributes = request->attributes;
	const struct {
		const char *result;
		uint32_t count;
	} items[] = { { "succeeded", request->items_succeeded },
		      { "failed", request->items_failed } };
	label_values values = { request->process->service, observe_role_name(request->role),
				attributes[ATTRIBUTE_DB_SYSTEM_NAME],
				attributes[ATTRIBUTE_DB_OPERATION_NAME],
				attributes[ATTRIBUTE_DB_COLLECTION_NAME] };

	if (request->has_took)
		(void)series_observe(observer->store, METRIC_DB_TOOK, values, 0, request->took_ns);
	for (size_t i = 0; i < sizeof(items) / sizeof(items[0]); i++) {
		values[4] = items[i].result;
		if (items[i].count)
			(void)series_add(observer->store, METRIC_DB_ITEMS, values, 0,
					 items[i].count);
	}
}

static void count_messages(struct observer *observer, const struct request *request)
{
	bool is_server = request->role == ROLE_SERVER;

	add_for_request(observer, request,
			is_server ? METRIC_MESSAGING_SERVER_PUBLISHED_MESSAGES :
				    METRIC_MESSAGING_CLIENT_SENT_MESSAGES,
			request->messages_sent);
	add_for_request(observer, request,
			is_server ? METRIC_MESSAGING_SERVER_DELIVERED_MESSAGES :
				    METRIC_MESSAGING_CLIENT_CONSUMED_MESSAGES,
			request->messages_consumed);
}

/* The value that the series observed last is this request's. Of durations only the protocol's own: those of the process have the same
 * spans. */
static void exemplify(const struct observer *observer, const struct request *request,
		      const struct series_slot *slot, uint64_t value)
{
	struct exemplar exemplar = { .value = value };

	if (!observer->clock || !request->span || !request->span->is_sampled)
		return;
	exemplar.unix_ns = wall_clock_ns(observer->clock, request->end_ns);
	memcpy(exemplar.trace_id, request->span->trace_id, TRACE_ID_BYTES);
	memcpy(exemplar.span_id, request->span->span_id, SPAN_ID_BYTES);
	series_exemplify_slot(observer->store, slot, &exemplar);
}

/* Labels of a request's route, and one more. */
static void route_labels(const struct request *request, const char *more, label_values ret_values)
{
	memset(ret_values, 0, sizeof(label_values));
	ret_values[0] = request->process->service;
	ret_values[1] = request->protocol->name;
	ret_values[2] = request->attributes[ATTRIBUTE_HTTP_ROUTE];
	ret_values[3] = more;
}

/* What adds to the time of a request, and is no work of it. */
static bool is_wait(enum time_part part)
{
	return part != TIME_ON_CPU && part != TIME_UNACCOUNTED;
}

static void observe_wait_by_labels(struct observer *observer, const struct request *request,
				   unsigned part, struct series_slot *slots)
{
	label_values values;

	route_labels(request, time_part_name(part), values);
	(void)series_observe(observer->store, METRIC_REQUEST_WAIT, values, 0,
			     request->usage.part_ns[part]); /* counted there */
	if (slots)
		(void)series_remember(observer->store, METRIC_REQUEST_WAIT, values, 0,
				      &slots[part]);
}

/* slots: of its kind, NULL when there are none. */
static void observe_waits(struct observer *observer, const struct request *request,
			  struct series_slot *slots)
{
	for (unsigned part = 0; part < TIME_PART_COUNT; part++) {
		const uint64_t *ns = &request->usage.part_ns[part];

		if (!*ns || !is_wait(part))
			continue;
		if (!slots || series_observe_slots(observer->store, &slots[part], ns, 1))
			observe_wait_by_labels(observer, request, part, slots);
		if (slots)
			exemplify(observer, request, &slots[part], *ns);
	}
}

static void add_of_route(struct observer *observer, const struct request *request,
			 enum metric metric, const char *last)
{
	label_values values;

	route_labels(request, last, values);
	(void)series_add(observer->store, metric, values, 0, 1);
}

static void count_slow_call(struct observer *observer, const struct request *request,
			    const struct verdict *verdict)
{
	const char *facts[FACT_COUNT];
	struct fact_text text;
	label_values labels;

	facts_collect(request, &text, facts);
	facts[FACT_CAUSE] = verdict_label(verdict);
	values_choose(observer, METRIC_SLOW_CALLS, facts, labels);
	(void)series_add(observer->store, METRIC_SLOW_CALLS, labels, 0, 1);
}

static void observe_slow(struct observer *observer, const struct request *request,
			 const struct series_slot *slots, uint64_t total_ns)
{
	const struct histogram *usual =
		series_slot_histogram(observer->store, &slots[SERIES_DURATION]);
	struct verdict verdict = { 0 };
	bool is_slow = verdict_read(request, usual, total_ns, &verdict);

	if (request->ret_verdict)
		*request->ret_verdict = verdict;
	if (request->role == ROLE_CLIENT) {
		if (is_slow)
			count_slow_call(observer, request, &verdict);
		return;
	}
	if (is_slow)
		add_of_route(observer, request, METRIC_SLOW_REQUESTS, verdict_label(&verdict));
	if (observer->slow)
		slow_table_put(observer->slow, request, total_ns, &verdict);
}

/* What does not happen to every request, and made this one slower or different. */
static void observe_hits(struct observer *observer, const struct request *request)
{
	const struct {
		const char *by;
		uint64_t times;
	} hits[] = {
		{ "major_faults", request->usage.major_faults },
		{ "throttling", request->usage.part_ns[TIME_THROTTLED] },
		{ "retransmits", request->has_tcp ? request->tcp.retransmits : 0 },
		{ request->errors.name, request->errors.count },
	};

	for (size_t i = 0; i < sizeof(hits) / sizeof(hits[0]); i++)
		if (hits[i].times)
			add_of_route(observer, request, METRIC_REQUESTS_HIT, hits[i].by);
}

/* What the kernel did to a request. What a call waited for is a wait of the request that it was made for. */
static void observe_usage(struct observer *observer, const struct request *request,
			  struct remembered *memory, const struct series_slot *slots)
{
	uint64_t total_ns = verdict_total_ns(request);

	if (request->role == ROLE_SERVER) {
		observe_waits(observer, request, memory ? memory->waits : NULL);
		observe_hits(observer, request);
	}
	if (total_ns > SLOW_MARGIN_NS)
		observe_slow(observer, request, slots, total_ns);
}

static void on_request(void *context, const struct request *request)
{
	struct observer *observer = context;
	/* Threads of a process read the clock on different CPUs. */
	uint64_t duration_ns =
		request->end_ns > request->start_ns ? request->end_ns - request->start_ns : 0;
	const uint64_t values[REQUEST_SERIES] = {
		[SERIES_OF_PROCESS] = duration_ns,
		[SERIES_DURATION] = duration_ns,
		[SERIES_REQUEST_SIZE] = request->request_body_bytes,
		[SERIES_RESPONSE_SIZE] = request->response_body_bytes,
		[SERIES_RETURNED_ROWS] = request->rows,
		[SERIES_VALUE_SIZE] = request->value_bytes,
	};
	unsigned missed, present = values_present(request);
	struct series_slot forgotten[REQUEST_SERIES], *slots;
	struct remembered *memory;

	if (request->messages_sent | request->messages_consumed)
		count_messages(observer, request);
	if (request->is_partial) {
		add_for_request(observer, request, METRIC_REQUESTS_PARTIAL, 1);
		return;
	}
	if (request->is_untimed)
		return;
	memory = request_memory_find(observer->memory, request);
	if (memory && !memory->wanted)
		memory->wanted = (uint8_t)series_wanted(request);
	if (memory) {
		missed = observe_remembered(observer, memory, values, present);
		slots = memory->slots;
	} else {
		missed = series_wanted(request) & present;
		slots = memset(forgotten, 0, sizeof(forgotten));
	}
	if (missed)
		observe_by_labels(observer, request, values, missed, slots);
	exemplify(observer, request, &slots[SERIES_DURATION], duration_ns);
	if (request->has_usage)
		observe_usage(observer, request, memory, slots);
	if (request->is_inner)
		observe_told(observer, request);
	if (request->statement && observer->statements)
		statement_observe(observer->statements, request, duration_ns);
	if (request->read_hits)
		add_reads(observer, memory, request, true, request->read_hits);
	if (request->reads > request->read_hits)
		add_reads(observer, memory, request, false, request->reads - request->read_hits);
	add_for_request(observer, request, METRIC_DNS_RETRIES, request->retries);
	add_for_request(observer, request, METRIC_DNS_UNANSWERED, request->is_unanswered);
}

static const char *direction_name(unsigned dir)
{
	return dir == DIR_WRITE ? "sent" : "received";
}

static void on_message(void *context, const struct free_message *message)
{
	struct observer *observer = context;
	label_values values = { message->process->service, observe_role_name(message->role),
				message->type, direction_name(message->dir) };

	(void)series_add(observer->store, METRIC_WEBSOCKET_MESSAGES, values, 0, 1);
	(void)series_add(observer->store, METRIC_WEBSOCKET_MESSAGE_BYTES, values, 0,
			 message->bytes);
}

static void on_tunnel(void *context, const struct tunnel *tunnel)
{
	struct observer *observer = context;
	const char *service = tunnel->process->service;
	label_values ended = { service, observe_role_name(tunnel->role), tunnel->name,
			       tunnel->close_code };

	for (unsigned dir = 0; dir < DIR_COUNT; dir++) {
		label_values moved = { service, observe_role_name(tunnel->role), tunnel->name,
				       direction_name(dir) };

		if (tunnel->bytes[dir])
			(void)series_add(observer->store, METRIC_TUNNEL_BYTES, moved, 0,
					 tunnel->bytes[dir]);
	}
	if (tunnel->is_over)
		(void)series_observe(observer->store, METRIC_TUNNEL_DURATION, ended, 0,
				     tunnel->duration_ns);
}

static void on_parse_outcome(void *context, const char *protocol_name, enum parse_outcome outcome)
{
	struct observer *observer = context;
	struct remembered_outcome *memory = &observer->outcomes[outcome];

	if (memory->protocol != protocol_name ||
	    series_add_slot(observer->store, &memory->slot, 1) < 0) {
		label_values values = { protocol_name, observe_parse_outcome_name(outcome) };

		(void)series_add(observer->store, METRIC_PARSE_OUTCOMES, values, 0,
				 1); /* counted there */
		memory->protocol = protocol_name;
		(void)series_remember(observer->store, METRIC_PARSE_OUTCOMES, values, 0,
				      &memory->slot);
	}
}

static void on_tcp_connect(void *context, const struct event_tcp_connect *event,
			   const struct process *process)
{
	struct observer *observer = context;
	label_values values = { process->service, observe_outcome_name(event->outcome) };
	uint64_t end_ns = event->header.ktime_ns;

	if (!event->start_ns) /* no SYN was sent; counted in sonde_tcp_connects_total */
		return;
	(void)series_observe(observer->store, METRIC_TCP_CONNECT_DURATION, values, 0,
			     end_ns > event->start_ns ? end_ns - event->start_ns : 0);
}

static void on_tcp_accept(void *context, const struct event_tcp_accept *event,
			  const struct process *process)
{
	struct observer *observer = context;
	uint64_t end_ns = event->header.ktime_ns;

	if (!event->established_ns)
		return;
	(void)series_observe(observer->store, METRIC_TCP_ACCEPT_QUEUE,
			     (label_values){ process->service }, 0,
			     end_ns > event->established_ns ? end_ns - event->established_ns : 0);
}

static void on_tcp_stats(void *context, const struct conn_ref *conn, const struct tcp_stats *stats,
			 const struct process *process)
{
	label_values values = { process->service, observe_role_name(conn->role) };
	struct observer *observer = context;

	if (stats->srtt_us)
		(void)series_observe(observer->store, METRIC_TCP_RTT, values, 0,
				     stats->srtt_us * 1000ull);
	if (stats->min_rtt_us)
		(void)series_observe(observer->store, METRIC_TCP_MIN_RTT, values, 0,
				     stats->min_rtt_us * 1000ull);
}

/* The exact counts come from the kernel's map; the events are for joining errors to requests. */
static void on_syscall_error(void *context, const struct event_syscall_error *event,
			     const struct process *process)
{
	(void)context;
	(void)event;
	(void)process;
}

static enum fact fact_of_label(const char *label)
{
	enum fact fact = 0;

	while (fact < FACT_NONE && strcmp(fact_labels[fact], label) != 0)
		fact++;
	return fact;
}

struct observer *observer_new(struct series_store *store, struct statement_table *statements,
			      struct slow_table *slow)
{
	struct observer *observer = calloc(1, sizeof(*observer));

	if (!observer)
		return NULL;
	observer->memory = request_memory_new();
	if (!observer->memory) {
		free(observer);
		return NULL;
	}
	memset(observer->facts, FACT_NONE, sizeof(observer->facts));
	for (enum metric metric = 0; metric < METRIC_COUNT; metric++)
		for (size_t i = 0; i < metric_label_count(metric); i++)
			observer->facts[metric][i] =
				(uint8_t)fact_of_label(metric_table[metric].labels[i]);
	observer->store = store;
	observer->statements = statements;
	observer->slow = slow;
	observer->sink = (struct observation_sink){
		.context = observer,
		.request = on_request,
		.message = on_message,
		.tunnel = on_tunnel,
		.parse_outcome = on_parse_outcome,
		.tcp_connect = on_tcp_connect,
		.tcp_accept = on_tcp_accept,
		.tcp_stats = on_tcp_stats,
		.syscall_error = on_syscall_error,
	};
	return observer;
}

void observer_set_exemplars(struct observer *observer, const struct wall_clock *clock)
{
	observer->clock = clock;
}

void observer_free(struct observer **observer)
{
	if (*observer)
		request_memory_free(&(*observer)->memory);
	free(*observer);
	*observer = NULL;
}

const struct observation_sink *observer_sink(const struct observer *observer)
{
	return &observer->sink;
}
