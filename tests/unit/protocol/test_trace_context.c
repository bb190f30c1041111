/* SPDX-License-Identifier: Apache-2.0 */
/* Each format by the examples of its own specification, and everything that only looks like one. */
#include "protocol/trace_context.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct trace_context context;
static struct trace_texts texts;

static void clear(void)
{
	memset(&context, 0, sizeof(context));
	memset(&texts, 0xa5, sizeof(texts));
}

/* In memory that ends with it. */
static void take_cut(const char *line, size_t length, bool is_cut)
{
	uint8_t *copy = malloc(length);

	if (!copy)
		fail();
	memcpy(copy, line, length);
	trace_context_take_line(&context, &texts, copy, length, is_cut);
	free(copy);
}

static void take(const char *line)
{
	take_cut(line, strlen(line), false);
}

static void take_only(const char *line)
{
	clear();
	take(line);
}

static const char *shown(void)
{
	static char text[80];
	size_t used = 0;

	if (!trace_context_is_whole(&context))
		return "none";
	for (unsigned i = 0; i < TRACE_ID_BYTES; i++)
		used += (size_t)snprintf(text + used, 3, "%02x", context.trace_id[i]);
	used += (size_t)snprintf(text + used, 2, " ");
	for (unsigned i = 0; i < SPAN_ID_BYTES; i++)
		used += (size_t)snprintf(text + used, 3, "%02x", context.span_id[i]);
	(void)snprintf(text + used, sizeof(text) - used, " %x %u", context.flags, context.format);
	return text;
}

static void reads(const char *line, const char *expected)
{
	take_only(line);
	assert_string_equal(shown(), expected);
	assert_int_equal(context.ignored, 0);
}

static void refuses(const char *line, enum trace_format format)
{
	take_only(line);
	assert_string_equal(shown(), "none");
	assert_int_equal(context.ignored, 1u << format);
}

#define W3C_ID "4bf92f3577b34da6a3ce929d0e0e4736"
#define W3C_SPAN "00f067aa0ba902b7"
#define W3C "traceparent: 00-" W3C_ID "-" W3C_SPAN

static void reads_w3c(void **state)
{
	(void)state;
	reads(W3C "-01", W3C_ID " " W3C_SPAN " 1 0");
	reads(W3C "-00", W3C_ID " " W3C_SPAN " 0 0");
	reads(W3C "-03", W3C_ID " " W3C_SPAN " 3 0");
	reads(W3C "-ff", W3C_ID " " W3C_SPAN " 3 0"); /* bits without a meaning */
	reads("TraceParent:\t00-" W3C_ID "-" W3C_SPAN "-01 ", W3C_ID " " W3C_SPAN " 1 0");
	reads("traceparent: cc-" W3C_ID "-" W3C_SPAN "-01", W3C_ID " " W3C_SPAN " 1 0");
	reads("traceparent: cc-" W3C_ID "-" W3C_SPAN "-01-what-the-future-brings",
	      W3C_ID " " W3C_SPAN " 1 0");
}

static void refuses_w3c(void **state)
{
	(void)state;
	refuses(W3C "-01-", TRACE_FORMAT_W3C);
	refuses("traceparent: cc-" W3C_ID "-" W3C_SPAN "-01.what", TRACE_FORMAT_W3C);
	refuses("traceparent: ff-" W3C_ID "-" W3C_SPAN "-01", TRACE_FORMAT_W3C);
	refuses("traceparent: 00-00000000000000000000000000000000-" W3C_SPAN "-01",
		TRACE_FORMAT_W3C);
	refuses("traceparent: 00-" W3C_ID "-0000000000000000-01", TRACE_FORMAT_W3C);
	refuses("traceparent: 00-4BF92F3577B34DA6A3CE929D0E0E4736-" W3C_SPAN "-01",
		TRACE_FORMAT_W3C);
	refuses("traceparent: 00-" W3C_ID "-" W3C_SPAN "-0g", TRACE_FORMAT_W3C);
	refuses("traceparent: 00_" W3C_ID "-" W3C_SPAN "-01", TRACE_FORMAT_W3C);
	refuses("traceparent:", TRACE_FORMAT_W3C);
	take_only(W3C "-01");
	take(W3C "-01");
	assert_string_equal(shown(), "none");
	assert_int_equal(context.ignored, 1u << TRACE_FORMAT_W3C);
}

static void reads_b3(void **state)
{
	static const char *const expected = "80f198ee56343ba864fe8b2a57d3eff7 e457b5a2e4d86bd1 1 1";

	(void)state;
	reads("b3: 80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-1-05e3ac9a4f6e3b90", expected);
	reads("b3: 80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-d", expected);
	reads("B3: 80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1", expected);
	reads("b3: 80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-0",
	      "80f198ee56343ba864fe8b2a57d3eff7 e457b5a2e4d86bd1 0 1");
	reads("b3: 64fe8b2a57d3eff7-e457b5a2e4d86bd1-1",
	      "000000000000000064fe8b2a57d3eff7 e457b5a2e4d86bd1 1 1");
	reads("b3: 0", "none");
	refuses("b3: 2", TRACE_FORMAT_B3);
	refuses("b3: 80f198ee56343ba864fe8b2a57d3eff7", TRACE_FORMAT_B3);
	refuses("b3: 80f198ee56343ba864fe8b2a57d3eff-e457b5a2e4d86bd1", TRACE_FORMAT_B3);
	refuses("b3: 80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-1-5", TRACE_FORMAT_B3);
	refuses("b3: 80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-1-05e3ac9a4f6e3b90-",
		TRACE_FORMAT_B3);
}

static void reads_b3_multi(void **state)
{
	static const char *const lines[] = { "X-B3-TraceId: 80f198ee56343ba864fe8b2a57d3eff7",
					     "X-B3-ParentSpanId: 05e3ac9a4f6e3b90",
					     "X-B3-SpanId: e457b5a2e4d86bd1", "X-B3-Sampled: 0" };

	(void)state;
	for (unsigned first = 0; first < 4; first++) {
		clear();
		for (unsigned i = 0; i < 4; i++)
			take(lines[(first + i) % 4]);
		assert_string_equal(shown(),
				    "80f198ee56343ba864fe8b2a57d3eff7 e457b5a2e4d86bd1 0 2");
	}
	take("X-B3-Flags: 1");
	take("X-B3-Sampled: 0");
	assert_string_equal(shown(), "80f198ee56343ba864fe8b2a57d3eff7 e457b5a2e4d86bd1 1 2");
	reads("X-B3-TraceId: 80f198ee56343ba864fe8b2a57d3eff7", "none");
	refuses("X-B3-SpanId: nine", TRACE_FORMAT_B3_MULTI);
	refuses("X-B3-Sampled: perhaps", TRACE_FORMAT_B3_MULTI);
	refuses("X-B3-Flags: 7", TRACE_FORMAT_B3_MULTI);
}

static void reads_jaeger(void **state)
{
	static const char *const expected = "00000000000000003e5a0d9e1a2b3c4d 0000000000abcdef 1 3";

	(void)state;
	reads("uber-trace-id: 3e5a0d9e1a2b3c4d:abcdef:0:1", expected);
	reads("Uber-Trace-Id: 3e5a0d9e1a2b3c4d%3Aabcdef%3A0%3a01", expected);
	reads("uber-trace-id: 3e5a0d9e1a2b3c4d:abcdef:1234:2", expected);
	reads("uber-trace-id: 3e5a0d9e1a2b3c4d:abcdef:0:0",
	      "00000000000000003e5a0d9e1a2b3c4d 0000000000abcdef 0 3");
	refuses("uber-trace-id: 3e5a0d9e1a2b3c4d:abcdef:0", TRACE_FORMAT_JAEGER);
	refuses("uber-trace-id: 3e5a0d9e1a2b3c4d:abcdef:0:1:", TRACE_FORMAT_JAEGER);
	refuses("uber-trace-id: 0:abcdef:0:1", TRACE_FORMAT_JAEGER);
	refuses("uber-trace-id: 3e5a0d9e1a2b3c4d:0:0:1", TRACE_FORMAT_JAEGER);
	refuses("uber-trace-id: 3e5a0d9e1a2b3c4d3e5a0d9e1a2b3c4d3:1:0:1", TRACE_FORMAT_JAEGER);
	refuses("uber-trace-id: 3e5a%0d:1:0:1", TRACE_FORMAT_JAEGER);
}

/* What the Collector makes of the same: the segment's halves, the span number in the first four bytes, one over the other. */
static void reads_skywalking(void **state)
{
	(void)state;
	reads("sw8: 1-NTZhNWUxYzUxOWFlNGM3NmEyYjhiMTFkOTJjZWFkN2YuMTIuMTY1NjM0NzQyOTY0MzAwMDE="
	      "-NTZhNWUxYzUxOWFlNGM3NmEyYjhiMTFkOTJjZWFkN2YuMTIuMTY1NjM0NzQyOTY0MzAwMDE="
	      "-3-c2VydmljZQ==-aW5zdGFuY2U=-L2FwcA==-MTI3LjAuMC4xOjgwODA=",
	      "56a5e1c515ae4c7613e51e7cf616977f 4640ffb9e3b8db09 1 4");
	reads("sw8: 0-ZGU1OTgwYjgtZmNlMy00YTM3LWFhYjktYjRhYzNhZjdlZWRk"
	      "-NTZhNWUxYzUxOWFlNGM3NmEyYjhiMTFkOTJjZWFkN2Y=-0-cw==-aQ==-Lw==-YQ==",
	      "de5980b8fce34a37aab9b4ac3af7eedd f41d50d88b60e109 0 4");
	refuses("sw8: 1-NTZhNQ==-NTZhNQ==-3-c2VydmljZQ==-aW5zdGFuY2U=-L2FwcA==-YQ==",
		TRACE_FORMAT_SKYWALKING);
	refuses("sw8: 1-x-y-3", TRACE_FORMAT_SKYWALKING);
}

static void reads_amazon(void **state)
{
	(void)state;
	reads("X-Amzn-Trace-Id: Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;"
	      "Sampled=1",
	      "5759e988bd862e3fe1be46a994272793 53995c3f42cd8ad8 1 5");
	reads("X-Amzn-Trace-Id: Sampled=0; Parent=53995c3f42cd8ad8; "
	      "Root=1-5759e988-bd862e3fe1be46a994272793;Lineage=a87bd80c:1|68fd508a:5",
	      "5759e988bd862e3fe1be46a994272793 53995c3f42cd8ad8 0 5");
	reads("X-Amzn-Trace-Id: Self=1-67891234-12456789abcdef012345678;"
	      "Root=1-67891233-abcdef012345678912345678",
	      "67891233abcdef012345678912345678 0000000000000000 1 5");
	refuses("X-Amzn-Trace-Id: Self=1-67891234-12456789abcdef012345678", TRACE_FORMAT_AMAZON);
	refuses("X-Amzn-Trace-Id: Root=2-67891233-abcdef012345678912345678", TRACE_FORMAT_AMAZON);
	refuses("X-Amzn-Trace-Id: Root=1-67891233-abcdef01234567891234567", TRACE_FORMAT_AMAZON);
	refuses("X-Amzn-Trace-Id: Root=1-67891233-abcdef012345678912345678;Parent=1",
		TRACE_FORMAT_AMAZON);
}

static void reads_google(void **state)
{
	(void)state;
	reads("X-Cloud-Trace-Context: 105445aa7843bc8bf206b12000100000/1;o=1",
	      "105445aa7843bc8bf206b12000100000 0000000000000001 1 6");
	reads("X-Cloud-Trace-Context: 105445aa7843bc8bf206b12000100000/18446744073709551615;o=0",
	      "105445aa7843bc8bf206b12000100000 ffffffffffffffff 0 6");
	reads("X-Cloud-Trace-Context: 105445aa7843bc8bf206b12000100000/0",
	      "105445aa7843bc8bf206b12000100000 0000000000000000 1 6");
	reads("X-Cloud-Trace-Context: 105445aa7843bc8bf206b12000100000",
	      "105445aa7843bc8bf206b12000100000 0000000000000000 1 6");
	refuses("X-Cloud-Trace-Context: 105445aa7843bc8bf206b12000100000/18446744073709551616",
		TRACE_FORMAT_GOOGLE);
	refuses("X-Cloud-Trace-Context: 105445aa7843bc8bf206b12000100000/1;p=1",
		TRACE_FORMAT_GOOGLE);
	refuses("X-Cloud-Trace-Context: 105445aa/1;o=1", TRACE_FORMAT_GOOGLE);
}

static void keeps_state(void **state)
{
	char line[TRACESTATE_MAX + 200], member[140];

	(void)state;
	take_only("tracestate: congo=t61rcWkgMzE,rojo=00f067aa0ba902b7");
	assert_string_equal(texts.tracestate, "congo=t61rcWkgMzE,rojo=00f067aa0ba902b7");
	take("tracestate: ,\t ot=th:c , junk, ");
	assert_string_equal(texts.tracestate, "congo=t61rcWkgMzE,rojo=00f067aa0ba902b7,ot=th:c");
	assert_int_equal(context.tracestate_bytes, strlen(texts.tracestate));
	assert_false(context.is_tracestate_cut);

	memset(member, 'v', sizeof(member));
	memcpy(member, "a=", 2);
	(void)snprintf(line, sizeof(line), "tracestate: %.128s,%.128s,%.128s,%.125s,b=1", member,
		       member, member, member);
	take_only(line);
	assert_int_equal(context.tracestate_bytes, TRACESTATE_MAX);
	assert_true(context.is_tracestate_cut);
	take("tracestate: c=1");
	assert_int_equal(context.tracestate_bytes, TRACESTATE_MAX);

	clear();
	take_cut("tracestate: a=1,b=2", 19, true);
	assert_string_equal(texts.tracestate, "a=1");
	assert_true(context.is_tracestate_cut);
}

static void keeps_request_id(void **state)
{
	char line[REQUEST_ID_MAX + 40] = "x-request-id: ";

	(void)state;
	take_only("X-Request-ID: 7f3a-1");
	assert_string_equal(texts.request_id, "7f3a-1");
	assert_int_equal(context.request_id_bytes, 6);
	assert_string_equal(shown(), "none");
	take_only("X-Request-ID: \x01");
	assert_int_equal(context.request_id_bytes, 0);
	memset(line + 14, 'r', REQUEST_ID_MAX);
	take_only(line);
	assert_int_equal(context.request_id_bytes, REQUEST_ID_MAX);
	line[14 + REQUEST_ID_MAX] = 'r';
	take_only(line);
	assert_int_equal(context.request_id_bytes, 0);
}

static const char *const whole[] = {
	W3C "-01",
	"b3: 80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-1-05e3ac9a4f6e3b90",
	"uber-trace-id: 3e5a0d9e1a2b3c4d%3Aabcdef%3A0%3A1",
	"sw8: 1-NTZhNWUxYzUxOWFlNGM3NmEyYjhiMTFkOTJjZWFkN2YuMTIuMTY1NjM0NzQyOTY0MzAwMDE="
	"-NTZhNWUxYzUxOWFlNGM3NmEyYjhiMTFkOTJjZWFkN2YuMTIuMTY1NjM0NzQyOTY0MzAwMDE="
	"-3-c2VydmljZQ==-aW5zdGFuY2U=-L2FwcA==-MTI3LjAuMC4xOjgwODA=",
	"X-Amzn-Trace-Id: Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8",
	"X-Cloud-Trace-Context: 105445aa7843bc8bf206b12000100000/1;o=1",
	"X-B3-TraceId: 80f198ee56343ba864fe8b2a57d3eff7",
	"tracestate: congo=t61rcWkgMzE,rojo=00f067aa0ba902b7",
	"X-Request-ID: 7f3a-1",
};

/* Of a value that was cut nothing is believed, wherever the cut is. */
static void truncated(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(whole) / sizeof(whole[0]); i++)
		for (size_t length = 1; length < strlen(whole[i]); length++) {
			clear();
			take_cut(whole[i], length, false);
			clear();
			take_cut(whole[i], length, true);
			assert_string_equal(shown(), "none");
		}
}

static void chooses(void **state)
{
	(void)state;
	for (size_t i = 1; i < 6; i++) {
		take_only(whole[0]);
		take(whole[i]);
		assert_string_equal(shown(), W3C_ID " " W3C_SPAN " 1 0");
		take_only(whole[i]);
		assert_string_not_equal(shown(), "none");
		take(whole[0]);
		assert_string_equal(shown(), W3C_ID " " W3C_SPAN " 1 0");
	}
	take_only(whole[4]); /* a decision alone does not replace a trace */
	take("b3: 0");
	assert_string_equal(shown(), "5759e988bd862e3fe1be46a994272793 53995c3f42cd8ad8 1 5");
	take_only("traceparent: broken");
	take(whole[1]);
	assert_string_equal(shown(), "80f198ee56343ba864fe8b2a57d3eff7 e457b5a2e4d86bd1 1 1");
	assert_int_equal(context.ignored, 1u << TRACE_FORMAT_W3C);
}

static void knows_its_names(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(whole) / sizeof(whole[0]); i++)
		assert_true(trace_context_may_begin((uint8_t)whole[i][0]));
	assert_false(trace_context_may_begin('H'));
	take_only("X-Forwarded-For: 00-" W3C_ID "-" W3C_SPAN "-01");
	assert_int_equal(context.pieces, 0);
	take_only("traceparent");
	assert_int_equal(context.pieces, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_w3c),	   cmocka_unit_test(refuses_w3c),
		cmocka_unit_test(reads_b3),	   cmocka_unit_test(reads_b3_multi),
		cmocka_unit_test(reads_jaeger),	   cmocka_unit_test(reads_skywalking),
		cmocka_unit_test(reads_amazon),	   cmocka_unit_test(reads_google),
		cmocka_unit_test(keeps_state),	   cmocka_unit_test(keeps_request_id),
		cmocka_unit_test(truncated),	   cmocka_unit_test(chooses),
		cmocka_unit_test(knows_its_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
