/* SPDX-License-Identifier: Apache-2.0 */
/* A connection in more hands than one: another descriptor, another process, another thread at the same time. */
#include <fcntl.h>
#include <pthread.h>

#include "scenes.h"

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

static void act_dup(struct stage *stage)
{
	struct ends ends = stage_ends(stage);
	int high = (int)MUST(fcntl(ends.client, F_DUPFD, 300));

	close(ends.client);
	stage_write(stage, high, "hello");
	stage_read(stage, ends.server, 5, 64);
	close(high);
	close(ends.server);
}

static void answer(struct stage *stage, void *context)
{
	const struct ends *ends = context;

	close(ends->client);
	stage_read(stage, ends->server, 5, 64);
	stage_write(stage, ends->server, "ok");
	close(ends->server);
}

static void act_fork(struct stage *stage)
{
	struct ends ends = stage_ends(stage);
	pid_t child = stage_fork(stage, "child", answer, &ends);

	close(ends.server);
	stage_write(stage, ends.client, "hello");
	stage_read(stage, ends.client, 2, 64);
	stage_join(stage, child);
	close(ends.client);
}

union rights {
	struct cmsghdr header;
	char bytes[CMSG_SPACE(sizeof(int))];
};

static void pass_descriptor(struct stage *stage, int through, int fd)
{
	struct iovec vector = { (void *)"x", 1 };
	union rights rights = { .header = { .cmsg_level = SOL_SOCKET,
					    .cmsg_type = SCM_RIGHTS,
					    .cmsg_len = CMSG_LEN(sizeof(fd)) } };
	struct msghdr message = { .msg_iov = &vector,
				  .msg_iovlen = 1,
				  .msg_control = &rights,
				  .msg_controllen = sizeof(rights) };

	memcpy(CMSG_DATA(&rights.header), &fd, sizeof(fd));
	MUST(sendmsg(through, &message, 0));
}

static void answer_passed(struct stage *stage, void *context)
{
	char byte;
	union rights rights;
	struct iovec vector = { &byte, 1 };
	struct msghdr message = { .msg_iov = &vector,
				  .msg_iovlen = 1,
				  .msg_control = &rights,
				  .msg_controllen = sizeof(rights) };
	struct ends ends = { .client = -1 };

	MUST(recvmsg(*(int *)context, &message, 0));
	memcpy(&ends.server, CMSG_DATA(&rights.header), sizeof(ends.server));
	stage_read(stage, ends.server, 5, 64);
	stage_write(stage, ends.server, "ok");
	close(ends.server);
}

static void act_passed(struct stage *stage)
{
	int sockets[2];
	struct ends ends;
	pid_t worker;

	MUST(socketpair(AF_UNIX, SOCK_DGRAM, 0, sockets));
	worker = stage_fork(stage, "worker", answer_passed, &sockets[1]);
	ends = stage_ends(stage);
	pass_descriptor(stage, sockets[0], ends.server);
	close(ends.server);
	stage_write(stage, ends.client, "hello");
	stage_read(stage, ends.client, 2, 64);
	stage_join(stage, worker);
	close(ends.client);
}

/* --- a write that another thread's read overtakes --- */

#define UPLOAD_BYTES (1 << 20) /* more than both socket buffers hold */
#define SMALL_BUFFER 65536

struct upload {
	struct stage *stage;
	struct ends ends;
	size_t bytes; /* in all */
};

static struct upload upload_begin(struct stage *stage)
{
	struct upload upload = { .stage = stage };
	int size = SMALL_BUFFER, listener = stage_bind(stage);

	MUST(setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)));
	MUST(listen(listener, 1));
	upload.ends.client = stage_connect(stage);
	MUST(setsockopt(upload.ends.client, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)));
	upload.ends.server = (int)MUST(accept(listener, NULL, NULL));
	close(listener);
	return upload;
}

/* Answers when it has seen the first bytes, reads the rest only when it is told to. */
static void answer_early(struct stage *stage, void *context)
{
	const struct upload *upload = context;
	int fd = upload->ends.server;

	close(upload->ends.client);
	stage_read(stage, fd, 4096, 4096);
	stage_write(stage, fd, "ear");
	stage_await(stage, 0);
	stage_read(stage, fd, SMALL_BUFFER * 4, 65536); /* lets the writer move more */
	stage_write(stage, fd, "ly");
	stage_await(stage, 1);
	stage_read(stage, fd, upload->bytes - 4096 - SMALL_BUFFER * 4, 65536);
	stage_write(stage, fd, "done");
	close(fd);
}

static void *upload_in_thread(void *context)
{
	const struct upload *upload = context;
	struct stage *stage = upload->stage;
	static char bytes[UPLOAD_BYTES];

	stage_enter(stage, "writer");
	letters(bytes, sizeof(bytes));
	MUST(write(upload->ends.client, bytes, sizeof(bytes)));
	return NULL;
}

/* Two reads while the writer is blocked, because nobody reads on, and one after it has returned. */
static void overtake(struct stage *stage, struct upload *upload)
{
	pthread_t writer;
	pid_t server;

	upload->bytes += UPLOAD_BYTES;
	server = stage_fork(stage, "server", answer_early, upload);
	close(upload->ends.server);
	if (pthread_create(&writer, NULL, upload_in_thread, upload))
		MUST(-1);
	stage_read(stage, upload->ends.client, 3, 64);
	stage_mark(stage, 0);
	stage_read(stage, upload->ends.client, 2, 64);
	stage_mark(stage, 1);
	pthread_join(writer, NULL);
	stage_read(stage, upload->ends.client, 4, 64);
	stage_join(stage, server);
	close(upload->ends.client);
}

/* Only what the client's events say: in how many pieces the server reads is up to the kernel. */
static void check_client(FILE *out, const struct observer *observer)
{
	char *text = NULL, *line, *rest;
	size_t size;
	FILE *words = open_memstream(&text, &size);

	if (!words)
		abort();
	observer_word(words, observer);
	fclose(words);
	rest = text;
	while ((line = strsep(&rest, "\n")))
		if (strncmp(line, "client", 6) == 0 || strncmp(line, "it counts", 9) == 0)
			fprintf(out, "%s\n", line);
	free(text);
}

static void act_overtaken_write(struct stage *stage)
{
	struct upload upload = upload_begin(stage);

	overtake(stage, &upload);
}

/* The same when the turn of the write has begun with a call that has returned. */
static void act_overtaken_rest(struct stage *stage)
{
	struct upload upload = upload_begin(stage);

	stage_write(stage, upload.ends.client, "first");
	upload.bytes = 5;
	overtake(stage, &upload);
}

/* --- one thread, connections in several rings --- */

#define CONNECTIONS 12
#define ROUNDS 20

static void act_rounds(struct stage *stage)
{
	struct ends ends[CONNECTIONS];

	for (unsigned i = 0; i < CONNECTIONS; i++)
		ends[i] = stage_ends(stage);
	for (unsigned i = 0; i < CONNECTIONS * ROUNDS; i++) {
		const struct ends *two = &ends[i % CONNECTIONS];
		bool is_asking = i / CONNECTIONS % 2 == 0;

		stage_write(stage, is_asking ? two->client : two->server, "hello");
		stage_read(stage, is_asking ? two->server : two->client, 5, 64);
	}
	for (unsigned i = 0; i < CONNECTIONS; i++) {
		close(ends[i].client);
		close(ends[i].server);
	}
}

static void check_order(FILE *out, const struct observer *observer)
{
	uint64_t newest_ns = 0;
	size_t turns = 0, late = 0;

	for (size_t i = 0; i < observer->count; i++) {
		const struct event *event = &observer->events[i];

		if (event->header->kind != EVENT_TURN || !is_of_scene(observer, event))
			continue;
		turns++;
		late += event->header->ktime_ns < newest_ns;
		newest_ns = event->header->ktime_ns;
	}
	if (turns != 2 * CONNECTIONS * ROUNDS || late)
		fprintf(out, "%zu of %zu turns were told after later ones\n", late, turns);
}

static const struct scene scenes[] = {
	{ .name = "rounds", .act = act_rounds, .check = check_order },
	{ .name = "dup",
	  .act = act_dup,
	  .expected = "client connect established\n"
		      "client turn 1 write 5/1 tail \"hello\" call 5 at 0 \"hello\"\n"
		      "client close sent 5 received 0 turn 1 write 5/1 tail \"hello\"\n"
		      "server accept\n"
		      "server turn 1 read 5/1 tail \"hello\" call 5 at 0 \"hello\"\n"
		      "server close sent 0 received 5 turn 1 read 5/1 tail \"hello\"\n"
		      "it counts established 1 accepts 1 client-closes 1 server-closes 1 sent 5 "
		      "received 5\n" },
	{ .name = "fork",
	  .act = act_fork,
	  .expected = "client connect established\n"
		      "client turn 1 write 5/1 tail \"hello\" call 5 at 0 \"hello\"\n"
		      "client turn 2 read 2/1 tail \"ok\" call 2 at 0 \"ok\" after write 5/1 tail "
		      "\"hello\"\n"
		      "client close sent 5 received 2 turn 2 read 2/1 tail \"ok\"\n"
		      "server accept\n"
		      "server turn 1 read 5/1 tail \"hello\" call 5 at 0 \"hello\" by child\n"
		      "server turn 2 write 2/1 tail \"ok\" call 2 at 0 \"ok\" after read 5/1 tail "
		      "\"hello\" by child\n"
		      "server close sent 2 received 5 turn 2 write 2/1 tail \"ok\" by child\n"
		      "it counts established 1 accepts 1 client-exchanges 1 client-closes 1 sent 5 "
		      "received 2\n"
		      "child counts server-exchanges 1 server-closes 1 sent 2 received 5\n" },
	{ .name = "passed",
	  .act = act_passed,
	  .expected = "client connect established\n"
		      "client turn 1 write 5/1 tail \"hello\" call 5 at 0 \"hello\"\n"
		      "client turn 2 read 2/1 tail \"ok\" call 2 at 0 \"ok\" after write 5/1 tail "
		      "\"hello\"\n"
		      "client close sent 5 received 2 turn 2 read 2/1 tail \"ok\"\n"
		      "server accept\n"
		      "server turn 1 read 5/1 tail \"hello\" call 5 at 0 \"hello\" by worker\n"
		      "server turn 2 write 2/1 tail \"ok\" call 2 at 0 \"ok\" after read 5/1 tail "
		      "\"hello\" by worker\n"
		      "server close sent 2 received 5 turn 2 write 2/1 tail \"ok\" by worker\n"
		      "it counts established 1 accepts 1 client-exchanges 1 client-closes 1 sent 5 "
		      "received 2\n"
		      "worker counts server-exchanges 1 server-closes 1 sent 2 received 5\n" },
	{ .name = "overtaken_write",
	  .act = act_overtaken_write,
	  .check = check_client,
	  .expected =
		  "client connect established\n"
		  "client turn 2 read 3/1 tail \"ear\" call 3 at 0 \"ear\" awaits-write\n"
		  "client turn 2 read 5/2 tail \"early\" call 2 at 3 \"ly\" continued\n"
		  "client turn 1 write 1048576/1 tail unseen call 1048576 at 0 64 letters late by "
		  "writer\n"
		  "client turn 2 read 9/3 tail \"arlydone\" call 4 at 5 \"done\" continued\n"
		  "client close sent 1048576 received 9 turn 2 read 9/3 tail \"arlydone\"\n"
		  "it counts established 1 accepts 1 client-exchanges 1 client-closes 1 sent 1048576 "
		  "received 9\n" },
	{ .name = "overtaken_rest",
	  .act = act_overtaken_rest,
	  .check = check_client,
	  .expected =
		  "client connect established\n"
		  "client turn 1 write 5/1 tail \"first\" call 5 at 0 \"first\"\n"
		  "client turn 2 read 3/1 tail \"ear\" call 3 at 0 \"ear\" after write 5/1 tail "
		  "\"first\"\n"
		  "client turn 2 read 5/2 tail \"early\" call 2 at 3 \"ly\" continued\n"
		  "client turn 1 write 1048576/1 tail unseen call 1048576 at 0 64 letters late by "
		  "writer\n"
		  "client turn 2 read 9/3 tail \"arlydone\" call 4 at 5 \"done\" continued\n"
		  "client close sent 1048581 received 9 turn 2 read 9/3 tail \"arlydone\"\n"
		  "it counts established 1 accepts 1 client-exchanges 1 client-closes 1 sent 1048581 "
		  "received 9\n" },
};

static const struct group groups[] = {
	{ .name = "turn_owners", .scenes = scenes, .count = LENGTH(scenes) },
};

int main(int argc, char **argv)
{
	return observer_main(argc, argv, groups, LENGTH(groups));
}
