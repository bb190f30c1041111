/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* What begins as memcached's protocols do, and where a long value is in it (doc/protocol.txt, protocol_binary.h). */
#ifndef SONDE_MEMCACHED_BPF_H
#define SONDE_MEMCACHED_BPF_H

#include "lib/turn_event.bpf.h"

#define MEMCACHED_HEADER_BYTES 24
#define MEMCACHED_OPCODE_MAX 0x24

/* Looked through for a value's length: lines, and bytes of one, of which a key has 250 at most. */
#define MEMCACHED_LINES_MAX 4
#define WALK_BYTES_MAX 284

#define WORD4(a, b, c, d) ((__u32)(a) | (__u32)(b) << 8 | (__u32)(c) << 16 | (__u32)(d) << 24)

static __always_inline __u8 scratch_byte(const struct turn_scratch *scratch, __u32 at)
{
	barrier_var(at);
	at &= sizeof(scratch->call.bytes) - 1;
	return scratch->call.bytes[at];
}

static __always_inline __u32 scratch_word(const struct turn_scratch *scratch, __u32 at)
{
	return WORD4(scratch_byte(scratch, at), scratch_byte(scratch, at + 1),
		     scratch_byte(scratch, at + 2), scratch_byte(scratch, at + 3));
}

/* Magic, opcode, and what is 0 in all requests and answers: the key length's high byte, the data type. */
static __always_inline bool memcached_is_binary(const struct turn_scratch *scratch, __u32 at)
{
	return (scratch_byte(scratch, at) | 1) == 0x81 &&
	       scratch_byte(scratch, at + 1) <= MEMCACHED_OPCODE_MAX &&
	       !scratch_byte(scratch, at + 2) && !scratch_byte(scratch, at + 5);
}

/* Which word of a line that begins so is a value's length, from 0; 0: none. */
static __always_inline __u32 memcached_length_word(__u32 word)
{
	switch (word) {
	case WORD4('V', 'A', 'L', 'U'):
		return 3;
	case WORD4('s', 'e', 't', ' '):
	case WORD4('a', 'd', 'd', ' '):
	case WORD4('c', 'a', 's', ' '):
	case WORD4('r', 'e', 'p', 'l'):
	case WORD4('a', 'p', 'p', 'e'):
	case WORD4('p', 'r', 'e', 'p'):
		return 4;
	}
	word &= 0xffffff;
	return word == WORD4('V', 'A', ' ', 0) ? 1 : word == WORD4('m', 's', ' ', 0) ? 2 : 0;
}

/* Global linkage, here and below: see lib/call.bpf.h.
 *
 * Do these two first words of a call begin a connection? User space has the last word. */
__noinline int memcached_begins(__u32 word, __u32 next)
{
	switch (word) {
	case WORD4('g', 'e', 't', ' '):
	case WORD4('g', 'e', 't', 's'):
	case WORD4('g', 'a', 't', ' '):
	case WORD4('g', 'a', 't', 's'):
	case WORD4('s', 't', 'a', 't'):
	case WORD4('d', 'e', 'l', 'e'):
	case WORD4('i', 'n', 'c', 'r'):
	case WORD4('d', 'e', 'c', 'r'):
	case WORD4('t', 'o', 'u', 'c'):
		return true;
	}
	if ((__u8)word == 0x80) /* opcode, key length, data type */
		return (word >> 8 & 0xff) <= MEMCACHED_OPCODE_MAX && !(word >> 16 & 0xff) &&
		       !(next >> 8 & 0xff);
	return (word & 0xff00ff) == WORD4('m', 0, ' ', 0) || memcached_length_word(word) > 1;
}

/* Read the line that the walk is at for the number of its word `wanted`, and go behind the line. Returns whether it ended. */
__noinline int memcached_walk_line(__u32 wanted)
{
	struct turn_scratch *scratch = turn_scratch_get();

	if (!scratch)
		return 0;
	scratch->stream.walk_word = 0;
	scratch->stream.walk_number = 0;
	for (__u32 i = 0; i < WALK_BYTES_MAX; i++) {
		__u8 byte = scratch_byte(scratch, scratch->stream.walk_at), digit = byte - '0';

		scratch->stream.walk_at++;
		if (byte == '\n')
			return 1;
		if (byte == ' ')
			scratch->stream.walk_word++;
		else if (scratch->stream.walk_word == wanted && digit <= 9)
			scratch->stream.walk_number = scratch->stream.walk_number * 10 + digit;
		barrier(); /* see struct stream_progress */
	}
	return 0;
}

/* A value is left out when nothing follows it in the call and it is at least so long, or when it fills an event. Returns it as
 * stream_find_value does, or 0. */
static __always_inline __u64 stream_value_at(__u32 at, __u32 length, __u32 captured, __u32 left)
{
	if (at >= captured || length >= 1u << 30)
		return 0;
	if (length < (at + length >= left ? VALUE_LEFT_OUT_MIN : PREFIX_MAX))
		return 0;
	return (__u64)at << 32 | length;
}

/* As stream_find_value, for the first message of the call only. */
static __always_inline __u64 memcached_find_packet_value(const struct turn_scratch *scratch,
							 __u32 captured, __u32 left)
{
	__u32 named = scratch_byte(scratch, 3) + scratch_byte(scratch, 4);
	__u32 body = __builtin_bswap32(scratch_word(scratch, 8));

	return body > named ? stream_value_at(MEMCACHED_HEADER_BYTES + named, body - named,
					      captured, left) :
			      0;
}

/* As stream_find_value. */
__noinline __u64 memcached_find_value(__u32 captured, __u32 left)
{
	struct turn_scratch *scratch = turn_scratch_get();
	__u32 wanted;
	__u64 value;

	if (!scratch)
		return 0;
	if (memcached_is_binary(scratch, 0))
		return memcached_find_packet_value(scratch, captured, left);
	scratch->stream.walk_at = 0;
	for (__u32 i = 0; i < MEMCACHED_LINES_MAX; i++) {
		wanted = memcached_length_word(scratch_word(scratch, scratch->stream.walk_at));
		if (!wanted || !memcached_walk_line(wanted))
			return 0;
		value = stream_value_at(scratch->stream.walk_at, scratch->stream.walk_number + 2,
					captured, left);
		scratch->stream.walk_at += scratch->stream.walk_number + 2;
		if (value || scratch->stream.walk_at >= captured)
			return value;
	}
	return 0;
}

#endif
