/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP over every call that moves bytes, each end with the calls it is told to use.
 *
 * calls serve READ WRITE HOST PORT [self|fork|pass]
 *   self: in the process that accepted; fork: in a child made after accept; pass: in a process that got
 *   the connection over a Unix socket
 * calls request READ WRITE HOST PORT COUNT [plain|threads|held]
 *   threads: one thread writes while another is already blocked in the read; held: connects, prints
 *   "held", and goes on when a line comes in
 * READ   read readv recvfrom recvmsg recvmmsg splice byte peek waitall
 * WRITE  write writev sendto sendmsg sendmmsg sendfile splice byte split more
 * Each end prints one JSON object a connection: requests, and the sum of their durations. */
#include <pthread.h>
#include <sys/wait.h>

#include "socket_calls.h"

/* Bodies: shorter than a captured prefix, longer, and longer than a socket takes at once. */
static const size_t body_sizes[] = { 20, 3000, 90000 };
#define BODY_SIZES (sizeof(body_sizes) / sizeof(body_sizes[0]))

struct stream {
	int fd;
	uint64_t first_ns, last_ns; /* of the message that is being moved */
	char bytes[BUFFER];
};

static const struct way *take, *give;

/* Each way moves what it likes; returns false at the end of the stream. */
static bool move_all(struct stream *stream, move_call move, char *bytes, size_t length)
{
	while (length > 0) {
		ssize_t done = move(stream->fd, bytes, length);

		if (done < 0)
			fail("move");
		if (done == 0)
			return false;
		stream->last_ns = now_ns();
		if (stream->first_ns == 0)
			stream->first_ns = stream->last_ns;
		bytes += done;
		length -= (size_t)done;
	}
	return true;
}

static void send_message(struct stream *stream, const char *start_line, size_t body)
{
	int head =
		snprintf(stream->bytes, 200, "%s\r\nContent-Length: %zu\r\n\r\n", start_line, body);

	memset(stream->bytes + head, 'b', body);
	stream->first_ns = 0;
	if (give->body_only) {
		move_all(stream, give_write, stream->bytes, (size_t)head);
		move_all(stream, give->move, stream->bytes + head, body);
	} else {
		move_all(stream, give->move, stream->bytes, (size_t)head + body);
	}
}

/* Reads a message whose header is shorter than 200 bytes, by its length. Returns false at the end. */
static bool receive_message(struct stream *stream, char ret_start_line[64])
{
	bool by_bytes = take->move == take_byte;
	const char *length_at;
	size_t have = 0, need;
	char *end = NULL;

	stream->first_ns = 0;
	while (!end) {
		ssize_t got;

		if (take->body_only || by_bytes) {
			/* Not a byte of the body, which belongs to the call under test. */
			got = read(stream->fd, stream->bytes + have, 1);
		} else {
			got = take->move(stream->fd, stream->bytes + have, BUFFER - 1 - have);
		}
		if (got <= 0)
			return false;
		stream->last_ns = now_ns();
		if (stream->first_ns == 0)
			stream->first_ns = stream->last_ns;
		have += (size_t)got;
		stream->bytes[have] = '\0';
		end = strstr(stream->bytes, "\r\n\r\n");
	}
	length_at = strstr(stream->bytes, "Content-Length: ");
	need = (size_t)(end - stream->bytes) + 4 +
	       (length_at ? strtoul(length_at + 16, NULL, 10) : 0);
	snprintf(ret_start_line, 64, "%.*s", (int)strcspn(stream->bytes, "\r"), stream->bytes);
	if (have > need) {
		fprintf(stderr, "more bytes than one message\n");
		exit(1);
	}
	return have == need || move_all(stream, take->move, stream->bytes + have, need - have);
}

static size_t body_size(unsigned long number)
{
	size_t most = take->max < give->max ? take->max : give->max;
	size_t size = body_sizes[number % BODY_SIZES];

	return size < most ? size : most;
}

static void report(unsigned long requests, uint64_t sum_ns)
{
	printf("{\"pid\": %d, \"requests\": %lu, \"sum_ns\": %llu}\n", getpid(), requests,
	       (unsigned long long)sum_ns);
	fflush(stdout);
}

static void serve(int fd)
{
	static struct stream stream;
	unsigned long requests = 0;
	uint64_t sum_ns = 0;
	char line[64];

	stream.fd = fd;
	while (receive_message(&stream, line)) {
		uint64_t start_ns = stream.first_ns;

		send_message(&stream, "HTTP/1.1 200 OK", body_size(requests));
		sum_ns += stream.last_ns - start_ns;
		requests++;
	}
	close(fd);
	report(requests, sum_ns);
}

static void pass_fd(int channel, int fd)
{
	char byte = 'f', control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec part = { &byte, 1 };
	struct msghdr message = { .msg_iov = &part,
				  .msg_iovlen = 1,
				  .msg_control = control,
				  .msg_controllen = sizeof(control) };
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(header), &fd, sizeof(int));
	if (sendmsg(channel, &message, 0) != 1)
		fail("sendmsg fd");
}

static int take_fd(int channel)
{
	char byte, control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec part = { &byte, 1 };
	struct msghdr message = { .msg_iov = &part,
				  .msg_iovlen = 1,
				  .msg_control = control,
				  .msg_controllen = sizeof(control) };
	int fd;

	if (recvmsg(channel, &message, 0) != 1 || !CMSG_FIRSTHDR(&message))
		exit(0); /* the parent ended */
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(int));
	return fd;
}

static int start_taker(void)
{
	int channel[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, channel) != 0)
		fail("socketpair");
	if (fork() == 0) {
		close(channel[0]);
		for (;;)
			serve(take_fd(channel[1]));
	}
	close(channel[1]);
	return channel[0];
}

static int run_server(int listener, const char *mode)
{
	int channel = strcmp(mode, "pass") == 0 ? start_taker() : -1;

	for (;;) {
		int fd = accept(listener, NULL, NULL);

		if (fd < 0)
			fail("accept");
		if (channel >= 0) {
			pass_fd(channel, fd);
			close(fd);
		} else if (strcmp(mode, "fork") == 0) {
			if (fork() == 0) {
				close(listener);
				serve(fd);
				_exit(0);
			}
			close(fd);
			(void)waitpid(-1, NULL, 0);
		} else {
			serve(fd);
		}
	}
}

struct answer_reader {
	struct stream stream;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	unsigned long answers;
};

static void *read_answers(void *context)
{
	struct answer_reader *reader = context;
	char line[64];

	while (receive_message(&reader->stream, line)) {
		pthread_mutex_lock(&reader->lock);
		reader->answers++;
		pthread_cond_signal(&reader->changed);
		pthread_mutex_unlock(&reader->lock);
	}
	return NULL;
}

/* The reader is in its system call long before the request is written. */
static uint64_t request_by_threads(int fd, unsigned long count)
{
	static struct answer_reader reader = { .lock = PTHREAD_MUTEX_INITIALIZER,
					       .changed = PTHREAD_COND_INITIALIZER };
	static struct stream writer;
	uint64_t sum_ns = 0;
	pthread_t thread;

	reader.stream.fd = fd;
	writer.fd = fd;
	if (pthread_create(&thread, NULL, read_answers, &reader) != 0)
		fail("pthread_create");
	for (unsigned long i = 0; i < count; i++) {
		sleep_ms(2);
		send_message(&writer, "POST /calls/1 HTTP/1.1\r\nHost: calls", body_size(i));
		pthread_mutex_lock(&reader.lock);
		while (reader.answers <= i)
			pthread_cond_wait(&reader.changed, &reader.lock);
		sum_ns += reader.stream.last_ns - writer.first_ns;
		pthread_mutex_unlock(&reader.lock);
	}
	shutdown(fd, SHUT_RDWR);
	pthread_join(thread, NULL);
	return sum_ns;
}

static uint64_t request_plainly(int fd, unsigned long count, bool is_held)
{
	static struct stream stream;
	uint64_t sum_ns = 0;
	char line[64];

	stream.fd = fd;
	if (is_held) {
		printf("held\n");
		fflush(stdout);
		if (!fgets(line, sizeof(line), stdin))
			exit(1);
	}
	for (unsigned long i = 0; i < count; i++) {
		uint64_t start_ns;

		send_message(&stream, "POST /calls/1 HTTP/1.1\r\nHost: calls", body_size(i));
		start_ns = stream.first_ns;
		if (!receive_message(&stream, line)) {
			fprintf(stderr, "connection closed before an answer\n");
			exit(1);
		}
		sum_ns += stream.last_ns - start_ns;
	}
	return sum_ns;
}

static int run_client(const char *host, const char *port, unsigned long count, const char *mode)
{
	struct endpoint to = endpoint_parse(host, port);
	int fd = endpoint_connect(&to);
	uint64_t sum_ns;

	if (strcmp(mode, "threads") == 0)
		sum_ns = request_by_threads(fd, count);
	else
		sum_ns = request_plainly(fd, count, strcmp(mode, "held") == 0);
	close(fd);
	report(count, sum_ns);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc < 6) {
		fprintf(stderr,
			"usage: calls serve READ WRITE HOST PORT [self|fork|pass]\n"
			"       calls request READ WRITE HOST PORT COUNT [plain|threads|held]\n");
		return 2;
	}
	take = find_way(takes, argv[2]);
	give = find_way(gives, argv[3]);
	socket_calls_init();
	run_before_others();
	if (strcmp(argv[1], "serve") == 0)
		return run_server(endpoint_listen(argv[4], argv[5], 16),
				  argc > 6 ? argv[6] : "self");
	if (argc < 7)
		return 2;
	return run_client(argv[4], argv[5], strtoul(argv[6], NULL, 10),
			  argc > 7 ? argv[7] : "plain");
}
