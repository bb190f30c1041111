/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <sys/syscall.h>

#include "decode/call_name.h"
#include "event_abi.h"

static void names_calls_of_each_table(void **state)
{
	(void)state;
	assert_string_equal(syscall_name(__NR_openat), "openat");
#ifdef __x86_64__
	assert_string_equal(syscall_name(6 | SYSCALL_COMPAT_BIT), "compat_close");
	assert_string_equal(syscall_name(__NR_getpid | SYSCALL_X32_BIT), "x32_getpid");
	assert_string_equal(syscall_name(514 | SYSCALL_X32_BIT), "x32_ioctl");
#endif
}

static void names_by_number_what_nobody_knows(void **state)
{
	(void)state;
	assert_string_equal(syscall_name(700), "syscall_700");
	assert_string_equal(syscall_name(SYSCALL_NR_BEYOND - 1), "syscall_1023");
	assert_string_equal(syscall_name(700 | SYSCALL_COMPAT_BIT), "compat_syscall_700");
	assert_string_equal(syscall_name(700 | SYSCALL_X32_BIT), "x32_syscall_700");
}

static void keeps_no_names_beyond(void **state)
{
	(void)state;
	assert_string_equal(syscall_name(SYSCALL_NR_BEYOND), "unknown");
	assert_string_equal(syscall_name(SYSCALL_NR_BEYOND | SYSCALL_COMPAT_BIT), "unknown");
	assert_string_equal(syscall_name(UINT16_MAX), "unknown");
}

/* Labels are compared by address on the way to a series. */
static void gives_the_same_name_again(void **state)
{
	(void)state;
	assert_ptr_equal(syscall_name(700), syscall_name(700));
	assert_ptr_equal(syscall_name(__NR_read), syscall_name(__NR_read));
}

static void names_errors(void **state)
{
	(void)state;
	assert_string_equal(errno_name(ENOENT), "ENOENT");
	assert_string_equal(errno_name(512), "ERESTARTSYS");
	assert_string_equal(errno_name(516), "ERESTART_RESTARTBLOCK");
	assert_string_equal(errno_name(4095), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_calls_of_each_table),
		cmocka_unit_test(names_by_number_what_nobody_knows),
		cmocka_unit_test(keeps_no_names_beyond),
		cmocka_unit_test(gives_the_same_name_again),
		cmocka_unit_test(names_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
