/* SPDX-License-Identifier: Apache-2.0 */
/* Stream sockets that have a path: listening on one and connecting to one. */
#ifndef SONDE_SERVE_UNIX_SOCKET_H
#define SONDE_SERVE_UNIX_SOCKET_H

#include <sys/stat.h>

/* Listen at path, non-blocking, mode 0600; the directory is made when it is missing (0755). A socket that nobody
 * answers on is replaced; anything else at that path is left alone.
 *
 * ret_file  identity of the socket's file, for unix_socket_remove
 * Returns   descriptor; -EADDRINUSE when somebody answers; -EEXIST when the path is no socket; negative errno */
int unix_socket_listen(const char *path, struct stat *ret_file);

/* Remove the socket's file unless another one has taken its place. */
void unix_socket_remove(const char *path, const struct stat *file);

/* Returns a blocking descriptor; -ENAMETOOLONG; negative errno */
int unix_socket_connect(const char *path);

#endif
