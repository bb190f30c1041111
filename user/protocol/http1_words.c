/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of HTTP/1 heads, one at a time; http1.c finds the lines. */
#include "protocol/http1_words.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

bool http1_is_token_char(uint8_t c)
{
	static const bool is_token[256] = {
		['!'] = true,	      ['#'] = true,	    ['$'] = true, ['%'] = true,
		['&'] = true,	      ['\''] = true,	    ['*'] = true, ['+'] = true,
		['-'] = true,	      ['.'] = true,	    ['^'] = true, ['_'] = true,
		['`'] = true,	      ['|'] = true,	    ['~'] = true, ['0' ... '9'] = true,
		['A' ... 'Z'] = true, ['a' ... 'z'] = true,
	};

	return is_token[c];
}

/* OpenTelemetry semantic conventions, http.request.method: RFC 9110, PATCH (RFC 5789) and QUERY. */
#define METHODS(X) \
	X(GET) X(POST) X(HEAD) X(PUT) X(DELETE) X(OPTIONS) X(CONNECT) X(PATCH) X(TRACE) X(QUERY)

static const char other_method[] = "_OTHER";
#define X(name) static const char method_##name[] = #name;
METHODS(X)
#undef X

const char *http1_method_label(const uint8_t *bytes, size_t length)
{
#define X(name)                                                                          \
	if (length == sizeof(#name) - 1 && memcmp(bytes, #name, sizeof(#name) - 1) == 0) \
		return method_##name;
	METHODS(X)
#undef X
	return other_method;
}

const char *http1_method_at(const uint8_t bytes[HTTP1_METHOD_AT_BYTES], size_t *ret_length)
{
#define X(name)                                             \
	if (memcmp(bytes, #name " ", sizeof(#name)) == 0) { \
		*ret_length = sizeof(#name) - 1;            \
		return method_##name;                       \
	}
	METHODS(X)
#undef X
	return NULL;
}

const char *http1_version_label(const uint8_t *bytes, size_t length)
{
	static const char *const versions[] = { "1.0", "1.1", "1.2", "1.3", "1.4",
						"1.5", "1.6", "1.7", "1.8", "1.9" };

	if (length != 8 || memcmp(bytes, "HTTP/1.", 7) != 0 || bytes[7] < '0' || bytes[7] > '9')
		return NULL;
	return versions[bytes[7] - '0'];
}

#define STATUS_ONES(tens)                                                                         \
	tens "0", tens "1", tens "2", tens "3", tens "4", tens "5", tens "6", tens "7", tens "8", \
		tens "9"
#define STATUS_TENS(hundreds)                                                                    \
	STATUS_ONES(hundreds "0"), STATUS_ONES(hundreds "1"), STATUS_ONES(hundreds "2"),         \
		STATUS_ONES(hundreds "3"), STATUS_ONES(hundreds "4"), STATUS_ONES(hundreds "5"), \
		STATUS_ONES(hundreds "6"), STATUS_ONES(hundreds "7"), STATUS_ONES(hundreds "8"), \
		STATUS_ONES(hundreds "9")

const char *http1_status_label(unsigned status)
{
	static const char statuses[][4] = {
		STATUS_TENS("1"), STATUS_TENS("2"), STATUS_TENS("3"),
		STATUS_TENS("4"), STATUS_TENS("5"), STATUS_TENS("6"),
		STATUS_TENS("7"), STATUS_TENS("8"), STATUS_TENS("9"),
	};
	_Static_assert(sizeof(statuses) == 900 * 4, "one for each");

	return statuses[status - 100];
}

static bool is_space(uint8_t c)
{
	return c == ' ' || c == '\t';
}

static void trim(const uint8_t **bytes, size_t *length)
{
	while (*length && is_space(**bytes)) {
		(*bytes)++;
		(*length)--;
	}
	while (*length && is_space((*bytes)[*length - 1]))
		(*length)--;
}

static int parse_length(const uint8_t *digits, size_t length, uint64_t *ret_value)
{
	uint64_t value = 0;

	if (!length)
		return -EBADMSG;
	for (size_t i = 0; i < length; i++) {
		if (digits[i] < '0' || digits[i] > '9' || value > (INT64_MAX - 9) / 10)
			return -EBADMSG;
		value = value * 10 + (uint64_t)(digits[i] - '0');
	}
	*ret_value = value;
	return 0;
}

static int expect(struct http1_framing *framing, uint64_t content_length)
{
	if (framing->has_length && framing->content_length != content_length)
		return -EBADMSG;
	framing->has_length = true;
	framing->content_length = content_length;
	return 0;
}

/* One value, or the same value several times in one or more lines: RFC 9110 §8.6. */
static int add_content_length(struct http1_framing *framing, const uint8_t *value, size_t length)
{
	uint64_t number;

	if (parse_length(value, length, &number) == 0)
		return expect(framing, number);
	while (true) {
		const uint8_t *comma = memchr(value, ',', length), *item = value;
		size_t item_length = comma ? (size_t)(comma - value) : length;

		trim(&item, &item_length);
		if (parse_length(item, item_length, &number) < 0 || expect(framing, number) < 0)
			return -EBADMSG;
		if (!comma)
			return 0;
		length -= (size_t)(comma + 1 - value);
		value = comma + 1;
	}
}

/* Only the last coding matters: RFC 9112 §6.3. */
static int add_transfer_encoding(struct http1_framing *framing, const uint8_t *value, size_t length)
{
	const uint8_t *comma = memrchr(value, ',', length), *item = value;

	if (comma) {
		item = comma + 1;
		length -= (size_t)(item - value);
	}
	trim(&item, &length);
	framing->has_coding = true;
	framing->is_chunked = length == 7 && strncasecmp((const char *)item, "chunked", 7) == 0;
	return 0;
}

/* Eight characters in any case: a letter's cases differ in one bit, that of '-' must be as it is. */
static bool is_word(const uint8_t *bytes, const char lower[8])
{
	uint64_t word, wanted;

	memcpy(&word, bytes, sizeof(word));
	memcpy(&wanted, lower, sizeof(wanted));
	return (word | (wanted & 0x4040404040404040u) >> 1) == wanted;
}

static bool is_content_length(const uint8_t *line, size_t length)
{
	return length > 14 && line[14] == ':' && is_word(line, "content-") &&
	       is_word(line + 6, "t-length");
}

static bool is_transfer_encoding(const uint8_t *line, size_t length)
{
	return length > 17 && line[17] == ':' && is_word(line, "transfer") &&
	       is_word(line + 8, "-encodin") && is_word(line + 9, "encoding");
}

int http1_framing_add(struct http1_framing *framing, const uint8_t *line, size_t length)
{
	bool is_length = is_content_length(line, length);
	size_t skip = is_length ? 15 : 18; /* the name and its colon */
	const uint8_t *value;

	if (!is_length && !is_transfer_encoding(line, length))
		return 0;
	value = line + skip;
	length -= skip;
	trim(&value, &length);
	return is_length ? add_content_length(framing, value, length) :
			   add_transfer_encoding(framing, value, length);
}

bool http1_is_upgrade_to(const uint8_t *line, size_t length, const char *name)
{
	if (length <= 8 || strncasecmp((const char *)line, "upgrade:", 8) != 0)
		return false;
	line += 8;
	length -= 8;
	trim(&line, &length);
	return length == strlen(name) && strncasecmp((const char *)line, name, length) == 0;
}

static int hex_digit(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int http1_chunk_size(const uint8_t *line, size_t length, uint64_t *ret_size)
{
	uint64_t size = 0;
	size_t at = 0;

	for (; at < length && hex_digit(line[at]) >= 0; at++) {
		if (size > INT64_MAX >> 4)
			return -EBADMSG;
		size = size << 4 | (uint64_t)hex_digit(line[at]);
	}
	if (at == 0 || (at < length && line[at] != ';' && !is_space(line[at])))
		return -EBADMSG;
	*ret_size = size;
	return 0;
}
