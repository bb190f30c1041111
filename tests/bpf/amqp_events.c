/* SPDX-License-Identifier: Apache-2.0 */
/* What begins as AMQP does is sent call by call, without the bodies of messages; what begins as Kafka does, call by call. */
#include "scenes.h"

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

#define SAY(fd, literal) MUST(write(fd, literal, sizeof(literal) - 1))

#define OPENING "AMQP\0\0\11\1"
#define START "\1\0\0\0\0\0\4\0\12\0\12\316"
#define PUBLISH "\1\0\1\0\0\0\4\0\74\0\50\316"
#define MESSAGE_HEADER "\2\0\1\0\0\0\4\0\74\0\0\316"
#define BEFORE_BODY (sizeof(PUBLISH) - 1 + sizeof(MESSAGE_HEADER) - 1)
#define BODY_FRAME 7

static struct ends open_amqp(struct stage *stage)
{
	struct ends ends = stage_ends(stage);

	SAY(ends.client, OPENING);
	stage_read(stage, ends.server, sizeof(OPENING) - 1, 64);
	SAY(ends.server, START);
	stage_read(stage, ends.client, sizeof(START) - 1, 64);
	return ends;
}

/* A message whose body comes in frames of `length` bytes; returns its end. */
static size_t put_message(char *text, size_t at, size_t frames, size_t length)
{
	memcpy(text + at, PUBLISH MESSAGE_HEADER, BEFORE_BODY);
	at += BEFORE_BODY;
	for (size_t i = 0; i < frames; i++) {
		memcpy(text + at, "\3\0\1\0\0", 5);
		text[at + 5] = (char)(length >> 8);
		text[at + 6] = (char)length;
		letters(text + at + BODY_FRAME, length);
		text[at + BODY_FRAME + length] = '\316';
		at += BODY_FRAME + length + 1;
	}
	return at;
}

/* Two messages in one write, read in calls that end in a body, before its end byte, and in a header. */
static void act_bodies(struct stage *stage)
{
	static char text[32768];
	struct ends ends = open_amqp(stage);
	size_t at = put_message(text, 0, 2, 6000), end = put_message(text, at, 1, 5000);

	MUST(write(ends.client, text, end));
	stage_read(stage, ends.server, 3000, 3000);
	stage_read(stage, ends.server, BEFORE_BODY + BODY_FRAME + 3000, 8000);
	stage_read(stage, ends.server, 4, 4);
	stage_read(stage, ends.server, end - 3000 - BEFORE_BODY - BODY_FRAME - 3000 - 4, 20000);
	ends_close(&ends);
}

/* What is short is sent, as long as its end is among the bytes looked at. */
static void act_short_bodies(struct stage *stage)
{
	static char text[1024];
	struct ends ends = open_amqp(stage);
	size_t end = put_message(text, 0, 2, 40);

	MUST(write(ends.client, text, end));
	stage_read(stage, ends.server, end, 1024);
	ends_close(&ends);
}

#define API_VERSIONS "\0\0\0\13\0\22\0\0\0\0\0\1\0\1c"

/* A broker reads the length first; its next long call is streamed already. */
static void act_kafka(struct stage *stage)
{
	static char text[300];
	struct ends ends = stage_ends(stage);

	SAY(ends.client, API_VERSIONS);
	stage_read(stage, ends.server, 4, 4);
	stage_read(stage, ends.server, sizeof(API_VERSIONS) - 1 - 4, 64);
	letters(text, sizeof(text));
	MUST(write(ends.client, text, sizeof(text)));
	stage_read(stage, ends.server, sizeof(text), 400);
	ends_close(&ends);
}

static const struct scene scenes[] = {
	{ .name = "bodies",
	  .act = act_bodies,
	  .expected =
		  "client connect established\n"
		  "client turn 1 write 8/1 tail unseen call 8 at 0 \"AMQP\\000\\000\\011\\001\"\n"
		  "client turn 2 read 12/1 tail unseen call 12 at 0 \"\\001\\000\\000\\000\\000\\000\\004\\000\\n\\000\\n\\316\" after write 8/1 tail unseen\n"
		  "client turn 3 write 17072/1 tail unseen call 6031 at 0 \"\\001\\000\\001\\000\\000\\000\\004\\000<\\000(\\316\\002\\000\\001\\000\\000\\000\\004\\000<\\000\\000\\316\\003\\000\\001\\000\\000\\027p\" after read 12/1 tail unseen\n"
		  "client turn 3 write 17072/1 tail unseen call 6008 at 6031 \"\\316\\003\\000\\001\\000\\000\\027p\" continued\n"
		  "client turn 3 write 17072/1 tail unseen call 5032 at 12039 \"\\316\\001\\000\\001\\000\\000\\000\\004\\000<\\000(\\316\\002\\000\\001\\000\\000\\000\\004\\000<\\000\\000\\316\\003\\000\\001\\000\\000\\023\\210\" continued\n"
		  "client turn 3 write 17072/1 tail unseen call 1 at 17071 \"\\316\" continued\n"
		  "client close sent 17080 received 12 turn 3 write 17072/1 tail unseen\n"
		  "server accept\n"
		  "server turn 1 read 8/1 tail unseen call 8 at 0 \"AMQP\\000\\000\\011\\001\"\n"
		  "server turn 2 write 12/1 tail unseen call 12 at 0 \"\\001\\000\\000\\000\\000\\000\\004\\000\\n\\000\\n\\316\" after read 8/1 tail unseen\n"
		  "server turn 3 read 3000/1 tail unseen call 3000 at 0 \"\\001\\000\\001\\000\\000\\000\\004\\000<\\000(\\316\\002\\000\\001\\000\\000\\000\\004\\000<\\000\\000\\316\\003\\000\\001\\000\\000\\027p\" after write 12/1 tail unseen\n"
		  "server turn 3 read 6031/2 tail unseen call 0 at 6031 \"\" continued\n"
		  "server turn 3 read 6035/3 tail unseen call 4 at 6031 \"\\316\\003\\000\\001\" continued\n"
		  "server turn 3 read 17072/4 tail unseen call 6004 at 6035 \"\\000\\000\\027p\" continued\n"
		  "server turn 3 read 17072/4 tail unseen call 5032 at 12039 \"\\316\\001\\000\\001\\000\\000\\000\\004\\000<\\000(\\316\\002\\000\\001\\000\\000\\000\\004\\000<\\000\\000\\316\\003\\000\\001\\000\\000\\023\\210\" continued\n"
		  "server turn 3 read 17072/4 tail unseen call 1 at 17071 \"\\316\" continued\n"
		  "server close sent 12 received 17080 turn 3 read 17072/4 tail unseen\n"
		  "it counts established 1 accepts 1 client-exchanges 1 client-closes 1 server-exchanges 1 server-closes 1 sent 17092 received 17092\n" },
	{ .name = "short_bodies",
	  .act = act_short_bodies,
	  .expected =
		  "client connect established\n"
		  "client turn 1 write 8/1 tail unseen call 8 at 0 \"AMQP\\000\\000\\011\\001\"\n"
		  "client turn 2 read 12/1 tail unseen call 12 at 0 \"\\001\\000\\000\\000\\000\\000\\004\\000\\n\\000\\n\\316\" after write 8/1 tail unseen\n"
		  "client turn 3 write 120/1 tail unseen call 120 at 0 \"\\001\\000\\001\\000\\000\\000\\004\\000<\\000(\\316\\002\\000\\001\\000\\000\\000\\004\\000<\\000\\000\\316\\003\\000\\001\\000\\000\\000(abcdefghijklmnopqrstuvwxyzabcdefghijklmn\\316\\003\\000\\001\\000\\000\\000(abcdefghijklmnopqrstuvwxyzabcdefghijklmn\\316\" after read 12/1 tail unseen\n"
		  "client close sent 128 received 12 turn 3 write 120/1 tail unseen\n"
		  "server accept\n"
		  "server turn 1 read 8/1 tail unseen call 8 at 0 \"AMQP\\000\\000\\011\\001\"\n"
		  "server turn 2 write 12/1 tail unseen call 12 at 0 \"\\001\\000\\000\\000\\000\\000\\004\\000\\n\\000\\n\\316\" after read 8/1 tail unseen\n"
		  "server turn 3 read 120/1 tail unseen call 120 at 0 \"\\001\\000\\001\\000\\000\\000\\004\\000<\\000(\\316\\002\\000\\001\\000\\000\\000\\004\\000<\\000\\000\\316\\003\\000\\001\\000\\000\\000(abcdefghijklmnopqrstuvwxyzabcdefghijklmn\\316\\003\\000\\001\\000\\000\\000(abcdefghijklmnopqrstuvwxyzabcdefghijklmn\\316\" after write 12/1 tail unseen\n"
		  "server close sent 12 received 128 turn 3 read 120/1 tail unseen\n"
		  "it counts established 1 accepts 1 client-exchanges 1 client-closes 1 server-exchanges 1 server-closes 1 sent 140 received 140\n" },
	{ .name = "kafka",
	  .act = act_kafka,
	  .expected =
		  "client connect established\n"
		  "client turn 1 write 15/1 tail \"\\001\\000\\001c\" call 15 at 0 \"\\000\\000\\000\\013\\000\\022\\000\\000\\000\\000\\000\\001\\000\\001c\"\n"
		  "client turn 1 write 315/2 tail unseen call 300 at 15 \"abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijklmn\" continued\n"
		  "client close sent 315 received 0 turn 1 write 315/2 tail unseen\n"
		  "server accept\n"
		  "server turn 1 read 4/1 tail \"\\013\" call 4 at 0 \"\\000\\000\\000\\013\"\n"
		  "server turn 1 read 15/2 tail \"\\001\\000\\001c\" call 11 at 4 \"\\000\\022\\000\\000\\000\\000\\000\\001\\000\\001c\" continued\n"
		  "server turn 1 read 315/3 tail unseen call 300 at 15 \"abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijklmn\" continued\n"
		  "server close sent 0 received 315 turn 1 read 315/3 tail unseen\n"
		  "it counts established 1 accepts 1 client-closes 1 server-closes 1 sent 315 received 315\n" },
};

static const struct group groups[] = {
	{ .name = "amqp", .scenes = scenes, .count = LENGTH(scenes) },
};

int main(int argc, char **argv)
{
	return observer_main(argc, argv, groups, LENGTH(groups));
}
