/* SPDX-License-Identifier: Apache-2.0 */
/* ADDR:PORT as people type it, to a listening socket. */
#ifndef SONDE_SERVE_LISTEN_ADDRESS_H
#define SONDE_SERVE_LISTEN_ADDRESS_H

#include <stddef.h>
#include <sys/socket.h>

/* "127.0.0.1:9464", "[::1]:9464", "localhost:9464", ":9464" (all addresses). No names are resolved:
 * what an agent listens on must not depend on a name server. Port 0 takes a free one.
 * Returns 0; -EINVAL when it is none of these */
int listen_address_parse(const char *text, struct sockaddr_storage *ret_address,
			 socklen_t *ret_length);

/* A listening socket, non-blocking. Returns the descriptor or a negative errno. */
int listen_address_open(const struct sockaddr_storage *address, socklen_t length);

/* The address as listen_address_parse takes it, always terminated. */
#define LISTEN_ADDRESS_TEXT_MAX 64
void listen_address_format(const struct sockaddr_storage *address,
			   char ret_text[LISTEN_ADDRESS_TEXT_MAX]);

#endif
