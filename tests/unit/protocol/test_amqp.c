/* SPDX-License-Identifier: Apache-2.0 */
/* What RabbitMQ and its clients said, whole, split at every byte, cut at every length, with holes, and joined late. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "amqp_talks.h"
#include "failing_alloc.h"
#include "pairing.h"
#include "protocol/amqp_ledger.h"
#include "protocol/protocol.h"

#define CLIENT SIDE_REQUEST
#define SERVER SIDE_RESPONSE
#define METHOD(class, method) ((uint32_t)(class) << 16 | (method))

static const char *const expected[AMQP_COUNT] = {
	[AMQP_WORK] =
		"connection.start;connection.open;channel.open;exchange.declare talk;queue.declare tq;queue.bind tq;qos;"
		"~sent publish talk;~sent publish talk;~sent publish talk;~sent publish tq;consume tq;"
		"~got deliver tq;~got deliver tq;~got deliver tq;process tq=nack;~got deliver tq;"
		"process tq;process tq;process tq=reject;cancel;get tq;~sent publish tq;~sent publish tq;"
		"got get tq;got get tq;process tq;tx.select;~sent publish tq;tx.commit;queue.purge tq;"
		"queue.delete tq;exchange.delete talk;channel.close;connection.close;",
	[AMQP_CONFIRMS] =
		"connection.start;connection.open;channel.open;channel.open;queue.declare;confirm.select;"
		"~sent publish (anonymous);publish (anonymous);~sent publish nowhere;~return nowhere;"
		"publish nowhere=312;~sent publish nowhere;~sent publish noexchange;~return nowhere;"
		"publish noexchange=404;~sent publish noexchange;queue.declare (anonymous)=404;channel.open;"
		"queue.declare nope=404;connection.close;",
};

static const struct talk_set talks = { &protocol_amqp, amqp_talks, expected, AMQP_COUNT };

/* Bytes from `hole` on are missing, seven of them or to the end of what was said at once. */
static void play_with_hole(const struct said *said, size_t hole)
{
	size_t at = 0;

	pairing_begin(&protocol_amqp);
	for (; said->side; at += said++->length) {
		enum message_side side = said->side == 'Q' ? CLIENT : SERVER;
		size_t first = hole > at && hole - at < said->length ? hole - at : 0;
		size_t missing = said->length - first < 7 ? said->length - first : 7;

		if (hole < at || hole >= at + said->length)
			missing = 0;
		pairing_feed(side, said->bytes, first);
		pairing_feed(side, NULL, missing);
		pairing_feed(side, said->bytes + first + missing, said->length - first - missing);
	}
}

/* Wherever that is; and the end is understood again. */
static void survives_holes(void **state)
{
	size_t length = said_length(amqp_talks[AMQP_WORK]);

	(void)state;
	for (size_t hole = 0; hole + 200 < length; hole++) {
		const char *text;

		play_with_hole(amqp_talks[AMQP_WORK], hole);
		text = pairing_text();
		assert_false(pairing_is_over());
		assert_non_null(
			strstr(text, "exchange.delete talk;channel.close;connection.close;"));
	}
}

static void skips_content_unseen(void **state)
{
	(void)state;
	pairing_begin(&protocol_amqp);
	PAIRING_SAY(CLIENT, "AMQP\0\0\11\1");
	PAIRING_SAY(CLIENT, "\3\0\1\0\0\100\0");
	pairing_feed(CLIENT, NULL, 16385);
	PAIRING_SAY(CLIENT, "\1\0\1\0\0\0\5\0\24\0\12\0\316");
	PAIRING_SAY(SERVER, "\1\0\1\0\0\0\10\0\24\0\13\0\0\0\0\316");
	pairing_expect("channel.open;");
}

/* A frame as the two send it; at most 255 bytes of arguments. */
static void say(enum message_side side, uint8_t channel, uint32_t number, const char *arguments,
		size_t length)
{
	char frame[300] = { 1, 0, (char)channel, 0, 0, 0, (char)(length + 4) };

	for (size_t i = 0; i < 4; i++)
		frame[7 + i] = (char)(number >> (24 - 8 * i));
	memcpy(frame + 11, arguments, length);
	frame[11 + length] = (char)0xce;
	pairing_feed(side, frame, length + 12);
}

#define SAY(side, channel, class, method, arguments) \
	say(side, channel, METHOD(class, method), arguments, sizeof(arguments) - 1)

#define OPEN_CHANNEL(number)                     \
	do {                                     \
		SAY(CLIENT, number, 20, 10, ""); \
		SAY(SERVER, number, 20, 11, ""); \
	} while (0)

static void begin(void)
{
	pairing_begin(&protocol_amqp);
	PAIRING_SAY(CLIENT, "AMQP\0\0\11\1");
}

/* Of two channels; each answer says which. */
static void pairs_by_channel(void **state)
{
	(void)state;
	begin();
	SAY(CLIENT, 1, 50, 10, "\0\0\1a\0");
	SAY(CLIENT, 2, 50, 30, "\0\0\1b\0");
	SAY(SERVER, 2, 50, 31, "");
	SAY(SERVER, 1, 50, 11, "");
	SAY(SERVER, 1, 50, 11, "");
	pairing_expect("queue.purge b;queue.declare a;unmatched queue.declare;");
}

static void counts_what_is_not_answered(void **state)
{
	(void)state;
	begin();
	SAY(CLIENT, 1, 50, 10, "\0\0\1a\20");
	SAY(CLIENT, 1, 60, 20, "\0\0\1a\1t\12"); /* no_ack, nowait */
	SAY(SERVER, 1, 60, 60, "\1t\0\0\0\0\0\0\0\1\0\0\1a");
	SAY(SERVER, 1, 60, 30, "\1t\1");
	SAY(SERVER, 1, 60, 60, "\1t\0\0\0\0\0\0\0\2\0\2ex\1a");
	pairing_give_up(true);
	pairing_expect("~queue.declare a;~consume a;~got deliver a;push;~got deliver ex;");
}

#define DELIVER(tag) SAY(SERVER, 1, 60, 60, "\1t\0\0\0\0\0\0\0" tag "\0\2ex\1a")

static void settles_many_at_once(void **state)
{
	(void)state;
	begin();
	SAY(CLIENT, 1, 60, 20, "\0\0\1a\1t\0");
	SAY(SERVER, 1, 60, 21, "\1t");
	DELIVER("\1");
	DELIVER("\2");
	DELIVER("\3");
	DELIVER("\4");
	SAY(CLIENT, 1, 60, 80, "\0\0\0\0\0\0\0\4\0");
	SAY(CLIENT, 2, 60, 80, "\0\0\0\0\0\0\0\3\0"); /* another channel's */
	SAY(CLIENT, 1, 60, 120, "\0\0\0\0\0\0\0\2\1");
	SAY(CLIENT, 1, 60, 80, "\0\0\0\0\0\0\0\0\1");
	pairing_expect(
		"consume a;~got deliver a;~got deliver a;~got deliver a;~got deliver a;process a;partial process;"
		"process a=nack;process a=nack;process a;");
}

#define PUBLISH(channel, route) SAY(CLIENT, channel, 60, 40, "\0\0\1e\1" route "\1")

static void begin_confirms(void)
{
	begin();
	OPEN_CHANNEL(1);
	SAY(CLIENT, 1, 85, 10, "\1");
}

static void pairs_confirmations_by_tag(void **state)
{
	(void)state;
	begin_confirms();
	PUBLISH(1, "a");
	PUBLISH(1, "b");
	PUBLISH(1, "c");
	SAY(SERVER, 1, 60, 50, "\1\70\0\1e\1b");
	SAY(SERVER, 1, 60, 80, "\0\0\0\0\0\0\0\3\0");
	SAY(SERVER, 1, 60, 120, "\0\0\0\0\0\0\0\2\1");
	SAY(SERVER, 1, 60, 80, "\0\0\0\0\0\0\0\2\0"); /* once more */
	pairing_expect(
		"channel.open;~confirm.select;~sent publish e;~sent publish e;~sent publish e;~return e;publish e;"
		"publish e=nack;publish e=nack;");
}

/* The one it was closed for is not named: none of them is confirmed. */
static void fails_what_a_close_is_for(void **state)
{
	(void)state;
	begin_confirms();
	OPEN_CHANNEL(2);
	PUBLISH(1, "a");
	PUBLISH(1, "b");
	SAY(CLIENT, 2, 50, 10, "\0\0\1a\0");
	SAY(SERVER, 1, 20, 40, "\1\224\0\0\74\0\50");
	PUBLISH(1, "c");
	SAY(CLIENT, 1, 20, 41, "");
	SAY(SERVER, 0, 10, 50, "\1\100\0\0\0\0\0");
	SAY(CLIENT, 0, 10, 51, "");
	pairing_expect(
		"channel.open;~confirm.select;channel.open;~sent publish e;~sent publish e;publish e=404;publish e=404;"
		"~sent publish e;queue.declare a=320;");
	begin();
	SAY(SERVER, 0, 10, 50, "\1\100\0\0\0\0\0");
	SAY(CLIENT, 0, 10, 51, "");
	pairing_expect("connection.close=320;");
}

static void leaves_what_nobody_settled(void **state)
{
	(void)state;
	begin_confirms();
	PUBLISH(1, "a");
	SAY(CLIENT, 1, 60, 20, "\0\0\1a\1t\0");
	SAY(SERVER, 1, 60, 21, "\1t");
	DELIVER("\1");
	SAY(CLIENT, 1, 20, 40, "\0\310\0\0\0\0\0");
	SAY(SERVER, 1, 20, 41, "");
	SAY(CLIENT, 1, 20, 10, "");
	pairing_give_up(true);
	pairing_expect(
		"channel.open;~confirm.select;~sent publish e;consume a;~got deliver a;channel.close;unanswered publish e;"
		"left;unanswered channel.open;");
}

/* Tags count from where a channel was opened, deliveries have theirs with them. */
static void joins_late(void **state)
{
	(void)state;
	pairing_begin(&protocol_amqp);
	PAIRING_SAY(CLIENT, "\316\0\0\0");
	PUBLISH(1, "a");
	SAY(SERVER, 1, 60, 80, "\0\0\0\0\0\0\0\7\0");
	SAY(SERVER, 1, 50, 11, "");
	DELIVER("\1");
	SAY(CLIENT, 1, 60, 80, "\0\0\0\0\0\0\0\1\0");
	SAY(CLIENT, 1, 60, 80, "\0\0\0\0\0\0\0\2\0");
	DELIVER("\3");
	OPEN_CHANNEL(2);
	SAY(CLIENT, 2, 85, 10, "\1");
	PUBLISH(2, "a");
	SAY(SERVER, 2, 60, 80, "\0\0\0\0\0\0\0\1\0");
	pairing_give_up(true);
	pairing_expect(
		"~sent publish e;partial publish;partial queue.declare;~got deliver ex;process ex;partial process;"
		"~got deliver ex;channel.open;~confirm.select;~sent publish e;publish e;");
}

static void forgets_after_a_loss(void **state)
{
	(void)state;
	begin_confirms();
	PUBLISH(1, "a");
	SAY(CLIENT, 1, 50, 10, "\0\0\1a\0");
	pairing_give_up(false);
	pairing_boundary(CLIENT, BOUNDARY_RESYNC, 0);
	pairing_boundary(SERVER, BOUNDARY_RESYNC, 0);
	PUBLISH(1, "b");
	SAY(SERVER, 1, 60, 80, "\0\0\0\0\0\0\0\3\0");
	SAY(SERVER, 1, 50, 11, "");
	pairing_expect(
		"channel.open;~confirm.select;~sent publish e;lost publish e;lost queue.declare a;lost -;~sent publish e;"
		"partial publish;unmatched queue.declare;");
}

static void is_bounded(void **state)
{
	size_t in_flight = 0, lost = 0;

	(void)state;
	begin_confirms();
	for (size_t i = 0; i < AMQP_IN_FLIGHT_MAX + 10; i++) {
		pairing_clear_text();
		PUBLISH(1, "a");
		lost += strcmp(pairing_text(), "lost sent publish e;") == 0;
	}
	assert_int_equal(lost, 10);
	pairing_clear_text();
	SAY(SERVER, 1, 60, 80, "\0\0\0\0\0\0\10\11\0"); /* one that was given up */
	pairing_expect("");
	for (size_t i = 0; i < AMQP_IN_FLIGHT_MAX + 10; i++) {
		const char tag[] = { 0, 0, 0, 0, 0, 0, (char)((i + 1) >> 8), (char)(i + 1), 0 };

		pairing_clear_text();
		say(SERVER, 1, METHOD(60, 80), tag, sizeof(tag));
		in_flight += strcmp(pairing_text(), "publish e;") == 0;
	}
	assert_int_equal(in_flight, AMQP_IN_FLIGHT_MAX);
}

/* What may never be settled makes room. */
static void doubtful_deliveries_make_room(void **state)
{
	(void)state;
	begin();
	for (size_t i = 0; i < AMQP_IN_FLIGHT_MAX + 10; i++) {
		pairing_clear_text();
		DELIVER("\1");
		pairing_expect("~got deliver ex;");
	}
	pairing_clear_text();
	SAY(CLIENT, 1, 50, 10, "\0\0\1a\0");
	SAY(SERVER, 1, 50, 11, "");
	pairing_expect("queue.declare a;");
}

static void refuses_what_is_none(void **state)
{
	static const struct {
		const char *bytes;
		size_t length;
	} frames[] = {
		{ "\4\0\0\0\0\0\0", 7 },			/* no such frame */
		{ "\1\0\0\0\0\0\3", 7 },			/* too short for a method */
		{ "\10\0\0\0\0\0\1", 7 },			/* a heartbeat says nothing */
		{ "\1\0\0\377\0\0\0", 7 },			/* too long */
		{ "\1\0\1\0\0\0\4\0\24\0\14\316", 12 },		/* no such method */
		{ "\1\0\1\0\0\0\4\0\24\0\13\316", 12 },		/* the server's */
		{ "\1\0\1\0\0\0\4\0\24\0\12\0", 12 },		/* ends otherwise */
		{ "\1\0\1\0\0\0\10\0\74\0\50\0\0\5e\316", 16 }, /* a name beyond its end */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(frames) / sizeof(frames[0]); i++) {
		begin();
		pairing_feed(CLIENT, frames[i].bytes, frames[i].length);
		pairing_expect("broken;");
		begin();
		for (size_t at = 0; at < frames[i].length; at++)
			pairing_feed(CLIENT, frames[i].bytes + at, 1);
		pairing_expect("broken;");
	}
}

static void sniffs(void **state)
{
	static const struct {
		const char *bytes;
		size_t length;
		enum sniff_result expected;
	} firsts[] = {
		{ "", 0, SNIFF_MORE },
		{ "AMQ", 3, SNIFF_MORE },
		{ "AMQP\0\0\11\1", 8, SNIFF_REQUEST },
		{ "AMQP\0\1\0\0", 8, SNIFF_NO }, /* 1.0 */
		{ "\1\0\1\0\0\0\5\0\74\0", 10, SNIFF_MORE },
		{ "\1\0\1\0\0\0\5\0\74\0\50", 11, SNIFF_REQUEST },
		{ "\1\0\1\0\0\0\5\0\74\0\74", 11, SNIFF_RESPONSE },
		{ "\1\0\1\0\0\0\5\0\74\0\120", 11, SNIFF_NO }, /* who acknowledges? */
		{ "\1\0\1\0\0\0\5\0\75\0\50", 11, SNIFF_NO },
		{ "\1\0\0\0\16", 5, SNIFF_NO },
		{ "\3\0\1\0", 4, SNIFF_NO },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(firsts) / sizeof(firsts[0]); i++)
		assert_int_equal(protocol_amqp.sniff((const uint8_t *)firsts[i].bytes,
						     firsts[i].length),
				 firsts[i].expected);
}

/* In place: what is copied needs memory too. Returns how many exchanges were told. */
static size_t play_in_place(const struct said *said)
{
	_Alignas(8) uint8_t state[PROTOCOL_STATE_MAX] = { 0 };
	struct exchange_facts facts = { 0 };
	size_t exchanges = 0;

	for (; said->side; said++) {
		struct protocol_run run = { .bytes = (const uint8_t *)said->bytes,
					    .length = said->length };
		enum protocol_step step;

		do {
			step = protocol_amqp.parse(state, said->side == 'Q' ? CLIENT : SERVER, &run,
						   &facts);
			exchanges += step == STEP_EXCHANGE;
		} while (step != STEP_MORE);
	}
	protocol_amqp.release(state);
	return exchanges;
}

static void without_memory(void **state)
{
	size_t all = play_in_place(amqp_talks[AMQP_WORK]);

	(void)state;
	FOR_EACH_FAILING_ALLOC(nth)
	assert_true(play_in_place(amqp_talks[AMQP_WORK]) <= all + 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TALK_TESTS(talks),
		cmocka_unit_test(survives_holes),
		cmocka_unit_test(skips_content_unseen),
		cmocka_unit_test(pairs_by_channel),
		cmocka_unit_test(counts_what_is_not_answered),
		cmocka_unit_test(settles_many_at_once),
		cmocka_unit_test(pairs_confirmations_by_tag),
		cmocka_unit_test(fails_what_a_close_is_for),
		cmocka_unit_test(leaves_what_nobody_settled),
		cmocka_unit_test(joins_late),
		cmocka_unit_test(forgets_after_a_loss),
		cmocka_unit_test(is_bounded),
		cmocka_unit_test(doubtful_deliveries_make_room),
		cmocka_unit_test(refuses_what_is_none),
		cmocka_unit_test(sniffs),
		cmocka_unit_test(without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
