/* SPDX-License-Identifier: Apache-2.0 */
/* The words of an HTTP/1 head: methods, versions, and the fields that say where the body ends. */
#ifndef SONDE_PROTOCOL_HTTP1_WORDS_H
#define SONDE_PROTOCOL_HTTP1_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* RFC 9110 §5.6.2 `tchar`. */
bool http1_is_token_char(uint8_t c);

/* A static label: the method, or "_OTHER" for one that the semantic conventions do not know. */
const char *http1_method_label(const uint8_t *bytes, size_t length);

/* The label of a known method that these bytes begin with, followed by a space; NULL when there is none. */
#define HTTP1_METHOD_AT_BYTES 8
const char *http1_method_at(const uint8_t bytes[HTTP1_METHOD_AT_BYTES], size_t *ret_length);

/* "1.0", "1.1" …: static; NULL when the bytes are not `HTTP/1.` and a digit. */
const char *http1_version_label(const uint8_t *bytes, size_t length);

/* "100" to "999", static. */
const char *http1_status_label(unsigned status);

/* What the fields of a head say of the body. */
struct http1_framing {
	uint64_t content_length;
	bool has_length;
	bool has_coding; /* Transfer-Encoding is there … */
	bool is_chunked; /* … and its last coding is chunked */
};

/* Whether a field line could be one that http1_framing_add looks at: most are not, so that the call is spared. */
static inline bool http1_may_frame(const uint8_t *line, size_t length)
{
	return (length > 14 && line[14] == ':') || (length > 17 && line[17] == ':');
}

/* Take in one field line, without its line end.
 * Returns 0; -EBADMSG when the framing is broken. A line that is no field is ignored, as servers do.
 * Source  RFC 9112 §6 */
int http1_framing_add(struct http1_framing *framing, const uint8_t *line, size_t length);

/* Whether a field line of an answer 101 says that this follows. Source: RFC 9110 §7.8 */
bool http1_is_upgrade_to(const uint8_t *line, size_t length, const char *name);

/* The size of a chunk from its line. Returns 0 or -EBADMSG. Source: RFC 9112 §7.1 */
int http1_chunk_size(const uint8_t *line, size_t length, uint64_t *ret_size);

#endif
