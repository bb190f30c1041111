/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/listen_address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"

#define BACKLOG 128

static int port_parse(const char *text, uint16_t *ret_port)
{
	unsigned port = 0;

	if (!*text || strlen(text) > 5 || strspn(text, "0123456789") != strlen(text))
		return -EINVAL;
	for (; *text; text++)
		port = port * 10 + (unsigned)(*text - '0');
	if (port > UINT16_MAX)
		return -EINVAL;
	*ret_port = (uint16_t)port;
	return 0;
}

static int host_parse(const char *host, bool is_bracketed, uint16_t port,
		      struct sockaddr_storage *address, socklen_t *ret_length)
{
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)address;
	struct sockaddr_in *v4 = (struct sockaddr_in *)address;

	if (!is_bracketed && strcmp(host, "localhost") == 0)
		host = "127.0.0.1";
	if (is_bracketed || !*host) {
		*v6 = (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_port = htons(port) };
		*ret_length = sizeof(*v6);
		if (!is_bracketed)
			return 0; /* in6addr_any, which takes IPv4 too */
		return inet_pton(AF_INET6, host, &v6->sin6_addr) == 1 ? 0 : -EINVAL;
	}
	*v4 = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(port) };
	*ret_length = sizeof(*v4);
	return inet_pton(AF_INET, host, &v4->sin_addr) == 1 ? 0 : -EINVAL;
}

int listen_address_parse(const char *text, struct sockaddr_storage *ret_address,
			 socklen_t *ret_length)
{
	struct sockaddr_storage address = { 0 };
	const char *colon = strrchr(text, ':');
	char host[INET6_ADDRSTRLEN + 2];
	socklen_t length;
	size_t host_length;
	bool is_bracketed;
	uint16_t port;
	int err;

	if (!colon || (size_t)(colon - text) >= sizeof(host))
		return -EINVAL;
	err = port_parse(colon + 1, &port);
	if (err < 0)
		return err;
	host_length = (size_t)(colon - text);
	memcpy(host, text, host_length);
	host[host_length] = '\0';
	is_bracketed = host_length >= 2 && host[0] == '[' && host[host_length - 1] == ']';
	if (is_bracketed)
		host[host_length - 1] = '\0';
	err = host_parse(is_bracketed ? host + 1 : host, is_bracketed, port, &address, &length);
	if (err < 0)
		return err;
	*ret_address = address;
	*ret_length = length;
	return 0;
}

static int open_at(const struct sockaddr_storage *address, socklen_t length)
{
	_cleanup_close_ int fd = -1;
	const int on = 1, off = 0;

	fd = socket(address->ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	/* A restarted agent gets its port back while old connections are in TIME_WAIT. */
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0)
		return -errno;
	/* Only matters for [::]; net.ipv6.bindv6only may say otherwise. */
	if (address->ss_family == AF_INET6 &&
	    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)) < 0)
		return -errno;
	if (bind(fd, (const struct sockaddr *)address, length) < 0)
		return -errno;
	if (listen(fd, BACKLOG) < 0)
		return -errno;
	return TAKE_FD(fd);
}

int listen_address_open(const struct sockaddr_storage *address, socklen_t length)
{
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)address;
	int fd = open_at(address, length);

	/* All addresses of a machine without IPv6 are those of IPv4. */
	if (fd == -EAFNOSUPPORT && address->ss_family == AF_INET6 &&
	    IN6_IS_ADDR_UNSPECIFIED(&v6->sin6_addr)) {
		struct sockaddr_storage any = { 0 };

		*(struct sockaddr_in *)&any =
			(struct sockaddr_in){ .sin_family = AF_INET, .sin_port = v6->sin6_port };
		fd = open_at(&any, sizeof(struct sockaddr_in));
	}
	return fd;
}

void listen_address_format(const struct sockaddr_storage *address,
			   char ret_text[LISTEN_ADDRESS_TEXT_MAX])
{
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)address;
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)address;
	char host[INET6_ADDRSTRLEN] = "?";

	if (address->ss_family == AF_INET6) {
		(void)inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof(host)); /* it has room */
		snprintf(ret_text, LISTEN_ADDRESS_TEXT_MAX, "[%s]:%u", host, ntohs(v6->sin6_port));
		return;
	}
	(void)inet_ntop(AF_INET, &v4->sin_addr, host, sizeof(host)); /* it has room */
	snprintf(ret_text, LISTEN_ADDRESS_TEXT_MAX, "%s:%u", host, ntohs(v4->sin_port));
}
