/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "deliver/retry.h"

static void statuses_have_verdicts(void **state)
{
	static const struct {
		long status;
		enum retry_verdict verdict;
	} rows[] = {
		{ 0, RETRY_AGAIN },	  { 199, RETRY_REFUSED },   { 200, RETRY_DELIVERED },
		{ 202, RETRY_DELIVERED }, { 299, RETRY_DELIVERED }, { 301, RETRY_REFUSED },
		{ 400, RETRY_REFUSED },	  { 401, RETRY_REFUSED },   { 404, RETRY_REFUSED },
		{ 408, RETRY_REFUSED },	  { 413, RETRY_REFUSED },   { 429, RETRY_AGAIN },
		{ 500, RETRY_REFUSED },	  { 501, RETRY_REFUSED },   { 502, RETRY_AGAIN },
		{ 503, RETRY_AGAIN },	  { 504, RETRY_AGAIN },	    { 505, RETRY_REFUSED },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(retry_judge(rows[i].status), rows[i].verdict);
}

static void waits_double_up_to_a_bound(void **state)
{
	static const uint32_t most[] = { 1000, 2000, 4000, 8000, 16000, 32000, 32000, 32000 };

	(void)state;
	for (unsigned i = 0; i < sizeof(most) / sizeof(most[0]); i++) {
		assert_int_equal(retry_wait_ms(i + 1, 0, 0), most[i] / 2);
		assert_int_equal(retry_wait_ms(i + 1, 0, UINT32_MAX), most[i] - 1);
		assert_int_equal(retry_wait_ms(i + 1, 0, UINT32_MAX / 2 + 1), most[i] / 4 * 3);
	}
	assert_int_equal(retry_wait_ms(UINT32_MAX, 0, 0), 16000);
}

static void servers_say_when(void **state)
{
	(void)state;
	assert_int_equal(retry_wait_ms(1, 7, 0), 7000);
	assert_int_equal(retry_wait_ms(9, 7, UINT32_MAX), 7000);
	assert_int_equal(retry_wait_ms(1, 300, 0), 300000);
	assert_int_equal(retry_wait_ms(1, 301, 0), 300000);
	assert_int_equal(retry_wait_ms(1, UINT64_MAX, 0), 300000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(statuses_have_verdicts),
		cmocka_unit_test(waits_double_up_to_a_bound),
		cmocka_unit_test(servers_say_when),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
