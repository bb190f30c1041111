/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>

#include "config_abi.h"
#include "decode/event.h"

/* A good sample of each kind, with a payload where the kind has one. */
union sample {
	struct event_header header;
	struct event_process_exec exec;
	struct event_tcp_connect connect;
	struct event_tcp_close close;
	struct event_turn turn;
	struct event_turn_progress progress;
	struct event_syscall_error error;
	struct event_tcp_accept accept;
	struct event_tcp_sample tcp_sample;
	struct event_datagram datagram;
	struct event_thread_context thread_context;
	struct event_goroutine goroutine;
	struct event_thread thread;
	uint8_t bytes[sizeof(struct event_turn) + PREFIX_MAX + 8];
};

static size_t struct_bytes(unsigned kind)
{
	static const size_t sizes[EVENT_KIND_COUNT] = {
#define X(number, KIND, label) [number] = sizeof(struct event_##label),
		EVENT_KINDS(X)
#undef X
	};

	return sizes[kind];
}

static size_t make_sample(unsigned kind, union sample *sample)
{
	size_t size = struct_bytes(kind);

	memset(sample, 0, sizeof(*sample));
	if (kind == EVENT_PROCESS_EXEC) {
		sample->exec.path_bytes = 3;
		sample->exec.args_bytes = 2;
		sample->exec.service_name_bytes = 4;
		sample->exec.resource_attributes_bytes = 5;
		sample->exec.cgroup_bytes = 6;
		size += 20;
	} else if (kind == EVENT_TURN) {
		sample->turn.conn.turn_no = 1;
		sample->turn.captured = 7;
		sample->turn.call_bytes = 9;
		size += 7;
	} else if (kind == EVENT_THREAD_CONTEXT) {
		sample->thread_context.valid = 1;
	} else if (kind == EVENT_GOROUTINE) {
		sample->goroutine.goroutine = 1;
	} else if (kind == EVENT_THREAD) {
		sample->thread.tid = 1;
	} else if (kind == EVENT_DATAGRAM) {
		sample->datagram.captured = 7;
		sample->datagram.bytes = 9;
		size += 7;
	} else if (kind == EVENT_SYSCALL_ERROR) {
		sample->error.error = 1;
	}
	sample->header.kind = (uint16_t)kind;
	sample->header.size = (uint16_t)size;
	return size;
}

/* From memory that ends with the record. */
static int decode(const void *bytes, size_t length, struct event *ret_event)
{
	void *copy = malloc(length ? length : 1);
	int result;

	assert_non_null(copy);
	memcpy(copy, bytes, length);
	result = event_decode(copy, length, ret_event);
	free(copy);
	return result;
}

static void takes_good_samples(void **state)
{
	union sample sample;
	struct event event;

	(void)state;
	for (unsigned kind = 1; kind < EVENT_KIND_COUNT; kind++) {
		size_t size = make_sample(kind, &sample);

		assert_int_equal(event_decode(&sample, size, &event), 0);
		assert_ptr_equal(event.header, &sample);
		assert_ptr_equal(event.payload, sample.bytes + struct_bytes(kind));
		assert_int_equal(event.payload_bytes, size - struct_bytes(kind));
	}
}

static void refuses_truncated_samples(void **state)
{
	union sample sample;
	struct event event;

	(void)state;
	for (unsigned kind = 1; kind < EVENT_KIND_COUNT; kind++) {
		size_t size = make_sample(kind, &sample);

		for (size_t length = 0; length < size; length++) {
			sample.header.size = (uint16_t)size;
			assert_int_equal(decode(&sample, length, &event), -EBADMSG);
			sample.header.size = (uint16_t)length; /* also when the header agrees */
			assert_int_equal(decode(&sample, length, &event), -EBADMSG);
		}
	}
}

static void refuses_longer_samples(void **state)
{
	union sample sample;
	struct event event;

	(void)state;
	for (unsigned kind = 1; kind < EVENT_KIND_COUNT; kind++) {
		size_t size = make_sample(kind, &sample);

		sample.header.size--;
		assert_int_equal(decode(&sample, size, &event), -EBADMSG);
		sample.header.size = (uint16_t)(size + 1);
		assert_int_equal(decode(&sample, size, &event), -EBADMSG);
		assert_int_equal(decode(&sample, size + 1, &event), -EBADMSG);
	}
}

static void ignores_the_rest_of_a_record(void **state)
{
	union sample sample;
	struct event event;

	(void)state;
	for (unsigned kind = 1; kind < EVENT_KIND_COUNT; kind++) {
		size_t size = make_sample(kind, &sample);

		for (size_t rest = 1; rest <= 8; rest++) {
			assert_int_equal(event_decode(&sample, size + rest, &event), 0);
			assert_int_equal(event.payload_bytes, size - struct_bytes(kind));
		}
	}
}

static void refuses_unknown_kinds(void **state)
{
	static const uint16_t kinds[] = { 0, EVENT_KIND_COUNT, 1000, UINT16_MAX };
	union sample sample;
	struct event event;

	(void)state;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		size_t size = make_sample(EVENT_TURN, &sample);

		sample.header.kind = kinds[i];
		assert_int_equal(decode(&sample, size, &event), -ENOTSUP);
		assert_string_equal(event_kind_name(kinds[i]), "unknown");
	}
}

/* Each is one byte or word of a good sample turned bad. */
static void refuses_fields_out_of_range(void **state)
{
	static const struct {
		unsigned kind;
		size_t offset;
		size_t bytes;
		uint64_t value;
	} faults[] = {
		{ EVENT_PROCESS_EXEC, offsetof(struct event_process_exec, path_bytes), 2, 4 },
		{ EVENT_PROCESS_EXEC, offsetof(struct event_process_exec, cgroup_bytes), 2, 5 },
		{ EVENT_PROCESS_EXEC, offsetof(struct event_process_exec, args_bytes), 2,
		  UINT16_MAX },
		{ EVENT_TCP_CONNECT, offsetof(struct event_tcp_connect, outcome), 4,
		  CONNECT_OUTCOME_COUNT },
		{ EVENT_TCP_CONNECT, offsetof(struct event_tcp_connect, conn.role), 1, ROLE_COUNT },
		{ EVENT_TCP_ACCEPT, offsetof(struct event_tcp_accept, conn.role), 1, ROLE_COUNT },
		{ EVENT_TCP_SAMPLE, offsetof(struct event_tcp_sample, conn.role), 1, UINT8_MAX },
		{ EVENT_TCP_CLOSE, offsetof(struct event_tcp_close, conn.role), 1, ROLE_COUNT },
		{ EVENT_TCP_CLOSE, offsetof(struct event_tcp_close, turn.dir), 1, DIR_COUNT },
		{ EVENT_TURN, offsetof(struct event_turn, conn.role), 1, ROLE_COUNT },
		{ EVENT_TURN, offsetof(struct event_turn, conn.turn_no), 4, 0 },
		{ EVENT_TURN, offsetof(struct event_turn, turn.dir), 1, DIR_COUNT },
		{ EVENT_TURN, offsetof(struct event_turn, prev.dir), 1, DIR_COUNT },
		{ EVENT_TURN, offsetof(struct event_turn, captured), 2, 6 },
		{ EVENT_TURN, offsetof(struct event_turn, captured), 2, 8 },
		{ EVENT_TURN, offsetof(struct event_turn, call_bytes), 8, 6 },
		{ EVENT_TURN, offsetof(struct event_turn, call_bytes), 8, UINT64_MAX },
		{ EVENT_TURN_PROGRESS, offsetof(struct event_turn_progress, conn.role), 1,
		  ROLE_COUNT },
		{ EVENT_TURN_PROGRESS, offsetof(struct event_turn_progress, turn.dir), 1,
		  DIR_COUNT },
		{ EVENT_SYSCALL_ERROR, offsetof(struct event_syscall_error, error), 2, 0 },
		{ EVENT_UNIX_OPEN, offsetof(struct event_unix_open, conn.role), 1, ROLE_COUNT },
		{ EVENT_UNIX_OPEN, offsetof(struct event_unix_open, path_bytes), 2, 1 },
		{ EVENT_UNIX_CLOSE, offsetof(struct event_unix_close, conn.role), 1, ROLE_COUNT },
		{ EVENT_UNIX_CLOSE, offsetof(struct event_unix_close, turn.dir), 1, DIR_COUNT },
		{ EVENT_DATAGRAM, offsetof(struct event_datagram, captured), 2, 6 },
		{ EVENT_DATAGRAM, offsetof(struct event_datagram, captured), 2, 8 },
		{ EVENT_DATAGRAM, offsetof(struct event_datagram, bytes), 4, 6 },
		{ EVENT_DATAGRAM, offsetof(struct event_datagram, dir), 1, DIR_COUNT },
		{ EVENT_GOROUTINE, offsetof(struct event_goroutine, goroutine), 1, 0 },
		{ EVENT_THREAD_CONTEXT, offsetof(struct event_thread_context, valid), 1, 0 },
		{ EVENT_THREAD_CONTEXT, offsetof(struct event_thread_context, valid), 1, 2 },
		{ EVENT_THREAD, offsetof(struct event_thread, tid), 4, 0 },
	};
	union sample sample;
	struct event event;

	(void)state;
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		size_t size = make_sample(faults[i].kind, &sample);

		memcpy(sample.bytes + faults[i].offset, &faults[i].value, faults[i].bytes);
		assert_int_equal(decode(&sample, size, &event), -EBADMSG);
	}
}

static void bounds_what_was_captured(void **state)
{
	union sample sample;
	struct event event;
	size_t size = make_sample(EVENT_TURN, &sample) - 7;

	(void)state;
	sample.turn.call_bytes = UINT16_MAX;
	sample.turn.captured = PREFIX_MAX;
	sample.header.size = (uint16_t)(size + PREFIX_MAX);
	assert_int_equal(decode(&sample, size + PREFIX_MAX, &event), 0);
	sample.turn.captured = PREFIX_MAX + 1;
	sample.header.size = (uint16_t)(size + PREFIX_MAX + 1);
	assert_int_equal(decode(&sample, size + PREFIX_MAX + 1, &event), -EBADMSG);
}

/* What stands around the payload, as the flags say. */
static void finds_the_parts_of_turns(void **state)
{
	static const uint16_t flags[] = { 0, TURN_HAS_USE, TURN_HAS_BEFORE,
					  TURN_HAS_USE | TURN_HAS_BEFORE };
	union sample sample;
	struct event event;

	(void)state;
	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		size_t size = make_sample(EVENT_TURN, &sample);
		size_t use = flags[i] & TURN_HAS_USE ? sizeof(struct turn_figures) : 0;
		size_t before = flags[i] & TURN_HAS_BEFORE ? 1 + sizeof(struct call_use) : 0;
		const uint8_t *parts = sample.bytes + sizeof(struct event_turn);

		sample.turn.turn_flags = flags[i];
		size += use + before;
		sample.header.size = (uint16_t)size;
		assert_int_equal(event_decode(&sample, size, &event), 0);
		assert_ptr_equal(event.use, use ? parts : NULL);
		assert_ptr_equal(event.payload, parts + use);
		assert_ptr_equal(event.before, before ? parts + use + 8 : NULL);
		assert_int_equal(event.payload_bytes, 7);
		sample.header.size--;
		assert_int_equal(decode(&sample, size - 1, &event), -EBADMSG);
	}
}

static void bounds_datagrams(void **state)
{
	union sample sample;
	struct event event;
	size_t size = make_sample(EVENT_DATAGRAM, &sample) - 7;

	(void)state;
	sample.datagram.bytes = UINT16_MAX;
	sample.datagram.captured = DATAGRAM_CAPTURE_MAX;
	sample.header.size = (uint16_t)(size + DATAGRAM_CAPTURE_MAX);
	assert_int_equal(decode(&sample, size + DATAGRAM_CAPTURE_MAX, &event), 0);
	sample.datagram.captured = DATAGRAM_CAPTURE_MAX + 1;
	sample.header.size = (uint16_t)(size + DATAGRAM_CAPTURE_MAX + 1);
	assert_int_equal(decode(&sample, size + DATAGRAM_CAPTURE_MAX + 1, &event), -EBADMSG);
}

static void names_kinds(void **state)
{
	(void)state;
	assert_string_equal(event_kind_name(EVENT_TURN), "turn");
	assert_string_equal(event_kind_name(EVENT_TCP_CONNECT), "tcp_connect");
	assert_string_equal(event_kind_name(EVENT_SYSCALL_ERROR), "syscall_error");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_good_samples),
		cmocka_unit_test(refuses_truncated_samples),
		cmocka_unit_test(refuses_longer_samples),
		cmocka_unit_test(ignores_the_rest_of_a_record),
		cmocka_unit_test(refuses_unknown_kinds),
		cmocka_unit_test(refuses_fields_out_of_range),
		cmocka_unit_test(bounds_what_was_captured),
		cmocka_unit_test(finds_the_parts_of_turns),
		cmocka_unit_test(bounds_datagrams),
		cmocka_unit_test(names_kinds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
