/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <zlib.h>

#include "export/gzip.h"
#include "failing_alloc.h"

static void assert_reads_back(const struct text_buffer *plain)
{
	struct text_buffer packed = { 0 };
	char *back = malloc(plain->length + 1);
	z_stream stream = { 0 };

	assert_int_equal(gzip_compress(plain, &packed), 0);
	stream.next_in = (Bytef *)packed.bytes;
	stream.avail_in = (uInt)packed.length;
	stream.next_out = (Bytef *)back;
	stream.avail_out = (uInt)plain->length + 1;
	assert_int_equal(inflateInit2(&stream, 15 + 16), Z_OK);
	assert_int_equal(inflate(&stream, Z_FINISH), Z_STREAM_END);
	assert_int_equal(stream.total_out, plain->length);
	if (plain->length)
		assert_memory_equal(back, plain->bytes, plain->length);
	assert_int_equal(inflateEnd(&stream), Z_OK);
	free(back);
	text_buffer_done(&packed);
}

static void reads_back(void **state)
{
	struct text_buffer plain = { 0 };

	(void)state;
	assert_reads_back(&plain);
	for (uint64_t i = 0; i < 50000; i++)
		text_append_u64(&plain, i * 0x9e3779b97f4a7c15u); /* hardly compresses */
	assert_reads_back(&plain);
	text_buffer_done(&plain);
	for (uint64_t i = 0; i < 50000; i++)
		text_append_string(&plain, "sonde_tcp_bytes_total ");
	assert_reads_back(&plain);
	text_buffer_done(&plain);
}

static void without_memory(void **state)
{
	struct text_buffer plain = { 0 };

	(void)state;
	text_append_string(&plain, "text");
	FOR_EACH_FAILING_ALLOC(nth)
	{
		struct text_buffer packed = { 0 };
		int err = gzip_compress(&plain, &packed);

		assert_int_equal(err, failing_alloc_has_failed() ? -ENOMEM : 0);
		text_buffer_done(&packed);
	}
	text_buffer_done(&plain);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_back),
		cmocka_unit_test(without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
