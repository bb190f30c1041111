/* SPDX-License-Identifier: Apache-2.0 */
/* Connects a number of times, one after the other, and reports how each attempt ended and how long it took.
 *
 * connects HOST PORT COUNT blocking|nonblocking [close|reset|hold|wait-eof]
 *   close      at once
 *   reset      closes with a reset
 *   hold       keeps all open, prints "held", closes them when a line comes in
 *   wait-eof   reads until the peer is done, then closes
 * Prints one JSON object: attempts by errno, and the sum of the times by errno. */
#include <poll.h>
#include <stdbool.h>

#include "endpoint.h"

#define ERRNO_MAX 134
#define HELD_MAX 4096

static unsigned long counts[ERRNO_MAX];
static uint64_t sums_ns[ERRNO_MAX];
static int held[HELD_MAX];

static int finish(int fd)
{
	struct pollfd ready = { .fd = fd, .events = POLLOUT };
	socklen_t length = sizeof(int);
	int err = 0;

	if (poll(&ready, 1, -1) != 1)
		fail("poll");
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &length) != 0)
		fail("SO_ERROR");
	return err;
}

/* Returns a positive errno or 0. */
static int attempt(int fd, const struct endpoint *to, bool is_blocking)
{
	if (connect(fd, (const struct sockaddr *)&to->addr, to->length) == 0)
		return 0;
	if (!is_blocking && errno == EINPROGRESS)
		return finish(fd);
	return errno;
}

static void end(int fd, const char *how)
{
	struct linger reset = { .l_onoff = 1 };
	char byte;

	if (strcmp(how, "reset") == 0 &&
	    setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)) != 0)
		fail("SO_LINGER");
	if (strcmp(how, "wait-eof") == 0) {
		while (read(fd, &byte, 1) > 0)
			;
	}
	close(fd);
}

static void print_counts(void)
{
	const char *comma = "";

	printf("{\"pid\": %d, \"errnos\": {", getpid());
	for (int i = 0; i < ERRNO_MAX; i++) {
		if (counts[i] == 0)
			continue;
		printf("%s\"%d\": {\"count\": %lu, \"sum_ns\": %llu}", comma, i, counts[i],
		       (unsigned long long)sums_ns[i]);
		comma = ", ";
	}
	printf("}}\n");
	fflush(stdout);
}

int main(int argc, char **argv)
{
	const char *how = argc > 5 ? argv[5] : "close";
	bool is_held = strcmp(how, "hold") == 0;
	unsigned long count, open_count = 0;
	struct endpoint to;
	bool is_blocking;

	if (argc < 5) {
		fprintf(stderr, "usage: connects HOST PORT COUNT blocking|nonblocking "
				"[close|reset|hold|wait-eof]\n");
		return 2;
	}
	to = endpoint_parse(argv[1], argv[2]);
	count = strtoul(argv[3], NULL, 10);
	is_blocking = strcmp(argv[4], "blocking") == 0;
	run_before_others();
	for (unsigned long i = 0; i < count; i++) {
		int fd = socket(to.addr.ss_family, SOCK_STREAM | (is_blocking ? 0 : SOCK_NONBLOCK),
				0);
		uint64_t start_ns;
		int err;

		if (fd < 0)
			fail("socket");
		start_ns = now_ns();
		err = attempt(fd, &to, is_blocking);
		sums_ns[err % ERRNO_MAX] += now_ns() - start_ns;
		counts[err % ERRNO_MAX]++;
		if (is_held && err == 0 && open_count < HELD_MAX)
			held[open_count++] = fd;
		else
			end(fd, how);
	}
	if (is_held) {
		printf("held\n");
		fflush(stdout);
		(void)getchar(); /* a line or the end of input: both mean go on */
		while (open_count > 0)
			close(held[--open_count]);
	}
	print_counts();
	return 0;
}
