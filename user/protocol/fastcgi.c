/* SPDX-License-Identifier: Apache-2.0 */
/* FastCGI, as web servers speak it with php-fpm and its like: records, one request at a time. Source: FastCGI
 * Specification 1.0 (29 April 1996). */
#include <string.h>

#include "config_abi.h"
#include "protocol/fastcgi_head.h"
#include "protocol/protocol.h"

#define HEADER_BYTES 8
#define VERSION 1
#define END_BYTES 8 /* of an END_REQUEST's content */

/* Semantic conventions, network.protocol.name: what is not HTTP itself says so. */
static const char protocol_name[] = "fastcgi";

/* To go on with the next place. */
#define STEP_ONWARD STEP_COUNT

enum record_type {
	BEGIN_REQUEST = 1,
	ABORT_REQUEST = 2,
	END_REQUEST = 3,
	PARAMS = 4,
	STDIN = 5,
	STDOUT = 6,
	STDERR = 7,
	DATA = 8,
};

enum role {
	RESPONDER = 1,
	AUTHORIZER = 2, /* gets no input */
	FILTER = 3,
};

enum place {
	IN_HEADER,
	AT_CONTENT, /* the header is known */
	IN_CONTENT,
};

struct fastcgi_side {
	uint32_t left; /* of the content */
	uint16_t id;   /* of the message under way */
	uint8_t padding;
	uint8_t place; /* enum place */
	uint8_t header_bytes;
	uint8_t header[HEADER_BYTES];
	uint8_t kept_bytes;	 /* of a content of which each byte counts */
	uint8_t kept[END_BYTES]; /* BEGIN_REQUEST, END_REQUEST */
	bool has_begun;
	bool has_head; /* told */
	bool is_cut;   /* an END_REQUEST that was not captured */
};

struct fastcgi_state {
	struct fastcgi_side sides[SIDE_COUNT];
	struct fastcgi_params params; /* of the request being read */
	struct fastcgi_header header; /* of the answer being read */
};
_Static_assert(sizeof(struct fastcgi_state) <= PROTOCOL_STATE_MAX, "raise PROTOCOL_STATE_MAX");

/* One call of the parser. */
struct fastcgi_parse {
	struct fastcgi_state *state;
	struct fastcgi_side *side;
	struct protocol_run *run;
	struct exchange_facts *facts;
	struct message *message;
	enum message_side which;
};

static void run_take(struct protocol_run *run, uint64_t count)
{
	if (run->bytes)
		run->bytes += count;
	run->length -= count;
}

static unsigned record_type(const struct fastcgi_side *side)
{
	return side->header[1];
}

static unsigned record_id(const struct fastcgi_side *side)
{
	return (unsigned)side->header[2] << 8 | side->header[3];
}

static enum protocol_step in_header(struct fastcgi_parse *parse)
{
	struct fastcgi_side *side = parse->side;
	size_t missing = sizeof(side->header) - side->header_bytes;
	size_t count = parse->run->length < missing ? (size_t)parse->run->length : missing;

	if (!count)
		return STEP_MORE;
	if (!parse->run->bytes)
		return STEP_LOST;
	memcpy(side->header + side->header_bytes, parse->run->bytes, count);
	run_take(parse->run, count);
	side->header_bytes = (uint8_t)(side->header_bytes + count);
	if (count < missing)
		return STEP_MORE;
	side->header_bytes = 0;
	side->left = (uint32_t)side->header[4] << 8 | side->header[5];
	side->padding = side->header[6];
	side->kept_bytes = 0;
	side->is_cut = false;
	side->place = AT_CONTENT;
	return side->header[0] == VERSION ? STEP_ONWARD : STEP_BROKEN;
}

/* Which types a side sends, and of those the ones that begin a message. */
static bool type_fits(const struct fastcgi_parse *parse, bool *ret_begins)
{
	unsigned type = record_type(parse->side);

	if (parse->which == SIDE_REQUEST) {
		*ret_begins = type == BEGIN_REQUEST;
		return type == BEGIN_REQUEST || type == ABORT_REQUEST || type == PARAMS ||
		       type == STDIN || type == DATA;
	}
	*ret_begins = true;
	return type == END_REQUEST || type == STDOUT || type == STDERR;
}

/* A new request while one is being read is the multiplexing that no server has, and it would have to be paired by its id. */
static enum protocol_step at_content(struct fastcgi_parse *parse)
{
	struct fastcgi_side *side = parse->side;
	unsigned type = record_type(side);
	bool begins;

	if (!record_id(side)) { /* what the server can do: nobody's request */
		side->place = IN_CONTENT;
		return STEP_ONWARD;
	}
	if (!type_fits(parse, &begins) || (type == END_REQUEST && side->left != END_BYTES) ||
	    (type == BEGIN_REQUEST && side->left != END_BYTES))
		return STEP_BROKEN;
	if (side->has_begun) {
		if (record_id(side) != side->id || type == BEGIN_REQUEST)
			return STEP_BROKEN;
		side->place = IN_CONTENT;
		return STEP_ONWARD;
	}
	if (!begins)
		return STEP_BROKEN;
	side->has_begun = true;
	side->has_head = false;
	side->id = (uint16_t)record_id(side);
	side->place = IN_CONTENT;
	if (parse->which == SIDE_REQUEST)
		memset(&parse->state->params, 0, sizeof(parse->state->params));
	else
		memset(&parse->state->header, 0, sizeof(parse->state->header));
	return STEP_BEGIN;
}

static void keep(struct fastcgi_side *side, const uint8_t *bytes, size_t count)
{
	if (!bytes) {
		side->is_cut = true;
		return;
	}
	memcpy(side->kept + side->kept_bytes, bytes, count);
	side->kept_bytes = (uint8_t)(side->kept_bytes + count);
}

static enum protocol_step tell_answer(struct fastcgi_parse *parse)
{
	parse->side->has_head = true;
	fastcgi_header_end(&parse->state->header, parse->facts);
	return STEP_HEAD;
}

/* Without its header an answer's status is not known. */
static enum protocol_step tell_unknown_answer(struct fastcgi_parse *parse)
{
	parse->side->has_head = true;
	parse->facts->outcomes |= 1ull << PARSE_HEADER_TRUNCATED;
	return STEP_HEAD;
}

static enum protocol_step in_stdout(struct fastcgi_parse *parse, const uint8_t *bytes, size_t count)
{
	struct fastcgi_side *side = parse->side;
	enum protocol_step step = STEP_ONWARD;
	size_t header_bytes;
	bool is_over;

	if (side->has_head) {
		parse->message->body_bytes += count;
	} else if (!bytes) {
		return tell_unknown_answer(parse);
	} else {
		header_bytes = fastcgi_header_take(&parse->state->header, bytes, count, &is_over);
		count = header_bytes;
		if (is_over)
			step = tell_answer(parse);
	}
	side->left -= (uint32_t)count;
	run_take(parse->run, count);
	return step;
}

static void take_content(struct fastcgi_parse *parse, const uint8_t *bytes, size_t count)
{
	struct fastcgi_side *side = parse->side;
	unsigned type = record_type(side);

	side->left -= (uint32_t)count;
	run_take(parse->run, count);
	if (!record_id(side))
		return;
	if (type == BEGIN_REQUEST || type == END_REQUEST)
		keep(side, bytes, count);
	else if (type == STDIN)
		parse->message->body_bytes += count;
	else if (type == PARAMS && bytes)
		fastcgi_params_take(&parse->state->params, parse->facts, bytes, count);
	else if (type == PARAMS)
		parse->state->params.is_cut = true;
}

static void tell_end(struct fastcgi_parse *parse)
{
	static const char *const refusals[] = { NULL, "cant_mpx_conn", "overloaded",
						"unknown_role" };
	const struct fastcgi_side *side = parse->side;
	uint8_t refusal = side->kept[4];
	const char *error = NULL;

	if (side->is_cut)
		return;
	if (refusal)
		error = refusal < sizeof(refusals) / sizeof(refusals[0]) ? refusals[refusal] :
									   "_OTHER";
	else if (side->kept[0] | side->kept[1] | side->kept[2] | side->kept[3])
		error = "app_status";
	if (!error || parse->message->fault == FAULT_SERVER)
		return;
	parse->facts->attributes[ATTRIBUTE_ERROR_TYPE] = error;
	parse->message->fault = FAULT_SERVER;
}

static enum protocol_step end_message(struct fastcgi_parse *parse)
{
	parse->side->has_begun = false;
	parse->side->place = IN_HEADER;
	return STEP_END;
}

/* All of a record of the message is taken. Called once more when it told the head and the message ends as well. */
static enum protocol_step end_record(struct fastcgi_parse *parse)
{
	struct fastcgi_side *side = parse->side;
	unsigned type = record_type(side);
	bool is_empty = !(side->header[4] | side->header[5]);

	if (type == PARAMS && is_empty && !side->has_head) {
		side->has_head = true;
		parse->message->is_left_unread = true; /* php-fpm: the empty STDIN */
		parse->facts->attributes[ATTRIBUTE_NETWORK_PROTOCOL_NAME] = protocol_name;
		fastcgi_params_end(&parse->state->params, parse->facts);
		return STEP_HEAD;
	}
	if (type == END_REQUEST && !side->has_head) {
		side->has_head = true; /* a refusal, or no answer worth the name */
		return STEP_HEAD;
	}
	if (type == END_REQUEST)
		tell_end(parse);
	if (type == END_REQUEST || (type == STDIN && is_empty) ||
	    (type == PARAMS && is_empty && side->kept[1] == AUTHORIZER))
		return end_message(parse);
	side->place = IN_HEADER;
	return STEP_ONWARD;
}

static enum protocol_step in_content(struct fastcgi_parse *parse)
{
	struct fastcgi_side *side = parse->side;
	struct protocol_run *run = parse->run;
	uint64_t want = side->left ? side->left : side->padding;
	size_t count = (size_t)(run->length < want ? run->length : want);

	if (side->left && !count)
		return STEP_MORE;
	if (side->left && record_type(side) == STDOUT && record_id(side))
		return in_stdout(parse, run->bytes, count);
	if (side->left) {
		take_content(parse, run->bytes, count);
		return STEP_ONWARD;
	}
	side->padding = (uint8_t)(side->padding - count);
	run_take(run, count);
	if (side->padding)
		return STEP_MORE;
	if (record_id(side))
		return end_record(parse);
	side->place = IN_HEADER;
	return STEP_ONWARD;
}

static enum protocol_step fastcgi_parse(void *state, enum message_side which,
					struct protocol_run *run, struct exchange_facts *facts)
{
	static enum protocol_step (*const places[])(struct fastcgi_parse * parse) = {
		[IN_HEADER] = in_header,
		[AT_CONTENT] = at_content,
		[IN_CONTENT] = in_content,
	};
	struct fastcgi_state *fastcgi = state;
	struct fastcgi_parse parse = { .state = fastcgi,
				       .side = &fastcgi->sides[which],
				       .run = run,
				       .facts = facts,
				       .message = &facts->sides[which],
				       .which = which };
	enum protocol_step step;

	do
		step = places[parse.side->place](&parse);
	while (step == STEP_ONWARD);
	return step;
}

/* Records say where they end; nothing else does. */
static enum protocol_step fastcgi_boundary(void *state, enum message_side which,
					   enum protocol_boundary boundary, uint64_t tail)
{
	struct fastcgi_state *fastcgi = state;

	(void)tail;
	if (boundary == BOUNDARY_RESYNC)
		memset(&fastcgi->sides[which], 0, sizeof(fastcgi->sides[which]));
	return STEP_MORE;
}

/* A BEGIN_REQUEST: all that it can say is known but for its id, its padding and a flag. */
static enum sniff_result fastcgi_sniff(const uint8_t *bytes, size_t length)
{
	static const uint8_t least[2 * HEADER_BYTES] = { VERSION, BEGIN_REQUEST, 0, 0,
							 0,	  END_BYTES,	 0, 0,
							 0,	  RESPONDER };
	static const uint8_t most[2 * HEADER_BYTES] = { VERSION, BEGIN_REQUEST, 0xff, 0xff,
							0,	 END_BYTES,	0xff, 0,
							0,	 FILTER,	1 };

	for (size_t i = 0; i < length && i < sizeof(least); i++)
		if (bytes[i] < least[i] || bytes[i] > most[i])
			return SNIFF_NO;
	if (length >= 4 && !(bytes[2] | bytes[3]))
		return SNIFF_NO;
	return length < sizeof(least) ? SNIFF_MORE : SNIFF_REQUEST;
}

const struct protocol protocol_fastcgi = {
	.name = protocol_name,
	.mode = MODE_STREAM,
	.state_bytes = sizeof(struct fastcgi_state),
	.sniff = fastcgi_sniff,
	.parse = fastcgi_parse,
	.boundary = fastcgi_boundary,
};
