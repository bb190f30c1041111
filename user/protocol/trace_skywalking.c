/* SPDX-License-Identifier: Apache-2.0 */
/* sw8, of SkyWalking: eight words between hyphens, SAMPLE-TRACE-SEGMENT-SPAN-…, the texts among them in base64. Its IDs are
 * texts; ours are made of them as the OpenTelemetry Collector does it, so that both meet in one trace.
 * Source: skywalking.apache.org, Cross Process Propagation Headers Protocol v3; the Collector's receiver/skywalkingreceiver */
#include <string.h>

#include "protocol/trace_words.h"

#define WORDS 8
#define ID_MAX 128 /* three numbers, of which the first has 32 digits */
#define UUID_DIGITS 32
#define UUID_TEXT 36

static int sextet_of(uint8_t c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

static bool decode_base64(struct trace_word word, uint8_t ret_text[ID_MAX], size_t *ret_length)
{
	uint32_t bits = 0;
	size_t used = 0;

	while (word.length && word.at[word.length - 1] == '=')
		word.length--;
	for (size_t i = 0; i < word.length; i++) {
		int sextet = sextet_of(word.at[i]);

		if (sextet < 0 || used == ID_MAX)
			return false;
		bits = bits << 6 | (uint32_t)sextet;
		if (i % 4)
			ret_text[used++] = (uint8_t)(bits >> (6 - 2 * (i % 4)));
	}
	*ret_length = used;
	return used;
}

static void mix(uint8_t *bytes, size_t count, uint64_t number)
{
	for (size_t i = 0; i < count; i++, number >>= 8)
		bytes[i] ^= (uint8_t)number;
}

/* 56a5e1c519ae4c76a2b8b11d92cead7f[.THREAD.TIME] */
static bool read_id(struct trace_word text, uint64_t extra, uint8_t ret_id[TRACE_ID_BYTES])
{
	struct trace_word uuid = { text.at, UUID_DIGITS }, thread, time;
	uint64_t number;

	if (text.length < UUID_DIGITS || !trace_word_hex(uuid, ret_id, TRACE_ID_BYTES))
		return false;
	mix(ret_id, 4, extra);
	if (text.length == UUID_DIGITS)
		return true;
	time = (struct trace_word){ text.at + UUID_DIGITS + 1, text.length - UUID_DIGITS - 1 };
	if (text.at[UUID_DIGITS] != '.' || !trace_word_next(&time, '.', &thread) || !time.at ||
	    !trace_word_number(thread, &number))
		return false;
	mix(ret_id + 4, 4, number);
	if (!trace_word_number(time, &number))
		return false;
	mix(ret_id + 8, 8, number);
	return true;
}

/* de5980b8-fce3-4a37-aab9-b4ac3af7eedd */
static bool read_uuid(struct trace_word text, uint8_t ret_id[TRACE_ID_BYTES])
{
	uint8_t digits[UUID_DIGITS];
	size_t used = 0;

	for (size_t i = 0; i < text.length; i++) {
		bool is_hyphen = i == 8 || i == 13 || i == 18 || i == 23;

		if (is_hyphen != (text.at[i] == '-'))
			return false;
		if (!is_hyphen)
			digits[used++] = text.at[i];
	}
	return trace_word_hex((struct trace_word){ digits, used }, ret_id, TRACE_ID_BYTES);
}

static bool read_trace_id(struct trace_word word, struct trace_context *context)
{
	uint8_t text[ID_MAX];
	struct trace_word id = { .at = text };

	if (!decode_base64(word, text, &id.length))
		return false;
	if (id.length == UUID_TEXT && text[8] == '-' ? !read_uuid(id, context->trace_id) :
						       !read_id(id, 0, context->trace_id))
		return false;
	context->pieces |= TRACE_HAS_TRACE_ID;
	return !trace_id_is_none(context->trace_id, TRACE_ID_BYTES);
}

static bool read_span_id(struct trace_word segment, struct trace_word span,
			 struct trace_context *context)
{
	uint8_t text[ID_MAX], long_id[TRACE_ID_BYTES];
	struct trace_word id = { .at = text };
	uint64_t number;

	if (!decode_base64(segment, text, &id.length) || !trace_word_number(span, &number) ||
	    !read_id(id, number, long_id))
		return false;
	for (unsigned i = 0; i < SPAN_ID_BYTES; i++)
		context->span_id[i] = long_id[i] ^ long_id[i + SPAN_ID_BYTES];
	context->pieces |= TRACE_HAS_SPAN_ID;
	return !trace_id_is_none(context->span_id, SPAN_ID_BYTES);
}

bool trace_skywalking_read(struct trace_word value, struct trace_context *context)
{
	struct trace_word words[WORDS];

	for (unsigned i = 0; i < WORDS; i++)
		if (!trace_word_next(&value, '-', &words[i]))
			return false;
	if (value.at || (!trace_word_is(words[0], "0") && !trace_word_is(words[0], "1")))
		return false;
	trace_context_set_sampled(context, trace_word_is(words[0], "1"));
	return read_trace_id(words[1], context) && read_span_id(words[2], words[3], context);
}
