/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP/1.0 and 1.1 (RFC 9112). A state machine a side: what comes between messages, and bodies; heads are
 * http1_head.c's. Lenient where nginx, curl and llhttp are: empty lines before a message, bare LF, runs of spaces. */
#include "protocol/http1_state.h"

#include <stdlib.h>
#include <string.h>

#include "config_abi.h"

static void line_keep(struct http1_side *side, const uint8_t *bytes, size_t length)
{
	size_t room = (size_t)(HTTP1_LINE_MAX - side->line_bytes);

	if (length > room)
		length = room;
	side->kept.bytes = 0;
	memcpy(side->line + side->line_bytes, bytes, length);
	side->line_bytes = (uint16_t)(side->line_bytes + length);
}

bool http1_take_split_line(struct http1_parse *parse, const uint8_t **ret_line, size_t *ret_length)
{
	struct http1_side *side = parse->side;
	const uint8_t *bytes = parse->run->bytes, *end;
	size_t length = (size_t)parse->run->length;

	if (!length)
		return false;
	end = memchr(bytes, '\n', length);
	if (end)
		length = (size_t)(end - bytes);
	run_take(parse->run, end ? length + 1 : length);
	line_keep(side, bytes, length);
	if (!end)
		return false;
	*ret_line = side->line;
	*ret_length = http1_line_length(side->line, side->line_bytes);
	side->line_bytes = 0;
	return true;
}

bool http1_could_be_version(const uint8_t *bytes, size_t length)
{
	return memcmp(bytes, "HTTP/1.", length < 7 ? length : 7) == 0;
}

static enum protocol_step at_start(struct http1_side *side, enum message_side which,
				   struct protocol_run *run)
{
	while (run->bytes && run->length && (*run->bytes == '\r' || *run->bytes == '\n'))
		run_take(run, 1);
	if (!run->length)
		return STEP_MORE;
	memset(side, 0, offsetof(struct http1_side, kept));
	side->place = which == SIDE_REQUEST ? IN_METHOD : IN_STATUS_LINE;
	return STEP_BEGIN;
}

static enum protocol_step message_ends(struct http1_state *http1, enum message_side which,
				       struct exchange_facts *facts)
{
	struct http1_side *side = &http1->sides[which];

	if (side->is_body_read)
		http_dialect_end(http1->dialects, which, facts);
	side->place = AT_START;
	return STEP_END;
}

/* HEAD may become known only now: its answer was seen before it. */
static enum protocol_step in_length(struct http1_state *http1, enum message_side which,
				    struct protocol_run *run, struct exchange_facts *facts)
{
	struct http1_side *side = &http1->sides[which];
	const uint8_t *bytes = run->bytes;
	uint64_t taken;

	if (which == SIDE_RESPONSE && (facts->note & NOTE_HEAD)) {
		facts->outcomes |= 1ull << PARSE_HEAD;
		side->left = 0;
	}
	taken = run_take_at_most(run, side->left);
	if (side->is_body_read)
		http_dialect_take(http1->dialects, which, bytes, taken, facts);
	side->left -= taken;
	facts->sides[which].body_bytes += taken;
	return side->left ? STEP_MORE : message_ends(http1, which, facts);
}

static enum protocol_step in_rest(struct http1_parse *parse)
{
	parse->message->body_bytes += parse->run->length;
	http1_read_body(parse, parse->run->length);
	run_take(parse->run, parse->run->length);
	return STEP_MORE;
}

static enum protocol_step in_chunk_size(struct http1_parse *parse)
{
	struct http1_side *side = parse->side;
	const uint8_t *line;
	size_t length;

	if (!http1_take_line(parse, &line, &length))
		return STEP_MORE;
	if (http1_chunk_size(line, length, &side->left) < 0)
		return STEP_BROKEN;
	side->place = side->left ? IN_CHUNK_DATA : IN_TRAILERS;
	return STEP_ONWARD;
}

static enum protocol_step in_chunk_data(struct http1_parse *parse)
{
	struct http1_side *side = parse->side;
	uint64_t taken = parse->run->length < side->left ? parse->run->length : side->left;

	http1_read_body(parse, taken);
	run_take(parse->run, taken);
	side->left -= taken;
	parse->message->body_bytes += taken;
	if (side->left)
		return STEP_MORE;
	side->place = IN_CHUNK_END;
	return STEP_ONWARD;
}

static enum protocol_step in_chunk_end(struct http1_parse *parse)
{
	const uint8_t *line;
	size_t length;

	if (!http1_take_line(parse, &line, &length))
		return parse->side->line_bytes > 1 ? STEP_BROKEN : STEP_MORE;
	if (length)
		return STEP_BROKEN;
	parse->side->place = IN_CHUNK_SIZE;
	return STEP_ONWARD;
}

static enum protocol_step in_trailers(struct http1_parse *parse)
{
	const uint8_t *line;
	size_t length;

	while (http1_take_line(parse, &line, &length))
		if (!length)
			return message_ends(parse->state, parse->which, parse->facts);
	return STEP_MORE;
}

static enum protocol_step in_dark(struct http1_parse *parse)
{
	struct http1_side *side = parse->side;

	if (side->is_body_read)
		http_dialect_take(parse->state->dialects, parse->which, NULL, parse->run->length,
				  parse->facts);
	side->left += parse->run->length;
	if (!side->is_head_cut)
		parse->message->body_bytes += parse->run->length;
	else if (side->is_bodiless ||
		 (side->framing.has_length && side->left >= side->framing.content_length))
		parse->message->end = END_LIKELY;
	run_take(parse->run, parse->run->length);
	return STEP_MORE;
}

static enum protocol_step in_tunnel(struct http1_parse *parse)
{
	run_take(parse->run, parse->run->length);
	return STEP_MORE;
}

/* What becomes of bytes that were not captured. */
enum blindness {
	BLIND_NOTHING, /* bytes are only counted here */
	BLIND_HEAD,
	BLIND_CHUNKS,
};

/* AT_START and IN_LENGTH are parse_run's; no step goes on with them. */
static const struct {
	enum protocol_step (*step)(struct http1_parse *parse);
	enum blindness blindness;
} places[PLACE_COUNT] = {
	[IN_METHOD] = { http1_in_method, BLIND_HEAD },
	[IN_TARGET] = { http1_in_target, BLIND_HEAD },
	[IN_VERSION] = { http1_in_version, BLIND_HEAD },
	[IN_STATUS_LINE] = { http1_in_status_line, BLIND_HEAD },
	[IN_FIELDS] = { http1_in_fields, BLIND_HEAD },
	[IN_SWITCH_FIELDS] = { http1_in_fields, BLIND_HEAD },
	[IN_REST] = { in_rest, BLIND_NOTHING },
	[IN_CHUNK_SIZE] = { in_chunk_size, BLIND_CHUNKS },
	[IN_CHUNK_DATA] = { in_chunk_data, BLIND_NOTHING },
	[IN_CHUNK_END] = { in_chunk_end, BLIND_CHUNKS },
	[IN_TRAILERS] = { in_trailers, BLIND_CHUNKS },
	[IN_DARK] = { in_dark, BLIND_NOTHING },
	[IN_TUNNEL] = { in_tunnel, BLIND_NOTHING },
};

static enum protocol_step step_once(struct http1_parse *parse)
{
	enum blindness blindness = places[parse->side->place].blindness;

	if (!parse->run->bytes && parse->run->length && blindness != BLIND_NOTHING)
		return blindness == BLIND_HEAD ? http1_cut_head(parse) : http1_go_dark(parse);
	return places[parse->side->place].step(parse);
}

static __attribute__((noinline)) enum protocol_step parse_places(struct http1_state *http1,
								 enum message_side which,
								 struct protocol_run *run,
								 struct exchange_facts *facts)
{
	struct http1_parse parse = { .state = http1,
				     .side = &http1->sides[which],
				     .run = run,
				     .first = run->bytes,
				     .facts = facts,
				     .message = &facts->sides[which],
				     .which = which };
	enum protocol_step step;

	do
		step = step_once(&parse);
	while (step == STEP_ONWARD);
	return step;
}

/* Every message begins at the one and nearly all end in the other: these two are spared the way through the table. */
static enum protocol_step parse_run(void *state, enum message_side which, struct protocol_run *run,
				    struct exchange_facts *facts)
{
	struct http1_state *http1 = state;
	struct http1_side *side = &http1->sides[which];

	if (side->place == AT_START)
		return at_start(side, which, run);
	if (side->place == IN_LENGTH)
		return in_length(http1, which, run, facts);
	return parse_places(http1, which, run, facts);
}

/* "\n0\r\n\r\n" or, when no more was seen, "0\r\n\r\n". Chunk data that ends like this at the moment of looking would
 * deceive us; it is rarer than servers that send the last chunk in a write of its own are common. */
static bool tail_ends_chunks(uint64_t tail)
{
	uint8_t before = (uint8_t)(tail >> 16);

	return tail >> 24 == 0x0a0d0a0d30 && (before == '\n' || before == 0);
}

static enum protocol_step http1_boundary(void *state, enum message_side which,
					 enum protocol_boundary boundary, uint64_t tail)
{
	struct http1_side *side = &((struct http1_state *)state)->sides[which];
	bool is_over = false;

	if (boundary == BOUNDARY_RESYNC)
		memset(side, 0, offsetof(struct http1_side, kept));
	else if (boundary == BOUNDARY_PROGRESS)
		is_over = side->place == IN_DARK && !side->framing.has_length &&
			  tail_ends_chunks(tail);
	else
		is_over = side->place == IN_DARK ||
			  (side->place == IN_REST && boundary == BOUNDARY_CLOSE);
	if (is_over)
		side->place = AT_START;
	return is_over ? STEP_END : STEP_MORE;
}

static bool starts_target(uint8_t c)
{
	return c == '/' || c == '*' || c == '[' || (c != '.' && c != '-' && http1_is_token_char(c));
}

static enum sniff_result http1_sniff(const uint8_t *bytes, size_t length)
{
	size_t at = 0;

	for (; length && (*bytes == '\r' || *bytes == '\n'); bytes++)
		length--;
	if (http1_could_be_version(bytes, length))
		return length >= 7 ? SNIFF_RESPONSE : SNIFF_MORE;
	while (at < length && at < HTTP1_METHOD_MAX && http1_is_token_char(bytes[at]))
		at++;
	if (at == length)
		return SNIFF_MORE;
	if (at == 0 || bytes[at] != ' ')
		return SNIFF_NO;
	if (at == 3 &&
	    memcmp(bytes, "PRI", 3) == 0) /* HTTP/2; RFC 9113 §11.6 keeps the name for it */
		return SNIFF_NO;
	while (at < length && bytes[at] == ' ')
		at++;
	if (at == length)
		return SNIFF_MORE;
	return starts_target(bytes[at]) ? SNIFF_REQUEST : SNIFF_NO;
}

static bool http1_set_dialects(void *state, unsigned dialects)
{
	struct http1_state *http1 = state;

	if (!http1->dialects)
		http1->dialects = http_dialect_reader_new(dialects);
	return http1->dialects;
}

static void http1_release(void *state)
{
	free(((struct http1_state *)state)->dialects);
}

const struct protocol protocol_http1 = {
	.name = "http",
	.mode = MODE_MESSAGES,
	.pipelined_mode =
		MODE_STREAM, /* the turn's first bytes are those of the first message only */
	.state_bytes = sizeof(struct http1_state),
	.sniff = http1_sniff,
	.parse = parse_run,
	.boundary = http1_boundary,
	.set_dialects = http1_set_dialects,
	.release = http1_release,
	.take_known = http1_take_known,
};
