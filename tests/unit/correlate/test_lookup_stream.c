/* SPDX-License-Identifier: Apache-2.0 */
/* DNS over TCP through the engine: answers that overtake each other, what a connection leaves behind when it ends, loses bytes
 * or carries a zone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "script.h"

static struct script script;

static int setup(void **state)
{
	(void)state;
	return script_open(&script, NULL);
}

static int teardown(void **state)
{
	(void)state;
	script_close(&script);
	return 0;
}

static void expect(const char *text)
{
	assert_string_equal(script.log, text);
	script.log[0] = '\0';
	script.log_bytes = 0;
}

#define MESSAGE_BYTES 26

/* One for N.test, N the identifier's letter; 24 bytes and their length. */
static void put_message(char *to, char id, unsigned flags, unsigned type)
{
	static const char message[MESSAGE_BYTES + 1] =
		"\0\x18\0x\x01\0\0\1\0\0\0\0\0\0\1x\4test\0\0\1\0\1";

	memcpy(to, message, MESSAGE_BYTES);
	to[3] = to[15] = id;
	to[4] = (char)(flags >> 8);
	to[5] = (char)flags;
	to[23] = (char)type;
}

#define ASK 0x0100
#define ANSWER 0x8180

static void say(enum turn_dir dir, const char *ids, unsigned flags)
{
	char bytes[512];
	size_t length = 0;

	for (; *ids; ids++, length += MESSAGE_BYTES)
		put_message(bytes + length, *ids, flags, 1);
	script_call(&script, dir, bytes, length);
}

static void say_by_byte(enum turn_dir dir, char id, unsigned flags)
{
	char bytes[MESSAGE_BYTES];

	put_message(bytes, id, flags, 1);
	for (size_t i = 0; i < sizeof(bytes); i++)
		script_call(&script, dir, bytes + i, 1);
}

/* Names are short enough to be whole. */
#define GOT(side, id, rest) side " - - - - " id ".test" rest " [ok;"

static void pairs_in_any_order(void **state)
{
	(void)state;
	script_connect(&script, ROLE_CLIENT, 0);
	say(DIR_WRITE, "abc", ASK);
	say(DIR_READ, "cab", ANSWER);
	expect(GOT("client", "c", "") GOT("client", "a", "") GOT("client", "b", ""));
	say(DIR_WRITE, "d", ASK);
	say(DIR_READ, "d", ANSWER | 3);
	expect(GOT("client", "d", " error=NXDOMAIN"));
	script_hang_up(&script, 0);
	expect("");
}

static void serves_both_at_once(void **state)
{
	(void)state;
	script_connect(&script, ROLE_SERVER, 0);
	say(DIR_READ, "a", ASK);
	say(DIR_READ, "b", ASK);
	say(DIR_WRITE, "b", ANSWER);
	say(DIR_READ, "c", ASK);
	say(DIR_WRITE, "ac", ANSWER);
	expect(GOT("server", "b", "") GOT("server", "a", "") GOT("server", "c", ""));
}

static void understands_single_bytes(void **state)
{
	(void)state;
	script_connect(&script, ROLE_SERVER, 0);
	say_by_byte(DIR_READ, 'a', ASK);
	say_by_byte(DIR_WRITE, 'a', ANSWER);
	expect(GOT("server", "a", ""));
}

static void fails_what_the_close_leaves(void **state)
{
	(void)state;
	script_connect(&script, ROLE_CLIENT, 0);
	say(DIR_WRITE, "abc", ASK);
	say(DIR_READ, "b", ANSWER);
	expect(GOT("client", "b", ""));
	script_hang_up(&script, 0);
	expect("client - - - - a.test error=no_response [no_response;"
	       "client - - - - c.test error=no_response [no_response;");
	script_tick(&script, 7000);
	expect("");
}

static void claims_nothing_after_a_loss(void **state)
{
	(void)state;
	script_connect(&script, ROLE_CLIENT, 0);
	say(DIR_WRITE, "a", ASK);
	say(DIR_READ, "a", ANSWER);
	expect(GOT("client", "a", ""));
	say(DIR_WRITE, "b", ASK);
	script.drop_event = 1;
	say(DIR_READ, "b", ANSWER);
	say(DIR_WRITE, "c", ASK);
	expect("client - - - - b.test partial [lost;");
	say(DIR_READ, "c", ANSWER);
	expect(GOT("client", "c", ""));
}

static void leaves_zones_alone(void **state)
{
	char bytes[MESSAGE_BYTES];

	(void)state;
	script_connect(&script, ROLE_SERVER, 0);
	put_message(bytes, 'a', ASK, 252);
	script_call(&script, DIR_READ, bytes, sizeof(bytes));
	expect("feed;");
	assert_int_equal(script.mode, MODE_LENGTHS);
	say(DIR_WRITE, "aaaa", ANSWER);
	expect("");
}

static void joins_in_the_middle(void **state)
{
	(void)state;
	script_connect(&script, ROLE_UNKNOWN, CONN_PREEXISTING);
	say(DIR_READ, "a", ANSWER);
	say(DIR_WRITE, "b", ASK);
	say(DIR_READ, "b", ANSWER);
	expect(GOT("client", "b", ""));
	script_hang_up(&script, 0);
	expect("client - - - - a.test partial [partial;");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(pairs_in_any_order),	   TEST(serves_both_at_once),
		TEST(understands_single_bytes),	   TEST(fails_what_the_close_leaves),
		TEST(claims_nothing_after_a_loss), TEST(leaves_zones_alone),
		TEST(joins_in_the_middle),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
