/* SPDX-License-Identifier: Apache-2.0 */
/* Unix-domain stream sockets: who opened them, what they said, and how it shows that they are over. */
#include <fcntl.h>
#include <stddef.h>
#include <sys/un.h>

#include "scenes.h"

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

/* --- the acting side --- */

static struct address unix_address(struct stage *stage, const char *what)
{
	struct address address = { 0 };
	struct sockaddr_un *un = (struct sockaddr_un *)&address.storage;
	char name[64];

	snprintf(name, sizeof(name), "sonde test %s %d", what, getpid());
	un->sun_family = AF_UNIX;
	memcpy(un->sun_path + 1, name, strlen(name));
	address.length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name));
	if (!stage->path[0])
		snprintf(stage->path, sizeof(stage->path), "%s", name);
	return address;
}

struct door {
	int listener;
	int type;
	struct address address;
};

static struct door door_open(struct stage *stage, int type)
{
	struct door door = { .type = type, .address = unix_address(stage, "door") };

	door.listener = (int)MUST(socket(AF_UNIX, type | SOCK_CLOEXEC, 0));
	MUST(bind(door.listener, (struct sockaddr *)&door.address.storage, door.address.length));
	MUST(listen(door.listener, 64));
	return door;
}

static int door_knock(struct stage *stage, const struct door *door)
{
	int fd = (int)MUST(socket(AF_UNIX, door->type | SOCK_CLOEXEC, 0));

	MUST(connect(fd, (const struct sockaddr *)&door->address.storage, door->address.length));
	return fd;
}

static struct ends door_ends(struct stage *stage, const struct door *door)
{
	struct ends ends = { .client = door_knock(stage, door) };

	ends.server = (int)MUST(accept4(door->listener, NULL, NULL, SOCK_CLOEXEC));
	return ends;
}

static struct ends unix_ends(struct stage *stage, int type)
{
	struct door door = door_open(stage, type);
	struct ends ends = door_ends(stage, &door);

	close(door.listener);
	return ends;
}

static void hear_end(struct stage *stage, int fd)
{
	char byte;

	if (MUST(read(fd, &byte, 1)))
		snprintf(stage->failure, sizeof(stage->failure), "no end");
}

/* --- scenes --- */

static void act_server_ends(struct stage *stage)
{
	struct ends ends = unix_ends(stage, SOCK_STREAM);

	stage_exchange(stage, &ends);
	close(ends.server);
	hear_end(stage, ends.client);
	close(ends.client);
}

static void act_client_ends(struct stage *stage)
{
	struct ends ends = unix_ends(stage, SOCK_SEQPACKET);

	stage_exchange(stage, &ends);
	close(ends.client);
	hear_end(stage, ends.server);
	close(ends.server);
}

/* A read of nothing is no end, and neither is a peek a turn. */
static void act_no_end(struct stage *stage)
{
	struct ends ends = unix_ends(stage, SOCK_STREAM);
	char byte;

	MUST(read(ends.server, &byte, 0));
	stage_write(stage, ends.client, "hello");
	MUST(recv(ends.server, &byte, 1, MSG_PEEK));
	stage_read(stage, ends.server, 5, 64);
	stage_write(stage, ends.server, "ok");
	stage_read(stage, ends.client, 2, 64);
	close(ends.server);
	hear_end(stage, ends.client);
	close(ends.client);
}

/* Both ends have names, yet who called what is known. */
static void act_named_client(struct stage *stage)
{
	struct door door = door_open(stage, SOCK_STREAM);
	struct address own = unix_address(stage, "own");
	struct ends ends = { .client = (int)MUST(socket(AF_UNIX, SOCK_STREAM, 0)) };

	MUST(bind(ends.client, (struct sockaddr *)&own.storage, own.length));
	MUST(connect(ends.client, (struct sockaddr *)&door.address.storage, door.address.length));
	ends.server = (int)MUST(accept(door.listener, NULL, NULL));
	stage_exchange(stage, &ends);
	close(ends.server);
	hear_end(stage, ends.client);
	close(ends.client);
}

static void act_pair(struct stage *stage)
{
	int sockets[2];

	MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets));
	stage_write(stage, sockets[0], "x");
	stage_read(stage, sockets[1], 1, 64);
	close(sockets[0]);
	hear_end(stage, sockets[1]);
	close(sockets[1]);
}

static void act_datagrams(struct stage *stage)
{
	int sockets[2];

	MUST(socketpair(AF_UNIX, SOCK_DGRAM, 0, sockets));
	stage_write(stage, sockets[0], "x");
	stage_read(stage, sockets[1], 1, 64);
	close(sockets[0]);
	close(sockets[1]);
}

static void answer(struct stage *stage, void *context)
{
	const struct ends *ends = context;
	int high = (int)MUST(fcntl(ends->server, F_DUPFD, 300));

	close(ends->client);
	close(ends->server);
	stage_read(stage, high, 5, 64);
	stage_write(stage, high, "ok");
	close(high);
}

/* One socket under two numbers in two processes; it lives until the last is closed. */
static void act_fork_and_dup(struct stage *stage)
{
	struct ends ends = unix_ends(stage, SOCK_STREAM);
	pid_t child = stage_fork(stage, "child", answer, &ends);

	stage_write(stage, ends.client, "hello");
	stage_read(stage, ends.client, 2, 64);
	stage_join(stage, child);
	stage_write(stage, ends.client, "again");
	stage_read(stage, ends.server, 5, 64);
	close(ends.server);
	hear_end(stage, ends.client);
	close(ends.client);
}

union rights {
	struct cmsghdr header;
	char bytes[CMSG_SPACE(sizeof(int))];
};

static struct msghdr rights_message(union rights *rights, struct iovec *vector)
{
	return (struct msghdr){ .msg_iov = vector,
				.msg_iovlen = 1,
				.msg_control = rights,
				.msg_controllen = sizeof(*rights) };
}

static void answer_passed(struct stage *stage, void *context)
{
	char byte;
	union rights rights;
	struct iovec vector = { &byte, 1 };
	struct msghdr message = rights_message(&rights, &vector);
	int server;

	MUST(recvmsg(*(int *)context, &message, 0));
	memcpy(&server, CMSG_DATA(&rights.header), sizeof(server));
	stage_read(stage, server, 5, 64);
	stage_write(stage, server, "ok");
	close(server);
}

/* Half of the request is read before, half after the socket went to another process. */
static void act_passed(struct stage *stage)
{
	union rights rights = { .header = { .cmsg_level = SOL_SOCKET,
					    .cmsg_type = SCM_RIGHTS,
					    .cmsg_len = CMSG_LEN(sizeof(int)) } };
	struct iovec vector = { (void *)"x", 1 };
	struct msghdr message = rights_message(&rights, &vector);
	int sockets[2];
	pid_t worker;
	struct ends ends;

	MUST(socketpair(AF_UNIX, SOCK_DGRAM, 0, sockets));
	worker = stage_fork(stage, "worker", answer_passed, &sockets[1]);
	ends = unix_ends(stage, SOCK_STREAM);
	stage_write(stage, ends.client, "hihello");
	stage_read(stage, ends.server, 2, 2);
	memcpy(CMSG_DATA(&rights.header), &ends.server, sizeof(ends.server));
	MUST(sendmsg(sockets[0], &message, 0));
	close(ends.server);
	stage_read(stage, ends.client, 2, 64);
	stage_join(stage, worker);
	hear_end(stage, ends.client);
	close(ends.client);
}

/* Who will ask no more still gets the answer. */
static void act_client_half_closes(struct stage *stage)
{
	struct ends ends = unix_ends(stage, SOCK_STREAM);

	stage_write(stage, ends.client, "all");
	MUST(shutdown(ends.client, SHUT_WR));
	stage_read(stage, ends.server, 3, 64);
	hear_end(stage, ends.server);
	stage_write(stage, ends.server, "fine");
	stage_read(stage, ends.client, 4, 64);
	close(ends.server);
	hear_end(stage, ends.client);
	close(ends.client);
}

/* Who will answer no more has nothing to say. */
static void act_server_half_closes(struct stage *stage)
{
	struct ends ends = unix_ends(stage, SOCK_STREAM);

	stage_exchange(stage, &ends);
	MUST(shutdown(ends.server, SHUT_WR));
	hear_end(stage, ends.client);
	close(ends.client);
	hear_end(stage, ends.server);
	close(ends.server);
}

static void act_unread_request(struct stage *stage)
{
	struct ends ends = unix_ends(stage, SOCK_STREAM);
	char byte;

	stage_write(stage, ends.client, "hello");
	stage_read(stage, ends.server, 3, 3);
	close(ends.server);
	MUST_FAIL(read(ends.client, &byte, 1), ECONNRESET);
	close(ends.client);
}

/* A write that finds nobody; the answer that was given before is still read. */
static void act_early_answer(struct stage *stage)
{
	struct ends ends = unix_ends(stage, SOCK_STREAM);

	stage_write(stage, ends.client, "hello");
	stage_read(stage, ends.server, 5, 64);
	stage_write(stage, ends.server, "ok");
	close(ends.server);
	MUST_FAIL(send(ends.client, "more", 4, MSG_NOSIGNAL), EPIPE);
	stage_read(stage, ends.client, 2, 64);
	hear_end(stage, ends.client);
	close(ends.client);
}

/* Which side is which, the names say. */
static void act_open_before(struct stage *stage)
{
	struct ends ends = unix_ends(stage, SOCK_STREAM);

	stage_write(stage, ends.client, "unseen");
	stage_pause(stage);
	stage_read(stage, ends.server, 6, 64);
	stage_write(stage, ends.server, "seen");
	stage_read(stage, ends.client, 4, 64);
	close(ends.server);
	hear_end(stage, ends.client);
	close(ends.client);
}

/* --- ends that nobody reads --- */

static void act_nobody_reads_the_end(struct stage *stage)
{
	struct ends ends = unix_ends(stage, SOCK_STREAM);

	stage_exchange(stage, &ends);
	stage_pause(stage);
	close(ends.client);
	close(ends.server);
	stage_mark(stage, 2);
	stage_await(stage, 3);
}

struct asking {
	const struct observer *observer;
	uint32_t tgid;
	unsigned live;
};

static void ask_after(void *context, const void *key, const void *value)
{
	const struct conn_state *conn = value;
	struct asking *asking = context;
	struct conn_state after;

	if (conn->tuple.family != AF_UNIX || conn->tgid != asking->tgid)
		return;
	(void)loader_control(asking->observer->loader, CONTROL_UNIX_CHECK, *(const uint64_t *)key,
			     conn->conn_id, 0); /* gone already: counted below */
	asking->live += !kernel_table_find(loader_map(asking->observer->loader, "conn_by_sock"),
					   key, &after);
}

/* Returns how many connections of the act are left. */
static unsigned ask_after_all(const struct observer *observer)
{
	struct asking asking = { observer, observer->stage->cast[0].tgid, 0 };

	(void)kernel_table_each(loader_map(observer->loader, "conn_by_sock"), sizeof(uint64_t),
				sizeof(struct conn_state), ask_after, &asking);
	return asking.live;
}

/* On old kernels a descriptor's socket dies when the call that closed it is on its way out. */
static void ask_the_kernel(struct observer *observer)
{
	const struct timespec a_moment = { 0, 10000000 };
	struct stage *stage = observer->stage;
	unsigned live, left;

	stage_await(stage, 1);
	live = ask_after_all(observer);
	stage_mark(stage, 0);
	stage_await(stage, 2);
	for (int tries = 0; (left = ask_after_all(observer)) && tries < 100; tries++)
		nanosleep(&a_moment, NULL);
	if (live != 2 || left)
		snprintf(stage->failure, sizeof(stage->failure),
			 "%u live ones left alone, %u dead ones", live, left);
	stage_mark(stage, 3);
}

/* --- addresses that are used again --- */

#define CROWD 200

static void act_used_again(struct stage *stage)
{
	struct door door = door_open(stage, SOCK_STREAM);

	for (int i = 0; i < CROWD; i++) {
		struct ends ends = door_ends(stage, &door);

		stage_exchange(stage, &ends);
		ends_close(&ends);
	}
	stage_pause(stage);
}

static void count_leftovers(void *context, const void *key, const void *value)
{
	const struct conn_state *conn = value;
	struct asking *asking = context;

	(void)key;
	asking->live += conn->tuple.family == AF_UNIX && conn->tgid == asking->tgid;
}

static void await_crowd(struct observer *observer)
{
	struct asking left = { .tgid = observer->stage->cast[0].tgid };

	stage_await(observer->stage, 1);
	left.tgid = observer->stage->cast[0].tgid;
	(void)kernel_table_each(loader_map(observer->loader, "conn_by_sock"), sizeof(uint64_t),
				sizeof(struct conn_state), count_leftovers, &left);
	observer->stage->file_fd = left.live;
	stage_mark(observer->stage, 0);
}

/* Each connection is told whole, and each has ended or is still in the table. */
static void check_crowd(FILE *out, const struct observer *observer)
{
	unsigned opens = 0, turns = 0, closes = 0, left = observer->stage->file_fd;

	for (size_t i = 0; i < observer->count; i++) {
		const struct event_header *header = observer->events[i].header;

		opens += header->kind == EVENT_UNIX_OPEN;
		closes += header->kind == EVENT_UNIX_CLOSE;
		turns += header->kind == EVENT_TURN && observer->events[i].turn->conn.turn_no <= 2;
	}
	if (opens != 2 * CROWD || turns != 4 * CROWD || closes + left != opens)
		fprintf(out, "%u opened, %u turns, %u closed, %u left\n", opens, turns, closes,
			left);
	if (left == opens)
		fputs("no address was used again: nothing is tested\n", out);
}

/* --- too many --- */

#define SHARE 8 /* half of the table */
#define TOO_MANY 20

static void act_too_many(struct stage *stage)
{
	struct door door = door_open(stage, SOCK_STREAM);
	struct ends ends[TOO_MANY];

	for (int i = 0; i < TOO_MANY; i++)
		ends[i] = door_ends(stage, &door);
	stage_pause(stage);
	for (int i = 0; i < TOO_MANY; i++) {
		close(ends[i].server);
		hear_end(stage, ends[i].client);
		close(ends[i].client);
	}
	ends[0] = door_ends(stage, &door);
	stage_exchange(stage, &ends[0]);
	close(ends[0].server);
	hear_end(stage, ends[0].client);
}

static void count_unix(void *context, const void *key, const void *value)
{
	const struct conn_state *conn = value;

	(void)key;
	*(unsigned *)context += conn->tuple.family == AF_UNIX;
}

/* Those of the machine have a part of the share. */
static void look_at_share(struct observer *observer)
{
	struct stage *stage = observer->stage;
	unsigned all = 0;

	stage_await(stage, 1);
	(void)kernel_table_each(loader_map(observer->loader, "conn_by_sock"), sizeof(uint64_t),
				sizeof(struct conn_state), count_unix, &all);
	stage->file_fd = (uint32_t)counter_since(observer, COUNTER_UNIX_FULL);
	if (all != SHARE)
		snprintf(stage->failure, sizeof(stage->failure), "%u entries", all);
	stage_mark(stage, 0);
}

/* All that were opened are told or were refused, and whoever comes after the crowd is told in full. */
static void check_too_many(FILE *out, const struct observer *observer)
{
	unsigned opens = 0, turns = 0, refused = observer->stage->file_fd;

	for (size_t i = 0; i < observer->count; i++) {
		opens += observer->events[i].header->kind == EVENT_UNIX_OPEN;
		turns += observer->events[i].header->kind == EVENT_TURN;
	}
	if (opens - 2 + refused != 2 * TOO_MANY || turns != 4)
		fprintf(out, "%u opened, %u refused, %u turns\n", opens, refused, turns);
}

#define CLIENT_TURNS                                        \
	"client open\n"                                     \
	"client turn 1 write 5/1 tail \"hello\" call 5 at " \
	"0 \"hello\"\n"                                     \
	"client turn 2 read 2/1 tail \"ok\" call 2 at 0 \"ok\" after write 5/1 tail \"hello\"\n"
#define CLIENT_CLOSE "client close turn 2 read 2/1 tail \"ok\"\n"
#define SERVER_TURNS                                                  \
	"server open\n"                                               \
	"server turn 1 read 5/1 tail \"hello\" call 5 at 0 \"hello\"" \
	"\n"                                                          \
	"server turn 2 write 2/1 tail \"ok\" call 2 at 0 \"ok\" after read 5/1 tail \"hello\"\n"
#define SERVER_CLOSE "server close turn 2 write 2/1 tail \"ok\"\n"
#define ONE_EXCHANGE "it counts client-exchanges 1 server-exchanges 1\n"
#define WHOLE CLIENT_TURNS CLIENT_CLOSE SERVER_TURNS SERVER_CLOSE ONE_EXCHANGE

static const struct scene scenes[] = {
	{ .name = "server_ends", .act = act_server_ends, .expected = WHOLE, .family = AF_UNIX },
	{ .name = "client_ends", .act = act_client_ends, .expected = WHOLE, .family = AF_UNIX },
	{ .name = "no_end", .act = act_no_end, .expected = WHOLE, .family = AF_UNIX },
	{ .name = "named_client", .act = act_named_client, .expected = WHOLE, .family = AF_UNIX },
	{ .name = "server_half_closes",
	  .act = act_server_half_closes,
	  .expected = WHOLE,
	  .family = AF_UNIX },
	{ .name = "nobody_reads_the_end",
	  .act = act_nobody_reads_the_end,
	  .meanwhile = ask_the_kernel,
	  .expected = WHOLE,
	  .family = AF_UNIX },
	{ .name = "pair",
	  .act = act_pair,
	  .family = AF_UNIX,
	  .expected = "unknown open nameless preexisting\n"
		      "unknown turn 1 write 1/1 tail \"x\" call 1 at 0 \"x\" preexisting\n"
		      "unknown close turn 1 write 1/1 tail \"x\" preexisting\n"
		      "unknown2 open nameless preexisting\n"
		      "unknown2 turn 1 read 1/1 tail \"x\" call 1 at 0 \"x\" preexisting\n"
		      "unknown2 close turn 1 read 1/1 tail \"x\" preexisting\n"
		      "it counts\n" },
	{ .name = "datagrams", .act = act_datagrams, .expected = "it counts\n", .family = AF_UNIX },
	{ .name = "fork_and_dup",
	  .act = act_fork_and_dup,
	  .family = AF_UNIX,
	  .expected =
		  "client open\n"
		  "client turn 1 write 5/1 tail \"hello\" call 5 at 0 \"hello\"\n"
		  "client turn 2 read 2/1 tail \"ok\" call 2 at 0 \"ok\" after write 5/1 tail \"hello\"\n"
		  "client turn 3 write 5/1 tail \"again\" call 5 at 0 \"again\" after read 2/1 tail \"ok\"\n"
		  "client close turn 3 write 5/1 tail \"again\"\n"
		  "server open\n"
		  "server turn 1 read 5/1 tail \"hello\" call 5 at 0 \"hello\" by child\n"
		  "server turn 2 write 2/1 tail \"ok\" call 2 at 0 \"ok\" after read 5/1 tail \"hello\" by child\n"
		  "server turn 3 read 5/1 tail \"again\" call 5 at 0 \"again\" after write 2/1 tail \"ok\"\n"
		  "server close turn 3 read 5/1 tail \"again\"\n"
		  "it counts client-exchanges 1\n"
		  "child counts server-exchanges 1\n" },
	{ .name = "passed",
	  .act = act_passed,
	  .family = AF_UNIX,
	  .expected =
		  "client open\n"
		  "client turn 1 write 7/1 tail \"hihello\" call 7 at 0 \"hihello\"\n"
		  "client turn 2 read 2/1 tail \"ok\" call 2 at 0 \"ok\" after write 7/1 tail \"hihello\"\n"
		  "client close turn 2 read 2/1 tail \"ok\"\n"
		  "server open\n"
		  "server turn 1 read 2/1 tail \"hi\" call 2 at 0 \"hi\"\n"
		  "server turn 1 read 7/2 tail \"hihello\" call 5 at 2 \"hello\" continued by worker\n"
		  "server turn 2 write 2/1 tail \"ok\" call 2 at 0 \"ok\" after read 7/2 tail \"hihello\" by worker\n"
		  "server close turn 2 write 2/1 tail \"ok\" by worker\n"
		  "it counts client-exchanges 1\n"
		  "worker counts server-exchanges 1\n" },
	{ .name = "client_half_closes",
	  .act = act_client_half_closes,
	  .family = AF_UNIX,
	  .expected =
		  "client open\n"
		  "client turn 1 write 3/1 tail \"all\" call 3 at 0 \"all\"\n"
		  "client turn 2 read 4/1 tail \"fine\" call 4 at 0 \"fine\" after write 3/1 tail \"all\"\n"
		  "client close turn 2 read 4/1 tail \"fine\"\n"
		  "server open\n"
		  "server turn 1 read 3/1 tail \"all\" call 3 at 0 \"all\"\n"
		  "server turn 2 write 4/1 tail \"fine\" call 4 at 0 \"fine\" after read 3/1 tail \"all\"\n"
		  "server close turn 2 write 4/1 tail \"fine\"\n"
		  "it counts client-exchanges 1 server-exchanges 1\n" },
	{ .name = "unread_request",
	  .act = act_unread_request,
	  .family = AF_UNIX,
	  .expected = "client open\n"
		      "client turn 1 write 5/1 tail \"hello\" call 5 at 0 \"hello\"\n"
		      "client close turn 1 write 5/1 tail \"hello\" reset-received\n"
		      "server open\n"
		      "server turn 1 read 3/1 tail \"hel\" call 3 at 0 \"hel\"\n"
		      "server close turn 1 read 3/1 tail \"hel\"\n"
		      "it counts read.ECONNRESET 1\n" },
	{ .name = "early_answer",
	  .act = act_early_answer,
	  .family = AF_UNIX,
	  .expected =
		  "client open\n"
		  "client turn 1 write 5/1 tail \"hello\" call 5 at 0 \"hello\"\n"
		  "client turn 2 read 2/1 tail \"ok\" call 2 at 0 \"ok\" after write 5/1 tail \"hello\"\n"
		  "client close turn 2 read 2/1 tail \"ok\"\n"
		  "server open\n"
		  "server turn 1 read 5/1 tail \"hello\" call 5 at 0 \"hello\"\n"
		  "server turn 2 write 2/1 tail \"ok\" call 2 at 0 \"ok\" after read 5/1 tail \"hello\"\n"
		  "server close turn 2 write 2/1 tail \"ok\"\n"
		  "it counts client-exchanges 1 server-exchanges 1 sendto.EPIPE 1\n" },
	{ .name = "used_again",
	  .act = act_used_again,
	  .meanwhile = await_crowd,
	  .check = check_crowd,
	  .family = AF_UNIX },
};

static const struct scene before_scenes[] = {
	{ .name = "open_before",
	  .act = act_open_before,
	  .family = AF_UNIX,
	  .expected =
		  "client open preexisting\n"
		  "client turn 1 read 4/1 tail \"seen\" call 4 at 0 \"seen\" preexisting\n"
		  "client close turn 1 read 4/1 tail \"seen\" preexisting\n"
		  "server open preexisting\n"
		  "server turn 1 read 6/1 tail \"unseen\" call 6 at 0 \"unseen\" preexisting\n"
		  "server turn 2 write 4/1 tail \"seen\" call 4 at 0 \"seen\" after read 6/1 tail \"unseen\" preexisting\n"
		  "server close turn 2 write 4/1 tail \"seen\" preexisting\n"
		  "it counts server-exchanges 1\n",
	  .starts_before = true },
};

static const struct scene limit_scenes[] = {
	{ .name = "too_many",
	  .act = act_too_many,
	  .meanwhile = look_at_share,
	  .check = check_too_many,
	  .family = AF_UNIX,
	  .tries = 8 },
};

static const struct group groups[] = {
	{ .name = "unix_events", .scenes = scenes, .count = LENGTH(scenes) },
	{ .name = "unix_before", .scenes = before_scenes, .count = LENGTH(before_scenes) },
	{ .name = "unix_limit",
	  .options = { .connections = 2 * SHARE },
	  .scenes = limit_scenes,
	  .count = LENGTH(limit_scenes) },
};

int main(int argc, char **argv)
{
	return observer_main(argc, argv, groups, LENGTH(groups));
}
