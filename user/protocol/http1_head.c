/* SPDX-License-Identifier: Apache-2.0 */
/* The head of an HTTP/1 message: request line or status line, and fields. Whole lines are read in place, split ones
 * through a small buffer. */
#include "protocol/http1_state.h"

#include <string.h>

#include "base/byte_block.h"

enum protocol_step http1_go_dark(struct http1_parse *parse)
{
	parse->side->place = IN_DARK;
	parse->side->left = 0;
	parse->message->end = END_UNFRAMED;
	return STEP_ONWARD;
}

static void set_method(struct http1_parse *parse, const char *label)
{
	parse->facts->attributes[ATTRIBUTE_HTTP_REQUEST_METHOD] = label;
	if (label[0] == 'H')
		parse->facts->note |= NOTE_HEAD;
	else if (label[0] == 'C')
		parse->facts->note |= NOTE_CONNECT;
}

static void path_append(struct http1_parse *parse, uint8_t c)
{
	struct http1_side *side = parse->side;

	if (c == '?' || c == '#')
		side->is_past_path = true;
	if (side->is_past_path)
		return;
	if (side->target_form == TARGET_OTHER) {
		side->slashes = (uint8_t)(side->slashes + (c == '/' && side->slashes < 3));
		if (side->slashes < 3)
			return;
	}
	if (side->path_bytes < URL_PATH_MAX)
		text_of(parse->facts)->path[side->path_bytes++] = (char)c;
}

/* CONNECT's target is an authority: no path. An absolute target may have none, which means "/". */
static void set_path(struct http1_parse *parse)
{
	struct http1_side *side = parse->side;
	char *path = text_of(parse->facts)->path;

	if (side->target_form == TARGET_OTHER && !side->path_bytes && side->slashes == 2)
		path[side->path_bytes++] = '/';
	path[side->path_bytes] = '\0';
	if (side->path_bytes && !(parse->facts->note & NOTE_CONNECT))
		parse->facts->attributes[ATTRIBUTE_URL_PATH] = path;
}

/* What targets are made of; '?' and '#' end the path in them. */
enum target_char {
	NOT_IN_TARGET,
	IN_PATH,
	ENDS_PATH,
};

static const uint8_t target_chars[256] = {
	['!' ... '"'] = IN_PATH, ['#'] = ENDS_PATH,	  ['$' ... '>'] = IN_PATH,
	['?'] = ENDS_PATH,	 ['@' ... '~'] = IN_PATH, [0x80 ... 0xff] = IN_PATH,
};

static const uint8_t *path_end(const uint8_t *at, const uint8_t *end)
{
	while (at < end && target_chars[*at] == IN_PATH)
		at++;
	return at;
}

static const uint8_t *target_end(const uint8_t *at, const uint8_t *end)
{
	while (at < end && target_chars[*at] != NOT_IN_TARGET)
		at++;
	return at;
}

static void set_plain_path(struct http1_parse *parse, const uint8_t *path, size_t length)
{
	if (length > URL_PATH_MAX)
		length = URL_PATH_MAX;
	memcpy(text_of(parse->facts)->path, path, length);
	parse->side->target_form = TARGET_ORIGIN;
	parse->side->path_bytes = (uint16_t)length;
	set_path(parse);
}

/* A request line that is whole and has the form that clients give it. Returns false when it has not, with
 * nothing done: what it is will show byte by byte, which comes to the same for these, only slower. */
static bool take_plain_line(struct http1_parse *parse)
{
	const uint8_t *bytes = parse->run->bytes, *end = bytes + parse->run->length;
	const uint8_t *path, *at, *query;
	const char *method, *version;
	size_t method_bytes;

	if (parse->run->length < sizeof("GET / HTTP/1.1\r\n") - 1)
		return false;
	method = http1_method_at(bytes, &method_bytes);
	if (!method || bytes[method_bytes + 1] != '/')
		return false;
	path = bytes + method_bytes + 1;
	query = path_end(path, end);
	at = target_end(query, end);
	if (end - at < (ptrdiff_t)sizeof(" HTTP/1.1\r\n") - 1 || *at != ' ')
		return false;
	version = http1_version_label(at + 1, 8);
	if (!version || at[9] != '\r' || at[10] != '\n')
		return false;
	set_method(parse, method);
	set_plain_path(parse, path, (size_t)(query - path));
	parse->facts->attributes[ATTRIBUTE_NETWORK_PROTOCOL_VERSION] = version;
	parse->side->place = IN_FIELDS;
	run_take(parse->run, (uint64_t)(at + 11 - bytes));
	return true;
}

enum protocol_step http1_in_target(struct http1_parse *parse)
{
	struct http1_side *side = parse->side;

	while (parse->run->length) {
		uint8_t c = *parse->run->bytes;

		if (c < ' ' || c == 0x7f)
			return STEP_NOT_MINE; /* HTTP/0.9, or no HTTP at all */
		run_take(parse->run, 1);
		if (c == ' ' && side->target_form == TARGET_NONE)
			continue;
		if (c == ' ') {
			set_path(parse);
			side->place = IN_VERSION;
			return STEP_ONWARD;
		}
		if (side->target_form == TARGET_NONE)
			side->target_form = c == '/' || c == '*' ? TARGET_ORIGIN : TARGET_OTHER;
		path_append(parse, c);
	}
	return STEP_MORE;
}

enum protocol_step http1_in_version(struct http1_parse *parse)
{
	struct http1_side *side = parse->side;
	const uint8_t *line;
	const char *label;
	size_t length;

	while (!side->line_bytes && parse->run->length && *parse->run->bytes == ' ')
		run_take(parse->run, 1);
	if (!http1_take_line(parse, &line, &length))
		return http1_could_be_version(side->line, side->line_bytes) ? STEP_MORE :
									      STEP_NOT_MINE;
	while (length && line[length - 1] == ' ')
		length--;
	label = http1_version_label(line, length);
	if (!label)
		return STEP_NOT_MINE;
	parse->facts->attributes[ATTRIBUTE_NETWORK_PROTOCOL_VERSION] = label;
	side->place = IN_FIELDS;
	return STEP_ONWARD;
}

static bool is_digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

struct http1_status http1_status_of(const uint8_t digits[3])
{
	unsigned status = (unsigned)(digits[0] - '0') * 100 + (unsigned)(digits[1] - '0') * 10 +
			  (unsigned)(digits[2] - '0');
	bool is_informational = status < 200;

	return (struct http1_status){
		.label = http1_status_label(status),
		.fault = status < 400 ? FAULT_NONE :
			 status < 500 ? FAULT_CLIENT :
					FAULT_SERVER,
		.is_interim = is_informational && status != 101,
		.is_bodiless = is_informational || status == 204 || status == 304,
	};
}

static void expect_length(struct http1_side *side, uint64_t length)
{
	side->place = IN_LENGTH;
	side->left = length;
}

static enum protocol_step end_request_head(struct http1_parse *parse)
{
	struct http1_side *side = parse->side;

	if (side->framing.has_coding && !side->framing.is_chunked)
		return STEP_BROKEN;
	http1_begin_body(parse);
	if (side->framing.is_chunked)
		side->place = IN_CHUNK_SIZE;
	else
		expect_length(side, side->framing.has_length ? side->framing.content_length : 0);
	return STEP_HEAD;
}

static bool opens_tunnel(struct http1_parse *parse)
{
	const char *status = parse->facts->attributes[ATTRIBUTE_HTTP_RESPONSE_STATUS_CODE];

	if (!status)
		return false;
	if (memcmp(status, "101", 3) == 0) {
		parse->facts->outcomes |= 1ull << PARSE_UPGRADE;
		if (parse->side->is_websocket)
			parse->facts->successor = &protocol_websocket;
		else if (parse->side->is_http2)
			parse->facts->successor = &protocol_http2;
	} else if ((parse->facts->note & NOTE_CONNECT) && status[0] == '2') {
		parse->facts->outcomes |= 1ull << PARSE_CONNECT;
	} else {
		return false;
	}
	parse->message->opens_tunnel = true;
	parse->side->place = IN_TUNNEL;
	return true;
}

/* A client that waits for 100 before its body shows that the body was not sent with a head that we saw only
 * in part. */
static void end_interim_head(struct http1_parse *parse)
{
	struct http1_side *request = &parse->state->sides[SIDE_REQUEST];

	parse->facts->outcomes |= 1ull << PARSE_INTERIM;
	parse->side->place = AT_START;
	if (request->is_head_cut && request->place == AT_START) {
		request->place = IN_DARK;
		request->is_reopened = true;
	}
}

/* Whose request was told to be over is not to hear of its end once more. */
static void close_reopened(struct http1_side *request)
{
	if (request->is_reopened && request->place == IN_DARK)
		request->place = AT_START;
	request->is_reopened = false;
}

static enum protocol_step end_response_head(struct http1_parse *parse)
{
	struct http1_side *side = parse->side;

	if (parse->message->is_interim) {
		end_interim_head(parse);
		return STEP_HEAD;
	}
	close_reopened(&parse->state->sides[SIDE_REQUEST]);
	if (opens_tunnel(parse))
		return STEP_HEAD;
	http1_begin_body(parse);
	if (side->is_bodiless) {
		expect_length(side, 0);
	} else if (side->framing.is_chunked) {
		side->place = IN_CHUNK_SIZE;
	} else if (side->framing.has_length && !side->framing.has_coding) {
		expect_length(side, side->framing.content_length);
	} else {
		side->place = IN_REST;
		parse->message->end = END_AT_CLOSE;
	}
	return STEP_HEAD;
}

static bool take_status_line(struct http1_parse *parse, const uint8_t *line, size_t length)
{
	const char *label = length >= 12 ? http1_version_label(line, 8) : NULL;
	struct http1_status status;

	if (!label || line[8] != ' ' || line[9] == '0' || !is_digit(line[9]) ||
	    !is_digit(line[10]) || !is_digit(line[11]) || (length > 12 && line[12] != ' '))
		return false;
	status = http1_status_of(line + HTTP1_STATUS_AT);
	http1_tell_status(parse->facts, label, &status);
	parse->side->is_bodiless = status.is_bodiless || parse->facts->note & NOTE_HEAD;
	parse->side->place =
		memcmp(line + HTTP1_STATUS_AT, "101", 3) ? IN_FIELDS : IN_SWITCH_FIELDS;
	return true;
}

static void note_switch(struct http1_side *side, const uint8_t *line, size_t length)
{
	if (http1_is_upgrade_to(line, length, "websocket"))
		side->is_websocket = true;
	else if (http1_is_upgrade_to(line, length, "h2c"))
		side->is_http2 = true;
}

/* A status line or a field, without its end. */
static enum protocol_step take_head_line(struct http1_parse *parse, const uint8_t *line,
					 size_t length)
{
	if (parse->side->place == IN_STATUS_LINE)
		return take_status_line(parse, line, length) ? STEP_ONWARD : STEP_NOT_MINE;
	if (!length)
		return parse->which == SIDE_REQUEST ? end_request_head(parse) :
						      end_response_head(parse);
	if (parse->side->place == IN_SWITCH_FIELDS)
		note_switch(parse->side, line, length);
	if (http1_may_frame(line, length) &&
	    http1_framing_add(&parse->side->framing, line, length) < 0)
		return STEP_BROKEN;
	return STEP_ONWARD;
}

/* Most fields say nothing of the body, and then only where they end is of interest. */
static bool is_of_interest(const struct http1_parse *parse, const uint8_t *line, size_t length)
{
	return length <= 1 || http1_may_frame(line, length) || parse->side->place != IN_FIELDS;
}

/* A field of a request, uncut but for `is_cut`. */
static void take_trace_field(struct http1_parse *parse, const uint8_t *line, size_t length,
			     bool is_cut)
{
	if (parse->which != SIDE_REQUEST || !trace_context_may_begin(*line))
		return;
	if (length && line[length - 1] == '\r')
		length--;
	trace_context_take_line(&parse->facts->trace, parse->facts->trace_texts, line, length,
				is_cut);
}

/* Take the lines that are whole in the run, up to a NUL. The last block reaches back behind the one before. */
static enum protocol_step take_whole_lines(struct http1_parse *parse)
{
	struct protocol_run *run = parse->run;
	const uint8_t *line = run->bytes, *end = line + run->length, *block = line;
	enum protocol_step step = STEP_ONWARD;
	uint32_t small; /* the block's newlines, and other such bytes */

	if (parse->side->line_bytes || end - parse->first < BYTE_BLOCK)
		return STEP_ONWARD;
	for (; block < end && step == STEP_ONWARD; block += BYTE_BLOCK) {
		const uint8_t *last = end - BYTE_BLOCK, *from = block;

		block = block < last ? block : last;
		small = byte_block_find_small(block, '\n') & UINT32_MAX << (from - block);
		for (; small; small &= small - 1) {
			const uint8_t *at = block + __builtin_ctz(small);
			size_t length = (size_t)(at - line);

			if (*at != '\n') {
				if (*at)
					continue;
				end = block;
				break;
			}
			if (is_of_interest(parse, line, length))
				step = take_head_line(parse, line, http1_line_length(line, length));
			if (length > 1)
				take_trace_field(parse, line, length, false);
			line = at + 1;
			if (step != STEP_ONWARD)
				break;
		}
	}
	run->length -= (uint64_t)(line - run->bytes);
	run->bytes = line;
	return step;
}

static enum protocol_step in_split_lines(struct http1_parse *parse)
{
	struct http1_side *side = parse->side;
	enum protocol_step step = STEP_ONWARD;
	const uint8_t *line;
	size_t length;

	while (step == STEP_ONWARD && http1_take_line(parse, &line, &length)) {
		bool has_nul = side->place >= IN_FIELDS && memchr(line, '\0', length);

		if (length && side->place == IN_FIELDS)
			take_trace_field(parse, line, length, length == HTTP1_LINE_MAX);
		step = has_nul ? STEP_BROKEN : take_head_line(parse, line, length);
	}
	if (step != STEP_ONWARD)
		return step;
	if (side->place == IN_STATUS_LINE && !http1_could_be_version(side->line, side->line_bytes))
		return STEP_NOT_MINE;
	return STEP_MORE;
}

/* The first line, which is a plain one, is taken, and the rest of the head may be there too. */
static enum protocol_step in_fresh_head(struct http1_parse *parse)
{
	enum protocol_step step = take_whole_lines(parse);

	if (step == STEP_HEAD)
		http1_keep_head(parse);
	return step == STEP_ONWARD ? in_split_lines(parse) : step;
}

static enum protocol_step take_split_method(struct http1_parse *parse)
{
	struct http1_side *side = parse->side;

	side->kept.bytes = 0;
	while (parse->run->length) {
		uint8_t c = *parse->run->bytes;

		run_take(parse->run, 1);
		if (c == ' ' && side->line_bytes) {
			set_method(parse, http1_method_label(side->line, side->line_bytes));
			side->line_bytes = 0;
			side->place = IN_TARGET;
			return STEP_ONWARD;
		}
		if (!http1_is_token_char(c) || side->line_bytes == HTTP1_METHOD_MAX)
			return STEP_NOT_MINE;
		side->line[side->line_bytes++] = c;
	}
	return STEP_MORE;
}

enum protocol_step http1_in_method(struct http1_parse *parse)
{
	if (parse->side->line_bytes)
		return take_split_method(parse);
	if (http1_take_known_head(parse))
		return end_request_head(parse);
	return take_plain_line(parse) ? in_fresh_head(parse) : take_split_method(parse);
}

enum protocol_step http1_in_status_line(struct http1_parse *parse)
{
	if (parse->side->line_bytes)
		return in_split_lines(parse);
	return http1_take_known_head(parse) ? end_response_head(parse) : in_fresh_head(parse);
}

enum protocol_step http1_in_fields(struct http1_parse *parse)
{
	enum protocol_step step = take_whole_lines(parse);

	return step == STEP_ONWARD ? in_split_lines(parse) : step;
}

/* The rest of a head was not captured: what was is enough to report, unless it is less than the first line. */
enum protocol_step http1_cut_head(struct http1_parse *parse)
{
	struct http1_side *side = parse->side;
	uint8_t place = side->place;

	side->is_head_cut = true;
	(void)http1_go_dark(parse);
	if (place == IN_TARGET)
		set_path(parse);
	if (place == IN_METHOD || place == IN_STATUS_LINE)
		return STEP_UNSEEN;
	if (place < IN_FIELDS &&
	    strcmp(parse->facts->attributes[ATTRIBUTE_HTTP_REQUEST_METHOD], "_OTHER") == 0)
		return STEP_NOT_MINE;
	parse->facts->outcomes |= 1ull << PARSE_HEADER_TRUNCATED;
	http1_begin_body(parse);
	if (parse->which == SIDE_RESPONSE)
		(void)opens_tunnel(parse);
	return STEP_HEAD;
}
