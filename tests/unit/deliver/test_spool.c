/* SPDX-License-Identifier: Apache-2.0 */
/* Whatever happens to the disk and to the process: spans that were appended are taken, dropped and counted, or still there. */
#include "deliver/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"
#include "deliver/spool_record.h"
#include "failing_alloc.h"
#include "spool_folder.h"

#define LIMIT (1u << 20)
#define FILE_LIMIT (LIMIT / 16)

static struct spool *opened(const struct spool_folder *folder)
{
	struct spool *spool = NULL;

	assert_int_equal(spool_open(folder->path, LIMIT, &spool), 0);
	return spool;
}

/* A batch says its number in every byte. */
static int append(struct spool *spool, unsigned number, size_t length)
{
	uint8_t *body = malloc(length);
	int error;

	memset(body, (int)number, length);
	error = spool_append(spool, body, length, number);
	free(body);
	return error;
}

/* Returns the number of the batch that was taken; 0: there was none. */
static unsigned taken(struct spool *spool)
{
	struct spool_batch batch;
	int status = spool_take(spool, &batch);

	assert_in_range(status, 0, 1);
	if (!status)
		return 0;
	for (size_t i = 0; i < batch.length; i++)
		assert_int_equal(batch.bytes[i], (uint8_t)batch.spans);
	return (unsigned)batch.spans;
}

static void batches_leave_in_their_order(void **state)
{
	struct spool_folder folder;
	struct spool *spool;
	size_t files;

	(void)state;
	spool_folder_make(&folder);
	spool = opened(&folder);
	assert_int_equal(taken(spool), 0);
	for (unsigned round = 0; round < 3; round++) {
		for (unsigned i = 1; i <= 20; i++)
			assert_int_equal(append(spool, i, FILE_LIMIT / 7), 0);
		assert_int_equal(spool_figures(spool)->waiting, 210);
		for (unsigned i = 1; i <= 20; i++) {
			assert_int_equal(taken(spool), i);
			assert_int_equal(taken(spool), i); /* until it is settled */
			assert_int_equal(spool_settle(spool), 0);
		}
		assert_int_equal(taken(spool), 0);
		assert_int_equal(spool_figures(spool)->waiting, 0);
		assert_int_equal(spool_folder_bytes(&folder, &files), 0);
	}
	spool_close(&spool);
	spool_folder_bytes(&folder, &files);
	assert_int_equal(files, 0);
	spool_folder_remove(&folder);
}

static void one_is_taken_while_others_come(void **state)
{
	struct spool_folder folder;
	struct spool *spool;

	(void)state;
	spool_folder_make(&folder);
	spool = opened(&folder);
	assert_int_equal(append(spool, 1, 10), 0);
	for (unsigned i = 1; i <= 100; i++) {
		assert_int_equal(taken(spool), i);
		assert_int_equal(append(spool, i + 1, i * 50), 0);
		assert_int_equal(spool_settle(spool), 0);
	}
	assert_int_equal(taken(spool), 101);
	spool_close(&spool);
	spool_folder_remove(&folder);
}

/* What was settled is not found again, what was only taken is. */
static void another_process_goes_on(void **state)
{
	struct spool_folder folder;
	struct spool *spool;

	(void)state;
	spool_folder_make(&folder);
	for (unsigned settled = 0; settled <= 12; settled++) {
		spool = opened(&folder);
		for (unsigned i = 1; i <= 12; i++)
			assert_int_equal(append(spool, i, FILE_LIMIT / 5), 0);
		for (unsigned i = 1; i <= settled; i++) {
			assert_int_equal(taken(spool), i);
			assert_int_equal(spool_settle(spool), 0);
		}
		(void)taken(spool);
		spool_close(&spool);
		spool = opened(&folder);
		assert_int_equal(spool_figures(spool)->recovered, 78 - settled * (settled + 1) / 2);
		assert_int_equal(spool_figures(spool)->waiting, spool_figures(spool)->recovered);
		for (unsigned i = settled + 1; i <= 12; i++) {
			assert_int_equal(taken(spool), i);
			assert_int_equal(spool_settle(spool), 0);
		}
		assert_int_equal(taken(spool), 0);
		spool_close(&spool);
	}
	spool_folder_remove(&folder);
}

static void a_process_may_be_killed(void **state)
{
	struct spool_folder folder;
	struct spool *spool;
	int status;
	pid_t child;

	(void)state;
	spool_folder_make(&folder);
	child = fork();
	if (child == 0) {
		spool = opened(&folder);
		for (unsigned i = 1; i <= 5; i++)
			if (append(spool, i, 100) != 0)
				_exit(1);
		if (taken(spool) != 1 || spool_settle(spool) != 0)
			_exit(1);
		raise(SIGKILL);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
	spool = opened(&folder);
	assert_int_equal(spool_figures(spool)->recovered, 2 + 3 + 4 + 5);
	assert_int_equal(append(spool, 6, 100), 0);
	for (unsigned i = 2; i <= 6; i++) {
		assert_int_equal(taken(spool), i);
		assert_int_equal(spool_settle(spool), 0);
	}
	spool_close(&spool);
	spool_folder_remove(&folder);
}

static void the_oldest_are_dropped(void **state)
{
	struct spool_folder folder;
	struct spool *spool;
	uint64_t appended = 0, settled = 0, first;
	size_t files, bytes;

	(void)state;
	spool_folder_make(&folder);
	spool = opened(&folder);
	for (unsigned i = 1; i <= 200; i++) {
		assert_int_equal(append(spool, i, 20000), 0);
		appended += i;
		bytes = spool_folder_bytes(&folder, &files);
		assert_true(bytes <= LIMIT);
		assert_true(spool_figures(spool)->bytes <= LIMIT);
		assert_int_equal(spool_figures(spool)->waiting + spool_figures(spool)->dropped_full,
				 appended);
	}
	assert_true(spool_figures(spool)->waiting > appended / 8);
	assert_true(bytes > LIMIT / 2);
	first = taken(spool);
	for (uint64_t i = first; i <= 200; i++) {
		assert_int_equal(taken(spool), i);
		assert_int_equal(spool_settle(spool), 0);
		settled += i;
	}
	assert_int_equal(taken(spool), 0);
	assert_int_equal(settled + spool_figures(spool)->dropped_full, appended);
	assert_int_equal(append(spool, 1, LIMIT), -EMSGSIZE);
	spool_close(&spool);
	spool_folder_remove(&folder);
}

/* A batch that is on its way when its file is dropped is what becomes of it, and is not dropped. */
static void a_taken_batch_is_dropped(void **state)
{
	struct spool_folder folder;
	struct spool *spool;
	struct spool_batch batch;
	const struct spool_figures *figures;

	(void)state;
	spool_folder_make(&folder);
	spool = opened(&folder);
	figures = spool_figures(spool);
	assert_int_equal(append(spool, 1, 20000), 0);
	assert_int_equal(append(spool, 2, 20000), 0);
	assert_int_equal(spool_take(spool, &batch), 1);
	for (unsigned i = 3; i <= 100; i++)
		assert_int_equal(append(spool, i, 20000), 0);
	assert_true(figures->dropped_full > 3);
	assert_int_equal(figures->waiting + figures->dropped_full, 5050);
	for (size_t i = 0; i < batch.length; i++)
		assert_int_equal(batch.bytes[i], 1);
	assert_int_equal(spool_settle(spool), 0);
	assert_int_equal(1 + figures->waiting + figures->dropped_full, 5050);
	while (taken(spool))
		assert_int_equal(spool_settle(spool), 0);
	assert_int_equal(figures->waiting, 0);
	spool_close(&spool);
	spool_folder_remove(&folder);
}

/* Appends three batches, and lets them be found again in a file of which only so much is there. */
static void cut_and_read(const struct spool_folder *folder, size_t length)
{
	static const size_t ends[] = { SPOOL_HEAD_BYTES + 30, 2 * (SPOOL_HEAD_BYTES + 30),
				       3 * (SPOOL_HEAD_BYTES + 30) };
	char path[PATH_MAX];
	struct spool *spool = opened(folder);
	unsigned whole = 0;

	for (unsigned i = 1; i <= 3; i++)
		assert_int_equal(append(spool, i, 30), 0);
	spool_close(&spool);
	spool_folder_first(folder, path);
	assert_int_equal(truncate(path, (off_t)length), 0);
	for (unsigned i = 0; i < 3; i++)
		whole += ends[i] <= length;
	spool = opened(folder);
	assert_int_equal(append(spool, 9, 30), 0);
	assert_int_equal(spool_figures(spool)->recovered, whole * (whole + 1) / 2);
	for (unsigned i = 1; i <= whole; i++) {
		assert_int_equal(taken(spool), i);
		assert_int_equal(spool_settle(spool), 0);
	}
	assert_int_equal(taken(spool), 9);
	assert_int_equal(spool_settle(spool), 0);
	assert_int_equal(taken(spool), 0);
	assert_int_equal(spool_figures(spool)->damages, length % (SPOOL_HEAD_BYTES + 30) ? 1 : 0);
	assert_int_equal(spool_figures(spool)->dropped_damaged, 0);
	spool_close(&spool);
}

static void a_file_may_end_anywhere(void **state)
{
	struct spool_folder folder;

	(void)state;
	spool_folder_make(&folder);
	for (size_t length = 0; length <= 3 * (SPOOL_HEAD_BYTES + 30); length++)
		cut_and_read(&folder, length);
	spool_folder_remove(&folder);
}

static void spoil(const struct spool_folder *folder, off_t offset)
{
	char path[PATH_MAX];
	int fd;

	spool_folder_first(folder, path);
	fd = open(path, O_WRONLY);
	assert_int_equal(pwrite(fd, "?", 1, offset), 1);
	close(fd);
}

/* Before the restart the spans are not counted, later they are. */
static void a_batch_may_be_damaged(void **state)
{
	struct spool_folder folder;
	struct spool *spool;

	(void)state;
	spool_folder_make(&folder);
	spool = opened(&folder);
	for (unsigned i = 1; i <= 4; i++)
		assert_int_equal(append(spool, i, 30), 0);
	spool_close(&spool);
	spoil(&folder, SPOOL_HEAD_BYTES + 30 + 1); /* the second one's head */
	spool = opened(&folder);
	assert_int_equal(spool_figures(spool)->recovered, 1 + 3 + 4);
	spoil(&folder, 3 * (SPOOL_HEAD_BYTES + 30) - 1); /* the third one's body */
	assert_int_equal(taken(spool), 1);
	assert_int_equal(spool_settle(spool), 0);
	assert_int_equal(taken(spool), 4);
	assert_int_equal(spool_settle(spool), 0);
	assert_int_equal(taken(spool), 0);
	assert_int_equal(spool_figures(spool)->damages, 2);
	assert_int_equal(spool_figures(spool)->dropped_damaged, 3);
	assert_int_equal(spool_figures(spool)->waiting, 0);
	spool_close(&spool);
	spool_folder_remove(&folder);
}

/* By somebody else, while it waits. */
static void a_file_may_be_cut_or_gone(void **state)
{
	struct spool_folder folder;
	struct spool *spool;
	char path[PATH_MAX];

	(void)state;
	spool_folder_make(&folder);
	for (unsigned is_gone = 0; is_gone < 2; is_gone++) {
		spool = opened(&folder);
		for (unsigned i = 1; i <= 7; i++)
			assert_int_equal(append(spool, i, FILE_LIMIT / 4), 0);
		spool_folder_first(&folder, path);
		assert_int_equal(is_gone ? unlink(path) : truncate(path, FILE_LIMIT / 3), 0);
		spool_close(&spool);
		spool = opened(&folder);
		assert_int_equal(taken(spool), is_gone ? 4 : 1);
		spool_folder_first(&folder, path);
		assert_int_equal(truncate(path, 5), 0);
		while (taken(spool))
			assert_int_equal(spool_settle(spool), 0);
		assert_int_equal(spool_figures(spool)->waiting, 0);
		spool_close(&spool);
	}
	spool_folder_remove(&folder);
}

static void the_disk_may_be_full(void **state)
{
	struct spool_folder folder;
	struct spool *spool;

	(void)state;
	spool_folder_make(&folder);
	spool = opened(&folder);
	assert_int_equal(append(spool, 1, 1000), 0);
	spool_folder_limit(1500);
	assert_int_equal(append(spool, 2, 1000), -ENOSPC);
	assert_int_equal(append(spool, 2, 1000), -ENOSPC);
	assert_int_equal(spool_figures(spool)->waiting, 1);
	spool_folder_limit(SIZE_MAX);
	assert_int_equal(append(spool, 3, 1000), 0);
	assert_int_equal(taken(spool), 1);
	assert_int_equal(spool_settle(spool), 0);
	assert_int_equal(taken(spool), 3);
	assert_int_equal(spool_settle(spool), 0);
	assert_int_equal(spool_figures(spool)->damages, 0);
	spool_close(&spool);
	spool_folder_remove(&folder);
}

static void a_folder_is_one_processs(void **state)
{
	struct spool_folder folder;
	struct spool *spool, *other = NULL;

	(void)state;
	spool_folder_make(&folder);
	spool = opened(&folder);
	assert_int_equal(spool_open(folder.path, LIMIT, &other), -EBUSY);
	spool_close(&spool);
	spool = opened(&folder);
	spool_close(&spool);
	assert_int_equal(spool_open("/dev/null", LIMIT, &other), -ENOTDIR);
	assert_int_equal(spool_open("/nowhere/spool", LIMIT, &other), -ENOENT);
	spool_folder_remove(&folder);
}

static void a_smaller_bound_drops_at_the_start(void **state)
{
	struct spool_folder folder;
	struct spool *spool;

	(void)state;
	spool_folder_make(&folder);
	spool = opened(&folder);
	for (unsigned i = 1; i <= 20; i++)
		assert_int_equal(append(spool, i, FILE_LIMIT / 2), 0);
	spool_close(&spool);
	assert_int_equal(spool_open(folder.path, LIMIT / 4, &spool), 0);
	assert_int_equal(spool_figures(spool)->recovered, 210);
	assert_true(spool_figures(spool)->dropped_full > 0);
	assert_true(spool_figures(spool)->bytes <= LIMIT / 4);
	assert_int_equal(spool_figures(spool)->waiting + spool_figures(spool)->dropped_full, 210);
	spool_close(&spool);
	spool_folder_remove(&folder);
}

static void memory_may_run_out(void **state)
{
	struct spool_folder folder;
	struct spool *spool;

	(void)state;
	spool_folder_make(&folder);
	FOR_EACH_FAILING_ALLOC(nth)
	{
		static const uint8_t body[8];
		struct spool_batch batch;
		int status = spool_open(folder.path, LIMIT, &spool);

		if (status) {
			assert_int_equal(status, -ENOMEM);
			continue;
		}
		status = spool_append(spool, body, sizeof(body), 1);
		assert_true(status == 0 || status == -ENOMEM);
		while ((status = spool_take(spool, &batch)) > 0)
			assert_int_equal(spool_settle(spool), 0);
		assert_true(status == 0 || status == -ENOMEM);
		assert_int_equal(spool_figures(spool)->dropped_damaged, 0);
		spool_close(&spool);
	}
	spool_folder_remove(&folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(batches_leave_in_their_order),
		cmocka_unit_test(one_is_taken_while_others_come),
		cmocka_unit_test(another_process_goes_on),
		cmocka_unit_test(a_process_may_be_killed),
		cmocka_unit_test(the_oldest_are_dropped),
		cmocka_unit_test(a_taken_batch_is_dropped),
		cmocka_unit_test(a_file_may_end_anywhere),
		cmocka_unit_test(a_batch_may_be_damaged),
		cmocka_unit_test(a_file_may_be_cut_or_gone),
		cmocka_unit_test(the_disk_may_be_full),
		cmocka_unit_test(a_folder_is_one_processs),
		cmocka_unit_test(a_smaller_bound_drops_at_the_start),
		cmocka_unit_test(memory_may_run_out),
	};

	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
