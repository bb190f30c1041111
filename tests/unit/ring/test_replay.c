/* SPDX-License-Identifier: Apache-2.0 */
/* Files cut at every length and damaged at every byte: what comes before is used, and the place is told. */
#include "ring/replay.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "ring/recorder.h"

#define EVENTS 5

struct file {
	char bytes[1024];
	size_t used;
	size_t ends[EVENTS + 2]; /* of the header, of the events, of a gap */
};

static int file_write(void *context, const void *bytes, size_t length)
{
	struct file *file = context;

	memcpy(file->bytes + file->used, bytes, length);
	file->used += length;
	return 0;
}

static void make_file(struct file *file)
{
	const struct recorder_output output = { file, file_write };
	const struct bpf_settings settings = { .prefix_bytes = 512 };
	struct recording_header header;
	struct recorder recorder;

	*file = (struct file){ 0 };
	recording_header_make(&settings, 1, 2, &header);
	assert_int_equal(recorder_start(&recorder, &output, &header), 0);
	file->ends[0] = file->used;
	for (uint64_t i = 1; i <= EVENTS; i++) {
		struct event_process_fork event = {
			.header = { .ktime_ns = i,
				    .kind = EVENT_PROCESS_FORK,
				    .size = sizeof(event) },
		};

		/* Lengths that need padding. */
		assert_int_equal(recorder_append(&recorder, &event, sizeof(event) - (i & 3)), 0);
		file->ends[i] = file->used;
	}
	recorder.dropped_unsaid = 7;
	assert_int_equal(recorder_finish(&recorder), 0);
	file->ends[EVENTS + 1] = file->used;
}

struct seen {
	uint64_t count;
	uint64_t stop_at; /* 0: never */
};

static int visit(void *context, const void *bytes, size_t length)
{
	const struct event_header *header = bytes;
	struct seen *seen = context;

	assert_int_equal((uintptr_t)bytes % 8, 0);
	assert_int_equal(header->ktime_ns, ++seen->count);
	assert_int_equal(length, sizeof(struct event_process_fork) - (seen->count & 3));
	return seen->count == seen->stop_at ? -ECANCELED : 0;
}

static int run(const struct file *file, size_t length, struct seen *seen,
	       struct replay_result *ret_result)
{
	FILE *stream = fmemopen((void *)file->bytes, length ? length : 1, "r");
	int error;

	assert_non_null(stream);
	if (!length)
		assert_int_not_equal(fgetc(stream), EOF);
	error = replay_stream(stream, visit, seen, ret_result);
	fclose(stream);
	return error;
}

static void test_whole(void **state)
{
	struct replay_result result;
	struct seen seen = { 0 };
	struct file file;

	(void)state;
	make_file(&file);
	assert_int_equal(run(&file, file.used, &seen, &result), 0);
	assert_int_equal(result.events, EVENTS);
	assert_int_equal(result.dropped, 7);
	assert_int_equal(result.offset, file.used);
	assert_null(result.fault);
	assert_int_equal(result.header.settings.prefix_bytes, 512);
}

static void test_truncated(void **state)
{
	struct file file;
	size_t whole = 0;

	(void)state;
	make_file(&file);
	for (size_t length = 0; length < file.used; length++) {
		struct replay_result result;
		struct seen seen = { 0 };
		int error = run(&file, length, &seen, &result);

		while (whole + 1 < EVENTS + 2 && file.ends[whole + 1] <= length)
			whole++;
		assert_int_equal(seen.count, whole < EVENTS ? whole : EVENTS);
		assert_int_equal(result.events, seen.count);
		if (length < file.ends[0]) {
			assert_int_equal(error, -EBADMSG);
			assert_int_equal(result.offset, 0);
		} else {
			assert_int_equal(error, length == file.ends[whole] ? 0 : -EBADMSG);
			assert_int_equal(result.offset, file.ends[whole]);
		}
		assert_int_equal(!error, !result.fault);
	}
}

static void test_damaged(void **state)
{
	struct file file;

	(void)state;
	for (size_t at = sizeof(struct recording_header); at < sizeof(file.bytes); at++) {
		struct replay_result result;
		struct seen seen = { 0 };
		size_t whole = 0;

		make_file(&file);
		if (at >= file.used)
			break;
		while (file.ends[whole + 1] <= at)
			whole++;
		file.bytes[at] = (char)(file.bytes[at] ^ 0x10);
		/* Padding is not covered by the checksum and not used either. */
		if (run(&file, file.used, &seen, &result) == 0) {
			assert_int_equal(result.events, EVENTS);
			continue;
		}
		assert_int_equal(result.offset, file.ends[whole]);
		assert_int_equal(seen.count, whole);
		assert_non_null(result.fault);
	}
}

static void test_visitor_stops(void **state)
{
	struct replay_result result;
	struct seen seen = { .stop_at = 3 };
	struct file file;

	(void)state;
	make_file(&file);
	assert_int_equal(run(&file, file.used, &seen, &result), -ECANCELED);
	assert_int_equal(seen.count, 3);
	assert_null(result.fault);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole),
		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_visitor_stops),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
