/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* MODE_STREAM and above: every call is sent, in as many events as it needs, but for what nobody wants of it. */
#ifndef SONDE_STREAM_BPF_H
#define SONDE_STREAM_BPF_H

#include "lib/amqp.bpf.h"
#include "lib/conn.bpf.h"
#include "lib/frames.bpf.h"
#include "lib/http2.bpf.h"
#include "lib/memcached.bpf.h"
#include "lib/turn_event.bpf.h"

/* Redis: lines looked through for a value's length (SET with options has 8 at most before its value), digits of it
 * (its own limit: 512 MiB). */
#define WALK_LINES_MAX 8
#define WALK_DIGITS_MAX 9

/* Global linkage, here and below: see lib/call.bpf.h.
 *
 * Read the line that the walk is at, a type and a number, and go behind it. Returns its type, or 0 when it is none of
 * these. */
__noinline int stream_walk_line(void)
{
	struct turn_scratch *scratch = turn_scratch_get();
	__u8 type;

	if (!scratch)
		return 0;
	type = walk_byte(scratch, scratch->stream.walk_at);
	scratch->stream.walk_number = 0;
	scratch->stream.walk_at++;
	if (walk_byte(scratch, scratch->stream.walk_at) == '-') { /* $-1: no value */
		type = '*';
		scratch->stream.walk_at++;
	}
	for (__u32 i = 0; i < WALK_DIGITS_MAX; i++) {
		__u8 digit = walk_byte(scratch, scratch->stream.walk_at) - '0';

		if (digit > 9)
			break;
		scratch->stream.walk_number = scratch->stream.walk_number * 10 + digit;
		scratch->stream.walk_at++;
	}
	if (walk_byte(scratch, scratch->stream.walk_at) != '\r')
		return 0;
	scratch->stream.walk_at += 2;
	return type;
}

/* Look for a value that is not wanted in the first `captured` of `left` bytes, which begin with a message, or so we
 * guess: user space, which knows, misses what is left out by mistake, and counts that.
 * Returns where the value begins << 32 | its length with CRLF, or 0. */
__noinline __u64 stream_find_value(__u32 captured, __u32 left)
{
	struct turn_scratch *scratch = turn_scratch_get();

	if (!scratch)
		return 0;
	if (scratch_byte(scratch, 0) != '*' && scratch_byte(scratch, 0) != '$')
		return memcached_find_value(captured, left);
	scratch->stream.walk_at = 0;
	for (__u32 i = 0; i < WALK_LINES_MAX; i++) {
		__u32 at, length;
		int type;

		/* First: after a call in a loop's last place comes its first one, a "back-edge" that 5.10 refuses. */
		if (scratch->stream.walk_at >= captured)
			return 0;
		type = stream_walk_line();
		at = scratch->stream.walk_at;
		if ((type != '*' && type != '$') || at >= captured)
			return 0;
		if (type == '*')
			continue;
		length = scratch->stream.walk_number + 2;
		if (length >= (at + length >= left ? VALUE_LEFT_OUT_MIN : PREFIX_MAX))
			return (__u64)at << 32 | length;
		scratch->stream.walk_at = at + length;
	}
	return 0;
}

/* Copy up to PREFIX_MAX bytes of the call in the scratch, those after the first `skip`. Returns how many were copied. A
 * stream's tail is not kept: who reads all bytes does not need it. */
static __always_inline __u32 stream_capture(struct turn_scratch *scratch, __u32 want, __u64 skip)
{
	__u32 shape = scratch->call.call.kind & SHAPE_MASK;

	if (!want || shape >= SHAPE_NO_BUFFER)
		return 0;
	if (shape == SHAPE_BUFFER)
		return call_copy(&scratch->call, 0, want, scratch->call.call.args[1] + skip);
	return (__u32)call_capture_vector(scratch->stream.elements, want, skip);
}

static __always_inline void stream_send_part(struct turn_scratch *scratch, __u32 ring,
					     __u32 captured, __u32 length)
{
	struct event_turn *event = &scratch->event;

	event->offset += (__u32)event->call_bytes;
	event->position += (__u32)event->call_bytes;
	event->call_bytes = length;
	event->captured = (__u16)captured;
	turn_emit_event(scratch, ring);
	event->turn_flags = (event->turn_flags & (TURN_LATE | TURN_HAS_USE)) | TURN_CONTINUED;
	__builtin_memset(&event->prev, 0, sizeof(event->prev));
}

/* Send the next event of the call. Returns whether there is more. */
__noinline int stream_send_next(__u32 ring)
{
	struct turn_scratch *scratch = turn_scratch_get();
	__u32 left, want, captured, length;
	__u64 value = 0;

	if (!scratch)
		return 0;
	left = (__u32)scratch->call.call.bytes - scratch->stream.at;
	want = left < PREFIX_MAX ? left : PREFIX_MAX;
	captured = stream_capture(scratch, want, scratch->stream.at);
	if (want && !captured)
		scratch->event.turn_flags |= TURN_NO_BYTES;
	else if (captured >= VALUE_LEFT_OUT_MIN && scratch->stream.mode == MODE_VALUES)
		value = stream_find_value(captured, left);
	length = value ? (__u32)(value >> 32) + (__u32)value : captured;
	if (length < left && captured == want && scratch->stream.parts < STREAM_EVENTS_MAX - 1) {
		stream_send_part(scratch, ring, value ? (__u32)(value >> 32) : captured, length);
		scratch->stream.at += length;
		scratch->stream.parts++;
		return 1;
	}
	stream_send_part(scratch, ring, value ? (__u32)(value >> 32) : captured, left);
	scratch->stream.value_left = length > left ? length - left : 0;
	return 0;
}

/* Send the rows that were gone over since the newest event, as one. */
static __always_inline void frames_send_rows(struct turn_scratch *scratch, __u32 ring, __u32 length)
{
	frames_put_header(scratch, 0, scratch->stream.rows);
	scratch->stream.rows = 0;
	stream_send_part(scratch, ring, FRAME_HEADER, length);
}

/* What begins with rows is not sent yet: more may follow. Returns whether there is more of the call. */
static __always_inline bool frames_keep_rows(struct turn_scratch *scratch, __u32 ring, __u32 left,
					     bool is_last)
{
	struct stream_progress *stream = &scratch->stream;
	__u32 length = stream->fold_length;

	stream->rows += length;
	stream->parts++;
	if (length < left) {
		stream->at += length;
		if (!is_last)
			return true;
		stream->frames.is_in_step = false;
		frames_send_rows(scratch, ring, stream->rows + left - length);
		return false;
	}
	stream->value_left = length - left;
	frames_send_rows(scratch, ring, stream->rows - stream->value_left);
	return false;
}

/* The same for a call of MODE_FRAMES. */
__noinline int frames_send_next(__u32 ring)
{
	struct turn_scratch *scratch = turn_scratch_get();
	__u32 left, want, captured, payload, length;
	struct conn_frames before;
	bool is_last;

	if (!scratch)
		return 0;
	before = scratch->stream.frames;
	left = (__u32)scratch->call.call.bytes - scratch->stream.at;
	want = left < PREFIX_MAX ? left : PREFIX_MAX;
	captured = stream_capture(scratch, want, scratch->stream.at);
	frames_fold(captured, want);
	is_last = captured < want || scratch->stream.parts >= FRAMES_PARTS_MAX - 2;
	if (scratch->stream.fold_length && !scratch->stream.fold_at)
		return frames_keep_rows(scratch, ring, left, is_last);
	if (scratch->stream.rows) { /* these first; what was just looked at is looked at again */
		scratch->stream.frames = before;
		scratch->stream.parts++;
		frames_send_rows(scratch, ring, scratch->stream.rows);
		return 1;
	}
	if (want && !captured)
		scratch->event.turn_flags |= TURN_NO_BYTES;
	payload = length = scratch->stream.walk_at;
	if (scratch->stream.fold_length) {
		payload = scratch->stream.fold_at + FRAME_HEADER;
		length = scratch->stream.fold_at + scratch->stream.fold_length;
		frames_put_header(scratch, scratch->stream.fold_at, scratch->stream.fold_length);
	}
	if (length < left && !is_last) {
		stream_send_part(scratch, ring, payload, length);
		scratch->stream.at += length;
		scratch->stream.parts++;
		return 1;
	}
	if (length < left)
		scratch->stream.frames.is_in_step = false;
	stream_send_part(scratch, ring, payload, left);
	scratch->stream.value_left = length > left ? length - left : 0;
	return 0;
}

/* The same for a call of MODE_HTTP2 or MODE_AMQP. */
__noinline int folded_send_next(__u32 ring)
{
	struct turn_scratch *scratch = turn_scratch_get();
	__u32 left, want, captured, payload, length;
	bool is_last;

	if (!scratch)
		return 0;
	left = (__u32)scratch->call.call.bytes - scratch->stream.at;
	want = left < PREFIX_MAX ? left : PREFIX_MAX;
	captured = stream_capture(scratch, want, scratch->stream.at);
	if (want && !captured)
		scratch->event.turn_flags |= TURN_NO_BYTES;
	if (scratch->stream.mode == MODE_AMQP)
		amqp_fold(captured, want);
	else
		http2_fold(captured, want);
	payload = scratch->stream.walk_at;
	length = payload + scratch->stream.fold_length;
	is_last = captured < want || scratch->stream.parts >= FRAMES_PARTS_MAX - 1;
	if (length < left && !is_last) {
		stream_send_part(scratch, ring, payload, length);
		scratch->stream.at += length;
		scratch->stream.parts++;
		return 1;
	}
	if (length < left)
		scratch->stream.frames.is_in_step = false;
	stream_send_part(scratch, ring, payload, left);
	scratch->stream.value_left = length > left ? length - left : 0;
	return 0;
}

/* Send the call in the scratch with the scratch's event, which is filled but for the payload, beginning where the scratch's progress
 * says. Returns how much of a value follows in the next call. */
__noinline int stream_send_all(__u32 ring, __u32 mode)
{
	struct turn_scratch *scratch = turn_scratch_get();

	if (!scratch)
		return 0;
	if ((scratch->call.call.kind & SHAPE_MASK) != SHAPE_BUFFER)
		scratch->stream.elements = (__u32)call_load_vector();
	if (mode == MODE_FRAMES) {
		for (__u32 i = 0; i < FRAMES_PARTS_MAX; i++) {
			if (!frames_send_next(ring))
				break;
		}
	} else if (mode >= MODE_HTTP2) {
		for (__u32 i = 0; i < FRAMES_PARTS_MAX; i++) {
			if (!folded_send_next(ring))
				break;
		}
	} else {
		for (__u32 i = 0; i < STREAM_EVENTS_MAX; i++) {
			if (!stream_send_next(ring))
				break;
		}
	}
	return (int)scratch->stream.value_left;
}

/* The same; of the call's bytes the first `at` are the rest of a value. frames: where in a message the call begins, for modes
 * that know messages. */
static __always_inline __u32 stream_send(struct turn_scratch *scratch, __u32 ring, __u32 at,
					 __u32 mode, struct conn_frames *frames)
{
	__u32 value_left;

	scratch->event.offset += at;
	scratch->event.position += at;
	scratch->event.call_bytes = 0; /* of the parts sent */
	scratch->stream = (struct stream_progress){ .at = at, .frames = *frames, .mode = mode };
	scratch->stream.may_begin =
		!at && !frames->is_in_step && !(scratch->event.turn_flags & TURN_CONTINUED);
	value_left = (__u32)stream_send_all(ring, mode);
	*frames = scratch->stream.frames;
	return value_left;
}

#endif
