/* SPDX-License-Identifier: Apache-2.0 */
#include "export/text_buffer.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define START_BYTES 16384

void text_buffer_done(struct text_buffer *buffer)
{
	free(buffer->bytes);
	*buffer = (struct text_buffer){ 0 };
}

/* After a failure nothing is appended any more, so that no half line is mistaken for a whole
 * one. */
static bool text_reserve(struct text_buffer *buffer, size_t more)
{
	size_t size = buffer->size ? buffer->size : START_BYTES;
	char *bytes;

	if (buffer->has_failed)
		return false;
	if (buffer->size - buffer->length >= more)
		return true;
	while (size - buffer->length < more)
		size *= 2;
	bytes = realloc(buffer->bytes, size);
	if (!bytes) {
		buffer->has_failed = true;
		return false;
	}
	buffer->bytes = bytes;
	buffer->size = size;
	return true;
}

void text_append(struct text_buffer *buffer, const char *bytes, size_t length)
{
	if (!length || !text_reserve(buffer, length))
		return;
	memcpy(buffer->bytes + buffer->length, bytes, length);
	buffer->length += length;
}

void text_append_string(struct text_buffer *buffer, const char *text)
{
	text_append(buffer, text, strlen(text));
}

void text_append_u64(struct text_buffer *buffer, uint64_t number)
{
	char digits[20];
	size_t at = sizeof(digits);

	do
		digits[--at] = (char)('0' + number % 10);
	while (number /= 10);
	text_append(buffer, digits + at, sizeof(digits) - at);
}

void text_append_double(struct text_buffer *buffer, double number)
{
	char text[32];
	int precision, length;

	if (isnan(number)) {
		text_append_string(buffer, "NaN");
		return;
	}
	if (isinf(number)) {
		text_append_string(buffer, number > 0 ? "+Inf" : "-Inf");
		return;
	}
	for (precision = 15;; precision++) { /* 17 digits always read back, IEEE 754 binary64 */
		length = snprintf(text, sizeof(text), "%.*g", precision, number);
		if (precision == 17 || strtod(text, NULL) == number)
			break;
	}
	text_append(buffer, text, (size_t)length);
}

void text_append_seconds(struct text_buffer *buffer, uint64_t ns)
{
	uint64_t fraction = ns % 1000000000;
	char digits[9];
	size_t count = sizeof(digits);

	text_append_u64(buffer, ns / 1000000000);
	if (!fraction)
		return;
	for (size_t i = sizeof(digits); i--; fraction /= 10)
		digits[i] = (char)('0' + fraction % 10);
	while (digits[count - 1] == '0')
		count--;
	text_append(buffer, ".", 1);
	text_append(buffer, digits, count);
}

int text_buffer_error(const struct text_buffer *buffer)
{
	return buffer->has_failed ? -ENOMEM : 0;
}
