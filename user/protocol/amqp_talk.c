/* SPDX-License-Identifier: Apache-2.0 */
/* What AMQP's methods begin and end. Answers to calls come by channel, confirmations and settlements by their tags, one for many
 * when they say so: the engine, which pairs by order, leaves that to us. */
#include <string.h>

#include "protocol/amqp_state.h"

#define KIND(kind) ((uint8_t)(1u << AMQP_ENTRY_##kind))
#define BIT_MULTIPLE 1
#define BIT_GET_NO_ACK 1
#define BIT_CONSUME_NO_ACK 2

/* One method, read. */
struct talk {
	struct amqp_parse *parse;
	struct amqp_ledger *ledger;
	const struct amqp_method *method;
	struct amqp_arguments arguments;
	uint16_t channel;
};

static void name_operation(struct exchange_facts *facts, const struct amqp_ledger *ledger,
			   const char *operation, uint16_t name)
{
	facts->attributes[ATTRIBUTE_MESSAGING_SYSTEM] = "rabbitmq";
	facts->attributes[ATTRIBUTE_MESSAGING_OPERATION_NAME] = operation;
	facts->attributes[ATTRIBUTE_MESSAGING_DESTINATION_NAME] = amqp_name_text(ledger, name);
}

static void name_error(struct exchange_facts *facts, const char *error)
{
	facts->attributes[ATTRIBUTE_ERROR_TYPE] = error;
	facts->sides[SIDE_RESPONSE].fault = error ? FAULT_SERVER : FAULT_NONE;
}

static const char *entry_operation(const struct amqp_entry *entry)
{
	switch ((enum amqp_entry_kind)entry->kind) {
	case AMQP_ENTRY_PUBLISHED:
		return "publish";
	case AMQP_ENTRY_DELIVERED:
		return "process";
	default:
		return entry->method->name;
	}
}

/* Tell of an entry, and forget it. */
static enum protocol_step tell_entry(struct amqp_ledger *ledger, struct amqp_entry *entry,
				     const char *error, struct exchange_facts *facts)
{
	name_operation(facts, ledger, entry_operation(entry), entry->name);
	name_error(facts, error ? error : entry->error);
	facts->start_ns = entry->start_ns;
	facts->tid = entry->tid;
	facts->is_processing = entry->kind == AMQP_ENTRY_DELIVERED;
	amqp_entry_remove(ledger, entry);
	return STEP_EXCHANGE;
}

/* Something that has no duration, or whose beginning is not known. */
static enum protocol_step tell_untimed(const struct talk *talk, const char *operation,
				       uint16_t name, enum parse_outcome failure)
{
	struct exchange_facts *facts = talk->parse->facts;

	name_operation(facts, talk->ledger, operation, name);
	facts->start_ns = talk->parse->run->time_ns;
	facts->failure = (uint8_t)failure;
	facts->is_untimed = failure == PARSE_OK;
	return STEP_EXCHANGE;
}

static bool is_settled(const struct amqp_settling *settling, const struct amqp_entry *entry)
{
	if (!(settling->kinds & 1u << entry->kind))
		return false;
	if (!settling->is_any_channel && entry->channel != settling->channel)
		return false;
	return settling->is_any_tag || entry->tag == settling->tag ||
	       (settling->is_multiple && entry->tag < settling->tag);
}

static struct amqp_entry *next_settled(const struct amqp_connection *connection)
{
	struct amqp_entry *entry = amqp_entry_oldest(&connection->ledger);

	while (entry && !is_settled(&connection->settling, entry))
		entry = amqp_entry_next(&connection->ledger, entry);
	return entry;
}

/* What is delivered and never settled is delivered again to others: no work of this consumer's that ended. */
static enum protocol_step tell_left(struct amqp_ledger *ledger, struct amqp_entry *entry,
				    struct exchange_facts *facts)
{
	facts->is_preparation = true;
	facts->outcomes = 1ull << PARSE_NO_RESPONSE;
	return tell_entry(ledger, entry, NULL, facts);
}

enum protocol_step amqp_settle_next(struct amqp_parse *parse)
{
	struct amqp_connection *connection = parse->connection;
	struct amqp_settling *settling = &connection->settling;
	struct amqp_entry *entry;

	while ((entry = next_settled(connection)) && entry->is_doubtful && settling->failure)
		amqp_entry_remove(&connection->ledger, entry);
	if (!entry) {
		settling->kinds = 0;
		return STEP_ONWARD;
	}
	if (entry->kind == AMQP_ENTRY_DELIVERED && settling->failure == PARSE_NO_RESPONSE)
		return tell_left(&connection->ledger, entry, parse->facts);
	parse->facts->failure = settling->failure;
	return tell_entry(&connection->ledger, entry, settling->error, parse->facts);
}

enum protocol_step amqp_give_up_next(struct amqp_connection *connection, bool is_closed,
				     struct exchange_facts *facts)
{
	struct amqp_ledger *ledger = &connection->ledger;
	struct amqp_entry *entry = amqp_entry_oldest(ledger);

	while (entry && entry->is_doubtful) {
		amqp_entry_remove(ledger, entry);
		entry = amqp_entry_oldest(ledger);
	}
	if (!entry)
		return STEP_MORE;
	if (entry->kind == AMQP_ENTRY_DELIVERED && is_closed)
		return tell_left(ledger, entry, facts);
	facts->failure = is_closed ? PARSE_NO_RESPONSE : PARSE_LOST;
	return tell_entry(ledger, entry, NULL, facts);
}

/* Entries are settled, if there are such. */
static bool settle(const struct talk *talk, const struct amqp_settling *settling)
{
	struct amqp_connection *connection = talk->parse->connection;

	connection->settling = *settling;
	if (next_settled(connection))
		return true;
	connection->settling.kinds = 0;
	return false;
}

/* An answer to what is not in the ledger: it began before sonde did, or there were too many. */
static enum protocol_step tell_orphan(const struct talk *talk)
{
	return tell_untimed(talk, talk->method->name, 0,
			    talk->parse->connection->has_begun ? PARSE_UNMATCHED_RESPONSE :
								 PARSE_PARTIAL);
}

static struct amqp_entry *entry_begin(const struct talk *talk, enum amqp_entry_kind kind)
{
	struct amqp_entry *entry = amqp_entry_add(talk->ledger, kind, talk->channel);

	if (!entry)
		return NULL;
	entry->method = talk->method;
	entry->start_ns = talk->parse->side->began_ns;
	entry->tid = talk->parse->run->tid;
	return entry;
}

static enum protocol_step on_call(const struct talk *talk)
{
	const struct amqp_arguments *arguments = &talk->arguments;
	uint16_t name = amqp_name_number(talk->ledger, &arguments->name);
	uint8_t meaning = talk->method->meaning;
	struct amqp_entry *entry;

	if (arguments->bits & talk->method->no_wait) {
		talk->parse->facts->outcomes = 1ull << PARSE_ONE_WAY;
		return tell_untimed(talk, talk->method->name, name, PARSE_OK);
	}
	entry = entry_begin(talk, AMQP_ENTRY_CALL);
	if (!entry)
		return tell_untimed(talk, talk->method->name, name, PARSE_LOST);
	entry->name = name;
	entry->is_by_server = talk->parse->which == SIDE_RESPONSE;
	entry->tag = amqp_consumer_hash(talk->channel, &arguments->consumer);
	if (meaning == AMQP_GET)
		entry->wants_no_ack = arguments->bits & BIT_GET_NO_ACK;
	else if (meaning == AMQP_CONSUME)
		entry->wants_no_ack = arguments->bits & BIT_CONSUME_NO_ACK;
	return STEP_ONWARD;
}

static struct amqp_entry *find_call(const struct talk *talk)
{
	bool is_by_server = talk->parse->which == SIDE_REQUEST;
	struct amqp_entry *entry = amqp_entry_oldest(talk->ledger);

	while (entry && (entry->kind != AMQP_ENTRY_CALL || entry->channel != talk->channel ||
			 entry->is_by_server != is_by_server ||
			 entry->method->number != talk->method->answers))
		entry = amqp_entry_next(talk->ledger, entry);
	return entry;
}

static enum protocol_step on_answer(const struct talk *talk)
{
	struct amqp_entry *entry = find_call(talk);

	if (!entry)
		return tell_orphan(talk);
	return tell_entry(talk->ledger, entry, NULL, talk->parse->facts);
}

static enum protocol_step on_plain(const struct talk *talk)
{
	if (talk->method->is_call)
		return on_call(talk);
	return talk->method->answers ? on_answer(talk) : STEP_ONWARD;
}

/* What is left of an older channel of that number was told when it closed. */
static enum protocol_step on_open_channel(const struct talk *talk)
{
	struct amqp_channel *channel = amqp_channel_get(talk->ledger, talk->channel);
	struct amqp_entry *entry = amqp_entry_oldest(talk->ledger), *next;

	for (; entry; entry = next) {
		next = amqp_entry_next(talk->ledger, entry);
		if (entry->channel == talk->channel)
			amqp_entry_remove(talk->ledger, entry);
	}
	if (channel)
		*channel = (struct amqp_channel){ .next_tag = 1, .confirms = AMQP_CONFIRMS_OFF };
	return on_call(talk);
}

/* The server closes because of what it was asked for, or sent. The call that it names may have gone by before we looked. */
static enum protocol_step on_close(const struct talk *talk)
{
	const char *error = amqp_reply_code(talk->arguments.code);
	struct amqp_channel *channel = amqp_channel_get(talk->ledger, talk->channel);
	bool was_unseen = channel && talk->channel && channel->confirms == AMQP_CONFIRMS_UNKNOWN;
	const struct amqp_method *culprit = amqp_method_find(talk->arguments.culprit);
	struct amqp_entry *entry;
	enum protocol_step step;

	if (channel) /* what is still published on it is not taken */
		*channel = (struct amqp_channel){ .confirms = AMQP_CONFIRMS_OFF };
	if (talk->parse->which == SIDE_REQUEST)
		return on_call(talk);
	if (settle(talk, &(struct amqp_settling){ .kinds = KIND(CALL) | KIND(PUBLISHED),
						  .channel = talk->channel,
						  .is_any_channel = !talk->channel,
						  .is_any_tag = true,
						  .error = error }))
		return STEP_ONWARD;
	if (was_unseen && culprit && culprit->is_call)
		return tell_untimed(talk, culprit->name, 0, PARSE_PARTIAL);
	step = on_call(talk);
	entry = amqp_entry_oldest(talk->ledger);
	while (entry && (entry->method != talk->method || !entry->is_by_server))
		entry = amqp_entry_next(talk->ledger, entry);
	if (entry)
		entry->error = error;
	return step;
}

/* The close of a server that had a reason was told with what failed. */
static enum protocol_step on_close_ok(const struct talk *talk)
{
	struct amqp_entry *entry = find_call(talk);
	enum protocol_step step = STEP_ONWARD;

	if (entry)
		step = tell_entry(talk->ledger, entry, NULL, talk->parse->facts);
	(void)settle(talk, &(struct amqp_settling){
				   .kinds = KIND(CALL) | KIND(PUBLISHED) | KIND(DELIVERED),
				   .channel = talk->channel,
				   .is_any_channel = !talk->channel,
				   .is_any_tag = true,
				   .failure = PARSE_NO_RESPONSE,
			   });
	return step;
}

static enum protocol_step on_consume(const struct talk *talk)
{
	const struct amqp_arguments *arguments = &talk->arguments;

	if (arguments->bits & talk->method->no_wait)
		amqp_consumer_put(talk->ledger,
				  amqp_consumer_hash(talk->channel, &arguments->consumer),
				  amqp_name_number(talk->ledger, &arguments->name),
				  arguments->bits & BIT_CONSUME_NO_ACK);
	return on_call(talk);
}

static enum protocol_step on_consume_ok(const struct talk *talk)
{
	const struct amqp_entry *entry = find_call(talk);

	if (entry)
		amqp_consumer_put(talk->ledger,
				  amqp_consumer_hash(talk->channel, &talk->arguments.consumer),
				  entry->name, entry->wants_no_ack);
	return on_answer(talk);
}

/* Of a server that says so itself nobody confirms it. */
static enum protocol_step on_cancel(const struct talk *talk)
{
	if (talk->parse->which == SIDE_REQUEST)
		return on_call(talk);
	amqp_consumer_remove(talk->ledger,
			     amqp_consumer_hash(talk->channel, &talk->arguments.consumer));
	return STEP_PUSH;
}

static enum protocol_step on_cancel_ok(const struct talk *talk)
{
	const struct amqp_entry *entry = find_call(talk);

	if (entry)
		amqp_consumer_remove(talk->ledger, entry->tag);
	return on_answer(talk);
}

/* The default exchange, which has no name, takes the routing key for a queue. */
static uint16_t destination(const struct talk *talk)
{
	const struct amqp_arguments *arguments = &talk->arguments;

	return amqp_name_number(talk->ledger,
				arguments->name.length ? &arguments->name : &arguments->route);
}

static enum protocol_step on_publish(const struct talk *talk)
{
	struct amqp_channel *channel = amqp_channel_get(talk->ledger, talk->channel);
	uint16_t name = destination(talk);
	struct amqp_entry *entry = NULL;
	bool is_confirmed = channel && channel->confirms == AMQP_CONFIRMS_ON;

	talk->parse->facts->messages_sent = 1;
	if (!is_confirmed) {
		talk->parse->facts->outcomes = 1ull << PARSE_ONE_WAY;
		return tell_untimed(talk, "publish", name, PARSE_OK);
	}
	entry = entry_begin(talk, AMQP_ENTRY_PUBLISHED);
	if (entry) {
		entry->name = name;
		entry->tag = channel->next_tag;
		entry->route = amqp_route_hash(&talk->arguments.name, &talk->arguments.route);
	}
	channel->next_tag++;
	return tell_untimed(talk, "publish", name, entry ? PARSE_OK : PARSE_LOST);
}

/* Returned messages do not say which they are. Those of one route come back in the order in which they were sent. */
static enum protocol_step on_return(const struct talk *talk)
{
	uint32_t route = amqp_route_hash(&talk->arguments.name, &talk->arguments.route);
	struct amqp_entry *entry = amqp_entry_oldest(talk->ledger);

	while (entry && (entry->kind != AMQP_ENTRY_PUBLISHED || entry->error ||
			 entry->channel != talk->channel || entry->route != route))
		entry = amqp_entry_next(talk->ledger, entry);
	if (entry)
		entry->error = amqp_reply_code(talk->arguments.code);
	talk->parse->facts->outcomes = 1ull << PARSE_RETURNED;
	return tell_untimed(talk, "return", destination(talk), PARSE_OK);
}

/* A message for the client; unless nobody settles it, its settlement will be awaited. */
static bool await_settlement(const struct talk *talk, uint16_t name, bool is_doubtful)
{
	struct amqp_entry *entry = entry_begin(talk, AMQP_ENTRY_DELIVERED);

	if (!entry)
		return is_doubtful;
	entry->name = name;
	entry->tag = talk->arguments.tag;
	entry->is_doubtful = is_doubtful;
	return true;
}

static enum protocol_step on_deliver(const struct talk *talk)
{
	const struct amqp_consumer *consumer = amqp_consumer_find(
		talk->ledger, amqp_consumer_hash(talk->channel, &talk->arguments.consumer));
	uint16_t name = consumer ? consumer->queue : destination(talk);
	bool is_kept = consumer && consumer->wants_no_ack;

	if (!is_kept)
		is_kept = await_settlement(talk, name, !consumer);
	talk->parse->facts->messages_consumed = 1;
	return tell_untimed(talk, "deliver", name, is_kept ? PARSE_OK : PARSE_LOST);
}

static enum protocol_step on_get_ok(const struct talk *talk)
{
	struct amqp_entry *entry = find_call(talk);
	struct amqp_entry call;

	talk->parse->facts->messages_consumed = 1;
	if (!entry)
		return on_answer(talk);
	call = *entry;
	amqp_entry_remove(talk->ledger, entry);
	if (!call.wants_no_ack)
		(void)await_settlement(talk, call.name, false); /* there is room: one has gone */
	name_operation(talk->parse->facts, talk->ledger, "get", call.name);
	talk->parse->facts->start_ns = call.start_ns;
	talk->parse->facts->tid = call.tid;
	return STEP_EXCHANGE;
}

static const char *refusal(const struct amqp_method *method)
{
	return method->meaning == AMQP_ACK ? NULL : method->name;
}

/* Acknowledgements of both sides: the broker's of what was published, the client's of what was delivered. */
static enum protocol_step on_ack(const struct talk *talk)
{
	const struct amqp_channel *channel = amqp_channel_get(talk->ledger, talk->channel);
	const struct amqp_arguments *arguments = &talk->arguments;
	bool is_client = talk->parse->which == SIDE_REQUEST;
	bool is_unknown = !channel || channel->confirms == AMQP_CONFIRMS_UNKNOWN;
	bool is_multiple = talk->method->meaning != AMQP_REJECT && arguments->bits & BIT_MULTIPLE;
	const struct amqp_settling settling = {
		.kinds = is_client ? KIND(DELIVERED) : KIND(PUBLISHED),
		.channel = talk->channel,
		.tag = arguments->tag,
		.is_multiple = is_multiple,
		.is_any_tag = is_multiple && !arguments->tag,
		.error = refusal(talk->method),
	};

	if (settle(talk, &settling) || !is_unknown)
		return STEP_ONWARD;
	return tell_untimed(talk, is_client ? "process" : "publish", 0, PARSE_PARTIAL);
}

/* Messages count from here on. On a channel that is older than sonde this may be said again. */
static enum protocol_step on_select_confirms(const struct talk *talk)
{
	struct amqp_channel *channel = amqp_channel_get(talk->ledger, talk->channel);

	if (channel && channel->confirms == AMQP_CONFIRMS_OFF)
		*channel = (struct amqp_channel){ .next_tag = 1, .confirms = AMQP_CONFIRMS_ON };
	return on_call(talk);
}

static enum protocol_step (*const meanings[AMQP_MEANING_COUNT])(const struct talk *) = {
	[AMQP_PLAIN] = on_plain,
	[AMQP_OPEN_CHANNEL] = on_open_channel,
	[AMQP_CLOSE] = on_close,
	[AMQP_CLOSE_OK] = on_close_ok,
	[AMQP_CONSUME] = on_consume,
	[AMQP_CONSUME_OK] = on_consume_ok,
	[AMQP_CANCEL] = on_cancel,
	[AMQP_CANCEL_OK] = on_cancel_ok,
	[AMQP_PUBLISH] = on_publish,
	[AMQP_RETURN] = on_return,
	[AMQP_DELIVER] = on_deliver,
	[AMQP_GET] = on_call,
	[AMQP_GET_OK] = on_get_ok,
	[AMQP_ACK] = on_ack,
	[AMQP_NACK] = on_ack,
	[AMQP_REJECT] = on_ack,
	[AMQP_SELECT_CONFIRMS] = on_select_confirms,
};

enum protocol_step amqp_take_method(struct amqp_parse *parse, const struct amqp_method *method,
				    const uint8_t *arguments, size_t length)
{
	struct talk talk = {
		.parse = parse,
		.ledger = &parse->connection->ledger,
		.method = method,
		.channel = parse->side->channel,
	};

	if (!amqp_arguments_read(method, arguments, length, &talk.arguments))
		return STEP_BROKEN;
	return meanings[method->meaning](&talk);
}
