/* SPDX-License-Identifier: Apache-2.0 */
/* JSON (RFC 8259) as it comes, in pieces of any size, in constant memory: what is asked for is told, the rest is walked over. */
#ifndef SONDE_PROTOCOL_JSON_SCAN_H
#define SONDE_PROTOCOL_JSON_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JSON_DEPTH_MAX 63
/* Of a key, string or number so much is kept. */
#define JSON_TEXT_MAX 95

enum json_event {
	JSON_MORE,   /* the bytes are used up */
	JSON_BEGIN,  /* of an object or array, which `depth` counts already */
	JSON_END,    /* of one, which `depth` counts no more */
	JSON_KEY,    /* in `text`; its value is next */
	JSON_STRING, /* in `text` */
	JSON_SCALAR, /* a number, true, false or null, in `text` */
	JSON_CHAR,   /* of a string, in `character`: told where wants_characters is set */
	JSON_BROKEN, /* no JSON, or too deep: nothing more is told */
};

struct json_scan {
	uint64_t objects; /* bit n: what is open at depth n is an object */
	uint32_t code;	  /* of \u, so far */
	uint8_t depth;
	uint8_t place;
	uint8_t digits; /* of \u, to come */
	uint8_t text_bytes;
	uint8_t character;
	bool is_key;
	bool is_text_cut;
	bool wants_characters; /* the caller's, set after JSON_KEY: of the string that follows, if it is one */
	char text[JSON_TEXT_MAX + 1]; /* terminated */
};

/* Take bytes from *at on, up to `end`. The scan is zero at first. Characters that are escaped by number and are not ASCII
 * become '?'. */
enum json_event json_scan_next(struct json_scan *scan, const uint8_t **at, const uint8_t *end);

/* The document's one value is over. */
bool json_scan_is_over(const struct json_scan *scan);

#endif
