/* SPDX-License-Identifier: Apache-2.0 */
/* Accepts connections: late, slowly, not at all, or to reset them.
 *
 * acceptor HOST PORT BACKLOG close|reset|never|late MS|drain
 *   close  at once      reset  closes with a reset      never  does not call accept
 *   late   accepts one connection MS after it came, prints {"wait_ns": …}
 *   drain  reads each until its end */
#include <poll.h>
#include <stdbool.h>

#include "endpoint.h"

static void accept_late(int listener, long ms)
{
	struct pollfd ready = { .fd = listener, .events = POLLIN };
	uint64_t ready_ns;
	int fd;

	if (poll(&ready, 1, -1) != 1)
		fail("poll");
	ready_ns = now_ns();
	sleep_ms(ms);
	fd = accept(listener, NULL, NULL);
	if (fd < 0)
		fail("accept");
	printf("{\"wait_ns\": %llu}\n", (unsigned long long)(now_ns() - ready_ns));
	fflush(stdout);
	close(fd);
}

static void end(int fd, const char *how)
{
	struct linger reset = { .l_onoff = 1 };
	static char bytes[64 * 1024];

	if (strcmp(how, "reset") == 0 &&
	    setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)) != 0)
		fail("SO_LINGER");
	if (strcmp(how, "drain") == 0) {
		while (read(fd, bytes, sizeof(bytes)) > 0)
			;
	}
	close(fd);
}

int main(int argc, char **argv)
{
	const char *how;
	int listener;

	if (argc < 5) {
		fprintf(stderr,
			"usage: acceptor HOST PORT BACKLOG close|reset|never|drain|late [MS]\n");
		return 2;
	}
	how = argv[4];
	listener = endpoint_listen(argv[1], argv[2], (int)strtol(argv[3], NULL, 10));
	while (strcmp(how, "never") == 0)
		pause();
	for (;;) {
		int fd;

		if (strcmp(how, "late") == 0) {
			accept_late(listener, argc > 5 ? strtol(argv[5], NULL, 10) : 300);
			continue;
		}
		fd = accept(listener, NULL, NULL);
		if (fd < 0)
			fail("accept");
		end(fd, how);
	}
}
