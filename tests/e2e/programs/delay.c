/* SPDX-License-Identifier: Apache-2.0 */
/* A wire with a delay, where the kernel has no netem: joins a tunnel device in each of two network
 * namespaces and hands every packet on some time later.
 *
 * delay NETNS_A DEVICE_A NETNS_B DEVICE_B MS    (namespaces as files; prints "ready 0") */
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>

#include "endpoint.h"

#define PACKET_MAX 2048
#define QUEUE_MAX 1024

struct packet {
	uint64_t due_ns;
	int to;
	ssize_t length;
	char bytes[PACKET_MAX];
};

/* All packets wait equally long, so the first in is the first out. */
static struct packet queue[QUEUE_MAX];
static unsigned head, count;

static int open_device(const char *netns, const char *name)
{
	struct ifreq request = { .ifr_flags = IFF_TUN | IFF_NO_PI };
	int space = open(netns, O_RDONLY | O_CLOEXEC);
	int fd;

	if (space < 0 || setns(space, CLONE_NEWNET) != 0)
		fail(netns);
	close(space);
	fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		fail("/dev/net/tun");
	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	if (ioctl(fd, TUNSETIFF, &request) != 0)
		fail("TUNSETIFF");
	return fd;
}

static void take_packets(int from, int to, uint64_t delay_ns)
{
	while (count < QUEUE_MAX) {
		struct packet *packet = &queue[(head + count) % QUEUE_MAX];

		packet->length = read(from, packet->bytes, PACKET_MAX);
		if (packet->length <= 0)
			return;
		packet->due_ns = now_ns() + delay_ns;
		packet->to = to;
		count++;
	}
}

static void give_packets(void)
{
	while (count > 0 && queue[head].due_ns <= now_ns()) {
		/* A packet that the other side cannot take is lost, as on a wire. */
		(void)!write(queue[head].to, queue[head].bytes, (size_t)queue[head].length);
		head = (head + 1) % QUEUE_MAX;
		count--;
	}
}

int main(int argc, char **argv)
{
	struct pollfd ends[2] = { { .events = POLLIN }, { .events = POLLIN } };
	uint64_t delay_ns;

	if (argc != 6) {
		fprintf(stderr, "usage: delay NETNS_A DEVICE_A NETNS_B DEVICE_B MS\n");
		return 2;
	}
	ends[0].fd = open_device(argv[1], argv[2]);
	ends[1].fd = open_device(argv[3], argv[4]);
	delay_ns = strtoul(argv[5], NULL, 10) * 1000000;
	printf("ready 0\n");
	fflush(stdout);
	for (;;) {
		struct timespec wait = { 1, 0 };

		if (count > 0) {
			uint64_t now = now_ns(), due = queue[head].due_ns;

			wait.tv_sec = 0;
			wait.tv_nsec = due > now ? (long)(due - now) : 0;
		}
		if (ppoll(ends, 2, &wait, NULL) < 0)
			fail("ppoll");
		take_packets(ends[0].fd, ends[1].fd, delay_ns);
		take_packets(ends[1].fd, ends[0].fd, delay_ns);
		give_packets();
	}
}
