/* SPDX-License-Identifier: Apache-2.0 */
/* What the libraries allocate is freed before kafka_unpack returns: most is an LZ4 frame's block of up to 4 MiB, or zstd's window, of
 * which no more is touched than comes out. */
#include "protocol/kafka_compression.h"

#include <errno.h>
#include <string.h>

#include <lz4frame.h>
#include <snappy-c.h>
#define ZLIB_CONST
#include <zlib.h>
#include <zstd.h>

#include "base/cleanup.h"
#include "protocol/kafka_state.h"

#define PIECE_BYTES 16384
#define GZIP_WINDOW \
	(15 + 16) /* the largest window; 16 asks for a gzip header (zlib.h, inflateInit2) */
/* 8 MiB, as levels up to 19 have it. */
#define ZSTD_WINDOW_LOG_MAX 23

/* The framing of Java's snappy-java: this, two versions, then blocks with their lengths before them. librdkafka and others write one
 * block without any; none begins like this, which would be a copy of what is not there. */
#define XERIAL "\202SNAPPY\0"
#define XERIAL_HEADER_BYTES 16
#define XERIAL_LENGTH_BYTES 4

struct unpacking {
	const uint8_t *bytes; /* borrowed: what is to be read yet */
	size_t length;
	size_t room; /* bytes that may come out yet */
	kafka_unpacked_visit visit;
	void *context;
	bool is_enough; /* no more is wanted */
	uint8_t piece[PIECE_BYTES];
};

static void take(struct unpacking *unpacking, size_t count)
{
	unpacking->bytes += count;
	unpacking->length -= count;
}

static int hand_on(struct unpacking *unpacking, const void *bytes, size_t length)
{
	if (length > unpacking->room)
		return -EFBIG;
	unpacking->room -= length;
	unpacking->is_enough = !unpacking->visit(unpacking->context, bytes, length);
	return 0;
}

/* Read on, into the piece.
 * ret_made  bytes of it
 * Returns   1; 0: they were the last ones; -EBADMSG, -EFBIG */
typedef int (*unpack_step)(void *stream, struct unpacking *unpacking, size_t *ret_made);

static int unpack_stream(struct unpacking *unpacking, unpack_step step, void *stream)
{
	int more;

	do {
		size_t before = unpacking->length, made = 0;
		int err;

		more = step(stream, unpacking, &made);
		if (more < 0)
			return more;
		if (more && !made && unpacking->length == before)
			return -EBADMSG; /* it is cut */
		err = hand_on(unpacking, unpacking->piece, made);
		if (err)
			return err;
	} while (more && !unpacking->is_enough);
	return 0;
}

static int step_gzip(void *opaque, struct unpacking *unpacking, size_t *ret_made)
{
	z_stream *stream = opaque;
	int status;

	stream->next_in = unpacking->bytes;
	stream->avail_in = (uInt)unpacking->length;
	stream->next_out = unpacking->piece;
	stream->avail_out = sizeof(unpacking->piece);
	status = inflate(stream, Z_NO_FLUSH);
	if (status != Z_OK && status != Z_STREAM_END)
		return -EBADMSG;
	take(unpacking, unpacking->length - stream->avail_in);
	*ret_made = sizeof(unpacking->piece) - stream->avail_out;
	return status != Z_STREAM_END;
}

static int unpack_gzip(struct unpacking *unpacking)
{
	z_stream stream = { .next_in = NULL };
	int err;

	if (inflateInit2(&stream, GZIP_WINDOW) != Z_OK)
		return -ENOMEM;
	err = unpack_stream(unpacking, step_gzip, &stream);
	(void)inflateEnd(&stream); /* fails for a stream that is none only */
	return err;
}

static int step_lz4(void *stream, struct unpacking *unpacking, size_t *ret_made)
{
	size_t made = sizeof(unpacking->piece), read = unpacking->length;
	size_t hint =
		LZ4F_decompress(stream, unpacking->piece, &made, unpacking->bytes, &read, NULL);

	if (LZ4F_isError(hint))
		return -EBADMSG;
	take(unpacking, read);
	*ret_made = made;
	return hint != 0;
}

static int unpack_lz4(struct unpacking *unpacking)
{
	LZ4F_dctx *stream;
	int err;

	if (LZ4F_isError(LZ4F_createDecompressionContext(&stream, LZ4F_VERSION)))
		return -ENOMEM;
	err = unpack_stream(unpacking, step_lz4, stream);
	(void)LZ4F_freeDecompressionContext(stream); /* says how far it came */
	return err;
}

static int step_zstd(void *stream, struct unpacking *unpacking, size_t *ret_made)
{
	ZSTD_inBuffer in = { unpacking->bytes, unpacking->length, 0 };
	ZSTD_outBuffer out = { unpacking->piece, sizeof(unpacking->piece), 0 };
	size_t hint = ZSTD_decompressStream(stream, &out, &in);

	if (ZSTD_isError(hint))
		return -EBADMSG;
	take(unpacking, in.pos);
	*ret_made = out.pos;
	return hint != 0;
}

static int unpack_zstd(struct unpacking *unpacking)
{
	ZSTD_DStream *stream = ZSTD_createDStream();
	int err;

	if (!stream)
		return -ENOMEM;
	/* A number that the library has: it does not refuse it. */
	(void)ZSTD_DCtx_setParameter(stream, ZSTD_d_windowLogMax, ZSTD_WINDOW_LOG_MAX);
	err = unpack_stream(unpacking, step_zstd, stream);
	(void)ZSTD_freeDStream(stream); /* always 0 */
	return err;
}

/* A block says how long it is unpacked, and is unpacked in one go. */
static int unpack_block(struct unpacking *unpacking, size_t length)
{
	const char *bytes = (const char *)unpacking->bytes;
	_cleanup_free_ char *unpacked = NULL;
	size_t made;

	if (snappy_uncompressed_length(bytes, length, &made) != SNAPPY_OK)
		return -EBADMSG;
	if (made > unpacking->room)
		return -EFBIG;
	unpacked = malloc(made ? made : 1);
	if (!unpacked)
		return -ENOMEM;
	if (snappy_uncompress(bytes, length, unpacked, &made) != SNAPPY_OK)
		return -EBADMSG;
	take(unpacking, length);
	return hand_on(unpacking, unpacked, made);
}

static int unpack_snappy(struct unpacking *unpacking)
{
	int err = 0;

	if (unpacking->length < XERIAL_HEADER_BYTES ||
	    memcmp(unpacking->bytes, XERIAL, sizeof(XERIAL) - 1) != 0)
		return unpack_block(unpacking, unpacking->length);
	take(unpacking, XERIAL_HEADER_BYTES);
	while (!err && unpacking->length && !unpacking->is_enough) {
		size_t length;

		if (unpacking->length < XERIAL_LENGTH_BYTES)
			return -EBADMSG;
		length = kafka_be32(unpacking->bytes);
		take(unpacking, XERIAL_LENGTH_BYTES);
		if (length > unpacking->length)
			return -EBADMSG;
		err = unpack_block(unpacking, length);
	}
	return err;
}

/* By the numbers of CompressionType. */
static int (*const codecs[])(struct unpacking *unpacking) = {
	[1] = unpack_gzip,
	[2] = unpack_snappy,
	[3] = unpack_lz4,
	[4] = unpack_zstd,
};

int kafka_unpack(unsigned codec, const uint8_t *bytes, size_t length, kafka_unpacked_visit visit,
		 void *context)
{
	struct unpacking unpacking;
	int err;

	if (codec >= sizeof(codecs) / sizeof(codecs[0]) || !codecs[codec])
		return -EBADMSG;
	/* The piece stays as it is: it is written before it is read. */
	unpacking.bytes = bytes;
	unpacking.length = length;
	unpacking.room = KAFKA_UNPACKED_LEAST + KAFKA_UNPACKED_RATIO * length;
	if (unpacking.room > KAFKA_UNPACKED_MAX)
		unpacking.room = KAFKA_UNPACKED_MAX;
	unpacking.visit = visit;
	unpacking.context = context;
	unpacking.is_enough = false;
	err = codecs[codec](&unpacking);
	if (!err && unpacking.length && !unpacking.is_enough)
		return -EBADMSG; /* something follows that no client writes */
	return err;
}
