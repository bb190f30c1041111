/* SPDX-License-Identifier: Apache-2.0 */
/* A route is a service, a side and the name that its spans have. */
#include "sample/route_memory.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "aggregate/octave.h"
#include "base/clock.h"
#include "base/table.h"
#include "correlate/span_name.h"
#include "protocol/protocol.h"

/* 2^(1/4) between bounds: 19 %. From 1 µs to 17 minutes; what is outside counts as the first or the last. */
#define PER_OCTAVE 4
#define FIRST_OCTAVE (-20)
#define BUCKETS (30 * PER_OCTAVE)
/* The quantile is looked up again after so many. */
#define REFRESH 32
#define KEY_MAX 512

struct route {
	struct table_node node;
	uint64_t key;
	uint64_t minute;
	uint32_t floor; /* a minute; 0: none */
	uint32_t seen;	/* this minute */
	uint32_t count; /* sum of counts */
	uint8_t limit;	/* buckets behind this one are slow, when is_learned */
	bool is_learned;
	uint16_t counts[BUCKETS];
};
_Static_assert(BUCKETS <= UINT8_MAX && ROUTE_MEMORY_HALVED <= UINT16_MAX, "struct route");

struct route_memory {
	struct table routes; /* owns its nodes */
	const struct sampling_rules *rules;
	struct arena arena; /* for the name of a new route */
	uint64_t evicted;
};

static bool matches(const struct table_node *node, const void *key)
{
	return table_entry(node, struct route, node)->key == *(const uint64_t *)key;
}

struct route_memory *route_memory_new(const struct sampling_rules *rules)
{
	struct route_memory *memory = calloc(1, sizeof(*memory));

	if (memory && table_init(&memory->routes, ROUTE_MEMORY_MAX, matches)) {
		free(memory);
		return NULL;
	}
	if (memory)
		memory->rules = rules;
	return memory;
}

void route_memory_free(struct route_memory **slot)
{
	struct route_memory *memory = *slot;
	struct table_node *node;

	*slot = NULL;
	if (!memory)
		return;
	while ((node = memory->routes.oldest)) {
		table_remove(&memory->routes, node);
		free(table_entry(node, struct route, node));
	}
	table_done(&memory->routes);
	arena_done(&memory->arena);
	free(memory);
}

static size_t add(char *key, size_t used, const char *text)
{
	size_t length = strlen(text), room = KEY_MAX - 1 - used;

	length = length < room ? length : room;
	memcpy(key + used, text, length);
	used += length;
	if (used < KEY_MAX - 1)
		key[used++] = '\n';
	return used;
}

/* A connect that failed has no protocol. */
static const char *protocol_name(const struct request *request)
{
	return request->protocol ? request->protocol->name : "socket connect";
}

/* Of all that a span's name is made of. Two routes with the same 64 bits are one. */
static uint64_t key_of(const struct request *request)
{
	static const enum attribute named[] = {
		ATTRIBUTE_HTTP_REQUEST_METHOD,
		ATTRIBUTE_HTTP_ROUTE,
		ATTRIBUTE_RPC_METHOD,
		ATTRIBUTE_DB_OPERATION_NAME,
		ATTRIBUTE_DB_COLLECTION_NAME,
		ATTRIBUTE_MESSAGING_OPERATION_NAME,
		ATTRIBUTE_MESSAGING_DESTINATION_NAME,
		ATTRIBUTE_DNS_QUESTION_TYPE,
	};
	char key[KEY_MAX];
	size_t used = add(key, 0, request->process->service);

	used = add(key, used, protocol_name(request));
	key[used++] = (char)request->role;
	for (size_t i = 0; i < sizeof(named) / sizeof(named[0]); i++) {
		const char *text = request->attributes[named[i]];

		if (text && used < KEY_MAX - 1)
			used = add(key, used, text);
	}
	return hash_bytes(key, used);
}

static uint32_t floor_of(struct route_memory *memory, const struct request *request)
{
	const char *name = span_name(protocol_name(request), request->attributes, &memory->arena);
	uint32_t most = 0;

	for (size_t i = 0; i < memory->rules->floor_count; i++) {
		const struct sampling_floor *floor = &memory->rules->floors[i];

		if (floor->per_minute > most && fnmatch(floor->glob, name, 0) == 0)
			most = floor->per_minute;
	}
	arena_clear(&memory->arena);
	return most;
}

/* Returns NULL when out of memory. */
static struct route *route_of(struct route_memory *memory, const struct request *request)
{
	uint64_t key = key_of(request);
	struct table_node *node = table_find_by(&memory->routes, key, &key, matches);
	struct route *route;

	if (node)
		return table_entry(node, struct route, node);
	if (memory->routes.count == memory->routes.limit) {
		route = table_entry(memory->routes.oldest, struct route, node);
		table_remove(&memory->routes, &route->node);
		memset(route, 0, sizeof(*route));
		memory->evicted++;
	} else {
		route = calloc(1, sizeof(*route));
	}
	if (!route)
		return NULL;
	route->key = key;
	route->floor = floor_of(memory, request);
	(void)table_insert(&memory->routes, &route->node, key); /* room was made */
	return route;
}

static unsigned bucket_of(uint64_t duration_ns)
{
	int32_t bucket;

	if (!duration_ns)
		return 0;
	bucket = (octave_index(&octave_of_billions, duration_ns) >> 2) - FIRST_OCTAVE * PER_OCTAVE;
	_Static_assert(OCTAVE_BUCKETS == PER_OCTAVE << 2, "bucket_of");
	return bucket < 0 ? 0 : bucket >= BUCKETS ? BUCKETS - 1 : (unsigned)bucket;
}

static void halve(struct route *route)
{
	route->count = 0;
	for (size_t i = 0; i < BUCKETS; i++) {
		route->counts[i] /= 2;
		route->count += route->counts[i];
	}
}

/* The bucket that the quantile lies in. */
static void learn(struct route *route, unsigned slow_permille)
{
	uint64_t wanted = ((uint64_t)route->count * slow_permille + 999) / 1000, below = 0;
	uint8_t i = 0;

	while (i < BUCKETS - 1 && below + route->counts[i] < wanted)
		below += route->counts[i++];
	route->limit = i;
	route->is_learned = true;
}

/* Judged by what was known before it. */
static bool is_slow(struct route *route, uint64_t duration_ns, unsigned slow_permille)
{
	unsigned bucket = bucket_of(duration_ns);
	bool is_slow = route->is_learned && bucket > route->limit;

	route->counts[bucket]++;
	route->count++;
	if (route->count >= ROUTE_MEMORY_LEARNED && route->count % REFRESH == 0)
		learn(route, slow_permille);
	if (route->count >= ROUTE_MEMORY_HALVED)
		halve(route);
	return is_slow;
}

static bool is_below_floor(struct route *route, uint64_t now_ns)
{
	uint64_t minute = now_ns / (60ull * NS_PER_SECOND);

	if (minute > route->minute) {
		route->minute = minute;
		route->seen = 0;
	}
	if (route->seen >= route->floor)
		return false;
	route->seen++;
	return true;
}

struct route_verdict route_memory_observe(struct route_memory *memory,
					  const struct request *request)
{
	struct route *route = route_of(memory, request);
	struct route_verdict verdict = { 0 };

	if (!route)
		return verdict;
	if (memory->rules->slow_permille)
		verdict.is_slow = is_slow(route, request->end_ns - request->start_ns,
					  memory->rules->slow_permille);
	verdict.is_below_floor = is_below_floor(route, request->end_ns);
	return verdict;
}

void route_memory_read(const struct route_memory *memory, struct route_memory_figures *ret_figures)
{
	*ret_figures = (struct route_memory_figures){ .limit = ROUTE_MEMORY_MAX };
	if (!memory)
		return;
	ret_figures->count = memory->routes.count;
	ret_figures->evicted = memory->evicted;
}
