/* SPDX-License-Identifier: Apache-2.0 */
/* Calls that move bytes: which turns they make, what is captured of them, and what is not looked at. */
#include <fcntl.h>
#include <sys/sendfile.h>
#include <sys/uio.h>

#include "scenes.h"

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

static void act_one_exchange(struct stage *stage)
{
	struct ends ends = stage_ends(stage);

	stage_exchange(stage, &ends);
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

/* What ends with an interim answer's header goes on. */
static void act_interim(struct stage *stage)
{
	struct ends ends = stage_ends(stage);

	stage_write(stage, ends.server, "HTTP/1.1 100 Continue\r\n\r\n");
	stage_write(stage, ends.server, "HTTP/1.1 200 OK\r\n\r\n");
	stage_write(stage, ends.server, "body");
	stage_read(stage, ends.client, 48, 64);
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

/* More elements than are looked at, most of them empty: the first bytes are captured, the last ones not seen. */
static void act_long_vector(struct stage *stage)
{
	struct ends ends = stage_ends(stage);
	char text[18], copy[18];
	struct iovec out[129] = { 0 }, in = { copy, sizeof(copy) };

	letters(text, sizeof(text));
	for (int i = 0; i < 9; i++)
		out[i * 16] = (struct iovec){ text + 2 * i, 2 };
	MUST(writev(ends.client, out, 129));
	MUST(readv(ends.server, &in, 1));
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

/* The FIN that half-closing sends is no write. */
static void act_half_close_late(struct stage *stage)
{
	struct ends ends = stage_ends(stage);
	char byte;

	stage_write(stage, ends.client, "ask");
	stage_read(stage, ends.server, 3, 64);
	stage_write(stage, ends.server, "some");
	stage_read(stage, ends.client, 4, 64);
	MUST(shutdown(ends.client, SHUT_WR));
	MUST(read(ends.server, &byte, 1));
	stage_write(stage, ends.server, "more");
	stage_read(stage, ends.client, 4, 64);
	ends_close(&ends);
}

/* Nothing of these is a turn: no bytes moved, or not in a stream. */
static void act_no_turns(struct stage *stage)
{
	struct ends ends = stage_ends(stage);
	int sockets[2], pipes[2];
	char byte;

	MUST(socketpair(AF_UNIX, SOCK_DGRAM, 0, sockets));
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

/* --- the most that can be captured --- */

static void act_large(struct stage *stage)
{
	struct ends ends = stage_ends(stage);
	char text[10000], copy[10000];
	struct iovec out[] = { { text, 3000 }, { text + 3000, 7000 } };

	letters(text, sizeof(text));
	MUST(writev(ends.client, out, 2));
	MUST(recv(ends.server, copy, sizeof(copy), MSG_WAITALL));
	ends_close(&ends);
}

#define ONE_EXCHANGE                                                                               \
	"client connect established\n"                                                             \
	"client turn 1 write 5/1 tail \"hello\" call 5 at 0 \"hello\"\n"                           \
	"client turn 2 read 2/1 tail \"ok\" call 2 at 0 \"ok\" after write 5/1 tail \"hello\"\n"   \
	"client close sent 5 received 2 turn 2 read 2/1 tail \"ok\"\n"                             \
	"server accept\n"                                                                          \
	"server turn 1 read 5/1 tail \"hello\" call 5 at 0 \"hello\"\n"                            \
	"server turn 2 write 2/1 tail \"ok\" call 2 at 0 \"ok\" after read 5/1 tail \"hello\"\n"   \
	"server close sent 2 received 5 turn 2 write 2/1 tail \"ok\"\n"                            \
	"it counts established 1 accepts 1 client-exchanges 1 client-closes 1 server-exchanges 1 " \
	"server-closes 1 sent 7 received 7\n"

static const struct scene scenes[] = {
	{ .name = "one_exchange", .act = act_one_exchange, .expected = ONE_EXCHANGE },
	{ .name = "one_exchange_over_ipv6",
	  .act = act_one_exchange,
	  .expected = ONE_EXCHANGE,
	  .family = AF_INET6 },
	{ .name = "keep_alive",
	  .act = act_keep_alive,
	  .expected =
		  "client connect established\n"
		  "client turn 1 write 5/1 tail \"first\" call 5 at 0 \"first\"\n"
		  "client turn 2 read 3/1 tail \"one\" call 3 at 0 \"one\" after write 5/1 tail "
		  "\"first\"\n"
		  "client turn 3 write 6/1 tail \"second\" call 6 at 0 \"second\" after read 3/1 "
		  "tail \"one\"\n"
		  "client turn 4 read 3/1 tail \"two\" call 3 at 0 \"two\" after write 6/1 tail "
		  "\"second\"\n"
		  "client close sent 11 received 6 turn 4 read 3/1 tail \"two\"\n"
		  "server accept\n"
		  "server turn 1 read 5/1 tail \"first\" call 5 at 0 \"first\"\n"
		  "server turn 2 write 3/1 tail \"one\" call 3 at 0 \"one\" after read 5/1 tail "
		  "\"first\"\n"
		  "server turn 3 read 6/1 tail \"second\" call 6 at 0 \"second\" after write 3/1 "
		  "tail \"one\"\n"
		  "server turn 4 write 3/1 tail \"two\" call 3 at 0 \"two\" after read 6/1 tail "
		  "\"second\"\n"
		  "server close sent 6 received 11 turn 4 write 3/1 tail \"two\"\n"
		  "it counts established 1 accepts 1 client-exchanges 2 client-closes 1 "
		  "server-exchanges 2 server-closes 1 sent 17 received 17\n" },
	{ .name = "continued",
	  .act = act_continued,
	  .expected = "client connect established\n"
		      "client turn 1 write 3/1 tail \"abc\" call 3 at 0 \"abc\"\n"
		      "client turn 1 write 15/2 tail \"hijklmno\" call 12 at 3 \"defghijklmno\" "
		      "continued\n"
		      "client close sent 15 received 0 turn 1 write 15/2 tail \"hijklmno\"\n"
		      "server accept\n"
		      "server turn 1 read 5/1 tail \"abcde\" call 5 at 0 \"abcde\"\n"
		      "server turn 1 read 10/2 tail \"cdefghij\" call 5 at 5 \"fghij\" continued\n"
		      "server turn 1 read 15/3 tail \"hijklmno\" call 5 at 10 \"klmno\" continued\n"
		      "server close sent 0 received 15 turn 1 read 15/3 tail \"hijklmno\"\n"
		      "it counts established 1 accepts 1 client-closes 1 server-closes 1 sent 15 "
		      "received 15\n" },
	{ .name = "prefix_full",
	  .act = act_prefix_full,
	  .expected = "client connect established\n"
		      "client turn 1 write 40/1 tail \"ghijklmn\" call 40 at 0 "
		      "\"abcdefghijklmnopqrstuvwxyzabcdefghijklmn\"\n"
		      "client turn 1 write 80/2 tail \"uvwxyzab\" call 40 at 40 "
		      "\"opqrstuvwxyzabcdefghijkl\" continued\n"
		      "client turn 2 read 2/1 tail \"ok\" call 2 at 0 \"ok\" after write 90/3 tail "
		      "\"efghijkl\"\n"
		      "client close sent 90 received 2 turn 2 read 2/1 tail \"ok\"\n"
		      "server accept\n"
		      "server turn 1 read 90/1 tail \"efghijkl\" call 90 at 0 64 letters\n"
		      "server turn 2 write 2/1 tail \"ok\" call 2 at 0 \"ok\" after read 90/1 tail "
		      "\"efghijkl\"\n"
		      "server close sent 2 received 90 turn 2 write 2/1 tail \"ok\"\n"
		      "it counts established 1 accepts 1 client-exchanges 1 client-closes 1 "
		      "server-exchanges 1 server-closes 1 sent 92 received 92\n" },
	{ .name = "header_ends_capture",
	  .act = act_header_ends,
	  .expected = "client connect established\n"
		      "client turn 1 write 18/1 tail \"/1.1\\r\\n\\r\\n\" call 18 at 0 \"PUT / "
		      "HTTP/1.1\\r\\n\\r\\n\"\n"
		      "client turn 2 read 1/1 tail \"x\" call 1 at 0 \"x\" after write 22/2 tail "
		      "\"\\r\\n\\r\\nbody\"\n"
		      "client close sent 22 received 1 turn 2 read 1/1 tail \"x\"\n"
		      "server accept\n"
		      "server turn 1 read 18/1 tail \"/1.1\\r\\n\\r\\n\" call 18 at 0 \"PUT / "
		      "HTTP/1.1\\r\\n\\r\\n\"\n"
		      "server turn 2 write 1/1 tail \"x\" call 1 at 0 \"x\" after read 22/2 tail "
		      "\"\\r\\n\\r\\nbody\"\n"
		      "server close sent 1 received 22 turn 2 write 1/1 tail \"x\"\n"
		      "it counts established 1 accepts 1 client-exchanges 1 client-closes 1 "
		      "server-exchanges 1 server-closes 1 sent 23 received 23\n" },
	{ .name = "interim_answer",
	  .act = act_interim,
	  .expected =
		  "client connect established\n"
		  "client turn 1 read 48/1 tail \"\\r\\n\\r\\nbody\" call 48 at 0 \"HTTP/1.1 100 "
		  "Continue\\r\\n\\r\\nHTTP/1.1 200 OK\\r\\n\\r\\nbody\"\n"
		  "client close sent 0 received 48 turn 1 read 48/1 tail \"\\r\\n\\r\\nbody\"\n"
		  "server accept\n"
		  "server turn 1 write 25/1 tail \"inue\\r\\n\\r\\n\" call 25 at 0 \"HTTP/1.1 "
		  "100 Continue\\r\\n\\r\\n\"\n"
		  "server turn 1 write 44/2 tail \"0 OK\\r\\n\\r\\n\" call 19 at 25 \"HTTP/1.1 "
		  "200 OK\\r\\n\\r\\n\" continued\n"
		  "server close sent 48 received 0 turn 1 write 48/3 tail \"\\r\\n\\r\\nbody\"\n"
		  "it counts established 1 accepts 1 client-closes 1 server-closes 1 sent 48 "
		  "received 48\n" },
	{ .name = "peek",
	  .act = act_peek,
	  .expected = "client connect established\n"
		      "client turn 1 write 5/1 tail \"hello\" call 5 at 0 \"hello\"\n"
		      "client close sent 5 received 0 turn 1 write 5/1 tail \"hello\"\n"
		      "server accept\n"
		      "server turn 1 read 5/1 tail \"hello\" call 5 at 0 \"hello\"\n"
		      "server close sent 0 received 5 turn 1 read 5/1 tail \"hello\"\n"
		      "it counts established 1 accepts 1 client-closes 1 server-closes 1 sent 5 "
		      "received 5\n" },
	{ .name = "vectors",
	  .act = act_vectors,
	  .expected = "client connect established\n"
		      "client turn 1 write 7/1 tail \"abcdefg\" call 7 at 0 \"abcdefg\"\n"
		      "client close sent 7 received 0 turn 1 write 7/1 tail \"abcdefg\"\n"
		      "server accept\n"
		      "server turn 1 read 7/1 tail \"abcdefg\" call 7 at 0 \"abcdefg\"\n"
		      "server close sent 0 received 7 turn 1 read 7/1 tail \"abcdefg\"\n"
		      "it counts established 1 accepts 1 client-closes 1 server-closes 1 sent 7 "
		      "received 7\n" },
	{ .name = "long_vector",
	  .act = act_long_vector,
	  .expected =
		  "client connect established\n"
		  "client turn 1 write 18/1 tail unseen call 18 at 0 \"abcdefghijklmnop\"\n"
		  "client close sent 18 received 0 turn 1 write 18/1 tail unseen\n"
		  "server accept\n"
		  "server turn 1 read 18/1 tail \"klmnopqr\" call 18 at 0 \"abcdefghijklmnopqr\"\n"
		  "server close sent 0 received 18 turn 1 read 18/1 tail \"klmnopqr\"\n"
		  "it counts established 1 accepts 1 client-closes 1 server-closes 1 sent 18 "
		  "received 18\n" },
	{ .name = "messages",
	  .act = act_messages,
	  .expected =
		  "client connect established\n"
		  "client turn 1 write 5/1 tail \"abcde\" call 5 at 0 \"abcde\"\n"
		  "client turn 2 read 5/1 tail \"abcde\" call 5 at 0 \"abcde\" after write 5/1 "
		  "tail \"abcde\"\n"
		  "client turn 3 write 3/1 tail \"end\" call 3 at 0 \"end\" after read 5/1 tail "
		  "\"abcde\"\n"
		  "client close sent 8 received 5 turn 3 write 3/1 tail \"end\"\n"
		  "server accept\n"
		  "server turn 1 read 5/1 tail \"abcde\" call 5 at 0 \"abcde\"\n"
		  "server turn 2 write 5/1 tail unseen call 5 at 0 \"abc\" after read 5/1 tail "
		  "\"abcde\"\n"
		  "server turn 3 read 3/1 tail \"end\" call 3 at 0 \"end\" after write 5/1 tail "
		  "unseen\n"
		  "server close sent 5 received 8 turn 3 read 3/1 tail \"end\"\n"
		  "it counts established 1 accepts 1 client-exchanges 1 client-closes 1 "
		  "server-exchanges 1 server-closes 1 sent 13 received 13\n" },
	{ .name = "sendfile",
	  .act = act_sendfile,
	  .expected =
		  "client connect established\n"
		  "client turn 1 write 3/1 tail \"get\" call 3 at 0 \"get\"\n"
		  "client turn 2 read 15/1 tail \"23456789\" call 15 at 0 \"head 0123456789\" "
		  "after write 3/1 tail \"get\"\n"
		  "client turn 3 write 4/1 tail unseen call 4 at 0 \"\" no-bytes after read 15/1 "
		  "tail \"23456789\"\n"
		  "client close sent 7 received 15 turn 3 write 4/1 tail unseen\n"
		  "server accept\n"
		  "server turn 1 read 3/1 tail \"get\" call 3 at 0 \"get\"\n"
		  "server turn 2 write 5/1 tail \"head \" call 5 at 0 \"head \" after read 3/1 "
		  "tail \"get\"\n"
		  "server turn 3 read 4/1 tail \"0123\" call 4 at 0 \"0123\" after write 15/2 "
		  "tail unseen\n"
		  "server close sent 15 received 7 turn 3 read 4/1 tail \"0123\"\n"
		  "it counts established 1 accepts 1 client-exchanges 1 client-closes 1 "
		  "server-exchanges 1 server-closes 1 sent 22 received 22\n" },
	{ .name = "splice",
	  .act = act_splice,
	  .expected =
		  "client connect established\n"
		  "client turn 1 write 7/1 tail \"through\" call 7 at 0 \"through\"\n"
		  "client turn 2 read 7/1 tail \"through\" call 7 at 0 \"through\" after write "
		  "7/1 tail \"through\"\n"
		  "client close sent 7 received 7 turn 2 read 7/1 tail \"through\"\n"
		  "server accept\n"
		  "server turn 1 read 7/1 tail unseen call 7 at 0 \"\" no-bytes\n"
		  "server turn 2 write 7/1 tail unseen call 7 at 0 \"\" no-bytes after read 7/1 "
		  "tail unseen\n"
		  "server close sent 7 received 7 turn 2 write 7/1 tail unseen\n"
		  "it counts established 1 accepts 1 client-exchanges 1 client-closes 1 "
		  "server-exchanges 1 server-closes 1 sent 14 received 14\n" },
	{ .name = "half_close",
	  .act = act_half_close,
	  .expected = "client connect established\n"
		      "client turn 1 write 3/1 tail \"all\" call 3 at 0 \"all\"\n"
		      "client progress turn 1 write 3/1 tail \"all\"\n"
		      "client turn 2 read 4/1 tail \"fine\" call 4 at 0 \"fine\" after write 3/1 "
		      "tail \"all\"\n"
		      "client close sent 3 received 4 turn 2 read 4/1 tail \"fine\"\n"
		      "server accept\n"
		      "server turn 1 read 3/1 tail \"all\" call 3 at 0 \"all\"\n"
		      "server turn 2 write 4/1 tail \"fine\" call 4 at 0 \"fine\" after read 3/1 "
		      "tail \"all\"\n"
		      "server close sent 4 received 3 turn 2 write 4/1 tail \"fine\"\n"
		      "it counts established 1 accepts 1 client-exchanges 1 client-closes 1 "
		      "server-exchanges 1 server-closes 1 sent 7 received 7\n" },
	{ .name = "half_close_late",
	  .act = act_half_close_late,
	  .expected = "client connect established\n"
		      "client turn 1 write 3/1 tail \"ask\" call 3 at 0 \"ask\"\n"
		      "client turn 2 read 4/1 tail \"some\" call 4 at 0 \"some\" after write 3/1 "
		      "tail \"ask\"\n"
		      "client progress turn 2 read 4/1 tail \"some\"\n"
		      "client turn 2 read 8/2 tail \"somemore\" call 4 at 4 \"more\" continued\n"
		      "client close sent 3 received 8 turn 2 read 8/2 tail \"somemore\"\n"
		      "server accept\n"
		      "server turn 1 read 3/1 tail \"ask\" call 3 at 0 \"ask\"\n"
		      "server turn 2 write 4/1 tail \"some\" call 4 at 0 \"some\" after read 3/1 "
		      "tail \"ask\"\n"
		      "server turn 2 write 8/2 tail \"somemore\" call 4 at 4 \"more\" continued\n"
		      "server close sent 8 received 3 turn 2 write 8/2 tail \"somemore\"\n"
		      "it counts established 1 accepts 1 client-exchanges 1 client-closes 1 "
		      "server-exchanges 1 server-closes 1 sent 11 received 11\n" },
	{ .name = "no_turns",
	  .act = act_no_turns,
	  .expected = "client connect established\n"
		      "client close sent 0 received 0\n"
		      "server accept\n"
		      "server close sent 0 received 0\n"
		      "it counts established 1 accepts 1 client-closes 1 server-closes 1\n" },
};

static const struct scene large_scenes[] = {
	{ .name = "large",
	  .act = act_large,
	  .expected =
		  "client connect established\n"
		  "client turn 1 write 10000/1 tail \"ijklmnop\" call 10000 at 0 4096 letters\n"
		  "client close sent 10000 received 0 turn 1 write 10000/1 tail \"ijklmnop\"\n"
		  "server accept\n"
		  "server turn 1 read 10000/1 tail \"ijklmnop\" call 10000 at 0 4096 letters\n"
		  "server close sent 0 received 10000 turn 1 read 10000/1 tail \"ijklmnop\"\n"
		  "it counts established 1 accepts 1 client-closes 1 server-closes 1 sent 10000 "
		  "received 10000\n" },
};

static const struct scene sampled_scenes[] = {
	{ .name = "sampled",
	  .act = act_one_exchange,
	  .expected = "client connect established\n"
		      "client turn 1 write 5/1 tail \"hello\" call 5 at 0 \"hello\"\n"
		      "client sample sent 5 received 0\n"
		      "client turn 2 read 2/1 tail \"ok\" call 2 at 0 \"ok\" after write 5/1 tail "
		      "\"hello\"\n"
		      "client sample sent 5 received 2\n"
		      "client close sent 5 received 2 turn 2 read 2/1 tail \"ok\"\n"
		      "server accept\n"
		      "server turn 1 read 5/1 tail \"hello\" call 5 at 0 \"hello\"\n"
		      "server sample sent 0 received 5\n"
		      "server turn 2 write 2/1 tail \"ok\" call 2 at 0 \"ok\" after read 5/1 tail "
		      "\"hello\"\n"
		      "server sample sent 2 received 5\n"
		      "server close sent 2 received 5 turn 2 write 2/1 tail \"ok\"\n"
		      "it counts established 1 accepts 1 client-exchanges 1 client-closes 1 "
		      "server-exchanges 1 server-closes 1 sent 7 received 7\n" },
};

static const struct group groups[] = {
	{ .name = "turns", .scenes = scenes, .count = LENGTH(scenes) },
	{ .name = "largest_prefix",
	  .options.settings.prefix_bytes = PREFIX_MAX,
	  .scenes = large_scenes,
	  .count = LENGTH(large_scenes) },
	{ .name = "samples",
	  .options.settings.sample_interval_ns = 1,
	  .scenes = sampled_scenes,
	  .count = LENGTH(sampled_scenes) },
};

int main(int argc, char **argv)
{
	return observer_main(argc, argv, groups, LENGTH(groups));
}
