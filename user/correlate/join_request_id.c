/* SPDX-License-Identifier: Apache-2.0 */
/* A proxy passes X-Request-ID on: of all requests that its process has to answer, the one with the same ID led to the call. Where
 * several have it, none. */
#include <stdlib.h>
#include <string.h>

#include "correlate/join_state.h"

struct join_request_id {
	struct table_node node;
	struct handling *handling; /* borrowed; NULL: there were several */
	uint64_t key;
	uint32_t open;
};

static bool matches(const struct table_node *node, const void *key)
{
	return table_entry(node, struct join_request_id, node)->key == *(const uint64_t *)key;
}

int join_request_ids_init(struct join *join)
{
	return table_init(&join->request_ids, JOIN_REQUEST_IDS_MAX, matches);
}

void join_request_ids_done(struct join *join)
{
	struct table_node *node;

	while ((node = join->request_ids.oldest)) {
		table_remove(&join->request_ids, node);
		free(table_entry(node, struct join_request_id, node));
	}
	table_done(&join->request_ids);
}

/* Two IDs with the same 64 bits, of requests at the same time, are not expected. */
static uint64_t key_of(uint32_t tgid, const char *id)
{
	struct {
		uint32_t tgid;
		char id[REQUEST_ID_MAX];
	} text = { .tgid = tgid };
	size_t length = strlen(id);

	memcpy(text.id, id, length);
	return hash_bytes(&text, sizeof(text.tgid) + length);
}

static struct join_request_id *find(struct join *join, uint64_t key)
{
	struct table_node *node = table_peek_by(&join->request_ids, key, &key, matches);

	return node ? table_entry(node, struct join_request_id, node) : NULL;
}

static void enter(struct join *join, struct handling *handling, uint64_t key)
{
	struct join_request_id *entry = find(join, key);

	if (handling->request_id)
		return;
	if (entry) {
		entry->handling = NULL;
	} else {
		if (join->request_ids.count < join->request_ids.limit)
			entry = calloc(1, sizeof(*entry));
		if (!entry) {
			join->figures.request_ids_refused++;
			return;
		}
		entry->key = key;
		entry->handling = handling;
		(void)table_insert(&join->request_ids, &entry->node, key); /* there is room */
	}
	entry->open++;
	handling->request_id = entry;
}

void join_request_id_leave(struct join *join, struct handling *handling)
{
	struct join_request_id *entry = handling->request_id;

	handling->request_id = NULL;
	if (!entry)
		return;
	if (entry->handling == handling)
		entry->handling = NULL;
	if (--entry->open)
		return;
	table_remove(&join->request_ids, &entry->node);
	free(entry);
}

void join_request_id_take(struct engine *engine, struct exchange *exchange)
{
	uint64_t key = key_of(exchange->tgid, exchange->facts.trace_texts->request_id);
	struct exchange_span *span = &exchange->span;
	struct join_request_id *entry;

	if (span->own) {
		enter(engine->join, span->own, key);
	} else if (!span->cause && span->join != SPAN_JOIN_HEADER) {
		entry = find(engine->join, key);
		if (entry && entry->handling)
			join_give_cause(engine, span, entry->handling);
	}
}
