/* SPDX-License-Identifier: Apache-2.0 */
/* See pool.h. A connection counts from its first request on, as only that says what it is for, and until nothing more of it is
 * understood. */
#include "correlate/pool.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "correlate/connection.h"
#include "correlate/request.h"

/* Of an address of a Unix-domain socket: sun_path and a NUL. */
#define SOCKET_PATH_MAX 109

struct pool_key {
	const char *service;
	const char *system;
	const char *path;    /* of the server's socket; "": TCP, or not known */
	const uint8_t *addr; /* 16 bytes, of the server */
	uint16_t port;
	uint16_t family;
};

struct pool {
	struct table_node node;
	const char *system; /* static */
	uint64_t used_ns;   /* when it had a connection last, as far as it was looked at */
	uint64_t peak_began_ns;
	uint32_t open;
	uint32_t used;
	uint32_t peak;
	uint32_t peak_before;
	uint16_t port;
	uint16_t family;
	uint8_t addr[16];
	char path[SOCKET_PATH_MAX];
	char service[SERVICE_NAME_MAX];
};

static bool pool_matches(const struct table_node *node, const void *key)
{
	const struct pool *pool = table_entry(node, struct pool, node);
	const struct pool_key *wanted = key;

	return pool->port == wanted->port && pool->family == wanted->family &&
	       memcmp(pool->addr, wanted->addr, sizeof(pool->addr)) == 0 &&
	       pool->system == wanted->system && strcmp(pool->path, wanted->path) == 0 &&
	       strcmp(pool->service, wanted->service) == 0;
}

int pools_init(struct pools *pools)
{
	return table_init(&pools->table, POOLS_MAX, pool_matches);
}

static void pool_drop(struct pools *pools, struct pool *pool)
{
	table_remove(&pools->table, &pool->node);
	free(pool);
}

void pools_done(struct pools *pools)
{
	while (pools->table.oldest)
		pool_drop(pools, table_entry(pools->table.oldest, struct pool, node));
	table_done(&pools->table);
}

static struct pool *pool_new(struct pools *pools, const struct pool_key *key, uint64_t hash)
{
	struct pool *pool =
		pools->table.count < pools->table.limit ? calloc(1, sizeof(*pool)) : NULL;

	if (!pool) {
		pools->refused++;
		return NULL;
	}
	pool->system = key->system;
	pool->port = key->port;
	pool->family = key->family;
	memcpy(pool->addr, key->addr, sizeof(pool->addr));
	strncpy(pool->path, key->path, sizeof(pool->path) - 1);
	strncpy(pool->service, key->service, sizeof(pool->service) - 1);
	(void)table_insert(&pools->table, &pool->node, hash); /* there is room, seen above */
	return pool;
}

static struct pool *pool_get(struct pools *pools, const struct pool_key *key)
{
	uint64_t hash = hash_bytes(key->service, strlen(key->service)) ^ hash_bytes(key->addr, 16) ^
			hash_bytes(key->path, strlen(key->path)) ^ key->port ^
			(uintptr_t)key->system << 16;
	struct table_node *node = table_find(&pools->table, hash, key);

	return node ? table_entry(node, struct pool, node) : pool_new(pools, key, hash);
}

void pool_use(struct connection *connection)
{
	struct pool *pool = connection->pool;

	if (pool && ++pool->used > pool->peak)
		pool->peak = pool->used;
}

void pool_rest(struct connection *connection)
{
	if (connection->pool)
		connection->pool->used--;
}

void pool_join(struct engine *engine, struct connection *connection,
	       const struct exchange *exchange)
{
	const struct conn_tuple *tuple = &connection->ref.tuple;
	const struct process *process;
	struct pool_key key = { .system = exchange->facts.attributes[ATTRIBUTE_DB_SYSTEM_NAME],
				.path = connection->socket_path ? connection->socket_path : "",
				.addr = tuple->remote_addr,
				.port = tuple->remote_port,
				.family = tuple->family };

	connection->is_pool_known = true;
	if (!key.system || connection->role != ROLE_CLIENT || connection->closed_ns)
		return;
	process = selected_process(engine, exchange->tgid);
	if (!process)
		return;
	key.service = process->service;
	connection->pool = pool_get(&engine->pools, &key);
	if (!connection->pool)
		return;
	connection->pool->open++;
	if (connection->oldest)
		pool_use(connection);
}

void pool_leave(struct connection *connection)
{
	if (!connection->pool)
		return;
	if (connection->oldest)
		pool_rest(connection);
	connection->pool->open--;
	connection->pool = NULL;
}

static void pool_age(struct pool *pool, uint64_t now_ns)
{
	if (pool->open || !pool->used_ns)
		pool->used_ns = now_ns;
	if (now_ns - pool->peak_began_ns < POOL_PEAK_NS)
		return;
	pool->peak_began_ns = now_ns;
	pool->peak_before = pool->peak;
	pool->peak = pool->used;
}

void engine_each_pool(struct engine *engine, uint64_t now_ns,
		      void (*visit)(void *context, const struct engine_pool_view *), void *context)
{
	struct table_node *node = engine->pools.table.oldest, *newer;

	for (; node; node = newer) {
		struct pool *pool = table_entry(node, struct pool, node);
		struct engine_pool_view view = { .service = pool->service,
						 .system = pool->system,
						 .socket_path = pool->path,
						 .addr = pool->addr,
						 .port = pool->port,
						 .family = pool->family,
						 .open = pool->open,
						 .used = pool->used };

		newer = node->newer;
		pool_age(pool, now_ns);
		view.peak = pool->peak > pool->peak_before ? pool->peak : pool->peak_before;
		view.is_gone = now_ns - pool->used_ns > POOL_KEEP_NS;
		visit(context, &view);
		if (view.is_gone)
			pool_drop(&engine->pools, pool);
	}
}
