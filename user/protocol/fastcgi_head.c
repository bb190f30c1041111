/* SPDX-License-Identifier: Apache-2.0 */
/* Method and path are what is kept of the parameters, the status of the answer. */
#include "protocol/fastcgi_head.h"

#include <string.h>
#include <strings.h>

#include "protocol/http1_words.h"

enum part {
	PART_NAME_LENGTH,
	PART_VALUE_LENGTH,
	PART_NAME,
	PART_VALUE,
};

enum wanted {
	WANT_NOTHING,
	WANT_METHOD,
	WANT_PATH, /* and above: how sure it is what the client asked for */
	WANT_SCRIPT_NAME = WANT_PATH,
	WANT_DOCUMENT_URI,
	WANT_REQUEST_URI,
};

static enum wanted wanted_of(const char *name, size_t length)
{
	static const struct {
		const char *name;
		enum wanted wanted;
	} names[] = {
		{ "REQUEST_METHOD", WANT_METHOD },
		{ "REQUEST_URI", WANT_REQUEST_URI },
		{ "DOCUMENT_URI", WANT_DOCUMENT_URI },
		{ "SCRIPT_NAME", WANT_SCRIPT_NAME },
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strlen(names[i].name) == length && memcmp(names[i].name, name, length) == 0)
			return names[i].wanted;
	return WANT_NOTHING;
}

/* One byte, or four when its highest bit is set. Returns whether it is whole. */
static bool take_length(struct fastcgi_params *params, uint8_t byte)
{
	uint32_t *length = &params->lengths[params->part == PART_VALUE_LENGTH];

	if (params->length_left) {
		*length = *length << 8 | byte;
		return --params->length_left == 0;
	}
	*length = byte & 0x7f;
	if (byte & 0x80)
		params->length_left = 3;
	return !params->length_left;
}

static void take_name(struct fastcgi_params *params, const uint8_t *bytes, size_t length)
{
	if (params->lengths[0] > FASTCGI_NAME_MAX)
		return;
	memcpy(params->name + params->name_bytes, bytes, length);
	params->name_bytes = (uint8_t)(params->name_bytes + length);
}

static void take_method(struct fastcgi_params *params, const uint8_t *bytes, size_t length)
{
	size_t room = sizeof(params->method) - params->method_bytes;

	length = length < room ? length : room;
	memcpy(params->method + params->method_bytes, bytes, length);
	params->method_bytes = (uint8_t)(params->method_bytes + length);
}

/* Without its query. */
static void take_path(struct fastcgi_params *params, struct exchange_facts *facts,
		      const uint8_t *bytes, size_t length)
{
	size_t room = URL_PATH_MAX - params->path_bytes;
	const uint8_t *query;

	if (params->is_path_over)
		return;
	query = memchr(bytes, '?', length);
	params->is_path_over = query;
	if (query)
		length = (size_t)(query - bytes);
	length = length < room ? length : room;
	memcpy(facts->text + params->path_bytes, bytes, length);
	params->path_bytes = (uint16_t)(params->path_bytes + length);
}

static void begin_value(struct fastcgi_params *params)
{
	unsigned wanted = wanted_of(params->name, params->name_bytes);

	params->wanted = WANT_NOTHING;
	if (wanted == WANT_METHOD) {
		params->method_bytes = 0;
		params->wanted = WANT_METHOD;
	} else if (wanted > params->path_rank && params->lengths[1]) {
		params->path_rank = (uint8_t)wanted;
		params->path_bytes = 0;
		params->is_path_over = false;
		params->wanted = WANT_PATH;
	}
}

/* Go on with the next part that has bytes. */
static void next_part(struct fastcgi_params *params)
{
	params->taken = 0;
	if (params->part == PART_NAME_LENGTH) {
		params->part = PART_VALUE_LENGTH;
		return;
	}
	if (params->part == PART_VALUE_LENGTH) {
		params->part = PART_NAME;
		params->name_bytes = 0;
		if (params->lengths[0])
			return;
	}
	if (params->part == PART_NAME) {
		params->part = PART_VALUE;
		begin_value(params);
		if (params->lengths[1])
			return;
	}
	params->part = PART_NAME_LENGTH;
}

/* Returns how many bytes were taken. */
static size_t take_text(struct fastcgi_params *params, struct exchange_facts *facts,
			const uint8_t *bytes, size_t length)
{
	uint32_t left = params->lengths[params->part == PART_VALUE] - params->taken;

	length = length < left ? length : left;
	if (params->part == PART_NAME)
		take_name(params, bytes, length);
	else if (params->wanted == WANT_METHOD)
		take_method(params, bytes, length);
	else if (params->wanted == WANT_PATH)
		take_path(params, facts, bytes, length);
	params->taken += (uint32_t)length;
	if (length == left)
		next_part(params);
	return length;
}

void fastcgi_params_take(struct fastcgi_params *params, struct exchange_facts *facts,
			 const uint8_t *bytes, size_t length)
{
	while (length && !params->is_cut) {
		size_t taken = 1;

		if (params->part >= PART_NAME)
			taken = take_text(params, facts, bytes, length);
		else if (take_length(params, *bytes))
			next_part(params);
		bytes += taken;
		length -= taken;
	}
}

void fastcgi_params_end(struct fastcgi_params *params, struct exchange_facts *facts)
{
	if (params->is_cut)
		facts->outcomes |= 1ull << PARSE_HEADER_TRUNCATED;
	if (params->method_bytes)
		facts->attributes[ATTRIBUTE_HTTP_REQUEST_METHOD] =
			http1_method_label((const uint8_t *)params->method, params->method_bytes);
	if (!params->path_bytes)
		return;
	facts->text[params->path_bytes] = '\0';
	facts->attributes[ATTRIBUTE_URL_PATH] = facts->text;
}

static bool line_starts(const struct fastcgi_header *header, const char *name, size_t length)
{
	return header->line_bytes >= length && strncasecmp(header->line, name, length) == 0;
}

static void take_line(struct fastcgi_header *header)
{
	size_t at = sizeof("status:") - 1;
	unsigned status = 0, digits = 0;

	if (line_starts(header, "location:", 9))
		header->has_location = true;
	if (!line_starts(header, "status:", at))
		return;
	while (at < header->line_bytes && header->line[at] == ' ')
		at++;
	for (; at < header->line_bytes && digits < 3; at++, digits++) {
		if (header->line[at] < '0' || header->line[at] > '9')
			return;
		status = status * 10 + (unsigned)(header->line[at] - '0');
	}
	if (digits == 3 && status >= 100)
		header->status = (uint16_t)status;
}

static bool line_is_empty(const struct fastcgi_header *header)
{
	return header->line_bytes == 0 || (header->line_bytes == 1 && header->line[0] == '\r');
}

size_t fastcgi_header_take(struct fastcgi_header *header, const uint8_t *bytes, size_t length,
			   bool *ret_is_over)
{
	const uint8_t *at = bytes, *end = bytes + length;

	*ret_is_over = false;
	while (at < end && !*ret_is_over) {
		const uint8_t *newline = memchr(at, '\n', (size_t)(end - at));
		size_t line = (size_t)((newline ? newline : end) - at);
		size_t room = sizeof(header->line) - header->line_bytes;
		size_t kept = line < room ? line : room;

		memcpy(header->line + header->line_bytes, at, kept);
		header->line_bytes = (uint8_t)(header->line_bytes + kept);
		at += line;
		if (!newline)
			break;
		at++;
		*ret_is_over = line_is_empty(header);
		take_line(header);
		header->line_bytes = 0;
	}
	return (size_t)(at - bytes);
}

/* A redirection without a status is one all the same (RFC 3875, 6.2.4); nginx agrees. */
void fastcgi_header_end(const struct fastcgi_header *header, struct exchange_facts *facts)
{
	unsigned status = header->status;
	const char *label;

	if (!status)
		status = header->has_location ? 302 : 200;
	label = http1_status_label(status);
	facts->attributes[ATTRIBUTE_HTTP_RESPONSE_STATUS_CODE] = label;
	if (status < 400)
		return;
	facts->attributes[ATTRIBUTE_ERROR_TYPE] = label;
	facts->sides[SIDE_RESPONSE].fault = status >= 500 ? FAULT_SERVER : FAULT_CLIENT;
}
