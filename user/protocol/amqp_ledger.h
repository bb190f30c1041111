/* SPDX-License-Identifier: Apache-2.0 */
/* What of an AMQP connection is under way: calls, published messages that a confirmation is awaited for, delivered ones that
 * nobody has settled; and the channels, consumers and names that they refer to. All of it is bounded. */
#ifndef SONDE_PROTOCOL_AMQP_LEDGER_H
#define SONDE_PROTOCOL_AMQP_LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/amqp_methods.h"

/* On one connection. More in flight: the newest is given up as lost; room is at most twice that, 192 KiB. Channels above: nothing is known of them but their
 * calls. Consumers beyond: theirs are named by the exchange. Names beyond: "other". */
#define AMQP_IN_FLIGHT_MAX 2048
#define AMQP_CHANNELS_MAX 2048 /* RabbitMQ's own limit, unless told otherwise, is 2047 */
#define AMQP_CONSUMERS_MAX 256
#define AMQP_NAMES_MAX 256
#define AMQP_NAME_BYTES_MAX 127

enum amqp_entry_kind {
	AMQP_ENTRY_GONE,
	AMQP_ENTRY_CALL,
	AMQP_ENTRY_PUBLISHED,
	AMQP_ENTRY_DELIVERED,
};

/* Entries of a closed connection. */
struct amqp_entry {
	const struct amqp_method *method; /* CALL: which */
	uint64_t start_ns;
	uint64_t tag; /* of what is to be settled; of a CALL about a consumer: the consumer's, 0: the server makes one */
	uint32_t route; /* PUBLISHED: hash of exchange and routing key */
	uint32_t tid;	/* whose call began it */
	uint16_t channel;
	uint16_t name; /* where amqp_name_text finds it */
	uint8_t kind;  /* enum amqp_entry_kind */
	bool is_by_server;
	bool wants_no_ack; /* CALL that gets or consumes: nobody settles what is delivered */
	bool is_doubtful;  /* DELIVERED: perhaps nobody settles it */
	const char *error; /* static; what is known already to have gone wrong */
};

/* Whether the broker confirms what is published on a channel. */
enum amqp_confirms {
	AMQP_CONFIRMS_UNKNOWN, /* the channel was not seen to open, or bytes were lost since */
	AMQP_CONFIRMS_OFF,
	AMQP_CONFIRMS_ON,
};

struct amqp_channel {
	uint64_t next_tag; /* of the next message published */
	uint8_t confirms;  /* enum amqp_confirms */
};

struct amqp_consumer {
	uint64_t tag; /* hash of channel and consumer tag */
	uint16_t queue;
	bool wants_no_ack;
};

struct amqp_name {
	uint64_t hash;
	char *text; /* owned */
};

struct amqp_ledger {
	struct amqp_entry *entries; /* owned; in the order of their start, from `first` to `end` */
	size_t first;
	size_t end;
	size_t room;
	size_t live;
	struct amqp_channel *channels; /* owned; by number */
	size_t channel_room;
	struct amqp_consumer *consumers; /* owned; NULL or AMQP_CONSUMERS_MAX */
	size_t consumer_count;
	struct amqp_name *names; /* owned; NULL or AMQP_NAMES_MAX; number n at n - 1 */
	size_t name_count;
};

/* Free all that it owns. */
void amqp_ledger_done(struct amqp_ledger *ledger);

/* Room for one more, zeroed; the oldest doubtful one makes room when AMQP_IN_FLIGHT_MAX is reached. NULL: there is none, or out
 * of memory. It moves when another is added. */
struct amqp_entry *amqp_entry_add(struct amqp_ledger *ledger, enum amqp_entry_kind kind,
				  uint16_t channel);

/* The oldest, or NULL. */
struct amqp_entry *amqp_entry_oldest(const struct amqp_ledger *ledger);
/* The one after it, or NULL. */
struct amqp_entry *amqp_entry_next(const struct amqp_ledger *ledger,
				   const struct amqp_entry *entry);

void amqp_entry_remove(struct amqp_ledger *ledger, struct amqp_entry *entry);

/* What is known of a channel, made when it is not there; NULL: above AMQP_CHANNELS_MAX, or out of memory. */
struct amqp_channel *amqp_channel_get(struct amqp_ledger *ledger, uint16_t number);

/* Nothing is known any more of what was published where. */
void amqp_channels_forget(struct amqp_ledger *ledger);

uint64_t amqp_consumer_hash(uint16_t channel, const struct amqp_text *tag);
void amqp_consumer_put(struct amqp_ledger *ledger, uint64_t tag, uint16_t queue, bool wants_no_ack);
void amqp_consumer_remove(struct amqp_ledger *ledger, uint64_t tag);
/* NULL: not known. */
const struct amqp_consumer *amqp_consumer_find(const struct amqp_ledger *ledger, uint64_t tag);

/* A number for a name. 0: none. */
uint16_t amqp_name_number(struct amqp_ledger *ledger, const struct amqp_text *name);
/* NULL: none. Lives as long as the ledger. */
const char *amqp_name_text(const struct amqp_ledger *ledger, uint16_t number);

/* A hash of both; what the default exchange routes is told apart, too. */
uint32_t amqp_route_hash(const struct amqp_text *exchange, const struct amqp_text *route);

#endif
