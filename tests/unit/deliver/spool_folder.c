/* SPDX-License-Identifier: Apache-2.0 */
#include "spool_folder.h"

#include <dirent.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

void spool_folder_make(struct spool_folder *folder)
{
	snprintf(folder->path, sizeof(folder->path), "/tmp/sonde-spool-XXXXXX");
	assert_non_null(mkdtemp(folder->path));
}

static size_t each(const struct spool_folder *folder, bool is_removed, size_t *ret_files)
{
	struct dirent **entries;
	int count = scandir(folder->path, &entries, NULL, alphasort);
	size_t bytes = 0;

	*ret_files = 0;
	assert_true(count >= 0);
	for (int i = 0; i < count; i++) {
		char path[PATH_MAX];
		struct stat status;

		snprintf(path, sizeof(path), "%s/%s", folder->path, entries[i]->d_name);
		assert_int_equal(stat(path, &status), 0);
		if (S_ISREG(status.st_mode)) {
			bytes += ((size_t)status.st_size + 4095) / 4096 * 4096;
			++*ret_files;
			if (is_removed)
				unlink(path);
		}
		free(entries[i]);
	}
	free(entries);
	return bytes;
}

void spool_folder_remove(struct spool_folder *folder)
{
	size_t files;

	each(folder, true, &files);
	assert_int_equal(rmdir(folder->path), 0);
}

size_t spool_folder_bytes(const struct spool_folder *folder, size_t *ret_files)
{
	return each(folder, false, ret_files);
}

void spool_folder_first(const struct spool_folder *folder, char ret_path[PATH_MAX])
{
	struct dirent **entries;
	int count = scandir(folder->path, &entries, NULL, alphasort);

	assert_true(count > 2); /* "." and ".." sort before digits */
	snprintf(ret_path, PATH_MAX, "%s/%s", folder->path, entries[2]->d_name);
	for (int i = 0; i < count; i++)
		free(entries[i]);
	free(entries);
}

void spool_folder_limit(size_t bytes)
{
	struct rlimit limit;

	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = bytes == SIZE_MAX ? limit.rlim_max : bytes;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}
