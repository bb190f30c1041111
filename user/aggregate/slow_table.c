/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregate/slow_table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/table.h"
#include "correlate/span_name.h"
#include "protocol/protocol.h"

struct service {
	struct table_node node;
	char name[SERVICE_NAME_MAX];
	size_t count;
	struct slow_request slow[SLOW_ENTRIES]; /* the slowest first */
};

struct slow_table {
	struct table services; /* owns its nodes */
	struct arena arena;    /* for the name in hand */
	uint64_t evicted;
};

static bool matches(const struct table_node *node, const void *key)
{
	return strcmp(table_entry(node, struct service, node)->name, key) == 0;
}

struct slow_table *slow_table_new(void)
{
	struct slow_table *table = calloc(1, sizeof(*table));

	if (table && table_init(&table->services, SLOW_SERVICES, matches)) {
		free(table);
		return NULL;
	}
	return table;
}

static struct service *take_oldest(struct slow_table *table)
{
	struct service *service = table_entry(table->services.oldest, struct service, node);

	table_remove(&table->services, &service->node);
	return service;
}

void slow_table_free(struct slow_table **slot)
{
	struct slow_table *table = *slot;

	*slot = NULL;
	if (!table)
		return;
	while (table->services.oldest)
		free(take_oldest(table));
	table_done(&table->services);
	arena_done(&table->arena);
	free(table);
}

/* Returns NULL when out of memory. */
static struct service *service_of(struct slow_table *table, const char *name)
{
	uint64_t hash = hash_bytes(name, strlen(name));
	struct table_node *node = table_find_by(&table->services, hash, name, matches);
	struct service *service;

	if (node)
		return table_entry(node, struct service, node);
	if (table->services.count == table->services.limit) {
		service = take_oldest(table);
		table->evicted++;
	} else {
		service = malloc(sizeof(*service));
	}
	if (!service)
		return NULL;
	service->count = 0;
	snprintf(service->name, sizeof(service->name), "%s", name);
	(void)table_insert(&table->services, &service->node, hash); /* room was made */
	return service;
}

/* Sums, not differences: a machine may have been up for less than that. */
static bool is_old(const struct slow_request *slow, uint64_t now_ns)
{
	return slow->end_ns + SLOW_KEPT_NS <= now_ns;
}

static void forget_old(struct service *service, uint64_t now_ns)
{
	size_t kept = 0;

	for (size_t i = 0; i < service->count; i++) {
		if (is_old(&service->slow[i], now_ns))
			continue;
		if (kept != i)
			service->slow[kept] = service->slow[i];
		kept++;
	}
	service->count = kept;
}

static struct slow_request *place_of(struct service *service, uint64_t total_ns)
{
	size_t place = service->count;

	while (place && service->slow[place - 1].total_ns < total_ns)
		place--;
	if (place == SLOW_ENTRIES)
		return NULL;
	if (service->count < SLOW_ENTRIES)
		service->count++;
	memmove(&service->slow[place + 1], &service->slow[place],
		(service->count - 1 - place) * sizeof(service->slow[0]));
	return &service->slow[place];
}

void slow_table_put(struct slow_table *table, const struct request *request, uint64_t total_ns,
		    const struct verdict *verdict)
{
	struct service *service = service_of(table, request->process->service);
	const char *error_type = request->attributes[ATTRIBUTE_ERROR_TYPE];
	struct slow_request *slow;

	if (!service)
		return;
	forget_old(service, request->end_ns);
	slow = place_of(service, total_ns);
	if (!slow)
		return;
	*slow = (struct slow_request){
		.end_ns = request->end_ns,
		.total_ns = total_ns,
		.tgid = request->process->tgid,
		.has_trace = request->span && request->span->is_sampled,
		.verdict = *verdict,
	};
	memcpy(slow->part_ns, request->usage.part_ns, sizeof(slow->part_ns));
	if (slow->has_trace)
		memcpy(slow->trace_id, request->span->trace_id, TRACE_ID_BYTES);
	if (error_type)
		snprintf(slow->error_type, sizeof(slow->error_type), "%s", error_type);
	snprintf(slow->name, sizeof(slow->name), "%s",
		 span_name(request->protocol->name, request->attributes, &table->arena));
	arena_clear(&table->arena);
}

void slow_table_each(const struct slow_table *table, uint64_t now_ns,
		     void (*visit)(void *context, const char *service,
				   const struct slow_request *slow),
		     void *context)
{
	for (struct table_node *node = table->services.newest; node; node = node->older) {
		struct service *service = table_entry(node, struct service, node);

		for (size_t i = 0; i < service->count; i++)
			if (!is_old(&service->slow[i], now_ns))
				visit(context, service->name, &service->slow[i]);
	}
}

void slow_table_read(const struct slow_table *table, struct slow_table_figures *ret_figures)
{
	*ret_figures = (struct slow_table_figures){ table->services.count, table->evicted };
}
