/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/service_sums.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/table.h"
#include "correlate/process.h"

static const struct {
	enum metric metric;
	const char *direction; /* NULL: the metric has no such label */
} rows[SERVICE_SUM_COUNT] = {
	[SUM_WAITING_THREADS] = { METRIC_RUN_QUEUE_THREADS, NULL },
	[SUM_RECEIVED_BYTES] = { METRIC_TCP_QUEUE_BYTES, "received" },
	[SUM_SENT_BYTES] = { METRIC_TCP_QUEUE_BYTES, "sent" },
	[SUM_RECEIVED_FULL] = { METRIC_TCP_QUEUES_FULL, "received" },
	[SUM_SENT_FULL] = { METRIC_TCP_QUEUES_FULL, "sent" },
};

struct service {
	struct table_node node;
	char name[SERVICE_NAME_MAX];
	uint64_t sums[SERVICE_SUM_COUNT];
	bool was_told[SERVICE_SUM_COUNT]; /* as more than 0 */
};

struct service_sums {
	struct series_store *store; /* borrowed */
	struct table services;	    /* owns its nodes */
	uint64_t refused;
};

static bool match_name(const struct table_node *node, const void *key)
{
	return strcmp(table_entry(node, struct service, node)->name, key) == 0;
}

struct service_sums *service_sums_new(struct series_store *store, size_t limit)
{
	struct service_sums *sums = calloc(1, sizeof(*sums));

	if (!sums)
		return NULL;
	sums->store = store;
	if (table_init(&sums->services, limit, match_name))
		service_sums_free(&sums);
	return sums;
}

static void forget(struct service_sums *sums, struct service *service)
{
	table_remove(&sums->services, &service->node);
	free(service);
}

void service_sums_free(struct service_sums **sums_slot)
{
	struct service_sums *sums = *sums_slot;

	if (!sums)
		return;
	while (sums->services.oldest)
		forget(sums, table_entry(sums->services.oldest, struct service, node));
	table_done(&sums->services);
	free(sums);
	*sums_slot = NULL;
}

void service_sums_begin(struct service_sums *sums, enum service_sum first, enum service_sum behind)
{
	for (struct table_node *node = sums->services.oldest; node; node = node->newer)
		for (unsigned i = first; i < behind; i++)
			table_entry(node, struct service, node)->sums[i] = 0;
}

/* Find or make; NULL when there is no room. */
static struct service *find(struct service_sums *sums, const char *name)
{
	uint64_t hash = hash_bytes(name, strlen(name));
	struct table_node *node = table_find(&sums->services, hash, name);
	struct service *service =
		node ? table_entry(node, struct service, node) : calloc(1, sizeof(*service));

	if (node || !service)
		return service;
	snprintf(service->name, sizeof(service->name), "%s", name);
	if (table_insert(&sums->services, &service->node, hash) == 0)
		return service;
	free(service);
	return NULL;
}

void service_sums_add(struct service_sums *sums, const char *name, enum service_sum sum,
		      uint64_t count)
{
	struct service *service = count ? find(sums, name) : NULL;

	if (service)
		service->sums[sum] += count;
	else if (count)
		sums->refused++;
}

/* Returns whether there is something to tell. */
static bool write_service(struct service_sums *sums, struct service *service)
{
	bool is_used = false;

	for (unsigned i = 0; i < SERVICE_SUM_COUNT; i++) {
		label_values labels = { service->name, rows[i].direction };

		if (!service->sums[i] && !service->was_told[i])
			continue;
		(void)series_set(sums->store, rows[i].metric, labels, 0, (double)service->sums[i]);
		service->was_told[i] = service->sums[i] > 0;
		is_used = true;
	}
	return is_used;
}

void service_sums_write(struct service_sums *sums)
{
	struct table_node *next;

	for (struct table_node *node = sums->services.oldest; node; node = next) {
		struct service *service = table_entry(node, struct service, node);

		next = node->newer;
		if (!write_service(sums, service))
			forget(sums, service);
	}
}

size_t service_sums_count(const struct service_sums *sums)
{
	return sums->services.count;
}

uint64_t service_sums_refused(const struct service_sums *sums)
{
	return sums->refused;
}
