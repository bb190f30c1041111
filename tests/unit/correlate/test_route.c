/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "correlate/route.h"
#include "protocol/protocol.h"

static const struct {
	const char *path;
	const char *route;
} routes[] = {
	{ "/", "/" },
	{ "", "" },
	{ "*", "*" },
	{ "example.com:443", "" },
	{ "/users", "/users" },
	{ "/users/", "/users/" },
	{ "//users///x", "/users/x" },
	{ "/users/17", "/users/{id}" },
	{ "/users/-17/orders/004", "/users/{id}/orders/{id}" },
	{ "/v1/items", "/v1/items" },
	{ "/api/v2.1", "/api/v2.1" },
	{ "/o/123e4567-e89b-12d3-a456-426614174000/x", "/o/{uuid}/x" },
	{ "/o/123E4567-E89B-12D3-A456-426614174000", "/o/{uuid}" },
	{ "/o/123e4567-e89b-12d3-a456-42661417400z", "/o/{token}" },
	{ "/commit/8f3a2b1c", "/commit/{hash}" },
	{ "/commit/deadbeef", "/commit/deadbeef" }, /* a word as far as anyone can tell */
	{ "/c/e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "/c/{hash}" },
	{ "/d/2026-11-21/x", "/d/{date}/x" },
	{ "/d/2026-11-21T10:00:00Z", "/d/{date}" },
	{ "/2026/11/21/news", "/{id}/{id}/{id}/news" },
	{ "/t/eyJhbGciOiJIUzI1NiJ9x12", "/t/{token}" },
	{ "/t/abcdefghijklmnopqrstuvwxyzabcdefghij", "/t/{token}" },
	{ "/rpc/getAllUsersOfAccount", "/rpc/getAllUsersOfAccount" },
	{ "/m/bob@example.com", "/m/{email}" },
	{ "/m/bob%40example.com", "/m/{email}" },
	{ "/img/12345.jpg", "/img/{id}.jpg" },
	{ "/js/main.8f3a2b1c.js", "/js/main.{hash}.js" },
	{ "/jquery-3.6.0.min.js", "/jquery-3.6.0.min.js" },
	{ "/s/a%20b", "/s/{text}" },
	{ "/s/%41b", "/s/Ab" },
	{ "/s/%2e%2E", "/s/.." },
	{ "/s/%0a%00", "/s/{text}" },
	{ "/s/%zz", "/s/{text}" },
	{ "/s/%c3%84pfel", "/s/{text}" },
	{ "/s/\xc3\x84pfel", "/s/{text}" },
	{ "/s/{id}", "/s/{text}" },
	{ "/s/a\"b", "/s/{text}" },
	{ "/s/a%2fb", "/s/{text}" },
	{ "/x;jsessionid=ABC123/y", "/x/y" },
	{ "/1/2/3/4/5/6/7/8", "/{id}/{id}/{id}/{id}/{id}/{id}/{id}/{id}" },
	{ "/1/2/3/4/5/6/7/8/9", "/{id}/{id}/{id}/{id}/{id}/{id}/{id}/{id}/…" },
	{ "/1/2/3/4/5/6/7/8/", "/{id}/{id}/{id}/{id}/{id}/{id}/{id}/{id}/" },
};

static void makes_templates(void **state)
{
	char route[ROUTE_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
		route_template(routes[i].path, route);
		assert_string_equal(route, routes[i].route);
	}
}

static void drops_the_segment_that_was_cut(void **state)
{
	char path[URL_PATH_MAX + 1], route[ROUTE_MAX];

	(void)state;
	memset(path, 'a', sizeof(path) - 1);
	memcpy(path, "/users/", 7);
	path[URL_PATH_MAX] = '\0';
	route_template(path, route);
	assert_string_equal(route, "/users/…");
	path[URL_PATH_MAX - 1] = '\0';
	route_template(path, route);
	assert_string_equal(route, "/users/{token}");
}

/* No path, however made, gives a route that does not fit or holds what a label should not. */
static void bounds_routes_of_any_path(void **state)
{
	static const char letters[] = "/%.;@-{}\"\\09afAFzZ\x01\x7f\xc3 _";
	char path[URL_PATH_MAX + 1], route[ROUTE_MAX];
	unsigned seed = 7;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		size_t length = 1 + (size_t)rand_r(&seed) % (URL_PATH_MAX - 1);

		for (size_t i = 0; i < length; i++)
			path[i] = letters[(size_t)rand_r(&seed) % (sizeof(letters) - 1)];
		path[0] = '/';
		path[length] = '\0';
		route_template(path, route);
		assert_true(strlen(route) < ROUTE_MAX);
		assert_null(strpbrk(route, "\"\\\x01\x7f\xc3% "));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(makes_templates),
		cmocka_unit_test(drops_the_segment_that_was_cut),
		cmocka_unit_test(bounds_routes_of_any_path),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
