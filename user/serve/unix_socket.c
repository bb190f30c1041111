/* SPDX-License-Identifier: Apache-2.0 */
/* The path of a socket outlives its process: who finds one must ask whether anybody is there. */
#include "serve/unix_socket.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/cleanup.h"

#define BACKLOG 16

static int make_address(const char *path, struct sockaddr_un *ret_address)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	size_t length = strlen(path);

	if (!length)
		return -EINVAL;
	if (length >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	memcpy(address.sun_path, path, length);
	*ret_address = address;
	return 0;
}

int unix_socket_connect(const char *path)
{
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un address;
	int error = make_address(path, &address);

	if (error)
		return error;
	if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	return TAKE_FD(fd);
}

static int make_directory(const char *path)
{
	const char *slash = strrchr(path, '/');
	char directory[PATH_MAX];
	size_t length = slash ? (size_t)(slash - path) : 0;

	if (!length)
		return 0;
	if (length >= sizeof(directory))
		return -ENAMETOOLONG;
	memcpy(directory, path, length);
	directory[length] = '\0';
	return mkdir(directory, 0755) < 0 && errno != EEXIST ? -errno : 0;
}

/* Make way for our own socket. */
static int remove_stale(const char *path)
{
	_cleanup_close_ int answer = -1;
	struct stat file;

	if (lstat(path, &file) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(file.st_mode))
		return -EEXIST;
	answer = unix_socket_connect(path);
	/* A full backlog (EAGAIN) means that somebody is there as well. */
	if (answer != -ECONNREFUSED)
		return answer == -ENOENT ? 0 : -EADDRINUSE;
	return unlink(path) < 0 && errno != ENOENT ? -errno : 0;
}

int unix_socket_listen(const char *path, struct stat *ret_file)
{
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un address;
	int error = make_address(path, &address);

	if (fd < 0)
		return -errno;
	if (!error)
		error = make_directory(path);
	if (!error)
		error = remove_stale(path);
	if (error)
		return error;
	/* bind() takes the file's mode from the socket's: nobody can connect in between, and the umask,
	 * which all threads share, stays alone. Source: unix_bind_bsd() in net/unix/af_unix.c */
	if (fchmod(fd, 0600) < 0 ||
	    bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(fd, BACKLOG) < 0 || lstat(path, ret_file) < 0)
		return -errno;
	return TAKE_FD(fd);
}

void unix_socket_remove(const char *path, const struct stat *file)
{
	struct stat now;

	if (lstat(path, &now) == 0 && now.st_dev == file->st_dev && now.st_ino == file->st_ino)
		(void)unlink(path); /* at worst the next agent finds it stale */
}
