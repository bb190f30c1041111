/* SPDX-License-Identifier: Apache-2.0 */
/* Which spans the records of compressed batches name: whole, split at every byte, with holes, too large, malformed, and given up. What a
 * batch has gathered is freed whenever it is over, which kafka_reader_begin checks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "failing_alloc.h"
#include "kafka_packing.h"
#include "kafka_reader.h"

#define UNSEEN (1ull << PARSE_RECORD_HEADERS_UNSEEN)
#define COMPRESSED (1ull << PARSE_RECORDS_COMPRESSED)
#define BATCH_HEADER_BYTES 61

static struct kafka_message made;
static size_t first;

static const struct kafka_header one[] = { { "id", "17" }, TRACEPARENT("a1", "b2"), END_OF_LIST };
static const struct kafka_header other[] = { TRACEPARENT("a1", "c3"), END_OF_LIST };

static void begin(int is_answer)
{
	kafka_begin(&made, is_answer, 1);
	first = made.length;
}

static void put_packed(enum kafka_packing how, const struct kafka_header *headers)
{
	kafka_begin_batch(&made, 0);
	for (unsigned i = 0; i < 10; i++)
		kafka_put_record(&made, 20, headers);
	kafka_end_packed_batch(&made, how);
}

static void put_plain(const struct kafka_header *headers)
{
	kafka_begin_batch(&made, 0);
	kafka_put_record(&made, 1, headers);
	kafka_end_batch(&made);
}

static uint32_t gathered(void)
{
	return kafka_reader.state.shared->gathered_bytes;
}

static void expect(const char *told, uint64_t outcomes)
{
	assert_string_equal(kafka_reader_told(), told);
	assert_true(kafka_reader.facts.outcomes == outcomes);
	assert_int_equal(gathered(), 0);
}

static void names_the_trace_of_what_is_sent(void **state)
{
	(void)state;
	for (unsigned how = 0; how < PACK_COUNT; how++) {
		begin(0);
		put_packed(how, one);
		kafka_end(&made, first);
		for (size_t split = 0; split < made.length; split++) {
			kafka_reader_play(&made, SIDE_REQUEST, split, SIZE_MAX, SIZE_MAX);
			expect("!a1/b2", 0);
			assert_int_equal(kafka_reader.facts.messages_sent, 10);
		}
	}
}

static void links_what_is_fetched(void **state)
{
	(void)state;
	for (unsigned how = 0; how < PACK_COUNT; how++) {
		begin(1);
		put_packed(how, one);
		put_plain(one);
		put_packed((how + 1) % PACK_COUNT, other);
		kafka_end(&made, first);
		for (size_t split = 0; split < made.length; split++) {
			kafka_reader_play(&made, SIDE_RESPONSE, split, SIZE_MAX, SIZE_MAX);
			expect("a1/b2 a1/c3", 0);
			assert_int_equal(kafka_reader.facts.messages_consumed, 21);
		}
	}
}

/* Where the records end to make sense nothing more is unpacked: that what follows is cut is not noticed. */
static void unpacks_no_more_than_it_reads(void **state)
{
	(void)state;
	begin(0);
	kafka_begin_batch(&made, 0);
	kafka_put(&made, "\1", 1); /* a record of less than nothing */
	made.records = 1;
	kafka_end_packed_batch(&made, PACK_GZIP);
	made.length -= 8; /* the checksum and the length */
	kafka_end_batch(&made);
	kafka_end(&made, first);
	kafka_reader_play(&made, SIDE_REQUEST, 0, SIZE_MAX, SIZE_MAX);
	expect("", UNSEEN);
}

/* A hole anywhere leaves nothing of the batch; what follows is read. */
static void says_what_was_not_seen(void **state)
{
	(void)state;
	for (unsigned how = 0; how < PACK_COUNT; how++) {
		size_t records, end;

		begin(0);
		records = made.length + BATCH_HEADER_BYTES;
		put_packed(how, one);
		end = made.length;
		put_plain(other);
		kafka_end(&made, first);
		for (size_t hole = records; hole < end; hole++) {
			for (size_t split = 0; split < 60; split += 7) {
				kafka_reader_play(&made, SIDE_REQUEST, split, hole, hole + 1);
				expect("!a1/c3", UNSEEN);
				assert_int_equal(kafka_reader.facts.messages_sent, 11);
			}
		}
	}
}

/* Their first byte is no codec's: records as they are, said to be compressed. */
static void says_what_is_malformed(void **state)
{
	(void)state;
	for (unsigned codec = 1; codec < 8; codec++) {
		begin(0);
		kafka_begin_batch(&made, codec);
		kafka_put_record(&made, 20, one);
		kafka_end_batch(&made);
		put_plain(other);
		kafka_end(&made, first);
		for (size_t split = 0; split < made.length; split++) {
			kafka_reader_play(&made, SIDE_REQUEST, split, SIZE_MAX, SIZE_MAX);
			expect("!a1/c3", COMPRESSED);
		}
	}
}

/* Without a byte, and with records that make no sense once they are unpacked. */
static void says_what_there_is_not(void **state)
{
	(void)state;
	begin(0);
	kafka_begin_batch(&made, 1);
	made.records = 1;
	kafka_end_batch(&made);
	put_plain(other);
	kafka_end(&made, first);
	kafka_reader_play(&made, SIDE_REQUEST, 0, SIZE_MAX, SIZE_MAX);
	expect("!a1/c3", COMPRESSED);
	for (unsigned how = 0; how < PACK_COUNT; how++) {
		begin(0);
		kafka_begin_batch(&made, 0);
		kafka_put_record(&made, 20, one);
		kafka_put(&made, "\x7e\0", 2); /* a record that is longer than the batch */
		kafka_end_packed_batch(&made, how);
		kafka_end(&made, first);
		for (size_t split = 0; split < 3; split++) {
			kafka_reader_play(&made, SIDE_REQUEST, split, SIZE_MAX, SIZE_MAX);
			expect("!a1/b2", UNSEEN);
		}
	}
}

/* The head of a message of one batch of so many bytes, which then come. */
static void begin_large(uint32_t bytes)
{
	begin(0);
	kafka_begin_batch(&made, 4);
	made.records = 1;
	kafka_end_batch(&made);
	kafka_set_number(&made, made.batch + 8, bytes + BATCH_HEADER_BYTES - 12);
	kafka_set_number(&made, 0, (uint32_t)made.length - 4 + bytes);
	kafka_set_number(&made, first - 4, BATCH_HEADER_BYTES + bytes);
	kafka_reader_begin(SIDE_REQUEST);
	kafka_reader_feed(SIDE_REQUEST, made.bytes, made.length);
}

static void gathers_no_more_than_it_may(void **state)
{
	static const uint8_t bytes[KAFKA_COMPRESSED_MAX + 1];

	(void)state;
	begin_large(150);
	kafka_reader_feed(SIDE_REQUEST, bytes, 100);
	kafka_reader_feed(SIDE_REQUEST, bytes, 1);
	assert_int_equal(gathered(), 150);
	begin_large(KAFKA_COMPRESSED_MAX);
	assert_int_equal(gathered(), 0);
	kafka_reader_feed(SIDE_REQUEST, bytes, 100);
	assert_int_equal(gathered(), 100);
	kafka_reader_feed(SIDE_REQUEST, bytes, 1);
	assert_int_equal(gathered(), 200);
	kafka_reader_feed(SIDE_REQUEST, bytes, KAFKA_COMPRESSED_MAX - 102);
	assert_int_equal(gathered(), KAFKA_COMPRESSED_MAX - 1);
	kafka_reader_feed(SIDE_REQUEST, bytes, 1);
	assert_int_equal(kafka_reader.ends, 1);
	expect("", COMPRESSED); /* they are no zstd */
	begin_large(KAFKA_COMPRESSED_MAX + 1);
	expect("", COMPRESSED);
	kafka_reader_feed(SIDE_REQUEST, bytes, 100);
	expect("", COMPRESSED);
	kafka_reader_feed(SIDE_REQUEST, bytes, KAFKA_COMPRESSED_MAX - 99);
	assert_int_equal(kafka_reader.ends, 1);
	expect("", COMPRESSED);
}

/* What other connections have gathered leaves no room, or no memory is left; where nothing is gathered none is needed. */
static void shares_room_with_others(void **state)
{
	(void)state;
	begin(0);
	put_packed(PACK_GZIP, one);
	kafka_end(&made, first);
	for (uint32_t left = 0; left < made.length; left += 10) {
		size_t records = first + BATCH_HEADER_BYTES;

		kafka_reader_begin(SIDE_REQUEST);
		kafka_reader.state.shared->gathered_bytes = KAFKA_GATHERED_MAX - left;
		kafka_reader_feed(SIDE_REQUEST, made.bytes, records + 30);
		kafka_reader_feed(SIDE_REQUEST, made.bytes + records + 30,
				  made.length - records - 30);
		assert_int_equal(gathered(), KAFKA_GATHERED_MAX - left);
		kafka_reader.state.shared->gathered_bytes = 0;
		if (left < made.length - records)
			expect("", COMPRESSED);
		else
			expect("!a1/b2", 0);
		kafka_reader_begin(SIDE_REQUEST);
		kafka_reader.state.shared->gathered_bytes = KAFKA_GATHERED_MAX;
		kafka_reader_feed(SIDE_REQUEST, made.bytes, made.length);
		kafka_reader.state.shared->gathered_bytes = 0;
		expect("!a1/b2", 0);
	}
}

static void goes_on_without_memory(void **state)
{
	(void)state;
	for (unsigned how = 0; how < PACK_COUNT; how++) {
		begin(0);
		put_packed(how, one);
		put_plain(other);
		kafka_end(&made, first);
		FOR_EACH_FAILING_ALLOC(nth)
		{
			uint64_t outcomes;

			kafka_reader_begin(SIDE_REQUEST);
			for (size_t at = 0; at < made.length; at += 50) {
				struct protocol_run run = { .bytes = made.bytes + at };
				size_t left = made.length - at;

				run.length = left < 50 ? left : 50;
				while (protocol_kafka.parse(&kafka_reader.state, SIDE_REQUEST, &run,
							    &kafka_reader.facts) != STEP_MORE &&
				       run.length)
					continue;
			}
			outcomes = failing_alloc_has_failed() ? COMPRESSED : 0;
			assert_true(kafka_reader.facts.outcomes == outcomes);
			assert_int_equal(gathered(), 0);
		}
	}
}

/* At every byte: the connection ends, bytes are lost, or whose it was is given up. */
static void frees_what_is_given_up(void **state)
{
	(void)state;
	begin(0);
	put_packed(PACK_ZSTD, one);
	kafka_end(&made, first);
	for (size_t at = 0; at < made.length; at++) {
		kafka_reader_begin(SIDE_REQUEST);
		kafka_reader_feed(SIDE_REQUEST, made.bytes, at);
		assert_int_equal(gathered() > 0, at > first + BATCH_HEADER_BYTES);
		kafka_reader_begin(SIDE_REQUEST); /* releases it, and sees whether it did */
		kafka_reader_feed(SIDE_REQUEST, made.bytes, at);
		(void)protocol_kafka.boundary(&kafka_reader.state, SIDE_REQUEST, BOUNDARY_RESYNC,
					      0);
		assert_int_equal(gathered(), 0);
		kafka_reader_begin(SIDE_REQUEST);
		kafka_reader_feed(SIDE_REQUEST, made.bytes, at);
		kafka_reader.facts.trace_texts = NULL;
		kafka_reader_feed(SIDE_REQUEST, made.bytes + at, 1);
		assert_int_equal(gathered(), 0);
		kafka_reader_feed(SIDE_REQUEST, made.bytes + at + 1, made.length - at - 1);
		assert_int_equal(kafka_reader.ends, 1);
		expect("", 0);
	}
	kafka_reader_begin(SIDE_REQUEST);
}

static void looks_at_nothing_when_nobody_wants_spans(void **state)
{
	(void)state;
	begin(0);
	put_packed(PACK_LZ4, one);
	kafka_end(&made, first);
	kafka_reader_begin(SIDE_REQUEST);
	kafka_reader.facts.trace_texts = NULL;
	for (size_t at = 0; at < made.length; at++) {
		kafka_reader_feed(SIDE_REQUEST, made.bytes + at, 1);
		expect("", 0);
	}
	assert_int_equal(kafka_reader.ends, 1);
	assert_int_equal(kafka_reader.facts.messages_sent, 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_the_trace_of_what_is_sent),
		cmocka_unit_test(links_what_is_fetched),
		cmocka_unit_test(says_what_was_not_seen),
		cmocka_unit_test(says_what_is_malformed),
		cmocka_unit_test(says_what_there_is_not),
		cmocka_unit_test(unpacks_no_more_than_it_reads),
		cmocka_unit_test(gathers_no_more_than_it_may),
		cmocka_unit_test(shares_room_with_others),
		cmocka_unit_test(goes_on_without_memory),
		cmocka_unit_test(frees_what_is_given_up),
		cmocka_unit_test(looks_at_nothing_when_nobody_wants_spans),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
