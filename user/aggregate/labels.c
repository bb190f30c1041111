/* SPDX-License-Identifier: Apache-2.0 */
/* Packing is on the path of every observation: one pass over the bytes, a second one only when they
 * are not ASCII. */
#include "aggregate/labels.h"

#include <stdbool.h>
#include <string.h>

/* Bytes of the UTF-8 sequence at `at`; 0 when it is none.
 * Source: RFC 3629, section 4 (no overlong forms, no surrogates, at most U+10FFFF). */
static size_t utf8_sequence(const unsigned char *at, size_t left)
{
	static const struct {
		unsigned char first_low, first_high, second_low, second_high, length;
	} forms[] = {
		{ 0x00, 0x7f, 0, 0, 1 },       { 0xc2, 0xdf, 0x80, 0xbf, 2 },
		{ 0xe0, 0xe0, 0xa0, 0xbf, 3 }, { 0xe1, 0xec, 0x80, 0xbf, 3 },
		{ 0xed, 0xed, 0x80, 0x9f, 3 }, { 0xee, 0xef, 0x80, 0xbf, 3 },
		{ 0xf0, 0xf0, 0x90, 0xbf, 4 }, { 0xf1, 0xf3, 0x80, 0xbf, 4 },
		{ 0xf4, 0xf4, 0x80, 0x8f, 4 },
	};
	size_t form = 0, forms_count = sizeof(forms) / sizeof(forms[0]);

	while (form < forms_count &&
	       (at[0] < forms[form].first_low || at[0] > forms[form].first_high))
		form++;
	if (form == forms_count || forms[form].length > left)
		return 0;
	if (forms[form].length == 1)
		return 1;
	if (at[1] < forms[form].second_low || at[1] > forms[form].second_high)
		return 0;
	for (size_t i = 2; i < forms[form].length; i++)
		if ((at[i] & 0xc0) != 0x80)
			return 0;
	return forms[form].length;
}

static void utf8_repair(char *value, size_t length)
{
	for (size_t i = 0; i < length;) {
		size_t sequence = utf8_sequence((const unsigned char *)value + i, length - i);

		if (!sequence)
			value[i] = '?';
		i += sequence ? sequence : 1;
	}
}

size_t labels_pack(const char *const *values, size_t count, char ret_packed[LABELS_PACKED_MAX])
{
	char *out = ret_packed;

	for (size_t i = 0; i < count; i++) {
		const char *value = values[i] ? values[i] : "";
		unsigned char seen = 0;
		size_t length = 0;

		for (; length < LABEL_VALUE_MAX && value[length]; length++) {
			out[length] = value[length];
			seen |= (unsigned char)value[length];
		}
		if (seen & 0x80)
			utf8_repair(out, length);
		out[length] = '\0';
		out += length + 1;
	}
	return (size_t)(out - ret_packed);
}

const char *labels_next(const char *value)
{
	return value + strlen(value) + 1;
}
