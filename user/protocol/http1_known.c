/* SPDX-License-Identifier: Apache-2.0 */
/* Heads that come again: keep-alive connections repeat theirs byte for byte. The newest of each side is kept with what it
 * said, and one comparison replaces reading it. */
#include "protocol/http1_state.h"

#include <string.h>

/* Paths up to this are copied without asking how long they are: method and path are together shorter than the line. */
#define SHORT_PATH 32
_Static_assert(HTTP1_HEAD_KEPT_MAX >= HTTP1_METHOD_MAX + SHORT_PATH, "http1_side.line");
_Static_assert(URL_PATH_MAX >= SHORT_PATH, "http1_text.path");

/* What is behind the head is known from the head alone when no other message decides over it (HEAD, CONNECT). */
static uint32_t whole_bytes(const struct http1_parse *parse, size_t head_bytes)
{
	const struct http1_side *side = parse->side;

	if (side->place != IN_LENGTH || parse->facts->note || side->left > INT32_MAX)
		return 0;
	return (uint32_t)(head_bytes + side->left);
}

void http1_keep_head(struct http1_parse *parse)
{
	size_t bytes = (size_t)(parse->run->bytes - parse->first);
	const char *const *attributes = parse->facts->attributes;
	struct http1_side *side = parse->side;
	struct http1_kept_head *kept = &side->kept;

	if (bytes > HTTP1_HEAD_KEPT_MAX)
		return;
	if (parse->which == SIDE_REQUEST && parse->facts->trace.pieces)
		return; /* a trace's request will not come again */
	memcpy(side->line, parse->first, bytes);
	*kept = (struct http1_kept_head){ .whole_bytes = whole_bytes(parse, bytes),
					  .framing = side->framing,
					  .bytes = (uint8_t)bytes };
	if (parse->which == SIDE_REQUEST) {
		kept->version = attributes[ATTRIBUTE_NETWORK_PROTOCOL_VERSION];
		kept->method = attributes[ATTRIBUTE_HTTP_REQUEST_METHOD];
		kept->note = (uint8_t)parse->facts->note;
		kept->path_at = (uint8_t)(strlen(kept->method) + 1);
		kept->path_bytes = (uint8_t)(attributes[ATTRIBUTE_URL_PATH] ? side->path_bytes : 0);
	} else {
		kept->version = http1_version_label(parse->first, 8);
		kept->status = http1_status_of(parse->first + HTTP1_STATUS_AT);
	}
}

static inline void tell_request(const struct http1_side *side, struct exchange_facts *facts)
{
	const struct http1_kept_head *kept = &side->kept;
	char *path = text_of(facts)->path;

	facts->attributes[ATTRIBUTE_HTTP_REQUEST_METHOD] = kept->method;
	facts->attributes[ATTRIBUTE_NETWORK_PROTOCOL_VERSION] = kept->version;
	facts->note |= kept->note;
	if (!kept->path_bytes)
		return;
	if (kept->path_bytes <= SHORT_PATH)
		memcpy(path, side->line + kept->path_at, SHORT_PATH);
	else
		memcpy(path, side->line + kept->path_at, kept->path_bytes);
	path[kept->path_bytes] = '\0';
	facts->attributes[ATTRIBUTE_URL_PATH] = path;
}

bool http1_take_known_head(struct http1_parse *parse)
{
	struct http1_side *side = parse->side;
	const struct http1_kept_head *kept = &side->kept;

	if (!kept->bytes || parse->run->length < kept->bytes ||
	    memcmp(parse->run->bytes, side->line, kept->bytes) != 0)
		return false;
	if (parse->which == SIDE_REQUEST) {
		tell_request(side, parse->facts);
	} else {
		http1_tell_status(parse->facts, kept->version, &kept->status);
		side->is_bodiless = kept->status.is_bodiless || parse->facts->note & NOTE_HEAD;
	}
	side->framing = kept->framing;
	run_take(parse->run, kept->bytes);
	return true;
}

/* An answer's side has nothing to say of a request that has a note. */
bool http1_take_known(void *state, enum message_side which, const uint8_t *bytes, size_t captured,
		      uint64_t length, struct exchange_facts *facts)
{
	struct http1_state *http1 = state;
	struct http1_side *side = &http1->sides[which];
	const struct http1_kept_head *kept = &side->kept;

	if (length != kept->whole_bytes || !kept->bytes || captured < kept->bytes || facts->note ||
	    http1->dialects || side->place != AT_START ||
	    memcmp(bytes, side->line, kept->bytes) != 0)
		return false;
	if (which == SIDE_REQUEST)
		tell_request(side, facts);
	else
		http1_tell_status(facts, kept->version, &kept->status);
	facts->sides[which].body_bytes = length - kept->bytes;
	side->is_head_cut = false; /* of the message before */
	return true;
}
