/* SPDX-License-Identifier: Apache-2.0 */
#include "published/process_memory.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/cleanup.h"

#define MAPS_MAX (4u << 20)
#define MAPS_STEP 65536u

int process_memory_read(void *context, uint64_t at, void *ret_bytes, size_t size)
{
	struct iovec to = { ret_bytes, size }, from = { (void *)(uintptr_t)at, size };
	ssize_t got = process_vm_readv((pid_t) * (uint32_t *)context, &to, 1, &from, 1, 0);

	if (got < 0)
		return -errno;
	return (size_t)got == size ? 0 : -EFAULT;
}

static int read_text(int fd, char **ret_text)
{
	_cleanup_free_ char *text = NULL;
	size_t used = 0, size = 0;
	ssize_t got = 1;

	while (got && used < MAPS_MAX) {
		if (size - used < MAPS_STEP) {
			char *larger = realloc(text, size + 2 * MAPS_STEP);

			if (!larger)
				return -ENOMEM;
			text = larger;
			size += 2 * MAPS_STEP;
		}
		got = read(fd, text + used, size - used - 1);
		if (got < 0)
			return -errno;
		used += (size_t)got;
	}
	text[used] = '\0';
	*ret_text = TAKE_PTR(text);
	return 0;
}

int mapped_files_read(uint32_t tgid, struct mapped_files *ret_files)
{
	_cleanup_close_ int fd = -1;
	char path[64], target[PATH_MAX];
	ssize_t length;
	int error;

	(void)snprintf(path, sizeof(path), "/proc/%u/maps", tgid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	*ret_files = (struct mapped_files){ 0 };
	error = read_text(fd, &ret_files->text);
	if (error)
		return error;
	(void)snprintf(path, sizeof(path), "/proc/%u/exe", tgid);
	length = readlink(path, target, sizeof(target));
	if (length > 0)
		ret_files->executable = strndup(target, (size_t)length);
	return 0;
}

void mapped_files_done(struct mapped_files *files)
{
	free(files->text);
	free(files->executable);
	*files = (struct mapped_files){ 0 };
}

struct mapping {
	uint64_t start;
	uint64_t offset;
	uint64_t inode;
	bool has_code;
	char path[PATH_MAX]; /* one that is longer is cut */
};

/* Source: proc(5), /proc/pid/maps: start-end perms offset device inode path */
static bool parse_line(const char *line, size_t length, struct mapping *ret_mapping)
{
	char text[PATH_MAX + 128], perms[8];
	unsigned long start, offset, inode;
	int path = 0;

	if (length >= sizeof(text))
		length = sizeof(text) - 1;
	memcpy(text, line, length);
	text[length] = '\0';
	if (sscanf(text, "%lx-%*x %7s %lx %*x:%*x %lu %n", &start, perms, &offset, &inode, &path) !=
		    4 ||
	    !path)
		return false;
	ret_mapping->start = start;
	ret_mapping->offset = offset;
	ret_mapping->inode = inode;
	ret_mapping->has_code = strchr(perms, 'x') != NULL;
	(void)snprintf(ret_mapping->path, sizeof(ret_mapping->path), "%s", text + path);
	return true;
}

static bool is_named(const char *path, const char *name)
{
	static const char *const kinds[] = { "[anon_shmem:", "[anon:", "/memfd:" };

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		size_t length = strlen(kinds[i]);

		if (!strncmp(path, kinds[i], length) && !strncmp(path + length, name, strlen(name)))
			return true;
	}
	return false;
}

uint64_t mapped_name_find(const struct mapped_files *files, const char *name)
{
	const char *line = files->text;
	struct mapping mapping;

	for (; line && *line; line = strchr(line, '\n'), line = line ? line + 1 : NULL)
		if (parse_line(line, strcspn(line, "\n"), &mapping) && is_named(mapping.path, name))
			return mapping.start;
	return 0;
}

/* A file's mappings stand together, its beginning first. */
void mapped_files_each(const struct mapped_files *files,
		       int (*visit)(void *context, const struct mapped_file *), void *context)
{
	struct mapping mapping = { 0 };
	uint64_t start = 0, inode = 0; /* inode 0: no file is under way, or it was visited */
	const char *line = files->text;

	for (; line && *line; line = strchr(line, '\n'), line = line ? line + 1 : NULL) {
		struct mapped_file file = { .path = mapping.path };

		if (!parse_line(line, strcspn(line, "\n"), &mapping) || !mapping.inode)
			continue;
		if (!mapping.offset) {
			start = mapping.start;
			inode = mapping.inode;
		}
		if (!mapping.has_code || mapping.inode != inode)
			continue;
		inode = 0;
		file.start = start;
		file.is_executable =
			files->executable && strcmp(mapping.path, files->executable) == 0;
		if (visit(context, &file))
			return;
	}
}
