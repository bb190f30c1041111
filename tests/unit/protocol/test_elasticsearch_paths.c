/* SPDX-License-Identifier: Apache-2.0 */
/* Paths of Elasticsearch and OpenSearch: what they do, and to what. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "protocol/elasticsearch_paths.h"

static void names_operations(void **state)
{
	static const struct {
		const char *method;
		const char *path;
		const char *operation;
		const char *index;
	} paths[] = {
		{ "POST", "/_bulk", "bulk", "" },
		{ "POST", "/shop/_bulk", "bulk", "shop" },
		{ "PUT", "/shop/_doc/1", "index", "shop" },
		{ "GET", "/shop/_doc/1", "get", "shop" },
		{ "HEAD", "/shop/_doc/1", "exists", "shop" },
		{ "DELETE", "/shop/_doc/1", "delete", "shop" },
		{ "POST", "/a,b-*/_search", "search", "a,b-*" },
		{ "GET", "/_search/scroll", "scroll", "" },
		{ "DELETE", "/_search/scroll", "clear_scroll", "" },
		{ "POST", "/shop/_update/1", "update", "shop" },
		{ "POST", "/shop/_update_by_query", "update_by_query", "shop" },
		{ "PUT", "/shop", "indices.create", "shop" },
		{ "HEAD", "/shop/", "indices.exists", "shop" },
		{ "DELETE", "/shop", "indices.delete", "shop" },
		{ "POST", "/shop", "other", "shop" },
		{ "GET", "/", "info", "" },
		{ "HEAD", "/", "ping", "" },
		{ "GET", "/_cluster/health/shop", "cluster.health", "" },
		{ "GET", "/_clusters", "other", "" },
		{ "GET", "/_searching", "other", "" },
		{ "GET", "/shop/plain", "other", "shop" },
		{ "_OTHER", "/shop/_doc/1", "other", "shop" },
	};
	const char *index;
	size_t bytes;

	(void)state;
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		assert_string_equal(elasticsearch_operation(paths[i].method, paths[i].path, &index,
							    &bytes),
				    paths[i].operation);
		assert_int_equal(bytes, strlen(paths[i].index));
		assert_memory_equal(index, paths[i].index, bytes);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_operations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
