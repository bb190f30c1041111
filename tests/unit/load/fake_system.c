/* SPDX-License-Identifier: Apache-2.0 */
#include "fake_system.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "fake_libbpf.h"

#define FILES_MAX 8

static struct {
	const char *path;
	const char *content;
} files[FILES_MAX];

void fake_system_reset(void)
{
	memset(files, 0, sizeof(files));
	fake_file(FAKE_STATUS, FAKE_ALL_CAPABILITIES);
	fake_file(FAKE_BTF, "btf");
	fake_file(FAKE_LOCKDOWN, "[none] integrity confidentiality\n");
}

void fake_file(const char *path, const char *content)
{
	size_t i = 0;

	while (i < FILES_MAX && files[i].path && strcmp(files[i].path, path) != 0)
		i++;
	if (i == FILES_MAX)
		abort();
	files[i].path = path;
	files[i].content = content;
}

/* Returns whether somebody named the path. */
static bool find(const char *path, const char **ret_content)
{
	for (size_t i = 0; i < FILES_MAX && files[i].path; i++)
		if (strcmp(files[i].path, path) == 0) {
			*ret_content = files[i].content;
			return true;
		}
	return false;
}

FILE *fopen(const char *path, const char *mode)
{
	FILE *(*real)(const char *, const char *) =
		(FILE * (*)(const char *, const char *)) dlsym(RTLD_NEXT, "fopen");
	const char *content;

	if (!find(path, &content))
		return real(path, mode);
	if (content)
		return fmemopen((char *)(uintptr_t)content, strlen(content), "r");
	errno = ENOENT;
	return NULL;
}

int access(const char *path, int mode)
{
	const char *content;

	if (!find(path, &content))
		return faccessat(-1, path, mode, 0);
	if (content)
		return 0;
	errno = ENOENT;
	return -1;
}

int setrlimit(__rlimit_resource_t resource, const struct rlimit *limit)
{
	(void)resource;
	(void)limit;
	return fake_fails(FAKE_MEMLOCK, "") ? -1 : 0;
}
