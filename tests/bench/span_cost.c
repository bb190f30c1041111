/* SPDX-License-Identifier: Apache-2.0 */
/* What a span costs after its request is known: `span_cost` prints "NAME NANOSECONDS" for each step. `put` is the owner thread's, the
 * others are the exporter's: to a message, compressed, to a line of JSON. The last line is the bytes of a span in each form. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "deliver/span_queue.h"
#include "export/gzip.h"
#include "export/otlp.h"
#include "export/span_ndjson.h"
#include "protocol/protocol.h"

#define BATCH 2048
#define PASSES 200

struct bench {
	struct span_queue queue;
	struct span_record *records[BATCH];
	struct request requests[BATCH];
	struct span_identity spans[BATCH];
	char paths[BATCH][24];
	struct process process;
	struct conn_tuple tuple;
	struct arena arena;
	struct text_buffer body;
	struct text_buffer packed;
	struct text_buffer lines;
	uint64_t put_ns, encode_ns, pack_ns, lines_ns;
};

static const struct span_attribute host[] = { { "host.name", "node-7", 0 } };
static const struct span_resource resource = { host, 1 };
static const struct wall_clock wall = { 1700000000000000000u };

/* Of this process: waiting for a processor that others use is no cost. */
static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static uint64_t next_random(void)
{
	static uint64_t state = 88172645463325252u;

	/* xorshift64 (Marsaglia, "Xorshift RNGs", 2003) */
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

/* A busy service: paths, IDs and times differ, the rest hardly. */
static void make_request(struct bench *bench, uint32_t number)
{
	uint64_t ids[3] = { next_random(), next_random(), next_random() };
	struct span_identity *span = &bench->spans[number];
	uint64_t start_ns = 1000000ull * number + next_random() % 1000000;
	struct request *request = &bench->requests[number];

	*span = (struct span_identity){ .flags = 3, .join = SPAN_JOIN_GENERATED };
	memcpy(span->trace_id, ids, sizeof(span->trace_id));
	memcpy(span->span_id, ids + 2, sizeof(span->span_id));
	snprintf(bench->paths[number], sizeof(bench->paths[number]), "/items/%u", number);
	*request = (struct request){ .start_ns = start_ns,
				     .end_ns = start_ns + next_random() % 1000000,
				     .protocol = &protocol_http1,
				     .process = &bench->process,
				     .tuple = &bench->tuple,
				     .span = span,
				     .role = ROLE_SERVER };
	request->attributes[ATTRIBUTE_HTTP_REQUEST_METHOD] = "GET";
	request->attributes[ATTRIBUTE_HTTP_RESPONSE_STATUS_CODE] = "200";
	request->attributes[ATTRIBUTE_HTTP_ROUTE] = "/items/{id}";
	request->attributes[ATTRIBUTE_URL_PATH] = bench->paths[number];
	request->attributes[ATTRIBUTE_NETWORK_PROTOCOL_VERSION] = "1.1";
}

static int pass(struct bench *bench)
{
	uint64_t began;
	int error;

	began = now_ns();
	for (size_t i = 0; i < BATCH; i++) {
		void *record = span_queue_reserve(&bench->queue);

		if (!record)
			return -ENOSPC;
		span_queue_commit(&bench->queue, span_record_write(&bench->requests[i], record));
	}
	bench->put_ns += now_ns() - began;
	for (size_t i = 0; i < BATCH; i++)
		bench->records[i] = span_queue_take(&bench->queue);
	arena_clear(&bench->arena);
	text_buffer_done(&bench->body);
	text_buffer_done(&bench->packed);
	text_buffer_done(&bench->lines);
	began = now_ns();
	error = otlp_encode(bench->records, BATCH, &resource, &wall, &bench->arena, &bench->body);
	bench->encode_ns += now_ns() - began;
	began = now_ns();
	error = error ? error : gzip_compress(&bench->body, &bench->packed);
	bench->pack_ns += now_ns() - began;
	began = now_ns();
	for (size_t i = 0; i < BATCH && !error; i++) {
		arena_clear(&bench->arena);
		span_ndjson_append(bench->records[i], &resource, &wall, &bench->arena,
				   &bench->lines);
	}
	bench->lines_ns += now_ns() - began;
	span_queue_release(&bench->queue);
	return error;
}

static void print(const char *name, uint64_t ns)
{
	printf("%s %.1f\n", name, (double)ns / BATCH / PASSES);
}

int main(void)
{
	static struct bench bench = {
		.process = { .tgid = 77, .executable = "nginx", .service = "shop" },
		.tuple = { .local_addr = { 10, 0, 0, 1 },
			   .remote_addr = { 10, 0, 0, 2 },
			   .local_port = 80,
			   .remote_port = 4000,
			   .family = AF_INET }
	};
	int error = span_queue_init(&bench.queue, 4 * BATCH);
	uint64_t record_bytes;

	for (uint32_t i = 0; i < BATCH; i++)
		make_request(&bench, i);
	for (int i = 0; i < PASSES && !error; i++)
		error = pass(&bench);
	if (error) {
		fprintf(stderr, "span_cost: %s\n", strerror(-error));
		return 1;
	}
	record_bytes = bench.queue.written / BATCH / PASSES;
	print("put", bench.put_ns);
	print("encode", bench.encode_ns);
	print("compress", bench.pack_ns);
	print("ndjson", bench.lines_ns);
	printf("bytes: queue %" PRIu64 ", message %zu, compressed %zu, ndjson %zu\n", record_bytes,
	       bench.body.length / BATCH, bench.packed.length / BATCH, bench.lines.length / BATCH);
	return 0;
}
