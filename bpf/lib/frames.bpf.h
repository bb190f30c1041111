/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* MODE_FRAMES: every call is sent, but rows that follow each other are sent as one that nobody sees: its header says how long
 * all of them are together, their bytes are left out. So user space cuts messages as if they had come that way. */
#ifndef SONDE_FRAMES_BPF_H
#define SONDE_FRAMES_BPF_H

#include "lib/turn_event.bpf.h"

/* A byte that says the type, four that say the length, which are part of it. */
#define FRAME_HEADER 5
#define FRAME_LENGTH_MAX (1u << 30)

/* Messages looked at at a time, and how often: 256 KiB of a call. */
#define FRAMES_WALK_MAX 160
#define FRAMES_PARTS_MAX 64

static __always_inline __u8 walk_byte(const struct turn_scratch *scratch, __u32 at)
{
	barrier_var(at);
	at &= sizeof(scratch->call.bytes) - 1;
	return scratch->call.bytes[at];
}

static __always_inline void frame_put_byte(struct turn_scratch *scratch, __u32 at, __u8 byte)
{
	barrier_var(at);
	at &= sizeof(scratch->call.bytes) - 1;
	scratch->call.bytes[at] = byte;
}

static __always_inline __u32 frame_length(const struct turn_scratch *scratch, __u32 at)
{
	return (__u32)walk_byte(scratch, at) << 24 | (__u32)walk_byte(scratch, at + 1) << 16 |
	       (__u32)walk_byte(scratch, at + 2) << 8 | walk_byte(scratch, at + 3);
}

/* A header that calls or events divide is read byte by byte, and its message is sent. */
static __always_inline void frame_take_header_byte(struct conn_frames *frames, __u8 byte)
{
	frames->left = frames->have ? frames->left << 8 | byte : 0;
	if (++frames->have < FRAME_HEADER)
		return;
	frames->have = 0;
	if (frames->left < 4 || frames->left > FRAME_LENGTH_MAX)
		frames->is_in_step = false;
	else
		frames->left -= 4;
}

/* DataRow and CopyData. Describe has the type of the first, but no two of them follow each other. */
static __always_inline bool frame_is_row(__u8 type)
{
	return type == 'D' || type == 'd';
}

/* A message begins whose length is known. Returns false when the rows before it are to be sent first. */
static __always_inline bool frame_note(struct turn_scratch *scratch, __u32 at, __u32 length)
{
	struct stream_progress *stream = &scratch->stream;
	__u8 type = walk_byte(scratch, at);

	if (frame_is_row(type)) {
		if (!stream->fold_length) {
			stream->fold_at = at;
			if (!stream->rows)
				stream->row_type = type;
		}
		stream->fold_length += length + 1;
		return true;
	}
	if (stream->fold_length >= VALUE_LEFT_OUT_MIN)
		return false;
	stream->fold_length = 0;
	return true;
}

/* Global linkage, here and below: see lib/call.bpf.h.
 *
 * Go over a message, or a part of one. Returns 0 where the walk ends. */
__noinline int frame_walk(__u32 captured)
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
	if (frames->have || room < FRAME_HEADER) {
		if (stream->fold_length >= VALUE_LEFT_OUT_MIN)
			return 0;
		stream->fold_length = 0;
		frame_take_header_byte(frames, walk_byte(scratch, at));
		stream->walk_at = at + 1;
		return frames->is_in_step;
	}
	length = frame_length(scratch, at + 1);
	if (length < 4 || length > FRAME_LENGTH_MAX) {
		frames->is_in_step = false;
		return 0;
	}
	if (!frame_note(scratch, at, length))
		return 0;
	if (length < room) /* all of it is here */
		stream->walk_at = at + length + 1;
	else
		frames->left = length + 1;
	return 1;
}

/* A turn begins with a message, but where both sides speak at once; its length says whether it may be one. */
static __always_inline void frames_begin(struct turn_scratch *scratch, __u32 captured)
{
	__u8 type = scratch->call.bytes[0];

	scratch->stream.may_begin = false;
	if (captured < FRAME_HEADER || type < '1' || type > 'z' || scratch->call.bytes[1] ||
	    scratch->call.bytes[2])
		return;
	scratch->stream.frames = (struct conn_frames){ .is_in_step = true };
}

/* Look through the captured bytes. What is to be sent goes up to walk_at, or up to the header at fold_at, which is that of all rows
 * then, when fold_length is not 0. */
__noinline int frames_fold(__u32 captured, __u32 want)
{
	struct turn_scratch *scratch = turn_scratch_get();
	struct stream_progress *stream;

	if (!scratch)
		return 0;
	stream = &scratch->stream;
	stream->walk_at = 0;
	stream->fold_length = 0;
	if (stream->may_begin)
		frames_begin(scratch, captured);
	if (captured < want)
		stream->frames.is_in_step = false;
	for (__u32 i = 0; i < FRAMES_WALK_MAX && stream->frames.is_in_step; i++) {
		if (!frame_walk(captured))
			break;
	}
	if (!stream->frames.is_in_step)
		stream->walk_at = captured;
	if (!stream->frames.is_in_step || stream->fold_length < VALUE_LEFT_OUT_MIN)
		stream->fold_length = 0;
	else
		stream->frames.left = 0;
	return 0;
}

/* Write the header of rows of `length` bytes together. */
static __always_inline void frames_put_header(struct turn_scratch *scratch, __u32 at, __u32 length)
{
	frame_put_byte(scratch, at, (__u8)scratch->stream.row_type);
	for (__u32 i = 0; i < 4; i++)
		frame_put_byte(scratch, at + 1 + i, (__u8)((length - 1) >> (24 - 8 * i)));
}

#endif
