/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP/2 without TLS (RFC 9113): frames of both sides, of any number of streams at once. Which stream a step is about,
 * protocol_stream tells; fields are http2_head.c's. Payloads of DATA are skipped, seen or not. */
#include <stdlib.h>
#include <string.h>

#include "config_abi.h"
#include "protocol/http2_state.h"

static uint64_t at_most(const struct http2_parse *parse, uint64_t count)
{
	return count < parse->run->length ? count : parse->run->length;
}

static void block_clear(struct http2_side *side)
{
	free(side->block);
	side->block = NULL;
	side->block_bytes = side->block_room = 0;
	side->is_block_unseen = false;
}

/* Takes bytes up to `wanted` of them. Returns whether they are there. */
static bool keep_bytes(struct http2_parse *parse, size_t wanted)
{
	struct http2_side *side = parse->side;
	size_t taken = (size_t)at_most(parse, wanted - side->kept);

	if (taken)
		memcpy(side->bytes + side->kept, parse->run->bytes, taken);
	side->kept = (uint8_t)(side->kept + taken);
	http2_take(parse->run, taken);
	return side->kept == wanted;
}

static enum protocol_step at_start(struct http2_parse *parse)
{
	if (parse->which == SIDE_REQUEST && *parse->run->bytes == HTTP2_PREFACE[0])
		parse->side->place = IN_PREFACE;
	else
		http2_seek_begin(parse->side, true);
	return STEP_ONWARD;
}

static enum protocol_step in_preface(struct http2_parse *parse)
{
	static const uint8_t preface[] = HTTP2_PREFACE;
	struct http2_side *side = parse->side;
	size_t length = (size_t)at_most(parse, HTTP2_PREFACE_BYTES - side->kept);

	if (memcmp(parse->run->bytes, preface + side->kept, length) != 0)
		return STEP_NOT_MINE;
	http2_take(parse->run, length);
	side->kept = (uint8_t)(side->kept + length);
	if (side->kept < HTTP2_PREFACE_BYTES)
		return STEP_MORE;
	side->kept = 0;
	side->place = IN_HEADER;
	parse->http2->is_proven = true;
	return STEP_ONWARD;
}

/* The step that has the caller bring the facts of the frame's stream. */
static enum protocol_step name_stream(struct http2_parse *parse, enum protocol_step step)
{
	struct http2_side *side = parse->side;

	if (step == STEP_STREAM && side->facts_stream == side->frame.stream)
		return STEP_ONWARD;
	side->facts_stream = side->frame.stream;
	side->told = (struct protocol_stream){ .number = side->frame.stream };
	return step;
}

/* Where the payload's wanted part begins. */
static void enter(struct http2_side *side)
{
	side->kept = 0;
	if (side->frame.type == FRAME_DATA)
		side->place = IN_DATA;
	else if (side->frame.type == FRAME_PUSH_PROMISE ||
		 (side->frame.type == FRAME_HEADERS && side->frame.flags & FLAG_PRIORITY))
		side->place = IN_FIXED;
	else
		side->place = IN_BLOCK;
}

static void enter_padded(struct http2_side *side)
{
	side->pad_bytes = 0;
	if (side->frame.flags & FLAG_PADDED)
		side->place = IN_PAD_LENGTH;
	else
		enter(side);
}

static enum protocol_step data_begins(struct http2_parse *parse)
{
	struct http2_side *side = parse->side;

	side->ends_stream = side->frame.flags & FLAG_END_STREAM;
	enter_padded(side);
	if (http2_is_own(side))
		return name_stream(parse, STEP_STREAM);
	side->place = IN_REST;
	return STEP_ONWARD;
}

static enum protocol_step headers_begin(struct http2_parse *parse)
{
	struct http2_side *side = parse->side;

	side->ends_stream = side->frame.flags & FLAG_END_STREAM;
	side->is_block_open = true;
	enter_padded(side);
	if (!http2_is_own(side)) {
		side->block_kind = BLOCK_PUSHED;
		return STEP_ONWARD;
	}
	if (parse->which == SIDE_RESPONSE) {
		side->block_kind = BLOCK_ANSWER;
		return name_stream(parse, STEP_BEGIN);
	}
	if (side->frame.stream <= side->newest) {
		side->block_kind = BLOCK_TRAILERS;
		return name_stream(parse, STEP_STREAM);
	}
	side->newest = side->frame.stream;
	side->block_kind = BLOCK_REQUEST;
	return name_stream(parse, STEP_BEGIN);
}

static enum protocol_step promise_begins(struct http2_parse *parse)
{
	if (parse->which == SIDE_REQUEST)
		return STEP_BROKEN;
	parse->side->ends_stream = false;
	parse->side->is_block_open = true;
	parse->side->block_kind = BLOCK_PROMISE;
	enter_padded(parse->side);
	return STEP_ONWARD;
}

static enum protocol_step continuation_begins(struct http2_parse *parse)
{
	parse->side->pad_bytes = 0;
	parse->side->place = IN_BLOCK;
	return STEP_ONWARD;
}

static enum protocol_step code_begins(struct http2_parse *parse)
{
	parse->side->place = IN_CODE;
	return STEP_ONWARD;
}

static enum protocol_step other_begins(struct http2_parse *parse)
{
	parse->side->place = IN_REST;
	return STEP_ONWARD;
}

static enum protocol_step frame_begins(struct http2_parse *parse)
{
	static enum protocol_step (*const begins[FRAME_TYPE_COUNT])(struct http2_parse * parse) = {
		[FRAME_DATA] = data_begins,	      [FRAME_HEADERS] = headers_begin,
		[FRAME_PRIORITY] = other_begins,      [FRAME_RST_STREAM] = code_begins,
		[FRAME_SETTINGS] = other_begins,      [FRAME_PUSH_PROMISE] = promise_begins,
		[FRAME_PING] = other_begins,	      [FRAME_GOAWAY] = code_begins,
		[FRAME_WINDOW_UPDATE] = other_begins, [FRAME_CONTINUATION] = continuation_begins,
	};
	struct http2_side *side = parse->side;
	bool is_continuation = side->frame.type == FRAME_CONTINUATION;

	if (!http2_frame_is_legal(&side->frame) || is_continuation != side->is_block_open)
		return STEP_BROKEN;
	side->kept = 0;
	side->left = side->frame.length;
	if (!is_continuation)
		side->ends_stream = false;
	if (side->frame.type >= FRAME_TYPE_COUNT)
		return other_begins(parse);
	return begins[side->frame.type](parse);
}

static enum protocol_step in_header(struct http2_parse *parse)
{
	struct http2_side *side = parse->side;
	bool is_proven = parse->http2->is_proven, is_wrong = false;
	uint32_t stream = side->frame.stream;

	if (!keep_bytes(parse, HTTP2_FRAME_HEADER))
		return STEP_MORE;
	if (side->is_seeking && http2_seek(side, &is_wrong))
		return frame_begins(parse);
	if (side->is_seeking)
		return is_wrong && !is_proven ? STEP_BROKEN : STEP_ONWARD;
	http2_frame_read(&side->frame, side->bytes);
	if (side->is_block_open && side->frame.stream != stream)
		return STEP_BROKEN;
	if (!is_proven && !side->is_block_open && !http2_frame_is_usual(&side->frame))
		return STEP_BROKEN;
	return frame_begins(parse);
}

/* An unseen one is taken for none: what is padding then counts as body. */
static enum protocol_step in_pad_length(struct http2_parse *parse)
{
	struct http2_side *side = parse->side;

	if (!side->left)
		return STEP_BROKEN;
	side->pad_bytes = parse->run->bytes ? *parse->run->bytes : 0;
	if (!parse->run->bytes && side->frame.type != FRAME_DATA)
		side->is_block_unseen = true;
	http2_take(parse->run, 1);
	if (side->pad_bytes > --side->left)
		return STEP_BROKEN;
	enter(side);
	return STEP_ONWARD;
}

static enum protocol_step in_fixed(struct http2_parse *parse)
{
	struct http2_side *side = parse->side;
	uint32_t wanted = side->frame.type == FRAME_PUSH_PROMISE ? 4 : 5;
	uint32_t taken = (uint32_t)at_most(parse, wanted - side->kept);

	if (side->left < side->pad_bytes + wanted - side->kept)
		return STEP_BROKEN;
	http2_take(parse->run, taken);
	side->left -= taken;
	side->kept = (uint8_t)(side->kept + taken);
	if (side->kept == wanted)
		side->place = IN_BLOCK;
	return side->kept == wanted ? STEP_ONWARD : STEP_MORE;
}

static enum protocol_step in_data(struct http2_parse *parse)
{
	struct http2_side *side = parse->side;
	uint64_t taken = at_most(parse, side->left - side->pad_bytes);

	http2_take(parse->run, taken);
	side->left -= (uint32_t)taken;
	parse->facts->sides[parse->which].body_bytes += taken;
	if (side->left > side->pad_bytes)
		return STEP_MORE;
	side->place = IN_REST;
	return STEP_ONWARD;
}

/* Returns false when it is too long, or memory is short. */
static bool block_append(struct http2_side *side, const uint8_t *bytes, uint32_t length)
{
	uint32_t room = side->block_bytes + length;
	uint8_t *block;

	if (!length)
		return true;
	if (room > HTTP2_BLOCK_MAX)
		return false;
	if (room > side->block_room) {
		room = room < HTTP2_BLOCK_MAX / 2 ? room * 2 : HTTP2_BLOCK_MAX;
		block = realloc(side->block, room);
		if (!block)
			return false;
		side->block = block;
		side->block_room = room;
	}
	memcpy(side->block + side->block_bytes, bytes, length);
	side->block_bytes += length;
	return true;
}

static enum protocol_step end_block(struct http2_parse *parse, const uint8_t *block, size_t length)
{
	struct http2_side *side = parse->side;
	enum protocol_step step = http2_take_block(parse, block, length);

	block_clear(side);
	side->is_block_open = false;
	side->place = IN_REST;
	return step;
}

static enum protocol_step in_block(struct http2_parse *parse)
{
	struct http2_side *side = parse->side;
	struct protocol_run *run = parse->run;
	uint32_t part = (uint32_t)at_most(parse, side->left - side->pad_bytes);
	const uint8_t *bytes = run->bytes;
	bool is_fragment_whole = part == side->left - side->pad_bytes;
	bool is_whole = is_fragment_whole && side->frame.flags & FLAG_END_HEADERS;

	http2_take(run, part);
	side->left -= part;
	if (part && !bytes)
		side->is_block_unseen = true;
	if (is_whole && !side->block_bytes)
		return end_block(parse, bytes, part);
	if (!side->is_block_unseen && !block_append(side, bytes, part))
		side->is_block_unseen = true;
	if (is_whole)
		return end_block(parse, side->block, side->block_bytes);
	if (is_fragment_whole)
		side->place = IN_REST;
	return is_fragment_whole ? STEP_ONWARD : STEP_MORE;
}

/* Streams that a client's GOAWAY refuses are the server's. One that says that nothing is wrong leaves the refused to be tried
 * again: RFC 9113 §6.8. */
static enum protocol_step code_ends(struct http2_parse *parse, bool is_seen)
{
	struct http2_side *side = parse->side;
	uint32_t code;

	side->place = IN_REST;
	if (side->frame.type == FRAME_RST_STREAM) {
		side->told = (struct protocol_stream){
			.number = side->frame.stream,
			.error =
				is_seen ? http2_error_name(http2_number_at(side->bytes)) : "_OTHER",
		};
		return http2_is_own(side) ? STEP_RESET : STEP_ONWARD;
	}
	if (parse->which == SIDE_REQUEST || !is_seen)
		return STEP_ONWARD;
	code = http2_number_at(side->bytes + 4);
	side->told = (struct protocol_stream){
		.number = http2_number_at(side->bytes) & 0x7fffffff,
		.error = code ? http2_error_name(code) : "REFUSED_STREAM",
	};
	return STEP_REFUSED;
}

static enum protocol_step in_code(struct http2_parse *parse)
{
	struct http2_side *side = parse->side;
	size_t wanted = side->frame.type == FRAME_RST_STREAM ? 4 : 8;
	uint8_t before = side->kept;

	if (parse->run->length && !parse->run->bytes)
		return code_ends(parse, false);
	if (!keep_bytes(parse, wanted)) {
		side->left -= (uint32_t)(side->kept - before);
		return STEP_MORE;
	}
	side->left -= (uint32_t)(wanted - before);
	return code_ends(parse, true);
}

/* Also the end of every frame. */
static enum protocol_step in_rest(struct http2_parse *parse)
{
	struct http2_side *side = parse->side;
	uint64_t taken = at_most(parse, side->left);

	http2_take(parse->run, taken);
	side->left -= (uint32_t)taken;
	if (side->left)
		return STEP_MORE;
	side->kept = 0;
	side->place = IN_HEADER;
	if (!side->ends_stream || side->is_block_open || !http2_is_own(side))
		return STEP_ONWARD;
	side->ends_stream = false;
	return STEP_END;
}

static const struct {
	enum protocol_step (*step)(struct http2_parse *parse);
	bool is_blind;	  /* bytes need not be captured */
	bool needs_bytes; /* nothing is to be done without some */
} places[PLACE_COUNT] = {
	[AT_START] = { at_start, false, true },	  [IN_PREFACE] = { in_preface, false, true },
	[IN_HEADER] = { in_header, false, true }, [IN_PAD_LENGTH] = { in_pad_length, true, true },
	[IN_FIXED] = { in_fixed, true, true },	  [IN_BLOCK] = { in_block, true, false },
	[IN_DATA] = { in_data, true, false },	  [IN_CODE] = { in_code, true, true },
	[IN_REST] = { in_rest, true, false },
};

static enum protocol_step step_once(struct http2_parse *parse)
{
	struct http2_side *side = parse->side;
	bool has_bytes = parse->run->length;

	if (!has_bytes && places[side->place].needs_bytes)
		return STEP_MORE;
	if (has_bytes && !parse->run->bytes && !places[side->place].is_blind) {
		if (!side->is_seeking)
			return STEP_LOST;
		http2_take(parse->run, parse->run->length);
		http2_seek_begin(side, false);
		return STEP_MORE;
	}
	return places[side->place].step(parse);
}

static enum protocol_step http2_parse(void *state, enum message_side which,
				      struct protocol_run *run, struct exchange_facts *facts)
{
	struct http2_state *http2 = state;
	struct http2_parse parse = {
		.http2 = http2,
		.side = &http2->sides[which],
		.run = run,
		.facts = facts,
		.which = which,
	};
	enum protocol_step step;

	do
		step = step_once(&parse);
	while (step == STEP_ONWARD);
	if (step == STEP_HEAD)
		http2->is_proven = true;
	else if (step == STEP_BROKEN && !http2->is_proven)
		step = STEP_NOT_MINE;
	return step;
}

/* Frames say where they end; nothing else does. */
static enum protocol_step http2_boundary(void *state, enum message_side which,
					 enum protocol_boundary boundary, uint64_t tail)
{
	struct http2_side *side = &((struct http2_state *)state)->sides[which];

	(void)tail;
	if (boundary != BOUNDARY_RESYNC)
		return STEP_MORE;
	hpack_free(&side->hpack);
	block_clear(side);
	side->is_block_open = false;
	side->ends_stream = false;
	side->facts_stream = 0;
	http2_seek_begin(side, true);
	return STEP_MORE;
}

static void http2_release(void *state)
{
	struct http2_state *http2 = state;

	for (unsigned side = 0; side < SIDE_COUNT; side++) {
		hpack_free(&http2->sides[side].hpack);
		block_clear(&http2->sides[side]);
	}
}

static const struct protocol_stream *http2_stream(const void *state, enum message_side side)
{
	return &((const struct http2_state *)state)->sides[side].told;
}

const struct protocol protocol_http2 = {
	.name = "http2",
	.mode = MODE_HTTP2,
	.state_bytes = sizeof(struct http2_state),
	.sniff = http2_sniff,
	.parse = http2_parse,
	.boundary = http2_boundary,
	.release = http2_release,
	.stream = http2_stream,
};
