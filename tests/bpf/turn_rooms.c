/* SPDX-License-Identifier: Apache-2.0 */
/* Turn events of all sizes: those that are built in a ring with room to spare or none, those that are copied there. */
#include <sys/uio.h>

#include "scenes.h"

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

/* Around the rooms of lib/turn.bpf.h. */
static const size_t requests[] = { 7, 8, 72, 73, 168, 169, 360, 361, 1024, 1025 };
static const size_t answers[][2] = {
	{ 3, 4 },    { 4, 4 },	  { 151, 9 },  { 152, 16 },  { 153, 8 },
	{ 152, 17 }, { 296, 64 }, { 297, 64 }, { 512, 512 }, { 513, 511 },
};

static void act_rooms(struct stage *stage)
{
	struct ends ends = stage_ends(stage);
	char text[1025], copy[1025];

	letters(text, sizeof(text));
	for (size_t i = 0; i < LENGTH(requests); i++) {
		size_t first = answers[i][0], second = answers[i][1];
		struct iovec out[] = { { text, first }, { text + first, second } };

		MUST(write(ends.client, text, requests[i]));
		MUST(read(ends.server, copy, sizeof(copy)));
		MUST(writev(ends.server, out, 2));
		MUST(read(ends.client, copy, sizeof(copy)));
	}
	ends_close(&ends);
}

/* One element, by every call that takes vectors; and two, of which the first is enough. */
static void act_one_element(struct stage *stage)
{
	struct ends ends = stage_ends(stage);
	char text[100], copy[100];
	struct iovec out = { text, sizeof(text) }, in[] = { { copy, sizeof(copy) }, { text, 1 } };
	struct msghdr message = { .msg_iov = &out, .msg_iovlen = 1 };

	letters(text, sizeof(text));
	MUST(writev(ends.client, &out, 1));
	MUST(readv(ends.server, in, 2));
	MUST(sendmsg(ends.server, &message, 0));
	message.msg_iov = in;
	MUST(recvmsg(ends.client, &message, 0));
	ends_close(&ends);
}

/* The header that ends in the second piece ends the capture. */
static void act_header_in_two(struct stage *stage)
{
	struct ends ends = stage_ends(stage);
	struct iovec head[] = { { (void *)"HTTP/1.1 200 OK\r\nA: b\r\n", 23 },
				{ (void *)"\r\n", 2 } };

	stage_write(stage, ends.client, "hello");
	stage_read(stage, ends.server, 5, 64);
	MUST(writev(ends.server, head, 2));
	stage_write(stage, ends.server, "body");
	stage_read(stage, ends.client, 29, 64);
	ends_close(&ends);
}

static const struct scene scenes[] = {
	{ .name = "rooms",
	  .act = act_rooms,
	  .expected =
		  "client connect established\n"
		  "client turn 1 write 7/1 tail \"abcdefg\" call 7 at 0 \"abcdefg\"\n"
		  "client turn 2 read 7/1 tail \"abcdefg\" call 7 at 0 \"abcdefg\" after write 7/1 tail \"abcdefg\"\n"
		  "client turn 3 write 8/1 tail \"abcdefgh\" call 8 at 0 \"abcdefgh\" after read 7/1 tail \"abcdefg\"\n"
		  "client turn 4 read 8/1 tail \"abcdefgh\" call 8 at 0 \"abcdefgh\" after write 8/1 tail \"abcdefgh\"\n"
		  "client turn 5 write 72/1 tail \"mnopqrst\" call 72 at 0 72 letters after read 8/1 tail \"abcdefgh\"\n"
		  "client turn 6 read 160/1 tail \"wxyzabcd\" call 160 at 0 160 letters after write 72/1 tail \"mnopqrst\"\n"
		  "client turn 7 write 73/1 tail \"nopqrstu\" call 73 at 0 73 letters after read 160/1 tail \"wxyzabcd\"\n"
		  "client turn 8 read 168/1 tail \"efghijkl\" call 168 at 0 168 letters after write 73/1 tail \"nopqrstu\"\n"
		  "client turn 9 write 168/1 tail \"efghijkl\" call 168 at 0 168 letters after read 168/1 tail \"efghijkl\"\n"
		  "client turn 10 read 161/1 tail \"xyzabcde\" call 161 at 0 161 letters after write 168/1 tail \"efghijkl\"\n"
		  "client turn 11 write 169/1 tail \"fghijklm\" call 169 at 0 169 letters after read 161/1 tail \"xyzabcde\"\n"
		  "client turn 12 read 169/1 tail \"fghijklm\" call 169 at 0 169 letters after write 169/1 tail \"fghijklm\"\n"
		  "client turn 13 write 360/1 tail \"opqrstuv\" call 360 at 0 360 letters after read 169/1 tail \"fghijklm\"\n"
		  "client turn 14 read 360/1 tail \"opqrstuv\" call 360 at 0 360 letters after write 360/1 tail \"opqrstuv\"\n"
		  "client turn 15 write 361/1 tail \"pqrstuvw\" call 361 at 0 361 letters after read 360/1 tail \"opqrstuv\"\n"
		  "client turn 16 read 361/1 tail \"pqrstuvw\" call 361 at 0 361 letters after write 361/1 tail \"pqrstuvw\"\n"
		  "client turn 17 write 1024/1 tail \"cdefghij\" call 1024 at 0 1024 letters after read 361/1 tail \"pqrstuvw\"\n"
		  "client turn 18 read 1024/1 tail \"cdefghij\" call 1024 at 0 1024 letters after write 1024/1 tail \"cdefghij\"\n"
		  "client turn 19 write 1025/1 tail \"defghijk\" call 1025 at 0 1024 letters after read 1024/1 tail \"cdefghij\"\n"
		  "client turn 20 read 1024/1 tail \"cdefghij\" call 1024 at 0 1024 letters after write 1025/1 tail \"defghijk\"\n"
		  "client close sent 3267 received 3442 turn 20 read 1024/1 tail \"cdefghij\"\n"
		  "server accept\n"
		  "server turn 1 read 7/1 tail \"abcdefg\" call 7 at 0 \"abcdefg\"\n"
		  "server turn 2 write 7/1 tail \"abcdefg\" call 7 at 0 \"abcdefg\" after read 7/1 tail \"abcdefg\"\n"
		  "server turn 3 read 8/1 tail \"abcdefgh\" call 8 at 0 \"abcdefgh\" after write 7/1 tail \"abcdefg\"\n"
		  "server turn 4 write 8/1 tail \"abcdefgh\" call 8 at 0 \"abcdefgh\" after read 8/1 tail \"abcdefgh\"\n"
		  "server turn 5 read 72/1 tail \"mnopqrst\" call 72 at 0 72 letters after write 8/1 tail \"abcdefgh\"\n"
		  "server turn 6 write 160/1 tail \"wxyzabcd\" call 160 at 0 160 letters after read 72/1 tail \"mnopqrst\"\n"
		  "server turn 7 read 73/1 tail \"nopqrstu\" call 73 at 0 73 letters after write 160/1 tail \"wxyzabcd\"\n"
		  "server turn 8 write 168/1 tail \"efghijkl\" call 168 at 0 168 letters after read 73/1 tail \"nopqrstu\"\n"
		  "server turn 9 read 168/1 tail \"efghijkl\" call 168 at 0 168 letters after write 168/1 tail \"efghijkl\"\n"
		  "server turn 10 write 161/1 tail \"xyzabcde\" call 161 at 0 161 letters after read 168/1 tail \"efghijkl\"\n"
		  "server turn 11 read 169/1 tail \"fghijklm\" call 169 at 0 169 letters after write 161/1 tail \"xyzabcde\"\n"
		  "server turn 12 write 169/1 tail \"fghijklm\" call 169 at 0 169 letters after read 169/1 tail \"fghijklm\"\n"
		  "server turn 13 read 360/1 tail \"opqrstuv\" call 360 at 0 360 letters after write 169/1 tail \"fghijklm\"\n"
		  "server turn 14 write 360/1 tail \"opqrstuv\" call 360 at 0 360 letters after read 360/1 tail \"opqrstuv\"\n"
		  "server turn 15 read 361/1 tail \"pqrstuvw\" call 361 at 0 361 letters after write 360/1 tail \"opqrstuv\"\n"
		  "server turn 16 write 361/1 tail \"pqrstuvw\" call 361 at 0 361 letters after read 361/1 tail \"pqrstuvw\"\n"
		  "server turn 17 read 1024/1 tail \"cdefghij\" call 1024 at 0 1024 letters after write 361/1 tail \"pqrstuvw\"\n"
		  "server turn 18 write 1024/1 tail \"cdefghij\" call 1024 at 0 1024 letters after read 1024/1 tail \"cdefghij\"\n"
		  "server turn 19 read 1025/1 tail \"defghijk\" call 1025 at 0 1024 letters after write 1024/1 tail \"cdefghij\"\n"
		  "server turn 20 write 1024/1 tail \"cdefghij\" call 1024 at 0 1024 letters after read 1025/1 tail \"defghijk\"\n"
		  "server close sent 3442 received 3267 turn 20 write 1024/1 tail \"cdefghij\"\n"
		  "it counts established 1 accepts 1 client-exchanges 10 client-closes 1 server-exchanges 10 server-closes 1 sent 6709 received 6709\n" },
	{ .name = "one_element",
	  .act = act_one_element,
	  .expected =
		  "client connect established\n"
		  "client turn 1 write 100/1 tail \"opqrstuv\" call 100 at 0 100 letters\n"
		  "client turn 2 read 100/1 tail \"opqrstuv\" call 100 at 0 100 letters after write 100/1 tail \"opqrstuv\"\n"
		  "client close sent 100 received 100 turn 2 read 100/1 tail \"opqrstuv\"\n"
		  "server accept\n"
		  "server turn 1 read 100/1 tail \"opqrstuv\" call 100 at 0 100 letters\n"
		  "server turn 2 write 100/1 tail \"opqrstuv\" call 100 at 0 100 letters after read 100/1 tail \"opqrstuv\"\n"
		  "server close sent 100 received 100 turn 2 write 100/1 tail \"opqrstuv\"\n"
		  "it counts established 1 accepts 1 client-exchanges 1 client-closes 1 server-exchanges 1 server-closes 1 sent 200 received 200\n" },
	{ .name = "header_in_two_pieces",
	  .act = act_header_in_two,
	  .expected =
		  "client connect established\n"
		  "client turn 1 write 5/1 tail \"hello\" call 5 at 0 \"hello\"\n"
		  "client turn 2 read 29/1 tail \"\\r\\n\\r\\nbody\" call 29 at 0 \"HTTP/1.1 200 OK\\r\\nA: b\\r\\n\\r\\nbody\" after write 5/1 tail \"hello\"\n"
		  "client close sent 5 received 29 turn 2 read 29/1 tail \"\\r\\n\\r\\nbody\"\n"
		  "server accept\n"
		  "server turn 1 read 5/1 tail \"hello\" call 5 at 0 \"hello\"\n"
		  "server turn 2 write 25/1 tail \"A: b\\r\\n\\r\\n\" call 25 at 0 \"HTTP/1.1 200 OK\\r\\nA: b\\r\\n\\r\\n\" after read 5/1 tail \"hello\"\n"
		  "server close sent 29 received 5 turn 2 write 29/2 tail \"\\r\\n\\r\\nbody\"\n"
		  "it counts established 1 accepts 1 client-exchanges 1 client-closes 1 server-exchanges 1 server-closes 1 sent 34 received 34\n" },
};

static const struct group groups[] = {
	{ .name = "rooms",
	  .options.settings.prefix_bytes = 1024,
	  .scenes = scenes,
	  .count = LENGTH(scenes) },
};

int main(int argc, char **argv)
{
	return observer_main(argc, argv, groups, LENGTH(groups));
}
