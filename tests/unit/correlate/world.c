/* SPDX-License-Identifier: Apache-2.0 */
/* See world.h. */
#include "world.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "protocol/protocol.h"

#define CALL_NS 1000000u

static void log_text(struct world *world, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void log_text(struct world *world, const char *format, ...)
{
	size_t room = sizeof(world->log) - world->log_bytes;
	va_list list;
	int bytes;

	va_start(list, format);
	bytes = vsnprintf(world->log + world->log_bytes, room, format, list);
	va_end(list);
	if (bytes > 0)
		world->log_bytes += (size_t)bytes < room ? (size_t)bytes : room - 1;
}

/* Milliseconds from then to the request's first byte. */
static int ms_before(const struct request *request, uint64_t then_ns)
{
	return (int)(((int64_t)request->start_ns - (int64_t)then_ns) / 1000000);
}

static void keep_duration(struct world *world, const struct request *request)
{
	if (request->role != ROLE_SERVER)
		return;
	world->served_ns = request->end_ns - request->start_ns;
	world->served_parts_ns = 0;
	for (int i = 0; i < TIME_PARTS_WITHIN; i++)
		world->served_parts_ns += request->usage.part_ns[i];
}

static void on_request(void *context, const struct request *request)
{
	static const char *const joins[] = {
#define X(NAME, value, meaning) value,
		SPAN_JOINS(X)
#undef X
	};
	const struct span_identity *span = request->span;
	const char *path = request->attributes[ATTRIBUTE_URL_PATH];
	const char *operation = request->attributes[ATTRIBUTE_DB_OPERATION_NAME];
	const char *messaging = request->attributes[ATTRIBUTE_MESSAGING_OPERATION_NAME];
	const char *type = request->attributes[ATTRIBUTE_DNS_QUESTION_TYPE];

	if (request->is_untimed) /* no span */
		return;
	keep_duration(context, request);
	log_text(context, "%s %s", request->role == ROLE_SERVER ? "server" : "client",
		 path	   ? path :
		 operation ? operation :
		 messaging ? messaging :
		 type	   ? type :
			     "-");
	if (request->part == SPAN_PART_CONNECT)
		log_text(context, " %s", request->attributes[ATTRIBUTE_ERROR_TYPE]);
	if (request->part != SPAN_PART_REQUEST)
		log_text(context, " alone");
	if (!span) {
		log_text(context, ";");
		return;
	}
	log_text(context, " %s %x/%x<%x", joins[span->join], span->trace_id[TRACE_ID_BYTES - 1],
		 span->span_id[SPAN_ID_BYTES - 1], span->parent_span_id[SPAN_ID_BYTES - 1]);
	if (span->flags != (TRACE_FLAG_SAMPLED | TRACE_FLAG_RANDOM))
		log_text(context, " flags=%x", span->flags);
	for (size_t i = 0; i < request->span_link_count; i++)
		log_text(context, " %x/%x", request->span_links[i].trace_id[TRACE_ID_BYTES - 1],
			 request->span_links[i].span_id[SPAN_ID_BYTES - 1]);
	for (size_t i = 0; i < request->lookup_count; i++)
		log_text(context, " %s=%d..%d", request->lookups[i].type,
			 ms_before(request, request->lookups[i].start_ns),
			 ms_before(request, request->lookups[i].end_ns));
	if (request->opening)
		log_text(context, " opening=%d..%d", ms_before(request, request->opening->start_ns),
			 ms_before(request, request->opening->end_ns));
	else if (request->span_start_ns && !request->lookup_count)
		log_text(context, " from=%d", ms_before(request, request->span_start_ns));
	if (request->span_links_dropped)
		log_text(context, " +%u", request->span_links_dropped);
	if (request->tracestate)
		log_text(context, " state=%s", request->tracestate);
	if (request->attributes[ATTRIBUTE_HTTP_REQUEST_ID])
		log_text(context, " id=%s", request->attributes[ATTRIBUTE_HTTP_REQUEST_ID]);
	log_text(context, ";");
}

static void on_outcome(void *context, const char *protocol_name, enum parse_outcome outcome)
{
	(void)context;
	(void)protocol_name;
	(void)outcome;
}

static void on_stats(void *context, const struct conn_ref *conn, const struct tcp_stats *stats,
		     const struct process *process)
{
	(void)context;
	(void)conn;
	(void)stats;
	(void)process;
}

static void on_connect(void *context, const struct event_tcp_connect *event,
		       const struct process *process)
{
	(void)context;
	(void)event;
	(void)process;
}

static void on_accept(void *context, const struct event_tcp_accept *event,
		      const struct process *process)
{
	(void)context;
	(void)event;
	(void)process;
}

static void fill_random(void *context, uint8_t *ret_bytes, size_t count)
{
	struct world *world = context;

	memset(ret_bytes, 0, count);
	ret_bytes[count - 1] = ++world->random;
}

int world_open(struct world *world, bool with_spans)
{
	static const struct engine_limits limits = { .connections = 256,
						     .routes_per_service = 50,
						     .services = 4 };
	static struct observation_sink sink = { .request = on_request,
						.parse_outcome = on_outcome,
						.tcp_stats = on_stats,
						.tcp_connect = on_connect,
						.tcp_accept = on_accept };
	struct engine_feedback feedback = { .context = world,
					    .random = with_spans ? fill_random : NULL };

	memset(world, 0, sizeof(*world));
	world->now_ns = 1000 * (uint64_t)CALL_NS;
	sink.context = world;
	world->processes = process_table_new(16, NULL, NULL);
	if (!world->processes)
		return -ENOMEM;
	world->engine = engine_new(&limits, world->processes, &sink, &feedback);
	if (!world->engine) {
		process_table_free(&world->processes);
		return -ENOMEM;
	}
	engine_set_spans_of_instrumented(world->engine, INSTRUMENTED_ON);
	return 0;
}

void world_close(struct world *world)
{
	engine_free(&world->engine);
	process_table_free(&world->processes);
}

struct wire *world_connect(struct world *world, enum conn_role role, uint32_t tgid)
{
	struct wire *wire = &world->wires[world->count++ % WORLD_WIRES];
	uint16_t port = (uint16_t)(40000 + world->count);

	*wire = (struct wire){
		.conn = { .conn_id = world->count,
			  .sock = world->count << 8,
			  .role = (uint8_t)role,
			  .tuple = { .local_addr = { 127, 0, 0, 1 },
				     .remote_addr = { 127, 0, 0, 1 },
				     .local_port = role == ROLE_CLIENT ? port : 80,
				     .remote_port = role == ROLE_CLIENT ? 80 : port,
				     .family = AF_INET } },
		.tgid = tgid,
	};
	return wire;
}

struct wire *world_connect_to(struct world *world, const struct wire *end, enum conn_role role,
			      uint32_t tgid)
{
	struct wire *wire = world_connect(world, role, tgid);

	wire->conn.tuple.local_port = end->conn.tuple.remote_port;
	wire->conn.tuple.remote_port = end->conn.tuple.local_port;
	return wire;
}

static void feed(struct world *world, const void *bytes, size_t length)
{
	void *copy = malloc(length);
	struct event event;

	if (!copy)
		return; /* a failing allocation under test */
	memcpy(copy, bytes, length);
	if (event_decode(copy, length, &event) == 0)
		(void)engine_feed(world->engine, &event);
	free(copy);
}

void world_move(struct world *world, struct wire *wire, uint32_t tid, enum turn_dir dir,
		const void *bytes, size_t length)
{
	bool is_new = !wire->conn.turn_no || wire->turn.dir != dir;
	struct {
		struct event_turn turn;
		char payload[PREFIX_MAX];
	} record = { .turn = { .header = { .tgid = wire->tgid, .kind = EVENT_TURN }, .tid = tid } };

	world->now_ns += CALL_NS;
	if (is_new) {
		record.turn.prev = wire->turn;
		wire->conn.turn_no++;
		wire->turn =
			(struct turn_summary){ .start_ns = world->now_ns, .dir = (uint8_t)dir };
	}
	record.turn.offset = (uint32_t)wire->turn.bytes;
	wire->turn.calls++;
	wire->turn.bytes += length;
	wire->turn.last_ns = world->now_ns;
	record.turn.header.ktime_ns = world->now_ns;
	record.turn.conn = wire->conn;
	record.turn.turn = wire->turn;
	record.turn.call_bytes = length;
	record.turn.position = wire->position[dir];
	wire->position[dir] += (uint32_t)length;
	record.turn.captured = (uint16_t)length;
	record.turn.turn_flags = is_new ? 0 : TURN_CONTINUED;
	record.turn.header.size = (uint16_t)(sizeof(record.turn) + length);
	memcpy(record.payload, bytes, length);
	feed(world, &record, record.turn.header.size);
}

void world_read(struct world *world, struct wire *wire, uint32_t tid, const char *bytes)
{
	world_move(world, wire, tid, DIR_READ, bytes, strlen(bytes));
}

void world_write(struct world *world, struct wire *wire, uint32_t tid, const char *bytes)
{
	world_move(world, wire, tid, DIR_WRITE, bytes, strlen(bytes));
}

void world_read_unseen(struct world *world, struct wire *wire, const char *bytes)
{
	world->now_ns += CALL_NS;
	wire->turn.calls++;
	wire->turn.bytes += strlen(bytes);
	wire->turn.last_ns = world->now_ns;
	wire->position[DIR_READ] += (uint32_t)strlen(bytes);
}

void world_pause(struct world *world, unsigned milliseconds)
{
	world->now_ns += milliseconds * 1000000ull;
	engine_tick(world->engine, world->now_ns);
}

void world_publish(struct world *world, const struct wire *wire, uint32_t tid, uint8_t trace,
		   uint8_t span)
{
	struct event_thread_context event = {
		.header = { .ktime_ns = world->now_ns + CALL_NS,
			    .tgid = wire->tgid,
			    .kind = EVENT_THREAD_CONTEXT,
			    .size = sizeof(event) },
		.conn_id = wire->conn.conn_id,
		.trace_id[TRACE_ID_BYTES - 1] = trace,
		.span_id[SPAN_ID_BYTES - 1] = span,
		.valid = 1,
		.trace_flags = TRACE_FLAG_SAMPLED,
		.tid = tid,
	};

	feed(world, &event, sizeof(event));
}

void world_go(struct world *world, const struct wire *wire, uint32_t tid, uint32_t goroutine,
	      uint32_t awaited_by)
{
	struct event_goroutine event = {
		.header = { .ktime_ns = world->now_ns + CALL_NS,
			    .tgid = wire->tgid,
			    .kind = EVENT_GOROUTINE,
			    .size = sizeof(event) },
		.conn_id = wire->conn.conn_id,
		.tid = tid,
		.goroutine = goroutine,
		.awaited_by = awaited_by,
	};

	feed(world, &event, sizeof(event));
}

void world_opened(struct world *world, const struct wire *wire, unsigned milliseconds)
{
	uint64_t start_ns = world->now_ns - milliseconds * 1000000ull;
	struct event_header header = { .ktime_ns = world->now_ns, .tgid = wire->tgid };
	struct event_tcp_connect connect = { .header = header,
					     .conn = wire->conn,
					     .start_ns = start_ns };
	struct event_tcp_accept accept = { .header = header,
					   .conn = wire->conn,
					   .established_ns = start_ns };

	connect.header.kind = EVENT_TCP_CONNECT;
	connect.header.size = sizeof(connect);
	accept.header.kind = EVENT_TCP_ACCEPT;
	accept.header.size = sizeof(accept);
	if (wire->conn.role == ROLE_CLIENT)
		feed(world, &connect, sizeof(connect));
	else
		feed(world, &accept, sizeof(accept));
}

void world_connect_fails(struct world *world, const struct wire *wire, uint32_t tid,
			 unsigned milliseconds, int error)
{
	struct {
		struct event_tcp_connect connect;
		struct connect_caller caller;
	} record = {
		.connect = { .header = { .ktime_ns = world->now_ns,
					 .tgid = wire->tgid,
					 .kind = EVENT_TCP_CONNECT,
					 .size = sizeof(record) },
			     .conn = wire->conn,
			     .start_ns = world->now_ns - milliseconds * 1000000ull,
			     .error = error,
			     .outcome = error ? CONNECT_REFUSED : CONNECT_OTHER },
		.caller = { .tid = tid },
	};

	/* Of an older recording. */
	if (!tid)
		record.connect.header.size = sizeof(record.connect);
	feed(world, &record, record.connect.header.size);
}

static void datagram(struct world *world, uint32_t tgid, uint64_t socket, enum turn_dir dir,
		     const uint8_t *bytes, size_t length)
{
	struct {
		struct event_datagram datagram;
		uint8_t payload[DATAGRAM_CAPTURE_MAX];
	} record = { .datagram = { .header = { .tgid = tgid, .kind = EVENT_DATAGRAM },
				   .socket = socket,
				   .tuple = { .family = AF_INET, .remote_port = 53 },
				   .bytes = (uint32_t)length,
				   .captured = (uint16_t)length,
				   .dir = (uint8_t)dir } };

	world->now_ns += CALL_NS;
	record.datagram.header.ktime_ns = world->now_ns;
	record.datagram.header.size = (uint16_t)(sizeof(record.datagram) + length);
	memcpy(record.payload, bytes, length);
	feed(world, &record, record.datagram.header.size);
}

void world_resolve(struct world *world, uint32_t tgid, uint64_t socket, uint8_t type,
		   const uint8_t *address)
{
	uint8_t length = type == DNS_TYPE_A ? 4 : 16;
	uint8_t bytes[64] = { 0, type, 1, 0, 0, 1, [12] = 1, 'a', 0, 0, type, 0, 1 };
	/* The name once more, its type, class and time to live. */
	const uint8_t record[12] = { 0xc0, 12, 0, type, 0, 1, [11] = length };

	datagram(world, tgid, socket, DIR_WRITE, bytes, 19);
	bytes[2] = 0x81;
	bytes[7] = address != NULL;
	memcpy(bytes + 19, record, sizeof(record));
	if (address)
		memcpy(bytes + 19 + sizeof(record), address, length);
	datagram(world, tgid, socket, DIR_READ, bytes, address ? 19 + sizeof(record) + length : 19);
}

void world_hang_up(struct world *world, struct wire *wire)
{
	struct event_tcp_close event = {
		.header = { .tgid = wire->tgid, .kind = EVENT_TCP_CLOSE, .size = sizeof(event) },
		.conn = wire->conn,
		.turn = wire->turn,
	};

	world->now_ns += CALL_NS;
	event.header.ktime_ns = world->now_ns;
	event.conn.flags |= CONN_CLOSED;
	feed(world, &event, sizeof(event));
}

void world_thread(struct world *world, uint32_t tgid, uint32_t tid, uint32_t by_tid)
{
	struct event_thread event = {
		.header = { .tgid = tgid, .kind = EVENT_THREAD, .size = sizeof(event) },
		.tid = tid,
		.by_tid = by_tid,
	};

	world->now_ns += CALL_NS;
	event.header.ktime_ns = world->now_ns;
	feed(world, &event, sizeof(event));
}
