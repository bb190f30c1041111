/* SPDX-License-Identifier: Apache-2.0 */
/* Entries by hash, the newest has the place. Where text is says what it is: but for what is not static, of which a
 * copy is compared. */
#include "aggregate/request_memory.h"

#include <stdlib.h>
#include <string.h>

#include "protocol/protocol.h"

#define ENTRY_BITS 9

_Static_assert(MEMORY_TEXT_MAX <= UINT8_MAX && LABELLED_COUNT <= 32, "struct remembered");

struct request_memory {
	struct remembered entries[1 << ENTRY_BITS];
};

/* The end of a request's connection that serves. */
struct server_end {
	const uint8_t *addr; /* 16 bytes; borrowed */
	uint16_t port;
};

static inline struct server_end server_end_of(const struct request *request)
{
	const struct conn_tuple *tuple = request->tuple;

	if (request->role == ROLE_SERVER)
		return (struct server_end){ tuple->local_addr, tuple->local_port };
	return (struct server_end){ tuple->remote_addr, tuple->remote_port };
}

/* Of where text is, not of what it says: static text and routes repeat with their place. */
static inline size_t entry_index(const struct request *request, struct server_end server)
{
	uint64_t hash = request->process->identity ^ (uint64_t)server.port << 32;

#pragma GCC unroll LABELLED_COUNT
	for (size_t i = 0; i < LABELLED_COUNT; i++)
		hash = (hash << 5 | hash >> 59) ^ (uintptr_t)request->attributes[i];
	return hash * 0x9e3779b97f4a7c15u >> (64 - ENTRY_BITS);
}

static inline bool entry_matches(const struct remembered *entry, const struct request *request,
				 struct server_end server)
{
	if (entry->process != request->process->identity || entry->protocol != request->protocol ||
	    entry->role != request->role || entry->family != request->tuple->family ||
	    entry->port != server.port ||
	    memcmp(entry->addr, server.addr, sizeof(entry->addr)) != 0 ||
	    memcmp(entry->attributes, request->attributes, sizeof(entry->attributes)) != 0)
		return false;
	if (request->socket_path && strcmp(entry->text + entry->path_at, request->socket_path) != 0)
		return false;
	for (unsigned copied = entry->copied; copied; copied &= copied - 1) {
		int i = __builtin_ctz(copied);

		if (strcmp(entry->text + entry->at[i], entry->attributes[i]) != 0)
			return false;
	}
	return true;
}

/* Whether an attribute's text may be another one by the next request. */
static bool changes(const struct request *request, unsigned attribute)
{
	const char *value = request->attributes[attribute];

	if (!value)
		return false;
	return attribute == ATTRIBUTE_HTTP_ROUTE || attribute == ATTRIBUTE_DB_COLLECTION_NAME ||
	       attribute == ATTRIBUTE_RPC_METHOD || attribute == ATTRIBUTE_GRAPHQL_OPERATION_NAME ||
	       attribute == ATTRIBUTE_MESSAGING_DESTINATION_NAME ||
	       attribute == ATTRIBUTE_MESSAGING_CONSUMER_GROUP_NAME ||
	       attribute == ATTRIBUTE_DNS_QUESTION_NAME ||
	       (uintptr_t)value - (uintptr_t)request->text < FACTS_TEXT_MAX;
}

/* Returns false for a request with too much to remember: the entry is then empty. Not inline: it is rare, and would cost
 * each look-up the registers that it needs. */
static __attribute__((noinline)) bool entry_fill(struct remembered *entry,
						 const struct request *request,
						 struct server_end server)
{
	size_t used = 1; /* what has no text is "" */

	*entry = (struct remembered){ .role = request->role,
				      .family = request->tuple->family,
				      .port = server.port };
	memcpy(entry->addr, server.addr, sizeof(entry->addr));
	for (size_t i = 0; i < LABELLED_COUNT; i++) {
		const char *value = request->attributes[i];
		size_t bytes;

		entry->attributes[i] = value;
		if (!changes(request, (unsigned)i))
			continue;
		bytes = strlen(value) + 1;
		if (bytes > MEMORY_TEXT_MAX - used)
			return false;
		entry->copied |= 1u << i;
		entry->at[i] = (uint8_t)used;
		memcpy(entry->text + used, value, bytes);
		used += bytes;
	}
	if (request->socket_path && request->socket_path[0]) {
		size_t bytes = strlen(request->socket_path) + 1;

		if (bytes > MEMORY_TEXT_MAX - used)
			return false;
		entry->path_at = (uint8_t)used;
		memcpy(entry->text + used, request->socket_path, bytes);
	}
	entry->process = request->process->identity;
	entry->protocol = request->protocol;
	return true;
}

struct remembered *request_memory_find(struct request_memory *memory, const struct request *request)
{
	struct server_end server = server_end_of(request);
	struct remembered *entry = &memory->entries[entry_index(request, server)];

	if (entry_matches(entry, request, server))
		return entry;
	return entry_fill(entry, request, server) ? entry : NULL;
}

struct request_memory *request_memory_new(void)
{
	return calloc(1, sizeof(struct request_memory));
}

void request_memory_free(struct request_memory **memory)
{
	free(*memory);
	*memory = NULL;
}
