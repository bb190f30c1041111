/* SPDX-License-Identifier: Apache-2.0 */
/* From a raw event in the agent, over the control socket, to a recording that can be read. */
#include "agent/recording_feed.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "ring/recording.h"
#include "serve/unix_socket.h"

#define MARK 0x5eed5eed5eedull

static struct recording_feed feed;

static int started(void *context, struct control_stream *stream)
{
	return recording_feed_started(context, stream);
}

static void finishing(void *context, struct control_stream *stream)
{
	recording_feed_finishing(context, stream);
}

static void ended(void *context, struct control_stream *stream)
{
	recording_feed_ended(context, stream);
}

static const struct control_stream_kind kinds[] = { { RECORDING_STREAM, started, finishing,
						      ended } };
static const struct control_table table = { .context = &feed, .streams = kinds, .stream_count = 1 };

static void append(uint64_t ktime_ns)
{
	struct event_tcp_sample event = {
		.header = { .ktime_ns = ktime_ns, .kind = EVENT_TCP_SAMPLE, .size = sizeof(event) },
		.conn.sock = MARK,
	};

	recording_feed_append(&feed, &event, sizeof(event));
}

struct reader {
	char *bytes;
	size_t used;
	size_t size;
};

static void take(struct control_server *server, int fd, struct reader *reader)
{
	for (int idle = 0; idle < 3;) {
		ssize_t got;

		assert_int_equal(control_server_run(server, 1), 0);
		if (reader->size - reader->used < 65536) {
			reader->size = reader->size * 2 + 131072;
			reader->bytes = realloc(reader->bytes, reader->size);
			assert_non_null(reader->bytes);
		}
		got = recv(fd, reader->bytes + reader->used, reader->size - reader->used,
			   MSG_DONTWAIT);
		idle = got > 0 ? 0 : idle + 1;
		reader->used += got > 0 ? (size_t)got : 0;
	}
}

struct contents {
	uint64_t samples;
	uint64_t dropped;
	uint64_t processes;
	bool has_self;
};

static struct contents read_contents(const struct reader *reader)
{
	const char *line_end = memchr(reader->bytes, '\n', reader->used);
	struct contents contents = { 0 };
	struct recording_view view;
	size_t at = (size_t)(line_end - reader->bytes) + 1;

	assert_non_null(line_end);
	assert_null(memmem(reader->bytes, reader->used, &(uint64_t){ MARK }, 8));
	assert_null(recording_header_fault(reader->bytes + at, reader->used - at));
	at += sizeof(struct recording_header);
	for (; recording_record_read(reader->bytes + at, reader->used - at, &view) == 0;
	     at += view.record_bytes) {
		struct event_header header;

		memcpy(&header, view.event, sizeof(header));
		contents.dropped += view.dropped;
		contents.samples += header.kind == EVENT_TCP_SAMPLE;
		contents.processes += header.kind == EVENT_PROCESS_EXEC;
		contents.has_self |=
			header.kind == EVENT_PROCESS_EXEC && header.tgid == (uint32_t)getpid();
	}
	assert_int_equal(at, reader->used);
	return contents;
}

static void feed_self(struct process_table *processes)
{
	struct event_process_exec exec = { .header = { .ktime_ns = 1,
						       .tgid = (uint32_t)getpid(),
						       .kind = EVENT_PROCESS_EXEC,
						       .size = sizeof(exec) },
					   .comm = "self" };
	struct event event;

	assert_int_equal(event_decode(&exec, sizeof(exec), &event), 0);
	assert_int_equal(process_table_feed(processes, &event), 0);
}

static void test_streaming(void **state)
{
	char directory[] = "/tmp/sonde-test-feed-XXXXXX", path[64];
	struct control_server *server = NULL;
	struct process_table *processes;
	struct reader reader = { 0 };
	struct contents contents;
	int fd;

	(void)state;
	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/sock", directory);
	processes = process_table_new(16, NULL, NULL);
	assert_non_null(processes);
	feed_self(processes);
	recording_feed_init(&feed, &(struct bpf_settings){ .prefix_bytes = 512 }, processes);
	assert_int_equal(control_server_open(path, &table, &server), 0);
	append(1); /* nobody listens */
	fd = unix_socket_connect(path);
	assert_true(fd >= 0);
	assert_int_equal(send(fd, "stream record\n", 14, 0), 14);
	take(server, fd, &reader);
	append(2);
	take(server, fd, &reader);
	for (size_t i = 0; i < CONTROL_STREAM_QUEUE / sizeof(struct event_tcp_sample) + 1000; i++)
		append(3 + i);
	assert_true(recording_feed_dropped(&feed) > 0);
	shutdown(fd, SHUT_WR);
	take(server, fd, &reader);
	contents = read_contents(&reader);
	assert_true(contents.has_self);
	assert_int_equal(contents.dropped, recording_feed_dropped(&feed));
	assert_int_equal(contents.samples + contents.dropped,
			 1 + CONTROL_STREAM_QUEUE / sizeof(struct event_tcp_sample) + 1000);
	for (size_t i = 0; i < RECORDING_FEED_MAX; i++)
		assert_null(feed.recorders[i]);
	close(fd);
	control_server_close(&server);
	process_table_free(&processes);
	free(reader.bytes);
	rmdir(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_streaming),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
