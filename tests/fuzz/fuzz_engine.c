/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes to sequences of turn, progress, open, close and tick on four connections, with the fields an attacker, a loss or a
 * bug of ours could bring. What is reported must make sense, and nothing may leak. Input: records of 6
 * bytes (what, connection and direction, turn number's step, flags, two lengths), then payload. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "correlate/engine.h"

#define CONNECTIONS 4

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct world {
	struct engine *engine;
	uint64_t now_ns;
	struct conn_ref conns[CONNECTIONS];
	struct turn_summary turns[CONNECTIONS];
};

/* The span begins with what came before the request. */
static void check_opening(const struct request *request)
{
	const struct span_opening *opening = request->opening;

	if (request->span_start_ns > request->start_ns || (opening && !request->span_start_ns))
		abort();
	if (opening && (opening->start_ns != request->span_start_ns ||
			opening->end_ns < opening->start_ns || opening->end_ns > request->start_ns))
		abort();
}

static void on_request(void *context, const struct request *request)
{
	struct world *world = context;

	if (request->role != ROLE_CLIENT && request->role != ROLE_SERVER)
		abort();
	if (!request->process || (!request->protocol && request->part != SPAN_PART_CONNECT) ||
	    request->end_ns < request->start_ns || request->start_ns > world->now_ns)
		abort();
	check_opening(request);

	for (int i = 0; i < ATTRIBUTE_COUNT; i++)
		if (request->attributes[i] && strlen(request->attributes[i]) > 300)
			abort();
}

static void on_outcome(void *context, const char *name, enum parse_outcome outcome)
{
	(void)context;
	if (!name || outcome >= PARSE_OUTCOME_COUNT)
		abort();
}

static void on_connect(void *context, const struct event_tcp_connect *event,
		       const struct process *process)
{
	(void)context, (void)event, (void)process;
}

static void on_accept(void *context, const struct event_tcp_accept *event,
		      const struct process *process)
{
	(void)context, (void)event, (void)process;
}

static void on_stats(void *context, const struct conn_ref *conn, const struct tcp_stats *stats,
		     const struct process *process)
{
	(void)context, (void)conn, (void)stats, (void)process;
}

static void on_message(void *context, const struct free_message *message)
{
	(void)context;
	if (!message->type || message->role == ROLE_UNKNOWN)
		abort();
}

static void on_tunnel(void *context, const struct tunnel *tunnel)
{
	(void)context;
	if (!tunnel->name || tunnel->role == ROLE_UNKNOWN)
		abort();
}

static void on_error(void *context, const struct event_syscall_error *event,
		     const struct process *process)
{
	(void)context, (void)event, (void)process;
}

static void feed(struct world *world, const void *bytes, size_t length)
{
	void *copy = malloc(length);
	struct event event;

	if (!copy)
		return;
	memcpy(copy, bytes, length);
	if (event_decode(copy, length, &event) == 0)
		(void)engine_feed(world->engine, &event);
	free(copy);
}

static void on_ask(void *context, uint64_t sock, uint64_t conn_id)
{
	struct world *world = context;
	struct event_turn_progress event = { .header = { .kind = EVENT_TURN_PROGRESS,
							 .size = sizeof(event) } };

	(void)sock;
	event.conn = world->conns[conn_id % CONNECTIONS];
	event.turn = world->turns[conn_id % CONNECTIONS];
	feed(world, &event, sizeof(event));
}

static void turn(struct world *world, const uint8_t *record, const uint8_t *payload, size_t length)
{
	struct {
		struct event_turn turn;
		uint8_t payload[256];
	} event = { .turn = { .header = { .ktime_ns = world->now_ns,
					  .tgid = 1 + record[1] / 128,
					  .kind = EVENT_TURN } } };
	size_t which = record[1] % CONNECTIONS;
	struct turn_summary *turn = &world->turns[which];
	uint8_t dir = record[1] >> 2 & 1;

	event.turn.prev = *turn;
	event.turn.turn_flags = record[3] & 0x0f;
	if (!(record[3] & TURN_CONTINUED)) {
		world->conns[which].turn_no += record[2] % 8 ? 1 : record[2];
		*turn = (struct turn_summary){ .start_ns = world->now_ns };
	}
	event.turn.offset = (uint32_t)turn->bytes + (record[3] & 0x10 ? record[5] : 0);
	turn->dir = dir;
	turn->calls++;
	turn->last_ns = world->now_ns;
	event.turn.call_bytes =
		length + (record[3] & 0x20 ? (uint64_t)record[5] << (record[2] & 31) : 0);
	turn->bytes += event.turn.call_bytes;
	turn->tail = record[3] & 0x40 ? 0x0a0d0a0d300a0d00 : 0;
	event.turn.turn = *turn;
	event.turn.conn = world->conns[which];
	if (event.turn.turn_flags & TURN_LATE)
		event.turn.conn.turn_no -= record[2] & 1;
	event.turn.captured = (uint16_t)length;
	event.turn.header.size = (uint16_t)(sizeof(event.turn) + length);
	memcpy(event.payload, payload, length);
	feed(world, &event, event.turn.header.size);
}

static void hang_up(struct world *world, const uint8_t *record)
{
	struct event_tcp_close event = { .header = { .ktime_ns = world->now_ns,
						     .kind = EVENT_TCP_CLOSE,
						     .size = sizeof(event) } };
	size_t which = record[1] % CONNECTIONS;

	event.conn = world->conns[which];
	event.conn.flags |= record[3];
	event.conn.turn_no += record[2] & 3;
	event.turn = world->turns[which];
	feed(world, &event, sizeof(event));
	world->conns[which].conn_id += CONNECTIONS;
	world->conns[which].turn_no = 0;
	world->conns[which].role = record[4] % ROLE_COUNT;
	world->conns[which].flags = record[5] & CONN_PREEXISTING;
	world->turns[which] = (struct turn_summary){ 0 };
}

static void come_up(struct world *world, const uint8_t *record)
{
	size_t which = record[1] % CONNECTIONS;
	uint64_t start_ns = world->now_ns - record[3] * 1000000ull;
	struct event_header header = { .ktime_ns = world->now_ns - record[4] % 3 * 1000000ull,
				       .tgid = 1 };
	struct {
		struct event_tcp_connect event;
		struct connect_caller caller;
	} connect = { .event = { .header = header, .start_ns = start_ns },
		      .caller = { .tid = record[4] & 1 } };
	struct event_tcp_accept accept = { .header = header, .established_ns = start_ns };

	connect.event.conn = accept.conn = world->conns[which];
	connect.event.header.kind = EVENT_TCP_CONNECT;
	connect.event.header.size = sizeof(connect);
	connect.event.outcome = record[5] % CONNECT_OUTCOME_COUNT;
	connect.event.error = record[5] >> 4;
	accept.header.kind = EVENT_TCP_ACCEPT;
	accept.header.size = sizeof(accept);
	if (record[2] & 1)
		feed(world, &connect, sizeof(connect));
	else
		feed(world, &accept, sizeof(accept));
}

static size_t take_record(struct world *world, const uint8_t *record, size_t size)
{
	size_t length = record[4] <= size - 6 ? record[4] : size - 6;

	world->now_ns += 1000;
	switch (record[0] % 8) {
	case 4:
		if (record[0] & 0x80) {
			come_up(world, record);
			return 6;
		}
		turn(world, record, record + 6, length);
		return 6 + length;
	case 5:
		on_ask(world, 0, record[1]);
		return 6;
	case 6:
		hang_up(world, record);
		return 6;
	case 7:
		world->now_ns += record[5] * 50000000ull;
		engine_tick(world->engine, world->now_ns);
		return 6;
	default:
		turn(world, record, record + 6, length);
		return 6 + length;
	}
}

static void fill_random(void *context, uint8_t *ret_bytes, size_t count)
{
	(void)context;
	memset(ret_bytes, 7, count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct engine_limits limits = { .connections = 3,
						     .routes_per_service = 2,
						     .services = 1 };
	struct world world = { .now_ns = 1000000000 };
	struct observation_sink sink = { .context = &world,
					 .request = on_request,
					 .message = on_message,
					 .tunnel = on_tunnel,
					 .parse_outcome = on_outcome,
					 .tcp_connect = on_connect,
					 .tcp_accept = on_accept,
					 .tcp_stats = on_stats,
					 .syscall_error = on_error };
	struct engine_feedback feedback = { .context = &world,
					    .ask_progress = on_ask,
					    .random = fill_random };
	struct process_table *processes = process_table_new(8, NULL, NULL);

	world.engine = engine_new(&limits, processes, &sink, &feedback);
	for (uint8_t i = 0; i < CONNECTIONS; i++)
		world.conns[i] =
			(struct conn_ref){ .conn_id = CONNECTIONS + i, .role = i % ROLE_COUNT };
	while (size >= 6) {
		size_t taken = take_record(&world, data, size);

		data += taken;
		size -= taken;
	}
	world.now_ns += 60000000000;
	engine_tick(world.engine, world.now_ns);
	engine_free(&world.engine);
	process_table_free(&processes);
	return 0;
}
