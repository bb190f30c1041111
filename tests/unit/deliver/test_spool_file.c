/* SPDX-License-Identifier: Apache-2.0 */
#include "deliver/spool_file.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "failing_alloc.h"
#include "spool_folder.h"

static void names_are_numbers(void **state)
{
	(void)state;
	assert_int_equal(spool_file_number("000000000000001f.spans"), 31);
	assert_int_equal(spool_file_number("ffffffffffffffff.spans"), UINT64_MAX);
	assert_int_equal(spool_file_number("000000000000001F.spans"), 0);
	assert_int_equal(spool_file_number("1f.spans"), 0);
	assert_int_equal(spool_file_number("000000000000001f.spans~"), 0);
	assert_int_equal(spool_file_number(".."), 0);
}

static void write_one(struct spool_file *file, size_t length, int want)
{
	uint8_t *body = calloc(1, length), head[SPOOL_HEAD_BYTES];

	assert_int_equal(spool_head_write(body, length, 1, head), 0);
	assert_int_equal(spool_file_append(file, head, body, length), want);
	free(body);
}

/* Where the disk ends in the middle of a batch nothing of it stays. */
static void a_batch_is_appended_or_not(void **state)
{
	struct spool_folder folder;
	struct spool_file *file;
	struct stat status;
	int directory;

	(void)state;
	spool_folder_make(&folder);
	directory = open(folder.path, O_RDONLY | O_DIRECTORY);
	assert_int_equal(spool_file_create(directory, 5, &file), 0);
	write_one(file, 1000, 0);
	spool_folder_limit(1500);
	write_one(file, 1000, -ENOSPC);
	spool_folder_limit(SPOOL_HEAD_BYTES + 1000);
	write_one(file, 1000, -EFBIG);
	spool_folder_limit(SIZE_MAX);
	assert_int_equal(fstat(file->fd, &status), 0);
	assert_int_equal(status.st_size, SPOOL_HEAD_BYTES + 1000);
	assert_int_equal(file->size, SPOOL_HEAD_BYTES + 1000);
	write_one(file, 7, 0);
	assert_int_equal(file->size, 2 * SPOOL_HEAD_BYTES + 1007);
	spool_file_free(&file);
	close(directory);
	spool_folder_remove(&folder);
}

static void what_is_there_is_found(void **state)
{
	struct spool_folder folder;
	struct spool_file *file;
	uint8_t *bytes;
	size_t length;
	int directory;

	(void)state;
	spool_folder_make(&folder);
	directory = open(folder.path, O_RDONLY | O_DIRECTORY);
	assert_int_equal(spool_file_find(directory, 5, &file), -ENOENT);
	assert_int_equal(spool_file_create(directory, 5, &file), 0);
	write_one(file, 100, 0);
	assert_true(file->is_unsynced);
	assert_int_equal(spool_file_sync(file), 0);
	assert_false(file->is_unsynced);
	spool_file_free(&file);
	assert_int_equal(spool_file_create(directory, 5, &file), -EEXIST);
	assert_int_equal(spool_file_find(directory, 5, &file), 0);
	assert_int_equal(file->size, SPOOL_HEAD_BYTES + 100);
	assert_int_equal(spool_file_open(file, directory), 0);
	assert_int_equal(spool_file_mark_sent(file, 0), 0);
	assert_int_equal(spool_file_read(file, 20, &bytes, &length), 0);
	assert_int_equal(length, SPOOL_HEAD_BYTES + 80);
	assert_memory_equal(bytes, spool_mark_sent, SPOOL_MARK_BYTES);
	free(bytes);
	assert_int_equal(ftruncate(file->fd, 30), 0);
	assert_int_equal(spool_file_read(file, 20, &bytes, &length), 0);
	assert_int_equal(length, 10);
	free(bytes);
	assert_int_equal(spool_file_read(file, 30, &bytes, &length), -ENODATA);
	assert_int_equal(spool_file_truncate(file), 0);
	assert_int_equal(file->size, 0);
	spool_file_free(&file);
	close(directory);
	spool_folder_remove(&folder);
}

/* A name of ours may be anything. */
static void only_files_are_files(void **state)
{
	struct spool_folder folder;
	struct spool_file *file;
	int directory;

	(void)state;
	spool_folder_make(&folder);
	directory = open(folder.path, O_RDONLY | O_DIRECTORY);
	assert_int_equal(mkdirat(directory, "0000000000000005.spans", 0700), 0);
	assert_int_equal(spool_file_find(directory, 5, &file), -EINVAL);
	assert_int_equal(unlinkat(directory, "0000000000000005.spans", AT_REMOVEDIR), 0);
	assert_int_equal(symlinkat("/etc/passwd", directory, "0000000000000005.spans"), 0);
	assert_int_equal(spool_file_find(directory, 5, &file), -EINVAL);
	assert_int_equal(unlinkat(directory, "0000000000000005.spans", 0), 0);
	close(directory);
	spool_folder_remove(&folder);
}

static void memory_may_run_out(void **state)
{
	struct spool_folder folder;
	int directory;

	(void)state;
	spool_folder_make(&folder);
	directory = open(folder.path, O_RDONLY | O_DIRECTORY);
	FOR_EACH_FAILING_ALLOC(nth)
	{
		struct spool_file *file;
		int error = spool_file_create(directory, 5, &file);

		if (error) {
			assert_int_equal(error, -ENOMEM);
			continue;
		}
		spool_file_free(&file);
		assert_int_equal(unlinkat(directory, "0000000000000005.spans", 0), 0);
	}
	close(directory);
	spool_folder_remove(&folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_numbers),
		cmocka_unit_test(a_batch_is_appended_or_not),
		cmocka_unit_test(what_is_there_is_found),
		cmocka_unit_test(only_files_are_files),
		cmocka_unit_test(memory_may_run_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
