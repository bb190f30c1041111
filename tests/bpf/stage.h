/* SPDX-License-Identifier: Apache-2.0 */
/* The acting side of a test: processes that make real calls on real sockets, and tell by shared memory who they are
 * and what went wrong. Nothing here knows of sonde. */
#ifndef SONDE_TESTS_BPF_STAGE_H
#define SONDE_TESTS_BPF_STAGE_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CAST_MAX 64
#define MARKS_MAX 8
#define ACT_SECONDS 60 /* after that an act hangs, also on a slow guest */

/* A thread that acts; the events of others are not looked at. The name of the first is "". */
struct actor {
	uint32_t tgid;
	uint32_t tid;
	char name[16];
};

struct stage {
	struct actor cast[CAST_MAX];
	atomic_uint cast_count;
	atomic_int marks[MARKS_MAX];
	uint16_t port; /* of the listening socket */
	uint16_t family;
	char path[108];	   /* of a Unix-domain socket, as it is bound; abstract: without its NUL */
	uint64_t begin_ns; /* events are not older */
	uint32_t file_fd;  /* descriptor to be named in an error event's argument */
	char failure[256];
	char skip[80]; /* why this cannot be played here */
};

static inline uint64_t clock_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static inline struct stage *stage_new(void)
{
	void *memory = mmap(NULL, sizeof(struct stage), PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

static inline void stage_enter(struct stage *stage, const char *name)
{
	struct actor *actor = &stage->cast[atomic_fetch_add(&stage->cast_count, 1) % CAST_MAX];

	actor->tgid = (uint32_t)getpid();
	actor->tid = (uint32_t)gettid();
	snprintf(actor->name, sizeof(actor->name), "%s", name);
}

static inline const struct actor *stage_actor(const struct stage *stage, uint32_t tid)
{
	for (unsigned i = 0; i < stage->cast_count && i < CAST_MAX; i++)
		if (stage->cast[i].tid == tid)
			return &stage->cast[i];
	return NULL;
}

__attribute__((noreturn)) static inline void stage_skip(struct stage *stage, const char *reason)
{
	snprintf(stage->skip, sizeof(stage->skip), "%s", reason);
	_exit(0);
}

/* A failing step ends the act. */
#define MUST(call) stage_must(stage, (long)(call), #call)

static inline long stage_must(struct stage *stage, long result, const char *what)
{
	if (result >= 0)
		return result;
	if (!stage->failure[0])
		snprintf(stage->failure, sizeof(stage->failure), "%s: %s", what, strerror(errno));
	_exit(1);
}

/* A step that has to fail, with this errno. */
#define MUST_FAIL(call, error) stage_must_fail(stage, (long)(call), error, #call)

static inline void stage_must_fail(struct stage *stage, long result, int error, const char *what)
{
	if (result < 0 && errno == error)
		return;
	snprintf(stage->failure, sizeof(stage->failure), "%s: %s instead of %s", what,
		 result < 0 ? strerror(errno) : "no error", strerror(error));
	_exit(1);
}

static inline void stage_mark(struct stage *stage, unsigned mark)
{
	atomic_store(&stage->marks[mark], 1);
}

/* Ends also when the act has. */
static inline void stage_await(struct stage *stage, unsigned mark)
{
	const struct timespec a_moment = { 0, 1000000 };

	while (!atomic_load(&stage->marks[mark]) && !stage->failure[0] && !stage->skip[0])
		nanosleep(&a_moment, NULL);
}

/* Until the observer, who awaits mark 1, has done its part. */
static inline void stage_pause(struct stage *stage)
{
	stage_mark(stage, 1);
	stage_await(stage, 0);
}

/* Another process, which ends with its parent. */
static inline pid_t stage_fork(struct stage *stage, const char *name,
			       void (*act)(struct stage *stage, void *context), void *context)
{
	pid_t pid = fork();

	if (pid != 0)
		return (pid_t)MUST(pid);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	alarm(ACT_SECONDS);
	stage_enter(stage, name);
	act(stage, context);
	_exit(0);
}

static inline void stage_join(struct stage *stage, pid_t pid)
{
	int status;

	MUST(waitpid(pid, &status, 0));
	if (status && !stage->failure[0])
		snprintf(stage->failure, sizeof(stage->failure), "a process ended with status %#x",
			 (unsigned)status);
}

struct address {
	struct sockaddr_storage storage;
	socklen_t length;
};

static inline struct address stage_address(const struct stage *stage, uint16_t port)
{
	struct address address = { 0 };

	if (stage->family == AF_INET6) {
		struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&address.storage;

		*in6 = (struct sockaddr_in6){ .sin6_family = AF_INET6,
					      .sin6_addr = in6addr_loopback,
					      .sin6_port = htons(port) };
		address.length = sizeof(*in6);
	} else {
		struct sockaddr_in *in = (struct sockaddr_in *)&address.storage;

		*in = (struct sockaddr_in){ .sin_family = AF_INET,
					    .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
					    .sin_port = htons(port) };
		address.length = sizeof(*in);
	}
	return address;
}

static inline int stage_socket(struct stage *stage)
{
	return (int)MUST(socket(stage->family, SOCK_STREAM | SOCK_CLOEXEC, 0));
}

/* Bind to a free port, or to stage->port when that is set. */
static inline int stage_bind(struct stage *stage)
{
	struct address address = stage_address(stage, stage->port);
	int fd = stage_socket(stage), yes = 1;

	MUST(setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &yes, sizeof(yes)));
	MUST(bind(fd, (struct sockaddr *)&address.storage, address.length));
	MUST(getsockname(fd, (struct sockaddr *)&address.storage, &address.length));
	stage->port = ntohs(((struct sockaddr_in *)&address.storage)->sin_port);
	return fd;
}

static inline int stage_listen(struct stage *stage, int backlog)
{
	int fd = stage_bind(stage);

	MUST(listen(fd, backlog));
	return fd;
}

/* What connect returned, errno as it left it. */
static inline int stage_try_connect(struct stage *stage, int fd)
{
	struct address address = stage_address(stage, stage->port);

	return connect(fd, (struct sockaddr *)&address.storage, address.length);
}

static inline int stage_connect(struct stage *stage)
{
	int fd = stage_socket(stage);

	MUST(stage_try_connect(stage, fd));
	return fd;
}

/* connect returns before the other end has its last packet. */
static inline void stage_await_arrival(struct stage *stage, int listener)
{
	struct pollfd poller = { .fd = listener, .events = POLLIN };

	MUST(poll(&poller, 1, -1));
}

static inline void stage_hear_reset(struct stage *stage, int fd)
{
	char byte;

	MUST_FAIL(read(fd, &byte, 1), ECONNRESET);
	close(fd);
}

/* Both ends of a connection in one process. */
struct ends {
	int client;
	int server;
};

static inline struct ends stage_ends_of(struct stage *stage, int listener)
{
	struct ends ends = { .client = stage_connect(stage) };

	ends.server = (int)MUST(accept4(listener, NULL, NULL, SOCK_CLOEXEC));
	return ends;
}

static inline struct ends stage_ends(struct stage *stage)
{
	int listener = stage_listen(stage, 1);
	struct ends ends = stage_ends_of(stage, listener);

	close(listener);
	return ends;
}

static inline void ends_close(const struct ends *ends)
{
	close(ends->client);
	close(ends->server);
}

/* Read until `length` bytes are there, in calls of at most `step`. */
static inline void stage_read(struct stage *stage, int fd, size_t length, size_t step)
{
	static _Thread_local char buffer[65536];

	while (length) {
		size_t want = length < step ? length : step;
		long got = MUST(read(fd, buffer, want < sizeof(buffer) ? want : sizeof(buffer)));

		if (!got) {
			errno = EPIPE;
			MUST(-1);
		}
		length -= (size_t)got;
	}
}

static inline void stage_write(struct stage *stage, int fd, const char *text)
{
	MUST(write(fd, text, strlen(text)));
}

/* "hello" and "ok". */
static inline void stage_exchange(struct stage *stage, const struct ends *ends)
{
	stage_write(stage, ends->client, "hello");
	stage_read(stage, ends->server, 5, 64);
	stage_write(stage, ends->server, "ok");
	stage_read(stage, ends->client, 2, 64);
}

/* Bytes that tell where they are: a, b … z, a … */
static inline char letter(uint64_t at)
{
	return (char)('a' + at % 26);
}

static inline void letters(char *bytes, size_t length)
{
	for (size_t i = 0; i < length; i++)
		bytes[i] = letter(i);
}

#endif
