/* SPDX-License-Identifier: Apache-2.0 */
/* The rule, case by case. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "aggregate/verdict.h"

#define MS 1000000ull

static struct histogram *usual;
static struct request request;
static struct verdict verdict;

static int begin(void **state)
{
	(void)state;
	usual = histogram_new(&bucket_layouts[BUCKETS_REQUEST]);
	memset(&request, 0, sizeof(request));
	memset(&verdict, 0, sizeof(verdict));
	return 0;
}

static int end(void **state)
{
	(void)state;
	histogram_free(&usual);
	return 0;
}

static void learn(unsigned count, uint64_t duration_ns)
{
	while (count--)
		histogram_observe(usual, duration_ns);
}

/* One that took so long, all in this part. */
static bool judge(enum time_part part, uint64_t ns)
{
	memset(&request.usage, 0, sizeof(request.usage));
	request.usage.part_ns[part] = ns;
	request.end_ns = request.start_ns + (part < TIME_PARTS_WITHIN ? ns : 0);
	return verdict_read(&request, usual, verdict_total_ns(&request), &verdict);
}

static void every_part_is_a_cause(void **state)
{
	(void)state;
	learn(1000, 5 * MS);
	for (unsigned part = 0; part < TIME_PART_COUNT; part++) {
		assert_true(judge(part, 50 * MS));
		if (part == TIME_UNACCOUNTED)
			assert_null(verdict.cause);
		else
			assert_string_equal(verdict.cause, time_part_name(part));
		assert_string_equal(verdict_label(&verdict), time_part_name(part));
	}
}

static void usual_ones_are_not_slow(void **state)
{
	(void)state;
	learn(1000, 50 * MS);
	assert_false(judge(TIME_BLOCKED, 50 * MS));
	assert_false(judge(TIME_BLOCKED, 59 * MS)); /* slower than all, but not by much */
	assert_true(judge(TIME_BLOCKED, 65 * MS));
}

static void one_in_a_hundred_may_be_slow(void **state)
{
	(void)state;
	learn(950, 1 * MS);
	learn(50, 80 * MS);
	assert_false(judge(TIME_BLOCKED, 70 * MS));
	assert_true(judge(TIME_BLOCKED, 100 * MS));
}

static void what_is_not_learned_must_be_very_slow(void **state)
{
	(void)state;
	learn(SLOW_LEARNED - 1, 1 * MS);
	assert_false(judge(TIME_BLOCKED, 999 * MS));
	assert_true(judge(TIME_BLOCKED, 1000 * MS));
	learn(1, 1 * MS);
	assert_true(judge(TIME_BLOCKED, 999 * MS));
	histogram_free(&usual);
	assert_false(judge(TIME_BLOCKED, 999 * MS));
}

static void a_cause_has_half_of_the_time(void **state)
{
	(void)state;
	learn(1000, 1 * MS);
	request.end_ns = 40 * MS;
	request.usage.part_ns[TIME_ON_CPU] = 25 * MS;
	request.usage.part_ns[TIME_RUN_QUEUE] = 15 * MS;
	request.usage.part_ns[TIME_RECEIVE_QUEUE] = 10 * MS;
	assert_int_equal(verdict_total_ns(&request), 50 * MS);
	assert_true(verdict_read(&request, usual, 50 * MS, &verdict));
	assert_string_equal(verdict.cause, "on_cpu");
	assert_true(verdict.share == 0.5);
	request.usage.part_ns[TIME_ON_CPU] = 24 * MS;
	request.usage.part_ns[TIME_RUN_QUEUE] = 16 * MS;
	assert_true(verdict_read(&request, usual, 50 * MS, &verdict));
	assert_null(verdict.cause);
	assert_string_equal(verdict_label(&verdict), "mixed");
}

/* One that took so long, all of it a wait for the other end, while so many segments were sent again. */
static const char *judge_retransmits(enum conn_role role, enum time_part part, uint64_t ns,
				     uint32_t times)
{
	request.role = role;
	request.has_tcp = true;
	request.tcp = (struct request_tcp){ .retransmits = times, .rtt_ns = 10 * MS };
	assert_true(judge(part, ns));
	return verdict.cause;
}

static void so_many_time_outs_explain_so_much(void **state)
{
	(void)state;
	learn(1000, 5 * MS);
	assert_string_equal(judge_retransmits(ROLE_CLIENT, TIME_NETWORK, 210 * MS, 1),
			    "retransmits");
	assert_true(verdict.share == 1);
	assert_string_equal(judge_retransmits(ROLE_CLIENT, TIME_NETWORK, 440 * MS, 1),
			    "retransmits");
	assert_true(verdict.share == 0.5);
	assert_string_equal(judge_retransmits(ROLE_CLIENT, TIME_NETWORK, 450 * MS, 1), "network");
	assert_string_equal(judge_retransmits(ROLE_CLIENT, TIME_NETWORK, 640 * MS, 2),
			    "retransmits");
	assert_string_equal(judge_retransmits(ROLE_CLIENT, TIME_UNACCOUNTED, 200 * MS, 1),
			    "retransmits");
	assert_string_equal(judge_retransmits(ROLE_SERVER, TIME_SEND, 200 * MS, 1000000),
			    "retransmits");
}

static void without_a_wait_for_the_other_end_they_explain_nothing(void **state)
{
	(void)state;
	learn(1000, 5 * MS);
	assert_string_equal(judge_retransmits(ROLE_CLIENT, TIME_NETWORK, 210 * MS, 0), "network");
	assert_string_equal(judge_retransmits(ROLE_CLIENT, TIME_ON_CPU, 210 * MS, 1), "on_cpu");
	assert_string_equal(judge_retransmits(ROLE_SERVER, TIME_NETWORK, 210 * MS, 1), "network");
	request.tcp.rwnd_limited_ns = 150 * MS; /* the other end did not read */
	request.tcp.retransmits = 1;
	assert_true(judge(TIME_SEND, 210 * MS));
	assert_string_equal(verdict.cause, "send");
	request.has_tcp = false;
	assert_true(judge(TIME_SEND, 210 * MS));
	assert_string_equal(verdict.cause, "send");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(every_part_is_a_cause, begin, end),
		cmocka_unit_test_setup_teardown(usual_ones_are_not_slow, begin, end),
		cmocka_unit_test_setup_teardown(one_in_a_hundred_may_be_slow, begin, end),
		cmocka_unit_test_setup_teardown(what_is_not_learned_must_be_very_slow, begin, end),
		cmocka_unit_test_setup_teardown(a_cause_has_half_of_the_time, begin, end),
		cmocka_unit_test_setup_teardown(so_many_time_outs_explain_so_much, begin, end),
		cmocka_unit_test_setup_teardown(
			without_a_wait_for_the_other_end_they_explain_nothing, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
