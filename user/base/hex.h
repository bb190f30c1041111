/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SONDE_BASE_HEX_H
#define SONDE_BASE_HEX_H

#include <stddef.h>
#include <stdint.h>

/* Lower-case digits, terminated: ret_text has room for 2 * count + 1. */
static inline void hex_write(char *ret_text, const uint8_t *bytes, size_t count)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < count; i++) {
		*ret_text++ = digits[bytes[i] >> 4];
		*ret_text++ = digits[bytes[i] & 15];
	}
	*ret_text = '\0';
}

#endif
