/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli/socket_option.h"

/* A command with an option of its own beside it. */
struct options {
	const char *socket;
	int is_json;
};

static error_t parse_option(int key, char *argument, struct argp_state *state)
{
	struct options *options = state->input;

	(void)argument;
	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &options->socket;
		return 0;
	case 'j':
		options->is_json = 1;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static struct options parse(char **argv)
{
	static const struct argp_option own[] = { { "json", 'j', NULL, 0, "", 0 }, { 0 } };
	static const struct argp argp = { .options = own,
					  .parser = parse_option,
					  .children = socket_option };
	struct options options = { 0 };
	int argc = 0;

	while (argv[argc])
		argc++;
	assert_int_equal(argp_parse(&argp, argc, argv, ARGP_SILENT, NULL, &options), 0);
	return options;
}

static void has_a_default(void **state)
{
	(void)state;
	assert_string_equal(parse((char *[]){ "sonde", NULL }).socket, CONTROL_SOCKET_DEFAULT);
}

static void takes_a_path(void **state)
{
	(void)state;
	assert_string_equal(parse((char *[]){ "sonde", "--socket", "/a", NULL }).socket, "/a");
	assert_string_equal(parse((char *[]){ "sonde", "--socket=/b", NULL }).socket, "/b");
	assert_string_equal(parse((char *[]){ "sonde", "-s/c", NULL }).socket, "/c");
}

static void leaves_other_options_alone(void **state)
{
	struct options options = parse((char *[]){ "sonde", "-j", "-s", "/a", NULL });

	(void)state;
	assert_true(options.is_json);
	assert_string_equal(options.socket, "/a");
	assert_string_equal(parse((char *[]){ "sonde", "-j", NULL }).socket,
			    CONTROL_SOCKET_DEFAULT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(has_a_default),
		cmocka_unit_test(takes_a_path),
		cmocka_unit_test(leaves_other_options_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
