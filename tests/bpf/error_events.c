/* SPDX-License-Identifier: Apache-2.0 */
/* System calls that fail: each is counted, exactly; some are told; and what is no failure is not. */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "failing_calls.h"
#include "scenes.h"

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

static void act_bad_descriptor(struct stage *stage)
{
	char byte;

	stage->file_fd = 9999;
	MUST_FAIL(read(9999, &byte, 1), EBADF);
	MUST_FAIL(read(9999, &byte, 1), EBADF);
	MUST_FAIL(fcntl(9999, F_GETFD), EBADF);
}

static void act_too_many_files(struct stage *stage)
{
	struct rlimit none = { 3, 3 };

	MUST(setrlimit(RLIMIT_NOFILE, &none));
	MUST_FAIL(open("/dev/null", O_RDONLY), EMFILE);
	MUST_FAIL(socket(AF_INET, SOCK_STREAM, 0), EMFILE);
}

static void *fail_in_thread(void *context)
{
	struct stage *stage = context;

	stage_enter(stage, "thread");
	MUST_FAIL(close(9999), EBADF);
	return NULL;
}

/* Counted by process, told by thread. */
static void act_thread(struct stage *stage)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, fail_in_thread, stage))
		MUST(-1);
	pthread_join(thread, NULL);
	MUST_FAIL(close(9999), EBADF);
}

/* What non-blocking programs hear all day is counted only on demand. */
static void act_expected(struct stage *stage)
{
	int sockets[2];
	char byte;

	MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, sockets));
	for (int i = 0; i < 3; i++)
		MUST_FAIL(read(sockets[0], &byte, 1), EAGAIN);
}

static void on_signal(int number)
{
	(void)number;
}

/* The return from a handler is a call whose result is the interrupted call's. */
static void act_interrupted(struct stage *stage)
{
	struct sigaction action = { .sa_handler = on_signal };
	pid_t self = getpid(), child;

	MUST(sigaction(SIGUSR1, &action, NULL));
	child = (pid_t)MUST(fork());
	if (!child) {
		const struct timespec a_moment = { 0, 1000000 };

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;) {
			kill(self, SIGUSR1);
			nanosleep(&a_moment, NULL);
		}
	}
	MUST_FAIL(pause(), EINTR);
	action.sa_handler = SIG_IGN;
	MUST(sigaction(SIGUSR1, &action, NULL));
	kill(child, SIGKILL);
	MUST(waitpid(child, NULL, 0));
}

/* Large results are addresses, sizes or times: only -4095 and above is a failure. */
static void act_no_failures(struct stage *stage)
{
	void *memory = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		MUST(-1);
	MUST(munmap(memory, 4096));
	MUST(getpid());
}

/* --- errors that no call of today gives --- */

static void act_unknown_error(struct stage *stage)
{
	static const int call = __NR_getppid;

	stage_choose_errors(stage, &call, 1);
	MUST_FAIL(syscall(__NR_getppid, 999), 999);
	MUST_FAIL(syscall(__NR_getppid, 4095), 4095);
	MUST_FAIL(syscall(__NR_getppid, ENOENT), ENOENT);
}

static void act_unknown_call(struct stage *stage)
{
	MUST_FAIL(syscall(511), ENOSYS);
}

/* No kernel has these yet: by number as far as there are names to keep, and together beyond. */
static void act_number_beyond(struct stage *stage)
{
	MUST_FAIL(syscall(700), ENOSYS);
	MUST_FAIL(syscall(1023), ENOSYS);
	MUST_FAIL(syscall(1024), ENOSYS);
	MUST_FAIL(syscall(100000), ENOSYS);
	MUST_FAIL(syscall(-2), ENOSYS);
}

/* --- 32-bit callers --- */

#ifdef __x86_64__
static void close_as_32bit(struct stage *stage, void *context)
{
	long result = 6; /* close, in their numbers */

	(void)context;
	__asm__ volatile("int $0x80" : "+a"(result) : "b"(9999) : "memory");
	if (result != -EBADF) {
		errno = (int)-result;
		MUST(-1);
	}
}

static void act_compat(struct stage *stage)
{
	int status;
	pid_t child = stage_fork(stage, "child", close_as_32bit, NULL);

	MUST(waitpid(child, &status, 0));
	if (WIFSIGNALED(status)) /* the kernel does not know the instruction */
		stage_skip(stage, "no 32-bit system calls");
}

/* x32: 64-bit registers, numbers with a mark. */
static void act_x32(struct stage *stage)
{
	if (syscall(0x40000000 + __NR_getpid) >= 0)
		stage_skip(stage, "this kernel has x32");
	MUST_FAIL(syscall(0x40000000 + 600), ENOSYS);
}
#endif

/* --- the limiter --- */

#define STORM 20000
#define PER_SECOND 50

static void act_storm(struct stage *stage)
{
	char byte;

	for (int i = 0; i < STORM; i++)
		MUST_FAIL(read(9999, &byte, 1), EBADF);
}

/* Counts are exact; events are few, and what was held back is known. */
static void check_storm(FILE *out, const struct observer *observer)
{
	struct syscall_error_key key = { observer->stage->cast[0].tgid, __NR_read, EBADF };
	struct event_count since = events_since(observer, EVENT_SYSCALL_ERROR);
	uint64_t seconds = (clock_ns(CLOCK_MONOTONIC) - observer->stage->begin_ns) / 1000000000u;
	uint64_t count = 0;

	(void)kernel_table_find(loader_map(observer->loader, "syscall_errors"), &key, &count);
	if (count != STORM)
		fprintf(out, "%llu counted\n", (unsigned long long)count);
	if (observer->count < PER_SECOND || observer->count > PER_SECOND * (seconds + 2))
		fprintf(out, "%zu told in %llu s\n", observer->count, (unsigned long long)seconds);
	if (since.lost[LOSS_RATE_LIMITED] < STORM - observer->count)
		fprintf(out, "%llu of %llu held back\n", since.lost[LOSS_RATE_LIMITED],
			(unsigned long long)(STORM - observer->count));
}

static const struct scene scenes[] = {
	{ .name = "bad_descriptor",
	  .act = act_bad_descriptor,
	  .expected = "error read EBADF of the file\n"
		      "error read EBADF of the file\n"
		      "error fcntl EBADF of the file\n"
		      "it counts read.EBADF 2 fcntl.EBADF 1\n" },
	{ .name = "too_many_files",
	  .act = act_too_many_files,
	  .expected = "error openat EMFILE\n"
		      "error socket EMFILE\n"
		      "it counts socket.EMFILE 1 openat.EMFILE 1\n" },
	{ .name = "thread",
	  .act = act_thread,
	  .expected = "error close EBADF by thread\n"
		      "error close EBADF\n"
		      "it counts close.EBADF 2\n" },
	{ .name = "expected", .act = act_expected, .expected = "it counts\n" },
	{ .name = "interrupted", .act = act_interrupted, .expected = "it counts\n" },
	{ .name = "no_failures", .act = act_no_failures, .expected = "it counts\n" },
	{ .name = "unknown_error",
	  .act = act_unknown_error,
	  .expected = "error getppid unknown\n"
		      "error getppid unknown\n"
		      "error getppid ENOENT\n"
		      "it counts getppid.ENOENT 1 getppid.unknown 1 getppid.unknown 1\n" },
	{ .name = "unknown_call",
	  .act = act_unknown_call,
	  .expected = "error syscall_511 ENOSYS\n"
		      "it counts syscall_511.ENOSYS 1\n" },
	{ .name = "number_beyond",
	  .act = act_number_beyond,
	  .expected = "error syscall_700 ENOSYS\n"
		      "error syscall_1023 ENOSYS\n"
		      "error unknown ENOSYS\n"
		      "error unknown ENOSYS\n"
		      "error unknown ENOSYS\n"
		      "it counts syscall_700.ENOSYS 1 syscall_1023.ENOSYS 1 unknown.ENOSYS 3\n" },
#ifdef __x86_64__
	{ .name = "compat",
	  .act = act_compat,
	  .expected = "error compat_close EBADF by child\n"
		      "it counts\n"
		      "child counts compat 1 compat_close.EBADF 1\n" },
	{ .name = "x32",
	  .act = act_x32,
	  .expected = "error x32_getpid ENOSYS\n"
		      "error x32_syscall_600 ENOSYS\n"
		      "it counts compat 2 x32_getpid.ENOSYS 1 x32_syscall_600.ENOSYS 1\n" },
#endif
};

static const struct scene expected_scenes[] = {
	{ .name = "expected_on_demand",
	  .act = act_expected,
	  .expected = "it counts read.EAGAIN 3\n" },
	{ .name = "interrupted_on_demand",
	  .act = act_interrupted,
	  .expected = "it counts pause.ERESTARTNOHAND 1\n" },
};

static const struct scene silent_scenes[] = {
	{ .name = "no_events_wanted",
	  .act = act_bad_descriptor,
	  .expected = "it counts read.EBADF 2 fcntl.EBADF 1\n" },
};

static const struct scene storm_scenes[] = {
	{ .name = "storm", .act = act_storm, .check = check_storm },
};

static const struct group groups[] = {
	{ .name = "errors",
	  .options.settings.error_events_per_second = 1000,
	  .scenes = scenes,
	  .count = LENGTH(scenes) },
	{ .name = "expected_errors",
	  .options.settings = { .error_events_per_second = 1000, .count_expected_errors = 1 },
	  .scenes = expected_scenes,
	  .count = LENGTH(expected_scenes) },
	{ .name = "silent_errors", .scenes = silent_scenes, .count = LENGTH(silent_scenes) },
	{ .name = "error_limit",
	  .options.settings.error_events_per_second = PER_SECOND,
	  .scenes = storm_scenes,
	  .count = LENGTH(storm_scenes) },
};

int main(int argc, char **argv)
{
	return observer_main(argc, argv, groups, LENGTH(groups));
}
