/* SPDX-License-Identifier: Apache-2.0 */
/* DNS queries over UDP through every call that moves datagrams: lookups PORT ROUNDS [6]. Each way asks for names below a
 * domain of its own, A and AAAA at once where it can. Prints {"way": lookups answered, …}. */
#include <arpa/inet.h>
#include <err.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))
#define BURST 20
#define MESSAGE_MAX 512

static struct sockaddr_storage server;
static socklen_t server_length;
static uint16_t next_id = 1;

static size_t put_label(uint8_t *at, const char *label)
{
	size_t length = strlen(label);

	*at = (uint8_t)length;
	memcpy(at + 1, label, length);
	return length + 1;
}

static size_t make_query(uint8_t *to, const char *domain, uint8_t type)
{
	uint16_t id = next_id++;
	const uint8_t header[12] = { (uint8_t)(id >> 8), (uint8_t)id, 1, 0, 0, 1 };
	const uint8_t tail[5] = { 0, 0, type, 0, 1 };
	size_t at = sizeof(header);

	memcpy(to, header, sizeof(header));
	at += put_label(to + at, "host");
	at += put_label(to + at, domain);
	at += put_label(to + at, "test");
	memcpy(to + at, tail, sizeof(tail));
	return at + sizeof(tail);
}

static int open_socket(int is_connected)
{
	int fd = socket(server.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || (is_connected && connect(fd, (void *)&server, server_length)))
		err(1, "socket");
	return fd;
}

static void must(long result, const char *what)
{
	if (result <= 0)
		err(1, "%s", what);
}

static void by_sendto(int fd, const char *domain)
{
	uint8_t bytes[MESSAGE_MAX];
	struct sockaddr_storage from;
	socklen_t length = sizeof(from);

	must(sendto(fd, bytes, make_query(bytes, domain, 1), 0, (void *)&server, server_length),
	     "sendto");
	must(recvfrom(fd, bytes, sizeof(bytes), 0, (void *)&from, &length), "recvfrom");
}

static void by_nameless(int fd, const char *domain)
{
	uint8_t bytes[MESSAGE_MAX];

	must(sendto(fd, bytes, make_query(bytes, domain, 1), 0, (void *)&server, server_length),
	     "sendto");
	must(recv(fd, bytes, sizeof(bytes), 0), "recv");
}

static void by_send(int fd, const char *domain)
{
	uint8_t bytes[MESSAGE_MAX];

	must(send(fd, bytes, make_query(bytes, domain, 1), 0), "send");
	must(recv(fd, bytes, sizeof(bytes), MSG_PEEK), "recv MSG_PEEK");
	must(recv(fd, bytes, sizeof(bytes), 0), "recv");
}

static void by_write(int fd, const char *domain)
{
	uint8_t bytes[MESSAGE_MAX];

	must(write(fd, bytes, make_query(bytes, domain, 28)), "write");
	must(read(fd, bytes, sizeof(bytes)), "read");
}

static void by_writev(int fd, const char *domain)
{
	uint8_t bytes[MESSAGE_MAX];
	struct iovec parts[2] = { { bytes, 12 },
				  { bytes + 12, make_query(bytes, domain, 1) - 12 } };

	must(writev(fd, parts, 2), "writev");
	parts[1].iov_len = sizeof(bytes) - 12;
	must(readv(fd, parts, 2), "readv");
}

static void by_sendmsg(int fd, const char *domain)
{
	uint8_t bytes[MESSAGE_MAX];
	struct iovec part = { bytes, make_query(bytes, domain, 1) };
	struct msghdr message = {
		.msg_name = &server, .msg_namelen = server_length, .msg_iov = &part, .msg_iovlen = 1
	};

	must(sendmsg(fd, &message, 0), "sendmsg");
	part.iov_len = sizeof(bytes);
	must(recvmsg(fd, &message, 0), "recvmsg");
}

/* Several queries at once, and their answers as they come. */
static void by_many(int fd, const char *domain, unsigned count, int is_named)
{
	static uint8_t bytes[BURST][MESSAGE_MAX];
	struct iovec parts[BURST];
	struct mmsghdr messages[BURST] = { 0 };
	unsigned sent = 0, got = 0;

	for (unsigned i = 0; i < count; i++) {
		parts[i] = (struct iovec){ bytes[i], make_query(bytes[i], domain, i % 2 ? 28 : 1) };
		messages[i].msg_hdr = (struct msghdr){ .msg_name = is_named ? &server : NULL,
						       .msg_namelen = is_named ? server_length : 0,
						       .msg_iov = &parts[i],
						       .msg_iovlen = 1 };
	}
	while (sent < count) {
		int now = sendmmsg(fd, messages + sent, count - sent, 0);

		must(now, "sendmmsg");
		sent += (unsigned)now;
	}
	while (got < count) {
		int now;

		for (unsigned i = 0; i < count; i++) {
			parts[i].iov_len = MESSAGE_MAX;
			messages[i].msg_hdr.msg_name = NULL;
			messages[i].msg_hdr.msg_namelen = 0;
		}
		now = recvmmsg(fd, messages, count - got, MSG_WAITFORONE, NULL);
		must(now, "recvmmsg");
		got += (unsigned)now;
	}
}

static void by_two(int fd, const char *domain)
{
	by_many(fd, domain, 2, 0);
}

static void by_burst(int fd, const char *domain)
{
	by_many(fd, domain, BURST, 1);
}

static const struct {
	const char *domain;
	void (*ask)(int fd, const char *domain);
	int is_connected;
	unsigned lookups;
} ways[] = {
	{ "sendto", by_sendto, 0, 1 }, { "nameless", by_nameless, 0, 1 },
	{ "send", by_send, 1, 1 },     { "write", by_write, 1, 1 },
	{ "writev", by_writev, 1, 1 }, { "sendmsg", by_sendmsg, 0, 1 },
	{ "sendmmsg", by_two, 1, 2 },  { "burst", by_burst, 0, BURST },
};

static void set_server(const char *port, int is_ipv6)
{
	struct sockaddr_in in = { .sin_family = AF_INET,
				  .sin_port = htons((uint16_t)atoi(port)),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6,
				    .sin6_port = in.sin_port,
				    .sin6_addr = in6addr_loopback };

	server_length = is_ipv6 ? sizeof(in6) : sizeof(in);
	memcpy(&server, is_ipv6 ? (void *)&in6 : (void *)&in, server_length);
}

int main(int argc, char **argv)
{
	if (argc < 3)
		errx(2, "usage: lookups PORT ROUNDS [6]");
	set_server(argv[1], argc > 3);
	for (size_t i = 0; i < LENGTH(ways); i++) {
		int fd = open_socket(ways[i].is_connected);

		for (int round = 0; round < atoi(argv[2]); round++)
			ways[i].ask(fd, ways[i].domain);
		close(fd);
		printf("%s\"%s\": %u", i ? ", " : "{", ways[i].domain,
		       ways[i].lookups * (unsigned)atoi(argv[2]));
	}
	printf("}\n");
	return 0;
}
