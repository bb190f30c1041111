/* SPDX-License-Identifier: Apache-2.0 */
/* A DNS lookup belongs to the request whose connection goes to an address that it gave. No event says which thread asks a name server,
 * nor need it be the one that connects: getaddrinfo may have a thread of its own. The address says more, as long as the process has
 * asked for it once. */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/address.h"
#include "correlate/join_state.h"
#include "correlate/request.h"
#include "protocol/dns.h"

/* From the answer to the SYN. */
#define CONNECT_GAP_NS 100000000u
/* From the answer on, until its connection's first request: one SYN may be lost, which is sent again after a second. */
#define KEEP_NS 2000000000u

static struct kept_lookup *kept_at(struct join *join, size_t number)
{
	return &join->kept[(join->kept_first + number) % KEPT_LOOKUPS];
}

/* By itself, in a trace of its own. */
static void tell_alone(struct engine *engine, const struct kept_lookup *lookup)
{
	const struct process *process = selected_process(engine, lookup->tgid);
	struct joined joined;
	struct request request = request_of_lookup(&lookup->told);

	if (!process)
		return;
	request.protocol = &protocol_dns;
	request.process = process;
	request.span = &joined.span;
	if (join_finish(engine, process, NULL, &joined))
		engine->sink->request(engine->sink->context, &request);
}

static void release_oldest(struct engine *engine)
{
	struct join *join = engine->join;
	struct kept_lookup *oldest = kept_at(join, 0);

	if (oldest->tgid)
		tell_alone(engine, oldest);
	join->kept_first = (join->kept_first + 1) % KEPT_LOOKUPS;
	join->kept_count--;
}

static void keep(struct engine *engine, const struct kept_lookup *lookup)
{
	struct join *join = engine->join;

	if (join->kept_count == KEPT_LOOKUPS) {
		join->figures.lookups_evicted += kept_at(join, 0)->tgid != 0;
		release_oldest(engine);
	}
	*kept_at(join, join->kept_count++) = *lookup;
}

static bool is_for_a_connect(const struct request *lookup)
{
	const char *type = lookup->attributes[ATTRIBUTE_DNS_QUESTION_TYPE];

	return lookup->role == ROLE_CLIENT && !lookup->is_partial &&
	       !lookup->attributes[ATTRIBUTE_ERROR_TYPE] &&
	       strcmp(lookup->attributes[ATTRIBUTE_NETWORK_TRANSPORT], "udp") == 0 &&
	       (strcmp(type, "A") == 0 || strcmp(type, "AAAA") == 0);
}

bool join_keep_lookup(struct engine *engine, const struct request *lookup, uint64_t socket,
		      const struct dns_addresses *addresses)
{
	const char *const *texts = lookup->attributes;
	struct kept_lookup kept = { .told = { .start_ns = lookup->start_ns,
					      .end_ns = lookup->end_ns,
					      .tuple = *lookup->tuple,
					      .type = texts[ATTRIBUTE_DNS_QUESTION_TYPE] },
				    .socket = socket,
				    .tgid = lookup->process->tgid,
				    .addresses = *addresses };

	if (!engine->join || !is_for_a_connect(lookup))
		return false;
	strncpy(kept.told.name, texts[ATTRIBUTE_DNS_QUESTION_NAME], sizeof(kept.told.name) - 1);
	keep(engine, &kept);
	return true;
}

/* An address of IPv4, also where the socket is one of IPv6, or one of IPv6. */
static void server_of(const struct conn_tuple *tuple, uint8_t ret_address[16])
{
	memset(ret_address, 0, 16);
	if (tuple->family == AF_INET)
		memcpy(ret_address, tuple->remote_addr, 4);
	else if (address_is_mapped(tuple->remote_addr))
		memcpy(ret_address, tuple->remote_addr + 12, 4);
	else
		memcpy(ret_address, tuple->remote_addr, 16);
}

static bool is_in_time(const struct kept_lookup *lookup, uint64_t connect_ns)
{
	return lookup->told.end_ns <= connect_ns &&
	       connect_ns - lookup->told.end_ns <= CONNECT_GAP_NS;
}

static bool gave(const struct kept_lookup *lookup, const uint8_t address[16])
{
	for (size_t i = 0; i < lookup->addresses.count; i++)
		if (memcmp(lookup->addresses.bytes[i], address, 16) == 0)
			return true;
	return false;
}

/* The one lookup of the process that gave the address; NULL: none, or several did, by sockets of their own. */
static const struct kept_lookup *find(struct join *join, uint32_t tgid, const uint8_t address[16],
				      uint64_t connect_ns)
{
	const struct kept_lookup *found = NULL;

	for (size_t i = 0; i < join->kept_count; i++) {
		const struct kept_lookup *lookup = kept_at(join, i);

		if (lookup->tgid != tgid || !is_in_time(lookup, connect_ns) ||
		    !gave(lookup, address))
			continue;
		if (found && found->socket != lookup->socket)
			return NULL;
		found = lookup;
	}
	return found;
}

/* With what was asked on the same socket: getaddrinfo asks for both families at once. */
void join_lookups_claim(struct engine *engine, const struct connection *connection,
			struct exchange_span *span)
{
	uint64_t connect_ns = span->opening.start_ns, socket;
	const struct kept_lookup *found;
	uint8_t address[16];

	if (!engine->join->kept_count)
		return;
	server_of(&connection->ref.tuple, address);
	found = find(engine->join, connection->tgid, address, connect_ns);
	if (!found)
		return;
	socket = found->socket;
	span->lookups = calloc(1, sizeof(*span->lookups)); /* without memory: told by themselves */
	for (size_t i = 0; span->lookups && i < engine->join->kept_count; i++) {
		struct kept_lookup *lookup = kept_at(engine->join, i);

		if (lookup->tgid != connection->tgid || lookup->socket != socket ||
		    !is_in_time(lookup, connect_ns) || span->lookups->count == SPAN_LOOKUPS_MAX)
			continue;
		span->lookups->items[span->lookups->count++] = *lookup;
		lookup->tgid = 0;
	}
}

void join_lookups_return(struct engine *engine, struct kept_lookups *lookups)
{
	for (size_t i = 0; i < lookups->count; i++)
		keep(engine, &lookups->items[i]);
	lookups->count = 0;
}

void join_lookups_told(const struct exchange *exchange)
{
	if (exchange->span.lookups)
		exchange->span.lookups->is_told = true;
}

void join_lookups_drop(struct engine *engine, struct exchange_span *span)
{
	struct kept_lookups *lookups = span->lookups;

	span->lookups = NULL;
	for (size_t i = 0; lookups && !lookups->is_told && i < lookups->count; i++)
		tell_alone(engine, &lookups->items[i]);
	free(lookups);
}

void join_end(struct engine *engine)
{
	while (engine->join && engine->join->kept_count)
		release_oldest(engine);
	if (engine->join)
		join_connects_tick(engine, UINT64_MAX);
}

void join_lookups_tick(struct engine *engine, uint64_t now_ns)
{
	while (engine->join->kept_count && kept_at(engine->join, 0)->told.end_ns + KEEP_NS < now_ns)
		release_oldest(engine);
}
