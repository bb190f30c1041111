/* SPDX-License-Identifier: Apache-2.0 */
/* server REDIS-PORT [LIBRARY]: an HTTP/1 server with a thread for each connection, which publishes its spans.
 *
 * GET /N       the server's span 2N+2 in trace N+1, and, while Redis is asked, its child 2N+3
 * GET /none/N  no span is active
 * GET /bad/N   the record is not valid
 * GET /away/N  the record is not in memory */
#include "publisher.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <err.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int redis_port;

#ifdef LOADED
static void (*publish_now)(unsigned long trace_high, unsigned long trace, unsigned long span,
			   int valid);
#else
#define publish_now publish
#endif

static void ask_redis(int *fd)
{
	static const char get[] = "*2\r\n$3\r\nGET\r\n$3\r\none\r\n";
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_port = htons((unsigned short)redis_port) };
	char answer[256];

	inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
	if (*fd < 0) {
		*fd = socket(AF_INET, SOCK_STREAM, 0);
		if (connect(*fd, (struct sockaddr *)&address, sizeof(address)))
			err(1, "connect");
	}
	if (write(*fd, get, sizeof(get) - 1) < 0 || read(*fd, answer, sizeof(answer)) <= 0)
		err(1, "redis");
}

static void answer(int fd, const char *request, int *redis)
{
	static const char ok[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
	int is_none = !strncmp(request, "GET /none/", 10);
	int valid = !strncmp(request, "GET /bad/", 9)	? 2 :
		    !strncmp(request, "GET /away/", 10) ? AWAY :
							  1;
	unsigned long number = strtoul(request + strcspn(request, "0123456789"), NULL, 10);

	if (!is_none)
		publish_now(0, number + 1, 2 * number + 3, valid);
	ask_redis(redis);
	if (!is_none)
		publish_now(0, number + 1, 2 * number + 2, valid);
	if (write(fd, ok, sizeof(ok) - 1) < 0)
		err(1, "write");
	publish_now(0, 0, 0, 0);
}

static void *serve(void *context)
{
	int fd = (int)(long)context, redis = -1;
	char request[4096];
	ssize_t got;

	while ((got = read(fd, request, sizeof(request) - 1)) > 0) {
		request[got] = '\0';
		answer(fd, request, &redis);
	}
	close(fd);
	if (redis >= 0)
		close(redis);
	return NULL;
}

int main(int count, char **arguments)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t length = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM, 0), fd;

	redis_port = count > 1 ? atoi(arguments[1]) : 0;
#ifdef LOADED
	void *library = dlopen(arguments[2], RTLD_NOW | RTLD_LOCAL);

	if (!library)
		errx(1, "%s", dlerror());
	*(void **)&publish_now = dlsym(library, "publish");
#endif
	inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
	if (bind(listener, (struct sockaddr *)&address, sizeof(address)) || listen(listener, 64) ||
	    getsockname(listener, (struct sockaddr *)&address, &length))
		err(1, "listen");
	printf("ready %d\n", ntohs(address.sin_port));
	fflush(stdout);
	while ((fd = accept(listener, NULL, NULL)) >= 0) {
		pthread_t thread;

		if (pthread_create(&thread, NULL, serve, (void *)(long)fd))
			err(1, "pthread_create");
		pthread_detach(thread);
	}
	return 1;
}
