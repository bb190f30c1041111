/* SPDX-License-Identifier: Apache-2.0 */
/* One function for each call that moves bytes over a socket, and the tables that name them. */
#ifndef SONDE_TESTS_SOCKET_CALLS_H
#define SONDE_TESTS_SOCKET_CALLS_H

#include <fcntl.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/uio.h>

#include "endpoint.h"

#define BUFFER (128 * 1024)

typedef ssize_t (*move_call)(int fd, char *bytes, size_t length);

static int pipe_fds[2];
static int file_fd;

static ssize_t take_read(int fd, char *bytes, size_t length)
{
	return read(fd, bytes, length);
}

static unsigned cut(struct iovec *parts, char *bytes, size_t length)
{
	size_t one = length > 1 ? 1 : length;
	size_t two = length > 30 ? 29 : 0;

	parts[0] = (struct iovec){ bytes, one };
	parts[1] = (struct iovec){ bytes + one, two };
	parts[2] = (struct iovec){ bytes + one + two, length - one - two };
	return 3;
}

static ssize_t take_readv(int fd, char *bytes, size_t length)
{
	struct iovec parts[3];

	return readv(fd, parts, (int)cut(parts, bytes, length));
}

static ssize_t take_recvfrom(int fd, char *bytes, size_t length)
{
	return recvfrom(fd, bytes, length, 0, NULL, NULL);
}

static ssize_t take_recvmsg(int fd, char *bytes, size_t length)
{
	struct iovec parts[3];
	struct msghdr message = { .msg_iov = parts, .msg_iovlen = cut(parts, bytes, length) };

	return recvmsg(fd, &message, 0);
}

static ssize_t take_recvmmsg(int fd, char *bytes, size_t length)
{
	struct iovec parts[2] = { { bytes, length > 1 ? length / 2 : length },
				  { bytes + length / 2, length - length / 2 } };
	struct mmsghdr messages[2] = { { .msg_hdr = { .msg_iov = &parts[0], .msg_iovlen = 1 } },
				       { .msg_hdr = { .msg_iov = &parts[1], .msg_iovlen = 1 } } };
	int got;

	/* The second only when the first filled its half: else there would be a hole between them. */
	got = recvmmsg(fd, messages, 1, 0, NULL);
	if (got == 1 && messages[0].msg_len == parts[0].iov_len && length > 1) {
		got = recvmmsg(fd, messages + 1, 1, MSG_DONTWAIT, NULL);
		return (ssize_t)messages[0].msg_len + (got == 1 ? (ssize_t)messages[1].msg_len : 0);
	}
	return got == 1 ? (ssize_t)messages[0].msg_len : got;
}

static ssize_t take_splice(int fd, char *bytes, size_t length)
{
	ssize_t got = splice(fd, NULL, pipe_fds[1], NULL, length < 4096 ? length : 4096, 0);

	return got <= 0 ? got : read(pipe_fds[0], bytes, (size_t)got);
}

static ssize_t take_byte(int fd, char *bytes, size_t length)
{
	return read(fd, bytes, length > 0);
}

static ssize_t take_peek(int fd, char *bytes, size_t length)
{
	ssize_t got = recv(fd, bytes, length, MSG_PEEK);

	return got <= 0 ? got : read(fd, bytes, (size_t)got);
}

static ssize_t take_waitall(int fd, char *bytes, size_t length)
{
	return recv(fd, bytes, length, MSG_WAITALL);
}

static ssize_t give_write(int fd, char *bytes, size_t length)
{
	return write(fd, bytes, length);
}

static ssize_t give_writev(int fd, char *bytes, size_t length)
{
	struct iovec parts[3];

	return writev(fd, parts, (int)cut(parts, bytes, length));
}

static ssize_t give_sendto(int fd, char *bytes, size_t length)
{
	return sendto(fd, bytes, length, 0, NULL, 0);
}

static ssize_t give_sendmsg(int fd, char *bytes, size_t length)
{
	struct iovec parts[3];
	struct msghdr message = { .msg_iov = parts, .msg_iovlen = cut(parts, bytes, length) };

	return sendmsg(fd, &message, 0);
}

static ssize_t give_sendmmsg(int fd, char *bytes, size_t length)
{
	struct iovec parts[2] = { { bytes, length / 2 },
				  { bytes + length / 2, length - length / 2 } };
	struct mmsghdr messages[2] = { { .msg_hdr = { .msg_iov = &parts[0], .msg_iovlen = 1 } },
				       { .msg_hdr = { .msg_iov = &parts[1], .msg_iovlen = 1 } } };
	int sent = sendmmsg(fd, messages, 2, 0);

	if (sent <= 0)
		return sent;
	return (ssize_t)(messages[0].msg_len + (sent == 2 ? messages[1].msg_len : 0));
}

static ssize_t give_sendfile(int fd, char *bytes, size_t length)
{
	off_t offset = 0;

	if (pwrite(file_fd, bytes, length, 0) != (ssize_t)length)
		fail("pwrite");
	return sendfile(fd, file_fd, &offset, length);
}

static ssize_t give_splice(int fd, char *bytes, size_t length)
{
	ssize_t in_pipe = write(pipe_fds[1], bytes, length < 4096 ? length : 4096);
	ssize_t left = in_pipe;

	while (left > 0) {
		ssize_t done = splice(pipe_fds[0], NULL, fd, NULL, (size_t)left, 0);

		if (done <= 0)
			fail("splice");
		left -= done;
	}
	return in_pipe;
}

static ssize_t give_byte(int fd, char *bytes, size_t length)
{
	return write(fd, bytes, length > 0);
}

static ssize_t give_split(int fd, char *bytes, size_t length)
{
	return write(fd, bytes, length > 10 ? 10 : length);
}

static ssize_t give_more(int fd, char *bytes, size_t length)
{
	size_t first = length > 40 ? 40 : length;

	/* The last bytes without MSG_MORE, or they would wait for 200 ms. */
	return send(fd, bytes, first, first < length ? MSG_MORE : 0);
}

/* max: the longest body that this way can move in reasonable time. */
struct way {
	const char *name;
	move_call move;
	size_t max;
	bool body_only; /* the head travels by an ordinary call: this one does not show bytes */
};

static const struct way takes[] = {
	{ "read", take_read, BUFFER, false },
	{ "readv", take_readv, BUFFER, false },
	{ "recvfrom", take_recvfrom, BUFFER, false },
	{ "recvmsg", take_recvmsg, BUFFER, false },
	{ "recvmmsg", take_recvmmsg, BUFFER, false },
	{ "splice", take_splice, BUFFER, true },
	{ "byte", take_byte, 500, false },
	{ "peek", take_peek, BUFFER, false },
	{ "waitall", take_waitall, BUFFER, true },
	{ 0 },
};

static const struct way gives[] = {
	{ "write", give_write, BUFFER, false },
	{ "writev", give_writev, BUFFER, false },
	{ "sendto", give_sendto, BUFFER, false },
	{ "sendmsg", give_sendmsg, BUFFER, false },
	{ "sendmmsg", give_sendmmsg, BUFFER, false },
	{ "sendfile", give_sendfile, BUFFER, true },
	{ "splice", give_splice, BUFFER, true },
	{ "byte", give_byte, 500, false },
	{ "split", give_split, 5000, false },
	{ "more", give_more, 5000, false },
	{ 0 },
};

static inline const struct way *find_way(const struct way *way, const char *name)
{
	for (; way->name; way++) {
		if (strcmp(way->name, name) == 0)
			return way;
	}
	fprintf(stderr, "no call named %s\n", name);
	exit(2);
}

/* What splice and sendfile need beside the socket. */
static inline void socket_calls_init(void)
{
	file_fd = memfd_create("message", MFD_CLOEXEC);
	if (file_fd < 0 || pipe2(pipe_fds, O_CLOEXEC) != 0)
		fail("setup");
}

#endif
