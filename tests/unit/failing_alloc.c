/* SPDX-License-Identifier: Apache-2.0 */
/* Weak, so that a test may bring a stand-in of its own. */
#include "failing_alloc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define WEAK __attribute__((weak))

static bool is_armed;
static bool has_failed;
static size_t remaining;

void failing_alloc_at(size_t nth)
{
	is_armed = true;
	has_failed = false;
	remaining = nth;
}

bool failing_alloc_has_failed(void)
{
	return has_failed;
}

bool failing_alloc_stop(void)
{
	is_armed = false;
	return has_failed;
}

static bool fails_now(void)
{
	if (!is_armed || has_failed)
		return false;
	if (remaining--)
		return false;
	has_failed = true;
	errno = ENOMEM;
	return true;
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *ptr, size_t size);
char *__real_strdup(const char *text);
char *__real_strndup(const char *text, size_t size);

void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *ptr, size_t size);
char *__wrap_strdup(const char *text);
char *__wrap_strndup(const char *text, size_t size);

WEAK void *__wrap_malloc(size_t size)
{
	return fails_now() ? NULL : __real_malloc(size);
}

WEAK void *__wrap_calloc(size_t count, size_t size)
{
	return fails_now() ? NULL : __real_calloc(count, size);
}

WEAK void *__wrap_realloc(void *ptr, size_t size)
{
	return fails_now() ? NULL : __real_realloc(ptr, size);
}

WEAK char *__wrap_strdup(const char *text)
{
	return fails_now() ? NULL : __real_strdup(text);
}

WEAK char *__wrap_strndup(const char *text, size_t size)
{
	return fails_now() ? NULL : __real_strndup(text, size);
}
