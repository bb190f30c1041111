/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <math.h>
#include <string.h>

#include "export/text_buffer.h"
#include "failing_alloc.h"

static void assert_text(struct text_buffer *buffer, const char *expected)
{
	assert_int_equal(text_buffer_error(buffer), 0);
	assert_int_equal(buffer->length, strlen(expected));
	assert_memory_equal(buffer->bytes, expected, buffer->length);
	text_buffer_done(buffer);
}

static void numbers(void **state)
{
	struct text_buffer buffer = { 0 };

	(void)state;
	text_append_u64(&buffer, 0);
	text_append_string(&buffer, " ");
	text_append_u64(&buffer, UINT64_MAX);
	assert_text(&buffer, "0 18446744073709551615");
}

static void assert_double(double number, const char *expected)
{
	struct text_buffer buffer = { 0 };

	text_append_double(&buffer, number);
	assert_text(&buffer, expected);
}

static void doubles(void **state)
{
	(void)state;
	assert_double(0, "0");
	assert_double(-3, "-3");
	assert_double(0.1, "0.1");
	assert_double(1732222222.25, "1732222222.25");
	assert_double(0.1 + 0.2, "0.30000000000000004");
	assert_double(123456789012, "123456789012");
	assert_double(NAN, "NaN");
	assert_double(INFINITY, "+Inf");
	assert_double(-INFINITY, "-Inf");
}

static void assert_seconds(uint64_t ns, const char *expected)
{
	struct text_buffer buffer = { 0 };

	text_append_seconds(&buffer, ns);
	assert_text(&buffer, expected);
}

static void seconds_are_exact(void **state)
{
	(void)state;
	assert_seconds(0, "0");
	assert_seconds(1, "0.000000001");
	assert_seconds(100000, "0.0001");
	assert_seconds(1500000000, "1.5");
	assert_seconds(10000000000, "10");
	assert_seconds(UINT64_MAX, "18446744073.709551615");
}

static void grows_and_stays_whole(void **state)
{
	struct text_buffer buffer = { 0 };

	(void)state;
	for (uint64_t i = 100000; i < 120000; i++)
		text_append_u64(&buffer, i);
	assert_int_equal(buffer.length, 120000);
	assert_memory_equal(buffer.bytes + 119994, "119999", 6);
	text_buffer_done(&buffer);
	assert_null(buffer.bytes);
	text_append(&buffer, "", 0);
	assert_null(buffer.bytes);
}

static void failure_is_remembered(void **state)
{
	struct text_buffer buffer = { 0 };

	(void)state;
	failing_alloc_at(0);
	text_append_string(&buffer, "lost");
	assert_true(failing_alloc_stop());
	text_append_string(&buffer, "also lost");
	assert_int_equal(text_buffer_error(&buffer), -ENOMEM);
	assert_int_equal(buffer.length, 0);
	text_buffer_done(&buffer);
	assert_int_equal(text_buffer_error(&buffer), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers),
		cmocka_unit_test(doubles),
		cmocka_unit_test(seconds_are_exact),
		cmocka_unit_test(grows_and_stays_whole),
		cmocka_unit_test(failure_is_remembered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
