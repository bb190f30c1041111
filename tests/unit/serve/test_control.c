/* SPDX-License-Identifier: Apache-2.0 */
/* A server and its clients in one thread: answers, streams, limits, clients that misbehave. */
#include "serve/control.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "failing_alloc.h"
#include "serve/unix_socket.h"

#define SECOND 1000000000ull

struct fixture {
	struct control_server *server;
	struct control_stream *stream;
	unsigned started, finishing, ended;
	int start_error;
	uint64_t now_ns;
	char directory[64];
	char path[80];
};

static int write_numbers(void *context, size_t limit, json_t **ret_data, size_t *ret_total)
{
	json_t *array = json_array();

	(void)context;
	for (size_t i = 0; i < limit && i < 2000; i++)
		json_array_append_new(array, json_integer((json_int_t)i));
	*ret_total = 2000;
	*ret_data = array;
	return 0;
}

static int write_object(void *context, size_t limit, json_t **ret_data, size_t *ret_total)
{
	(void)context;
	(void)limit;
	(void)ret_total;
	*ret_data = json_pack("{s:i}", "a", 1);
	return 0;
}

static int write_nothing(void *context, size_t limit, json_t **ret_data, size_t *ret_total)
{
	(void)context;
	(void)limit;
	(void)ret_data;
	(void)ret_total;
	return -ENODATA;
}

static int write_too_much(void *context, size_t limit, json_t **ret_data, size_t *ret_total)
{
	char *text = malloc(CONTROL_ANSWER_MAX + 1);

	(void)context;
	(void)limit;
	(void)ret_total;
	assert_non_null(text);
	memset(text, 'x', CONTROL_ANSWER_MAX);
	*ret_data = json_stringn(text, CONTROL_ANSWER_MAX);
	free(text);
	return 0;
}

static int stream_started(void *context, struct control_stream *stream)
{
	struct fixture *fixture = context;

	if (fixture->start_error)
		return fixture->start_error;
	fixture->started++;
	fixture->stream = stream;
	control_stream_set_data(stream, fixture);
	return control_stream_push(stream, "begin ", 6);
}

static void stream_finishing(void *context, struct control_stream *stream)
{
	struct fixture *fixture = context;

	fixture->finishing++;
	assert_ptr_equal(control_stream_data(stream), fixture);
	assert_int_equal(control_stream_push(stream, "end", 3), 0);
}

static void stream_ended(void *context, struct control_stream *stream)
{
	struct fixture *fixture = context;

	fixture->ended++;
	assert_ptr_equal(control_stream_data(stream), fixture);
	fixture->stream = NULL;
}

static int set_object(void *context, const json_t *value, char *ret_why, size_t why_bytes)
{
	(void)context;
	if (json_is_integer(value))
		return 0;
	if (json_is_null(value))
		return -ENODATA;
	snprintf(ret_why, why_bytes, "want a number");
	return -EINVAL;
}

static const struct control_topic topics[] = {
	{ "numbers", write_numbers, NULL },
	{ "object", write_object, set_object },
	{ "nothing", write_nothing, NULL },
	{ "much", write_too_much, NULL },
};
static const struct control_stream_kind streams[] = {
	{ "letters", stream_started, stream_finishing, stream_ended },
};

static struct control_table table = {
	.topics = topics,
	.topic_count = sizeof(topics) / sizeof(topics[0]),
	.streams = streams,
	.stream_count = 1,
};

static int setup(void **state)
{
	static struct fixture fixture;

	fixture =
		(struct fixture){ .directory = "/tmp/sonde-test-control-XXXXXX", .now_ns = SECOND };
	assert_non_null(mkdtemp(fixture.directory));
	snprintf(fixture.path, sizeof(fixture.path), "%s/run/sock", fixture.directory);
	table.context = &fixture;
	assert_int_equal(control_server_open(fixture.path, &table, &fixture.server), 0);
	*state = &fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;
	char command[128];

	control_server_close(&fixture->server);
	assert_null(fixture->server);
	assert_int_equal(access(fixture->path, F_OK), -1);
	snprintf(command, sizeof(command), "%s/run", fixture->directory);
	assert_int_equal(rmdir(command), 0);
	assert_int_equal(rmdir(fixture->directory), 0);
	return 0;
}

static void run(struct fixture *fixture)
{
	for (int i = 0; i < 8; i++)
		assert_int_equal(control_server_run(fixture->server, fixture->now_ns), 0);
}

static int client(const struct fixture *fixture)
{
	int fd = unix_socket_connect(fixture->path);

	assert_true(fd >= 0);
	return fd;
}

static void say(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* Everything there is, as text; "" at the end of the stream. */
static char *hear(struct fixture *fixture, int fd)
{
	static char text[1 << 16];
	size_t used = 0;
	ssize_t got;

	run(fixture);
	while ((got = recv(fd, text + used, sizeof(text) - 1 - used, MSG_DONTWAIT)) > 0) {
		used += (size_t)got;
		run(fixture);
	}
	text[used] = '\0';
	return text;
}

static bool is_closed(int fd)
{
	char byte;

	return recv(fd, &byte, 1, MSG_DONTWAIT) == 0;
}

static void test_answers(void **state)
{
	struct fixture *fixture = *state;
	int fd = client(fixture);

	say(fd, "dump object\n");
	assert_string_equal(hear(fixture, fd),
			    "{\"ok\":true,\"topic\":\"object\",\"data\":{\"a\":1}}\n");
	say(fd, "dump numbers 2\n");
	assert_string_equal(hear(fixture, fd),
			    "{\"ok\":true,\"topic\":\"numbers\",\"data\":[0,1],\"total\":2000}\n");
	say(fd, "{\"command\":\"topics\"}\n");
	assert_string_equal(hear(fixture, fd),
			    "{\"ok\":true,\"topics\":[\"numbers\",\"object\",\"nothing\",\"much\"],"
			    "\"streams\":[\"letters\"]}\n");
	say(fd, "{\"command\":\"set\",\"topic\":\"object\",\"value\":1}\n");
	assert_string_equal(hear(fixture, fd), "{\"ok\":true,\"topic\":\"object\"}\n");
	say(fd, "{\"command\":\"set\",\"topic\":\"object\",\"value\":\"x\"}\n");
	assert_string_equal(hear(fixture, fd), "{\"ok\":false,\"error\":\"want a number\"}\n");
	say(fd, "{\"command\":\"set\",\"topic\":\"object\",\"value\":null}\n");
	assert_string_equal(hear(fixture, fd), "{\"ok\":false,\"error\":\"No data available\"}\n");
	say(fd, "{\"command\":\"set\",\"topic\":\"much\",\"value\":1}\n");
	assert_string_equal(hear(fixture, fd), "{\"ok\":false,\"error\":\"that cannot be set\"}\n");
	say(fd, "dump nothing\n");
	assert_string_equal(hear(fixture, fd), "{\"ok\":false,\"error\":\"No data available\"}\n");
	say(fd, "dump other\n");
	assert_string_equal(hear(fixture, fd), "{\"ok\":false,\"error\":\"no such topic\"}\n");
	say(fd, "stream other\n");
	assert_string_equal(hear(fixture, fd), "{\"ok\":false,\"error\":\"no such stream\"}\n");
	say(fd, "shutdown\n");
	assert_string_equal(hear(fixture, fd), "{\"ok\":false,\"error\":\"unknown command\"}\n");
	say(fd, "dump much\n");
	assert_string_equal(
		hear(fixture, fd),
		"{\"ok\":false,\"error\":\"the answer is too long: ask for fewer entries\"}\n");
	assert_false(is_closed(fd));
	close(fd);
	run(fixture);
}

/* Several lines at once, in pieces, and an end before the answer. */
static void test_lines(void **state)
{
	struct fixture *fixture = *state;
	int fd = client(fixture);

	say(fd, "dump obj");
	assert_string_equal(hear(fixture, fd), "");
	say(fd, "ect\ndump numbers 1\n");
	assert_string_equal(hear(fixture, fd),
			    "{\"ok\":true,\"topic\":\"object\",\"data\":{\"a\":1}}\n"
			    "{\"ok\":true,\"topic\":\"numbers\",\"data\":[0],\"total\":2000}\n");
	say(fd, "dump object\ndump object\n");
	shutdown(fd, SHUT_WR);
	assert_string_equal(hear(fixture, fd),
			    "{\"ok\":true,\"topic\":\"object\",\"data\":{\"a\":1}}\n"
			    "{\"ok\":true,\"topic\":\"object\",\"data\":{\"a\":1}}\n");
	assert_true(is_closed(fd));
	close(fd);
}

static void test_request_too_long(void **state)
{
	struct fixture *fixture = *state;
	char text[CONTROL_REQUEST_MAX + 10];
	int fd = client(fixture);

	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	say(fd, text);
	assert_string_equal(hear(fixture, fd),
			    "{\"ok\":false,\"error\":\"the request is too long\"}\n");
	close(fd);
	run(fixture);
}

static void test_many_clients(void **state)
{
	struct fixture *fixture = *state;
	int fds[CONTROL_CLIENTS_MAX + 1];

	for (size_t i = 0; i <= CONTROL_CLIENTS_MAX; i++) {
		fds[i] = client(fixture);
		run(fixture);
	}
	assert_string_equal(hear(fixture, fds[CONTROL_CLIENTS_MAX]),
			    "{\"ok\":false,\"error\":\"too many clients\"}\n");
	assert_true(is_closed(fds[CONTROL_CLIENTS_MAX]));
	for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++) {
		say(fds[i], "dump object\n");
		assert_true(*hear(fixture, fds[i]));
	}
	fixture->now_ns += 61 * SECOND; /* idle for a minute */
	run(fixture);
	for (size_t i = 0; i <= CONTROL_CLIENTS_MAX; i++) {
		assert_true(is_closed(fds[i]));
		close(fds[i]);
	}
	fds[0] = client(fixture);
	say(fds[0], "dump object\n");
	assert_true(*hear(fixture, fds[0]));
	close(fds[0]);
	run(fixture);
}

static void test_stream(void **state)
{
	struct fixture *fixture = *state;
	int fd = client(fixture);

	say(fd, "stream letters\n");
	assert_string_equal(hear(fixture, fd), "{\"ok\":true,\"stream\":\"letters\"}\nbegin ");
	assert_int_equal(control_stream_push(fixture->stream, "abc ", 4), 0);
	assert_string_equal(hear(fixture, fd), "abc ");
	fixture->now_ns += 1000 * SECOND; /* silence is no stall */
	run(fixture);
	say(fd, "ignored\n");
	assert_int_equal(control_stream_push(fixture->stream, "def ", 4), 0);
	shutdown(fd, SHUT_WR);
	assert_string_equal(hear(fixture, fd), "def end");
	assert_true(is_closed(fd));
	assert_int_equal(fixture->started, 1);
	assert_int_equal(fixture->finishing, 1);
	assert_int_equal(fixture->ended, 1);
	close(fd);
}

static void test_stream_refused(void **state)
{
	struct fixture *fixture = *state;
	int fd = client(fixture);

	fixture->start_error = -EBUSY;
	say(fd, "stream letters\n");
	assert_string_equal(hear(fixture, fd),
			    "{\"ok\":false,\"error\":\"Device or resource busy\"}\n");
	fixture->start_error = 0;
	say(fd, "stream letters\n");
	assert_string_equal(hear(fixture, fd), "{\"ok\":true,\"stream\":\"letters\"}\nbegin ");
	close(fd);
	run(fixture);
	assert_int_equal(fixture->finishing, 0);
	assert_int_equal(fixture->ended, 1);
}

/* All bytes arrive, in order, while they wrap around in the queue; what does not fit is refused whole. */
static void test_slow_stream(void **state)
{
	static char block[65536];
	struct fixture *fixture = *state;
	uint64_t pushed = 0, taken = 0;
	int fd = client(fixture);

	say(fd, "stream letters\n");
	(void)hear(fixture, fd);
	while (pushed < 3 * CONTROL_STREAM_QUEUE) {
		for (size_t i = 0; i < 60000; i++)
			block[i] = (char)((pushed + i) % 251);
		if (control_stream_push(fixture->stream, block, 60000) == 0) {
			pushed += 60000;
			continue;
		}
		assert_true(pushed - taken > CONTROL_STREAM_QUEUE - 60000);
		for (int rounds = 0; rounds < 20; rounds++) {
			ssize_t got;

			run(fixture);
			got = recv(fd, block, sizeof(block), MSG_DONTWAIT);
			assert_true(got > 0);
			for (ssize_t i = 0; i < got; i++)
				if (block[i] != (char)((taken + (uint64_t)i) % 251))
					fail_msg("byte %zu is not the one pushed",
						 (size_t)taken + (size_t)i);
			taken += (uint64_t)got;
		}
	}
	fixture->now_ns += 11 * SECOND; /* takes nothing for longer than is borne */
	for (int i = 0; i < 50; i++)
		run(fixture);
	assert_int_equal(fixture->ended, 1);
	close(fd);
}

static void test_slow_reader_is_dropped(void **state)
{
	struct fixture *fixture = *state;
	int fd = client(fixture);
	ssize_t got;
	char line[4096], requests[CONTROL_REQUEST_MAX] = "";

	for (int i = 0; i < 56; i++)
		strcat(requests, "dump numbers 2000\n");
	say(fd, requests);
	for (int i = 0; i < 200; i++)
		run(fixture);
	fixture->now_ns += 11 * SECOND;
	run(fixture);
	while ((got = recv(fd, line, sizeof(line), MSG_DONTWAIT)) > 0)
		;
	assert_int_equal(got, 0);
	close(fd);
}

static void test_permissions(void **state)
{
	struct fixture *fixture = *state;
	char directory[128];
	struct stat file;

	assert_int_equal(stat(fixture->path, &file), 0);
	assert_int_equal(file.st_mode & 07777, 0600);
	snprintf(directory, sizeof(directory), "%s/run", fixture->directory);
	assert_int_equal(stat(directory, &file), 0);
	assert_int_equal(file.st_mode & 07777, 0755);
}

static void test_second_server(void **state)
{
	struct fixture *fixture = *state;
	struct control_server *second = NULL;

	assert_int_equal(control_server_open(fixture->path, &table, &second), -EADDRINUSE);
	assert_null(second);
	run(fixture);
	assert_int_equal(access(fixture->path, F_OK), 0);
}

/* A socket file that its process left behind is replaced; anything else is not ours to remove. */
static void test_stale_files(void **state)
{
	struct fixture *fixture = *state;
	struct control_server *other = NULL;
	struct stat file;
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/stale", fixture->directory);
	fd = unix_socket_listen(path, &file);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(access(path, F_OK), 0);
	assert_int_equal(control_server_open(path, &table, &other), 0);
	control_server_close(&other);
	assert_int_equal(access(path, F_OK), -1);
	fd = open(path, O_CREAT | O_WRONLY, 0600);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(control_server_open(path, &table, &other), -EEXIST);
	assert_int_equal(access(path, F_OK), 0);
	unlink(path);
}

/* A file that has taken the place of ours stays. */
static void test_replaced_file(void **state)
{
	struct fixture *fixture = *state;
	struct control_server *other = NULL;
	char path[128];

	snprintf(path, sizeof(path), "%s/mine", fixture->directory);
	assert_int_equal(control_server_open(path, &table, &other), 0);
	unlink(path);
	close(open(path, O_CREAT | O_WRONLY, 0600));
	control_server_close(&other);
	assert_int_equal(access(path, F_OK), 0);
	unlink(path);
}

static void test_bad_paths(void **state)
{
	struct control_server *other = NULL;
	char path[200];

	(void)state;
	memset(path, 'x', sizeof(path));
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(control_server_open(path, &table, &other), -ENAMETOOLONG);
	assert_int_equal(control_server_open("", &table, &other), -EINVAL);
	assert_int_equal(control_server_open("/nonexistent/a/b/sock", &table, &other), -ENOENT);
	assert_int_equal(control_server_open("/proc/sonde.sock", &table, &other), -ENOENT);
}

/* Called from here so that they fail like our own. */
static void *json_malloc(size_t size)
{
	return malloc(size);
}

static void test_failing_allocations(void **state)
{
	struct fixture *fixture = *state;
	char path[128];

	snprintf(path, sizeof(path), "%s/failing", fixture->directory);
	json_set_alloc_funcs(json_malloc, free);
	FOR_EACH_FAILING_ALLOC(nth)
	{
		struct control_server *server = NULL;
		int fd;

		if (control_server_open(path, &table, &server) < 0)
			continue;
		fd = unix_socket_connect(path);
		assert_true(fd >= 0);
		say(fd, "dump numbers 3\ntopics\nstream letters\n");
		for (int i = 0; i < 8; i++)
			assert_int_equal(control_server_run(server, fixture->now_ns), 0);
		close(fd);
		control_server_close(&server);
		assert_int_equal(fixture->ended, fixture->started);
	}
	json_set_alloc_funcs(malloc, free);
}

#define WITH_SERVER(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_SERVER(test_answers),
		WITH_SERVER(test_lines),
		WITH_SERVER(test_request_too_long),
		WITH_SERVER(test_many_clients),
		WITH_SERVER(test_stream),
		WITH_SERVER(test_stream_refused),
		WITH_SERVER(test_slow_stream),
		WITH_SERVER(test_slow_reader_is_dropped),
		WITH_SERVER(test_permissions),
		WITH_SERVER(test_second_server),
		WITH_SERVER(test_stale_files),
		WITH_SERVER(test_replaced_file),
		WITH_SERVER(test_failing_allocations),
		cmocka_unit_test(test_bad_paths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
