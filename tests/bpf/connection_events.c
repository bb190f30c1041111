/* SPDX-License-Identifier: Apache-2.0 */
/* The life of connections without a word on them: how connects end, resets, and what was open before anything was
 * loaded. */
#include <fcntl.h>
#include <poll.h>
#include <sched.h>

#include "scenes.h"

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

static void act_established(struct stage *stage)
{
	struct ends ends = stage_ends(stage);

	ends_close(&ends);
}

static void act_server_closes_first(struct stage *stage)
{
	struct ends ends = stage_ends(stage);

	close(ends.server);
	close(ends.client);
}

static void act_refused(struct stage *stage)
{
	int bound = stage_bind(stage), fd = stage_socket(stage);

	MUST_FAIL(stage_try_connect(stage, fd), ECONNREFUSED);
	close(fd);
	close(bound);
}

static void act_refused_without_waiting(struct stage *stage)
{
	int bound = stage_bind(stage), fd = stage_socket(stage);
	struct pollfd poller = { .fd = fd, .events = POLLOUT };

	MUST(fcntl(fd, F_SETFL, O_NONBLOCK));
	MUST_FAIL(stage_try_connect(stage, fd), EINPROGRESS);
	MUST(poll(&poller, 1, -1));
	close(fd);
	close(bound);
}

/* One socket: refused, and later on accepted. */
static void act_second_try(struct stage *stage)
{
	int listener = stage_bind(stage), fd = stage_socket(stage);

	MUST_FAIL(stage_try_connect(stage, fd), ECONNREFUSED);
	MUST(listen(listener, 1));
	MUST(stage_try_connect(stage, fd));
	stage_await_arrival(stage, listener);
	close(listener);
	stage_hear_reset(stage, fd);
}

/* No route: it fails before there is anything to send. */
static void act_unreachable(struct stage *stage)
{
	int fd;

	if (unshare(CLONE_NEWNET))
		stage_skip(stage, "no network namespaces");
	stage->port = 9;
	fd = stage_socket(stage);
	MUST_FAIL(stage_try_connect(stage, fd), ENETUNREACH);
	close(fd);
}

static void act_reset(struct stage *stage)
{
	struct ends ends = stage_ends(stage);
	struct linger at_once = { .l_onoff = 1 };

	stage_write(stage, ends.client, "x");
	stage_read(stage, ends.server, 1, 1);
	MUST(setsockopt(ends.client, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)));
	close(ends.client);
	stage_hear_reset(stage, ends.server);
}

/* Closed with the peer's bytes unread, after the peer's end. */
static void act_unread(struct stage *stage)
{
	struct ends ends = stage_ends(stage);
	struct pollfd poller = { .fd = ends.server, .events = POLLRDHUP };

	stage_write(stage, ends.client, "x");
	MUST(shutdown(ends.client, SHUT_WR));
	MUST(poll(&poller, 1, -1));
	close(ends.server);
	close(ends.client);
}

/* --- open before anything was loaded --- */

/* Nobody listens on either port any more. */
static void play_open_before(struct stage *stage, int backlog)
{
	int listener = stage_listen(stage, backlog);
	struct ends ends = stage_ends_of(stage, listener);

	close(listener);
	stage_write(stage, ends.client, "unseen");
	stage_pause(stage);
	stage_read(stage, ends.server, 6, 64);
	stage_write(stage, ends.server, "seen");
	stage_read(stage, ends.client, 4, 64);
	ends_close(&ends);
}

static void act_open_before(struct stage *stage)
{
	play_open_before(stage, 1);
}

/* The backlog is what tells a listener's child: without one, only that it is no client. */
static void act_open_without_backlog(struct stage *stage)
{
	play_open_before(stage, 0);
}

static void act_listening_before(struct stage *stage)
{
	int listener = stage_listen(stage, 1);
	struct ends ends;

	stage_pause(stage);
	ends = stage_ends_of(stage, listener);
	ends_close(&ends);
	close(listener);
}

/* With its listener still open, its role is known. */
static void act_served_before(struct stage *stage)
{
	int listener = stage_listen(stage, 1);
	struct ends ends = stage_ends_of(stage, listener);

	stage_pause(stage);
	stage_write(stage, ends.client, "ask");
	stage_read(stage, ends.server, 3, 64);
	stage_write(stage, ends.server, "answer");
	stage_read(stage, ends.client, 6, 64);
	ends_close(&ends);
	close(listener);
}

static const struct scene scenes[] = {
	{ .name = "established",
	  .act = act_established,
	  .expected = "client connect established\n"
		      "client close sent 0 received 0\n"
		      "server accept\n"
		      "server close sent 0 received 0\n"
		      "it counts established 1 accepts 1 client-closes 1 server-closes 1\n" },
	{ .name = "established_over_ipv6",
	  .act = act_established,
	  .expected = "client connect established\n"
		      "client close sent 0 received 0\n"
		      "server accept\n"
		      "server close sent 0 received 0\n"
		      "it counts established 1 accepts 1 client-closes 1 server-closes 1\n",
	  .family = AF_INET6 },
	{ .name = "server_closes_first",
	  .act = act_server_closes_first,
	  .expected = "client connect established\n"
		      "client close sent 0 received 0\n"
		      "server accept\n"
		      "server close sent 0 received 0\n"
		      "it counts established 1 accepts 1 client-closes 1 server-closes 1\n" },
	{ .name = "refused",
	  .act = act_refused,
	  .expected = "client connect refused ECONNREFUSED reset-received\n"
		      "it counts refused 1 resets-received 1 connect.ECONNREFUSED 1\n" },
	{ .name = "refused_without_waiting",
	  .act = act_refused_without_waiting,
	  .expected = "client connect refused ECONNREFUSED reset-received\n"
		      "it counts refused 1 resets-received 1\n" },
	{ .name = "second_try",
	  .act = act_second_try,
	  .expected =
		  "client connect refused ECONNREFUSED reset-received\n"
		  "client2 connect established\n"
		  "client2 close sent 0 received 0 reset-received\n"
		  "server close sent 0 received 0 reset-sent\n"
		  "it counts established 1 refused 1 client-closes 1 server-closes 1 resets-sent "
		  "1 resets-received 2 read.ECONNRESET 1 connect.ECONNREFUSED 1\n" },
	{ .name = "unreachable",
	  .act = act_unreachable,
	  .expected = "client connect unreachable ENETUNREACH unsent\n"
		      "it counts unreachable 1 connect.ENETUNREACH 1\n" },
	{ .name = "reset",
	  .act = act_reset,
	  .expected = "client connect established\n"
		      "client turn 1 write 1/1 tail \"x\" call 1 at 0 \"x\"\n"
		      "client close sent 1 received 0 turn 1 write 1/1 tail \"x\" reset-sent\n"
		      "server accept\n"
		      "server turn 1 read 1/1 tail \"x\" call 1 at 0 \"x\"\n"
		      "server close sent 0 received 1 turn 1 read 1/1 tail \"x\" reset-received\n"
		      "it counts established 1 accepts 1 client-closes 1 server-closes 1 sent 1 "
		      "received 1 resets-sent 1 resets-received 1 read.ECONNRESET 1\n" },
	{ .name = "unread",
	  .act = act_unread,
	  .expected = "client connect established\n"
		      "client turn 1 write 1/1 tail \"x\" call 1 at 0 \"x\"\n"
		      "client progress turn 1 write 1/1 tail \"x\"\n"
		      "client close sent 1 received 0 turn 1 write 1/1 tail \"x\" reset-received\n"
		      "server accept\n"
		      "server close sent 0 received 1 reset-sent peer-ended\n"
		      "it counts established 1 accepts 1 client-closes 1 server-closes 1 sent 1 "
		      "received 1 resets-sent 1 resets-received 1\n" },
};

static const struct scene scenes_before[] = {
	{ .name = "connection",
	  .act = act_open_before,
	  .expected =
		  "client turn 1 read 4/1 tail \"seen\" call 4 at 0 \"seen\" preexisting\n"
		  "client close sent 6 received 4 turn 1 read 4/1 tail \"seen\" opened before "
		  "preexisting\n"
		  "server turn 1 read 6/1 tail \"unseen\" call 6 at 0 \"unseen\" preexisting\n"
		  "server turn 2 write 4/1 tail \"seen\" call 4 at 0 \"seen\" after read 6/1 "
		  "tail \"unseen\" preexisting\n"
		  "server close sent 4 received 6 turn 2 write 4/1 tail \"seen\" opened before "
		  "preexisting\n"
		  "it counts client-closes 1 server-exchanges 1 server-closes 1 sent 10 received "
		  "10\n",
	  .starts_before = true },
	{ .name = "connection_without_backlog",
	  .act = act_open_without_backlog,
	  .expected =
		  "client turn 1 read 4/1 tail \"seen\" call 4 at 0 \"seen\" preexisting\n"
		  "client close sent 6 received 4 turn 1 read 4/1 tail \"seen\" opened before "
		  "preexisting\n"
		  "unknown turn 1 read 6/1 tail \"unseen\" call 6 at 0 \"unseen\" preexisting\n"
		  "unknown turn 2 write 4/1 tail \"seen\" call 4 at 0 \"seen\" after read 6/1 "
		  "tail \"unseen\" preexisting\n"
		  "unknown close sent 4 received 6 turn 2 write 4/1 tail \"seen\" opened before "
		  "preexisting\n"
		  "it counts unknown-exchanges 1 unknown-closes 1 client-closes 1 sent 10 received "
		  "10\n",
	  .starts_before = true },
	{ .name = "listener",
	  .act = act_listening_before,
	  .expected = "client connect established\n"
		      "client close sent 0 received 0\n"
		      "server accept\n"
		      "server close sent 0 received 0\n"
		      "it counts established 1 accepts 1 client-closes 1 server-closes 1\n",
	  .starts_before = true },
	{ .name = "served_connection",
	  .act = act_served_before,
	  .expected =
		  "client turn 1 write 3/1 tail \"ask\" call 3 at 0 \"ask\" preexisting\n"
		  "client turn 2 read 6/1 tail \"answer\" call 6 at 0 \"answer\" after write 3/1 "
		  "tail \"ask\" preexisting\n"
		  "client close sent 3 received 6 turn 2 read 6/1 tail \"answer\" opened before "
		  "preexisting\n"
		  "server turn 1 read 3/1 tail \"ask\" call 3 at 0 \"ask\" preexisting\n"
		  "server turn 2 write 6/1 tail \"answer\" call 6 at 0 \"answer\" after read 3/1 "
		  "tail \"ask\" preexisting\n"
		  "server close sent 6 received 3 turn 2 write 6/1 tail \"answer\" opened before "
		  "preexisting\n"
		  "it counts client-exchanges 1 client-closes 1 server-exchanges 1 server-closes "
		  "1 sent 9 received 9\n",
	  .starts_before = true },
};

static const struct group groups[] = {
	{ .name = "connections", .scenes = scenes, .count = LENGTH(scenes) },
	{ .name = "open_before", .scenes = scenes_before, .count = LENGTH(scenes_before) },
};

int main(int argc, char **argv)
{
	return observer_main(argc, argv, groups, LENGTH(groups));
}
