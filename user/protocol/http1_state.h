/* SPDX-License-Identifier: Apache-2.0 */
/* The state of the HTTP/1 parser, shared by http1.c (messages and bodies) and http1_head.c (heads). */
#ifndef SONDE_PROTOCOL_HTTP1_STATE_H
#define SONDE_PROTOCOL_HTTP1_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "protocol/http1_words.h"
#include "protocol/http_dialect.h"
#include "protocol/protocol.h"

/* Looked at of each line; the fields that matter are shorter. */
#define HTTP1_LINE_MAX 128
#define HTTP1_METHOD_MAX 24
/* A head up to this length is known again when it comes once more. */
#define HTTP1_HEAD_KEPT_MAX 168
_Static_assert(HTTP1_HEAD_KEPT_MAX >= HTTP1_LINE_MAX, "http1_side.line holds either");

/* Of the digits, from the start of a status line. */
#define HTTP1_STATUS_AT 9

/* To go on with the next place. */
#define STEP_ONWARD STEP_COUNT

enum place {
	AT_START, /* between messages */
	IN_METHOD,
	IN_TARGET,
	IN_VERSION,
	IN_STATUS_LINE,
	IN_FIELDS,
	IN_SWITCH_FIELDS, /* of an answer 101: those that say what comes next matter too */
	IN_LENGTH,	  /* a body of `left` more bytes */
	IN_REST,	  /* a body until close */
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

/* What a status says whatever was asked. */
struct http1_status {
	const char *label; /* static */
	uint8_t fault;	   /* enum message_fault */
	bool is_interim;
	bool is_bodiless;
};

/* What the newest whole head of a side said. */
struct http1_kept_head {
	struct http1_framing framing;
	const char *version; /* static, like the method */
	union {
		const char *method;	    /* of a request */
		struct http1_status status; /* of an answer */
	};
	uint32_t whole_bytes; /* head and body, where the head alone says how much; else 0 */
	uint8_t bytes;	      /* of the head, which is in http1_side.line; 0: none is kept */
	uint8_t note;
	uint8_t path_at;
	uint8_t path_bytes; /* 0: none is told */
};
_Static_assert(HTTP1_HEAD_KEPT_MAX <= UINT8_MAX, "http1_kept_head");

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
	bool is_reopened;  /* by an interim answer, after its end was told */
	bool is_bodiless;
	bool is_websocket; /* what a 101 switches to */
	bool is_http2;	   /* the same */
	bool is_body_read; /* in a dialect */
	/* What is behind here outlives messages. */
	struct http1_kept_head kept;
	uint8_t line[HTTP1_HEAD_KEPT_MAX]; /* the beginning of a line, or else the head that is kept */
};

struct http1_state {
	struct http_dialect_reader *dialects; /* owned; NULL: bodies are not looked at */
	struct http1_side sides[SIDE_COUNT];
};
_Static_assert(sizeof(struct http1_state) <= PROTOCOL_STATE_MAX, "raise PROTOCOL_STATE_MAX");

/* Layout of exchange_facts.text. */
struct http1_text {
	char path[URL_PATH_MAX + 1];
	struct http_dialect_facts dialect;
};
_Static_assert(sizeof(struct http1_text) <= FACTS_TEXT_MAX, "raise FACTS_TEXT_MAX");

/* exchange_facts.note */
enum http1_note {
	NOTE_HEAD = 1 << 0,
	NOTE_CONNECT = 1 << 1,
};

/* One call of http1_parse. */
struct http1_parse {
	struct http1_state *state;
	struct http1_side *side;
	struct protocol_run *run;
	const uint8_t *first; /* of the run as it was given */
	struct exchange_facts *facts;
	struct message *message;
	enum message_side which;
};

static inline struct http1_text *text_of(struct exchange_facts *facts)
{
	return (struct http1_text *)(void *)facts->text;
}

static inline void run_take(struct protocol_run *run, uint64_t count)
{
	if (run->bytes)
		run->bytes += count;
	run->length -= count;
}

/* Of a line without its LF: cut, and without its CR. */
static inline size_t http1_line_length(const uint8_t *line, size_t length)
{
	if (length > HTTP1_LINE_MAX)
		length = HTTP1_LINE_MAX;
	return length && line[length - 1] == '\r' ? length - 1 : length;
}

static inline uint64_t run_take_at_most(struct protocol_run *run, uint64_t count)
{
	uint64_t taken = count < run->length ? count : run->length;

	run_take(run, taken);
	return taken;
}

/* A line whose beginning came in runs before, or whose end is not there yet. */
bool http1_take_split_line(struct http1_parse *parse, const uint8_t **ret_line, size_t *ret_length);

/* Take a line off the run. Returns false when its end is not there yet: then all of the run is kept. The line
 * given is without its end, is cut at HTTP1_LINE_MAX, and lives until the next call. */
static inline bool http1_take_line(struct http1_parse *parse, const uint8_t **ret_line,
				   size_t *ret_length)
{
	struct protocol_run *run = parse->run;
	const uint8_t *bytes = run->bytes;
	const uint8_t *end = run->length ? memchr(bytes, '\n', run->length) : NULL;
	size_t length;

	if (!end || parse->side->line_bytes)
		return http1_take_split_line(parse, ret_line, ret_length);
	length = (size_t)(end - bytes);
	run->bytes = end + 1;
	run->length -= length + 1;
	*ret_line = bytes;
	*ret_length = http1_line_length(bytes, length);
	return true;
}

/* The head is known, and a dialect may want to read what follows. */
static inline void http1_begin_body(struct http1_parse *parse)
{
	if (parse->state->dialects)
		parse->side->is_body_read =
			http_dialect_begin(parse->state->dialects, parse->which, parse->facts);
}

static inline void http1_read_body(struct http1_parse *parse, uint64_t length)
{
	if (parse->side->is_body_read)
		http_dialect_take(parse->state->dialects, parse->which, parse->run->bytes, length,
				  parse->facts);
}

/* The message's end will not be seen in its bytes. */
enum protocol_step http1_go_dark(struct http1_parse *parse);

/* The places of a head, and what to do when the rest of it was not captured. */
enum protocol_step http1_in_method(struct http1_parse *parse);
enum protocol_step http1_in_target(struct http1_parse *parse);
enum protocol_step http1_in_version(struct http1_parse *parse);
enum protocol_step http1_in_status_line(struct http1_parse *parse);
enum protocol_step http1_in_fields(struct http1_parse *parse);
enum protocol_step http1_cut_head(struct http1_parse *parse);

struct http1_status http1_status_of(const uint8_t digits[3]);

/* The request's version says what was spoken, when it is known. */
static inline void http1_tell_status(struct exchange_facts *facts, const char *version,
				     const struct http1_status *status)
{
	const char **spoken = &facts->attributes[ATTRIBUTE_NETWORK_PROTOCOL_VERSION];

	if (!*spoken)
		*spoken = version;
	facts->attributes[ATTRIBUTE_HTTP_RESPONSE_STATUS_CODE] = status->label;
	facts->attributes[ATTRIBUTE_ERROR_TYPE] = status->fault ? status->label : NULL;
	facts->sides[SIDE_RESPONSE].fault = status->fault;
	facts->sides[SIDE_RESPONSE].is_interim = status->is_interim;
}

/* http1_known.c: most messages of a connection have the head of the one before, and equal bytes say equal things. */

/* The run began with a head, whose first line was a plain one, and this is behind its end: keep it. */
void http1_keep_head(struct http1_parse *parse);

/* Take the head that is kept: the side is left as reading it again would leave it, before the head's end.
 * Returns false when the run does not begin with it. */
bool http1_take_known_head(struct http1_parse *parse);

/* struct protocol.take_known */
bool http1_take_known(void *state, enum message_side which, const uint8_t *bytes, size_t captured,
		      uint64_t length, struct exchange_facts *facts);

/* Could these be the first bytes of `HTTP/1.`? */
bool http1_could_be_version(const uint8_t *bytes, size_t length);

#endif
