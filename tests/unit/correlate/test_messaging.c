/* SPDX-License-Identifier: Apache-2.0 */
/* What connections of a protocol share, names that are bounded, and answers to requests from before; with Kafka for an example. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "failing_alloc.h"
#include "script.h"

/* API, version, correlation id, client id. */
#define HEAD(api, correlation) api "\0\0\0" correlation "\0\1c"
#define HEARTBEAT(correlation, group) HEAD("\0\14\0\0", correlation) "\0\1" group "\0\0\0\1\0\2id"
#define HEARTBEAT_ANSWER(correlation) "\0\0\0" correlation "\0\0"
/* Fetch 13 of one topic, by its id, and an answer with nothing in it. */
#define TOPIC_ID "0123456789abcdef"
#define FETCH                                          \
	HEAD("\0\1\0\15", "\5")                        \
	"\0\377\377\377\377\0\0\1\0\0\0\0\1\0\0\0\1\0" \
	"\0\0\0\0\0\0\0\0\2" TOPIC_ID "\1\0\1\1\0"
#define FETCH_ANSWER "\0\0\0\5\0\0\0\0\0\0\0\0\0\0\0\1\0"
/* Metadata 10 with one broker and one topic: "orders". */
#define METADATA HEAD("\0\3\0\12", "\1") "\0\1\0\0\0\0"
#define METADATA_ANSWER                                                                   \
	"\0\0\0\1\0\0\0\0\0\2\0\0\0\1\5host\0\0\1\1\0\0\0\0\0\0\1\2\0\0\7orders" TOPIC_ID \
	"\0\1\0\0\0\0\0\0\0\0\0\0"

static struct script script;

static void begin(const struct engine_limits *limits, uint8_t flags)
{
	assert_int_equal(script_open(&script, limits), 0);
	script_connect(&script, ROLE_SERVER, flags);
}

static void expect(const char *log)
{
	assert_string_equal(script.log, log);
}

#define SAY(dir, literal) say(dir, literal, sizeof(literal) - 1)

/* A message with its size before it. */
static void say(enum turn_dir dir, const char *message, size_t length)
{
	char bytes[256] = { 0, 0, (char)(length >> 8), (char)length };

	assert_true(length <= sizeof(bytes) - 4);
	memcpy(bytes + 4, message, length);
	script_call(&script, dir, bytes, length + 4);
}

static void fetch(void)
{
	SAY(DIR_READ, FETCH);
	SAY(DIR_WRITE, FETCH_ANSWER);
}

static void knows_topics_from_other_connections(void **state)
{
	(void)state;
	begin(NULL, 0);
	fetch();
	expect("server - - - - Fetch_empty [ok;destination_unknown;");
	script_hang_up(&script, 0);
	script_connect(&script, ROLE_SERVER, 0);
	SAY(DIR_READ, METADATA);
	SAY(DIR_WRITE, METADATA_ANSWER);
	script_hang_up(&script, 0);
	script.log_bytes = 0;
	script_connect(&script, ROLE_SERVER, 0);
	fetch();
	expect("server - - - - Fetch_empty orders [ok;");
	script_hang_up(&script, 0);
	script_close(&script);
}

static void lives_without_memory_to_share(void **state)
{
	(void)state;
	FOR_EACH_FAILING_ALLOC(nth)
	{
		if (script_open(&script, NULL) < 0)
			continue;
		script_connect(&script, ROLE_SERVER, 0);
		fetch();
		script_hang_up(&script, 0);
		script_close(&script);
	}
}

static void bounds_names_of_groups(void **state)
{
	const struct engine_limits limits = { .connections = 4,
					      .services = 1,
					      .routes_per_service = 1 };

	(void)state;
	begin(&limits, 0);
	SAY(DIR_READ, HEARTBEAT("\1", "a"));
	SAY(DIR_WRITE, HEARTBEAT_ANSWER("\1"));
	SAY(DIR_READ, HEARTBEAT("\2", "b"));
	SAY(DIR_WRITE, HEARTBEAT_ANSWER("\2"));
	SAY(DIR_READ, HEARTBEAT("\3", "a"));
	SAY(DIR_WRITE, HEARTBEAT_ANSWER("\3"));
	expect("server - - - - Heartbeat @a [ok;server - - - - Heartbeat @other [ok;"
	       "server - - - - Heartbeat @a [ok;");
	script_hang_up(&script, 0);
	script_close(&script);
}

/* Two requests were under way when sonde came. */
static void counts_answers_to_requests_from_before(void **state)
{
	(void)state;
	begin(NULL, CONN_PREEXISTING);
	SAY(DIR_READ, HEARTBEAT("\7", "a"));
	SAY(DIR_WRITE, HEARTBEAT_ANSWER("\5"));
	SAY(DIR_WRITE, HEARTBEAT_ANSWER("\6"));
	SAY(DIR_WRITE, HEARTBEAT_ANSWER("\7"));
	expect("server - - - - partial [partial;server - - - - partial [partial;"
	       "server - - - - Heartbeat @a [ok;");
	script_hang_up(&script, 0);
	script_close(&script);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(knows_topics_from_other_connections),
		cmocka_unit_test(lives_without_memory_to_share),
		cmocka_unit_test(bounds_names_of_groups),
		cmocka_unit_test(counts_answers_to_requests_from_before),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
