/* SPDX-License-Identifier: Apache-2.0 */
/* What an output does not take is missing, and the recording says how much and where. */
#include "ring/recorder.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

struct sink {
	char bytes[4096];
	size_t used;
	int answer;
};

static int sink_write(void *context, const void *bytes, size_t length)
{
	struct sink *sink = context;

	if (sink->answer)
		return sink->answer;
	assert_in_range(sink->used + length, 0, sizeof(sink->bytes));
	memcpy(sink->bytes + sink->used, bytes, length);
	sink->used += length;
	return 0;
}

static void append(struct recorder *recorder, uint64_t ktime_ns)
{
	struct event_process_exit event = {
		.header = { .ktime_ns = ktime_ns,
			    .kind = EVENT_PROCESS_EXIT,
			    .size = sizeof(event) },
	};

	assert_int_equal(recorder_append(recorder, &event, sizeof(event)), 0);
}

/* Times of the events in order; gaps as their negative count. */
static size_t read_back(const struct sink *sink, int64_t *ret_seen)
{
	size_t at = sizeof(struct recording_header), count = 0;
	struct recording_view view;

	assert_null(recording_header_fault(sink->bytes, sink->used));
	while (recording_record_read(sink->bytes + at, sink->used - at, &view) == 0) {
		struct event_header header;

		memcpy(&header, view.event, sizeof(header));
		ret_seen[count++] =
			view.dropped ? -(int64_t)view.dropped : (int64_t)header.ktime_ns;
		at += view.record_bytes;
	}
	assert_int_equal(at, sink->used);
	return count;
}

static void start(struct recorder *recorder, struct sink *sink)
{
	const struct recorder_output output = { sink, sink_write };
	const struct bpf_settings settings = { .prefix_bytes = 1024 };
	struct recording_header header;

	recording_header_make(&settings, 1, 2, &header);
	assert_int_equal(recorder_start(recorder, &output, &header), 0);
}

static void test_gaps(void **state)
{
	struct sink sink = { 0 };
	struct recorder recorder;
	int64_t seen[16];

	(void)state;
	start(&recorder, &sink);
	append(&recorder, 1);
	sink.answer = -ENOBUFS;
	append(&recorder, 2);
	append(&recorder, 3);
	sink.answer = 0;
	append(&recorder, 4);
	append(&recorder, 5);
	sink.answer = -ENOBUFS;
	append(&recorder, 6);
	assert_int_equal(recorder_finish(&recorder), -ENOBUFS);
	sink.answer = 0;
	assert_int_equal(recorder_finish(&recorder), 0);
	assert_int_equal(recorder_finish(&recorder), 0);
	assert_int_equal(recorder.recorded, 3);
	assert_int_equal(recorder.dropped, 3);
	assert_int_equal(read_back(&sink, seen), 5);
	assert_memory_equal(seen, ((int64_t[]){ 1, -2, 4, 5, -1 }), 5 * sizeof(seen[0]));
}

/* The gap found room, the event behind it did not. */
static int one_write(void *context, const void *bytes, size_t length)
{
	struct sink *sink = context;
	int error = sink_write(context, bytes, length);

	sink->answer = -ENOBUFS;
	return error;
}

static void test_gap_then_full(void **state)
{
	struct sink sink = { 0 };
	struct recorder recorder;
	int64_t seen[16];

	(void)state;
	start(&recorder, &sink);
	sink.answer = -ENOBUFS;
	append(&recorder, 1);
	sink.answer = 0;
	recorder.output.write = one_write;
	append(&recorder, 2);
	sink.answer = 0;
	assert_int_equal(recorder_finish(&recorder), 0);
	assert_int_equal(recorder.dropped, 2);
	assert_int_equal(read_back(&sink, seen), 2);
	assert_memory_equal(seen, ((int64_t[]){ -1, -1 }), 2 * sizeof(seen[0]));
}

static void test_errors(void **state)
{
	struct event_process_exit event = { .header = { .kind = EVENT_PROCESS_EXIT } };
	const struct recorder_output output = { &(struct sink){ .answer = -EPIPE }, sink_write };
	struct recording_header header = { 0 };
	struct sink sink = { 0 };
	struct recorder recorder;

	(void)state;
	assert_int_equal(recorder_start(&recorder, &output, &header), -EPIPE);
	start(&recorder, &sink);
	assert_int_equal(recorder_append(&recorder, &event, 3), -EMSGSIZE);
	sink.answer = -EPIPE;
	assert_int_equal(recorder_append(&recorder, &event, sizeof(event)), -EPIPE);
	assert_int_equal(recorder.recorded, 0);
	assert_int_equal(recorder.dropped, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_gaps),
		cmocka_unit_test(test_gap_then_full),
		cmocka_unit_test(test_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
