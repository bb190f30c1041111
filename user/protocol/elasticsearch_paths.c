/* SPDX-License-Identifier: Apache-2.0 */
/* Paths are INDEX/_endpoint/… or _endpoint/…; the method decides where several share one. */
#include "protocol/elasticsearch_paths.h"

#include <stdbool.h>
#include <string.h>

struct endpoint {
	const char *
		path; /* from the first segment that begins with an underscore, as far as it decides */
	const char *methods; /* separated by blanks; NULL: all */
	const char *operation;
};

/* The first that fits. */
static const struct endpoint endpoints[] = {
	{ "_bulk", NULL, "bulk" },
	{ "_search/template", NULL, "search_template" },
	{ "_search/scroll", "DELETE", "clear_scroll" },
	{ "_search/scroll", NULL, "scroll" },
	{ "_search/point_in_time", "DELETE", "delete_pit" },
	{ "_search/point_in_time", NULL, "create_pit" },
	{ "_search", NULL, "search" },
	{ "_msearch/template", NULL, "msearch_template" },
	{ "_msearch", NULL, "msearch" },
	{ "_async_search", "POST", "async_search.submit" },
	{ "_async_search", "DELETE", "async_search.delete" },
	{ "_async_search", NULL, "async_search.get" },
	{ "_count", NULL, "count" },
	{ "_create", NULL, "create" },
	{ "_doc", "PUT POST", "index" },
	{ "_doc", "GET", "get" },
	{ "_doc", "HEAD", "exists" },
	{ "_doc", "DELETE", "delete" },
	{ "_source", "HEAD", "exists_source" },
	{ "_source", NULL, "get_source" },
	{ "_update_by_query", NULL, "update_by_query" },
	{ "_delete_by_query", NULL, "delete_by_query" },
	{ "_update", NULL, "update" },
	{ "_mget", NULL, "mget" },
	{ "_reindex", NULL, "reindex" },
	{ "_explain", NULL, "explain" },
	{ "_field_caps", NULL, "field_caps" },
	{ "_termvectors", NULL, "termvectors" },
	{ "_pit", "DELETE", "close_point_in_time" },
	{ "_pit", NULL, "open_point_in_time" },
	{ "_sql", NULL, "sql.query" },
	{ "_refresh", NULL, "indices.refresh" },
	{ "_flush", NULL, "indices.flush" },
	{ "_forcemerge", NULL, "indices.forcemerge" },
	{ "_open", NULL, "indices.open" },
	{ "_close", NULL, "indices.close" },
	{ "_rollover", NULL, "indices.rollover" },
	{ "_analyze", NULL, "indices.analyze" },
	{ "_mapping", "PUT POST", "indices.put_mapping" },
	{ "_mapping", NULL, "indices.get_mapping" },
	{ "_settings", "PUT", "indices.put_settings" },
	{ "_settings", NULL, "indices.get_settings" },
	{ "_stats", NULL, "indices.stats" },
	{ "_aliases", "POST", "indices.update_aliases" },
	{ "_alias", "PUT POST", "indices.put_alias" },
	{ "_alias", "DELETE", "indices.delete_alias" },
	{ "_alias", NULL, "indices.get_alias" },
	{ "_index_template", "PUT POST", "indices.put_index_template" },
	{ "_index_template", NULL, "indices.get_index_template" },
	{ "_cluster/health", NULL, "cluster.health" },
	{ "_cluster/state", NULL, "cluster.state" },
	{ "_cluster/stats", NULL, "cluster.stats" },
	{ "_cluster/settings", "PUT", "cluster.put_settings" },
	{ "_cluster/settings", NULL, "cluster.get_settings" },
	{ "_nodes/stats", NULL, "nodes.stats" },
	{ "_nodes", NULL, "nodes.info" },
	{ "_cat/indices", NULL, "cat.indices" },
	{ "_cat/health", NULL, "cat.health" },
	{ "_cat/nodes", NULL, "cat.nodes" },
	{ "_cat/shards", NULL, "cat.shards" },
	{ "_ingest/pipeline", "PUT", "ingest.put_pipeline" },
	{ "_ingest/pipeline", NULL, "ingest.get_pipeline" },
	{ "_tasks", NULL, "tasks.list" },
};

/* Paths without an endpoint: of an index, or of nothing. */
static const struct endpoint plain[] = {
	{ "", "PUT", "indices.create" },
	{ "", "DELETE", "indices.delete" },
	{ "", "HEAD", "indices.exists" },
	{ "", "GET", "indices.get" },
};

static bool has_method(const struct endpoint *endpoint, const char *method)
{
	size_t bytes = strlen(method);
	const char *at = endpoint->methods;

	while (at && (at = strstr(at, method))) {
		if (at[bytes] == ' ' || !at[bytes])
			return true;
		at += bytes;
	}
	return !endpoint->methods;
}

static bool begins_with(const char *path, const char *segments)
{
	size_t bytes = strlen(segments);

	return strncmp(path, segments, bytes) == 0 && (path[bytes] == '/' || !path[bytes]);
}

static const char *operation_of(const char *method, const char *path, bool has_index)
{
	if (*path == '_') {
		for (size_t i = 0; i < sizeof(endpoints) / sizeof(endpoints[0]); i++)
			if (begins_with(path, endpoints[i].path) &&
			    has_method(&endpoints[i], method))
				return endpoints[i].operation;
		return "other";
	}
	if (*path)
		return "other";
	if (!has_index)
		return strcmp(method, "HEAD") == 0 ? "ping" : "info";
	for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++)
		if (has_method(&plain[i], method))
			return plain[i].operation;
	return "other";
}

const char *elasticsearch_operation(const char *method, const char *path, const char **ret_index,
				    size_t *ret_index_bytes)
{
	size_t bytes = 0;

	path += strspn(path, "/");
	if (*path != '_')
		bytes = strcspn(path, "/");
	*ret_index = path;
	*ret_index_bytes = bytes;
	path += bytes;
	path += strspn(path, "/");
	return operation_of(method, path, bytes != 0);
}
