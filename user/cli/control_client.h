/* SPDX-License-Identifier: Apache-2.0 */
/* The asking side of the control socket. */
#ifndef SONDE_CLI_CONTROL_CLIENT_H
#define SONDE_CLI_CONTROL_CLIENT_H

#include <jansson.h>

/* Connect to the agent; says on standard error what is wrong and what to do. Returns a descriptor or negative errno. */
int control_client_connect(const char *path);

/* Send one line and read one: bytes behind that line stay in the socket.
 *
 * request     without newline
 * ret_answer  the whole answer, the caller's; written only when the agent said ok
 * Returns     0; negative errno, after saying on standard error what went wrong */
int control_client_ask(int fd, const char *request, json_t **ret_answer);

#endif
