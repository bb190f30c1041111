/* SPDX-License-Identifier: Apache-2.0 */
/* Datagrams that look like DNS are told, each once, whatever call moves them and however their other end is named; others
 * are not. */
#include <sys/uio.h>

#include "scenes.h"

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

#define QUERY_BYTES 24
#define BEYOND 130 /* datagrams of a call: more than are looked at (DATAGRAMS_LOOK_MAX) */

/* A query for x.test, or with QR the answer to it, without records. */
static size_t put_query(uint8_t *to, uint8_t id, uint8_t flags)
{
	static const uint8_t query[QUERY_BYTES] = { [2] = 1, [5] = 1, [12] = 1, 'x', 4, 't', 'e',
						    's',     't',     0,	0,   1, 0,   1 };

	memcpy(to, query, sizeof(query));
	to[1] = id;
	to[2] |= flags;
	return sizeof(query);
}

#define ANSWER 0x80

struct pair {
	int client;
	int server;
	struct address client_address;
	struct address server_address;
};

static int udp_socket(struct stage *stage, struct address *ret_address)
{
	int fd = (int)MUST(socket(stage->family, SOCK_DGRAM | SOCK_CLOEXEC, 0));

	*ret_address = stage_address(stage, 0);
	MUST(bind(fd, (struct sockaddr *)&ret_address->storage, ret_address->length));
	MUST(getsockname(fd, (struct sockaddr *)&ret_address->storage, &ret_address->length));
	return fd;
}

static uint16_t port_of(const struct address *address)
{
	return ntohs(((const struct sockaddr_in *)&address->storage)->sin_port);
}

static struct pair udp_pair(struct stage *stage)
{
	struct pair pair;

	pair.client = udp_socket(stage, &pair.client_address);
	pair.server = udp_socket(stage, &pair.server_address);
	stage->port = port_of(&pair.server_address);
	return pair;
}

static void connect_client(struct stage *stage, const struct pair *pair)
{
	MUST(connect(pair->client, (const struct sockaddr *)&pair->server_address.storage,
		     pair->server_address.length));
}

static void send_to(struct stage *stage, int fd, const struct address *to, const void *bytes,
		    size_t length)
{
	MUST(sendto(fd, bytes, length, 0, (const struct sockaddr *)&to->storage, to->length));
}

static void receive_from(struct stage *stage, int fd)
{
	struct address from = { .length = sizeof(from.storage) };
	uint8_t bytes[2048];

	MUST(recvfrom(fd, bytes, sizeof(bytes), 0, (struct sockaddr *)&from.storage, &from.length));
}

static void act_named(struct stage *stage)
{
	struct pair pair = udp_pair(stage);
	uint8_t bytes[QUERY_BYTES];

	send_to(stage, pair.client, &pair.server_address, bytes, put_query(bytes, 1, 0));
	receive_from(stage, pair.server);
	send_to(stage, pair.server, &pair.client_address, bytes, put_query(bytes, 1, ANSWER));
	receive_from(stage, pair.client);
}

/* The call does not say from whom. */
static void act_nameless(struct stage *stage)
{
	struct pair pair = udp_pair(stage);
	uint8_t bytes[QUERY_BYTES];

	send_to(stage, pair.client, &pair.server_address, bytes, put_query(bytes, 1, 0));
	MUST(recv(pair.server, bytes, sizeof(bytes), 0));
}

static void act_connected(struct stage *stage)
{
	struct pair pair = udp_pair(stage);
	uint8_t bytes[QUERY_BYTES];
	struct iovec parts[] = { { bytes, 12 }, { bytes + 12, QUERY_BYTES - 12 } };

	connect_client(stage, &pair);
	MUST(send(pair.client, bytes, put_query(bytes, 1, 0), 0));
	MUST(write(pair.client, bytes, put_query(bytes, 2, 0)));
	put_query(bytes, 3, 0);
	MUST(writev(pair.client, parts, 2));
	for (uint8_t id = 1; id <= 3; id++)
		send_to(stage, pair.server, &pair.client_address, bytes,
			put_query(bytes, id, ANSWER));
	MUST(recv(pair.client, bytes, sizeof(bytes), MSG_PEEK));
	MUST(recv(pair.client, bytes, sizeof(bytes), 0));
	MUST(read(pair.client, bytes, sizeof(bytes)));
	MUST(readv(pair.client, parts, 2));
}

/* Nobody listens: the next call on the socket fails. */
static void act_refused(struct stage *stage)
{
	struct pair pair = udp_pair(stage);
	uint8_t bytes[QUERY_BYTES];

	connect_client(stage, &pair);
	close(pair.server);
	MUST(send(pair.client, bytes, put_query(bytes, 1, 0), 0));
	MUST_FAIL(recv(pair.client, bytes, sizeof(bytes), 0), ECONNREFUSED);
}

struct burst {
	uint8_t bytes[BEYOND][512];
	struct iovec parts[BEYOND];
	struct mmsghdr messages[BEYOND];
};

static struct burst *make_burst(struct address *name, unsigned count)
{
	static struct burst burst;

	for (unsigned i = 0; i < count; i++) {
		burst.parts[i] = (struct iovec){ burst.bytes[i], sizeof(burst.bytes[i]) };
		burst.messages[i].msg_hdr = (struct msghdr){ .msg_name = &name->storage,
							     .msg_namelen = name->length,
							     .msg_iov = &burst.parts[i],
							     .msg_iovlen = 1 };
	}
	return &burst;
}

static void act_messages(struct stage *stage)
{
	struct pair pair = udp_pair(stage);
	struct burst *burst = make_burst(&pair.server_address, 4);
	struct address from = { .length = sizeof(from.storage) };

	for (uint8_t i = 0; i < 4; i++)
		burst->parts[i].iov_len = put_query(burst->bytes[i], i, 0);
	burst->bytes[1][5] = 2; /* questions: no ordinary query */
	MUST(sendmsg(pair.client, &burst->messages[3].msg_hdr, 0));
	MUST(sendmmsg(pair.client, burst->messages, 3, 0));
	make_burst(&from, 4);
	MUST(recvmsg(pair.server, &burst->messages[0].msg_hdr, 0));
	make_burst(&from, 4);
	MUST(recvmmsg(pair.server, burst->messages, 4, MSG_WAITFORONE, NULL));
}

static void act_others(struct stage *stage)
{
	static const uint8_t changes[][2] = { { 2, 0x11 }, { 2, 4 }, { 2, 2 }, { 3, 0x40 },
					      { 3, 0x80 }, { 3, 1 }, { 4, 1 }, { 5, 0 },
					      { 5, 2 },	   { 7, 1 } };
	struct pair pair = udp_pair(stage);
	uint8_t bytes[QUERY_BYTES];

	for (size_t i = 0; i < LENGTH(changes); i++) {
		put_query(bytes, 1, 0);
		bytes[changes[i][0]] = changes[i][1];
		send_to(stage, pair.client, &pair.server_address, bytes, sizeof(bytes));
	}
	for (size_t length = 0; length < 17; length++) {
		put_query(bytes, 1, 0);
		send_to(stage, pair.client, &pair.server_address, bytes, length);
	}
	put_query(bytes, 1, ANSWER);
	bytes[5] = 0; /* an answer to nothing, and no error */
	send_to(stage, pair.client, &pair.server_address, bytes, sizeof(bytes));
	bytes[3] = 1; /* an error */
	send_to(stage, pair.client, &pair.server_address, bytes, 12);
}

static void act_long(struct stage *stage)
{
	struct pair pair = udp_pair(stage);
	uint8_t bytes[1000] = { 0 };

	put_query(bytes, 1, ANSWER);
	send_to(stage, pair.server, &pair.client_address, bytes, sizeof(bytes));
	send_to(stage, pair.server, &pair.client_address, bytes, 272);
	receive_from(stage, pair.client);
}

static void act_beyond(struct stage *stage)
{
	struct pair pair = udp_pair(stage);
	struct burst *burst = make_burst(&pair.server_address, BEYOND);

	for (unsigned i = 0; i < BEYOND; i++)
		burst->parts[i].iov_len = put_query(burst->bytes[i], (uint8_t)i, 0);
	MUST(sendmmsg(pair.client, burst->messages, BEYOND, 0));
}

/* An IPv4 peer of an IPv6 socket. */
static void act_mapped(struct stage *stage)
{
	struct sockaddr_in6 any = { .sin6_family = AF_INET6, .sin6_addr = in6addr_any };
	struct pair pair = udp_pair(stage);
	int six = (int)MUST(socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0)), off = 0;
	uint8_t bytes[QUERY_BYTES];

	if (setsockopt(six, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)) ||
	    bind(six, (struct sockaddr *)&any, sizeof(any)))
		stage_skip(stage, "no IPv6");
	send_to(stage, six, &pair.server_address, bytes, put_query(bytes, 1, 0));
}

static const char *address_word(const struct conn_tuple *tuple, const uint8_t *address)
{
	static const uint8_t mapped[16] = { [10] = 0xff, 0xff, 127, 0, 0, 1 };
	static const uint8_t nowhere[16] = { 0 };

	if (is_loopback(address, tuple->family))
		return "loopback";
	if (memcmp(address, mapped, sizeof(mapped)) == 0)
		return "mapped";
	return memcmp(address, nowhere, sizeof(nowhere)) == 0 ? "nowhere" : "elsewhere";
}

static void word_end(FILE *out, const struct stage *stage, const struct conn_tuple *tuple,
		     const uint8_t *address, uint16_t port)
{
	fprintf(out, " %s %s", address_word(tuple, address),
		!port		    ? "unknown" :
		port == stage->port ? "server" :
				      "client");
}

static int by_time(const void *a, const void *b)
{
	uint64_t first = (*(const struct event *const *)a)->header->ktime_ns;
	uint64_t second = (*(const struct event *const *)b)->header->ktime_ns;

	return (first > second) - (first < second);
}

#define LISTED_MAX (2 * BEYOND)

/* In the order of time: sockets share rings. The events of one call have one time each, in their order. */
static size_t list_datagrams(const struct observer *observer, const struct event *list[LISTED_MAX])
{
	size_t count = 0;

	for (size_t i = 0; i < observer->count && count < LISTED_MAX; i++)
		if (observer->events[i].header->kind == EVENT_DATAGRAM)
			list[count++] = &observer->events[i];
	qsort(list, count, sizeof(list[0]), by_time);
	return count;
}

/* Sockets are told apart, and told again. */
static void check_socket(FILE *out, const struct event_datagram *a, const struct event_datagram *b)
{
	if ((a->tuple.local_port == b->tuple.local_port) != (a->socket == b->socket))
		fprintf(out, " [sockets %llu and %llu]", a->socket, b->socket);
}

static void word_datagrams(FILE *out, const struct observer *observer)
{
	const struct scope scope = { observer->stage, clock_ns(CLOCK_MONOTONIC) };
	const struct event *list[LISTED_MAX];
	size_t count = list_datagrams(observer, list);

	for (size_t i = 0; i < count; i++) {
		const struct event_datagram *datagram = list[i]->datagram;
		const struct conn_tuple *tuple = &datagram->tuple;
		bool is_read = datagram->dir == DIR_READ;

		fprintf(out, "%s %u/%u id %u", is_read ? "read" : "write", datagram->captured,
			datagram->bytes, datagram->captured ? list[i]->payload[1] : 0);
		word_end(out, observer->stage, tuple, tuple->local_addr, tuple->local_port);
		fputs(is_read ? " from" : " to", out);
		word_end(out, observer->stage, tuple, tuple->remote_addr, tuple->remote_port);
		check_time(out, &scope, "ktime_ns", datagram->header.ktime_ns, scope.end_ns);
		check_socket(out, datagram, list[0]->datagram);
		fputc('\n', out);
	}
}

static void count_beyond(FILE *out, const struct observer *observer)
{
	const struct event *list[LISTED_MAX];

	fprintf(out, "%zu events, %llu beyond\n", list_datagrams(observer, list),
		(unsigned long long)counter_since(observer, COUNTER_DATAGRAMS_BEYOND));
}

#define NAMED                                                    \
	"write 24/24 id 1 loopback client to loopback server\n"  \
	"read 24/24 id 1 loopback server from loopback client\n" \
	"write 24/24 id 1 loopback server to loopback client\n"  \
	"read 24/24 id 1 loopback client from loopback server\n"

static const struct scene scenes[] = {
	{ .name = "named", .act = act_named, .check = word_datagrams, .expected = NAMED },
	{ .name = "named_ipv6",
	  .act = act_named,
	  .family = AF_INET6,
	  .check = word_datagrams,
	  .expected = NAMED },
	{ .name = "nameless",
	  .act = act_nameless,
	  .check = word_datagrams,
	  .expected = "write 24/24 id 1 loopback client to loopback server\n"
		      "read 24/24 id 1 loopback server from nowhere unknown\n" },
	{ .name = "connected",
	  .act = act_connected,
	  .check = word_datagrams,
	  .expected = "write 24/24 id 1 loopback client to loopback server\n"
		      "write 24/24 id 2 loopback client to loopback server\n"
		      "write 24/24 id 3 loopback client to loopback server\n"
		      "write 24/24 id 1 loopback server to loopback client\n"
		      "write 24/24 id 2 loopback server to loopback client\n"
		      "write 24/24 id 3 loopback server to loopback client\n"
		      "read 24/24 id 1 loopback client from loopback server\n"
		      "read 24/24 id 2 loopback client from loopback server\n"
		      "read 24/24 id 3 loopback client from loopback server\n" },
	{ .name = "refused",
	  .act = act_refused,
	  .check = word_datagrams,
	  .expected = "write 24/24 id 1 loopback client to loopback server\n"
		      "read 0/0 id 0 loopback client from loopback server\n" },
	{ .name = "messages",
	  .act = act_messages,
	  .check = word_datagrams,
	  .expected = "write 24/24 id 3 loopback client to loopback server\n"
		      "write 24/24 id 0 loopback client to loopback server\n"
		      "write 24/24 id 2 loopback client to loopback server\n"
		      "read 24/24 id 3 loopback server from loopback client\n"
		      "read 24/24 id 0 loopback server from loopback client\n"
		      "read 24/24 id 2 loopback server from loopback client\n" },
	{ .name = "others",
	  .act = act_others,
	  .check = word_datagrams,
	  .expected = "write 12/12 id 1 loopback client to loopback server\n" },
	{ .name = "long",
	  .act = act_long,
	  .check = word_datagrams,
	  .expected = "write 272/1000 id 1 loopback server to loopback client\n"
		      "write 272/272 id 1 loopback server to loopback client\n"
		      "read 272/1000 id 1 loopback client from loopback server\n" },
	{ .name = "mapped",
	  .act = act_mapped,
	  .check = word_datagrams,
	  .expected = "write 24/24 id 1 nowhere client to mapped server\n" },
	{ .name = "beyond",
	  .act = act_beyond,
	  .tries = 3,
	  .check = count_beyond,
	  .expected = "128 events, 2 beyond\n" },
};

static const struct group groups[] = {
	{ .name = "datagrams", .scenes = scenes, .count = LENGTH(scenes) },
};

int main(int argc, char **argv)
{
	return observer_main(argc, argv, groups, LENGTH(groups));
}
