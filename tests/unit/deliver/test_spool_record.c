/* SPDX-License-Identifier: Apache-2.0 */
/* Whatever happens to the bytes of one batch, those beside it are found. */
#include "deliver/spool_record.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define RECORDS 3
static const char *const bodies[RECORDS] = { "first", "the second one", "third" };

struct file {
	uint8_t bytes[256];
	size_t length;
	size_t ends[RECORDS];
};

static void fill(struct file *file)
{
	*file = (struct file){ 0 };
	for (unsigned i = 0; i < RECORDS; i++) {
		size_t length = strlen(bodies[i]);

		assert_int_equal(
			spool_head_write(bodies[i], length, 10 + i, file->bytes + file->length), 0);
		file->length += SPOOL_HEAD_BYTES;
		memcpy(file->bytes + file->length, bodies[i], length);
		file->length += length;
		file->ends[i] = file->length;
	}
}

struct found {
	unsigned whole;
	unsigned whole_numbers; /* bits */
	unsigned damaged;
	unsigned sent;
};

/* Reads a copy whose end is the end of the allocation. */
static struct found read_all(const uint8_t *bytes, size_t length)
{
	uint8_t *copy = malloc(length ? length : 1);
	struct spool_record record = { 0 };
	struct found found = { 0 };
	size_t position = 0;

	memcpy(copy, bytes, length);
	while (spool_record_next(copy, length, position, &record)) {
		assert_int_equal(record.start, position);
		assert_true(record.end > position && record.end <= length);
		position = record.end;
		found.sent += record.is_sent;
		if (record.is_whole) {
			found.whole++;
			found.whole_numbers |= 1u << (record.spans - 10);
			assert_memory_equal(copy + record.start + SPOOL_HEAD_BYTES,
					    bodies[record.spans - 10],
					    record.end - record.start - SPOOL_HEAD_BYTES);
		} else {
			found.damaged++;
		}
	}
	assert_int_equal(position, length);
	free(copy);
	return found;
}

static void all_are_found(void **state)
{
	struct file file;
	struct found found;

	(void)state;
	fill(&file);
	found = read_all(file.bytes, file.length);
	assert_int_equal(found.whole, RECORDS);
	assert_int_equal(found.damaged, 0);
	assert_int_equal(found.sent, 0);
	memcpy(file.bytes + file.ends[0] + SPOOL_MARK_OFFSET, spool_mark_sent, SPOOL_MARK_BYTES);
	found = read_all(file.bytes, file.length);
	assert_int_equal(found.whole, RECORDS);
	assert_int_equal(found.sent, 1);
}

static void a_file_may_end_anywhere(void **state)
{
	struct file file;

	(void)state;
	fill(&file);
	for (size_t length = 0; length <= file.length; length++) {
		struct found found = read_all(file.bytes, length);
		unsigned whole = 0;
		bool is_at_end = length == 0;

		for (unsigned i = 0; i < RECORDS; i++) {
			whole += file.ends[i] <= length;
			is_at_end = is_at_end || file.ends[i] == length;
		}
		assert_int_equal(found.whole, whole);
		assert_int_equal(found.damaged, !is_at_end);
	}
}

static void a_byte_may_be_wrong(void **state)
{
	struct file file;

	(void)state;
	for (size_t i = 0; i < SPOOL_HEAD_BYTES + strlen(bodies[1]); i++) {
		bool is_mark = i >= SPOOL_MARK_OFFSET && i < SPOOL_MARK_OFFSET + SPOOL_MARK_BYTES;
		struct found found;

		fill(&file);
		file.bytes[file.ends[0] + i] ^= 0x10;
		found = read_all(file.bytes, file.length);
		assert_int_equal(found.sent, 0);
		assert_int_equal(found.whole_numbers, is_mark ? 7 : 5);
		assert_int_equal(found.damaged, is_mark ? 0 : 1);
	}
}

static void a_piece_may_be_missing(void **state)
{
	struct file file;

	(void)state;
	fill(&file);
	for (size_t missing = 1; missing < file.ends[1] - file.ends[0]; missing++) {
		struct found found;

		fill(&file);
		memmove(file.bytes + file.ends[0] + 1, file.bytes + file.ends[0] + 1 + missing,
			file.length - file.ends[0] - 1 - missing);
		found = read_all(file.bytes, file.length - missing);
		assert_int_equal(found.whole_numbers & 1, 1);
		assert_true(found.damaged > 0);
	}
}

static void too_long_is_refused(void **state)
{
	uint8_t head[SPOOL_HEAD_BYTES];

	(void)state;
	assert_int_equal(spool_head_write("", 0, 1ull << 32, head), -EMSGSIZE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_are_found),       cmocka_unit_test(a_file_may_end_anywhere),
		cmocka_unit_test(a_byte_may_be_wrong), cmocka_unit_test(a_piece_may_be_missing),
		cmocka_unit_test(too_long_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
