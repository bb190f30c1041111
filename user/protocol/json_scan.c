/* SPDX-License-Identifier: Apache-2.0 */
/* A state machine over bytes. Strict where it is cheap: it is to recognise JSON, not to validate it. */
#include "protocol/json_scan.h"

/* Zero is where a document begins. */
enum json_place {
	AT_VALUE,
	AT_KEY,
	AT_COLON,
	BEHIND_VALUE,
	IN_STRING,
	IN_ESCAPE,
	IN_CODE,
	IN_SCALAR,
	AT_FAULT,
	IS_OVER,
};

static bool is_blank(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool is_scalar(uint8_t c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || c == '-' || c == '+' ||
	       c == '.' || c == 'E';
}

static bool in_object(const struct json_scan *scan)
{
	return scan->objects >> scan->depth & 1;
}

static enum json_event broken(struct json_scan *scan)
{
	scan->place = AT_FAULT;
	return JSON_BROKEN;
}

static void text_begin(struct json_scan *scan, uint8_t place)
{
	scan->place = place;
	scan->text_bytes = 0;
	scan->text[0] = '\0';
	scan->is_text_cut = false;
}

static void text_add(struct json_scan *scan, uint8_t c)
{
	if (scan->text_bytes == JSON_TEXT_MAX) {
		scan->is_text_cut = true;
		return;
	}
	scan->text[scan->text_bytes++] = (char)c;
	scan->text[scan->text_bytes] = '\0';
}

static void value_ends(struct json_scan *scan)
{
	scan->wants_characters = false;
	scan->place = scan->depth ? BEHIND_VALUE : IS_OVER;
}

static enum json_event open_container(struct json_scan *scan, bool is_object)
{
	if (scan->depth == JSON_DEPTH_MAX)
		return broken(scan);
	scan->depth++;
	scan->objects &= ~((uint64_t)1 << scan->depth);
	scan->objects |= (uint64_t)is_object << scan->depth;
	scan->place = is_object ? AT_KEY : AT_VALUE;
	scan->wants_characters = false;
	return JSON_BEGIN;
}

static enum json_event close_container(struct json_scan *scan, bool is_object)
{
	if (!scan->depth || in_object(scan) != is_object)
		return broken(scan);
	scan->depth--;
	value_ends(scan);
	return JSON_END;
}

static enum json_event at_value(struct json_scan *scan, uint8_t c)
{
	if (c == '{' || c == '[')
		return open_container(scan, c == '{');
	if (c == ']')
		return close_container(scan, false);
	if (c == '"') {
		scan->is_key = false;
		text_begin(scan, IN_STRING);
		return JSON_MORE;
	}
	if (!is_scalar(c))
		return broken(scan);
	text_begin(scan, IN_SCALAR);
	text_add(scan, c);
	return JSON_MORE;
}

static enum json_event at_key(struct json_scan *scan, uint8_t c)
{
	if (c == '}')
		return close_container(scan, true);
	if (c != '"')
		return broken(scan);
	scan->is_key = true;
	scan->wants_characters = false;
	text_begin(scan, IN_STRING);
	return JSON_MORE;
}

static enum json_event behind_value(struct json_scan *scan, uint8_t c)
{
	if (c == '}' || c == ']')
		return close_container(scan, c == '}');
	if (c != ',')
		return broken(scan);
	scan->place = in_object(scan) ? AT_KEY : AT_VALUE;
	return JSON_MORE;
}

static enum json_event add_character(struct json_scan *scan, uint8_t c)
{
	scan->place = IN_STRING;
	if (scan->wants_characters) {
		scan->character = c;
		return JSON_CHAR;
	}
	text_add(scan, c);
	return JSON_MORE;
}

static enum json_event in_string(struct json_scan *scan, uint8_t c)
{
	if (c == '\\') {
		scan->place = IN_ESCAPE;
		return JSON_MORE;
	}
	if (c < ' ')
		return broken(scan);
	if (c != '"')
		return add_character(scan, c);
	if (scan->is_key) {
		scan->place = AT_COLON;
		return JSON_KEY;
	}
	value_ends(scan);
	return JSON_STRING;
}

static enum json_event in_escape(struct json_scan *scan, uint8_t c)
{
	switch (c) {
	case 'u':
		scan->place = IN_CODE;
		scan->code = 0;
		scan->digits = 4;
		return JSON_MORE;
	case 'n':
	case 'r':
		return add_character(scan, '\n');
	case 't':
	case 'b':
	case 'f':
		return add_character(scan, ' ');
	case '"':
	case '\\':
	case '/':
		return add_character(scan, c);
	default:
		return broken(scan);
	}
}

static enum json_event in_code(struct json_scan *scan, uint8_t c)
{
	uint8_t low = c | 0x20;

	if (c >= '0' && c <= '9')
		scan->code = scan->code << 4 | (uint32_t)(c - '0');
	else if (low >= 'a' && low <= 'f')
		scan->code = scan->code << 4 | (uint32_t)(low - 'a' + 10);
	else
		return broken(scan);
	if (--scan->digits)
		return JSON_MORE;
	return add_character(scan, scan->code && scan->code < 0x80 ? (uint8_t)scan->code : '?');
}

static enum json_event step(struct json_scan *scan, uint8_t c)
{
	switch ((enum json_place)scan->place) {
	case AT_VALUE:
		return is_blank(c) ? JSON_MORE : at_value(scan, c);
	case AT_KEY:
		return is_blank(c) ? JSON_MORE : at_key(scan, c);
	case AT_COLON:
		if (c == ':')
			scan->place = AT_VALUE;
		return c == ':' || is_blank(c) ? JSON_MORE : broken(scan);
	case BEHIND_VALUE:
		return is_blank(c) ? JSON_MORE : behind_value(scan, c);
	case IN_STRING:
		return in_string(scan, c);
	case IN_ESCAPE:
		return in_escape(scan, c);
	case IN_CODE:
		return in_code(scan, c);
	case IN_SCALAR:
		text_add(scan, c);
		return JSON_MORE;
	case AT_FAULT:
	case IS_OVER:
		break;
	}
	return JSON_MORE;
}

/* Long strings that nobody wants to see are most of a document. */
static const uint8_t *skip_string(const struct json_scan *scan, const uint8_t *at,
				  const uint8_t *end)
{
	if (scan->place != IN_STRING || !scan->is_text_cut || scan->wants_characters)
		return at;
	while (at < end && *at != '"' && *at != '\\' && *at >= ' ')
		at++;
	return at;
}

enum json_event json_scan_next(struct json_scan *scan, const uint8_t **at, const uint8_t *end)
{
	while (*at < end) {
		enum json_event event;

		if (scan->place >= AT_FAULT) {
			*at = end;
			return JSON_MORE;
		}
		*at = skip_string(scan, *at, end);
		if (*at == end)
			return JSON_MORE;
		if (scan->place == IN_SCALAR &&
		    !is_scalar(**at)) { /* this byte is looked at again */
			value_ends(scan);
			return JSON_SCALAR;
		}
		event = step(scan, *(*at)++);
		if (event != JSON_MORE)
			return event;
	}
	return JSON_MORE;
}

bool json_scan_is_over(const struct json_scan *scan)
{
	return scan->place == IS_OVER;
}
