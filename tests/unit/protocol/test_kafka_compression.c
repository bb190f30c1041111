/* SPDX-License-Identifier: Apache-2.0 */
/* Compressed records: whole, cut, corrupt, and larger than anybody should wait for. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "failing_alloc.h"
#include "kafka_packing.h"
#include "protocol/kafka_compression.h"

#define PLAIN_MAX (KAFKA_UNPACKED_MAX + 100000)

static uint8_t plain[PLAIN_MAX];
static uint8_t packed[2 * PLAIN_MAX];

static struct {
	uint8_t bytes[PLAIN_MAX];
	size_t length;
	unsigned visits;
	unsigned visits_wanted; /* 0: all */
} unpacked;

static bool visit(void *context, const uint8_t *bytes, size_t length)
{
	assert_ptr_equal(context, &unpacked);
	assert_true(length <= sizeof(unpacked.bytes) - unpacked.length);
	memcpy(unpacked.bytes + unpacked.length, bytes, length);
	unpacked.length += length;
	return ++unpacked.visits != unpacked.visits_wanted;
}

/* From memory that ends with them. */
static int unpack(unsigned codec, const uint8_t *bytes, size_t length)
{
	uint8_t *copy = malloc(length ? length : 1);
	int err;

	assert_non_null(copy);
	memcpy(copy, bytes, length);
	unpacked.length = 0;
	unpacked.visits = 0;
	err = kafka_unpack(codec, copy, length, visit, &unpacked);
	free(copy);
	return err;
}

static size_t pack(enum kafka_packing how, size_t length)
{
	return kafka_pack(how, plain, length, packed, sizeof(packed));
}

/* Half of it repeats itself. */
static void fill(size_t length)
{
	uint32_t random = 1;

	for (size_t i = 0; i < length; i++) {
		random = random * 1103515245 + 12345;
		plain[i] = i / 64 % 2 ? (uint8_t)(random >> 16) : 'r';
	}
}

static void unpacks_what_was_packed(void **state)
{
	static const size_t lengths[] = { 0, 1, 99, 16384, 16385, 100000, KAFKA_UNPACKED_MAX };

	(void)state;
	fill(PLAIN_MAX);
	for (unsigned how = 0; how < PACK_COUNT; how++) {
		for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
			size_t length = pack(how, lengths[i]);

			assert_int_equal(unpack(kafka_packing_codec[how], packed, length), 0);
			assert_int_equal(unpacked.length, lengths[i]);
			assert_memory_equal(unpacked.bytes, plain, lengths[i]);
		}
	}
}

/* What Java frames says nowhere how many blocks there are: such a cut shows in the records. */
static bool is_between_blocks(enum kafka_packing how, size_t length)
{
	size_t at = 16;

	while (at < length)
		at += 4u + packed[at + 2] * 256u + packed[at + 3];
	return how == PACK_XERIAL && at == length;
}

static void tells_what_is_cut(void **state)
{
	(void)state;
	fill(500);
	for (unsigned how = 0; how < PACK_COUNT; how++) {
		size_t length = pack(how, 500);

		for (size_t cut = 0; cut < length; cut++) {
			int want = is_between_blocks(how, cut) ? 0 : -EBADMSG;

			assert_int_equal(unpack(kafka_packing_codec[how], packed, cut), want);
			assert_true(unpacked.length <= 500);
			assert_memory_equal(unpacked.bytes, plain, unpacked.length);
		}
	}
}

static void tells_what_follows(void **state)
{
	(void)state;
	fill(500);
	for (unsigned how = 0; how < PACK_COUNT; how++) {
		size_t length = pack(how, 500);

		packed[length] = 'x';
		assert_int_equal(unpack(kafka_packing_codec[how], packed, length + 1), -EBADMSG);
		memcpy(packed + length, packed, length);
		assert_int_equal(unpack(kafka_packing_codec[how], packed, 2 * length), -EBADMSG);
	}
}

/* Whatever comes out, it is no more than may. */
static void survives_what_is_corrupt(void **state)
{
	(void)state;
	fill(500);
	for (unsigned how = 0; how < PACK_COUNT; how++) {
		size_t length = pack(how, 500);
		unsigned refused = 0;

		for (size_t i = 0; i < length; i++) {
			for (unsigned bit = 0; bit < 8; bit++) {
				packed[i] ^= (uint8_t)(1u << bit);
				refused += unpack(kafka_packing_codec[how], packed, length) < 0;
				packed[i] ^= (uint8_t)(1u << bit);
				assert_true(unpacked.length <=
					    KAFKA_UNPACKED_LEAST + KAFKA_UNPACKED_RATIO * length);
			}
		}
		assert_in_range(refused, 1, 8 * length);
	}
}

static void ends_where_it_is_too_much(void **state)
{
	size_t length, limit;

	(void)state;
	fill(PLAIN_MAX);
	for (unsigned how = 0; how < PACK_COUNT; how++) {
		length = pack(how, KAFKA_UNPACKED_MAX + 1);
		assert_int_equal(unpack(kafka_packing_codec[how], packed, length), -EFBIG);
		assert_true(unpacked.length <= KAFKA_UNPACKED_MAX);
	}
	memset(plain, 0, PLAIN_MAX);
	for (unsigned i = 0; i < 2; i++) {
		length = pack(i ? PACK_ZSTD : PACK_GZIP, KAFKA_UNPACKED_MAX);
		limit = KAFKA_UNPACKED_LEAST + KAFKA_UNPACKED_RATIO * length;
		assert_true(limit < KAFKA_UNPACKED_MAX);
		assert_int_equal(unpack(i ? 4 : 1, packed, length), -EFBIG);
		assert_true(unpacked.length <= limit);
	}
}

/* Snappy says how long it will be before there is anything; that is not asked memory for. */
static void believes_no_length(void **state)
{
	(void)state;
	for (unsigned bytes = 1; bytes <= 4; bytes++) {
		uint8_t claim[16] = { 0xff, 0xff, 0xff, 0xff, 0xff };

		claim[bytes] = 3;
		failing_alloc_at(1); /* the first one is of `unpack` */
		assert_int_equal(unpack(2, claim, sizeof(claim)), bytes > 2 ? -EFBIG : -ENOMEM);
		assert_int_equal(failing_alloc_stop(), bytes <= 2);
	}
}

static void refuses_large_windows(void **state)
{
	size_t length;

	(void)state;
	fill(500);
	length = kafka_pack_with_window(23, plain, 500, packed, sizeof(packed));
	assert_int_equal(unpack(4, packed, length), 0);
	assert_memory_equal(unpacked.bytes, plain, 500);
	length = kafka_pack_with_window(24, plain, 500, packed, sizeof(packed));
	assert_int_equal(unpack(4, packed, length), -EBADMSG);
}

static void knows_four_codecs(void **state)
{
	(void)state;
	for (unsigned codec = 0; codec < 8; codec += codec ? 1 : 5)
		assert_int_equal(unpack(codec, plain, 10), -EBADMSG);
}

static void ends_when_there_is_enough(void **state)
{
	(void)state;
	fill(100000);
	unpacked.visits_wanted = 1;
	for (unsigned how = 0; how < PACK_COUNT; how++) {
		size_t length = pack(how, 100000);

		assert_int_equal(unpack(kafka_packing_codec[how], packed, length), 0);
		assert_int_equal(unpacked.visits, 1);
	}
	unpacked.visits_wanted = 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unpacks_what_was_packed),
		cmocka_unit_test(tells_what_is_cut),
		cmocka_unit_test(tells_what_follows),
		cmocka_unit_test(survives_what_is_corrupt),
		cmocka_unit_test(ends_where_it_is_too_much),
		cmocka_unit_test(believes_no_length),
		cmocka_unit_test(refuses_large_windows),
		cmocka_unit_test(knows_four_codecs),
		cmocka_unit_test(ends_when_there_is_enough),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
