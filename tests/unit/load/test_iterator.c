/* SPDX-License-Identifier: Apache-2.0 */
/* Records of an iterator, however reads cut them. */
#include "load/iterator.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "failing_alloc.h"
#include "fake_libbpf.h"

#define RECORDS 3000

struct record {
	uint64_t number;
	uint64_t check;
	uint64_t more[3]; /* 40 bytes: no power of two, so reads of the buffer's size end inside one */
};

struct visits {
	uint64_t count;
	bool is_wrong;
};

static void visit(void *context, const void *record)
{
	struct visits *visits = context;
	const struct record *one = record;

	visits->is_wrong |= one->number != visits->count || one->check != ~one->number;
	visits->count++;
}

/* A file in place of the kernel's; extra bytes at its end are no record. */
static void write_records(const char *path, size_t extra)
{
	FILE *file = fopen(path, "we");

	assert_non_null(file);
	for (uint64_t i = 0; i < RECORDS; i++) {
		struct record one = { .number = i, .check = ~i };

		assert_int_equal(fwrite(&one, sizeof(one), 1, file), 1);
	}
	for (size_t i = 0; i < extra; i++)
		(void)fputc('x', file);
	fclose(file);
}

static void test_records(void **state)
{
	char path[] = "/tmp/sonde-iterator-XXXXXX";
	int made = mkstemp(path);

	(void)state;
	assert_true(made >= 0);
	close(made);
	for (size_t extra = 0; extra < sizeof(struct record); extra += 13) {
		struct visits visits = { 0 };

		fake_reset();
		write_records(path, extra);
		fake_iterator_path = path;
		assert_int_equal(iterator_run(3, sizeof(struct record), visit, &visits), 0);
		assert_int_equal(visits.count, RECORDS);
		assert_false(visits.is_wrong);
	}
	unlink(path);
}

static void test_none(void **state)
{
	struct visits visits = { 0 };

	(void)state;
	fake_reset();
	assert_int_equal(iterator_run(3, 0, NULL, NULL), 0);
	assert_int_equal(iterator_run(3, sizeof(struct record), visit, &visits), 0);
	assert_int_equal(visits.count, 0);
}

static void test_failures(void **state)
{
	struct visits visits = { 0 };

	(void)state;
	fake_reset();
	fake_fail(FAKE_ITERATE, NULL, EPERM);
	assert_int_equal(iterator_run(3, sizeof(struct record), visit, &visits), -EPERM);
	fake_reset();
	fake_fail(FAKE_ITERATE_READ, NULL, EIO);
	assert_int_equal(iterator_run(3, sizeof(struct record), visit, &visits), -EISDIR);
	fake_reset();
	failing_alloc_at(0);
	assert_int_equal(iterator_run(3, sizeof(struct record), visit, &visits), -ENOMEM);
	assert_true(failing_alloc_stop());
	assert_int_equal(visits.count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_records),
		cmocka_unit_test(test_none),
		cmocka_unit_test(test_failures),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
