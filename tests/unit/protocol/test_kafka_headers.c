/* SPDX-License-Identifier: Apache-2.0 */
/* Which spans the records of a message name: whole, split at every byte, cut, with holes, and as they should not be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kafka_reader.h"

#define UNSEEN (1ull << PARSE_RECORD_HEADERS_UNSEEN)

static struct kafka_message made;
static size_t first;

static void begin(int is_answer, unsigned attributes)
{
	kafka_begin(&made, is_answer, 1);
	first = made.length;
	kafka_begin_batch(&made, attributes);
}

static void end(void)
{
	kafka_end_batch(&made);
	kafka_end(&made, first);
}

static const struct kafka_header one[] = {
	{ "id", "17" },	   TRACEPARENT("a1", "b2"),  { "tracestate", "vendor=1" },
	{ "empty", NULL }, { "x-request-id", "no" }, END_OF_LIST
};
static const struct kafka_header other[] = { TRACEPARENT("a1", "c3"),
					     { "tracestate", "vendor=2" },
					     END_OF_LIST };
static const struct kafka_header stray[] = { { "tracestate", "vendor=3" }, END_OF_LIST };
static const struct kafka_header none[] = { END_OF_LIST };

static void names_the_one_trace_of_what_is_sent(void **state)
{
	(void)state;
	begin(0, 0);
	kafka_put_record(&made, 20, one);
	kafka_put_record(&made, 0, none);
	kafka_put_record(&made, 300, one);
	kafka_put_record(&made, 0, stray);
	end();
	for (size_t split = 0; split < made.length; split++) {
		kafka_reader_play(&made, SIDE_REQUEST, split, SIZE_MAX, SIZE_MAX);
		assert_string_equal(kafka_reader_told(), "!a1/b2");
		assert_int_equal(kafka_reader.facts.trace.flags, TRACE_FLAG_SAMPLED);
		assert_string_equal(kafka_reader.texts.tracestate, "vendor=1");
		assert_int_equal(kafka_reader.facts.trace.request_id_bytes, 0);
		assert_int_equal(kafka_reader.facts.messages_sent, 4);
		assert_true(kafka_reader.facts.outcomes == 0);
		assert_int_equal(kafka_reader.facts.contexts.ignored, 0);
	}
}

static void links_what_disagrees(void **state)
{
	(void)state;
	begin(0, 0);
	kafka_put_record(&made, 1, one);
	kafka_put_record(&made, 1, other);
	kafka_end_batch(&made);
	kafka_begin_batch(&made, 0);
	kafka_put_record(&made, 1, one);
	end();
	for (size_t split = 0; split < made.length; split++) {
		kafka_reader_play(&made, SIDE_REQUEST, split, SIZE_MAX, SIZE_MAX);
		assert_string_equal(kafka_reader_told(), "a1/b2 a1/c3");
	}
}

static void links_what_is_fetched(void **state)
{
	(void)state;
	begin(1, 0);
	kafka_put_record(&made, 1, one);
	end();
	for (size_t split = 0; split < made.length; split++) {
		kafka_reader_play(&made, SIDE_RESPONSE, split, SIZE_MAX, SIZE_MAX);
		assert_string_equal(kafka_reader_told(), "a1/b2");
		assert_int_equal(kafka_reader.facts.messages_consumed, 1);
	}
}

static void reads_all_formats(void **state)
{
	static const struct kafka_header formats[][4] = {
		{ { "b3", IDS("a1", "b2") "-1" } },
		{ { "X-B3-TraceId", "000000000000000000000000000000a1" },
		  { "X-B3-SpanId", "00000000000000b2" },
		  { "X-B3-Sampled", "1" } },
		{ { "uber-trace-id", "000000000000000000000000000000a1:00000000000000b2:0:1" } },
		{ { "X-Cloud-Trace-Context", "000000000000000000000000000000a1/178;o=1" } },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		begin(0, 0);
		kafka_put_record(&made, 1, formats[i]);
		end();
		kafka_reader_play(&made, SIDE_REQUEST, 0, SIZE_MAX, SIZE_MAX);
		assert_string_equal(kafka_reader_told(), "!a1/b2");
		kafka_reader_play(&made, SIDE_REQUEST, 1, SIZE_MAX, SIZE_MAX);
		assert_string_equal(kafka_reader_told(), "!a1/b2");
	}
}

static void put_many(unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		char value[64];
		const struct kafka_header header[] = { { "traceparent", value }, END_OF_LIST };

		(void)snprintf(value, sizeof(value), "00-%032x-%016x-01", 1, i + 1);
		kafka_put_record(&made, 1, header);
	}
}

static void counts_what_has_no_room(void **state)
{
	(void)state;
	begin(0, 0);
	put_many(TRACE_LINKS_MAX + 5);
	end();
	kafka_reader_play(&made, SIDE_REQUEST, 0, SIZE_MAX, SIZE_MAX);
	assert_int_equal(kafka_reader.facts.contexts.count, TRACE_LINKS_MAX + 5);
	assert_int_equal(kafka_reader.texts.links[TRACE_LINKS_MAX - 1].span_id[SPAN_ID_BYTES - 1],
			 TRACE_LINKS_MAX);
	assert_false(trace_context_is_whole(&kafka_reader.facts.trace));
}

/* A marker of transactions is no record that anybody is shown, and a batch that is cut is asked for again. */
static void passes_over_what_nobody_gets(void **state)
{
	(void)state;
	begin(1, 0x20);
	kafka_put_record(&made, 1, one);
	end();
	kafka_reader_play(&made, SIDE_RESPONSE, 0, SIZE_MAX, SIZE_MAX);
	assert_string_equal(kafka_reader_told(), "");
	begin(1, 0);
	kafka_put_record(&made, 1, one);
	kafka_put_record(&made, 1, other);
	end();
	made.length -= 10;
	kafka_end(&made, first);
	kafka_reader_play(&made, SIDE_RESPONSE, 0, SIZE_MAX, SIZE_MAX);
	assert_string_equal(kafka_reader_told(), "");
	assert_true(kafka_reader.facts.outcomes == 0);
}

static void looks_at_nothing_when_nobody_wants_spans(void **state)
{
	(void)state;
	for (unsigned codec = 0; codec < 2; codec++) {
		begin(0, codec);
		kafka_put_record(&made, 1, one);
		end();
		kafka_reader_begin(SIDE_REQUEST);
		kafka_reader.facts.trace_texts = NULL;
		kafka_reader_feed(SIDE_REQUEST, made.bytes, made.length);
		assert_int_equal(kafka_reader.ends, 1);
		assert_int_equal(kafka_reader.facts.contexts.count, 0);
		assert_true(kafka_reader.facts.outcomes == 0);
	}
}

/* What a record is of was given up before all of it had come. */
static void lets_go_what_is_nobodys(void **state)
{
	(void)state;
	begin(0, 0);
	kafka_put_record(&made, 1, one);
	end();
	for (size_t at = 0; at < made.length; at++) {
		kafka_reader_begin(SIDE_REQUEST);
		kafka_reader_feed(SIDE_REQUEST, made.bytes, at);
		kafka_reader.facts.trace_texts = NULL;
		kafka_reader_feed(SIDE_REQUEST, made.bytes + at, made.length - at);
		assert_int_equal(kafka_reader.ends, 1);
		assert_int_equal(kafka_reader.facts.contexts.count, 0);
	}
}

/* Of what was not seen nothing is told; a hole in a value tells nothing less. */
static void says_what_was_not_seen(void **state)
{
	size_t records, value;

	(void)state;
	begin(0, 0);
	records = made.length;
	kafka_put_record(&made, 100, none);
	value = records + 12; /* of some hundred bytes */
	kafka_put_record(&made, 1, one);
	end();
	kafka_reader_play(&made, SIDE_REQUEST, 0, value, value + 50);
	assert_string_equal(kafka_reader_told(), "!a1/b2");
	assert_true(kafka_reader.facts.outcomes == 0);
	for (size_t hole = value + 100; hole < made.length; hole++) {
		kafka_reader_play(&made, SIDE_REQUEST, 0, hole, made.length);
		assert_int_equal(kafka_reader.facts.messages_sent, 2);
		if (!kafka_reader.facts.contexts.count)
			assert_true(kafka_reader.facts.outcomes == UNSEEN);
	}
	kafka_reader_play(&made, SIDE_REQUEST, 0, records, records + 1);
	assert_string_equal(kafka_reader_told(), "");
	assert_true(kafka_reader.facts.outcomes == UNSEEN);
}

/* As in HTTP: whole in a read, any value is read that somebody would write; in pieces up to 128 bytes. */
static void ignores_values_that_are_cut_or_malformed(void **state)
{
	static const struct kafka_header malformed[] = { { "traceparent", "00-1-2-3" },
							 END_OF_LIST };
	struct kafka_header list[] = { TRACEPARENT("a1", "b2"),
				       { "tracestate", NULL },
				       END_OF_LIST };
	char state_text[200];

	(void)state;
	begin(0, 0);
	kafka_put_record(&made, 1, malformed);
	end();
	kafka_reader_play(&made, SIDE_REQUEST, 0, SIZE_MAX, SIZE_MAX);
	assert_string_equal(kafka_reader_told(), "");
	assert_int_equal(kafka_reader.facts.contexts.ignored, 1 << TRACE_FORMAT_W3C);
	memset(state_text, 'x', sizeof(state_text));
	memcpy(state_text, "a=1,b=", 6);
	state_text[sizeof(state_text) - 1] = '\0';
	list[1].value = state_text;
	begin(0, 0);
	kafka_put_record(&made, 1, list);
	end();
	kafka_reader_play(&made, SIDE_REQUEST, 0, SIZE_MAX, SIZE_MAX);
	assert_string_equal(kafka_reader.texts.tracestate, state_text);
	kafka_reader_play(&made, SIDE_REQUEST, 1, SIZE_MAX, SIZE_MAX);
	assert_string_equal(kafka_reader.texts.tracestate, "a=1");
	assert_string_equal(kafka_reader_told(), "!a1/b2");
}

/* What makes no sense ends the batch's reading; the message ends where it says. */
static void stops_where_records_make_no_sense(void **state)
{
	static const struct {
		const char *bytes;
		size_t length;
	} wrong[] = {
		{ "\0", 1 },			    /* a record of no bytes */
		{ "\1", 1 },			    /* of less */
		{ "\x7e\0", 2 },		    /* longer than the batch */
		{ "\4\0\0", 3 },		    /* over before its key */
		{ "\x10\0\0\0\x7e\0\0\0\0", 9 },    /* a key longer than the record */
		{ "\x10\0\0\0\1\1\x7e\0\0", 9 },    /* more headers than there is room for */
		{ "\x10\0\0\0\1\1\1\0\0", 9 },	    /* less than none */
		{ "\x14\0\0\0\1\1\2\1\0\0\0", 11 }, /* a name of less than none */
		{ "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\1", 11 }, /* no number */
		{ "\x80\x80\x80\x80\x80\x80\x80\x80\x80\2", 10 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		begin(0, 0);
		kafka_put(&made, wrong[i].bytes, wrong[i].length);
		made.records = 1;
		kafka_end_batch(&made);
		kafka_begin_batch(&made, 0);
		kafka_put_record(&made, 1, one);
		end();
		for (size_t split = 0; split < 3; split++) {
			kafka_reader_play(&made, SIDE_REQUEST, split, SIZE_MAX, SIZE_MAX);
			assert_true(kafka_reader.facts.outcomes == UNSEEN);
			assert_string_equal(kafka_reader_told(), "!a1/b2");
		}
	}
}

/* No span to be a child of. */
static void wants_a_span(void **state)
{
	static const struct kafka_header list[] = {
		{ "X-Amzn-Trace-Id", "Root=1-00000001-0000000000000000000000a1" }, END_OF_LIST
	};

	(void)state;
	begin(0, 0);
	kafka_put_record(&made, 1, list);
	end();
	kafka_reader_play(&made, SIDE_REQUEST, 0, SIZE_MAX, SIZE_MAX);
	assert_string_equal(kafka_reader_told(), "");
	assert_int_equal(kafka_reader.facts.contexts.ignored, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_the_one_trace_of_what_is_sent),
		cmocka_unit_test(links_what_disagrees),
		cmocka_unit_test(links_what_is_fetched),
		cmocka_unit_test(reads_all_formats),
		cmocka_unit_test(counts_what_has_no_room),
		cmocka_unit_test(passes_over_what_nobody_gets),
		cmocka_unit_test(looks_at_nothing_when_nobody_wants_spans),
		cmocka_unit_test(lets_go_what_is_nobodys),
		cmocka_unit_test(says_what_was_not_seen),
		cmocka_unit_test(ignores_values_that_are_cut_or_malformed),
		cmocka_unit_test(stops_where_records_make_no_sense),
		cmocka_unit_test(wants_a_span),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
