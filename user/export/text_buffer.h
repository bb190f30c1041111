/* SPDX-License-Identifier: Apache-2.0 */
/* Text that grows. Running out of memory is remembered: callers write on and ask once, at the
 * end. */
#ifndef SONDE_EXPORT_TEXT_BUFFER_H
#define SONDE_EXPORT_TEXT_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct text_buffer {
	char *bytes; /* owned; not terminated */
	size_t length;
	size_t size;
	bool has_failed; /* an allocation failed: what is there is not all */
};

/* Zeroed memory is an empty buffer too. */
void text_buffer_done(struct text_buffer *buffer);

void text_append(struct text_buffer *buffer, const char *bytes, size_t length);
void text_append_string(struct text_buffer *buffer, const char *text);
void text_append_u64(struct text_buffer *buffer, uint64_t number);
/* The shortest decimal that reads back as the same double; whole numbers without a fraction; NaN,
 * +Inf, -Inf. */
void text_append_double(struct text_buffer *buffer, double number);
/* Nanoseconds as exact seconds: 1500000000 is 1.5. */
void text_append_seconds(struct text_buffer *buffer, uint64_t ns);

/* 0 or -ENOMEM. */
int text_buffer_error(const struct text_buffer *buffer);

#endif
