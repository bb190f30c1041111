/* SPDX-License-Identifier: Apache-2.0 */
/* The routes each service has used, bounded. One look-up for a route that is known. */
#include "correlate/route.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/table.h"
#include "correlate/process.h"

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

struct route_table {
	struct table services;
	struct table routes;
	size_t routes_per_service;
	uint64_t refused;
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

const char *route_table_intern(struct route_table *table, const char *service, const char *text)
{
	struct route_key key = { service, text };
	uint64_t service_hash = hash_bytes(service, strlen(service));
	uint64_t hash = service_hash ^ hash_bytes(text, strlen(text));
	struct table_node *node = table_find(&table->routes, hash, &key);
	struct route *route = node ? table_entry(node, struct route, node) : NULL;

	if (route) /* keeps the service among the recently used */
		(void)table_find(&table->services, service_hash, service);
	else
		route = route_add(table, &key, service_hash, hash);
	if (route)
		return route->text;
	table->refused++;
	return "other";
}

uint64_t route_table_refused(const struct route_table *table)
{
	return table->refused;
}
