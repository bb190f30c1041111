/* SPDX-License-Identifier: Apache-2.0 */
/* The routes each service has used, bounded. One look-up for a route that is known. */
#include "correlate/route.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/table.h"
#include "correlate/process.h"

/* Paths whose route is remembered: longer ones are made of what varies. */
#define SEEN_PATHS 256
#define SEEN_PATH_MAX 63

struct service {
	struct table_node node;
	struct route *routes; /* owned */
	size_t route_count;
	char name[SERVICE_NAME_MAX];
};

struct route {
	struct table_node node;
	struct route *next;	 /* of the same service */
	struct service *service; /* borrowed, lives longer */
	char text[];
};

struct seen_path {
	struct route *route; /* borrowed from the table; NULL: the slot is empty */
	char path[SEEN_PATH_MAX + 1];
};

struct route_table {
	struct table services;
	struct table routes;
	size_t routes_per_service;
	uint64_t refused;
	struct seen_path seen[SEEN_PATHS]; /* by hash; the newest has the slot */
};

struct route_key {
	const char *service;
	const char *route;
};

static bool service_matches(const struct table_node *node, const void *key)
{
	return strcmp(table_entry(node, struct service, node)->name, key) == 0;
}

static bool route_matches(const struct table_node *node, const void *key)
{
	const struct route *route = table_entry(node, struct route, node);
	const struct route_key *wanted = key;

	return strcmp(route->text, wanted->route) == 0 &&
	       strcmp(route->service->name, wanted->service) == 0;
}

struct route_table *route_table_new(size_t services, size_t routes_per_service)
{
	struct route_table *table = calloc(1, sizeof(*table));

	if (!table)
		return NULL;
	table->routes_per_service = routes_per_service;
	if (table_init(&table->services, services, service_matches) < 0 ||
	    table_init(&table->routes, services * routes_per_service, route_matches) < 0)
		route_table_free(&table);
	return table;
}

static void service_drop(struct route_table *table, struct service *service)
{
	while (service->routes) {
		struct route *route = service->routes;

		service->routes = route->next;
		table_remove(&table->routes, &route->node);
		free(route);
	}
	table_remove(&table->services, &service->node);
	free(service);
	memset(table->seen, 0, sizeof(table->seen));
}

void route_table_free(struct route_table **slot)
{
	struct route_table *table = *slot;

	*slot = NULL;
	if (!table)
		return;
	while (table->services.oldest)
		service_drop(table, table_entry(table->services.oldest, struct service, node));
	table_done(&table->services);
	table_done(&table->routes);
	free(table);
}

static struct service *service_get(struct route_table *table, const char *name, uint64_t hash)
{
	struct table_node *node = table_find(&table->services, hash, name);
	struct service *service;

	if (node)
		return table_entry(node, struct service, node);
	if (table->services.count == table->services.limit && table->services.oldest)
		service_drop(table, table_entry(table->services.oldest, struct service, node));
	service = calloc(1, sizeof(*service));
	if (!service)
		return NULL;
	strncpy(service->name, name, sizeof(service->name) - 1);
	if (table_insert(&table->services, &service->node, hash) < 0) {
		free(service);
		return NULL;
	}
	return service;
}

static struct route *route_add(struct route_table *table, const struct route_key *key,
			       uint64_t service_hash, uint64_t hash)
{
	struct service *service = service_get(table, key->service, service_hash);
	size_t bytes = strlen(key->route) + 1;
	struct route *route;

	if (!service || service->route_count == table->routes_per_service)
		return NULL;
	route = calloc(1, sizeof(*route) + bytes);
	if (!route)
		return NULL;
	memcpy(route->text, key->route, bytes);
	route->service = service;
	if (table_insert(&table->routes, &route->node, hash) < 0) {
		free(route);
		return NULL;
	}
	route->next = service->routes;
	service->routes = route;
	service->route_count++;
	return route;
}

/* NULL: refused. */
static struct route *route_get(struct route_table *table, const char *service, const char *text)
{
	struct route_key key = { service, text };
	uint64_t service_hash = hash_bytes(service, strlen(service));
	uint64_t hash = service_hash ^ hash_bytes(text, strlen(text));
	struct table_node *node = table_find(&table->routes, hash, &key);
	struct route *route = node ? table_entry(node, struct route, node) : NULL;

	if (route)
		table_touch(&table->services, &route->service->node);
	else
		route = route_add(table, &key, service_hash, hash);
	table->refused += !route;
	return route;
}

const char *route_table_intern(struct route_table *table, const char *service, const char *text)
{
	const struct route *route = route_get(table, service, text);

	return route ? route->text : "other";
}

/* The service's address spreads what many services have in common, like "/". */
static struct seen_path *slot_of(struct route_table *table, const char *service, const char *path,
				 size_t length)
{
	uint64_t hash = hash_bytes(path, length) ^ (uintptr_t)service >> 4;

	return &table->seen[hash % SEEN_PATHS];
}

const char *route_table_of_path(struct route_table *table, const char *service, const char *path)
{
	size_t length = strlen(path);
	struct seen_path *slot = slot_of(table, service, path, length);
	struct route *route = slot->route;
	char text[ROUTE_MAX];

	if (route && strcmp(slot->path, path) == 0 && strcmp(route->service->name, service) == 0) {
		table_touch(&table->services, &route->service->node);
		return route->text;
	}
	route_template(path, text);
	route = route_get(table, service, text);
	if (!route)
		return "other";
	if (length <= SEEN_PATH_MAX) {
		slot->route = route;
		memcpy(slot->path, path, length + 1);
	}
	return route->text;
}

uint64_t route_table_refused(const struct route_table *table)
{
	return table->refused;
}
