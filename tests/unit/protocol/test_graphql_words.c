/* SPDX-License-Identifier: Apache-2.0 */
/* Operations of documents, and which of them is run. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "protocol/graphql_words.h"

static struct graphql_document document;

static const struct graphql_operation *read(const char *text, const char *name)
{
	memset(&document, 0, sizeof(document));
	for (; *text; text++)
		graphql_take(&document, (uint8_t)*text);
	return graphql_operation(&document, name);
}

static void names_operations(void **state)
{
	static const struct {
		const char *text;
		const char *type; /* NULL: nobody can say */
		const char *name;
		const char *asked;
	} documents[] = {
		{ "{ a }", "query", "", NULL },
		{ "query{a}", "query", "", NULL },
		{ "query Q { a { b } }", "query", "Q", NULL },
		{ "mutation M($x: [Int!] = [1], $y: S = {z: \"}\"}) @d(a: 1) { a(x: $x) }",
		  "mutation", "M", "" },
		{ "subscription S_1{a}", "subscription", "S_1", NULL },
		{ "query @d { a }", "query", "", NULL },
		{ "# query X {\n{ a }", "query", "", NULL },
		{ "{ a(x: \"\" y: \"\\\"}\" z: \"\"\"}\" \"\" \\\"\"\" mutation N {\"\"\") }",
		  "query", "", NULL },
		{ "fragment F on query { a } mutation M { ...F }", "mutation", "M", NULL },
		{ "query A {a} fragment query on T {x} mutation B {b}", "mutation", "B", "B" },
		{ "query A {a} mutation B {b}", NULL, NULL, NULL },
		{ "query A {a} mutation B {b}", NULL, NULL, "C" },
		{ "", NULL, NULL, NULL },
		{ "}}} query Q {a}", "query", "Q", NULL },
		{ "query A{a} query B{a} query C{a} query D{a} query E{a}", NULL, NULL, "E" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(documents) / sizeof(documents[0]); i++) {
		const struct graphql_operation *operation =
			read(documents[i].text, documents[i].asked);

		if (!documents[i].type) {
			assert_null(operation);
			continue;
		}
		assert_non_null(operation);
		assert_string_equal(operation->type, documents[i].type);
		assert_string_equal(operation->name, documents[i].name);
	}
}

static void cuts_names(void **state)
{
	char text[200] = "query ";

	(void)state;
	memset(text + 6, 'n', 100);
	strcpy(text + 106, " {a}");
	assert_int_equal(strlen(read(text, NULL)->name), GRAPHQL_NAME_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_operations),
		cmocka_unit_test(cuts_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
