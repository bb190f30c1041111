/* SPDX-License-Identifier: Apache-2.0 */
/* Speaks to a person when the agent does not answer. */
#include "cli/control_client.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "serve/unix_socket.h"

#define ANSWER_MAX ((size_t)32 << 20)
#define PATIENCE_S 10 /* an agent answers in milliseconds */

static void say_why_not(const char *path, int error)
{
	if (error == -ENOENT || error == -ECONNREFUSED)
		log_error(
			"no agent answers at %s: start one with `sonde agent`, as root, or give its socket with --socket",
			path);
	else if (error == -EACCES || error == -EPERM)
		log_error(
			"%s: permission denied: only root and the user the agent runs as may ask it",
			path);
	else
		log_error("%s: %s", path, strerror(-error));
}

int control_client_connect(const char *path)
{
	const struct timeval patience = { .tv_sec = PATIENCE_S };
	_cleanup_close_ int fd = unix_socket_connect(path);

	if (fd < 0) {
		say_why_not(path, fd);
		return TAKE_FD(fd);
	}
	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) < 0)
		return -errno;
	return TAKE_FD(fd);
}

static int send_line(int fd, const char *request)
{
	_cleanup_free_ char *line = NULL;
	int length = asprintf(&line, "%s\n", request);

	if (length < 0)
		return -ENOMEM;
	return send(fd, line, (size_t)length, MSG_NOSIGNAL) == length ? 0 : -errno;
}

/* Take bytes up to the newline and not one more. Returns those taken; sets *ret_is_whole at the newline. */
static ssize_t receive_part(int fd, char *to, size_t room, bool *ret_is_whole)
{
	ssize_t got = recv(fd, to, room, MSG_PEEK);
	const char *end;

	if (got <= 0)
		return got < 0 ? -errno : -ECONNRESET;
	end = memchr(to, '\n', (size_t)got);
	*ret_is_whole = end != NULL;
	got = recv(fd, to, end ? (size_t)(end - to) + 1 : (size_t)got, 0);
	return got < 0 ? -errno : got;
}

static int receive_line(int fd, char **ret_line, size_t *ret_length)
{
	_cleanup_free_ char *line = NULL;
	size_t length = 0, size = 0;
	bool is_whole = false;

	while (!is_whole) {
		ssize_t got;

		if (size - length < 4096) {
			char *larger = size < ANSWER_MAX ? realloc(line, size * 2 + 65536) : NULL;

			if (!larger)
				return -ENOMEM;
			line = larger;
			size = size * 2 + 65536;
		}
		got = receive_part(fd, line + length, size - length, &is_whole);
		if (got < 0)
			return (int)got;
		length += (size_t)got;
	}
	*ret_line = TAKE_PTR(line);
	*ret_length = length;
	return 0;
}

static int check_answer(const json_t *answer)
{
	const char *error = json_string_value(json_object_get(answer, "error"));

	if (json_is_true(json_object_get(answer, "ok")))
		return 0;
	log_error("the agent answers: %s", error ? error : "nothing that could be understood");
	return -EREMOTEIO;
}

int control_client_ask(int fd, const char *request, json_t **ret_answer)
{
	_cleanup_free_ char *line = NULL;
	size_t length = 0;
	json_t *answer;
	int error = send_line(fd, request);

	if (!error)
		error = receive_line(fd, &line, &length);
	if (error) {
		log_error("the agent does not answer: %s",
			  error == -EAGAIN ? "it is there, but busy or stopped" : strerror(-error));
		return error;
	}
	answer = json_loadb(line, length, 0, NULL);
	error = check_answer(answer);
	if (error)
		json_decref(answer);
	else
		*ret_answer = answer;
	return error;
}
