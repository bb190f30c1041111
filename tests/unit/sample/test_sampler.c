/* SPDX-License-Identifier: Apache-2.0 */
/* Which spans are kept, and that what they say they count for adds up to all there were. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "failing_alloc.h"
#include "protocol/protocol.h"
#include "protocol/trace_probability.h"
#include "sample/sampler.h"

#define MS 1000000ull

static struct sampling_rules rules;
static struct sampler *sampler;
static struct process process;
static struct request request;
static struct span_identity span, decided;
static struct trace_probability upstream;
static const char *tracestate;
static char route[32];

static void prepare(const char *text)
{
	char why[SAMPLING_WHY_MAX];

	sampler_free(&sampler);
	sampling_rules_init(&rules);
	if (text)
		assert_int_equal(sampling_rules_add(&rules, text, why), 0);
	process = (struct process){ .service = "shop" };
	span = (struct span_identity){ .flags = TRACE_FLAG_SAMPLED };
	strcpy(route, "/a");
	request = (struct request){ .start_ns = 1000 * NS_PER_SECOND,
				    .end_ns = 1000 * NS_PER_SECOND + MS,
				    .protocol = &protocol_http1,
				    .process = &process,
				    .span = &span,
				    .role = ROLE_SERVER };
	request.attributes[ATTRIBUTE_HTTP_REQUEST_METHOD] = "GET";
	request.attributes[ATTRIBUTE_HTTP_ROUTE] = route;
}

static void start(const char *text)
{
	prepare(text);
	sampler = sampler_new(&rules);
	assert_non_null(sampler);
}

static int teardown(void **state)
{
	(void)state;
	sampler_free(&sampler);
	return 0;
}

/* xorshift64* (Vigna, "An experimental exploration of Marsaglia's xorshift generators", 2014) */
static uint64_t next_random(void)
{
	static uint64_t number = 88172645463325252u;

	number ^= number >> 12;
	number ^= number << 25;
	number ^= number >> 27;
	return number * 2685821657736338717u;
}

static void set_randomness(uint64_t randomness)
{
	for (int i = 0; i < 7; i++)
		span.trace_id[15 - i] = (uint8_t)(randomness >> 8 * i);
	span.trace_id[0] = 1;
}

static bool decide(void)
{
	sampler_decide(sampler, &request, &decided, &tracestate);
	return decided.is_sampled;
}

static bool decide_random(void)
{
	set_randomness(next_random() >> 8);
	return decide();
}

static void expect(bool is_kept, const char *want)
{
	assert_int_equal(decide(), is_kept);
	if (!want)
		assert_null(tracestate);
	else
		assert_string_equal(tracestate, want);
}

static struct sampler_figures figures(void)
{
	struct sampler_figures figures;

	sampler_read(sampler, &figures);
	return figures;
}

/* As a backend counts. */
static double adjusted_count(void)
{
	struct trace_probability probability;

	trace_probability_read(tracestate, &probability);
	assert_true(probability.has_threshold);
	return 0x1p56 / (0x1p56 - (double)probability.threshold);
}

static void without_rules_all_are_kept_as_they_are(void **state)
{
	(void)state;
	start(NULL);
	expect(true, NULL);
	request.tracestate = "a=b,ot=rv:00000000000001";
	request.upstream = &upstream;
	upstream = (struct trace_probability){ .randomness = 1, .has_randomness = true };
	expect(true, "a=b,ot=rv:00000000000001");
	span.flags = 0;
	expect(true, "a=b,ot=rv:00000000000001");
	assert_int_equal(decided.flags, TRACE_FLAG_SAMPLED);
	assert_int_equal(figures().kept[SAMPLING_RATIO], 3);
	/* What one span of a caller's counts for is not what ours does: there was none that we did not keep. */
	request.tracestate = "a=b,ot=th:8";
	trace_probability_read(request.tracestate, &upstream);
	expect(true, "ot=th:0,a=b");
}

static void a_ratio_goes_by_the_trace_id(void **state)
{
	(void)state;
	start("ratio=0.25");
	set_randomness(0xbfffffffffffff);
	expect(false, NULL);
	set_randomness(0xc0000000000000);
	expect(true, "ot=th:c");
	/* The same way whose side it is, and whatever the caller did. */
	request.role = ROLE_CLIENT;
	span.flags = 0;
	upstream = (struct trace_probability){ 0 };
	request.upstream = &upstream;
	expect(true, "ot=th:c");
	upstream = (struct trace_probability){ .randomness = 5, .has_randomness = true };
	request.tracestate = "a=b";
	expect(false, NULL);
	upstream.randomness = 0xd0000000000000;
	expect(true, "ot=th:c;rv:d0000000000000,a=b");
	assert_int_equal(figures().kept[SAMPLING_RATIO], 3);
	assert_int_equal(figures().unkept[SAMPLING_RATIO], 2);
}

static void a_parent_decides(void **state)
{
	(void)state;
	start("errors,parent,ratio=0.5");
	set_randomness(0x90000000000000);
	expect(true, "ot=th:8"); /* nobody before us */
	request.upstream = &upstream;
	upstream = (struct trace_probability){ 0 };
	expect(true, NULL); /* what it counts for is not known */
	span.flags = 0;
	expect(false, NULL);
	request.attributes[ATTRIBUTE_ERROR_TYPE] = "500";
	expect(true, "ot=th:0");
	assert_int_equal(decided.flags, TRACE_FLAG_SAMPLED);
	request.attributes[ATTRIBUTE_ERROR_TYPE] = NULL;
	span.flags = TRACE_FLAG_SAMPLED;
	request.tracestate = "ot=th:4;x:y,a=b";
	trace_probability_read(request.tracestate, &upstream);
	expect(true, "ot=th:4;x:y,a=b");
	set_randomness(0x3fffffffffffff); /* then it was not sampled by that */
	expect(true, "ot=x:y,a=b");
	assert_int_equal(figures().kept[SAMPLING_PARENT], 3);
	assert_int_equal(figures().unkept[SAMPLING_PARENT], 1);
	assert_int_equal(figures().kept[SAMPLING_ERROR], 1);
}

static void slow_ones_are_kept(void **state)
{
	unsigned kept = 0;

	(void)state;
	start("slow=p99,ratio=0");
	request.end_ns = request.start_ns + 500 * MS;
	assert_false(decide()); /* nothing is known yet */
	for (unsigned i = 0; i < 10000; i++) {
		request.end_ns = request.start_ns + 10 * MS + next_random() % (10 * MS);
		kept += decide();
	}
	assert_int_equal(kept, 0); /* they are all alike */
	request.end_ns = request.start_ns + 30 * MS;
	expect(true, "ot=th:0");
	strcpy(route, "/b"); /* of which nothing is known */
	expect(false, NULL);
	strcpy(route, "/a");
	/* What has become usual is not slow any more. */
	for (unsigned i = 0; i < 2 * ROUTE_MEMORY_HALVED; i++)
		kept += decide();
	assert_in_range(kept, 10, 90); /* as all were halved meanwhile: of 10000, 1 % is more */
	expect(false, NULL);
	assert_int_equal(figures().kept[SAMPLING_SLOW], kept + 1);
	assert_int_equal(figures().routes.count, 2);
}

static void a_floor_is_of_each_minute(void **state)
{
	unsigned kept = 0;

	(void)state;
	start("floor=5@GET /a*,floor=2@*b,ratio=0");
	for (unsigned i = 0; i < 300; i++) {
		request.end_ns = (6000 + i) * NS_PER_SECOND;
		kept += decide();
	}
	assert_int_equal(kept, 25); /* from 100 to 104 minutes, both */
	strcpy(route, "/b");
	kept = 0;
	for (unsigned i = 0; i < 10; i++)
		kept += decide();
	assert_int_equal(kept, 2);
	strcpy(route, "/c");
	assert_false(decide());
	assert_int_equal(figures().kept[SAMPLING_FLOOR], 27);
}

static void routes_beyond_the_table_take_the_oldest_place(void **state)
{
	(void)state;
	start("floor=1,ratio=0");
	for (unsigned i = 0; i < ROUTE_MEMORY_MAX + 10; i++) {
		snprintf(route, sizeof(route), "/%u", i);
		assert_true(decide());
	}
	assert_int_equal(figures().routes.count, ROUTE_MEMORY_MAX);
	assert_int_equal(figures().routes.evicted, 10);
	assert_false(decide());
	strcpy(route, "/0"); /* forgotten */
	assert_true(decide());
}

/* Kept and unkept together are all; what the kept count for comes to the same, but for chance. */
static void counts_stay_correct(void **state)
{
	static const struct {
		const char *rules;
		double ratio;
	} rows[] = {
		{ "ratio=0.1", 0.1 },
		{ "ratio=0.003", 0.003 },
		{ "errors,slow=p95,floor=7,ratio=0.05", 0.05 },
		{ "errors,parent,ratio=0.01", 0.01 },
	};
	const unsigned all = 100000;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		double sum = 0, bound = 4 * sqrt(all * (1 - rows[i].ratio) / rows[i].ratio);
		struct sampler_figures got;
		uint64_t counted = 0;

		start(rows[i].rules);
		for (unsigned n = 0; n < all; n++) {
			request.attributes[ATTRIBUTE_ERROR_TYPE] = n % 50 ? NULL : "500";
			request.end_ns = request.start_ns + 5 * MS + next_random() % (30 * MS);
			request.start_ns += MS;
			snprintf(route, sizeof(route), "/%u", n % 7);
			if (decide_random())
				sum += adjusted_count();
		}
		assert_true(fabs(sum - all) < bound);
		got = figures();
		for (unsigned reason = 0; reason < SAMPLING_REASON_COUNT; reason++)
			counted += got.kept[reason] + got.unkept[reason];
		assert_int_equal(counted, all);
	}
}

/* A tracer that samples by ratio itself, and says so: its spans count for those that we drop with it. */
static void counts_stay_correct_below_a_tracer(void **state)
{
	const unsigned all = 100000;
	double sum = 0;

	(void)state;
	start("errors,parent,ratio=1");
	request.upstream = &upstream;
	for (unsigned n = 0; n < all; n++) {
		uint64_t randomness = next_random() >> 8;

		set_randomness(randomness);
		request.attributes[ATTRIBUTE_ERROR_TYPE] = n % 20 ? NULL : "500";
		request.tracestate = randomness >= 0xc0000000000000 ? "ot=th:c" : NULL;
		trace_probability_read(request.tracestate, &upstream);
		span.flags = request.tracestate ? TRACE_FLAG_SAMPLED : 0;
		if (decide())
			sum += adjusted_count();
	}
	assert_true(fabs(sum - all) < 4 * sqrt(all * 3));
	assert_int_equal(figures().kept[SAMPLING_ERROR], all / 20);
}

/* More than may be: they are thinned out by trace ID, and still count for all, but for those that came before it was known how
 * many there are. */
static void a_rate_is_kept(void **state)
{
	const unsigned seconds = 60, each = 2000;
	unsigned kept = 0, first_second = 0;
	double sum = 0;

	(void)state;
	start("errors,rate=100,ratio=0.5");
	for (unsigned second = 0; second < seconds; second++) {
		unsigned now_kept = 0;

		for (unsigned n = 0; n < each; n++) {
			request.end_ns =
				(1000 + second) * NS_PER_SECOND + n * (NS_PER_SECOND / each);
			request.attributes[ATTRIBUTE_ERROR_TYPE] = n % 100 ? NULL : "500";
			if (!decide_random())
				continue;
			now_kept++;
			if (second)
				sum += adjusted_count();
		}
		assert_in_range(now_kept, 50, 200); /* a bucket of a second's worth may be full */
		kept += now_kept;
		first_second += second ? 0 : now_kept;
	}
	assert_true(kept <= 100 * (seconds + 1));
	assert_in_range(first_second, 190, 200);
	assert_true(fabs(sum - (seconds - 1) * each) < (seconds - 1) * each * 0.05);
	assert_int_equal(figures().kept[SAMPLING_ERROR] + figures().kept[SAMPLING_RATIO], kept);
	assert_true(figures().unkept[SAMPLING_RATE] > 0);
	/* After a pause all are welcome again. */
	request.end_ns += 10 * NS_PER_SECOND;
	set_randomness(0x80000000000000);
	expect(true, "ot=th:8");
}

/* Time that goes back, as requests end in one order and are told in another. */
static void an_old_request_is_no_new_second(void **state)
{
	(void)state;
	start("rate=2");
	assert_true(decide());
	request.end_ns -= 100 * NS_PER_SECOND;
	assert_true(decide());
	request.end_ns += 100 * NS_PER_SECOND;
	assert_false(decide());
	assert_int_equal(figures().unkept[SAMPLING_RATE], 1);
}

static void allocations_fail(void **state)
{
	(void)state;
	FOR_EACH_FAILING_ALLOC(nth)
	{
		prepare("floor=1,ratio=0");
		sampler = sampler_new(&rules);
		if (!sampler)
			continue;
		(void)decide();
		(void)decide();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_rules_all_are_kept_as_they_are),
		cmocka_unit_test(a_ratio_goes_by_the_trace_id),
		cmocka_unit_test(a_parent_decides),
		cmocka_unit_test(slow_ones_are_kept),
		cmocka_unit_test(a_floor_is_of_each_minute),
		cmocka_unit_test(routes_beyond_the_table_take_the_oldest_place),
		cmocka_unit_test(counts_stay_correct),
		cmocka_unit_test(counts_stay_correct_below_a_tracer),
		cmocka_unit_test(a_rate_is_kept),
		cmocka_unit_test(an_old_request_is_no_new_second),
		cmocka_unit_test(allocations_fail),
	};

	return cmocka_run_group_tests(tests, NULL, teardown);
}
