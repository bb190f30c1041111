/* SPDX-License-Identifier: Apache-2.0 */
/* See trace_probability.h. */
#include "protocol/trace_probability.h"

#include <string.h>

#include "protocol/trace_words.h"

#define DIGITS 14
#define OT_VALUE_MAX 256 /* TraceState Handling, and W3C §3.3.1.3 */

static const char hex[] = "0123456789abcdef";

static bool read_digits(struct trace_word word, uint64_t *ret_number)
{
	uint64_t number = 0;

	for (size_t i = 0; i < word.length; i++) {
		const char *digit = memchr(hex, word.at[i], 16);

		if (!digit)
			return false;
		number = number << 4 | (uint64_t)(digit - hex);
	}
	*ret_number = number;
	return word.length;
}

/* Zeros at its end are left out. */
static bool read_threshold(struct trace_word word, uint64_t *ret_threshold)
{
	if (word.length > DIGITS || !read_digits(word, ret_threshold))
		return false;
	*ret_threshold <<= 4 * (DIGITS - word.length);
	return true;
}

static bool read_randomness(struct trace_word word, uint64_t *ret_randomness)
{
	return word.length == DIGITS && read_digits(word, ret_randomness);
}

static struct trace_word text_of(const char *tracestate)
{
	return (struct trace_word){ (const uint8_t *)tracestate,
				    tracestate ? strlen(tracestate) : 0 };
}

/* Take the next member; ret_value is that of `ot`, or empty. */
static bool next_member(struct trace_word *rest, struct trace_word *ret_member,
			struct trace_word *ret_ot)
{
	if (!trace_word_next(rest, ',', ret_member))
		return false;
	*ret_ot = (struct trace_word){ 0 };
	if (ret_member->length > 3 && memcmp(ret_member->at, "ot=", 3) == 0)
		*ret_ot = (struct trace_word){ ret_member->at + 3, ret_member->length - 3 };
	return true;
}

/* Is that part of the value a key of that name? */
static bool takes(struct trace_word part, const char *key, struct trace_word *ret_value)
{
	struct trace_word name;

	if (!trace_word_next(&part, ':', &name) || !trace_word_is(name, key) || !part.at)
		return false;
	*ret_value = part;
	return true;
}

void trace_probability_read(const char *tracestate, struct trace_probability *ret_probability)
{
	struct trace_word rest = text_of(tracestate), member, ot, part, value;

	*ret_probability = (struct trace_probability){ 0 };
	while (next_member(&rest, &member, &ot)) {
		while (ot.at && trace_word_next(&ot, ';', &part)) {
			if (takes(part, "th", &value))
				ret_probability->has_threshold =
					read_threshold(value, &ret_probability->threshold);
			else if (takes(part, "rv", &value))
				ret_probability->has_randomness =
					read_randomness(value, &ret_probability->randomness);
		}
	}
}

uint64_t trace_randomness(const uint8_t trace_id[TRACE_ID_BYTES])
{
	uint64_t randomness = 0;

	for (size_t i = TRACE_ID_BYTES - 7; i < TRACE_ID_BYTES; i++)
		randomness = randomness << 8 | trace_id[i];
	return randomness;
}

static size_t put(char *text, size_t used, const char *prefix, const void *bytes, size_t length)
{
	size_t prefix_length = strlen(prefix);

	memcpy(text + used, prefix, prefix_length);
	memcpy(text + used + prefix_length, bytes, length);
	return used + prefix_length + length;
}

/* All digits but the zeros at the end, if they may go; at least one. */
static size_t put_digits(char *text, size_t used, const char *prefix, uint64_t number,
			 bool may_shorten)
{
	char digits[DIGITS];
	size_t length = DIGITS;

	for (size_t i = DIGITS; i-- > 0; number >>= 4)
		digits[i] = hex[number & 15];
	while (may_shorten && length > 1 && digits[length - 1] == '0')
		length--;
	return put(text, used, prefix, digits, length);
}

static size_t put_ot(char *text, const struct trace_probability *probability,
		     struct trace_word others)
{
	struct trace_word part, value;
	size_t used = 0;

	if (probability->has_threshold)
		used = put_digits(text, used, "ot=th:", probability->threshold, true);
	if (probability->has_randomness)
		used = put_digits(text, used, used ? ";rv:" : "ot=rv:", probability->randomness,
				  false);
	while (others.at && trace_word_next(&others, ';', &part)) {
		if (!part.length || takes(part, "th", &value) || takes(part, "rv", &value) ||
		    used + part.length + 1 > OT_VALUE_MAX)
			continue;
		used = put(text, used, used ? ";" : "ot=", part.at, part.length);
	}
	return used;
}

size_t trace_probability_write(const char *tracestate, const struct trace_probability *probability,
			       char ret_text[TRACESTATE_MAX + 1])
{
	struct trace_word rest = text_of(tracestate), member, ot, others = { 0 };
	size_t used;

	while (next_member(&rest, &member, &ot))
		if (ot.at)
			others = ot;
	used = put_ot(ret_text, probability, others);
	rest = text_of(tracestate);
	while (next_member(&rest, &member, &ot)) {
		if (ot.at)
			continue;
		if (used + 1 + member.length > TRACESTATE_MAX)
			break;
		used = put(ret_text, used, used ? "," : "", member.at, member.length);
	}
	ret_text[used] = '\0';
	return used;
}
