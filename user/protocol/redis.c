/* SPDX-License-Identifier: Apache-2.0 */
/* Redis: RESP2 and RESP3 (redis.io, "Redis serialization protocol specification"). Every line counts for where messages
 * end, so the kernel sends all calls; values are skipped by their length and may be missing. Keys and values are
 * never kept. */
#include <string.h>
#include <strings.h>

#include "config_abi.h"
#include "protocol/redis_state.h"

/* After the head of a request that ended with it. */
static bool is_spent(const struct redis_side *side)
{
	return side->place == IN_ARGUMENT && !side->left && !side->pending;
}

static const struct {
	enum protocol_step (*step)(struct redis_parse *parse);
	bool is_blind;	  /* bytes are only counted here */
	bool needs_bytes; /* nothing is to be done without some */
} places[PLACE_COUNT] = {
	[IN_COUNT] = { redis_in_count, false, true },
	[IN_ARGUMENT_LENGTH] = { redis_in_argument_length, false, true },
	[IN_ARGUMENT] = { redis_in_argument, true, true },
	[IN_INLINE] = { redis_in_inline, false, true },
	[IN_ELEMENT] = { redis_in_element, false, false },
	[IN_VALUE] = { redis_in_value, true, true },
	[IN_ANSWER_LATE] = { redis_in_answer_late, true, false },
};

static enum protocol_step step_once(struct redis_parse *parse)
{
	struct redis_side *side = parse->side;
	bool has_bytes = parse->run->length;

	if (side->place == AT_START) {
		if (!has_bytes)
			return STEP_MORE;
		if (!parse->run->bytes)
			return STEP_LOST;
		return parse->which == SIDE_REQUEST ? redis_request_start(parse) :
						      redis_answer_start(parse);
	}
	if (is_spent(side))
		return redis_next_argument(parse);
	if (side->place == IN_ELEMENT && !side->pending)
		return redis_end_answer(parse);
	if (!has_bytes && places[side->place].needs_bytes)
		return STEP_MORE;
	if (has_bytes && !parse->run->bytes && !places[side->place].is_blind)
		return STEP_LOST;
	return places[side->place].step(parse);
}

static enum protocol_step redis_parse(void *state, enum message_side which,
				      struct protocol_run *run, struct exchange_facts *facts)
{
	struct redis_state *redis = state;
	struct redis_parse parse = { .state = redis,
				     .side = &redis->sides[which],
				     .run = run,
				     .facts = facts,
				     .message = &facts->sides[which],
				     .which = which };
	enum protocol_step step;

	do
		step = step_once(&parse);
	while (step == STEP_ONWARD);
	return step;
}

/* Messages say where they end; nothing else does. */
static enum protocol_step redis_boundary(void *state, enum message_side which,
					 enum protocol_boundary boundary, uint64_t tail)
{
	struct redis_state *redis = state;

	(void)tail;
	if (boundary == BOUNDARY_RESYNC) {
		redis_message_clear(&redis->sides[which], AT_START);
		redis->confirmations = 0;
	}
	return STEP_MORE;
}

/* "*3\r\n$3": nobody else begins so. */
static enum sniff_result sniff_array(const uint8_t *bytes, size_t length)
{
	size_t at = 1;

	while (at < length && at < 8 && bytes[at] >= (at == 1 ? '1' : '0') && bytes[at] <= '9')
		at++;
	if (at == length)
		return SNIFF_MORE;
	if (at == 1)
		return SNIFF_NO;
	for (const char *next = "\r\n$"; *next; next++, at++) {
		if (at == length)
			return SNIFF_MORE;
		if (bytes[at] != (uint8_t)*next)
			return SNIFF_NO;
	}
	if (at == length)
		return SNIFF_MORE;
	return bytes[at] >= '1' && bytes[at] <= '9' ? SNIFF_REQUEST : SNIFF_NO;
}

/* Of the inline requests only those that look like no other protocol's: alone on their line. An answer is no proof:
 * POP3 and NATS begin theirs with '+' and '-' too. */
static enum sniff_result redis_sniff(const uint8_t *bytes, size_t length)
{
	static const char *const openers[] = { "PING", "INFO", "DBSIZE", "MONITOR" };

	if (length && *bytes == '*')
		return sniff_array(bytes, length);
	for (size_t i = 0; i < sizeof(openers) / sizeof(openers[0]); i++) {
		size_t opener = strlen(openers[i]);

		if (strncasecmp((const char *)bytes, openers[i], length < opener ? length : opener))
			continue;
		if (length <= opener)
			return SNIFF_MORE;
		return bytes[opener] == '\r' || bytes[opener] == '\n' ? SNIFF_REQUEST : SNIFF_NO;
	}
	return SNIFF_NO;
}

const struct protocol protocol_redis = {
	.name = "redis",
	.mode = MODE_VALUES,
	.state_bytes = sizeof(struct redis_state),
	.sniff = redis_sniff,
	.parse = redis_parse,
	.boundary = redis_boundary,
};
