/* SPDX-License-Identifier: Apache-2.0 */
/* What the traffic programs share: clock, addresses, sockets. Each program is one file, so these are
 * static; what a program does not use costs nothing. */
#ifndef SONDE_TESTS_ENDPOINT_H
#define SONDE_TESTS_ENDPOINT_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define UNUSED_OK __attribute__((unused))

/* The clock that sonde's events carry. */
UNUSED_OK static inline uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

UNUSED_OK static inline void sleep_ms(long ms)
{
	struct timespec rest = { ms / 1000, ms % 1000 * 1000000 };

	while (nanosleep(&rest, &rest) != 0 && errno == EINTR)
		;
}

/* A witness that is preempted between a call and its look at the clock is none. Without the privilege it
 * stays an ordinary process. */
UNUSED_OK static inline void run_before_others(void)
{
	struct sched_param first = { .sched_priority = 1 };

	(void)sched_setscheduler(0, SCHED_FIFO, &first);
}

__attribute__((noreturn)) UNUSED_OK static inline void fail(const char *what)
{
	perror(what);
	exit(1);
}

struct endpoint {
	struct sockaddr_storage addr;
	socklen_t length;
};

/* host is a literal address: nobody is asked for names. */
UNUSED_OK static inline struct endpoint endpoint_parse(const char *host, const char *port)
{
	struct endpoint endpoint = { 0 };
	struct sockaddr_in *in4 = (struct sockaddr_in *)&endpoint.addr;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&endpoint.addr;
	in_port_t port_be16 = htons((uint16_t)strtoul(port, NULL, 10));

	if (inet_pton(AF_INET, host, &in4->sin_addr) == 1) {
		in4->sin_family = AF_INET;
		in4->sin_port = port_be16;
		endpoint.length = sizeof(*in4);
	} else if (inet_pton(AF_INET6, host, &in6->sin6_addr) == 1) {
		in6->sin6_family = AF_INET6;
		in6->sin6_port = port_be16;
		endpoint.length = sizeof(*in6);
	} else {
		fprintf(stderr, "%s is not an address\n", host);
		exit(2);
	}
	return endpoint;
}

/* Listens and tells the test where: "ready PORT". */
UNUSED_OK static inline int endpoint_listen(const char *host, const char *port, int backlog)
{
	struct endpoint at = endpoint_parse(host, port);
	struct sockaddr_storage bound = { 0 };
	socklen_t length = sizeof(bound);
	int one = 1;
	int fd;

	fd = socket(at.addr.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		fail("socket");
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) != 0)
		fail("SO_REUSEADDR");
	if (bind(fd, (struct sockaddr *)&at.addr, at.length) != 0)
		fail("bind");
	if (listen(fd, backlog) != 0)
		fail("listen");
	if (getsockname(fd, (struct sockaddr *)&bound, &length) != 0)
		fail("getsockname");
	/* The port is at the same place in both families. */
	printf("ready %u\n", ntohs(((struct sockaddr_in *)&bound)->sin_port));
	fflush(stdout);
	return fd;
}

UNUSED_OK static inline int endpoint_connect(const struct endpoint *to)
{
	int one = 1;
	int fd;

	fd = socket(to->addr.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		fail("socket");
	if (connect(fd, (const struct sockaddr *)&to->addr, to->length) != 0)
		fail("connect");
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one,
			 sizeof(one)); /* only speed depends on it */
	return fd;
}

#endif
