/* SPDX-License-Identifier: Apache-2.0 */
/* Which metrics a request of a protocol goes to is a row; where a label's value comes from follows
 * from the label's name. */
#include "aggregate/observe.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "aggregate/request_memory.h"
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
	X(SERVER_PORT, "server_port")

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

static void address_text(char out[INET6_ADDRSTRLEN], const uint8_t bytes[16], unsigned family)
{
	static const uint8_t mapped[12] = {
		[10] = 0xff, [11] = 0xff
	}; /* ::ffff:a.b.c.d, RFC 4291 */

	if (family == AF_INET)
		ipv4_text(out, bytes);
	else if (memcmp(bytes, mapped, sizeof(mapped)) == 0)
		ipv4_text(out, bytes + sizeof(mapped));
	else if (!inet_ntop(AF_INET6, bytes, out, INET6_ADDRSTRLEN))
		out[0] = '\0';
}

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
		address_text(text->address, is_server ? tuple->local_addr : tuple->remote_addr,
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

	ret_metrics[SERIES_OF_PROCESS] = METRIC_PROCESS_REQUEST_DURATION;
	ret_metrics[SERIES_DURATION] = metrics ? metrics->duration : METRIC_COUNT;
	ret_metrics[SERIES_REQUEST_SIZE] = metrics ? metrics->request_size : METRIC_COUNT;
	ret_metrics[SERIES_RESPONSE_SIZE] = metrics ? metrics->response_size : METRIC_COUNT;
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

/* Find a request's series by its labels. slots: NULL when they are not to be remembered. */
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
		if (slots &&
		    series_remember(observer->store, metrics[i], labels, owner, &slots[i]) == 0)
			(void)series_observe_slots(observer->store, &slots[i], &values[i],
						   1); /* just found */
		else
			(void)series_observe(observer->store, metrics[i], labels, owner,
					     values[i]); /* counted there */
	}
}

static void count_partial(const struct observer *observer, const struct request *request)
{
	const char *facts[FACT_COUNT];
	struct fact_text text;
	label_values labels;

	facts_collect(request, &text, facts);
	values_choose(observer, METRIC_REQUESTS_PARTIAL, facts, labels);
	(void)series_add(observer->store, METRIC_REQUESTS_PARTIAL, labels, 0, 1);
}

static void add_reads(struct observer *observer, const struct request *request, const char *result,
		      uint32_t count)
{
	const char *system = request->attributes[ATTRIBUTE_DB_SYSTEM_NAME];
	label_values values = { request->process->service, observe_role_name(request->role), system,
				result };

	if (count)
		(void)series_add(observer->store, METRIC_DB_READS, values, 0, count);
}

/* What the broker sends it need not have read: sendfile. So only clients know. */
static void add_messages(struct observer *observer, const struct request *request,
			 enum metric metric, uint32_t count)
{
	const char *facts[FACT_COUNT];
	struct fact_text text;
	label_values labels;

	if (!count || request->role != ROLE_CLIENT)
		return;
	facts_collect(request, &text, facts);
	values_choose(observer, metric, facts, labels);
	(void)series_add(observer->store, metric, labels, 0, count); /* counted there */
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
	};
	struct remembered *memory;
	unsigned missed;

	if (request->is_partial) {
		count_partial(observer, request);
		return;
	}
	memory = request_memory_find(observer->memory, request);
	if (memory && !memory->wanted)
		memory->wanted = (uint8_t)series_wanted(request);
	if (memory)
		missed = memory->wanted & series_observe_slots(observer->store, memory->slots,
							       values, REQUEST_SERIES);
	else
		missed = series_wanted(request);
	if (missed)
		observe_by_labels(observer, request, values, missed, memory ? memory->slots : NULL);
	add_reads(observer, request, "hit", request->read_hits);
	add_reads(observer, request, "miss", request->reads - request->read_hits);
	add_messages(observer, request, METRIC_MESSAGING_CLIENT_SENT_MESSAGES,
		     request->messages_sent);
	add_messages(observer, request, METRIC_MESSAGING_CLIENT_CONSUMED_MESSAGES,
		     request->messages_consumed);
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

struct observer *observer_new(struct series_store *store)
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
	observer->sink = (struct observation_sink){
		.context = observer,
		.request = on_request,
		.parse_outcome = on_parse_outcome,
		.tcp_connect = on_tcp_connect,
		.tcp_accept = on_tcp_accept,
		.tcp_stats = on_tcp_stats,
		.syscall_error = on_syscall_error,
	};
	return observer;
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
