/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>

#include "expected_file.h"
#include "export/metric_docs.h"
#include "failing_alloc.h"

static void docs_are_those_of_the_table(void **state)
{
	struct text_buffer buffer = { 0 };

	(void)state;
	assert_int_equal(metric_docs_render(&buffer), 0);
	assert_file_equal("docs/METRICS.md", buffer.bytes, buffer.length);
	text_buffer_done(&buffer);
}

static void without_memory(void **state)
{
	(void)state;
	FOR_EACH_FAILING_ALLOC(nth)
	{
		struct text_buffer buffer = { 0 };
		int err = metric_docs_render(&buffer);

		assert_int_equal(err, failing_alloc_has_failed() ? -ENOMEM : 0);
		text_buffer_done(&buffer);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(docs_are_those_of_the_table),
		cmocka_unit_test(without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
