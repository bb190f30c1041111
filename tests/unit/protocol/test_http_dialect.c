/* SPDX-License-Identifier: Apache-2.0 */
/* Requests and answers in dialects, through the HTTP/1 parser: whole, split at every byte, cut, and with holes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "failing_alloc.h"
#include "protocol/http_dialect.h"

#define JSONRPC (1u << HTTP_DIALECT_JSONRPC)
#define GRAPHQL (1u << HTTP_DIALECT_GRAPHQL)
#define SEARCH (1u << HTTP_DIALECT_ELASTICSEARCH)

struct talk {
	unsigned dialects;
	const char *method_and_path;
	const char *question; /* body */
	const char *answer;
	const char *expected;
};

static const struct talk talks[] = {
	{ JSONRPC, "POST /",
	  "{\"jsonrpc\":\"2.0\",\"method\":\"add\",\"params\":{\"method\":\"no\"},\"id\":1}",
	  "{\"jsonrpc\":\"2.0\",\"result\":{\"error\":{\"code\":7}},\"id\":1}", "jsonrpc add" },
	{ JSONRPC, "POST /", "{\"method\":\"m\"}",
	  "{\"error\":{\"data\":{\"code\":9},\"code\":-32601}}", "jsonrpc m -32601" },
	{ JSONRPC, "POST /", "{\"method\":\"m\"}", "{\"error\":{\"code\":-32050}}",
	  "jsonrpc m server_error" },
	{ JSONRPC, "POST /", "{\"method\":\"m\"}", "{\"error\":{\"code\":5}}", "jsonrpc m _OTHER" },
	{ JSONRPC, "POST /", "{\"method\":\"m\"}", "{\"error\":\"old\"}", "jsonrpc m _OTHER" },
	{ JSONRPC, "POST /", "{\"method\":\"m\"}", "{\"error\":null,\"result\":1}", "jsonrpc m" },
	{ JSONRPC, "POST /", "[{\"method\":\"a\"},{\"method\":\"b\"}]",
	  "[{\"result\":1},{\"error\":{\"code\":-32600}}]", "jsonrpc a -32600 several" },
	{ JSONRPC, "POST /", "{\"method\":\"m\"}", "", "jsonrpc m" },
	{ JSONRPC, "POST /", "{\"query\":\"{ a }\"}", "{}", "" },
	{ JSONRPC, "POST /", "<x/>", "{}", " unread" },
	{ JSONRPC, "GET /", "", "{\"error\":{\"code\":5}}", "" },
	{ JSONRPC | GRAPHQL, "POST /", "{\"query\":\"{ a }\"}", "{\"data\":{}}", "graphql query" },
	{ GRAPHQL, "POST /", "{\"operationName\":null,\"query\":\"mutation M { a }\"}",
	  "{\"errors\":[{\"message\":\"x\"}]}", "graphql mutation M errors" },
	{ GRAPHQL, "POST /", "{\"query\":\"query A{a} mutation B{b}\",\"operationName\":\"B\"}",
	  "{\"errors\":[]}", "graphql mutation B" },
	{ GRAPHQL, "POST /", "{\"operationName\":\"P\",\"extensions\":{\"persistedQuery\":{}}}",
	  "{\"data\":{\"errors\":[{}]}}", "graphql - P" },
	{ GRAPHQL, "POST /", "{\"operationName\":\"P\"}", "{}", "" },
	{ SEARCH, "POST /shop/_bulk", "{\"index\":{}}\n{}\n",
	  "{\"took\":30,\"errors\":true,\"items\":[{\"index\":{\"_index\":\"shop\",\"status\":201}},{\"create\":{\"status\":409,"
	  "\"error\":{\"status\":200}}},{\"delete\":{\"status\":200}}]}",
	  "elasticsearch bulk shop took 30 items 2/1" },
	{ SEARCH, "GET /shop/_search", "{\"query\":{}}", "{\"took\":5,\"hits\":[{\"took\":6}]}",
	  "elasticsearch search shop took 5" },
	{ SEARCH, "GET /shop/_search", "", "{\"took\":5.5}", "elasticsearch search shop" },
	{ SEARCH, "DELETE /shop", "", "{\"acknowledged\":true}",
	  "elasticsearch indices.delete shop" },
	{ SEARCH, "POST /_bulk", "{}\n", "\x1f\x8b", "elasticsearch bulk unread" },
};

static struct {
	_Alignas(8) uint8_t state[PROTOCOL_STATE_MAX];
	struct exchange_facts facts;
} parser;

static void feed(enum message_side side, const char *bytes, size_t length)
{
	uint8_t *copy = malloc(length ? length : 1);
	struct protocol_run run = { .bytes = bytes ? copy : NULL, .length = length };
	enum protocol_step step;

	if (bytes)
		memcpy(copy, bytes, length);
	do {
		step = protocol_http1.parse(parser.state, side, &run, &parser.facts);
		assert_true(step != STEP_BROKEN && step != STEP_NOT_MINE);
	} while (step != STEP_MORE);
	free(copy);
}

static void begin(unsigned dialects)
{
	protocol_http1.release(parser.state);
	memset(&parser, 0, sizeof(parser));
	assert_true(protocol_http1.set_dialects(parser.state, dialects));
}

static void write_talk(const struct talk *talk, enum message_side side, bool is_chunked, char *out,
		       size_t room)
{
	const char *body = side == SIDE_REQUEST ? talk->question : talk->answer;
	size_t half = strlen(body) / 2;
	int bytes = side == SIDE_REQUEST ?
			    snprintf(out, room, "%s HTTP/1.1\r\n", talk->method_and_path) :
			    snprintf(out, room, "HTTP/1.1 200 OK\r\n");

	out += bytes;
	room -= (size_t)bytes;
	if (is_chunked && half)
		(void)snprintf(
			out, room,
			"Transfer-Encoding: chunked\r\n\r\n%zx\r\n%.*s\r\n%zx\r\n%s\r\n0\r\n\r\n",
			half, (int)half, body, strlen(body) - half, body + half);
	else
		(void)snprintf(out, room, "Content-Length: %zu\r\n\r\n%s", strlen(body), body);
}

static const char *told(void)
{
	static char text[512];
	const char *attributes[ATTRIBUTE_COUNT] = { 0 };
	const struct http_dialect_facts *spoken = http_dialect_facts_of(&parser.facts);
	size_t bytes = 0;

	text[0] = '\0';
	if (parser.facts.dialect) {
		http_dialect_tell(&parser.facts, attributes);
		bytes += (size_t)snprintf(text, sizeof(text), "%s", parser.facts.dialect->name);
		if (parser.facts.dialect != http_dialect_protocol(HTTP_DIALECT_JSONRPC))
			bytes += (size_t)snprintf(text + bytes, sizeof(text) - bytes, " %s",
						  spoken->operation ? spoken->operation : "-");
		if (spoken->name[0])
			bytes += (size_t)snprintf(text + bytes, sizeof(text) - bytes, " %s",
						  spoken->name);
		if (spoken->error)
			bytes += (size_t)snprintf(text + bytes, sizeof(text) - bytes, " %s",
						  spoken->error);
		if (spoken->has_took)
			bytes += (size_t)snprintf(text + bytes, sizeof(text) - bytes, " took %llu",
						  (unsigned long long)spoken->took_ns / 1000000);
		if (spoken->items_succeeded || spoken->items_failed)
			bytes +=
				(size_t)snprintf(text + bytes, sizeof(text) - bytes, " items %u/%u",
						 spoken->items_succeeded, spoken->items_failed);
		assert_true(!spoken->error == !attributes[ATTRIBUTE_ERROR_TYPE]);
	}
	if (parser.facts.outcomes & 1ull << PARSE_SEVERAL_STATEMENTS)
		bytes += (size_t)snprintf(text + bytes, sizeof(text) - bytes, " several");
	if (parser.facts.outcomes & 1ull << PARSE_BODY_UNREAD)
		(void)snprintf(text + bytes, sizeof(text) - bytes, " unread");
	return text;
}

static void play(const struct talk *talk, bool is_chunked, size_t split)
{
	begin(talk->dialects);
	for (enum message_side side = SIDE_REQUEST; side < SIDE_COUNT; side++) {
		char text[1024];
		size_t length, first;

		write_talk(talk, side, is_chunked, text, sizeof(text));
		length = strlen(text);
		first = split < length ? split : length;
		feed(side, text, first);
		feed(side, text + first, length - first);
	}
}

static void reads_bodies_however_split(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(talks) / sizeof(talks[0]); i++)
		for (size_t split = 0; split < 400; split++) {
			play(&talks[i], split % 2, split / 2);
			assert_string_equal(told(), talks[i].expected);
		}
}

/* What is not seen of a body is not made up: a dialect is told as it is, or not at all. */
static void guesses_nothing(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(talks) / sizeof(talks[0]); i++)
		for (size_t hole = 0; hole < strlen(talks[i].question); hole++) {
			char text[1024];
			size_t head, length;

			begin(talks[i].dialects);
			write_talk(&talks[i], SIDE_REQUEST, false, text, sizeof(text));
			length = strlen(text);
			head = length - strlen(talks[i].question);
			feed(SIDE_REQUEST, text, head + hole);
			feed(SIDE_REQUEST, NULL, 1);
			feed(SIDE_REQUEST, text + head + hole + 1, length - head - hole - 1);
			if (parser.facts.dialect && talks[i].dialects != SEARCH)
				assert_true(parser.facts.outcomes & 1ull << PARSE_BODY_UNREAD);
			if (parser.facts.dialect)
				assert_memory_equal(told(), talks[i].expected,
						    strlen(parser.facts.dialect->name));
		}
}

static void marks_answers_that_are_cut(void **state)
{
	static const struct talk *const bulk = &talks[16];
	char text[1024];

	(void)state;
	begin(SEARCH);
	write_talk(bulk, SIDE_REQUEST, false, text, sizeof(text));
	feed(SIDE_REQUEST, text, strlen(text));
	write_talk(bulk, SIDE_RESPONSE, false, text, sizeof(text));
	feed(SIDE_RESPONSE, text, strlen(text) - 10);
	feed(SIDE_RESPONSE, NULL, 10);
	assert_string_equal(told(), "elasticsearch bulk shop took 30 unread");
}

static void finds_names(void **state)
{
	(void)state;
	assert_int_equal(http_dialect_find("jsonrpc", 7), HTTP_DIALECT_JSONRPC);
	assert_int_equal(http_dialect_find("opensearch", 10), HTTP_DIALECT_OPENSEARCH);
	assert_int_equal(http_dialect_find("jsonrp", 6), -1);
	assert_int_equal(http_dialect_find("", 0), -1);
}

static void says_when_memory_is_short(void **state)
{
	(void)state;
	protocol_http1.release(parser.state);
	memset(&parser, 0, sizeof(parser));
	failing_alloc_at(0);
	assert_false(protocol_http1.set_dialects(parser.state, JSONRPC));
	assert_true(failing_alloc_stop());
	assert_false(protocol_http1.set_dialects(parser.state, 0));
}

static int teardown(void **state)
{
	(void)state;
	protocol_http1.release(parser.state);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_bodies_however_split), cmocka_unit_test(guesses_nothing),
		cmocka_unit_test(marks_answers_that_are_cut), cmocka_unit_test(finds_names),
		cmocka_unit_test(says_when_memory_is_short),
	};

	return cmocka_run_group_tests(tests, NULL, teardown);
}
