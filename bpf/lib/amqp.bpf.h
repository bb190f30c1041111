/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* MODE_AMQP: every call is sent, but for bodies of messages whose end is not among the bytes looked at. Where frames begin is
 * known from the protocol's header on, or from a turn that begins with a method; when user space knows better it misses bytes, and
 * counts that. (AMQP 0-9-1, 4.2.3: a type, a channel, how long the payload is; the payload; an end byte.) */
#ifndef SONDE_AMQP_BPF_H
#define SONDE_AMQP_BPF_H

#include "lib/frames.bpf.h"

#define AMQP_WORD 0x50514d41u /* "AMQP", with which a client begins, and four bytes more */
#define AMQP_OPENING_BYTES 8
#define AMQP_METHOD 1
#define AMQP_BODY 3
#define AMQP_HEARTBEAT 8
#define AMQP_HEADER 7
#define AMQP_AT_SIZE 3
#define AMQP_AT_CLASS 7
#define AMQP_CLASS_MAX 90

/* Frames looked at at a time: a delivery of nothing is three, of some 60 bytes, each in two steps. */
#define AMQP_WALK_MAX 160

/* Of a header that calls or events divide: of channel and size the last four bytes stay in `left`. */
static __always_inline void amqp_take_header_byte(struct conn_frames *frames, __u8 byte)
{
	if (frames->have)
		frames->left = frames->left << 8 | byte;
	else
		frames->flags = byte;
	frames->have++;
}

/* A header was read: its payload is to be sent, with the end byte, or to be left out without it. Returns 0 where the walk ends. */
static __always_inline int amqp_begin_payload(struct stream_progress *stream, __u32 length,
					      __u32 captured)
{
	__u8 type = stream->frames.flags;

	if (!type || (type > AMQP_BODY && type != AMQP_HEARTBEAT) || length > FRAME_LENGTH_MAX) {
		stream->frames.is_in_step = false;
		return 0;
	}
	stream->frames.left = length + 1;
	if (type != AMQP_BODY || length < VALUE_LEFT_OUT_MIN || stream->walk_at + length < captured)
		return 1;
	stream->fold_length = length;
	stream->frames.left = 1;
	return 0;
}

/* Global linkage, here and below: see lib/call.bpf.h.
 *
 * Go over a header, or a part of one, or of a payload that is sent. Returns 0 where the walk ends. */
__noinline int amqp_walk(__u32 captured)
{
	struct turn_scratch *scratch = turn_scratch_get();
	struct stream_progress *stream;
	struct conn_frames *frames;
	__u32 at, room, length;

	if (!scratch)
		return 0;
	stream = &scratch->stream;
	frames = &stream->frames;
	at = stream->walk_at;
	room = captured - at;
	if (at >= captured)
		return 0;
	if (!frames->have && frames->left) {
		length = frames->left < room ? frames->left : room;
		frames->left -= length;
		stream->walk_at = at + length;
		return 1;
	}
	if (!frames->have && room >= AMQP_HEADER) {
		length = frame_length(scratch, at + AMQP_AT_SIZE);
		frames->flags = walk_byte(scratch, at);
		stream->walk_at = at + AMQP_HEADER;
	} else {
		amqp_take_header_byte(frames, walk_byte(scratch, at));
		stream->walk_at = at + 1;
		if (frames->have < AMQP_HEADER)
			return 1;
		frames->have = 0;
		length = frames->left;
	}
	return amqp_begin_payload(stream, length, captured);
}

/* Where both sides have just begun, or joined late: a turn begins with a method, if it looks like one. */
static __always_inline void amqp_begin(struct turn_scratch *scratch, __u32 captured)
{
	const __u8 *bytes = scratch->call.bytes;
	__u32 left = 0;

	scratch->stream.may_begin = false;
	if (captured < AMQP_OPENING_BYTES)
		return;
	if (*(const __u32 *)bytes == AMQP_WORD)
		left = AMQP_OPENING_BYTES;
	else if (bytes[0] != AMQP_METHOD || bytes[AMQP_AT_SIZE] || captured < AMQP_AT_CLASS + 2 ||
		 bytes[AMQP_AT_CLASS] || !bytes[AMQP_AT_CLASS + 1] ||
		 bytes[AMQP_AT_CLASS + 1] > AMQP_CLASS_MAX)
		return;
	scratch->stream.frames = (struct conn_frames){ .left = left, .is_in_step = true };
}

/* Look through the captured bytes. What is to be sent goes up to walk_at, and the fold_length bytes behind it are left out. */
__noinline int amqp_fold(__u32 captured, __u32 want)
{
	struct turn_scratch *scratch = turn_scratch_get();
	struct stream_progress *stream;

	if (!scratch)
		return 0;
	stream = &scratch->stream;
	stream->walk_at = 0;
	stream->fold_length = 0;
	if (stream->may_begin)
		amqp_begin(scratch, captured);
	if (captured < want)
		stream->frames.is_in_step = false;
	for (__u32 i = 0; i < AMQP_WALK_MAX && stream->frames.is_in_step; i++) {
		if (!amqp_walk(captured))
			break;
	}
	if (!stream->frames.is_in_step) {
		stream->walk_at = captured;
		stream->fold_length = 0;
	}
	return 0;
}

#endif
