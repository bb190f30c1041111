/* SPDX-License-Identifier: Apache-2.0 */
/* See kafka_packing.h. */
#include "kafka_packing.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <lz4frame.h>
#include <snappy-c.h>
#include <zlib.h>
#include <zstd.h>

#define XERIAL_BLOCK_BYTES 100
#define BATCH_HEADER_BYTES 61

const uint8_t kafka_packing_codec[PACK_COUNT] = {
	[PACK_GZIP] = 1, [PACK_SNAPPY] = 2, [PACK_XERIAL] = 2, [PACK_LZ4] = 3, [PACK_ZSTD] = 4,
};

static size_t pack_gzip(const uint8_t *bytes, size_t length, uint8_t *packed, size_t room)
{
	z_stream stream = { .next_in = (Bytef *)bytes, .avail_in = (uInt)length };

	assert_int_equal(deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY),
			 Z_OK);
	stream.next_out = packed;
	stream.avail_out = (uInt)room;
	assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
	(void)deflateEnd(&stream);
	return room - stream.avail_out;
}

static size_t pack_snappy(const uint8_t *bytes, size_t length, uint8_t *packed, size_t room)
{
	assert_int_equal(snappy_compress((const char *)bytes, length, (char *)packed, &room),
			 SNAPPY_OK);
	return room;
}

static size_t pack_xerial(const uint8_t *bytes, size_t length, uint8_t *packed, size_t room)
{
	static const char header[16] = "\202SNAPPY\0\0\0\0\1\0\0\0\1";
	size_t used = sizeof(header);

	memcpy(packed, header, sizeof(header));
	for (size_t at = 0, block; at < length; at += block) {
		size_t made;

		block = length - at < XERIAL_BLOCK_BYTES ? length - at : XERIAL_BLOCK_BYTES;
		made = pack_snappy(bytes + at, block, packed + used + 4, room - used - 4);
		for (size_t i = 0; i < 4; i++)
			packed[used + i] = (uint8_t)(made >> (24 - 8 * i));
		used += 4 + made;
	}
	return used;
}

static size_t pack_lz4(const uint8_t *bytes, size_t length, uint8_t *packed, size_t room)
{
	size_t used = LZ4F_compressFrame(packed, room, bytes, length, NULL);

	assert_false(LZ4F_isError(used));
	return used;
}

static size_t pack_zstd(const uint8_t *bytes, size_t length, uint8_t *packed, size_t room)
{
	size_t used = ZSTD_compress(packed, room, bytes, length, 3);

	assert_false(ZSTD_isError(used));
	return used;
}

size_t kafka_pack(enum kafka_packing how, const uint8_t *bytes, size_t length, uint8_t *packed,
		  size_t room)
{
	static size_t (*const packers[])(const uint8_t *, size_t, uint8_t *, size_t) = {
		[PACK_GZIP] = pack_gzip, [PACK_SNAPPY] = pack_snappy, [PACK_XERIAL] = pack_xerial,
		[PACK_LZ4] = pack_lz4,	 [PACK_ZSTD] = pack_zstd,
	};

	return packers[how](bytes, length, packed, room);
}

/* As a stream, which does not say how long it will be: the window is what was asked for, not what is needed. */
size_t kafka_pack_with_window(int window_log, const uint8_t *bytes, size_t length, uint8_t *packed,
			      size_t room)
{
	ZSTD_CCtx *stream = ZSTD_createCCtx();
	ZSTD_inBuffer in = { bytes, length, 0 };
	ZSTD_outBuffer out = { packed, room, 0 };

	assert_non_null(stream);
	ZSTD_CCtx_setParameter(stream, ZSTD_c_windowLog, window_log);
	assert_int_equal(ZSTD_compressStream2(stream, &out, &in, ZSTD_e_flush), 0);
	assert_int_equal(ZSTD_compressStream2(stream, &out, &in, ZSTD_e_end), 0);
	ZSTD_freeCCtx(stream);
	return out.pos;
}

void kafka_end_packed_batch(struct kafka_message *message, enum kafka_packing how)
{
	static uint8_t records[KAFKA_MESSAGE_MAX];
	size_t from = message->batch + BATCH_HEADER_BYTES, length = message->length - from;

	memcpy(records, message->bytes + from, length);
	message->length = from + kafka_pack(how, records, length, message->bytes + from,
					    sizeof(message->bytes) - from);
	message->bytes[message->batch + 22] = kafka_packing_codec[how];
	kafka_end_batch(message);
}
