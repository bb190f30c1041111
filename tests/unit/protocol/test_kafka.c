/* SPDX-License-Identifier: Apache-2.0 */
/* What Kafka and its clients said, whole, split at every byte, cut at every length, and with holes; and messages that are seldom said. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "kafka_talks.h"
#include "pairing.h"
#include "protocol/protocol.h"

static const char *const expected[KAFKA_TALK_COUNT] = {
	[KAFKA_RDKAFKA_PRODUCER] =
		"ApiVersions;Metadata=UNKNOWN_TOPIC_OR_PARTITION;Metadata;Produce third 3>0;Produce third 7>0;"
		"Produce third 10>0;",
	[KAFKA_RDKAFKA_CONSUMER] =
		"ApiVersions;Metadata;Metadata;ListOffsets;ListOffsets;ListOffsets;"
		"Fetch third 0>20;Fetch_empty third;Fetch_empty third;",
	[KAFKA_PYTHON_PRODUCER] = "Produce third 5>0;",
	[KAFKA_PYTHON_CONSUMER] = "ListOffsets;ListOffsets;ListOffsets;Fetch third 0>45;",
	[KAFKA_JAVA_PRODUCER] =
		"ApiVersions;Metadata;InitProducerId=COORDINATOR_LOAD_IN_PROGRESS;ApiVersions;InitProducerId;"
		"Produce third 20>0;",
	[KAFKA_JAVA_CONSUMER] =
		"ApiVersions;Metadata;FindCoordinator;ApiVersions;ListOffsets;Fetch third 0>40;"
		"Fetch_empty third;Fetch_empty;Fetch_empty;Fetch_empty;Fetch_empty;Fetch_empty;Fetch_empty;",
	[KAFKA_JAVA_GROUP] =
		"ApiVersions;JoinGroup @g2=MEMBER_ID_REQUIRED;JoinGroup @g2;SyncGroup @g2;OffsetFetch @g2;"
		"Heartbeat @g2;OffsetCommit @g2;LeaveGroup @g2;",
};

static const struct talk_set talks = { &protocol_kafka, kafka_talks, expected, KAFKA_TALK_COUNT };

/* Messages made by hand. */
static struct {
	char bytes[1024];
	size_t length;
} made;

static void put(const void *bytes, size_t length)
{
	assert_true(made.length + length <= sizeof(made.bytes));
	memcpy(made.bytes + made.length, bytes, length);
	made.length += length;
}

static void put_number(uint64_t number, size_t bytes)
{
	while (bytes--)
		put(&(uint8_t){ (uint8_t)(bytes < 8 ? number >> 8 * bytes : 0) }, 1);
}

static void put_string(const char *text)
{
	put_number(strlen(text), 2);
	put(text, strlen(text));
}

static void ask(unsigned key, unsigned version, uint32_t correlation)
{
	made.length = 0;
	put_number(0, 4);
	put_number(key, 2);
	put_number(version, 2);
	put_number(correlation, 4);
	put_string("me");
}

static void answer(uint32_t correlation)
{
	made.length = 0;
	put_number(0, 4);
	put_number(correlation, 4);
}

static void set_size(size_t size)
{
	for (size_t i = 0; i < 4; i++)
		made.bytes[i] = (char)(size >> (24 - 8 * i));
}

/* Feed what was made; of it `seen` bytes are captured, and as many more as `left_out` are not but count. */
static void send_seen(enum message_side side, size_t seen, size_t left_out)
{
	set_size(made.length - 4 + left_out);
	pairing_feed(side, made.bytes, seen);
	if (made.length + left_out > seen)
		pairing_feed(side, NULL, made.length + left_out - seen);
}

static void send(enum message_side side)
{
	send_seen(side, made.length, 0);
}

/* A Produce 3 up to its topics. */
static void ask_produce(uint32_t correlation, int acks, unsigned topics)
{
	ask(0, 3, correlation);
	put_number(UINT16_MAX, 2);
	put_number((uint16_t)acks, 2);
	put_number(1500, 4);
	put_number(topics, 4);
}

static void put_topic(const char *name, uint32_t record_bytes)
{
	put_string(name);
	put_number(1, 4); /* partitions */
	put_number(0, 4);
	put_number(record_bytes, 4);
}

#define BATCH_BYTES 70

static void put_batch(uint32_t length, unsigned attributes, uint32_t records)
{
	put_number(0, 8);
	put_number(length, 4);
	put_number(0, 4);
	put_number(2, 1);
	put_number(0, 4);
	put_number(attributes, 2);
	put_number(0, 34);
	put_number(records, 4);
	put_number(0, BATCH_BYTES - 61);
}

static void answer_produce(uint32_t correlation, int error)
{
	answer(correlation);
	put_number(1, 4);
	put_string("t");
	put_number(1, 4);
	put_number(0, 4);
	put_number((uint16_t)error, 2);
	put_number(0, 20);
}

static void names_errors_of_partitions(void **state)
{
	static const struct {
		int code;
		const char *text;
	} errors[] = {
		{ 6, "Produce t 4>0=NOT_LEADER_OR_FOLLOWER;" },
		{ -1, "Produce t 4>0=UNKNOWN_SERVER_ERROR;" },
		{ 133, "Produce t 4>0=SHARE_SESSION_LIMIT_REACHED;" },
		{ 134, "Produce t 4>0=_OTHER;" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		pairing_begin(&protocol_kafka);
		ask_produce(1, 1, 1);
		put_topic("t", BATCH_BYTES);
		put_batch(BATCH_BYTES - 12, 0, 4);
		send(SIDE_REQUEST);
		answer_produce(1, errors[i].code);
		send(SIDE_RESPONSE);
		pairing_expect(errors[i].text);
	}
}

/* Nothing answers a Produce without acknowledgement; the answer that comes is to the next request. */
static void lets_go_what_nothing_answers(void **state)
{
	(void)state;
	pairing_begin(&protocol_kafka);
	ask_produce(1, 0, 1);
	put_topic("t", 0);
	send(SIDE_REQUEST);
	ask(18, 0, 2);
	send(SIDE_REQUEST);
	answer(2);
	put_number(0, 2);
	send(SIDE_RESPONSE);
	pairing_expect("one-way;ApiVersions;");
}

static void names_the_first_of_several_topics(void **state)
{
	(void)state;
	pairing_begin(&protocol_kafka);
	ask_produce(1, -1, 2);
	put_topic("first", BATCH_BYTES);
	put_batch(BATCH_BYTES - 12, 0, 4);
	put_topic("second", BATCH_BYTES);
	put_batch(BATCH_BYTES - 12, 0, 5);
	send(SIDE_REQUEST);
	answer_produce(1, 0);
	send(SIDE_RESPONSE);
	pairing_expect("Produce first 9>0+;");
}

/* A topic that a broker would refuse is no label. */
static void refuses_names_that_are_none(void **state)
{
	(void)state;
	pairing_begin(&protocol_kafka);
	ask_produce(1, -1, 1);
	put_topic("no topic\n", 0);
	send(SIDE_REQUEST);
	answer_produce(1, 17);
	send(SIDE_RESPONSE);
	pairing_expect("Produce=INVALID_TOPIC_EXCEPTION;");
}

/* Fetch 4, whose answer has two partitions. */
static void ask_fetch(uint32_t correlation)
{
	ask(1, 4, correlation);
	put_number(0, 17);
	put_number(1, 4);
	put_string("t");
	put_number(0, 4);
	send(SIDE_REQUEST);
}

#define PARTITION_BYTES 30

static void put_partition(uint32_t record_bytes)
{
	put_number(0, 4);
	put_number(0, 2);
	put_number(0, 16);
	put_number(UINT32_MAX, 4); /* aborted transactions: null */
	put_number(record_bytes, 4);
}

static void answer_fetch(uint32_t correlation, unsigned partitions)
{
	answer(correlation);
	put_number(0, 4);
	put_number(1, 4);
	put_string("t");
	put_number(partitions, 4);
}

/* A batch that is cut is fetched again, and markers of transactions are no messages. */
static void counts_messages_by_batch(void **state)
{
	(void)state;
	pairing_begin(&protocol_kafka);
	ask_fetch(1);
	answer_fetch(1, 2);
	put_partition(2 * BATCH_BYTES);
	put_batch(BATCH_BYTES - 12, 0, 4);
	put_batch(BATCH_BYTES - 12, 0x20, 1);
	put_partition(2 * BATCH_BYTES);
	put_batch(BATCH_BYTES - 12, 2, 8);
	put_batch(BATCH_BYTES, 0, 16);
	send(SIDE_RESPONSE);
	pairing_expect("Fetch t 0>12;");
}

/* Messages of the forms before batches stand alone, or are hidden in a compressed one. */
static void counts_old_messages(void **state)
{
	(void)state;
	for (unsigned compression = 0; compression < 2; compression++) {
		pairing_begin(&protocol_kafka);
		ask_fetch(1);
		answer_fetch(1, 1);
		put_partition(2 * 20);
		for (unsigned i = 0; i < 2; i++) {
			put_number(i, 8);
			put_number(8, 4);
			put_number(0, 4);
			put_number(1, 1);
			put_number(i ? compression : 0, 1);
			put_number(0, 2);
		}
		send(SIDE_RESPONSE);
		pairing_expect(compression ? "Fetch t 0>1~;" : "Fetch t 0>2;");
	}
}

/* As with sendfile: the broker's answer is seen but for the records. */
static void skips_records_unseen(void **state)
{
	(void)state;
	pairing_begin(&protocol_kafka);
	ask_fetch(1);
	answer_fetch(1, 2);
	put_partition(90000);
	send_seen(SIDE_RESPONSE, made.length, 90000 + PARTITION_BYTES + BATCH_BYTES);
	pairing_expect("Fetch t~;");
	pairing_begin(&protocol_kafka);
	ask_fetch(1);
	answer_fetch(1, 2);
	put_partition(90000);
	set_size(made.length - 4 + 90000 + PARTITION_BYTES + BATCH_BYTES);
	pairing_feed(SIDE_RESPONSE, made.bytes, made.length);
	pairing_feed(SIDE_RESPONSE, NULL, 90000);
	made.length = 0;
	put_partition(BATCH_BYTES);
	put_batch(BATCH_BYTES - 12, 0, 4);
	pairing_feed(SIDE_RESPONSE, made.bytes, made.length);
	pairing_expect("Fetch t 0>4~;");
}

/* Of a message whose bytes are missing the end is still known; where one begins they are needed. */
static void keeps_its_place_behind_holes(void **state)
{
	(void)state;
	for (size_t seen = 12; seen < 60; seen++) {
		pairing_begin(&protocol_kafka);
		ask_produce(1, -1, 1);
		put_topic("topic", BATCH_BYTES);
		put_batch(BATCH_BYTES - 12, 0, 4);
		send_seen(SIDE_REQUEST, seen, 0);
		ask(18, 0, 2);
		send(SIDE_REQUEST);
		answer_produce(1, 0);
		send(SIDE_RESPONSE);
		answer(2);
		put_number(35, 2);
		send(SIDE_RESPONSE);
		assert_non_null(strstr(pairing_text(), ";ApiVersions=UNSUPPORTED_VERSION;"));
		assert_null(strstr(pairing_text(), "top;"));
	}
	pairing_begin(&protocol_kafka);
	ask(18, 0, 1);
	send_seen(SIDE_REQUEST, 11, 0);
	pairing_expect("lost;");
}

/* Lengths that lead beyond the message: the rest of it is left alone. */
static void stays_inside_a_message(void **state)
{
	(void)state;
	pairing_begin(&protocol_kafka);
	ask_produce(1, -1, 1000);
	put_topic("t", 0);
	send(SIDE_REQUEST);
	answer(1);
	put_number(1, 4);
	put_number(30000, 2);
	send(SIDE_RESPONSE);
	ask_produce(2, -1, 1);
	put_topic("t", 5000);
	send(SIDE_REQUEST);
	answer_produce(2, 0);
	send(SIDE_RESPONSE);
	pairing_expect("Produce;Produce t;");
}

static void names_what_it_does_not_know(void **state)
{
	(void)state;
	pairing_begin(&protocol_kafka);
	ask(0, 14, 1); /* newer than we know: nothing but the name */
	send(SIDE_REQUEST);
	answer_produce(1, 6);
	send(SIDE_RESPONSE);
	ask(400, 0, 2);
	send(SIDE_REQUEST);
	answer(2);
	send(SIDE_RESPONSE);
	pairing_expect("Produce#;other;");
}

/* Topic ids are learned on any connection; without that they are nobody. */
static void marks_unknown_topics(void **state)
{
	(void)state;
	pairing_begin(&protocol_kafka);
	ask(1, 13, 1);
	put_number(0, 1); /* tagged fields */
	put_number(0, 25);
	put_number(2, 1);
	put_number(7, 16);
	put_number(1, 1);
	put_number(0, 10);
	send(SIDE_REQUEST);
	answer(1);
	put_number(0, 13);
	send(SIDE_RESPONSE);
	pairing_expect("Fetch_empty?;");
}

/* SaslHandshake 0: tokens come without a header, until something with one does. */
static void follows_tokens_without_headers(void **state)
{
	static const char *const refused[] = { "SaslHandshake;ApiVersions;",
					       "SaslHandshake=UNSUPPORTED_SASL_MECHANISM;" };

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		pairing_begin(&protocol_kafka);
		ask(17, 0, 1);
		put_string("PLAIN");
		send(SIDE_REQUEST);
		answer(1);
		put_number(i ? 33 : 0, 2);
		put_number(0, 4);
		send(SIDE_RESPONSE);
		if (!i) {
			PAIRING_SAY(SIDE_REQUEST, "\0\0\0\22\0somebody\0password");
			PAIRING_SAY(SIDE_RESPONSE, "\0\0\0\0");
			PAIRING_SAY(SIDE_REQUEST, "\0\0\0\1x");
			PAIRING_SAY(SIDE_RESPONSE, "\0\0\0\2yz");
			ask(18, 0, 2);
			send(SIDE_REQUEST);
			answer(2);
			put_number(0, 2);
			send(SIDE_RESPONSE);
		}
		pairing_expect(refused[i]);
		assert_int_equal(pairing_waiting(), 0);
	}
}

/* Sonde came when requests were under way: their answers are nobody's. */
static void passes_over_answers_from_before(void **state)
{
	(void)state;
	pairing_begin(&protocol_kafka);
	ask(18, 0, 70000);
	send(SIDE_REQUEST);
	for (uint32_t correlation = 69997; correlation <= 70000; correlation++) {
		answer(correlation);
		put_number(0, 2);
		send(SIDE_RESPONSE);
	}
	pairing_expect("stray;stray;stray;ApiVersions;");
}

/* Once it is in step an answer to something else is none, and neither is one to a request that was not made yet. */
static void refuses_answers_out_of_order(void **state)
{
	(void)state;
	pairing_begin(&protocol_kafka);
	ask(18, 0, 1);
	send(SIDE_REQUEST);
	answer(2);
	send(SIDE_RESPONSE);
	pairing_expect("broken;");
	pairing_begin(&protocol_kafka);
	for (uint32_t correlation = 1; correlation <= 2; correlation++) {
		ask(18, 0, correlation);
		send(SIDE_REQUEST);
	}
	answer(1);
	put_number(0, 2);
	send(SIDE_RESPONSE);
	answer(1);
	send(SIDE_RESPONSE);
	pairing_expect("ApiVersions;broken;");
}

static void refuses_what_is_no_request(void **state)
{
	(void)state;
	pairing_begin(&protocol_kafka);
	PAIRING_SAY(SIDE_REQUEST, "\0\0\0\7\0\22\0\3\0\0\0\1");
	pairing_expect("not mine;");
	pairing_begin(&protocol_kafka);
	PAIRING_SAY(SIDE_REQUEST, "\x16\x03\x01\2\0\1\0\1\xfc\3\3\x10");
	pairing_expect("not mine;");
}

#define SNIFFED(literal) literal, sizeof(literal) - 1

static void sniffs(void **state)
{
	static const struct {
		const char *bytes;
		size_t length;
		enum sniff_result expected;
	} firsts[] = {
		{ SNIFFED(""), SNIFF_MORE },
		{ SNIFFED("\0\0\0\x20"), SNIFF_MORE },
		{ SNIFFED("\0\0\0\x20\0\x12\0\3\0\0\0\1\0"), SNIFF_MORE },
		{ SNIFFED("\0\0\0\x20\0\x12\0\3\0\0\0\1\0\7rdkafka"), SNIFF_REQUEST },
		{ SNIFFED("\0\0\0\x20\0\x12\0\3\0\0\0\1\0\7rd\1"), SNIFF_NO },
		{ SNIFFED("\0\0\0\x0a\0\x12\0\0\0\0\0\1\xff\xff"), SNIFF_REQUEST },
		{ SNIFFED("\0\0\0\x0a\0\x12\0\0\0\0\0\1\0\0"), SNIFF_REQUEST },
		{ SNIFFED("\0\0\0\x20\0\3\0\0\0\0\0\1\0\0"), SNIFF_NO },
		{ SNIFFED("\0\0\0\x09\0\x12\0\0\0\0\0\1\xff\xff"), SNIFF_NO },
		{ SNIFFED("\0\0\0\x0b\0\x12\0\0\0\0\0\1\0\2"), SNIFF_NO },
		{ SNIFFED("\0\0\0\x20\0\x7f"), SNIFF_NO },
		{ SNIFFED("\0\0\0\x20\0\x12\1\0"), SNIFF_NO },
		{ SNIFFED("\0\0\0\x20\0\x12\0\3\xff"), SNIFF_NO },
		{ SNIFFED("\x16\3\1\2\0"), SNIFF_NO },
		{ SNIFFED("GET / "), SNIFF_NO },
		{ SNIFFED("\1"), SNIFF_NO },
		{ SNIFFED("\0\0\0\x29\0\3\0\0user\0postgres"), SNIFF_NO }, /* PostgreSQL */
		{ SNIFFED("\0\0\0\x08\4\xd2\x16\x2f"), SNIFF_NO },
		{ SNIFFED("\0\0\x12\4\0\0\0\0\0\0\3\0\0\0\x64\0\4"), SNIFF_NO }, /* HTTP/2 */
		{ SNIFFED("\0\0\x06\4\0\0\0\0\0\0\3\x7f\xff\xff\xff"), SNIFF_NO },
		{ SNIFFED("\0\0\x06\4\0\0\0\0\0\0\3\0\0\1\x2c"), SNIFF_NO },
		{ SNIFFED("\0\0\4\x08\0\0\0\0\0\0\0\x10\0\0\0\x2a\1\4"), SNIFF_NO },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(firsts) / sizeof(firsts[0]); i++)
		assert_int_equal(protocol_kafka.sniff((const uint8_t *)firsts[i].bytes,
						      firsts[i].length),
				 firsts[i].expected);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TALK_TESTS(talks),
		cmocka_unit_test(names_errors_of_partitions),
		cmocka_unit_test(lets_go_what_nothing_answers),
		cmocka_unit_test(names_the_first_of_several_topics),
		cmocka_unit_test(refuses_names_that_are_none),
		cmocka_unit_test(counts_messages_by_batch),
		cmocka_unit_test(counts_old_messages),
		cmocka_unit_test(skips_records_unseen),
		cmocka_unit_test(keeps_its_place_behind_holes),
		cmocka_unit_test(stays_inside_a_message),
		cmocka_unit_test(names_what_it_does_not_know),
		cmocka_unit_test(marks_unknown_topics),
		cmocka_unit_test(follows_tokens_without_headers),
		cmocka_unit_test(passes_over_answers_from_before),
		cmocka_unit_test(refuses_answers_out_of_order),
		cmocka_unit_test(refuses_what_is_no_request),
		cmocka_unit_test(sniffs),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	pairing_begin(NULL);
	return failed;
}
