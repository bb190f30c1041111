/* SPDX-License-Identifier: Apache-2.0 */
/* traceparent and tracestate. Source: W3C Trace Context Level 2 */
#include <string.h>

#include "protocol/trace_words.h"

/* 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01 */
#define TRACE_ID_AT 3
#define SPAN_ID_AT 36
#define FLAGS_AT 53
#define TRACEPARENT_BYTES 55

#define NO_DIGIT 0xf0

/* §3.2.2: lowercase only. This field is in most requests that have any: a table is a third of the cost. */
static const uint8_t digits[256] = {
	[0 ... '0' - 1] = NO_DIGIT,
	['0'] = 0,
	['1'] = 1,
	['2'] = 2,
	['3'] = 3,
	['4'] = 4,
	['5'] = 5,
	['6'] = 6,
	['7'] = 7,
	['8'] = 8,
	['9'] = 9,
	['9' + 1 ... 'a' - 1] = NO_DIGIT,
	['a'] = 10,
	['b'] = 11,
	['c'] = 12,
	['d'] = 13,
	['e'] = 14,
	['f'] = 15,
	['f' + 1 ... 255] = NO_DIGIT,
};

/* Returns NO_DIGIT when there is another character, else zero only when all are. */
static inline uint8_t read_hex(const uint8_t *at, uint8_t *ret_bytes, size_t count)
{
	uint8_t seen = 0;

	for (size_t i = 0; i < count; i++) {
		uint8_t high = digits[at[2 * i]], low = digits[at[2 * i + 1]];

		seen |= high | low;
		ret_bytes[i] = (uint8_t)(high << 4 | low);
	}
	return seen < NO_DIGIT ? seen : NO_DIGIT;
}

static bool read_id(const uint8_t *at, uint8_t *ret_id, size_t count)
{
	uint8_t seen = read_hex(at, ret_id, count);

	return seen && seen != NO_DIGIT;
}

/* §3.2.4: of a newer version, what this one has is read, and only at its places. §3.2.2.5: bits that nobody gave a meaning are
 * ignored. */
bool trace_w3c_read(struct trace_word value, struct trace_context *context)
{
	const uint8_t *at = value.at;
	uint8_t version, flags;

	if (value.length < TRACEPARENT_BYTES || read_hex(at, &version, 1) == NO_DIGIT ||
	    version == 0xff)
		return false;
	if (value.length > TRACEPARENT_BYTES && (!version || at[TRACEPARENT_BYTES] != '-'))
		return false;
	if (at[TRACE_ID_AT - 1] != '-' || at[SPAN_ID_AT - 1] != '-' || at[FLAGS_AT - 1] != '-' ||
	    !read_id(at + TRACE_ID_AT, context->trace_id, TRACE_ID_BYTES) ||
	    !read_id(at + SPAN_ID_AT, context->span_id, SPAN_ID_BYTES) ||
	    read_hex(at + FLAGS_AT, &flags, 1) == NO_DIGIT)
		return false;
	context->flags = flags & (TRACE_FLAG_SAMPLED | TRACE_FLAG_RANDOM);
	context->pieces |= TRACE_HAS_TRACE_ID | TRACE_HAS_SPAN_ID;
	return true;
}

/* What it is shown as: visible characters and the blanks between them (§3.3.1.3). */
static bool is_member(struct trace_word word)
{
	for (size_t i = 0; i < word.length; i++)
		if (word.at[i] < ' ' || word.at[i] > '~')
			return false;
	return memchr(word.at, '=', word.length);
}

static struct trace_word trimmed(struct trace_word word)
{
	while (word.length && (word.at[0] == ' ' || word.at[0] == '\t')) {
		word.at++;
		word.length--;
	}
	while (word.length && (word.at[word.length - 1] == ' ' || word.at[word.length - 1] == '\t'))
		word.length--;
	return word;
}

/* §3.3.1.5: what does not fit goes from the end, whole members. */
void trace_w3c_keep_state(struct trace_word value, bool is_cut, struct trace_context *context,
			  char text[TRACESTATE_MAX + 1])
{
	size_t used = context->tracestate_bytes;
	struct trace_word member;

	while (!context->is_tracestate_cut && trace_word_next(&value, ',', &member)) {
		size_t comma = used > 0;

		member = trimmed(member);
		if (is_cut && !value.at)
			context->is_tracestate_cut = true; /* the last one may be the cut one */
		else if (!member.length || !is_member(member))
			continue;
		else if (used + comma + member.length > TRACESTATE_MAX)
			context->is_tracestate_cut = true;
		if (context->is_tracestate_cut)
			break;
		if (comma)
			text[used++] = ',';
		memcpy(text + used, member.at, member.length);
		used += member.length;
	}
	text[used] = '\0';
	context->tracestate_bytes = (uint16_t)used;
}
