/* SPDX-License-Identifier: Apache-2.0 */
/* What begins as Redis does is sent call by call, in as many events as it needs, and without long values. */
#include <sys/uio.h>

#include "scenes.h"

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

#define PING "*1\r\n$4\r\nPING\r\n"

/* One exchange that says what the connection speaks. */
static struct ends stream_ends(struct stage *stage)
{
	struct ends ends = stage_ends(stage);

	stage_write(stage, ends.client, PING);
	stage_read(stage, ends.server, 14, 64);
	stage_write(stage, ends.server, "+PONG\r\n");
	stage_read(stage, ends.client, 7, 64);
	return ends;
}

/* A message of one value, and what follows it. */
static size_t write_value(struct stage *stage, int fd, const char *head, size_t length,
			  const char *rest)
{
	char value[8192];
	struct iovec parts[] = { { (void *)head, strlen(head) },
				 { value, length },
				 { (void *)rest, strlen(rest) } };

	letters(value, length);
	MUST(writev(fd, parts, 3));
	return strlen(head) + length + strlen(rest);
}

static void act_ping(struct stage *stage)
{
	struct ends ends = stream_ends(stage);

	ends_close(&ends);
}

/* Beyond the prefix, which is 64 here, and in two calls. */
static void act_long_call(struct stage *stage)
{
	struct ends ends = stream_ends(stage);

	write_value(stage, ends.client, "", 6000, "");
	stage_read(stage, ends.server, 6000, 4500);
	ends_close(&ends);
}

static void act_last_value(struct stage *stage)
{
	struct ends ends = stream_ends(stage);

	write_value(stage, ends.client, "*1\r\n$300\r\n", 300, "\r\n");
	stage_read(stage, ends.server, 270, 270);
	stage_read(stage, ends.server, 20, 20);
	stage_read(stage, ends.server, 22, 22);
	stage_write(stage, ends.server, "$9\r\nten");
	stage_read(stage, ends.client, 7, 64);
	ends_close(&ends);
}

/* The server answers while it reads. */
static void act_value_over_turns(struct stage *stage)
{
	struct ends ends = stream_ends(stage);

	write_value(stage, ends.client, "$-1\r\n$300\r\n", 300, "\r\n");
	stage_read(stage, ends.server, 270, 270);
	stage_write(stage, ends.server, "a");
	stage_read(stage, ends.client, 1, 1);
	stage_read(stage, ends.server, 20, 20);
	stage_write(stage, ends.server, "b");
	stage_read(stage, ends.client, 1, 1);
	stage_read(stage, ends.server, 23, 23);
	ends_close(&ends);
}

static void act_inner_value(struct stage *stage)
{
	struct ends ends = stream_ends(stage);
	size_t length =
		write_value(stage, ends.client, "*2\r\n$3\r\nGET\r\n$5000\r\n", 5000, "\r\n" PING);

	stage_read(stage, ends.server, length, length);
	ends_close(&ends);
}

#define CLIENT_PINGS                                                                                       \
	"client connect established\n"                                                                     \
	"client turn 1 write 14/1 tail \"\\r\\nPING\\r\\n\" call 14 at 0 \"*1\\r\\n$4\\r\\nPING\\r\\n\"\n" \
	"client turn 2 read 7/1 tail \"+PONG\\r\\n\" call 7 at 0 \"+PONG\\r\\n\" after write 14/1 tail \"\\r\\nPING\\r\\n\"\n"
#define SERVER_PONGS                                                                                      \
	"server accept\n"                                                                                 \
	"server turn 1 read 14/1 tail \"\\r\\nPING\\r\\n\" call 14 at 0 \"*1\\r\\n$4\\r\\nPING\\r\\n\"\n" \
	"server turn 2 write 7/1 tail \"+PONG\\r\\n\" call 7 at 0 \"+PONG\\r\\n\" after read 14/1 tail \"\\r\\nPING\\r\\n\"\n"

static const struct scene scenes[] = {
	{ .name = "ping",
	  .act = act_ping,
	  .expected = CLIENT_PINGS
	  "client close sent 14 received 7 turn 2 read 7/1 tail \"+PONG\\r\\n\"\n" SERVER_PONGS
	  "server close sent 7 received 14 turn 2 write 7/1 tail \"+PONG\\r\\n\"\n"
	  "it counts established 1 accepts 1 client-exchanges 1 client-closes 1 server-exchanges 1 server-closes 1 sent 21 received 21\n" },
	{ .name = "long_call",
	  .act = act_long_call,
	  .expected = CLIENT_PINGS
	  "client turn 3 write 6000/1 tail unseen call 4096 at 0 4096 letters after read 7/1 tail \"+PONG\\r\\n\"\n"
	  "client turn 3 write 6000/1 tail unseen call 1904 at 4096 1904 letters continued\n"
	  "client close sent 6014 received 7 turn 3 write 6000/1 tail unseen\n" SERVER_PONGS
	  "server turn 3 read 4500/1 tail unseen call 4096 at 0 4096 letters after write 7/1 tail \"+PONG\\r\\n\"\n"
	  "server turn 3 read 4500/1 tail unseen call 404 at 4096 404 letters continued\n"
	  "server turn 3 read 6000/2 tail unseen call 1500 at 4500 1500 letters continued\n"
	  "server close sent 7 received 6014 turn 3 read 6000/2 tail unseen\n"
	  "it counts established 1 accepts 1 client-exchanges 1 client-closes 1 server-exchanges 1 server-closes 1 sent 6021 received 6021\n" },
	{ .name = "last_value",
	  .act = act_last_value,
	  .expected = CLIENT_PINGS
	  "client turn 3 write 312/1 tail unseen call 312 at 0 \"*1\\r\\n$300\\r\\n\" after read 7/1 tail \"+PONG\\r\\n\"\n"
	  "client turn 4 read 7/1 tail \"$9\\r\\nten\" call 7 at 0 \"$9\\r\\nten\" after write 312/1 tail unseen\n"
	  "client close sent 326 received 14 turn 4 read 7/1 tail \"$9\\r\\nten\"\n" SERVER_PONGS
	  "server turn 3 read 270/1 tail unseen call 270 at 0 \"*1\\r\\n$300\\r\\n\" after write 7/1 tail \"+PONG\\r\\n\"\n"
	  "server turn 3 read 312/3 tail unseen call 0 at 312 \"\" continued\n"
	  "server turn 4 write 7/1 tail \"$9\\r\\nten\" call 7 at 0 \"$9\\r\\nten\" after read 312/3 tail unseen\n"
	  "server close sent 14 received 326 turn 4 write 7/1 tail \"$9\\r\\nten\"\n"
	  "it counts established 1 accepts 1 client-exchanges 2 client-closes 1 server-exchanges 2 server-closes 1 sent 340 received 340\n" },
	{ .name = "value_over_turns",
	  .act = act_value_over_turns,
	  .expected = CLIENT_PINGS
	  "client turn 3 write 313/1 tail unseen call 313 at 0 \"$-1\\r\\n$300\\r\\n\" after read 7/1 tail \"+PONG\\r\\n\"\n"
	  "client turn 4 read 1/1 tail \"a\" call 1 at 0 \"a\" after write 313/1 tail unseen\n"
	  "client turn 4 read 2/2 tail \"ab\" call 1 at 1 \"b\" continued\n"
	  "client close sent 327 received 9 turn 4 read 2/2 tail \"ab\"\n" SERVER_PONGS
	  "server turn 3 read 270/1 tail unseen call 270 at 0 \"$-1\\r\\n$300\\r\\n\" after write 7/1 tail \"+PONG\\r\\n\"\n"
	  "server turn 4 write 1/1 tail \"a\" call 1 at 0 \"a\" after read 270/1 tail unseen\n"
	  "server turn 5 read 20/1 tail unseen call 0 at 20 \"\" after write 1/1 tail \"a\"\n"
	  "server turn 6 write 1/1 tail \"b\" call 1 at 0 \"b\" after read 20/1 tail unseen\n"
	  "server turn 7 read 23/1 tail unseen call 0 at 23 \"\" after write 1/1 tail \"b\"\n"
	  "server close sent 9 received 327 turn 7 read 23/1 tail unseen\n"
	  "it counts established 1 accepts 1 client-exchanges 2 client-closes 1 server-exchanges 3 server-closes 1 sent 336 received 336\n" },
	{ .name = "inner_value",
	  .act = act_inner_value,
	  .expected = CLIENT_PINGS
	  "client turn 3 write 5036/1 tail unseen call 5022 at 0 \"*2\\r\\n$3\\r\\nGET\\r\\n$5000\\r\\n\" after read 7/1 tail \"+PONG\\r\\n\"\n"
	  "client turn 3 write 5036/1 tail unseen call 14 at 5022 \"*1\\r\\n$4\\r\\nPING\\r\\n\" continued\n"
	  "client close sent 5050 received 7 turn 3 write 5036/1 tail unseen\n" SERVER_PONGS
	  "server turn 3 read 5036/1 tail unseen call 5022 at 0 \"*2\\r\\n$3\\r\\nGET\\r\\n$5000\\r\\n\" after write 7/1 tail \"+PONG\\r\\n\"\n"
	  "server turn 3 read 5036/1 tail unseen call 14 at 5022 \"*1\\r\\n$4\\r\\nPING\\r\\n\" continued\n"
	  "server close sent 7 received 5050 turn 3 read 5036/1 tail unseen\n"
	  "it counts established 1 accepts 1 client-exchanges 1 client-closes 1 server-exchanges 1 server-closes 1 sent 5057 received 5057\n" },
};

static const struct group groups[] = {
	{ .name = "streams", .scenes = scenes, .count = LENGTH(scenes) },
};

int main(int argc, char **argv)
{
	return observer_main(argc, argv, groups, LENGTH(groups));
}
