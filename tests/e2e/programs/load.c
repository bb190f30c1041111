/* SPDX-License-Identifier: Apache-2.0 */
/* An HTTP client that knows exactly what it did: a fixed number of requests, over a fixed number of
 * connections (one thread each) or a fresh one each, counted by method and status.
 *
 * load HOST PORT CONNECTIONS REQUESTS keep|fresh [--slow-ms MS] "METHOD PATH [BODY_BYTES]"...
 * Prints one JSON object. Its durations run as sonde's client side does: first write done to last read
 * done. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "endpoint.h"

#define PLAN_MAX 32
#define STATUS_MAX 600
#define THREADS_MAX 256
#define CHUNK (64 * 1024)
#define TOGETHER_MAX 8192

struct step {
	char method[16];
	char path[200];
	size_t body_bytes;
};

struct tally {
	uint64_t counts[PLAN_MAX][STATUS_MAX];
	uint64_t body_received;
	uint64_t sum_ns;  /* from the return of a request's first write */
	uint64_t most_ns; /* from before it: who is preempted at the return sees the time late */
	uint64_t connections;
};

static struct endpoint target;
static struct step plan[PLAN_MAX];
static unsigned plan_length;
static atomic_ulong next_request;
static unsigned long total;
static bool is_fresh;
static long slow_ms;
static struct tally tallies[THREADS_MAX];
static char host_header[128];

struct reader {
	int fd;
	size_t have;
	uint64_t last_ns;
	char bytes[CHUNK + 1];
};

static void write_all(int fd, const char *bytes, size_t length)
{
	while (length > 0) {
		ssize_t done = write(fd, bytes, length);

		if (done < 0)
			fail("write");
		bytes += done;
		length -= (size_t)done;
	}
}

static size_t reader_fill(struct reader *reader)
{
	ssize_t got;

	if (slow_ms)
		sleep_ms(slow_ms);
	got = read(reader->fd, reader->bytes + reader->have, CHUNK - reader->have);
	if (got < 0)
		fail("read");
	reader->last_ns = now_ns();
	reader->have += (size_t)got;
	reader->bytes[reader->have] = '\0';
	return (size_t)got;
}

static void reader_drop(struct reader *reader, size_t length)
{
	memmove(reader->bytes, reader->bytes + length, reader->have - length + 1);
	reader->have -= length;
}

static void read_body(struct reader *reader, uint64_t length)
{
	while (length > 0) {
		size_t take;

		if (reader->have == 0 && reader_fill(reader) == 0) {
			fprintf(stderr, "connection closed inside a body\n");
			exit(1);
		}
		take = reader->have < length ? reader->have : (size_t)length;
		reader_drop(reader, take);
		length -= take;
	}
}

/* Returns the length of the line with its CRLF, which is in the buffer then. */
static size_t need_line(struct reader *reader)
{
	char *end;

	while (!(end = strstr(reader->bytes, "\r\n"))) {
		if (reader_fill(reader) == 0) {
			fprintf(stderr, "connection closed inside a line\n");
			exit(1);
		}
	}
	return (size_t)(end - reader->bytes) + 2;
}

static uint64_t read_chunks(struct reader *reader)
{
	uint64_t sum = 0;

	for (;;) {
		size_t line = need_line(reader);
		uint64_t length = strtoull(reader->bytes, NULL, 16);

		reader_drop(reader, line);
		if (length == 0)
			break;
		read_body(reader, length + 2);
		sum += length;
	}
	for (;;) { /* trailers, and the empty line */
		size_t line = need_line(reader);

		reader_drop(reader, line);
		if (line == 2)
			return sum;
	}
}

static uint64_t read_to_end(struct reader *reader)
{
	uint64_t sum = 0;

	do {
		sum += reader->have;
		reader_drop(reader, reader->have);
	} while (reader_fill(reader) > 0);
	return sum;
}

/* Header names as our servers spell them; nginx's too. */
static const char *find_header(const char *head, const char *name)
{
	const char *at = strcasestr(head, name);

	return at ? at + strlen(name) : NULL;
}

struct response {
	unsigned status;
	bool is_last; /* the connection ends with it */
	uint64_t body_bytes;
};

static struct response read_response(struct reader *reader, const char *method)
{
	struct response response = { 0 };
	const char *length, *chunked;
	char *end;

	for (;;) {
		while (!(end = strstr(reader->bytes, "\r\n\r\n"))) {
			if (reader_fill(reader) == 0) {
				fprintf(stderr, "connection closed before an answer\n");
				exit(1);
			}
		}
		*end = '\0';
		response.status = (unsigned)strtoul(reader->bytes + 9, NULL, 10);
		if (response.status >= 200)
			break;
		reader_drop(reader, (size_t)(end - reader->bytes) + 4);
	}
	length = find_header(reader->bytes, "\r\nContent-Length:");
	chunked = find_header(reader->bytes, "\r\nTransfer-Encoding: chunked");
	response.is_last = find_header(reader->bytes, "\r\nConnection: close") != NULL;
	if (strcmp(method, "HEAD") == 0 || response.status == 204 || response.status == 304) {
		reader_drop(reader, (size_t)(end - reader->bytes) + 4);
		return response;
	}
	if (length)
		response.body_bytes = strtoull(length, NULL, 10);
	reader_drop(reader, (size_t)(end - reader->bytes) + 4);
	if (chunked) {
		response.body_bytes = read_chunks(reader);
	} else if (length) {
		read_body(reader, response.body_bytes);
	} else {
		response.body_bytes = read_to_end(reader);
		response.is_last = true;
	}
	return response;
}

/* Head and body travel together where they fit, as most clients send small bodies. */
static uint64_t send_request(int fd, const struct step *step, uint64_t *ret_before_ns)
{
	static const char filler[CHUNK];
	char message[512 + TOGETHER_MAX];
	size_t left = step->body_bytes;
	uint64_t first_ns;
	int head;

	head = snprintf(message, 512, "%s %s HTTP/1.1\r\nHost: %s\r\n%s", step->method, step->path,
			host_header, is_fresh ? "Connection: close\r\n" : "");
	if (left || strcmp(step->method, "POST") == 0 || strcmp(step->method, "PUT") == 0)
		head += snprintf(message + head, 512 - (size_t)head, "Content-Length: %zu\r\n",
				 left);
	head += snprintf(message + head, 512 - (size_t)head, "\r\n");
	if (left <= TOGETHER_MAX) {
		memset(message + head, 'b', left);
		head += (int)left;
		left = 0;
	}
	*ret_before_ns = now_ns();
	write_all(fd, message, (size_t)head);
	first_ns = now_ns();
	while (left > 0) {
		size_t part = left < sizeof(filler) ? left : sizeof(filler);

		write_all(fd, filler, part);
		left -= part;
	}
	return first_ns;
}

static void *work(void *context)
{
	struct tally *tally = context;
	struct reader *reader = calloc(1, sizeof(*reader));
	unsigned long number;

	if (!reader)
		fail("calloc");
	reader->fd = -1;
	while ((number = atomic_fetch_add(&next_request, 1)) < total) {
		unsigned index = (unsigned)(number % plan_length);
		struct response response;
		uint64_t first_ns, before_ns;

		if (reader->fd < 0) {
			reader->fd = endpoint_connect(&target);
			reader->have = 0;
			reader->bytes[0] = '\0';
			tally->connections++;
		}
		first_ns = send_request(reader->fd, &plan[index], &before_ns);
		response = read_response(reader, plan[index].method);
		tally->sum_ns += reader->last_ns - first_ns;
		tally->most_ns += reader->last_ns - before_ns;
		tally->counts[index][response.status % STATUS_MAX]++;
		tally->body_received += response.body_bytes;
		if (is_fresh || response.is_last) {
			close(reader->fd);
			reader->fd = -1;
		}
	}
	if (reader->fd >= 0)
		close(reader->fd);
	free(reader);
	return NULL;
}

static void print_tally(unsigned connections)
{
	struct tally sum = { 0 };
	uint64_t body_sent = 0, requests = 0;
	const char *comma = "";

	printf("{\"steps\": [");
	for (unsigned step = 0; step < plan_length; step++) {
		for (unsigned status = 0; status < STATUS_MAX; status++) {
			uint64_t count = 0;

			for (unsigned thread = 0; thread < connections; thread++)
				count += tallies[thread].counts[step][status];
			if (count == 0)
				continue;
			printf("%s{\"method\": \"%s\", \"path\": \"%s\", \"status\": %u, \"count\": %llu}",
			       comma, plan[step].method, plan[step].path, status,
			       (unsigned long long)count);
			comma = ", ";
			requests += count;
			body_sent += count * plan[step].body_bytes;
		}
	}
	for (unsigned thread = 0; thread < connections; thread++) {
		sum.body_received += tallies[thread].body_received;
		sum.sum_ns += tallies[thread].sum_ns;
		sum.most_ns += tallies[thread].most_ns;
		sum.connections += tallies[thread].connections;
	}
	printf("], \"requests\": %llu, \"connections\": %llu, \"body_sent\": %llu, "
	       "\"body_received\": %llu, \"sum_ns\": %llu, \"most_ns\": %llu}\n",
	       (unsigned long long)requests, (unsigned long long)sum.connections,
	       (unsigned long long)body_sent, (unsigned long long)sum.body_received,
	       (unsigned long long)sum.sum_ns, (unsigned long long)sum.most_ns);
}

static int parse_plan(char **args)
{
	for (; *args; args++) {
		if (strcmp(*args, "--slow-ms") == 0 && args[1]) {
			slow_ms = strtol(*++args, NULL, 10);
			continue;
		}
		if (plan_length == PLAN_MAX ||
		    sscanf(*args, "%15s %199s %zu", plan[plan_length].method,
			   plan[plan_length].path, &plan[plan_length].body_bytes) < 2)
			return -EINVAL;
		plan_length++;
	}
	return plan_length ? 0 : -EINVAL;
}

int main(int argc, char **argv)
{
	pthread_t threads[THREADS_MAX];
	unsigned connections;

	if (argc < 7 || parse_plan(argv + 6) != 0) {
		fprintf(stderr,
			"usage: load HOST PORT CONNECTIONS REQUESTS keep|fresh [--slow-ms MS] "
			"\"METHOD PATH [BODY_BYTES]\"...\n");
		return 2;
	}
	target = endpoint_parse(argv[1], argv[2]);
	snprintf(host_header, sizeof(host_header), strchr(argv[1], ':') ? "[%s]:%s" : "%s:%s",
		 argv[1], argv[2]);
	connections = (unsigned)strtoul(argv[3], NULL, 10);
	total = strtoul(argv[4], NULL, 10);
	is_fresh = strcmp(argv[5], "fresh") == 0;
	if (connections == 0 || connections > THREADS_MAX)
		return 2;
	if (connections == 1)
		run_before_others();
	for (unsigned i = 0; i < connections; i++) {
		if (pthread_create(&threads[i], NULL, work, &tallies[i]) != 0)
			fail("pthread_create");
	}
	for (unsigned i = 0; i < connections; i++)
		pthread_join(threads[i], NULL);
	print_tally(connections);
	return 0;
}
