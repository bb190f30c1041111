/* SPDX-License-Identifier: Apache-2.0 */
/* Answers that are long, bad, missing, or followed by a stream. */
#include "cli/control_client.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

struct pair {
	int ours;
	int theirs;
};

static struct pair make_pair(const char *answer, size_t length)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	assert_int_equal(write(fds[1], answer, length), length);
	return (struct pair){ fds[0], fds[1] };
}

static void close_pair(struct pair *pair)
{
	close(pair->ours);
	close(pair->theirs);
}

static void test_answer_then_stream(void **state)
{
	static const char sent[] = "{\"ok\":true,\"data\":[1]}\n\nbytes";
	struct pair pair = make_pair(sent, sizeof(sent));
	char request[32] = "", rest[16];
	json_t *answer = NULL;

	(void)state;
	assert_int_equal(control_client_ask(pair.ours, "dump x 1", &answer), 0);
	assert_int_equal(json_array_size(json_object_get(answer, "data")), 1);
	assert_int_equal(read(pair.theirs, request, sizeof(request)), 9);
	assert_string_equal(request, "dump x 1\n");
	assert_int_equal(read(pair.ours, rest, sizeof(rest)), 7);
	assert_string_equal(rest, "\nbytes");
	json_decref(answer);
	close_pair(&pair);
}

static void test_long_answer(void **state)
{
	size_t length = 150000;
	char *text = malloc(length);
	json_t *answer = NULL;
	struct pair pair;

	(void)state;
	assert_non_null(text);
	memset(text, ' ', length);
	memcpy(text, "{\"ok\":true", 10);
	memcpy(text + length - 2, "}\n", 2);
	pair = make_pair(text, length);
	assert_int_equal(control_client_ask(pair.ours, "x", &answer), 0);
	json_decref(answer);
	close_pair(&pair);
	free(text);
}

static void assert_refused(const char *sent, int error)
{
	struct pair pair = make_pair(sent, strlen(sent));
	json_t *answer = NULL;

	shutdown(pair.theirs, SHUT_WR);
	assert_int_equal(control_client_ask(pair.ours, "x", &answer), error);
	assert_null(answer);
	close_pair(&pair);
}

static void test_bad_answers(void **state)
{
	(void)state;
	assert_refused("{\"ok\":false,\"error\":\"no such topic\"}\n", -EREMOTEIO);
	assert_refused("{\"ok\":1}\n", -EREMOTEIO);
	assert_refused("not JSON\n", -EREMOTEIO);
	assert_refused("\n", -EREMOTEIO);
	assert_refused("{\"ok\":true}", -ECONNRESET);
	assert_refused("", -ECONNRESET);
}

static void test_nobody_there(void **state)
{
	(void)state;
	assert_int_equal(control_client_connect("/tmp/sonde-test-nobody/sock"), -ENOENT);
	assert_int_equal(control_client_connect(""), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answer_then_stream),
		cmocka_unit_test(test_long_answer),
		cmocka_unit_test(test_bad_answers),
		cmocka_unit_test(test_nobody_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
