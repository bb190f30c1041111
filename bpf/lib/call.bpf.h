/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* The read and write family of system calls, seen at their return: which descriptor, which way, how many bytes,
 * and where in the caller's memory they are. */
#ifndef SONDE_CALL_BPF_H
#define SONDE_CALL_BPF_H

#include "lib/settings.bpf.h"

/* A plain load in tp_btf programs, a helper call in raw_tp ones. */
#define REGS_READ(regs, field, is_direct) \
	((is_direct) ? (__u64)(regs)->field : (__u64)BPF_CORE_READ(regs, field))

/* A call's kind: a shape, and bits. */
enum call_shape {
	SHAPE_BUFFER = 1,    /* (fd, buffer, …) */
	SHAPE_VECTOR = 2,    /* (fd, iovec *, count) */
	SHAPE_MESSAGE = 3,   /* (fd, msghdr *, flags) */
	SHAPE_MESSAGES = 4,  /* (fd, mmsghdr *, count, flags); returns how many messages */
	SHAPE_NO_BUFFER = 5, /* (fd, …): bytes that never are in user memory */
	SHAPE_SPLICE = 6,    /* (fd_in, offset, fd_out, …) */
	SHAPE_ACCEPT = 7,    /* returns a descriptor */
	SHAPE_CONNECT = 8,   /* (fd, …) */
	SHAPE_MASK = 0x0f,
	CALL_IS_WRITE = 0x10,
	CALL_FLAGS_IN_ARG2 = 0x20,
	CALL_FLAGS_IN_ARG3 = 0x40,
	CALL_PEER_IN_ARG4 = 0x80, /* of a datagram; may be NULL */
};

struct call {
	__u64 bytes; /* what it returned */
	__u64 args[4];
	__u64 kind; /* a whole word: copying holes goes byte by byte */
};

/* Vectors longer than this are looked at only so far; the rest counts as not captured. redis-server begins another
 * element with every answer whose length it learns late (COMMAND: 275). Power of two. */
#define IOV_LOOK_MAX 128
/* Messages of one recvmmsg or sendmmsg whose lengths are added up; TCP servers use neither. */
#define MESSAGES_LOOK_MAX 16

/* Room to gather a call's first bytes. Twice the most we take: the verifier adds the bounds of position and length
 * without knowing that they are related. */
struct call_scratch {
	__u8 bytes[2 * PREFIX_MAX];
	struct user_iovec iov[IOV_LOOK_MAX];
	struct user_msghdr message;
	struct call call; /* set for vectors only */
};

static __always_inline struct call_scratch *call_scratch_get(void); /* lib/turn.bpf.h owns the map */

/* The bytes will be read again, or come back from the queue of errors. */
static __always_inline bool call_is_peek(const struct call *call)
{
	__u64 flags = 0;

	if (call->kind & CALL_FLAGS_IN_ARG2)
		flags = call->args[2];
	else if (call->kind & CALL_FLAGS_IN_ARG3)
		flags = call->args[3];
	return flags & (MSG_PEEK | MSG_ERRQUEUE);
}

/* The verifier checks functions of global linkage once, by themselves, instead of once for each path that leads to
 * them: without that the loops below multiply beyond a million instructions. Such functions take only numbers on 5.10, so
 * the call waits in the scratch. */

/* The kernel wrote each message's length beside it. */
__noinline __u64 call_sum_messages(__u64 messages, __u64 count)
{
	const struct user_mmsghdr *message = (const void *)messages;
	__u64 sum = 0;

	for (__u32 i = 0; i < MESSAGES_LOOK_MAX; i++) {
		__u32 length;

		if (i >= count)
			break;
		if (!bpf_probe_read_user(&length, sizeof(length), &message[i].length))
			sum += length;
	}
	return sum;
}

/* Load the call's vector into the scratch. Returns its length, at most IOV_LOOK_MAX, 0 when it cannot be read. */
__noinline int call_load_vector(void)
{
	struct call_scratch *scratch = call_scratch_get();
	__u64 iov, count;

	if (!scratch)
		return 0;
	iov = scratch->call.args[1];
	count = scratch->call.args[2];
	if ((scratch->call.kind & SHAPE_MASK) != SHAPE_VECTOR) {
		if (bpf_probe_read_user(&scratch->message, sizeof(scratch->message),
					(const void *)iov))
			return 0;
		iov = scratch->message.iov;
		count = scratch->message.iov_length;
	}
	if (count > IOV_LOOK_MAX)
		count = IOV_LOOK_MAX;
	barrier_var(count); /* keeps clang from comparing another copy than it passes on */
	count &= 2 * IOV_LOOK_MAX - 1;
	if (count > IOV_LOOK_MAX ||
	    bpf_probe_read_user(scratch->iov, (__u32)count * sizeof(struct user_iovec),
				(const void *)iov))
		return 0;
	return (int)count;
}

/* The first piece of a call's memory; `where` is its second argument. Of a buffer the length is that of a word. Returns whether it
 * could be found. */
static __always_inline bool call_first_piece(__u64 kind, __u64 where, struct user_iovec *ret_first)
{
	const struct user_msghdr *message = (const void *)where;
	__u64 shape = kind & SHAPE_MASK;

	*ret_first = (struct user_iovec){ .base = where, .length = sizeof(__u64) };
	if (shape == SHAPE_MESSAGE && bpf_probe_read_user(&where, sizeof(where), &message->iov))
		return false;
	return shape == SHAPE_BUFFER ||
	       (shape <= SHAPE_MESSAGE &&
		!bpf_probe_read_user(ret_first, sizeof(*ret_first), (const void *)where));
}

/* The first eight bytes that a call moved, or those of them that lie in its first piece, then zeros; `where` is the call's
 * second argument. 0: they cannot be read. */
__noinline __u64 call_first_bytes(__u64 kind, __u64 where)
{
	struct user_iovec first;
	__u64 bytes = 0;

	if (!call_first_piece(kind, where, &first))
		return 0;
	if (first.length >= sizeof(bytes))
		(void)bpf_probe_read_user(&bytes, sizeof(bytes), (const void *)first.base);
	else if (first.length >= sizeof(__u32))
		(void)bpf_probe_read_user(&bytes, sizeof(__u32), (const void *)first.base);
	else if (first.length)
		(void)bpf_probe_read_user(&bytes, 1, (const void *)first.base);
	return bytes; /* zeros where a read failed */
}

static __always_inline __u32 call_copy(struct call_scratch *scratch, __u32 at, __u32 length,
				       __u64 from)
{
	barrier_var(at);
	barrier_var(length);
	at &= PREFIX_MAX - 1;
	if (length > PREFIX_MAX)
		length = PREFIX_MAX;
	if (bpf_probe_read_user(scratch->bytes + at, length, (const void *)from))
		return 0;
	return length;
}

/* Copy `want` bytes of a loaded vector of `count`, those after the first `skip`. Returns how many were copied. */
__noinline int call_capture_vector(__u32 count, __u32 want, __u64 skip)
{
	struct call_scratch *scratch = call_scratch_get();
	__u32 got = 0;

	if (!scratch)
		return 0;
	for (__u32 i = 0; i < IOV_LOOK_MAX; i++) {
		__u64 length, base;

		if (i >= count || got >= want)
			break;
		length = scratch->iov[i].length;
		base = scratch->iov[i].base;
		if (skip >= length) {
			skip -= length;
			continue;
		}
		base += skip;
		length -= skip;
		skip = 0;
		if (length > want - got)
			length = want - got;
		if (!call_copy(scratch, got, (__u32)length, base))
			break;
		got += (__u32)length;
	}
	return (int)got;
}

/* Shift the last up to 8 bytes at [end - length, end) into `tail`. */
__noinline __u64 tail_push(__u64 tail, __u64 end, __u64 length)
{
	__u64 word = 0;

	if (length >= 8) {
		bpf_probe_read_user(&word, 8, (const void *)(end - 8));
		return word;
	}
	if (!length)
		return tail;
	barrier_var(length);
	if (bpf_probe_read_user(&word, length & 7, (const void *)(end - length)))
		return 0;
	return tail >> (length * 8) | word << (64 - length * 8);
}

/* What the last 8 bytes of the direction are after a call with a vector; `tail` is what they were before. */
__noinline __u64 call_tail_vector(__u32 count, __u64 tail)
{
	struct call_scratch *scratch = call_scratch_get();
	__u64 left;

	if (!scratch)
		return 0;
	left = scratch->call.bytes;
	for (__u32 i = 0; i < IOV_LOOK_MAX; i++) {
		__u64 length;

		if (i >= count || !left)
			break;
		length = scratch->iov[i].length;
		if (length > left)
			length = left;
		tail = tail_push(tail, scratch->iov[i].base + length, length);
		left -= length;
	}
	return left ? 0 : tail; /* a longer vector: not seen */
}

/* Copy the first `want` bytes of a call's one buffer, at most PREFIX_MAX. A mask, because clang compares another copy of
 * the number than it passes on ("R2 unbounded memory access", 5.10 and 6.1). */
static __always_inline __u32 call_capture_buffer(struct call_scratch *scratch,
						 const struct call *call, __u32 want)
{
	barrier_var(want);
	want &= sizeof(scratch->bytes) - 1;
	if (bpf_probe_read_user(scratch->bytes, want, (const void *)call->args[1]))
		return 0;
	return want;
}

/* Where a call's first bytes are, when that is in one or two pieces. */
struct call_pieces {
	__u64 first; /* address in the caller's memory */
	__u64 second;
	__u64 first_bytes;
	__u64 second_bytes; /* 0: all are in the first */
};

/* Read a vector of one or two elements. */
static __always_inline bool call_read_pair(const struct call *call, struct user_iovec pair[2])
{
	const struct user_msghdr *message = (const void *)call->args[1];
	__u64 iov = call->args[1], count = call->args[2];

	if ((call->kind & SHAPE_MASK) == SHAPE_MESSAGE) {
		/* iov and iov_length look like an element; the stack is short. */
		if (bpf_probe_read_user(pair, sizeof(pair[0]), &message->iov))
			return false;
		iov = pair[0].base;
		count = pair[0].length;
	}
	if (count == 1) {
		pair[1] = (struct user_iovec){};
		return !bpf_probe_read_user(pair, sizeof(pair[0]), (const void *)iov);
	}
	return count == 2 && !bpf_probe_read_user(pair, 2 * sizeof(pair[0]), (const void *)iov);
}

/* Find the pieces that hold the first `want` bytes, and the last 8 of the call. Returns false when they are spread wider or
 * cannot be read: the scratch is for those. */
static __always_inline bool call_find_pieces(const struct call *call, __u32 want,
					     struct call_pieces *ret_pieces)
{
	__u32 shape = (__u32)call->kind & SHAPE_MASK;
	struct user_iovec pair[2];

	*ret_pieces = (struct call_pieces){ .first = call->args[1], .first_bytes = want };
	if (shape == SHAPE_BUFFER)
		return true;
	if (shape > SHAPE_MESSAGE || !call_read_pair(call, pair))
		return false;
	ret_pieces->first = pair[0].base;
	if (pair[0].length >= call->bytes)
		return true;
	ret_pieces->first_bytes = pair[0].length;
	ret_pieces->second = pair[1].base;
	ret_pieces->second_bytes = want - pair[0].length;
	return want == call->bytes && want >= 8 && pair[0].length + pair[1].length >= want;
}

/* Make a number at most `most`, in one register: clang compares one copy and passes on another, which it kept on the stack
 * ("R2 min value is negative", 5.10). */
#define BOUND(number, most) asm volatile("if %0 <= %1 goto +1\n%0 = %1" : "+r"(number) : "i"(most))

/* Copy them. The verifier adds up the most that each length can be: a second piece has `second_room` of the room.
 * Returns how many bytes were copied. */
static __always_inline __u32 call_copy_pieces(__u8 *to, const struct call_pieces *pieces,
					      const __u32 room, const __u32 second_room)
{
	__u64 first = pieces->first_bytes, second = pieces->second_bytes, word = 0;

	if (!second) {
		BOUND(first, room);
		return bpf_probe_read_user(to, (__u32)first, (const void *)pieces->first) ?
			       0 :
			       (__u32)first;
	}
	BOUND(first, room - second_room);
	if (bpf_probe_read_user(to, (__u32)first, (const void *)pieces->first))
		return 0;
	to += first;
	if (second <= sizeof(word)) {
		BOUND(second, sizeof(word));
		if (bpf_probe_read_user(&word, (__u32)second, (const void *)pieces->second))
			return (__u32)first;
		*(__u64 *)to = word;
		return (__u32)(first + second);
	}
	BOUND(second, second_room);
	if (bpf_probe_read_user(to, (__u32)second, (const void *)pieces->second))
		return (__u32)first;
	return (__u32)(first + second);
}

/* What the last 8 bytes of the direction are after a call; `from` holds its first `captured` bytes. */
static __always_inline __u64 call_tail_pieces(const struct call *call,
					      const struct call_pieces *pieces, const __u8 *from,
					      __u32 captured, const __u32 room, __u64 tail)
{
	__u64 at = (__u64)captured - 8;

	if (captured == call->bytes) {
		barrier_var(at);
		if (at <= room - 8)
			return *(const __u64 *)(from + at);
	}
	return pieces->second_bytes ? 0 : tail_push(tail, pieces->first + call->bytes, call->bytes);
}

/* The last 8 of the `captured` bytes in the scratch. */
static __always_inline __u64 call_tail_captured(const struct call_scratch *scratch, __u32 captured)
{
	__u32 at = captured - 8;

	barrier_var(at);
	at &= PREFIX_MAX - 1;
	/* Unaligned: x86-64 and arm64 allow it; memcpy would go byte by byte. */
	return *(const __u64 *)(scratch->bytes + at);
}

/* Copy the first `want` bytes that the call moved into the scratch, and bring `tail` up to date.
 * Returns how many bytes were copied. */
static __always_inline __u32 call_capture(struct call_scratch *scratch, const struct call *call,
					  __u32 want, __u64 *tail)
{
	__u32 shape = (__u32)call->kind & SHAPE_MASK, count = 0, captured = 0;

	if (shape >= SHAPE_NO_BUFFER) {
		*tail = 0;
		return 0;
	}
	if (shape == SHAPE_BUFFER) {
		if (want)
			captured = call_capture_buffer(scratch, call, want);
	} else {
		scratch->call = *call;
		count = (__u32)call_load_vector();
		if (want)
			captured = (__u32)call_capture_vector(count, want, 0);
	}
	/* When that is all of it, a second copy from user memory is spared. */
	if (captured == call->bytes && captured >= 8)
		*tail = call_tail_captured(scratch, captured);
	else if (shape == SHAPE_BUFFER)
		*tail = tail_push(*tail, call->args[1] + call->bytes, call->bytes);
	else
		*tail = call_tail_vector(count, *tail);
	return captured;
}

#endif
