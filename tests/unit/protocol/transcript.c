/* SPDX-License-Identifier: Apache-2.0 */
/* See transcript.h. */
#include "transcript.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void put(struct transcript *transcript, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void put(struct transcript *transcript, const char *format, ...)
{
	size_t room = TRANSCRIPT_MAX - transcript->bytes;
	va_list list;
	int bytes;

	va_start(list, format);
	bytes = vsnprintf(transcript->text + transcript->bytes, room, format, list);
	va_end(list);
	if (bytes > 0)
		transcript->bytes += (size_t)bytes < room ? (size_t)bytes : room - 1;
}

void transcript_clear(struct transcript *transcript)
{
	memset(transcript, 0, sizeof(*transcript));
}

static void put_head(struct transcript *transcript, enum message_side side)
{
	const char *const *facts = transcript->facts.attributes;
	const struct message *message = &transcript->facts.sides[side];

	put(transcript, "(");
	if (side == SIDE_REQUEST)
		put(transcript, "%s %s %s", facts[ATTRIBUTE_HTTP_REQUEST_METHOD],
		    facts[ATTRIBUTE_URL_PATH] ? facts[ATTRIBUTE_URL_PATH] : "-",
		    facts[ATTRIBUTE_NETWORK_PROTOCOL_VERSION] ?
			    facts[ATTRIBUTE_NETWORK_PROTOCOL_VERSION] :
			    "-");
	else
		put(transcript, "%s%s%s", facts[ATTRIBUTE_HTTP_RESPONSE_STATUS_CODE],
		    message->is_interim ? " interim" : "", message->opens_tunnel ? " tunnel" : "");
	put(transcript, ")");
}

static void take_step(struct transcript *transcript, enum message_side side,
		      enum protocol_step step)
{
	static const char *const names[STEP_COUNT] = {
		[STEP_BEGIN] = "begin",	  [STEP_HEAD] = "head",		[STEP_END] = "end",
		[STEP_UNSEEN] = "unseen", [STEP_NOT_MINE] = "not-mine", [STEP_BROKEN] = "broken",
	};

	if (step == STEP_MORE)
		return;
	put(transcript, "%s%s-%s", transcript->bytes ? " " : "", side == SIDE_REQUEST ? "Q" : "A",
	    names[step]);
	if (step == STEP_BEGIN && side == SIDE_REQUEST)
		memset(&transcript->facts, 0, sizeof(transcript->facts));
	if (step == STEP_HEAD)
		put_head(transcript, side);
	if (step == STEP_END && transcript->facts.sides[side].body_bytes)
		put(transcript, "(%llu)",
		    (unsigned long long)transcript->facts.sides[side].body_bytes);
	transcript->is_over = step == STEP_NOT_MINE || step == STEP_BROKEN;
}

static void feed_piece(struct transcript *transcript, enum message_side side, const char *bytes,
		       size_t length)
{
	uint8_t *copy = bytes ? malloc(length) : NULL;
	struct protocol_run run = { .bytes = copy, .length = length };
	enum protocol_step step;

	if (bytes && !copy)
		return;
	if (bytes)
		memcpy(copy, bytes, length);
	do {
		step = protocol_http1.parse(transcript->state, side, &run, &transcript->facts);
		take_step(transcript, side, step);
	} while (step != STEP_MORE && !transcript->is_over);
	free(copy);
}

void transcript_feed(struct transcript *transcript, enum message_side side, const char *bytes,
		     size_t length, size_t piece)
{
	while (length && !transcript->is_over) {
		size_t now = length < piece ? length : piece;

		feed_piece(transcript, side, bytes, now);
		if (bytes)
			bytes += now;
		length -= now;
	}
}

void transcript_boundary(struct transcript *transcript, enum message_side side,
			 enum protocol_boundary boundary, uint64_t tail)
{
	take_step(transcript, side,
		  protocol_http1.boundary(transcript->state, side, boundary, tail));
}
