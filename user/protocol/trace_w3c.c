/* SPDX-License-Identifier: Apache-2.0 */
/* traceparent and tracestate. Source: W3C Trace Context Level 2 */
#include <string.h>

#include "protocol/trace_words.h"

/* 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01 */
#define TRACE_ID_AT 3
#define SPAN_ID_AT 36
#define FLAGS_AT 53
#define TRACEPARENT_BYTES 55

/* §3.2.2: lowercase only. */
static bool is_lower_hex(const uint8_t *at, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (!(at[i] >= '0' && at[i] <= '9') && !(at[i] >= 'a' && at[i] <= 'f'))
			return false;
	return true;
}

static uint8_t byte_of(const uint8_t digits[2])
{
	uint8_t byte = 0;

	(void)trace_word_hex((struct trace_word){ digits, 2 }, &byte, 1); /* 0: nothing but zeros */
	return byte;
}

/* §3.2.4: of a newer version, what this one has is read, and only at its places. §3.2.2.5: bits that nobody gave a meaning are
 * ignored. */
bool trace_w3c_read(struct trace_word value, struct trace_context *context)
{
	const uint8_t *at = value.at;
	bool is_version_0;

	if (value.length < TRACEPARENT_BYTES || !is_lower_hex(at, 2) || memcmp(at, "ff", 2) == 0)
		return false;
	is_version_0 = memcmp(at, "00", 2) == 0;
	if (value.length > TRACEPARENT_BYTES && (is_version_0 || at[TRACEPARENT_BYTES] != '-'))
		return false;
	if (at[TRACE_ID_AT - 1] != '-' || at[SPAN_ID_AT - 1] != '-' || at[FLAGS_AT - 1] != '-' ||
	    !is_lower_hex(at + TRACE_ID_AT, 2 * TRACE_ID_BYTES) ||
	    !is_lower_hex(at + SPAN_ID_AT, 2 * SPAN_ID_BYTES) || !is_lower_hex(at + FLAGS_AT, 2))
		return false;
	if (!trace_word_hex((struct trace_word){ at + TRACE_ID_AT, 2 * TRACE_ID_BYTES },
			    context->trace_id, TRACE_ID_BYTES) ||
	    !trace_word_hex((struct trace_word){ at + SPAN_ID_AT, 2 * SPAN_ID_BYTES },
			    context->span_id, SPAN_ID_BYTES))
		return false;
	context->flags = byte_of(at + FLAGS_AT) & (TRACE_FLAG_SAMPLED | TRACE_FLAG_RANDOM);
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
