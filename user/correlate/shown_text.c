/* SPDX-License-Identifier: Apache-2.0 */
/* One character at a time; what is replaced never makes the text longer. */
#include "correlate/shown_text.h"

#include <stdbool.h>
#include <string.h>

/* Length of the well-formed UTF-8 character at `at`, 0 when it is none. Source: Unicode 15, table 3-7. */
static size_t utf8_length(const unsigned char *at, size_t room)
{
	unsigned char low = 0x80, high = 0xbf;
	size_t length = at[0] < 0x80 ? 1 :
			at[0] < 0xc2 ? 0 :
			at[0] < 0xe0 ? 2 :
			at[0] < 0xf0 ? 3 :
				       4;

	if (!length || length > room || at[0] > 0xf4)
		return 0;
	if (at[0] == 0xe0)
		low = 0xa0;
	else if (at[0] == 0xed)
		high = 0x9f;
	else if (at[0] == 0xf0)
		low = 0x90;
	else if (at[0] == 0xf4)
		high = 0x8f;
	for (size_t i = 1; i < length; i++, low = 0x80, high = 0xbf)
		if (at[i] < low || at[i] > high)
			return 0;
	return length;
}

/* C0, DEL, and C1, which terminals obey too. */
static bool is_control(const unsigned char *at, size_t length)
{
	return at[0] < 0x20 || at[0] == 0x7f || (length == 2 && at[0] == 0xc2 && at[1] < 0xa0);
}

size_t shown_text_copy(char *to, size_t size, const char *from, size_t length)
{
	const unsigned char *at = (const unsigned char *)from;
	size_t used = 0;

	for (size_t i = 0, bytes; i < length; i += bytes) {
		bool is_shown;

		bytes = utf8_length(at + i, length - i);
		is_shown = bytes && !is_control(at + i, bytes);
		if (used + (is_shown ? bytes : 1) >= size)
			break;
		if (is_shown)
			memcpy(to + used, at + i, bytes);
		else
			to[used] = '_';
		used += is_shown ? bytes : 1;
		bytes = bytes ? bytes : 1;
	}
	to[used] = '\0';
	return used;
}
