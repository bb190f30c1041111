/* SPDX-License-Identifier: Apache-2.0 */
/* Records survive the way there and back; nothing damaged gets through, and no kernel address gets out. */
#include "ring/recording.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct bpf_settings settings = {
	.agent_tgid = 77,
	.prefix_bytes = 1024,
	.error_events_per_second = 5,
	.count_expected_errors = 1,
	.sample_interval_ns = 9,
};

static void test_header(void **state)
{
	struct recording_header header, bad;

	(void)state;
	recording_header_make(&settings, 11, 22, &header);
	assert_null(recording_header_fault(&header, sizeof(header)));
	assert_int_equal(header.settings.prefix_bytes, 1024);
	assert_int_equal(header.settings.sample_interval_ns, 9);
	assert_int_equal(header.realtime_ns, 11);
	assert_int_equal(header.monotonic_ns, 22);
	for (size_t length = 0; length < sizeof(header); length++)
		assert_non_null(recording_header_fault(&header, length));
	for (size_t i = 0; i < 24; i++) { /* magic, version, byte order, ABI version, size */
		bad = header;
		((uint8_t *)&bad)[i] ^= 0x40;
		assert_non_null(recording_header_fault(&bad, sizeof(bad)));
	}
	bad = header;
	bad.byte_order = __builtin_bswap32(bad.byte_order);
	assert_string_equal(recording_header_fault(&bad, sizeof(bad)),
			    "it was made on a machine of the other byte order");
}

static void make_turn(struct event_turn *turn, size_t size)
{
	memset(turn, 0, size);
	memset(turn + 1, 'p', size - sizeof(*turn));
	turn->header.kind = EVENT_TURN;
	turn->header.size = (uint16_t)size;
	turn->conn.conn_id = 5;
	turn->conn.sock = 0xffff888812345678u;
}

static void test_there_and_back(void **state)
{
	_Alignas(8) char event[RECORDING_EVENT_MAX], buffer[RECORDING_RECORD_MAX];

	(void)state;
	for (size_t size = sizeof(struct event_turn); size <= RECORDING_EVENT_MAX; size += 37) {
		struct recording_view view;
		int bytes;

		make_turn((struct event_turn *)(void *)event, size);
		bytes = recording_record_make(event, size, buffer);
		assert_int_equal(bytes % 8, 0);
		assert_int_equal(bytes, recording_record_bytes(size));
		assert_int_equal(recording_record_read(buffer, sizeof(buffer), &view), 0);
		assert_int_equal(view.record_bytes, bytes);
		assert_int_equal(view.length, size);
		assert_int_equal(view.dropped, 0);
		assert_int_equal(((const struct event_turn *)view.event)->conn.sock, 0);
		((struct event_turn *)(void *)event)->conn.sock = 0;
		assert_memory_equal(view.event, event, size);
	}
}

static void assert_sock_hidden(unsigned kind, size_t size, size_t sock)
{
	_Alignas(8) char event[256] = { 0 }, buffer[RECORDING_RECORD_MAX];
	struct event_header header = { .kind = (uint16_t)kind, .size = (uint16_t)size };

	memset(event, 0xee, sizeof(event));
	memcpy(event, &header, sizeof(header));
	assert_true(recording_record_make(event, size, buffer) > 0);
	if (sock)
		memset(event + sock, 0, 8);
	assert_memory_equal(buffer + sizeof(struct recording_record), event, size);
}

static void test_no_kernel_addresses(void **state)
{
	(void)state;
	assert_sock_hidden(EVENT_TCP_CONNECT, sizeof(struct event_tcp_connect), 24);
	assert_sock_hidden(EVENT_TCP_ACCEPT, sizeof(struct event_tcp_accept), 24);
	assert_sock_hidden(EVENT_TCP_CLOSE, sizeof(struct event_tcp_close), 24);
	assert_sock_hidden(EVENT_TCP_SAMPLE, sizeof(struct event_tcp_sample), 24);
	assert_sock_hidden(EVENT_TURN, sizeof(struct event_turn), 24);
	assert_sock_hidden(EVENT_TURN_PROGRESS, sizeof(struct event_turn_progress), 24);
	assert_sock_hidden(EVENT_PROCESS_FORK, sizeof(struct event_process_fork), 0);
	assert_sock_hidden(EVENT_SYSCALL_ERROR, sizeof(struct event_syscall_error), 0);
	assert_sock_hidden(EVENT_KIND_COUNT + 5, 64, 0);
	assert_sock_hidden(EVENT_TURN, sizeof(struct event_header), 0); /* too short to have one */
}

static void test_damage(void **state)
{
	_Alignas(8) char event[256], buffer[RECORDING_RECORD_MAX];
	struct recording_view view;
	size_t bytes;

	(void)state;
	make_turn((struct event_turn *)(void *)event, 203);
	bytes = (size_t)recording_record_make(event, 203, buffer);
	for (size_t length = 0; length < bytes; length++) {
		char *exact = malloc(length + !length);

		assert_non_null(exact);
		memcpy(exact, buffer, length);
		assert_int_equal(recording_record_read(exact, length, &view), -EAGAIN);
		assert_in_range(view.record_bytes, length + 1, bytes);
		free(exact);
	}
	for (size_t bit = 0; bit < (sizeof(struct recording_record) + 203) * 8; bit++) {
		buffer[bit / 8] = (char)(buffer[bit / 8] ^ 1 << bit % 8);
		assert_int_not_equal(recording_record_read(buffer, bytes, &view), 0);
		buffer[bit / 8] = (char)(buffer[bit / 8] ^ 1 << bit % 8);
	}
	assert_int_equal(recording_record_read(buffer, bytes, &view), 0);
}

static void test_sizes(void **state)
{
	_Alignas(8) char event[RECORDING_EVENT_MAX + 8] = { 0 }, buffer[RECORDING_RECORD_MAX + 8];

	(void)state;
	assert_int_equal(recording_record_make(event, 0, buffer), -EMSGSIZE);
	assert_int_equal(recording_record_make(event, sizeof(struct event_header) - 1, buffer),
			 -EMSGSIZE);
	assert_int_equal(recording_record_make(event, RECORDING_EVENT_MAX + 1, buffer), -EMSGSIZE);
	assert_int_equal(recording_record_make(event, RECORDING_EVENT_MAX, buffer),
			 RECORDING_RECORD_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_header),
		cmocka_unit_test(test_there_and_back),
		cmocka_unit_test(test_no_kernel_addresses),
		cmocka_unit_test(test_damage),
		cmocka_unit_test(test_sizes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
