/* SPDX-License-Identifier: Apache-2.0 */
/* A query makes an entry, an answer ends it; what neither asks nor ends anything waits for its time to pass. Several sends of
 * one query (same socket, identifier and question) are one lookup. */
#include "correlate/lookup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/address.h"
#include "correlate/join.h"
#include "correlate/request.h"
#include "protocol/dns.h"
#include "protocol/dns_words.h"

/* Resolvers wait up to five seconds for an answer (resolv.conf(5), RES_TIMEOUT) and then send the same query again: that
 * must still find its lookup. */
#define PATIENCE_NS 6000000000u
/* An answer may be read on another thread before the call that sent the query returns. */
#define OVERTAKE_NS 1000000000u
#define ASK_LOST_NS 1000000000u

/* Local names without servers that all answer, and with protocols of their own: NetBIOS, mDNS, LLMNR. */
#define PORT_NETBIOS 137
#define PORT_MDNS 5353
#define PORT_LLMNR 5355

/* Zeroed before it is filled: it is hashed and compared as bytes. */
struct lookup_key {
	uint64_t socket;  /* inode, or conn_id */
	uint8_t peer[16]; /* who asks, where we answer over UDP: identifiers are the asker's */
	uint16_t peer_port;
	uint16_t id;
	uint8_t role; /* enum conn_role */
	uint8_t is_stream;
	uint8_t is_orphan; /* an answer to what was not seen (yet) */
	uint8_t _pad;
};
_Static_assert(sizeof(struct lookup_key) == 32, "no holes");

struct lookup {
	struct table_node node;
	struct lookup_key key;
	struct conn_tuple tuple;
	uint64_t question;  /* hash; 0: the message has none */
	uint64_t start_ns;  /* first sent or read */
	uint64_t newest_ns; /* sent last */
	uint64_t end_ns;
	uint64_t lost_before; /* events lost when it began, or some time before */
	uint32_t tgid;
	uint32_t retries;
	uint16_t type;
	uint8_t rcode;
	bool is_truncated;
	bool is_late_start; /* what was said before may be older than sonde */
	bool is_refused;    /* nobody listens there */
	struct dns_addresses addresses;
	char name[DNS_SUFFIX_MAX];
};

struct lookup_table {
	struct table lookups; /* by key; in the order in which they will be given up */
	uint64_t evicted;
	uint64_t lost; /* events, when last asked */
	uint64_t asked_ns;
	uint64_t started_ns; /* of the first event or tick */
};

/* What is sought besides the key. */
struct lookup_search {
	struct lookup_key key;
	uint64_t question;
};

static bool lookup_matches(const struct table_node *node, const void *key)
{
	const struct lookup *lookup = table_entry(node, struct lookup, node);
	const struct lookup_search *search = key;

	return memcmp(&lookup->key, &search->key, sizeof(lookup->key)) == 0 &&
	       (lookup->question == search->question || !lookup->question || !search->question);
}

struct lookup_table *lookup_table_new(void)
{
	struct lookup_table *table = calloc(1, sizeof(*table));

	if (table && table_init(&table->lookups, LOOKUPS_MAX, lookup_matches) < 0) {
		free(table);
		return NULL;
	}
	return table;
}

void lookup_table_free(struct lookup_table **slot)
{
	struct lookup_table *table = *slot;

	*slot = NULL;
	if (!table)
		return;
	while (table->lookups.oldest) {
		struct table_node *node = table->lookups.oldest;

		table_remove(&table->lookups, node);
		free(table_entry(node, struct lookup, node));
	}
	table_done(&table->lookups);
	free(table);
}

static uint64_t key_hash(const struct lookup_key *key)
{
	return hash_bytes(key, sizeof(*key));
}

static uint64_t question_hash(const struct dns_message *message)
{
	uint64_t hash = hash_bytes(message->name, strlen(message->name)) ^ message->type;

	return message->has_question ? hash | 1 : 0;
}

static void count_outcome(struct engine *engine, const struct process *process,
			  enum parse_outcome outcome)
{
	if (process)
		engine->sink->parse_outcome(engine->sink->context, protocol_dns.name, outcome);
}

static const char *error_of(const struct lookup *lookup, enum parse_outcome failure)
{
	if (lookup->is_refused)
		return "connection_refused";
	if (failure == PARSE_NO_RESPONSE)
		return lookup->key.is_stream && lookup->end_ns < lookup->newest_ns + PATIENCE_NS ?
			       "no_response" :
			       "timeout";
	return dns_rcode_name(lookup->rcode);
}

static void send_request(struct engine *engine, const struct lookup *lookup,
			 const struct process *process, enum parse_outcome failure)
{
	struct joined joined;
	struct request request = {
		.start_ns = lookup->start_ns,
		.end_ns = lookup->end_ns > lookup->start_ns ? lookup->end_ns : lookup->start_ns,
		.protocol = &protocol_dns,
		.process = process,
		.tuple = &lookup->tuple,
		.retries = lookup->retries,
		.role = (enum conn_role)lookup->key.role,
		.is_partial = failure == PARSE_LOST || failure == PARSE_PARTIAL,
		.is_unanswered = failure == PARSE_NO_RESPONSE,
	};

	request.attributes[ATTRIBUTE_DNS_QUESTION_NAME] =
		route_table_intern(engine->names, process->service, lookup->name);
	request.attributes[ATTRIBUTE_DNS_QUESTION_TYPE] = dns_type_name(lookup->type);
	request.attributes[ATTRIBUTE_NETWORK_TRANSPORT] = lookup->key.is_stream ? "tcp" : "udp";
	request.attributes[ATTRIBUTE_ERROR_TYPE] = error_of(lookup, failure);
	if (!join_keep_lookup(engine, &request, lookup->key.socket, &lookup->addresses) &&
	    join_finish(engine, process, NULL, &joined))
		request.span = &joined.span;
	engine->sink->request(engine->sink->context, &request);
}

/* Take a lookup out and say what came of it. A server that did not answer served nothing. */
static void lookup_end(struct engine *engine, struct lookup *lookup, enum parse_outcome failure)
{
	const struct process *process = selected_process(engine, lookup->tgid);
	bool is_silent_server = failure == PARSE_NO_RESPONSE && lookup->key.role == ROLE_SERVER;

	table_remove(&engine->lookups->lookups, &lookup->node);
	if (process && failure != PARSE_UNMATCHED_RESPONSE && !is_silent_server)
		send_request(engine, lookup, process, failure);
	count_outcome(engine, process, failure);
	if (lookup->is_truncated && failure == PARSE_OK)
		count_outcome(engine, process, PARSE_TRUNCATED);
	free(lookup);
}

static struct lookup *lookup_find(struct lookup_table *table, const struct lookup_search *search)
{
	struct table_node *node =
		table_peek_by(&table->lookups, key_hash(&search->key), search, lookup_matches);

	return node ? table_entry(node, struct lookup, node) : NULL;
}

/* A message on its way into the table. */
struct lookup_message {
	const struct dns_message *message;
	const struct conn_tuple *tuple;
	struct lookup_search search;
	uint64_t time_ns;
	uint32_t tgid;
	bool is_late_start;   /* what was said before may be older than sonde */
	const uint8_t *bytes; /* to find addresses in; NULL: nobody asks for them */
	size_t captured;
};

static struct lookup *lookup_add(struct engine *engine, const struct lookup_message *from)
{
	struct lookup_table *table = engine->lookups;
	struct lookup *lookup;

	if (table->lookups.count >= table->lookups.limit) {
		lookup_end(engine, table_entry(table->lookups.oldest, struct lookup, node),
			   PARSE_LOST);
		table->evicted++;
	}
	lookup = calloc(1, sizeof(*lookup));
	if (!lookup)
		return NULL;
	lookup->key = from->search.key;
	lookup->question = from->search.question;
	lookup->tuple = *from->tuple;
	lookup->start_ns = lookup->newest_ns = lookup->end_ns = from->time_ns;
	lookup->lost_before = table->lost;
	lookup->tgid = from->tgid;
	lookup->is_late_start = from->is_late_start;
	lookup->type = from->message->type;
	strncpy(lookup->name, dns_name_suffix(from->message->name), sizeof(lookup->name) - 1);
	(void)table_insert(&table->lookups, &lookup->node,
			   key_hash(&lookup->key)); /* room was made */
	return lookup;
}

static void take_answer_facts(struct lookup *lookup, const struct lookup_message *answer)
{
	lookup->end_ns = answer->time_ns;
	if (answer->bytes)
		dns_message_addresses(answer->bytes, answer->captured, &lookup->addresses);
	lookup->rcode = answer->message->rcode;
	lookup->is_truncated = answer->message->is_truncated;
}

/* The answer that was seen before this query, or NULL. */
static struct lookup *find_overtaker(struct lookup_table *table, const struct lookup_message *query)
{
	struct lookup_search search = query->search;
	struct lookup *orphan;

	search.key.is_orphan = true;
	orphan = lookup_find(table, &search);
	return orphan && query->time_ns < orphan->end_ns + OVERTAKE_NS ? orphan : NULL;
}

static int take_query(struct engine *engine, const struct lookup_message *query)
{
	bool is_client = query->search.key.role == ROLE_CLIENT;
	struct lookup *lookup = is_client ? lookup_find(engine->lookups, &query->search) : NULL;
	struct lookup *answer;

	if (lookup) {
		lookup->retries++;
		lookup->newest_ns = query->time_ns;
		table_touch(&engine->lookups->lookups, &lookup->node);
		return 0;
	}
	answer = find_overtaker(engine->lookups, query);
	if (answer) { /* which has no more to say than the query, but for how it ended */
		answer->start_ns = query->time_ns;
		answer->type = query->message->type;
		strncpy(answer->name, dns_name_suffix(query->message->name),
			sizeof(answer->name) - 1);
		lookup_end(engine, answer, PARSE_OK);
		return 0;
	}
	return lookup_add(engine, query) ? 0 : -ENOMEM;
}

static int take_answer(struct engine *engine, struct lookup_message *answer)
{
	struct lookup *lookup = lookup_find(engine->lookups, &answer->search);

	if (lookup) {
		take_answer_facts(lookup, answer);
		lookup_end(engine, lookup, PARSE_OK);
		return 0;
	}
	answer->search.key.is_orphan = true;
	lookup = lookup_add(engine, answer);
	if (!lookup)
		return -ENOMEM;
	take_answer_facts(lookup, answer);
	return 0;
}

static int take_message(struct engine *engine, struct lookup_message *from)
{
	from->search.key.id = from->message->id;
	from->search.question = question_hash(from->message);
	return from->message->is_answer ? take_answer(engine, from) : take_query(engine, from);
}

static enum conn_role role_of(const struct dns_message *message, unsigned dir)
{
	return message->is_answer == (dir == DIR_WRITE) ? ROLE_SERVER : ROLE_CLIENT;
}

static bool is_multicast(const struct conn_tuple *tuple)
{
	if (tuple->family == AF_INET)
		return tuple->remote_addr[0] >> 4 == 0xe;
	return tuple->remote_addr[0] == 0xff ||
	       (address_is_mapped(tuple->remote_addr) && tuple->remote_addr[12] >> 4 == 0xe);
}

static bool is_local_naming(const struct conn_tuple *tuple)
{
	unsigned local = tuple->local_port, remote = tuple->remote_port;

	return is_multicast(tuple) || (local == PORT_MDNS && remote == PORT_MDNS) ||
	       local == PORT_LLMNR || remote == PORT_LLMNR || local == PORT_NETBIOS ||
	       remote == PORT_NETBIOS;
}

static void note_start(struct lookup_table *table, uint64_t now_ns)
{
	if (!table->started_ns)
		table->started_ns = now_ns;
}

/* All that the socket asks, it asks the one who is not there. An answer that was seen before its query stays: it came. */
static void refuse(struct engine *engine, const struct event_datagram *datagram)
{
	struct table_node *node = engine->lookups->lookups.oldest, *newer;

	for (; node; node = newer) {
		struct lookup *lookup = table_entry(node, struct lookup, node);

		newer = node->newer;
		if (lookup->key.socket != datagram->socket || lookup->key.is_stream ||
		    lookup->key.is_orphan || lookup->key.role != ROLE_CLIENT)
			continue;
		lookup->is_refused = true;
		lookup->end_ns = datagram->header.ktime_ns;
		lookup_end(engine, lookup, PARSE_NO_RESPONSE);
	}
}

int lookup_take_datagram(struct engine *engine, const struct event *event)
{
	const struct event_datagram *datagram = event->datagram;
	const struct process *process;
	struct dns_message message;
	struct lookup_message from = { .message = &message,
				       .tuple = &datagram->tuple,
				       .search.key.socket = datagram->socket,
				       .time_ns = datagram->header.ktime_ns,
				       .tgid = datagram->header.tgid,
				       .bytes = engine->join ? event->payload : NULL,
				       .captured = datagram->captured };
	int error;

	process = is_local_naming(&datagram->tuple) ? NULL : selected_process(engine, from.tgid);
	if (!process)
		return 0;
	note_start(engine->lookups, from.time_ns);
	if (!datagram->bytes) {
		refuse(engine, datagram);
		return 0;
	}
	error = dns_message_read(event->payload, datagram->captured, datagram->bytes, &message);
	if (error) {
		if (error == -ENODATA)
			count_outcome(engine, process, PARSE_HEADER_TRUNCATED);
		else if (error == -EBADMSG)
			count_outcome(engine, process, PARSE_NOT_THIS_PROTOCOL);
		return 0;
	}
	from.search.key.role = (uint8_t)role_of(&message, datagram->dir);
	if (from.search.key.role == ROLE_SERVER) {
		memcpy(from.search.key.peer, datagram->tuple.remote_addr,
		       sizeof(from.search.key.peer));
		from.search.key.peer_port = datagram->tuple.remote_port;
	}
	from.is_late_start = from.time_ns < engine->lookups->started_ns + PATIENCE_NS;
	return take_message(engine, &from);
}

void lookup_take_message(struct engine *engine, struct connection *connection,
			 enum message_side side, uint64_t time_ns)
{
	const struct dns_message *message = dns_newest_message(connection->state, side);
	struct lookup_message from = {
		.message = message,
		.tuple = &connection->ref.tuple,
		.search.key = { .socket = connection->ref.conn_id,
				.role = connection->role,
				.is_stream = true },
		.time_ns = time_ns,
		.tgid = connection->tgid,
		.is_late_start = connection->ref.flags & CONN_PREEXISTING,
	};

	if (message->type == DNS_TYPE_AXFR || message->type == DNS_TYPE_IXFR) {
		requests_count(engine, connection, connection->tgid, PARSE_FEED);
		connection_give_up(engine, connection);
		return;
	}
	if (message->is_answer != (side == SIDE_RESPONSE)) {
		requests_count(engine, connection, connection->tgid, PARSE_MALFORMED);
		return;
	}
	connection->has_lookups = true;
	connection->requests += side == SIDE_RESPONSE;
	(void)take_message(engine, &from); /* no memory: nothing of it will be told */
}

static bool is_of_connection(const struct lookup *lookup, const struct connection *connection)
{
	return lookup->key.is_stream && lookup->key.socket == connection->ref.conn_id;
}

static void orphan_end(struct engine *engine, struct lookup *lookup)
{
	lookup_end(engine, lookup,
		   lookup->is_late_start ? PARSE_PARTIAL : PARSE_UNMATCHED_RESPONSE);
}

/* Of a connection that is older than sonde some answers may have come while its calls were not in order yet. */
static bool is_in_disorder(const struct lookup *lookup)
{
	return lookup->key.is_stream && lookup->is_late_start;
}

void lookup_end_connection(struct engine *engine, struct connection *connection,
			   enum parse_outcome outcome)
{
	struct table_node *node = engine->lookups->lookups.oldest, *newer;

	if (!connection->has_lookups)
		return;
	connection->has_lookups = false;
	for (; node; node = newer) {
		struct lookup *lookup = table_entry(node, struct lookup, node);

		newer = node->newer;
		if (!is_of_connection(lookup, connection))
			continue;
		lookup->end_ns = connection->closed_ns ? connection->closed_ns : lookup->newest_ns;
		if (lookup->key.is_orphan)
			orphan_end(engine, lookup);
		else
			lookup_end(engine, lookup, is_in_disorder(lookup) ? PARSE_LOST : outcome);
	}
}

/* Silence means something only while no event was lost that may have broken it. */
static void ask_lost(struct engine *engine, uint64_t now_ns)
{
	struct lookup_table *table = engine->lookups;

	if (!engine->feedback.events_lost || now_ns - table->asked_ns < ASK_LOST_NS)
		return;
	table->asked_ns = now_ns;
	table->lost = engine->feedback.events_lost(engine->feedback.context);
}

void lookup_tick(struct engine *engine, uint64_t now_ns)
{
	struct lookup_table *table = engine->lookups;

	note_start(table, now_ns);
	ask_lost(engine, now_ns);
	while (table->lookups.oldest) {
		struct lookup *lookup = table_entry(table->lookups.oldest, struct lookup, node);

		if (now_ns < lookup->newest_ns + PATIENCE_NS)
			return;
		if (lookup->key.is_orphan) {
			orphan_end(engine, lookup);
			continue;
		}
		lookup->end_ns = lookup->newest_ns + PATIENCE_NS;
		lookup_end(engine, lookup,
			   lookup->lost_before == table->lost && !is_in_disorder(lookup) ?
				   PARSE_NO_RESPONSE :
				   PARSE_LOST);
	}
}

size_t lookup_count(const struct lookup_table *table)
{
	return table->lookups.count;
}

uint64_t lookup_evicted(const struct lookup_table *table)
{
	return table->evicted;
}
