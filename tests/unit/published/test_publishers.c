/* SPDX-License-Identifier: Apache-2.0 */
/* When processes are looked at, and what the kernel side is told. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "failing_alloc.h"
#include "published/publishers.h"

#define LIMIT 4

static struct fake {
	struct publishers *publishers;
	int found; /* what the next looks give */
	int set;   /* what the kernel side says */
	unsigned looks;
	char log[256];
} fake;

static void say(const char *what, uint32_t tgid)
{
	char line[32];

	(void)snprintf(line, sizeof(line), "%s %u;", what, tgid);
	strncat(fake.log, line, sizeof(fake.log) - strlen(fake.log) - 1);
}

static int find(void *context, uint32_t tgid, struct thread_place *ret_place)
{
	assert_ptr_equal(context, &fake);
	(void)tgid;
	fake.looks++;
	if (!fake.found)
		*ret_place = (struct thread_place){ -8, 0, THREAD_PLACE_STATIC };
	return fake.found;
}

static int set(void *context, uint32_t tgid, const struct thread_place *place)
{
	assert_ptr_equal(context, &fake);
	if (place && fake.set)
		return fake.set;
	say(place ? "set" : "unset", tgid);
	return 0;
}

static void unplaced(void *context, uint32_t tgid)
{
	(void)context;
	say("unplaced", tgid);
}

static const struct publishers_feedback feedback = { &fake, find, set, unplaced };

static int setup(void **state)
{
	(void)state;
	fake = (struct fake){ .publishers = publishers_new(LIMIT, &feedback) };
	return fake.publishers ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	publishers_free(&fake.publishers);
	return 0;
}

static void expect(const char *expected)
{
	assert_string_equal(fake.log, expected);
	fake.log[0] = '\0';
}

static void offer(uint32_t tgid, uint64_t identity, uint64_t second)
{
	publishers_begin(fake.publishers);
	publishers_offer(fake.publishers, tgid, identity, second * NS_PER_SECOND);
	publishers_end(fake.publishers);
}

static struct publishers_figures figures(void)
{
	struct publishers_figures figures;

	publishers_read(fake.publishers, &figures);
	return figures;
}

static void looks_grow_rare(void **state)
{
	(void)state;
	fake.found = -ENOENT;
	for (uint64_t second = 1; second <= 200; second++)
		offer(7, 1, second);
	assert_int_equal(fake.looks, 9); /* at 1, 2, 4 … 64, 128 and then each 64 s */
	expect("");
	fake.found = 0; /* a library was loaded */
	offer(7, 1, 300);
	expect("set 7;");
	assert_int_equal(figures().placed, 1);
	fake.found = -ENOENT; /* and unloaded */
	offer(7, 1, 400);
	expect("unset 7;");
	assert_int_equal(figures().placed, 0);
}

static void another_program(void **state)
{
	(void)state;
	fake.found = -ENOENT;
	offer(7, 1, 1);
	offer(7, 2, 1);
	assert_int_equal(fake.looks, 2);
}

static void not_ready_yet(void **state)
{
	(void)state;
	fake.found = -EAGAIN;
	for (uint64_t second = 1; second <= 20; second++)
		offer(7, 1, second);
	assert_in_range(fake.looks, 10, 20);
}

static void gone(void **state)
{
	(void)state;
	offer(7, 1, 1);
	expect("set 7;");
	offer(8, 1, 2);
	expect("set 8;unset 7;");
	assert_int_equal(figures().held, 1);
	assert_int_equal(figures().placed, 1);
}

static void told_once(void **state)
{
	(void)state;
	fake.found = -ENOTSUP;
	for (uint64_t second = 1; second <= 20; second++)
		offer(7, 1, second);
	expect("unplaced 7;");
	assert_int_equal(figures().unplaced, 1);
	fake.found = -EPERM;
	offer(7, 1, 100);
	assert_int_equal(figures().unplaced, 0);
	assert_int_equal(figures().unreadable, 1);
}

static void no_room(void **state)
{
	(void)state;
	publishers_begin(fake.publishers);
	for (uint32_t tgid = 1; tgid <= LIMIT + 2; tgid++)
		publishers_offer(fake.publishers, tgid, 1, 1);
	publishers_end(fake.publishers);
	assert_int_equal(figures().held, LIMIT);
	assert_int_equal(figures().refused, 2);
	fake.set = -ENOENT; /* the kernel's table is full */
	publishers_begin(fake.publishers);
	publishers_offer(fake.publishers, 1, 2, 2);
	publishers_end(fake.publishers);
	assert_int_equal(figures().placed, 0);
	assert_int_equal(figures().unplaced, 1);
}

static void looks_are_bounded(void **state)
{
	struct publishers *many = publishers_new(1000, &feedback);

	(void)state;
	assert_non_null(many);
	publishers_begin(many);
	for (uint32_t tgid = 1; tgid <= 100; tgid++)
		publishers_offer(many, tgid, 1, 1);
	publishers_end(many);
	assert_int_equal(fake.looks, 32);
	publishers_free(&many);
}

static void allocations_fail(void **state)
{
	(void)state;
	FOR_EACH_FAILING_ALLOC(nth)
	{
		struct publishers *publishers = publishers_new(LIMIT, &feedback);

		if (!publishers)
			continue;
		publishers_begin(publishers);
		publishers_offer(publishers, 7, 1, 1);
		publishers_end(publishers);
		publishers_free(&publishers);
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(looks_grow_rare),	 TEST(another_program),
		TEST(not_ready_yet),	 TEST(gone),
		TEST(told_once),	 TEST(no_room),
		TEST(looks_are_bounded), TEST(allocations_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
