/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "failing_alloc.h"

/* Standard error goes to a file between capture_begin and capture_end. */
struct capture {
	int file;
	int saved;
};

static void capture_begin(struct capture *capture)
{
	capture->file = open(".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	assert_true(capture->file >= 0);
	capture->saved = dup(STDERR_FILENO);
	assert_true(capture->saved >= 0);
	assert_int_equal(dup2(capture->file, STDERR_FILENO), STDERR_FILENO);
}

/* Returns what was written, as a string; the caller frees it. */
static char *capture_end(struct capture *capture)
{
	off_t size = lseek(capture->file, 0, SEEK_END);
	char *text;

	assert_int_equal(dup2(capture->saved, STDERR_FILENO), STDERR_FILENO);
	assert_true(size >= 0);
	text = calloc(1, (size_t)size + 1);
	assert_non_null(text);
	assert_int_equal(pread(capture->file, text, (size_t)size, 0), size);
	close(capture->saved);
	close(capture->file);
	return text;
}

static int level_restore(void **state)
{
	(void)state;
	log_set_level(LOG_LEVEL_INFO);
	return 0;
}

static void lines_name_their_level(void **state)
{
	_cleanup_free_ char *text = NULL;
	struct capture capture;

	(void)state;
	log_set_level(LOG_LEVEL_DEBUG);
	capture_begin(&capture);
	log_error("cannot open %s: %d", "/dev/null", 13);
	log_warn("w");
	log_info("i");
	log_debug("d");
	text = capture_end(&capture);
	assert_string_equal(text, "sonde: error: cannot open /dev/null: 13\n"
				  "sonde: warning: w\n"
				  "sonde: info: i\n"
				  "sonde: debug: d\n");
}

static void lines_above_the_level_are_dropped(void **state)
{
	static const char *const expected[] = {
		[LOG_LEVEL_ERROR] = "sonde: error: e\n",
		[LOG_LEVEL_WARN] = "sonde: error: e\nsonde: warning: w\n",
		[LOG_LEVEL_INFO] = "sonde: error: e\nsonde: warning: w\nsonde: info: i\n",
	};

	(void)state;
	assert_int_equal(log_level_now(), LOG_LEVEL_INFO); /* the default */
	for (enum log_level level = LOG_LEVEL_ERROR; level <= LOG_LEVEL_INFO; level++) {
		_cleanup_free_ char *text = NULL;
		struct capture capture;

		log_set_level(level);
		assert_int_equal(log_level_now(), level);
		capture_begin(&capture);
		log_error("e");
		log_warn("w");
		log_info("i");
		log_debug("d");
		text = capture_end(&capture);
		assert_string_equal(text, expected[level]);
	}
}

static void newline_is_added_once(void **state)
{
	_cleanup_free_ char *text = NULL;
	struct capture capture;

	(void)state;
	capture_begin(&capture);
	log_info("without");
	log_info("with\n");
	log_info("%s", "");
	text = capture_end(&capture);
	assert_string_equal(text, "sonde: info: without\nsonde: info: with\nsonde: info: \n");
}

/* Around the size of the line buffer: the line is cut, never the newline, and nothing runs over. */
static void long_lines_are_cut_and_end(void **state)
{
	(void)state;
	for (size_t length = 990; length < 1100; length++) {
		_cleanup_free_ char *text = NULL, *word = malloc(length + 1);
		struct capture capture;
		size_t written;

		assert_non_null(word);
		memset(word, 'x', length);
		word[length] = '\0';
		capture_begin(&capture);
		log_info("%s", word);
		text = capture_end(&capture);
		written = strlen(text);
		assert_int_equal(text[written - 1], '\n');
		assert_ptr_equal(strchr(text, '\n'), text + written - 1);
		assert_true(written <= 1024);
		assert_true(written == strlen("sonde: info: ") + length + 1 || written >= 1023);
	}
}

static void needs_no_memory(void **state)
{
	_cleanup_free_ char *text = NULL;
	struct capture capture;

	(void)state;
	capture_begin(&capture);
	failing_alloc_at(0);
	log_error("out of memory after %zu bytes", (size_t)1 << 40);
	assert_false(failing_alloc_stop());
	text = capture_end(&capture);
	assert_string_equal(text, "sonde: error: out of memory after 1099511627776 bytes\n");
}

static void *write_lines(void *letter)
{
	char word[200];

	memset(word, *(const char *)letter, sizeof(word) - 1);
	word[sizeof(word) - 1] = '\0';
	for (int i = 0; i < 500; i++)
		log_info("%s", word);
	return NULL;
}

static void threads_do_not_mix_lines(void **state)
{
	_cleanup_free_ char *text = NULL;
	struct capture capture;
	pthread_t threads[2];
	size_t lines = 0;

	(void)state;
	capture_begin(&capture);
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, write_lines,
						(void *)(uintptr_t) & "ab"[i]),
				 0);
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	text = capture_end(&capture);
	for (char *at = text, *end; (end = strchr(at, '\n')); at = end + 1, lines++) {
		size_t prefix = strlen("sonde: info: ");

		assert_int_equal(end - at, prefix + 199);
		assert_int_equal(strspn(at + prefix, (char[]){ at[prefix], '\0' }), 199);
	}
	assert_int_equal(lines, 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(lines_name_their_level, level_restore),
		cmocka_unit_test_teardown(lines_above_the_level_are_dropped, level_restore),
		cmocka_unit_test(newline_is_added_once),
		cmocka_unit_test(long_lines_are_cut_and_end),
		cmocka_unit_test(needs_no_memory),
		cmocka_unit_test(threads_do_not_mix_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
