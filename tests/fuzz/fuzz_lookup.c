/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes to datagrams on four sockets, with time between them: what is reported must make sense, each lookup ends once, and
 * nothing may leak. Input: records of 4 bytes (what, length, time, other end), then payload. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "correlate/engine.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct world {
	struct engine *engine;
	uint64_t now_ns;
	uint64_t lost;
	size_t datagrams;
	size_t ends;
	size_t kept; /* lookups without their span … */
	size_t told; /* … which is told later: here nobody connects */
};

static void on_request(void *context, const struct request *request)
{
	struct world *world = context;

	world->kept += !request->span;
	world->told += request->part != SPAN_PART_REQUEST;
	if ((request->role != ROLE_CLIENT && request->role != ROLE_SERVER) ||
	    request->end_ns < request->start_ns || request->end_ns > world->now_ns)
		abort();
	for (int i = 0; i < ATTRIBUTE_COUNT; i++)
		if (request->attributes[i] && strlen(request->attributes[i]) > 127)
			abort();
}

static void on_outcome(void *context, const char *name, enum parse_outcome outcome)
{
	struct world *world = context;

	if (strcmp(name, "dns") != 0 || outcome >= PARSE_OUTCOME_COUNT)
		abort();
	world->ends += outcome != PARSE_TRUNCATED;
}

static uint64_t on_lost(void *context)
{
	const struct world *world = context;

	return world->lost;
}

static void datagram(struct world *world, const uint8_t *record, const uint8_t *payload,
		     size_t length)
{
	struct {
		struct event_datagram datagram;
		uint8_t payload[256];
	} event = { .datagram = { .header = { .ktime_ns = world->now_ns,
					      .tgid = 1,
					      .kind = EVENT_DATAGRAM },
				  .socket = record[0] & 3,
				  .bytes = (uint32_t)(length + (record[0] >> 3 & 1) * 300),
				  .captured = (uint16_t)length,
				  .dir = record[0] >> 2 & 1,
				  .tuple = { .family = AF_INET, .remote_port = record[3] } } };
	struct event decoded;
	void *copy;

	event.datagram.header.size = (uint16_t)(sizeof(event.datagram) + length);
	memcpy(event.payload, payload, length);
	copy = malloc(event.datagram.header.size);
	if (!copy)
		return;
	memcpy(copy, &event, event.datagram.header.size);
	if (event_decode(copy, event.datagram.header.size, &decoded) == 0) {
		world->datagrams++;
		(void)engine_feed(world->engine, &decoded);
	}
	free(copy);
}

static void fill_random(void *context, uint8_t *ret_bytes, size_t count)
{
	(void)context;
	memset(ret_bytes, 1, count);
}

static void pass(struct world *world, uint64_t ns)
{
	world->now_ns += ns;
	engine_tick(world->engine, world->now_ns);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct engine_limits limits = { .connections = 2,
					      .routes_per_service = 4,
					      .services = 2 };
	struct world world = { .now_ns = 1000000000000 };
	const struct observation_sink sink = { .context = &world,
					       .request = on_request,
					       .parse_outcome = on_outcome };
	const struct engine_feedback feedback = { .context = &world,
						  .events_lost = on_lost,
						  .random = fill_random };
	struct process_table *processes = process_table_new(4, NULL, NULL);
	struct engine_stats stats;

	if (!processes)
		return 0;
	world.engine = engine_new(&limits, processes, &sink, &feedback);
	while (world.engine && size >= 4) {
		size_t length = data[1] <= size - 4 ? data[1] : size - 4;

		datagram(&world, data, data + 4, length);
		world.lost += data[0] >> 7;
		pass(&world, (uint64_t)data[2] * 50000000);
		data += 4 + length;
		size -= 4 + length;
	}
	if (world.engine) {
		pass(&world, 2000000000);
		pass(&world, 6000000000);
		engine_stats_read(world.engine, &stats);
		if (stats.lookups || world.ends > world.datagrams)
			abort();
	}
	engine_free(&world.engine);
	process_table_free(&processes);
	if (world.kept != world.told)
		abort();
	return 0;
}
