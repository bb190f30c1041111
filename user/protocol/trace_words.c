/* SPDX-License-Identifier: Apache-2.0 */
/* See trace_words.h. */
#include "protocol/trace_words.h"

#include <string.h>

bool trace_word_next(struct trace_word *rest, char separator, struct trace_word *ret_word)
{
	const uint8_t *end;

	if (!rest->at)
		return false;
	end = rest->length ? memchr(rest->at, separator, rest->length) : NULL;
	ret_word->at = rest->at;
	ret_word->length = end ? (size_t)(end - rest->at) : rest->length;
	rest->length -= end ? ret_word->length + 1 : rest->length;
	rest->at = end ? end + 1 : NULL;
	return true;
}

static int digit_of(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool trace_word_hex(struct trace_word word, uint8_t *ret_bytes, size_t count)
{
	uint8_t any = 0;

	if (!word.length || word.length > 2 * count)
		return false;
	memset(ret_bytes, 0, count);
	for (size_t i = 0; i < word.length; i++) {
		int digit = digit_of(word.at[word.length - 1 - i]);

		if (digit < 0)
			return false;
		any |= (uint8_t)digit;
		ret_bytes[count - 1 - i / 2] |= (uint8_t)(i % 2 ? digit << 4 : digit);
	}
	return any;
}

bool trace_word_number(struct trace_word word, uint64_t *ret_number)
{
	uint64_t number = 0;

	for (size_t i = 0; i < word.length; i++) {
		uint8_t digit = (uint8_t)(word.at[i] - '0');

		if (digit > 9 || __builtin_mul_overflow(number, 10, &number) ||
		    __builtin_add_overflow(number, digit, &number))
			return false;
	}
	*ret_number = number;
	return word.length;
}

bool trace_word_is(struct trace_word word, const char *text)
{
	return word.length == strlen(text) && memcmp(word.at, text, word.length) == 0;
}

void trace_context_set_sampled(struct trace_context *context, bool is_sampled)
{
	context->flags = (uint8_t)((context->flags & ~TRACE_FLAG_SAMPLED) |
				   (is_sampled ? TRACE_FLAG_SAMPLED : 0));
}
