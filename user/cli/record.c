/* SPDX-License-Identifier: Apache-2.0 */
/* `sonde record`: the running agent's events into a file, whole records only. */
#include <argp.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>

#include "agent/recording_feed.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "cli/command_table.h"
#include "cli/commands.h"
#include "cli/control_client.h"
#include "cli/socket_option.h"
#include "ring/recording.h"

#define READ_BYTES 65536
#define GOODBYE_MS 5000 /* for the agent to send what it has queued */

struct record_options {
	const char *socket;
	const char *path;
	double seconds; /* 0: until interrupted */
};

/* Bytes from the agent on their way to the file. */
struct intake {
	int file_fd;
	size_t used;
	uint64_t events;
	uint64_t dropped;
	uint64_t bytes;
	bool has_header;
	_Alignas(8) char buffer[READ_BYTES + RECORDING_RECORD_MAX];
};

static int write_all(int fd, const char *bytes, size_t length)
{
	while (length) {
		ssize_t written = write(fd, bytes, length);

		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			return -errno;
		bytes += written;
		length -= (size_t)written;
	}
	return 0;
}

/* How many of the bytes are complete: the header or whole records. Returns 0, or -EBADMSG. */
static int measure(struct intake *intake, size_t *ret_whole)
{
	struct recording_view view;
	size_t whole = 0;
	int error;

	if (!intake->has_header) {
		if (intake->used < sizeof(struct recording_header)) {
			*ret_whole = 0;
			return 0;
		}
		if (recording_header_fault(intake->buffer, intake->used))
			return -EBADMSG;
		intake->has_header = true;
		whole = sizeof(struct recording_header);
	}
	while (!(error = recording_record_read(intake->buffer + whole, intake->used - whole,
					       &view))) {
		whole += view.record_bytes;
		intake->dropped += view.dropped;
		intake->events += !view.dropped;
	}
	*ret_whole = whole;
	return error == -EAGAIN ? 0 : error;
}

/* Returns bytes read, 0 at the end, negative errno. */
static int take_in(struct intake *intake, int socket_fd)
{
	ssize_t got = recv(socket_fd, intake->buffer + intake->used,
			   sizeof(intake->buffer) - intake->used, 0);
	size_t whole;
	int error;

	if (got <= 0)
		return got < 0 ? -errno : 0;
	intake->used += (size_t)got;
	error = measure(intake, &whole);
	if (!error)
		error = write_all(intake->file_fd, intake->buffer, whole);
	if (error)
		return error;
	intake->bytes += whole;
	intake->used -= whole;
	memmove(intake->buffer, intake->buffer + whole, intake->used);
	return (int)got;
}

static int64_t now_ms(void)
{
	return (int64_t)(monotonic_ns() / 1000000);
}

static int wait_ms(int64_t until_ms)
{
	int64_t left_ms = until_ms - now_ms();

	if (until_ms < 0)
		return -1;
	return left_ms < 0 ? 0 : left_ms > 60000 ? 60000 : (int)left_ms;
}

/* Until the agent ends, the time is up, or a signal comes; then take what is still queued. */
static int take_all(struct intake *intake, int socket_fd, int signal_fd, double seconds)
{
	int64_t until_ms = seconds > 0 ? now_ms() + (int64_t)(seconds * 1000) : -1;
	bool is_leaving = false;
	int got = 1;

	while (got > 0) {
		struct pollfd polls[] = { { socket_fd, POLLIN, 0 },
					  { is_leaving ? -1 : signal_fd, POLLIN, 0 } };

		if (poll(polls, 2, wait_ms(until_ms)) < 0 && errno != EINTR)
			return -errno;
		if (polls[0].revents)
			got = take_in(intake, socket_fd);
		if (!polls[1].revents && (until_ms < 0 || now_ms() < until_ms))
			continue;
		if (is_leaving)
			return -ETIMEDOUT;
		is_leaving = true;
		until_ms = now_ms() + GOODBYE_MS;
		if (shutdown(socket_fd, SHUT_WR) < 0 && got > 0)
			return -errno;
	}
	if (got < 0)
		return got;
	return is_leaving ? 0 : -ECONNRESET;
}

static int open_signals(void)
{
	sigset_t signals;
	int fd;

	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	if (sigprocmask(SIG_BLOCK, &signals, NULL) < 0)
		return -errno;
	fd = signalfd(-1, &signals, SFD_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* Events hold bytes of other people's connections: the file is its owner's only. */
static int open_output(const char *path)
{
	int fd = strcmp(path, "-") ? open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600) :
				     dup(STDOUT_FILENO);

	if (fd < 0) {
		log_error("%s: %s", path, strerror(errno));
		return -errno;
	}
	return fd;
}

static int say_result(const struct record_options *options, const struct intake *intake, int error)
{
	if (error == -ECONNRESET)
		log_warn("the agent ended; what it sent is in %s", options->path);
	else if (error == -EBADMSG)
		log_error("the agent sends what this version of sonde does not understand");
	else if (error)
		log_error("%s: %s", options->path, strerror(-error));
	log_info("%s: %" PRIu64 " events, %" PRIu64 " dropped, %" PRIu64 " bytes", options->path,
		 intake->events, intake->dropped, intake->bytes);
	return error && error != -ECONNRESET ? STATUS_FAILED : STATUS_OK;
}

static int record(const struct record_options *options)
{
	_cleanup_close_ int signal_fd = open_signals();
	_cleanup_close_ int socket_fd = control_client_connect(options->socket);
	_cleanup_free_ struct intake *intake = calloc(1, sizeof(*intake));
	_cleanup_close_ int file_fd = -1;
	json_t *answer = NULL;

	if (signal_fd < 0 || socket_fd < 0 || !intake)
		return STATUS_FAILED;
	if (control_client_ask(socket_fd, "stream " RECORDING_STREAM, &answer) < 0)
		return STATUS_FAILED;
	json_decref(answer);
	file_fd = open_output(options->path);
	if (file_fd < 0)
		return STATUS_FAILED;
	intake->file_fd = file_fd;
	return say_result(options, intake,
			  take_all(intake, socket_fd, signal_fd, options->seconds));
}

static error_t parse_option(int key, char *argument, struct argp_state *state)
{
	struct record_options *options = state->input;
	char *end;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &options->socket;
		return 0;
	case 't':
		options->seconds = strtod(argument, &end);
		if (end == argument || *end || !(options->seconds > 0) || options->seconds > 1e9)
			argp_error(state, "--seconds wants a number above 0");
		return 0;
	case ARGP_KEY_ARG:
		if (options->path)
			argp_error(state, "one FILE, please");
		options->path = argument;
		return 0;
	case ARGP_KEY_END:
		if (!options->path)
			argp_error(state, "which FILE to write?");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

int command_record(int argc, char **argv)
{
	static const struct argp_option argp_options[] = {
		{ "seconds", 't', "N", 0, "Stop after N seconds; without it, on Ctrl-C", 0 },
		{ 0 },
	};
	static const struct argp argp = {
		.options = argp_options,
		.parser = parse_option,
		.children = socket_option,
		.args_doc = "FILE",
		.doc = "Write the running agent's raw events to FILE (- for standard output), for `sonde replay`."
		       "\vA recording holds the first bytes of what processes send and receive: treat it as you "
		       "would treat that traffic.",
	};
	struct record_options options = { 0 };

	argp_parse(&argp, argc, argv, 0, NULL, &options);
	return record(&options);
}
