/* SPDX-License-Identifier: Apache-2.0 */
/* See amqp_ledger.h. Confirmations and settlements come nearly in order: what is looked for is mostly the first. */
#include "protocol/amqp_ledger.h"

#include <stdlib.h>
#include <string.h>

#define ENTRIES_FIRST 16
#define ENTRIES_KEPT 64
#define CHANNELS_FIRST 4

/* Not a number of a name: there were too many. */
#define NAME_OTHER UINT16_MAX
#define NAME_ANONYMOUS (UINT16_MAX - 1)

/* FNV-1a. */
#define HASH_START 0xcbf29ce484222325u
#define HASH_PRIME 0x100000001b3u

static uint64_t hash_text(uint64_t hash, const struct amqp_text *text)
{
	for (size_t i = 0; i < text->length; i++)
		hash = (hash ^ text->bytes[i]) * HASH_PRIME;
	return (hash ^ text->length) * HASH_PRIME;
}

void amqp_ledger_done(struct amqp_ledger *ledger)
{
	for (size_t i = 0; i < ledger->name_count; i++)
		free(ledger->names[i].text);
	free(ledger->names);
	free(ledger->entries);
	free(ledger->channels);
	free(ledger->consumers);
	memset(ledger, 0, sizeof(*ledger));
}

/* Closes the gaps between entries, or makes room. */
static bool make_room(struct amqp_ledger *ledger)
{
	size_t room = ledger->room ? 2 * ledger->room : ENTRIES_FIRST, live = 0;
	struct amqp_entry *entries;

	if (ledger->live <= ledger->room / 2 && ledger->room) {
		for (size_t i = ledger->first; i < ledger->end; i++)
			if (ledger->entries[i].kind != AMQP_ENTRY_GONE)
				ledger->entries[live++] = ledger->entries[i];
		ledger->first = 0;
		ledger->end = live;
		return true;
	}
	entries = realloc(ledger->entries, room * sizeof(*entries));
	if (!entries)
		return false;
	ledger->entries = entries;
	ledger->room = room;
	return true;
}

static bool drop_doubtful(struct amqp_ledger *ledger)
{
	struct amqp_entry *entry = amqp_entry_oldest(ledger);

	while (entry && !entry->is_doubtful)
		entry = amqp_entry_next(ledger, entry);
	if (entry)
		amqp_entry_remove(ledger, entry);
	return entry;
}

struct amqp_entry *amqp_entry_add(struct amqp_ledger *ledger, enum amqp_entry_kind kind,
				  uint16_t channel)
{
	struct amqp_entry *entry;

	if (ledger->live == AMQP_IN_FLIGHT_MAX && !drop_doubtful(ledger))
		return NULL;
	if (ledger->end == ledger->room && !make_room(ledger))
		return NULL;
	entry = &ledger->entries[ledger->end++];
	ledger->live++;
	*entry = (struct amqp_entry){ .kind = (uint8_t)kind, .channel = channel };
	return entry;
}

static struct amqp_entry *next_live(const struct amqp_ledger *ledger, size_t at)
{
	for (; at < ledger->end; at++)
		if (ledger->entries[at].kind != AMQP_ENTRY_GONE)
			return &ledger->entries[at];
	return NULL;
}

struct amqp_entry *amqp_entry_oldest(const struct amqp_ledger *ledger)
{
	return next_live(ledger, ledger->first);
}

struct amqp_entry *amqp_entry_next(const struct amqp_ledger *ledger, const struct amqp_entry *entry)
{
	return next_live(ledger, (size_t)(entry - ledger->entries) + 1);
}

void amqp_entry_remove(struct amqp_ledger *ledger, struct amqp_entry *entry)
{
	entry->kind = AMQP_ENTRY_GONE;
	ledger->live--;
	while (ledger->first < ledger->end &&
	       ledger->entries[ledger->first].kind == AMQP_ENTRY_GONE)
		ledger->first++;
	if (ledger->first < ledger->end)
		return;
	ledger->first = ledger->end = 0;
	if (ledger->room > ENTRIES_KEPT) {
		free(ledger->entries);
		ledger->entries = NULL;
		ledger->room = 0;
	}
}

struct amqp_channel *amqp_channel_get(struct amqp_ledger *ledger, uint16_t number)
{
	size_t room = ledger->channel_room ? ledger->channel_room : CHANNELS_FIRST;
	struct amqp_channel *channels;

	if (number >= AMQP_CHANNELS_MAX)
		return NULL;
	while (room <= number)
		room *= 2;
	if (room == ledger->channel_room)
		return &ledger->channels[number];
	channels = realloc(ledger->channels, room * sizeof(*channels));
	if (!channels)
		return NULL;
	memset(channels + ledger->channel_room, 0,
	       (room - ledger->channel_room) * sizeof(*channels));
	ledger->channels = channels;
	ledger->channel_room = room;
	return &channels[number];
}

void amqp_channels_forget(struct amqp_ledger *ledger)
{
	if (ledger->channels)
		memset(ledger->channels, 0, ledger->channel_room * sizeof(*ledger->channels));
}

uint64_t amqp_consumer_hash(uint16_t channel, const struct amqp_text *tag)
{
	return tag->length ? hash_text(HASH_START ^ channel, tag) | 1 : 0;
}

static struct amqp_consumer *find_consumer(const struct amqp_ledger *ledger, uint64_t tag)
{
	for (size_t i = 0; i < ledger->consumer_count; i++)
		if (ledger->consumers[i].tag == tag)
			return &ledger->consumers[i];
	return NULL;
}

void amqp_consumer_put(struct amqp_ledger *ledger, uint64_t tag, uint16_t queue, bool wants_no_ack)
{
	struct amqp_consumer *consumer = find_consumer(ledger, tag);

	if (!consumer) {
		if (!ledger->consumers)
			ledger->consumers = calloc(AMQP_CONSUMERS_MAX, sizeof(*consumer));
		if (!ledger->consumers || ledger->consumer_count == AMQP_CONSUMERS_MAX)
			return;
		consumer = &ledger->consumers[ledger->consumer_count++];
	}
	*consumer = (struct amqp_consumer){ tag, queue, wants_no_ack };
}

void amqp_consumer_remove(struct amqp_ledger *ledger, uint64_t tag)
{
	struct amqp_consumer *consumer = find_consumer(ledger, tag);

	if (consumer)
		*consumer = ledger->consumers[--ledger->consumer_count];
}

const struct amqp_consumer *amqp_consumer_find(const struct amqp_ledger *ledger, uint64_t tag)
{
	return find_consumer(ledger, tag);
}

static bool begins(const struct amqp_text *name, const char *start)
{
	size_t length = strlen(start);

	return name->length >= length && memcmp(name->bytes, start, length) == 0;
}

/* A copy that can be shown. NULL: out of memory. */
static char *name_copy(const struct amqp_text *name)
{
	size_t length = name->length < AMQP_NAME_BYTES_MAX ? name->length : AMQP_NAME_BYTES_MAX;
	char *copy = malloc(length + 1);

	if (!copy)
		return NULL;
	for (size_t i = 0; i < length; i++)
		copy[i] = name->bytes[i] < ' ' || name->bytes[i] > '~' ? '?' : (char)name->bytes[i];
	copy[length] = '\0';
	return copy;
}

uint16_t amqp_name_number(struct amqp_ledger *ledger, const struct amqp_text *name)
{
	uint64_t hash = hash_text(HASH_START, name);
	char *copy;

	if (!name->length)
		return 0;
	/* Names that the server makes up: one a client, or more. */
	if (begins(name, "amq.gen-") || begins(name, "amq.rabbitmq.reply-to"))
		return NAME_ANONYMOUS;
	for (size_t i = 0; i < ledger->name_count; i++)
		if (ledger->names[i].hash == hash)
			return (uint16_t)(i + 1);
	if (!ledger->names)
		ledger->names = calloc(AMQP_NAMES_MAX, sizeof(*ledger->names));
	if (!ledger->names || ledger->name_count == AMQP_NAMES_MAX)
		return NAME_OTHER;
	copy = name_copy(name);
	if (!copy)
		return NAME_OTHER;
	ledger->names[ledger->name_count++] = (struct amqp_name){ hash, copy };
	return (uint16_t)ledger->name_count;
}

const char *amqp_name_text(const struct amqp_ledger *ledger, uint16_t number)
{
	if (number == NAME_OTHER)
		return "other";
	if (number == NAME_ANONYMOUS)
		return "(anonymous)";
	return number ? ledger->names[number - 1].text : NULL;
}

uint32_t amqp_route_hash(const struct amqp_text *exchange, const struct amqp_text *route)
{
	uint64_t hash = hash_text(hash_text(HASH_START, exchange), route);

	return (uint32_t)(hash ^ hash >> 32);
}
