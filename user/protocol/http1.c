/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP/1.0 and 1.1 (RFC 9112). A state machine a side; whole lines are read in place, split ones through a small
 * buffer. Lenient where nginx, curl and llhttp are: empty lines before a message, bare LF, runs of spaces. */
#include "protocol/protocol.h"

#include <string.h>

#include "protocol/http1_head.h"

/* Looked at of each line; the fields that matter are shorter. */
#define LINE_MAX_BYTES 128
#define METHOD_MAX 24

/* To go on with the next place. */
#define STEP_ONWARD STEP_COUNT

enum place {
	AT_START, /* between messages */
	IN_METHOD,
	IN_TARGET,
	IN_VERSION,
	IN_STATUS_LINE,
	IN_FIELDS,
	IN_LENGTH, /* a body of `left` more bytes */
	IN_REST,   /* a body until close */
	IN_CHUNK_SIZE,
	IN_CHUNK_DATA,
	IN_CHUNK_END,
	IN_TRAILERS,
	IN_DARK, /* where the message ends was not captured */
	IN_TUNNEL,
	PLACE_COUNT,
};

enum target_form {
	TARGET_NONE, /* before its first byte */
	TARGET_ORIGIN,
	TARGET_OTHER, /* absolute, authority or junk: the path begins at the third slash */
};

struct http1_side {
	struct http1_framing framing;
	uint64_t left; /* of the body or the chunk; in the dark: seen so far */
	uint16_t line_bytes;
	uint16_t path_bytes;
	uint8_t place; /* enum place */
	uint8_t target_form;
	uint8_t slashes;
	bool is_past_path; /* in the query */
	bool is_head_cut;  /* in the dark since the head */
	bool is_bodiless;
	uint8_t line[LINE_MAX_BYTES];
};

struct http1_state {
	struct http1_side sides[SIDE_COUNT];
};
_Static_assert(sizeof(struct http1_state) <= PROTOCOL_STATE_MAX, "raise PROTOCOL_STATE_MAX");

/* Layout of exchange_facts.text. */
struct http1_text {
	char path[URL_PATH_MAX + 1];
	char status[4];
};
_Static_assert(sizeof(struct http1_text) <= FACTS_TEXT_MAX, "raise FACTS_TEXT_MAX");

/* exchange_facts.note */
enum http1_note {
	NOTE_HEAD = 1 << 0,
	NOTE_CONNECT = 1 << 1,
};

/* One call of http1_parse. */
struct parse {
	struct http1_state *state;
	struct http1_side *side;
	struct protocol_run *run;
	struct exchange_facts *facts;
	struct message *message;
	enum message_side which;
};

static struct http1_text *text_of(struct exchange_facts *facts)
{
	return (struct http1_text *)(void *)facts->text;
}

static void run_take(struct protocol_run *run, uint64_t count)
{
	if (run->bytes)
		run->bytes += count;
	run->length -= count;
}

static uint64_t run_take_at_most(struct protocol_run *run, uint64_t count)
{
	uint64_t taken = count < run->length ? count : run->length;

	run_take(run, taken);
	return taken;
}

static void line_keep(struct http1_side *side, const uint8_t *bytes, size_t length)
{
	size_t room = (size_t)(LINE_MAX_BYTES - side->line_bytes);

	if (length > room)
		length = room;
	memcpy(side->line + side->line_bytes, bytes, length);
	side->line_bytes = (uint16_t)(side->line_bytes + length);
}

/* Take a line off the run. Returns false when its end is not there yet: then all of the run is kept. The line
 * given is without its end, is cut at LINE_MAX_BYTES, and lives until the next call. */
static bool take_line(struct parse *parse, const uint8_t **ret_line, size_t *ret_length)
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
	if (!end || side->line_bytes) {
		line_keep(side, bytes, length);
		if (!end)
			return false;
		bytes = side->line;
		length = side->line_bytes;
		side->line_bytes = 0;
	}
	if (length > LINE_MAX_BYTES)
		length = LINE_MAX_BYTES;
	if (length && bytes[length - 1] == '\r')
		length--;
	*ret_line = bytes;
	*ret_length = length;
	return true;
}

static enum protocol_step go_dark(struct parse *parse)
{
	parse->side->place = IN_DARK;
	parse->side->left = 0;
	parse->message->end = END_UNFRAMED;
	return STEP_ONWARD;
}

static enum protocol_step at_start(struct parse *parse)
{
	struct protocol_run *run = parse->run;

	while (run->bytes && run->length && (*run->bytes == '\r' || *run->bytes == '\n'))
		run_take(run, 1);
	if (!run->length)
		return STEP_MORE;
	memset(parse->side, 0, offsetof(struct http1_side, line));
	parse->side->place = parse->which == SIDE_REQUEST ? IN_METHOD : IN_STATUS_LINE;
	return STEP_BEGIN;
}

static void set_method(struct parse *parse)
{
	struct http1_side *side = parse->side;
	const char *label = http1_method_label(side->line, side->line_bytes);

	parse->facts->attributes[ATTRIBUTE_HTTP_REQUEST_METHOD] = label;
	if (strcmp(label, "HEAD") == 0)
		parse->facts->note |= NOTE_HEAD;
	else if (strcmp(label, "CONNECT") == 0)
		parse->facts->note |= NOTE_CONNECT;
}

static enum protocol_step in_method(struct parse *parse)
{
	struct http1_side *side = parse->side;

	while (parse->run->length) {
		uint8_t c = *parse->run->bytes;

		run_take(parse->run, 1);
		if (c == ' ' && side->line_bytes) {
			set_method(parse);
			side->line_bytes = 0;
			side->place = IN_TARGET;
			return STEP_ONWARD;
		}
		if (!http1_is_token_char(c) || side->line_bytes == METHOD_MAX)
			return STEP_NOT_MINE;
		side->line[side->line_bytes++] = c;
	}
	return STEP_MORE;
}

static void path_append(struct parse *parse, uint8_t c)
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
static void set_path(struct parse *parse)
{
	struct http1_side *side = parse->side;
	char *path = text_of(parse->facts)->path;

	if (side->target_form == TARGET_OTHER && !side->path_bytes && side->slashes == 2)
		path[side->path_bytes++] = '/';
	path[side->path_bytes] = '\0';
	if (side->path_bytes && !(parse->facts->note & NOTE_CONNECT))
		parse->facts->attributes[ATTRIBUTE_URL_PATH] = path;
}

static enum protocol_step in_target(struct parse *parse)
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

static bool could_be_version(const uint8_t *bytes, size_t length)
{
	return memcmp(bytes, "HTTP/1.", length < 7 ? length : 7) == 0;
}

static enum protocol_step in_version(struct parse *parse)
{
	struct http1_side *side = parse->side;
	const uint8_t *line;
	const char *label;
	size_t length;

	while (!side->line_bytes && parse->run->length && *parse->run->bytes == ' ')
		run_take(parse->run, 1);
	if (!take_line(parse, &line, &length))
		return could_be_version(side->line, side->line_bytes) ? STEP_MORE : STEP_NOT_MINE;
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

static void set_status(struct parse *parse, const uint8_t digits[3])
{
	struct exchange_facts *facts = parse->facts;
	char *status = text_of(facts)->status;

	memcpy(status, digits, 3);
	status[3] = '\0';
	facts->attributes[ATTRIBUTE_HTTP_RESPONSE_STATUS_CODE] = status;
	parse->message->fault = digits[0] == '4' ? FAULT_CLIENT : digits[0] >= '5' ? FAULT_SERVER : FAULT_NONE;
	facts->attributes[ATTRIBUTE_ERROR_TYPE] = parse->message->fault == FAULT_NONE ? NULL : status;
	parse->message->is_interim = digits[0] == '1' && memcmp(digits, "101", 3) != 0;
	parse->side->is_bodiless = digits[0] == '1' || memcmp(digits, "204", 3) == 0 ||
				   memcmp(digits, "304", 3) == 0 || (facts->note & NOTE_HEAD);
}

/* The version in the answer is the server's; the request's says what was spoken, when it is known. */
static enum protocol_step in_status_line(struct parse *parse)
{
	const char **version = &parse->facts->attributes[ATTRIBUTE_NETWORK_PROTOCOL_VERSION];
	struct http1_side *side = parse->side;
	const uint8_t *line;
	const char *label;
	size_t length;

	if (!take_line(parse, &line, &length))
		return could_be_version(side->line, side->line_bytes) ? STEP_MORE : STEP_NOT_MINE;
	label = length >= 12 ? http1_version_label(line, 8) : NULL;
	if (!label || line[8] != ' ' || line[9] == '0' || !is_digit(line[9]) || !is_digit(line[10]) ||
	    !is_digit(line[11]) || (length > 12 && line[12] != ' '))
		return STEP_NOT_MINE;
	if (!*version)
		*version = label;
	set_status(parse, line + 9);
	side->place = IN_FIELDS;
	return STEP_ONWARD;
}

static void expect_length(struct http1_side *side, uint64_t length)
{
	side->place = IN_LENGTH;
	side->left = length;
}

static enum protocol_step end_request_head(struct parse *parse)
{
	struct http1_side *side = parse->side;

	if (side->framing.has_coding && !side->framing.is_chunked)
		return STEP_BROKEN;
	if (side->framing.is_chunked)
		side->place = IN_CHUNK_SIZE;
	else
		expect_length(side, side->framing.has_length ? side->framing.content_length : 0);
	return STEP_HEAD;
}

static bool opens_tunnel(struct parse *parse)
{
	const char *status = text_of(parse->facts)->status;

	if (strcmp(status, "101") == 0)
		parse->facts->outcomes |= 1u << PARSE_UPGRADE;
	else if ((parse->facts->note & NOTE_CONNECT) && status[0] == '2')
		parse->facts->outcomes |= 1u << PARSE_CONNECT;
	else
		return false;
	parse->message->opens_tunnel = true;
	parse->side->place = IN_TUNNEL;
	return true;
}

/* A client that waits for 100 before its body shows that the body was not sent with a head that we saw only
 * in part. */
static void end_interim_head(struct parse *parse)
{
	struct http1_side *request = &parse->state->sides[SIDE_REQUEST];

	parse->facts->outcomes |= 1u << PARSE_INTERIM;
	parse->side->place = AT_START;
	if (request->is_head_cut && request->place == AT_START)
		request->place = IN_DARK;
}

static enum protocol_step end_response_head(struct parse *parse)
{
	struct http1_side *side = parse->side;

	if (parse->message->is_interim) {
		end_interim_head(parse);
		return STEP_HEAD;
	}
	if (opens_tunnel(parse))
		return STEP_HEAD;
	if (parse->facts->note & NOTE_HEAD)
		parse->facts->outcomes |= 1u << PARSE_HEAD;
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

static enum protocol_step in_fields(struct parse *parse)
{
	const uint8_t *line;
	size_t length;

	while (take_line(parse, &line, &length)) {
		if (!length)
			return parse->which == SIDE_REQUEST ? end_request_head(parse) :
							      end_response_head(parse);
		if (memchr(line, '\0', length) || http1_framing_add(&parse->side->framing, line, length) < 0)
			return STEP_BROKEN;
	}
	return STEP_MORE;
}

static enum protocol_step message_ends(struct parse *parse)
{
	parse->side->place = AT_START;
	return STEP_END;
}

/* HEAD may become known only now: its answer was seen before it. */
static enum protocol_step in_length(struct parse *parse)
{
	struct http1_side *side = parse->side;
	uint64_t taken;

	if (parse->which == SIDE_RESPONSE && (parse->facts->note & NOTE_HEAD))
		side->left = 0;
	taken = run_take_at_most(parse->run, side->left);
	side->left -= taken;
	parse->message->body_bytes += taken;
	return side->left ? STEP_MORE : message_ends(parse);
}

static enum protocol_step in_rest(struct parse *parse)
{
	parse->message->body_bytes += parse->run->length;
	run_take(parse->run, parse->run->length);
	return STEP_MORE;
}

static enum protocol_step in_chunk_size(struct parse *parse)
{
	struct http1_side *side = parse->side;
	const uint8_t *line;
	size_t length;

	if (!take_line(parse, &line, &length))
		return STEP_MORE;
	if (http1_chunk_size(line, length, &side->left) < 0)
		return STEP_BROKEN;
	side->place = side->left ? IN_CHUNK_DATA : IN_TRAILERS;
	return STEP_ONWARD;
}

static enum protocol_step in_chunk_data(struct parse *parse)
{
	struct http1_side *side = parse->side;
	uint64_t taken = run_take_at_most(parse->run, side->left);

	side->left -= taken;
	parse->message->body_bytes += taken;
	if (side->left)
		return STEP_MORE;
	side->place = IN_CHUNK_END;
	return STEP_ONWARD;
}

static enum protocol_step in_chunk_end(struct parse *parse)
{
	const uint8_t *line;
	size_t length;

	if (!take_line(parse, &line, &length))
		return parse->side->line_bytes > 1 ? STEP_BROKEN : STEP_MORE;
	if (length)
		return STEP_BROKEN;
	parse->side->place = IN_CHUNK_SIZE;
	return STEP_ONWARD;
}

static enum protocol_step in_trailers(struct parse *parse)
{
	const uint8_t *line;
	size_t length;

	while (take_line(parse, &line, &length))
		if (!length)
			return message_ends(parse);
	return STEP_MORE;
}

static enum protocol_step in_dark(struct parse *parse)
{
	struct http1_side *side = parse->side;

	side->left += parse->run->length;
	if (!side->is_head_cut)
		parse->message->body_bytes += parse->run->length;
	else if (side->is_bodiless || (side->framing.has_length && side->left >= side->framing.content_length))
		parse->message->end = END_LIKELY;
	run_take(parse->run, parse->run->length);
	return STEP_MORE;
}

static enum protocol_step in_tunnel(struct parse *parse)
{
	run_take(parse->run, parse->run->length);
	return STEP_MORE;
}

/* The rest of a head was not captured: what was is enough to report, unless it is less than the first line. */
static enum protocol_step cut_head(struct parse *parse)
{
	struct http1_side *side = parse->side;
	uint8_t place = side->place;

	side->is_head_cut = true;
	(void)go_dark(parse);
	if (place == IN_TARGET)
		set_path(parse);
	if (place == IN_METHOD || place == IN_STATUS_LINE)
		return STEP_UNSEEN;
	if (place != IN_FIELDS &&
	    strcmp(parse->facts->attributes[ATTRIBUTE_HTTP_REQUEST_METHOD], "_OTHER") == 0)
		return STEP_NOT_MINE;
	parse->facts->outcomes |= 1u << PARSE_HEADER_TRUNCATED;
	if (parse->which == SIDE_RESPONSE)
		(void)opens_tunnel(parse);
	return STEP_HEAD;
}

/* What becomes of bytes that were not captured. */
enum blindness {
	BLIND_NOTHING, /* bytes are only counted here */
	BLIND_HEAD,
	BLIND_CHUNKS,
};

static const struct {
	enum protocol_step (*step)(struct parse *parse);
	enum blindness blindness;
} places[PLACE_COUNT] = {
	[AT_START] = { at_start, BLIND_NOTHING },
	[IN_METHOD] = { in_method, BLIND_HEAD },
	[IN_TARGET] = { in_target, BLIND_HEAD },
	[IN_VERSION] = { in_version, BLIND_HEAD },
	[IN_STATUS_LINE] = { in_status_line, BLIND_HEAD },
	[IN_FIELDS] = { in_fields, BLIND_HEAD },
	[IN_LENGTH] = { in_length, BLIND_NOTHING },
	[IN_REST] = { in_rest, BLIND_NOTHING },
	[IN_CHUNK_SIZE] = { in_chunk_size, BLIND_CHUNKS },
	[IN_CHUNK_DATA] = { in_chunk_data, BLIND_NOTHING },
	[IN_CHUNK_END] = { in_chunk_end, BLIND_CHUNKS },
	[IN_TRAILERS] = { in_trailers, BLIND_CHUNKS },
	[IN_DARK] = { in_dark, BLIND_NOTHING },
	[IN_TUNNEL] = { in_tunnel, BLIND_NOTHING },
};

static enum protocol_step step_once(struct parse *parse)
{
	enum blindness blindness = places[parse->side->place].blindness;

	if (!parse->run->bytes && parse->run->length && blindness != BLIND_NOTHING)
		return blindness == BLIND_HEAD ? cut_head(parse) : go_dark(parse);
	return places[parse->side->place].step(parse);
}

static enum protocol_step http1_parse(void *state, enum message_side which, struct protocol_run *run,
				      struct exchange_facts *facts)
{
	struct http1_state *http1 = state;
	struct parse parse = { .state = http1, .side = &http1->sides[which], .run = run, .facts = facts,
			       .message = &facts->sides[which], .which = which };
	enum protocol_step step;

	do
		step = step_once(&parse);
	while (step == STEP_ONWARD);
	return step;
}

/* "\n0\r\n\r\n" or, when no more was seen, "0\r\n\r\n". Chunk data that ends like this at the moment of looking would
 * deceive us; it is rarer than servers that send the last chunk in a write of its own are common. */
static bool tail_ends_chunks(uint64_t tail)
{
	uint8_t before = (uint8_t)(tail >> 16);

	return tail >> 24 == 0x0a0d0a0d30 && (before == '\n' || before == 0);
}

static enum protocol_step http1_boundary(void *state, enum message_side which, enum protocol_boundary boundary,
					 uint64_t tail)
{
	struct http1_side *side = &((struct http1_state *)state)->sides[which];
	bool is_over = false;

	if (boundary == BOUNDARY_RESYNC)
		memset(side, 0, offsetof(struct http1_side, line));
	else if (boundary == BOUNDARY_PROGRESS)
		is_over = side->place == IN_DARK && !side->framing.has_length && tail_ends_chunks(tail);
	else
		is_over = side->place == IN_DARK || (side->place == IN_REST && boundary == BOUNDARY_CLOSE);
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
	if (could_be_version(bytes, length))
		return length >= 7 ? SNIFF_RESPONSE : SNIFF_MORE;
	while (at < length && at < METHOD_MAX && http1_is_token_char(bytes[at]))
		at++;
	if (at == length)
		return SNIFF_MORE;
	if (at == 0 || bytes[at] != ' ')
		return SNIFF_NO;
	while (at < length && bytes[at] == ' ')
		at++;
	if (at == length)
		return SNIFF_MORE;
	return starts_target(bytes[at]) ? SNIFF_REQUEST : SNIFF_NO;
}

const struct protocol protocol_http1 = {
	.name = "http",
	.state_bytes = sizeof(struct http1_state),
	.sniff = http1_sniff,
	.parse = http1_parse,
	.boundary = http1_boundary,
};
