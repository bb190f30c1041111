/* SPDX-License-Identifier: Apache-2.0 */
/* Whose is what a listening socket brings: inherited listeners, several on one port, connections that nobody accepts. */
#include <fcntl.h>

#include "scenes.h"

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

/* Nobody accepts it: it belongs to the one who listens, and closing the listener resets it. */
static void act_not_accepted(struct stage *stage)
{
	int listener = stage_listen(stage, 1), fd = stage_connect(stage);

	stage_await_arrival(stage, listener);
	close(listener);
	stage_hear_reset(stage, fd);
}

/* The listener is inherited; the child accepts. */
static void accept_one(struct stage *stage, void *context)
{
	int fd = (int)MUST(accept(*(int *)context, NULL, NULL));

	close(fd);
	close(*(int *)context);
}

static void act_accepted_by_child(struct stage *stage)
{
	int listener = stage_listen(stage, 1), fd;
	pid_t child = stage_fork(stage, "child", accept_one, &listener);

	close(listener);
	fd = stage_connect(stage);
	stage_join(stage, child);
	close(fd);
}

/* --- several sockets on one port --- */

#define REUSERS 3
#define REUSE_CONNECTS 24

struct reuser {
	unsigned number;
};

static void accept_until_told(struct stage *stage, void *context)
{
	unsigned number = ((struct reuser *)context)->number;
	int listener = stage_listen(stage, REUSE_CONNECTS), fd, accepted = 0;

	MUST(fcntl(listener, F_SETFL, O_NONBLOCK));
	stage_mark(stage, number);
	stage_await(stage, REUSERS);
	while ((fd = accept(listener, NULL, NULL)) >= 0) {
		accepted++;
		close(fd);
	}
	stage->marks[number] = accepted;
	close(listener);
}

static void act_reuse_port(struct stage *stage)
{
	int first = stage_bind(stage), fds[REUSE_CONNECTS];
	pid_t pids[REUSERS];

	for (unsigned i = 0; i < REUSERS; i++) {
		struct reuser reuser = { i };

		pids[i] = stage_fork(stage, "reuser", accept_until_told, &reuser);
		stage_await(stage, i);
	}
	close(first);
	for (unsigned i = 0; i < REUSE_CONNECTS; i++)
		fds[i] = stage_connect(stage);
	stage_mark(stage, REUSERS);
	for (unsigned i = 0; i < REUSERS; i++)
		stage_join(stage, pids[i]);
	for (unsigned i = 0; i < REUSE_CONNECTS; i++)
		close(fds[i]);
}

/* Which socket gets a connection is up to the kernel; whoever accepts it has to be named. */
static void check_reuse_port(FILE *out, const struct observer *observer)
{
	const struct stage *stage = observer->stage;
	int map = loader_map(observer->loader, "process_by_tgid"), sum = 0;

	for (unsigned i = 0; i < REUSERS; i++) {
		const struct actor *actor = &stage->cast[1 + i];
		struct process_state state = { 0 };
		int events = 0;

		(void)kernel_table_find(map, &actor->tgid, &state); /* none: it accepted none */
		for (size_t j = 0; j < observer->count; j++)
			if (observer->events[j].header->kind == EVENT_TCP_ACCEPT &&
			    observer->events[j].header->tgid == actor->tgid)
				events++;
		if (events != stage->marks[i] || (int)state.accepts != stage->marks[i])
			fprintf(out, "accepted %d, events %d, counted %llu\n", stage->marks[i],
				events, state.accepts);
		sum += stage->marks[i];
	}
	if (sum != REUSE_CONNECTS)
		fprintf(out, "%d of %d accepted\n", sum, REUSE_CONNECTS);
}

/* One of two sockets on a port goes; what comes then is still the other's. */
static void act_other_listener_closes(struct stage *stage)
{
	int listener = stage_listen(stage, 1), other = stage_listen(stage, 1), fd;

	close(other);
	fd = stage_connect(stage);
	stage_await_arrival(stage, listener);
	close(listener);
	stage_hear_reset(stage, fd);
}

static int listen_beside(struct stage *stage, uint32_t offset)
{
	struct sockaddr_in beside = { .sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK + offset),
				      .sin_port = htons(stage->port) };
	int fd = stage_socket(stage);

	MUST(bind(fd, (struct sockaddr *)&beside, sizeof(beside)));
	MUST(listen(fd, 1));
	return fd;
}

static void listen_before_and_after(struct stage *stage, void *context)
{
	close(*(int *)context);
	listen_beside(stage, 1);
	stage_mark(stage, 1);
	stage_await(stage, 2);
	listen_beside(stage, 2);
	stage_mark(stage, 3);
	stage_await(stage, 4);
}

/* The port of another address is somebody else's, whether that one came first or last. */
static void act_other_address(struct stage *stage)
{
	int listener = stage_bind(stage), fd;
	pid_t other = stage_fork(stage, "other", listen_before_and_after, &listener);

	stage_await(stage, 1);
	MUST(listen(listener, 1));
	stage_mark(stage, 2);
	stage_await(stage, 3);
	fd = stage_connect(stage);
	stage_await_arrival(stage, listener);
	close(listener);
	stage_hear_reset(stage, fd);
	stage_mark(stage, 4);
	stage_join(stage, other);
}

/* --- tables of listeners --- */

#define BACKLOG 1
#define TOO_MANY 6

/* Full queue: the kernel drops what comes in. */
static void act_overflow(struct stage *stage)
{
	int listener = stage_listen(stage, BACKLOG), fds[TOO_MANY];

	for (int i = 0; i < TOO_MANY; i++) {
		fds[i] = stage_socket(stage);
		MUST(fcntl(fds[i], F_SETFL, O_NONBLOCK));
		MUST_FAIL(stage_try_connect(stage, fds[i]), EINPROGRESS);
	}
	stage_pause(stage);
	for (int i = 0; i < TOO_MANY; i++)
		close(fds[i]);
	close(listener);
	stage_mark(stage, 2);
}

struct found_listener {
	const struct stage *stage;
	uint64_t sock;
	struct listener_state state;
};

static void find_listener(void *context, const void *key, const void *value)
{
	struct found_listener *found = context;
	const struct listener_state *state = value;

	if (state->port != found->stage->port || state->tgid != found->stage->cast[0].tgid)
		return;
	found->sock = *(const uint64_t *)key;
	found->state = *state;
}

static void read_overflow(struct observer *observer)
{
	struct stage *stage = observer->stage;
	struct found_listener found = { .stage = stage };
	int map = loader_map(observer->loader, "listener_by_sock"), read = -1;

	stage_await(stage, 1);
	(void)kernel_table_each(map, sizeof(uint64_t), sizeof(found.state), find_listener, &found);
	if (found.sock)
		read = loader_control(observer->loader, CONTROL_LISTENER_READ, found.sock, 0, 0);
	if (!read)
		(void)kernel_table_find(map, &found.sock, &found.state);
	/* Room for one more than asked for: the kernel's comparison is "more than". */
	if (read || found.state.backlog != BACKLOG + 1 || found.state.backlog_max != BACKLOG ||
	    found.state.drops < TOO_MANY - BACKLOG - 1 || found.state.first_drops ||
	    found.state.family != AF_INET || memcmp(found.state.addr, "\x7f\0\0\1", 4) != 0)
		snprintf(stage->failure, sizeof(stage->failure),
			 "read %d: backlog %u of %u, drops %u (first %u), family %u", read,
			 found.state.backlog, found.state.backlog_max, found.state.drops,
			 found.state.first_drops, found.state.family);
	stage_mark(stage, 0);
	stage_await(stage, 2);
	if (loader_control(observer->loader, CONTROL_LISTENER_READ, found.sock, 0, 0) != -ENOENT)
		snprintf(stage->failure, sizeof(stage->failure), "the listener's entry stays");
}

static void check_nothing(FILE *out, const struct observer *observer)
{
	(void)out;
	(void)observer;
}

static const struct scene scenes[] = {
	{ .name = "not_accepted",
	  .act = act_not_accepted,
	  .expected = "client connect established\n"
		      "client close sent 0 received 0 reset-received\n"
		      "server close sent 0 received 0 reset-sent\n"
		      "it counts established 1 client-closes 1 server-closes 1 resets-sent 1 "
		      "resets-received 1 read.ECONNRESET 1\n" },
	{ .name = "other_listener_closes",
	  .act = act_other_listener_closes,
	  .expected = "client connect established\n"
		      "client close sent 0 received 0 reset-received\n"
		      "server close sent 0 received 0 reset-sent\n"
		      "it counts established 1 client-closes 1 server-closes 1 resets-sent 1 "
		      "resets-received 1 read.ECONNRESET 1\n" },
	{ .name = "other_address",
	  .act = act_other_address,
	  .expected = "client connect established\n"
		      "client close sent 0 received 0 reset-received\n"
		      "server close sent 0 received 0 reset-sent\n"
		      "it counts established 1 client-closes 1 server-closes 1 resets-sent 1 "
		      "resets-received 1 read.ECONNRESET 1\n"
		      "other counts\n" },
	{ .name = "accepted_by_child",
	  .act = act_accepted_by_child,
	  .expected = "client connect established\n"
		      "client close sent 0 received 0\n"
		      "server accept by child\n"
		      "server close sent 0 received 0 by child\n"
		      "it counts established 1 client-closes 1\n"
		      "child counts accepts 1 server-closes 1\n" },
	{ .name = "reuse_port", .act = act_reuse_port, .check = check_reuse_port },
	{ .name = "listen_queue_overflow",
	  .act = act_overflow,
	  .meanwhile = read_overflow,
	  .check = check_nothing },
};

static const struct group groups[] = {
	{ .name = "listeners", .scenes = scenes, .count = LENGTH(scenes) },
};

int main(int argc, char **argv)
{
	return observer_main(argc, argv, groups, LENGTH(groups));
}
