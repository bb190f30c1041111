/* SPDX-License-Identifier: Apache-2.0 */
/* What is no ring is refused, and nothing of it is kept. Real rings: tests/bpf. */
#include "ring/consumer.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <bpf/libbpf.h>
#include <cmocka.h>

#include "config_abi.h"

static int count_files(void)
{
	DIR *folder = opendir("/proc/self/fd");
	int count = 0;

	assert_non_null(folder);
	while (readdir(folder))
		count++;
	closedir(folder);
	return count;
}

static void visit(void *context, const void *bytes, size_t length)
{
	(void)context;
	(void)bytes;
	(void)length;
	fail();
}

static void expect_refused(const int *rings, size_t count, int error)
{
	struct ring_consumer *consumer = NULL;
	int before = count_files();

	assert_int_equal(ring_consumer_new(rings, count, visit, NULL, &consumer), error);
	assert_null(consumer);
	assert_int_equal(count_files(), before);
}

static void test_counts(void **state)
{
	const int rings[RING_MAX + 1] = { 0 };

	(void)state;
	expect_refused(rings, 0, -EINVAL);
	expect_refused(rings, 1, -EINVAL); /* process events and no connections */
	expect_refused(rings, RING_MAX + 1, -EINVAL);
}

static void test_no_descriptors(void **state)
{
	const int rings[] = { -1, -1 };

	(void)state;
	expect_refused(rings, 2, -EBADF);
}

/* It can be mapped, so that the refusal comes after that. */
static void test_no_rings(void **state)
{
	int memory = memfd_create("no ring", MFD_CLOEXEC);
	const int rings[] = { memory, memory };

	(void)state;
	assert_true(memory >= 0);
	assert_int_equal(ftruncate(memory, 1 << 16), 0);
	libbpf_set_print(NULL);
	expect_refused(rings, 2, -EINVAL);
	close(memory);
}

static void test_free_nothing(void **state)
{
	struct ring_consumer *none = NULL;

	(void)state;
	ring_consumer_free(&none);
	assert_null(none);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_counts),
		cmocka_unit_test(test_no_descriptors),
		cmocka_unit_test(test_no_rings),
		cmocka_unit_test(test_free_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
