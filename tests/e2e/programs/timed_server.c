/* SPDX-License-Identifier: Apache-2.0 */
/* An HTTP server that behaves as the path says and logs of each request when its first byte was read
 * and when the last byte of its answer was written: the witness for server durations.
 *
 * timed_server HOST PORT LOG
 *   /sleep/MS  /busy/MS  /body/BYTES  /sendfile/BYTES  /chunked/CHUNKS/MS  /trailers  /close/BYTES
 *   /dribble/CALLS/MS  /early  /hints  /upgrade  /status/CODE  CONNECT  HEAD of any  Expect: 100-continue */
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/sendfile.h>

#include "endpoint.h"

#define BUFFER (64 * 1024)
#define FILE_BYTES (128ul << 20)

static int log_fd;
static int file_fd;

struct client {
	int fd;
	size_t have;
	uint64_t read_ns;  /* the newest read */
	uint64_t first_ns; /* the read that brought the first byte in `bytes` */
	uint64_t written_ns;
	char bytes[BUFFER + 1];
};

struct request {
	char method[16];
	char path[200];
	uint64_t body_bytes;
	uint64_t start_ns;
	bool expects;
	bool is_last;
};

/* Returns false when the connection is over. */
static bool client_fill(struct client *client)
{
	ssize_t got = read(client->fd, client->bytes + client->have, BUFFER - client->have);

	if (got <= 0)
		return false;
	client->read_ns = now_ns();
	if (client->have == 0)
		client->first_ns = client->read_ns;
	client->have += (size_t)got;
	client->bytes[client->have] = '\0';
	return true;
}

static void client_drop(struct client *client, size_t length)
{
	memmove(client->bytes, client->bytes + length, client->have - length + 1);
	client->have -= length;
	/* What is left came with the newest read: requests are small here. */
	client->first_ns = client->read_ns;
}

static void put(struct client *client, const char *bytes, size_t length)
{
	while (length > 0) {
		ssize_t done = write(client->fd, bytes, length);

		if (done < 0)
			return; /* the client went away; the test will see it */
		bytes += done;
		length -= (size_t)done;
	}
	client->written_ns = now_ns();
}

static void put_text(struct client *client, const char *text)
{
	put(client, text, strlen(text));
}

static void put_head(struct client *client, unsigned status, long long length)
{
	char head[128];
	int bytes;

	bytes = snprintf(head, sizeof(head), "HTTP/1.1 %u Some\r\nContent-Length: %lld\r\n\r\n",
			 status, length);
	put(client, head, (size_t)bytes);
}

static void put_filler(struct client *client, uint64_t length)
{
	static const char filler[BUFFER];

	while (length > 0) {
		size_t part = length < BUFFER ? (size_t)length : BUFFER;

		put(client, filler, part);
		length -= part;
	}
}

static void put_file(struct client *client, uint64_t length)
{
	off_t offset = 0;

	while (length > 0) {
		ssize_t done = sendfile(client->fd, file_fd, &offset, length);

		if (done <= 0)
			return;
		length -= (uint64_t)done;
	}
	client->written_ns = now_ns();
}

static void put_chunks(struct client *client, long chunks, long ms, const char *trailers)
{
	put_text(client, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
	while (chunks-- > 0) {
		sleep_ms(ms);
		put_text(client, "10\r\n0123456789abcdef\r\n");
	}
	put_text(client, "0\r\n");
	put_text(client, trailers);
	put_text(client, "\r\n");
}

static void spin_ms(long ms)
{
	uint64_t end_ns = now_ns() + (uint64_t)ms * 1000000;

	while (now_ns() < end_ns)
		;
}

static bool skip_body(struct client *client, uint64_t length)
{
	while (length > 0) {
		size_t part;

		if (client->have == 0 && !client_fill(client))
			return false;
		part = client->have < length ? client->have : (size_t)length;
		client_drop(client, part);
		length -= part;
	}
	return true;
}

static void log_request(const struct client *client, const struct request *request)
{
	char line[400];
	int length;

	length = snprintf(
		line, sizeof(line),
		"{\"method\": \"%s\", \"path\": \"%s\", \"start_ns\": %llu, \"end_ns\": %llu}\n",
		request->method, request->path, (unsigned long long)request->start_ns,
		(unsigned long long)client->written_ns);
	if (write(log_fd, line, (size_t)length) != length)
		fail("log");
}

/* Says what was said, until the client has enough. */
static void echo(struct client *client)
{
	put(client, client->bytes, client->have);
	client->have = 0;
	while (client_fill(client)) {
		put(client, client->bytes, client->have);
		client->have = 0;
	}
}

static void answer_simple(struct client *client, const struct request *request, unsigned status)
{
	if (strcmp(request->method, "HEAD") == 0) {
		put_head(client, status, 1234);
	} else if (status == 204 || status == 304) {
		char head[64];

		snprintf(head, sizeof(head), "HTTP/1.1 %u Some\r\n\r\n", status);
		put_text(client, head);
	} else {
		char text[100];

		snprintf(text, sizeof(text), "HTTP/1.1 %u Some\r\nContent-Length: 2\r\n\r\nok",
			 status);
		put_text(client, text);
	}
}

static void answer(struct client *client, struct request *request)
{
	const char *path = request->path;
	long long a = 0, b = 0;

	if (strcmp(request->method, "HEAD") == 0) {
		answer_simple(client, request, 200);
	} else if (sscanf(path, "/sleep/%lld", &a) == 1) {
		sleep_ms((long)a);
		answer_simple(client, request, 200);
	} else if (sscanf(path, "/busy/%lld", &a) == 1) {
		spin_ms((long)a);
		answer_simple(client, request, 200);
	} else if (sscanf(path, "/status/%lld", &a) == 1) {
		answer_simple(client, request, (unsigned)a);
	} else if (sscanf(path, "/body/%lld", &a) == 1) {
		put_head(client, 200, a);
		put_filler(client, (uint64_t)a);
	} else if (sscanf(path, "/sendfile/%lld", &a) == 1) {
		put_head(client, 200, a);
		put_file(client, (uint64_t)a);
	} else if (sscanf(path, "/chunked/%lld/%lld", &a, &b) == 2) {
		put_chunks(client, (long)a, (long)b, "");
	} else if (strcmp(path, "/trailers") == 0) {
		put_chunks(client, 3, 10, "X-Check: abc\r\nX-More: def\r\n");
	} else if (sscanf(path, "/dribble/%lld/%lld", &a, &b) == 2) {
		put_head(client, 200, a);
		for (; a > 0; a--) {
			sleep_ms((long)b);
			put_text(client, "x");
		}
	} else if (sscanf(path, "/close/%lld", &a) == 1) {
		put_text(client, "HTTP/1.0 200 OK\r\nServer: old\r\n\r\n");
		sleep_ms(20);
		put_filler(client, (uint64_t)a);
		request->is_last = true;
	} else if (strcmp(path, "/hints") == 0) {
		put_text(client, "HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n");
		sleep_ms(30);
		answer_simple(client, request, 200);
	} else {
		answer_simple(client, request, 404);
	}
}

/* Returns false when the connection cannot go on. */
static bool read_head(struct client *client, struct request *request)
{
	const char *length;
	char *end;

	while (!(end = strstr(client->bytes, "\r\n\r\n"))) {
		if (client->have == BUFFER || !client_fill(client))
			return false;
	}
	memset(request, 0, sizeof(*request));
	request->start_ns = client->first_ns;
	end[2] = '\0';
	if (sscanf(client->bytes, "%15s %199s", request->method, request->path) != 2)
		return false;
	length = strcasestr(client->bytes, "\r\nContent-Length:");
	if (length)
		request->body_bytes = strtoull(length + 17, NULL, 10);
	request->expects = strcasestr(client->bytes, "\r\nExpect: 100-continue") != NULL;
	request->is_last = strcasestr(client->bytes, "\r\nConnection: close") != NULL ||
			   strstr(client->bytes, " HTTP/1.0\r\n") != NULL;
	client_drop(client, (size_t)(end - client->bytes) + 4);
	return true;
}

static void *serve(void *context)
{
	struct client *client = context;
	struct request request;

	while (read_head(client, &request)) {
		if (strcmp(request.path, "/early") == 0) {
			answer_simple(client, &request, 413);
			log_request(client, &request);
			if (!skip_body(client, request.body_bytes))
				break;
			continue;
		}
		if (strcmp(request.path, "/upgrade") == 0 ||
		    strcmp(request.method, "CONNECT") == 0) {
			put_text(client, request.method[0] == 'C' ?
						 "HTTP/1.1 200 Connection established\r\n\r\n" :
						 "HTTP/1.1 101 Switching Protocols\r\nUpgrade: "
						 "echo\r\nConnection: Upgrade\r\n\r\n");
			log_request(client, &request);
			echo(client);
			break;
		}
		if (request.expects) {
			sleep_ms(20);
			put_text(client, "HTTP/1.1 100 Continue\r\n\r\n");
		}
		if (!skip_body(client, request.body_bytes))
			break;
		answer(client, &request);
		log_request(client, &request);
		if (request.is_last)
			break;
	}
	close(client->fd);
	free(client);
	return NULL;
}

int main(int argc, char **argv)
{
	int listener, one = 1;

	if (argc != 4) {
		fprintf(stderr, "usage: timed_server HOST PORT LOG\n");
		return 2;
	}
	log_fd = open(argv[3], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (log_fd < 0)
		fail(argv[3]);
	file_fd = memfd_create("body", MFD_CLOEXEC);
	if (file_fd < 0 || ftruncate(file_fd, FILE_BYTES) != 0)
		fail("memfd_create");
	run_before_others();
	listener = endpoint_listen(argv[1], argv[2], 128);
	for (;;) {
		struct client *client = calloc(1, sizeof(*client));
		pthread_t thread;

		if (!client)
			fail("calloc");
		client->fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		if (client->fd < 0)
			fail("accept4");
		(void)setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &one,
				 sizeof(one)); /* speed only */
		if (pthread_create(&thread, NULL, serve, client) != 0)
			fail("pthread_create");
		pthread_detach(thread);
	}
}
