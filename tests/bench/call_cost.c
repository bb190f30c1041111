/* SPDX-License-Identifier: Apache-2.0 */
/* What one system call costs, by case: `call_cost [-s SECONDS] [-d CPU] CASE…` prints "CASE NANOSECONDS" for each.
 * Makes the calls by itself, so that nothing but the kernel and what is attached to it is measured. */
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define MESSAGE_BYTES 64
#define DRAIN_BYTES 65536
#define CALIBRATION_NS 20000000u

struct bench {
	int null_fd;
	int near_fd; /* a TCP connection over loopback */
	int far_fd;
	char message[MESSAGE_BYTES];
	uint32_t whose; /* enum turn_of, a futex */
};

enum turn_of { OF_MAIN, OF_PARTNER, OF_NOBODY };

/* Returns how many system calls it made, or negative errno. */
typedef long (*round_fn)(struct bench *bench);

static long round_getppid(struct bench *bench)
{
	(void)bench;
	syscall(SYS_getppid);
	return 1;
}

static long round_close_fails(struct bench *bench)
{
	(void)bench;
	return syscall(SYS_close, -1) == 0 ? -EINVAL : 1;
}

static long round_null_write(struct bench *bench)
{
	return write(bench->null_fd, bench->message, MESSAGE_BYTES) == MESSAGE_BYTES ? 1 : -errno;
}

/* The other end is drained by a thread: one turn that goes on for ever. */
static long round_tcp_write(struct bench *bench)
{
	return write(bench->near_fd, bench->message, MESSAGE_BYTES) == MESSAGE_BYTES ? 1 : -errno;
}

/* There and back, both ends. */
static long exchange(struct bench *bench, const struct iovec *request, const struct iovec *answer,
		     int answer_parts)
{
	char buffer[512];

	if (write(bench->near_fd, request->iov_base, request->iov_len) <= 0 ||
	    read(bench->far_fd, buffer, sizeof(buffer)) <= 0 ||
	    writev(bench->far_fd, answer, answer_parts) <= 0 ||
	    read(bench->near_fd, buffer, sizeof(buffer)) <= 0)
		return errno ? -errno : -EPIPE;
	return 4;
}

/* Every call begins a turn; after the first ones it is clear that this is no protocol we know. */
static long round_tcp_exchange(struct bench *bench)
{
	const struct iovec message = { bench->message, MESSAGE_BYTES };

	return exchange(bench, &message, &message, 1);
}

static void pass_on(struct bench *bench, enum turn_of next)
{
	__atomic_store_n(&bench->whose, next, __ATOMIC_SEQ_CST);
	syscall(SYS_futex, &bench->whose, FUTEX_WAKE_PRIVATE, 1);
}

/* Until it is not the other one's turn. */
static void await(struct bench *bench, enum turn_of other)
{
	while (__atomic_load_n(&bench->whose, __ATOMIC_SEQ_CST) == other)
		syscall(SYS_futex, &bench->whose, FUTEX_WAIT_PRIVATE, other, NULL);
}

/* Two threads on one processor that wait for each other: each leaves it once. */
static long round_switch(struct bench *bench)
{
	pass_on(bench, OF_PARTNER);
	await(bench, OF_PARTNER);
	return 1;
}

static void *partner(void *context)
{
	struct bench *bench = context;

	for (;;) {
		await(bench, OF_MAIN);
		if (__atomic_load_n(&bench->whose, __ATOMIC_SEQ_CST) == OF_NOBODY)
			return NULL;
		pass_on(bench, OF_MAIN);
	}
}

/* Who moves bytes of a connection is one that handles requests. */
static void *served_partner(void *context)
{
	struct bench *bench = context;
	char buffer[MESSAGE_BYTES];

	if (write(bench->near_fd, bench->message, 1) != 1 ||
	    read(bench->far_fd, buffer, sizeof(buffer)) != 1)
		return NULL;
	return partner(context);
}

#define TEXT(text)                                          \
	{                                                   \
		(void *)(uintptr_t)(text), sizeof(text) - 1 \
	}

/* What wrk and nginx say to each other, in as many calls and parts. */
static long round_http_exchange(struct bench *bench)
{
	static const struct iovec request = TEXT("GET / HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n");
	static const struct iovec answer[] = {
		TEXT("HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nDate: Mon, 01 Jan 2024 00:00:00 GMT\r\n"
		     "Content-Type: text/plain\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\n"),
		TEXT("ok"),
	};

	return exchange(bench, &request, answer, 2);
}

static long round_redis_exchange(struct bench *bench)
{
	static const struct iovec request =
		TEXT("*3\r\n$3\r\nSET\r\n$12\r\nkey:00000017\r\n$16\r\nvalue:0123456789\r\n");
	static const struct iovec answer = TEXT("+OK\r\n");

	return exchange(bench, &request, &answer, 1);
}

/* A simple query of one row. */
static long round_postgresql_exchange(struct bench *bench)
{
	static const struct iovec request =
		TEXT("Q\0\0\0\x33SELECT balance FROM accounts WHERE aid = 17000\0");
	static const struct iovec answer =
		TEXT("T\0\0\0\x20\0\1balance\0\0\0\0\0\0\0\0\0\0\x17\0\4\xff\xff\xff\xff\0\0"
		     "D\0\0\0\xb\0\1\0\0\0\1"
		     "0"
		     "C\0\0\0\xdSELECT 1\0"
		     "Z\0\0\0\5I");

	return exchange(bench, &request, &answer, 1);
}

static const struct bench_case {
	const char *name;
	round_fn round;
	bool is_drained;
	void *(*partner)(void *context); /* of another thread; NULL: there is none */
} cases[] = {
	{ "getppid", round_getppid, false, NULL },
	{ "close-fails", round_close_fails, false, NULL },
	{ "null-write", round_null_write, false, NULL },
	{ "tcp-write", round_tcp_write, true, NULL },
	{ "tcp-exchange", round_tcp_exchange, false, NULL },
	{ "http-exchange", round_http_exchange, false, NULL },
	{ "redis-exchange", round_redis_exchange, false, NULL },
	{ "switch", round_switch, false, partner },
	{ "switch-served", round_switch, false, served_partner },
	{ "postgresql-exchange", round_postgresql_exchange, false, NULL },
};

/* Of this thread only: waiting for the other end, or for a processor that others use, is no cost of a call. */
static uint64_t cpu_time_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void *drain(void *context)
{
	const struct bench *bench = context;
	static char buffer[DRAIN_BYTES];

	while (read(bench->far_fd, buffer, sizeof(buffer)) > 0)
		;
	return NULL;
}

static int connect_pair(struct bench *bench)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t length = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM, 0), yes = 1;

	bench->near_fd = socket(AF_INET, SOCK_STREAM, 0);
	if (listener < 0 || bench->near_fd < 0 ||
	    bind(listener, (struct sockaddr *)&address, length) || listen(listener, 1) ||
	    getsockname(listener, (struct sockaddr *)&address, &length) ||
	    connect(bench->near_fd, (struct sockaddr *)&address, length))
		return -errno;
	bench->far_fd = accept(listener, NULL, NULL);
	if (bench->far_fd < 0)
		return -errno;
	close(listener);
	setsockopt(bench->near_fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
	setsockopt(bench->far_fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
	return 0;
}

static int start_drain(struct bench *bench, int cpu, pthread_t *ret_thread)
{
	int low = DRAIN_BYTES /
		  4; /* else each message wakes the thread, and the wake-up is what is measured */
	cpu_set_t cpus;
	int error;

	setsockopt(bench->far_fd, SOL_SOCKET, SO_RCVLOWAT, &low, sizeof(low));
	error = -pthread_create(ret_thread, NULL, drain, bench);
	if (error || cpu < 0)
		return error;
	CPU_ZERO(&cpus);
	CPU_SET((size_t)cpu, &cpus);
	return -pthread_setaffinity_np(*ret_thread, sizeof(cpus), &cpus);
}

/* Returns the system calls made, or negative errno. */
static long repeat(const struct bench_case *bench_case, struct bench *bench, uint64_t rounds)
{
	long calls = 0;

	for (uint64_t i = 0; i < rounds; i++) {
		long made = bench_case->round(bench);

		if (made < 0)
			return made;
		calls += made;
	}
	return calls;
}

static int measure(const struct bench_case *bench_case, struct bench *bench, uint64_t wanted_ns)
{
	uint64_t rounds = 256, took_ns = 0;
	long calls = 0;

	while (took_ns < wanted_ns) {
		uint64_t began_ns = cpu_time_ns();

		calls = repeat(bench_case, bench, rounds);
		if (calls < 0)
			return (int)calls;
		took_ns = cpu_time_ns() - began_ns;
		if (took_ns < CALIBRATION_NS)
			rounds *= 2;
		else if (took_ns < wanted_ns)
			rounds = (uint64_t)((double)rounds * 1.1 * (double)wanted_ns /
					    (double)took_ns) +
				 1;
	}
	printf("%s %.2f\n", bench_case->name, (double)took_ns / (double)calls);
	return fflush(stdout) ? -errno : 0;
}

/* A connection of its own for each case. */
static int run(const struct bench_case *bench_case, uint64_t wanted_ns, int drain_cpu)
{
	struct bench bench = { .null_fd = open("/dev/null", O_WRONLY | O_CLOEXEC) };
	pthread_t drainer, other;
	int error = bench.null_fd < 0 ? -errno : connect_pair(&bench);

	memset(bench.message, 'x', sizeof(bench.message));
	if (!error && bench_case->is_drained)
		error = start_drain(&bench, drain_cpu, &drainer);
	if (!error && bench_case->partner)
		error = -pthread_create(&other, NULL, bench_case->partner, &bench);
	if (!error && bench_case->partner == served_partner &&
	    write(bench.far_fd, bench.message, 1) != 1)
		error = -errno;
	if (!error)
		error = measure(bench_case, &bench, wanted_ns);
	if (!error && bench_case->partner) {
		pass_on(&bench, OF_NOBODY);
		pthread_join(other, NULL);
	}
	if (!error && bench_case->is_drained) {
		shutdown(bench.near_fd, SHUT_WR);
		pthread_join(drainer, NULL);
	}
	close(bench.near_fd);
	close(bench.far_fd);
	close(bench.null_fd);
	return error;
}

static const struct bench_case *case_find(const char *name)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (strcmp(cases[i].name, name) == 0)
			return &cases[i];
	return NULL;
}

int main(int argc, char **argv)
{
	double seconds = 0.3;
	int drain_cpu = -1, option;

	while ((option = getopt(argc, argv, "s:d:")) != -1) {
		if (option == 's')
			seconds = atof(optarg);
		else if (option == 'd')
			drain_cpu = atoi(optarg);
		else
			return 2;
	}
	for (int i = optind; i < argc; i++) {
		const struct bench_case *bench_case = case_find(argv[i]);
		int error = bench_case ? run(bench_case, (uint64_t)(seconds * 1e9), drain_cpu) :
					 -EINVAL;

		if (error) {
			fprintf(stderr, "call_cost: %s: %s\n", argv[i], strerror(-error));
			return 1;
		}
	}
	return 0;
}
