/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* MODE_HTTP2: every call is sent, but for payloads of DATA frames. Where frames begin is known from the preface on, or from a turn
 * that begins like one; when user space knows better it misses bytes, and counts that. */
#ifndef SONDE_HTTP2_BPF_H
#define SONDE_HTTP2_BPF_H

#include "lib/frames.bpf.h"

/* "PRI ": a client begins, with 24 bytes that are no frame. A server does with SETTINGS, whose type is the fourth byte. */
#define HTTP2_PREFACE_WORD 0x20495250u
#define HTTP2_PREFACE_BYTES 24
#define HTTP2_DATA 0
#define HTTP2_SETTINGS 4
#define HTTP2_TYPE_MAX 9
#define HTTP2_HEADER 9
#define HTTP2_PADDED 8

/* Of a header that calls or events divide: length and type are kept in `left`. */
static __always_inline void http2_take_header_byte(struct conn_frames *frames, __u8 byte)
{
	if (frames->have < 4)
		frames->left = frames->have ? frames->left << 8 | byte : byte;
	else if (frames->have == 4)
		frames->flags = byte;
	frames->have++;
}

/* A header was read: its payload is to be sent, or to be left out, but for the byte that says how long the padding is. Returns 0
 * where the walk ends. */
static __always_inline int http2_begin_payload(struct stream_progress *stream, __u32 length,
					       __u8 type, __u32 captured)
{
	__u32 kept = stream->frames.flags & HTTP2_PADDED ? 1 : 0;

	if (type > HTTP2_TYPE_MAX) {
		stream->frames.is_in_step = false;
		return 0;
	}
	if (type == HTTP2_DATA && length > VALUE_LEFT_OUT_MIN &&
	    stream->walk_at + kept <= captured) {
		stream->walk_at += kept;
		stream->fold_length = length - kept;
		stream->frames.left = 0;
		return 0;
	}
	stream->frames.left = length;
	return 1;
}

/* Global linkage, here and below: see lib/call.bpf.h.
 *
 * Go over a header, or a part of one, or of a payload that is sent. Returns 0 where the walk ends. */
__noinline int http2_walk(__u32 captured)
{
	struct turn_scratch *scratch = turn_scratch_get();
	struct stream_progress *stream;
	struct conn_frames *frames;
	__u32 at, room, header;

	if (!scratch)
		return 0;
	stream = &scratch->stream;
	frames = &stream->frames;
	at = stream->walk_at;
	room = captured - at;
	if (at >= captured)
		return 0;
	if (!frames->have && frames->left) {
		header = frames->left < room ? frames->left : room;
		frames->left -= header;
		stream->walk_at = at + header;
		return 1;
	}
	if (!frames->have && room >= HTTP2_HEADER) {
		header = frame_length(scratch, at);
		frames->flags = walk_byte(scratch, at + 4);
		stream->walk_at = at + HTTP2_HEADER;
	} else {
		http2_take_header_byte(frames, walk_byte(scratch, at));
		stream->walk_at = at + 1;
		if (frames->have < HTTP2_HEADER)
			return 1;
		frames->have = 0;
		header = frames->left;
	}
	return http2_begin_payload(stream, header >> 8, (__u8)header, captured);
}

/* A turn nearly always begins with a frame; whether it looks like one decides. */
static __always_inline void http2_begin(struct turn_scratch *scratch, __u32 captured)
{
	__u32 left = 0;

	scratch->stream.may_begin = false;
	if (captured < HTTP2_HEADER)
		return;
	if (*(const __u32 *)scratch->call.bytes == HTTP2_PREFACE_WORD)
		left = HTTP2_PREFACE_BYTES;
	else if (scratch->call.bytes[0] || scratch->call.bytes[3] > HTTP2_TYPE_MAX ||
		 scratch->call.bytes[5] & 0x80)
		return;
	scratch->stream.frames = (struct conn_frames){ .left = left, .is_in_step = true };
}

/* Look through the captured bytes. What is to be sent goes up to walk_at, and the fold_length bytes behind it are left out. */
__noinline int http2_fold(__u32 captured, __u32 want)
{
	struct turn_scratch *scratch = turn_scratch_get();
	struct stream_progress *stream;

	if (!scratch)
		return 0;
	stream = &scratch->stream;
	stream->walk_at = 0;
	stream->fold_length = 0;
	if (stream->may_begin)
		http2_begin(scratch, captured);
	if (captured < want)
		stream->frames.is_in_step = false;
	for (__u32 i = 0; i < FRAMES_WALK_MAX && stream->frames.is_in_step; i++) {
		if (!http2_walk(captured))
			break;
	}
	if (!stream->frames.is_in_step) {
		stream->walk_at = captured;
		stream->fold_length = 0;
	}
	return 0;
}

#endif
