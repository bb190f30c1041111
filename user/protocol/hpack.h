/* SPDX-License-Identifier: Apache-2.0 */
/* Header blocks of one direction of an HTTP/2 connection (RFC 7541). nghttp2 decodes; what it cannot know, because the
 * table was filled before we looked, is left out and counted here. */
#ifndef SONDE_PROTOCOL_HPACK_H
#define SONDE_PROTOCOL_HPACK_H

#include <stddef.h>
#include <stdint.h>

/* The dynamic table is 4096 bytes until its sender says otherwise; of a larger one only the newest entries are kept. */
#define HPACK_TABLE_MAX 65536

struct hpack;

struct hpack *hpack_new(void); /* NULL: out of memory */
void hpack_free(struct hpack **hpack);

/* Both borrowed for the length of the callback. */
struct hpack_text {
	const char *bytes; /* not ended by NUL */
	size_t length;
};

/* Decode a whole block, and tell the fields that are known in their order.
 *
 * Returns  how many fields are not known: they are entries of the table from before it was made, or beyond
 *          HPACK_TABLE_MAX; -EBADMSG: the block breaks the rules, or memory is short; the table is then of no use */
int hpack_decode(struct hpack *hpack, const uint8_t *block, size_t length,
		 void (*visit)(void *context, struct hpack_text name, struct hpack_text value),
		 void *context);

#endif
