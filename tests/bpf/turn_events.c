/* SPDX-License-Identifier: Apache-2.0 */
/* Calls that move bytes: which turns they make, what is captured of them, and what is not looked at. */
#include <fcntl.h>
#include <sys/sendfile.h>
#include <sys/uio.h>

#include "observer.h"

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

static void act_one_exchange(struct stage *stage)
{
	struct ends ends = stage_ends(stage);

	stage_write(stage, ends.client, "hello");
	stage_read(stage, ends.server, 5, 64);
	stage_write(stage, ends.server, "ok");
	stage_read(stage, ends.client, 2, 64);
	ends_close(&ends);
}

static void act_keep_alive(struct stage *stage)
{
	struct ends ends = stage_ends(stage);

	for (int i = 0; i < 2; i++) {
		stage_write(stage, ends.client, i ? "second" : "first");
		stage_read(stage, ends.server, i ? 6 : 5, 64);
		stage_write(stage, ends.server, i ? "two" : "one");
		stage_read(stage, ends.client, 3, 64);
	}
	ends_close(&ends);
}

static void act_continued(struct stage *stage)
{
	struct ends ends = stage_ends(stage);

	stage_write(stage, ends.client, "abc");
	stage_write(stage, ends.client, "defghijklmno");
	stage_read(stage, ends.server, 15, 5);
	ends_close(&ends);
}

static void act_prefix_full(struct stage *stage)
{
	struct ends ends = stage_ends(stage);
	char text[90];

	letters(text, sizeof(text));
	MUST(write(ends.client, text, 40));
	MUST(write(ends.client, text + 40, 40));
	MUST(write(ends.client, text + 80, 10));
	stage_read(stage, ends.server, 90, 90);
	stage_write(stage, ends.server, "ok");
	stage_read(stage, ends.client, 2, 64);
	ends_close(&ends);
}

static void act_header_ends(struct stage *stage)
{
	struct ends ends = stage_ends(stage);

	stage_write(stage, ends.client, "PUT / HTTP/1.1\r\n\r\n");
	stage_write(stage, ends.client, "body");
	stage_read(stage, ends.server, 22, 18);
	stage_write(stage, ends.server, "x");
	stage_read(stage, ends.client, 1, 64);
	ends_close(&ends);
}

static void act_peek(struct stage *stage)
{
	struct ends ends = stage_ends(stage);
	char byte[8];
	struct iovec vector = { byte, sizeof(byte) };
	struct msghdr message = { .msg_iov = &vector, .msg_iovlen = 1 };

	stage_write(stage, ends.client, "hello");
	MUST(recv(ends.server, byte, 3, MSG_PEEK));
	MUST(recvmsg(ends.server, &message, MSG_PEEK));
	MUST(recv(ends.server, byte, sizeof(byte), 0));
	ends_close(&ends);
}

static void act_vectors(struct stage *stage)
{
	struct ends ends = stage_ends(stage);
	char first[4], second[16];
	struct iovec out[] = { { (void *)"ab", 2 }, { (void *)"", 0 }, { (void *)"cdefg", 5 } };
	struct iovec in[] = { { first, sizeof(first) }, { second, sizeof(second) } };

	MUST(writev(ends.client, out, 3));
	MUST(readv(ends.server, in, 2));
	ends_close(&ends);
}

/* More elements than are looked at: the first bytes are captured, the last ones not seen. */
static void act_nine_elements(struct stage *stage)
{
	struct ends ends = stage_ends(stage);
	char text[18], copy[18];
	struct iovec out[9], in[9];

	letters(text, sizeof(text));
	for (int i = 0; i < 9; i++) {
		out[i] = (struct iovec){ text + 2 * i, 2 };
		in[i] = (struct iovec){ copy + 2 * i, 2 };
	}
	MUST(writev(ends.client, out, 9));
	MUST(readv(ends.server, in, 9));
	ends_close(&ends);
}

static void act_messages(struct stage *stage)
{
	struct ends ends = stage_ends(stage);
	char copy[16];
	struct iovec out[] = { { (void *)"abc", 3 }, { (void *)"de", 2 } }, in = { copy, 16 };
	struct msghdr one = { .msg_iov = out, .msg_iovlen = 2 };
	struct mmsghdr two[] = { { .msg_hdr = { .msg_iov = out, .msg_iovlen = 1 } },
				 { .msg_hdr = { .msg_iov = out + 1, .msg_iovlen = 1 } } };
	struct mmsghdr back = { .msg_hdr = { .msg_iov = &in, .msg_iovlen = 1 } };

	MUST(sendmsg(ends.client, &one, 0));
	MUST(recvmmsg(ends.server, &back, 1, 0, NULL));
	MUST(sendmmsg(ends.server, two, 2, 0));
	MUST(recvmsg(ends.client, &back.msg_hdr, 0));
	MUST(send(ends.client, "end", 3, 0));
	MUST(recv(ends.server, copy, 16, 0));
	ends_close(&ends);
}

static void act_sendfile(struct stage *stage)
{
	struct ends ends = stage_ends(stage);
	int file = (int)MUST(memfd_create("page", MFD_CLOEXEC));

	MUST(write(file, "0123456789", 10));
	MUST(lseek(file, 0, SEEK_SET));
	stage_write(stage, ends.client, "get");
	stage_read(stage, ends.server, 3, 64);
	stage_write(stage, ends.server, "head ");
	MUST(sendfile(ends.server, file, NULL, 10));
	stage_read(stage, ends.client, 15, 64);
	MUST(lseek(file, 0, SEEK_SET));
	MUST(sendfile(ends.client, file, NULL, 4));
	stage_read(stage, ends.server, 4, 64);
	ends_close(&ends);
}

static void act_splice(struct stage *stage)
{
	struct ends ends = stage_ends(stage);
	int pipes[2];

	MUST(pipe(pipes));
	stage_write(stage, ends.client, "through");
	MUST(splice(ends.server, NULL, pipes[1], NULL, 7, 0));
	MUST(splice(pipes[0], NULL, ends.server, NULL, 7, 0));
	stage_read(stage, ends.client, 7, 64);
	ends_close(&ends);
}

static void act_half_close(struct stage *stage)
{
	struct ends ends = stage_ends(stage);
	char byte;

	stage_write(stage, ends.client, "all");
	MUST(shutdown(ends.client, SHUT_WR));
	stage_read(stage, ends.server, 3, 64);
	MUST(read(ends.server, &byte, 1));
	stage_write(stage, ends.server, "fine");
	stage_read(stage, ends.client, 4, 64);
	ends_close(&ends);
}

/* Nothing of these is a turn: no bytes moved, or not over TCP. */
static void act_no_turns(struct stage *stage)
{
	struct ends ends = stage_ends(stage);
	int sockets[2], pipes[2];
	char byte;

	MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets));
	MUST(pipe(pipes));
	MUST(write(ends.client, "", 0));
	MUST_FAIL(recv(ends.server, &byte, 1, MSG_DONTWAIT), EAGAIN);
	MUST(write(sockets[0], "x", 1));
	MUST(read(sockets[1], &byte, 1));
	MUST(write(pipes[1], "x", 1));
	MUST(read(pipes[0], &byte, 1));
	close(ends.client);
	MUST(read(ends.server, &byte, 1));
	close(ends.server);
}

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

	MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets));
	worker = stage_fork(stage, "worker", answer_passed, &sockets[1]);
	ends = stage_ends(stage);
	pass_descriptor(stage, sockets[0], ends.server);
	close(ends.server);
	stage_write(stage, ends.client, "hello");
	stage_read(stage, ends.client, 2, 64);
	stage_join(stage, worker);
	close(ends.client);
}

static const struct scene scenes[] = {
	{ "one_exchange", act_one_exchange,
	  "client connect established\n"
	  "client turn 1 write 5/1 tail \"hello\" call 5 at 0 \"hello\"\n"
	  "client turn 2 read 2/1 tail \"ok\" call 2 at 0 \"ok\" after write 5/1 tail \"hello\"\n"
	  "client close sent 5 received 2 turn 2 read 2/1 tail \"ok\"\n"
	  "server accept\n"
	  "server turn 1 read 5/1 tail \"hello\" call 5 at 0 \"hello\"\n"
	  "server turn 2 write 2/1 tail \"ok\" call 2 at 0 \"ok\" after read 5/1 tail \"hello\"\n"
	  "server close sent 2 received 5 turn 2 write 2/1 tail \"ok\"\n"
	  "it counts established 1 accepts 1 client-exchanges 1 client-closes 1 server-exchanges 1 "
	  "server-closes 1 sent 7 received 7\n" },
	{ "one_exchange_over_ipv6", act_one_exchange,
	  "client connect established\n"
	  "client turn 1 write 5/1 tail \"hello\" call 5 at 0 \"hello\"\n"
	  "client turn 2 read 2/1 tail \"ok\" call 2 at 0 \"ok\" after write 5/1 tail \"hello\"\n"
	  "client close sent 5 received 2 turn 2 read 2/1 tail \"ok\"\n"
	  "server accept\n"
	  "server turn 1 read 5/1 tail \"hello\" call 5 at 0 \"hello\"\n"
	  "server turn 2 write 2/1 tail \"ok\" call 2 at 0 \"ok\" after read 5/1 tail \"hello\"\n"
	  "server close sent 2 received 5 turn 2 write 2/1 tail \"ok\"\n"
	  "it counts established 1 accepts 1 client-exchanges 1 client-closes 1 server-exchanges 1 "
	  "server-closes 1 sent 7 received 7\n",
	  .family = AF_INET6 },
	{ "keep_alive", act_keep_alive, "" },
	{ "continued", act_continued, "" },
	{ "prefix_full", act_prefix_full, "" },
	{ "header_ends_capture", act_header_ends, "" },
	{ "peek", act_peek, "" },
	{ "vectors", act_vectors, "" },
	{ "nine_elements", act_nine_elements, "" },
	{ "messages", act_messages, "" },
	{ "sendfile", act_sendfile, "" },
	{ "splice", act_splice, "" },
	{ "half_close", act_half_close, "" },
	{ "no_turns", act_no_turns, "" },
	{ "dup", act_dup, "" },
	{ "fork", act_fork, "" },
	{ "passed", act_passed, "" },
};

static const struct group groups[] = {
	{ .name = "turns", .scenes = scenes, .count = LENGTH(scenes) },
};

int main(int argc, char **argv)
{
	return observer_main(argc, argv, groups, LENGTH(groups));
}
