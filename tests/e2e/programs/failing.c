/* SPDX-License-Identifier: Apache-2.0 */
/* Makes system calls that fail, and says how many of each.
 *
 * failing table            ten kinds, a known number of each, and one expected errno
 * failing storm N THREADS  N failures as fast as they go
 * failing compat N         N failures through the 32-bit entry (x86-64 only)
 * Prints one JSON object. */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "endpoint.h"

static int pipe_fds[2];
static struct endpoint nobody;
static int listener_socket;

static long fail_openat(void)
{
	return syscall(SYS_openat, AT_FDCWD, "/no/such/file", O_RDONLY);
}

static long fail_read(void)
{
	return syscall(SYS_read, -1, NULL, 0);
}

static long fail_close(void)
{
	return syscall(SYS_close, 999999);
}

static long fail_mkdirat(void)
{
	return syscall(SYS_mkdirat, AT_FDCWD, "/", 0700);
}

static long fail_unlinkat(void)
{
	return syscall(SYS_unlinkat, AT_FDCWD, "/dev/null/x", 0);
}

static long fail_kill(void)
{
	return syscall(SYS_kill, 0x7ffffff0, 0);
}

static long fail_lseek(void)
{
	return syscall(SYS_lseek, pipe_fds[0], 0, SEEK_SET);
}

static long fail_ioctl(void)
{
	return syscall(SYS_ioctl, pipe_fds[0], TCGETS, NULL);
}

static long fail_connect(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	long done = syscall(SYS_connect, fd, &nobody.addr, nobody.length);
	int err = errno;

	close(fd);
	errno = err;
	return done;
}

static long fail_setsockopt(void)
{
	int one = 1;

	return syscall(SYS_setsockopt, listener_socket, SOL_SOCKET, 9999, &one, sizeof(one));
}

static long fail_expected(void)
{
	char byte;

	return syscall(SYS_read, pipe_fds[0], &byte, 1);
}

struct kind {
	const char *syscall;
	const char *error;
	int err;
	unsigned count;
	long (*call)(void);
};

static const struct kind kinds[] = {
	{ "openat", "ENOENT", ENOENT, 101, fail_openat },
	{ "read", "EBADF", EBADF, 57, fail_read },
	{ "close", "EBADF", EBADF, 1003, fail_close },
	{ "mkdirat", "EEXIST", EEXIST, 11, fail_mkdirat },
	{ "unlinkat", "ENOTDIR", ENOTDIR, 13, fail_unlinkat },
	{ "kill", "ESRCH", ESRCH, 17, fail_kill },
	{ "lseek", "ESPIPE", ESPIPE, 19, fail_lseek },
	{ "ioctl", "ENOTTY", ENOTTY, 1, fail_ioctl },
	{ "connect", "ECONNREFUSED", ECONNREFUSED, 29, fail_connect },
	{ "setsockopt", "ENOPROTOOPT", ENOPROTOOPT, 31, fail_setsockopt },
	{ "read", "EAGAIN", EAGAIN, 77, fail_expected },
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

static void run_table(void)
{
	struct sockaddr_in *port = (struct sockaddr_in *)&nobody.addr;
	struct sockaddr_in bound;
	socklen_t length = sizeof(bound);
	const char *comma = "";

	/* Bound and not listening: nobody else can get the port, and connects to it are refused. */
	nobody = endpoint_parse("127.0.0.1", "0");
	listener_socket = socket(AF_INET, SOCK_STREAM, 0);
	if (listener_socket < 0 || pipe2(pipe_fds, O_NONBLOCK) != 0 ||
	    bind(listener_socket, (struct sockaddr *)&nobody.addr, nobody.length) != 0 ||
	    getsockname(listener_socket, (struct sockaddr *)&bound, &length) != 0)
		fail("setup");
	port->sin_port = bound.sin_port;
	printf("{\"pid\": %d, \"kinds\": [", getpid());
	for (size_t i = 0; i < KINDS; i++) {
		for (unsigned n = 0; n < kinds[i].count; n++) {
			if (kinds[i].call() != -1 || errno != kinds[i].err)
				fail(kinds[i].syscall);
		}
		printf("%s{\"syscall\": \"%s\", \"errno\": \"%s\", \"count\": %u}", comma,
		       kinds[i].syscall, kinds[i].error, kinds[i].count);
		comma = ", ";
	}
	printf("]}\n");
}

static void *storm(void *context)
{
	unsigned long count = *(const unsigned long *)context;

	for (unsigned long i = 0; i < count; i++)
		(void)syscall(SYS_close, -1); /* its failure is the purpose */
	return NULL;
}

static void run_storm(unsigned long count, unsigned threads)
{
	unsigned long each = count / threads;
	pthread_t ids[64];
	uint64_t start_ns = now_ns();

	for (unsigned i = 0; i < threads; i++) {
		if (pthread_create(&ids[i], NULL, storm, &each) != 0)
			fail("pthread_create");
	}
	for (unsigned i = 0; i < threads; i++)
		pthread_join(ids[i], NULL);
	printf("{\"pid\": %d, \"count\": %lu, \"ns\": %llu}\n", getpid(), each * threads,
	       (unsigned long long)(now_ns() - start_ns));
}

#ifdef __x86_64__
static volatile sig_atomic_t no_entry;

static void on_no_entry(int signal)
{
	(void)signal;
	no_entry = 1;
	_exit(77); /* the kernel has no 32-bit entry */
}

static int run_compat(unsigned long count)
{
	unsigned long wrong = 0;

	signal(SIGSEGV, on_no_entry);
	for (unsigned long i = 0; i < count; i++) {
		long result = 6; /* close, in the 32-bit table; lstat in the 64-bit one */

		__asm__ volatile("int $0x80"
				 : "+a"(result)
				 : "b"(-1L)
				 : "memory", "r8", "r9", "r10", "r11");
		if ((int)result == -ENOSYS)
			return 77;
		if ((int)result != -EBADF)
			wrong++;
	}
	printf("{\"pid\": %d, \"count\": %lu, \"wrong\": %lu}\n", getpid(), count, wrong);
	return 0;
}
#else
static int run_compat(unsigned long count)
{
	(void)count;
	return 77;
}
#endif

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "table") == 0) {
		run_table();
	} else if (argc == 4 && strcmp(argv[1], "storm") == 0) {
		run_storm(strtoul(argv[2], NULL, 10), (unsigned)strtoul(argv[3], NULL, 10));
	} else if (argc == 3 && strcmp(argv[1], "compat") == 0) {
		return run_compat(strtoul(argv[2], NULL, 10));
	} else {
		fprintf(stderr, "usage: failing table | storm N THREADS | compat N\n");
		return 2;
	}
	return 0;
}
